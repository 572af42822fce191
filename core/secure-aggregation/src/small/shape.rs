//! Which vectors are small, and how their values share elements of F_p.

use std::iter::repeat_n;

use syndic_round::vector::{CANARIES, Coding};
use syndic_round::{Layout, RoundPlan};
use zeroize::Zeroizing;

use crate::sharing;

/// How the vector of a plan is shared itself: derived from the plan, never chosen.
///
/// Canaries and values, each as a whole number of steps m of at most v_max either way, become digits m + v_max, in order.
/// A digit has as many bits as the largest sum of n of them, 2 n v_max, n being the admitted institutions: so sums of
/// digits do not carry, whatever the cohort. An element takes digits from its lowest bit up as long as they fit into 60
/// bits, so the sum of n elements is below p.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorShape {
    layout: Layout,
    coding: Coding,
    admitted: u16,
    threshold: u16,
    elements: usize,
}

/// Where a digit stands.
struct Place {
    element: usize,
    shift: u32,
    bits: u32,
    /// v_max.
    most: i64,
}

impl VectorShape {
    /// The shape of the plan's vector; none where it is not small: where it needs more than 512 elements, as many as the
    /// longest key, or a value needs a digit of more than 60 bits.
    pub fn of(plan: &RoundPlan) -> Option<Self> {
        let (admitted, threshold) = (plan.terms.protection.admitted(), plan.terms.protection.threshold());
        let is_too_wide = |most: i64| digit_bits(most, admitted) > ELEMENT_BITS;
        if plan.layout.blocks().iter().any(|block| is_too_wide(block.largest_step())) {
            return None;
        }
        let mut elements = 0;
        for place in places(&plan.layout, admitted) {
            elements = place.element + 1;
            if elements > MOST_ELEMENTS {
                return None;
            }
        }
        Some(Self { layout: plan.layout.clone(), coding: plan.coding(), admitted, threshold, elements })
    }

    /// L: elements of the vector.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Bytes of a share before it is sealed.
    pub fn share_bytes(&self) -> usize {
        sharing::share_bytes(self.elements)
    }

    /// Bytes of a reveal's sum of shares.
    pub fn reveal_bytes(&self) -> usize {
        8 * self.elements
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn coding(&self) -> &Coding {
        &self.coding
    }

    pub(super) fn admitted(&self) -> u16 {
        self.admitted
    }

    pub(super) fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The elements of canaries and values, as whole `steps` within their bounds.
    pub(super) fn pack(&self, steps: &[i64]) -> Zeroizing<Vec<u64>> {
        let mut elements = Zeroizing::new(vec![0; self.elements]);
        for (place, &step) in places(&self.layout, self.admitted).zip(steps) {
            elements[place.element] |= ((step + place.most) as u64) << place.shift;
        }
        elements
    }

    /// The sums of the steps of `survivors` vectors, in order, beyond their bounds or not; none where bits are set that
    /// belong to no digit.
    pub(super) fn unpack(&self, elements: &[u64], survivors: u16) -> Option<Vec<i64>> {
        let mut rest = elements.to_vec();
        let sum = |place: Place| {
            let mask = ((1 << place.bits) - 1) << place.shift;
            let digit = (rest[place.element] & mask) >> place.shift;
            rest[place.element] &= !mask;
            digit as i64 - i64::from(survivors) * place.most
        };
        let sums = places(&self.layout, self.admitted).map(sum).collect();
        rest.iter().all(|&bits| bits == 0).then_some(sums)
    }
}

/// The places of all digits, in order.
fn places(layout: &Layout, admitted: u16) -> impl Iterator<Item = Place> {
    let values = layout.blocks().iter().flat_map(|block| repeat_n(block.largest_step(), block.len as usize));
    let (mut element, mut used) = (0, 0);
    repeat_n(LARGEST_CANARY, CANARIES.len()).chain(values).map(move |most| {
        let bits = digit_bits(most, admitted);
        if used + bits > ELEMENT_BITS {
            (element, used) = (element + 1, 0);
        }
        let shift = used;
        used += bits;
        Place { element, shift, bits, most }
    })
}

/// Bits of the largest sum of digits, 2 n v_max: at most 2^61, since a layout has at most 2^52 steps and n is at most 256.
fn digit_bits(most: i64, admitted: u16) -> u32 {
    u64::BITS - (2 * u64::from(admitted) * most.unsigned_abs()).leading_zeros()
}

/// v_max of the canaries.
const LARGEST_CANARY: i64 = 1;

/// Bits of an element that digits may take: then it is below p = 2^61 - 1.
const ELEMENT_BITS: u32 = 60;

/// As many elements as a key has in the largest cohort.
const MOST_ELEMENTS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::{LARGEST_COHORT, Packing};
    use crate::small::tests::plan;

    #[test]
    fn a_vector_is_small_up_to_as_many_elements_as_the_longest_key() {
        assert_eq!(MOST_ELEMENTS, Packing::for_cohort(LARGEST_COHORT).elements());
        // 10 participants, 1,000 steps: digits of 15 bits, four to an element; the canaries fill 20 bits of the first.
        let elements =
            |values| VectorShape::of(&plan(10, &[(values, 1_000.0)])).map(|shape| shape.elements());
        assert_eq!([elements(2), elements(3), elements(6), elements(7)], [1, 2, 2, 3].map(Some));
        assert_eq!([elements(2 + 511 * 4), elements(2 + 511 * 4 + 1)], [Some(512), None]);
        assert_eq!(elements(u32::MAX), None);
    }

    #[test]
    fn a_value_is_narrow_enough_up_to_a_base_of_2_to_the_60() {
        let of = |n, steps: u64| VectorShape::of(&plan(n, &[(1, steps as f64)]));
        assert!(of(256, 1 << 51).is_none(), "2 n v_max is 2^60");
        let widest = of(256, (1 << 51) - 1).unwrap();
        assert_eq!(widest.elements(), 2);
        assert!(of(64, 1 << 52).is_some());
    }

    #[test]
    fn sums_of_packed_vectors_neither_carry_nor_reach_p() {
        for n in [3, 5, 10, 100, 255, 256] {
            let blocks = [(7, 1.0), (5, 1_000.0), (3, 2_251_799_813_685_247.0), (30, 3.0)];
            let shape = VectorShape::of(&plan(n, &blocks)).unwrap();
            let largest: Vec<i64> = places(&shape.layout, n).map(|place| place.most).collect();
            let smallest: Vec<i64> = largest.iter().map(|most| -most).collect();
            for steps in [largest, smallest] {
                let sums =
                    shape.pack(&steps).iter().map(|&element| element * u64::from(n)).collect::<Vec<_>>();
                assert!(sums.iter().all(|&sum| sum < 1 << 60));
                let expected: Vec<i64> = steps.iter().map(|step| step * i64::from(n)).collect();
                assert_eq!(shape.unpack(&sums, n), Some(expected));
            }
        }
    }

    #[test]
    fn bits_that_belong_to_no_digit_are_noticed() {
        let shape = VectorShape::of(&plan(10, &[(3, 1_000.0)])).unwrap();
        let elements = shape.pack(&[1, 0, 0, 0, -1_000, 0, 1_000]);
        for (element, bit, none) in
            [(0, 49, false), (0, 50, true), (0, 60, true), (1, 14, false), (1, 15, true)]
        {
            let mut altered = elements.to_vec();
            altered[element] ^= 1 << bit;
            assert_eq!(shape.unpack(&altered, 1).is_none(), none, "bit {bit} of element {element}");
        }
    }
}
