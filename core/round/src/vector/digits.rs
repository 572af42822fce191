//! Small vectors, which are shared themselves: which are small, and where in the shared elements their values stand.

use core::iter::repeat_n;

use super::coding::CANARIES;
use crate::layout::Layout;

/// Where the digit of one canary or value stands, among elements of F_p, p = 2^61 - 1.
///
/// A value of at most v_max steps either way becomes a digit of its own, as wide as the largest sum of n of them,
/// 2 n v_max, n being the admitted institutions: so sums of digits do not carry, whatever the cohort. An element takes
/// digits from its lowest bit up as long as they fit into 60 bits, so the sum of n elements is below p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// The element, from 0.
    pub element: usize,
    /// Its lowest bit.
    pub shift: u32,
    /// Its width.
    pub bits: u32,
    /// v_max: what is added to the steps, so that the digit is never negative.
    pub most: i64,
}

impl Digit {
    /// The digits of canaries and values, in order.
    pub fn all(layout: &Layout, admitted: u16) -> impl Iterator<Item = Self> {
        let values = layout.blocks().iter();
        let values = values.flat_map(|block| repeat_n(block.largest_step(), block.len as usize));
        let (mut element, mut used) = (0, 0);
        repeat_n(LARGEST_CANARY, CANARIES.len()).chain(values).map(move |most| {
            let bits = digit_bits(most, admitted);
            if used + bits > ELEMENT_BITS {
                (element, used) = (element + 1, 0);
            }
            let shift = used;
            used += bits;
            Self { element, shift, bits, most }
        })
    }
}

/// Elements that a vector of this layout takes among `admitted` institutions; none where it is not small: where it needs
/// more than 512 elements, as many as the longest key, or a value needs a digit of more than 60 bits.
pub fn small_vector_elements(layout: &Layout, admitted: u16) -> Option<usize> {
    let is_too_wide = |most: i64| digit_bits(most, admitted) > ELEMENT_BITS;
    if layout.blocks().iter().any(|block| is_too_wide(block.largest_step())) {
        return None;
    }
    let mut elements = 0;
    for digit in Digit::all(layout, admitted) {
        elements = digit.element + 1;
        if elements > MOST_ELEMENTS {
            return None;
        }
    }
    Some(elements)
}

/// Bits of the largest sum of digits, 2 n v_max: at most 2^61, since a layout has at most 2^52 steps and n is at most 256.
fn digit_bits(most: i64, admitted: u16) -> u32 {
    u64::BITS - (2 * u64::from(admitted) * most.unsigned_abs()).leading_zeros()
}

/// v_max of the canaries.
const LARGEST_CANARY: i64 = 1;

/// Bits of an element that digits may take: then it is below p.
const ELEMENT_BITS: u32 = 60;

/// As many elements as a key has in the largest cohort.
pub const MOST_ELEMENTS: usize = 512;
