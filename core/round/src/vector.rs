//! From a participant's values to integers that cannot overflow the sum, and from the sum back to values.
//!
//! `Contribution -> Clipped -> Quantised`, each by value, on the participant; [`Sum::decode`] on the
//! coordinator. The only rounding is in [`Clipped::quantise`]; everything after it is exact.

use alloc::vec::Vec;

use rand_core::Rng;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::layout::{Block, Layout};
use crate::parameters::{ParameterSet, RING_DIMENSION};

/// Slots in front of every vector whose sums are known beforehand: a one from each survivor, then zeros. A
/// wrong sum of keys turns them into noise.
pub const CANARIES: [i64; 4] = [1, 0, 0, 0];

/// How values become ring coefficients in one plan: derived from the parameter set and the number of
/// institutions admitted to the job, never chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    parameter_set: ParameterSet,
    admitted: u16,
}

/// What a participant's half of a program answers: one value for each entry of the layout.
///
/// Private to the institution: it has no `Debug`, and is wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Contribution {
    #[zeroize(skip)]
    layout: Layout,
    values: Vec<f64>,
}

/// A contribution within the bounds that the plan declares.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Clipped {
    #[zeroize(skip)]
    layout: Layout,
    values: Vec<f64>,
    clamped: u32,
}

/// Ring coefficients: canaries, then each value as one limb or several, then zeros up to whole chunks.
///
/// Made for one [`Coding`], and carries it: limbs for one parameter set overflow or waste the sums of another.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Quantised {
    #[zeroize(skip)]
    coding: Coding,
    coefficients: Vec<i64>,
}

/// The sum over a survivor set, decoded and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    layout: Layout,
    survivors: u16,
    steps: Vec<i64>,
}

/// Why values are no contribution.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ContributionError {
    /// The program answered another number of values than its layout has.
    #[error("the program answered {found} values where its layout has {expected}")]
    Length {
        /// Values that the layout has.
        expected: usize,
        /// Values that the program answered.
        found: usize,
    },
    /// A value is not a finite number.
    #[error("value {position} of block `{block}` is not a finite number")]
    NotFinite {
        /// Block of the value.
        block: alloc::string::String,
        /// Position within the block.
        position: usize,
    },
}

/// Why an opened sum is discarded. It counts as opened all the same.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SumError {
    /// The number of coefficients is not that of the layout.
    #[error("the opened vector has {found} coefficients where the plan has {expected}")]
    Length {
        /// Coefficients that the layout needs.
        expected: usize,
        /// Coefficients that were opened.
        found: usize,
    },
    /// A canary differs: the sum of keys or an update is wrong.
    #[error("canary {0} is wrong, so the opened sum is not that of the survivors")]
    Canary(usize),
    /// A coefficient or value lies beyond what the survivors can have sent.
    #[error("a sum of block `{block}` is beyond its bound; declare a larger bound for it")]
    Overflow {
        /// Block of the value.
        block: alloc::string::String,
    },
    /// Padding that does not sum to zero.
    #[error("padding does not sum to zero")]
    Padding,
}

impl Coding {
    /// The coding of a job with `admitted` institutions under `parameter_set`.
    pub fn new(parameter_set: ParameterSet, admitted: u16) -> Self {
        Self { parameter_set, admitted }
    }

    /// The parameter set.
    pub fn parameter_set(&self) -> ParameterSet {
        self.parameter_set
    }

    /// Coefficients that `layout` needs before padding, canaries included.
    pub fn coefficients(&self, layout: &Layout) -> usize {
        let values: usize = layout.blocks().iter().map(|block| block.len as usize * self.limbs(block)).sum();
        CANARIES.len() + values
    }

    /// Coefficients that travel: [`Self::coefficients`] rounded up to whole chunks.
    pub fn padded(&self, layout: &Layout) -> usize {
        self.coefficients(layout).next_multiple_of(RING_DIMENSION)
    }

    /// Limbs of each value of `block`: as many as its bound needs, sign included.
    pub fn limbs(&self, block: &Block) -> usize {
        let mut limbs = 1;
        while block.largest_step().checked_shr(self.limb_bits() * limbs).unwrap_or(0) != 0 {
            limbs += 1;
        }
        limbs as usize
    }

    fn limb_bits(&self) -> u32 {
        self.parameter_set.limb_bits(self.admitted)
    }

    /// Low limbs are taken modulo 2^w, the last one keeps the sign.
    fn split(&self, step: i64, limbs: usize, out: &mut Vec<i64>) {
        let width = self.limb_bits();
        let mut rest = step;
        for _ in 1..limbs {
            out.push(rest & ((1 << width) - 1));
            rest >>= width;
        }
        out.push(rest);
    }

    /// `None` where a limb, or the value that they make up, is beyond what `survivors` can have sent.
    fn join(&self, limbs: &[i64], survivors: u16, largest_step: i64) -> Option<i64> {
        let width = self.limb_bits();
        let mut step: i128 = 0;
        for (position, &limb) in limbs.iter().enumerate().rev() {
            let signed = position + 1 == limbs.len();
            let most = i64::from(survivors) << width;
            if limb > most || limb < if signed { -most } else { 0 } {
                return None;
            }
            step = (step << width) + i128::from(limb);
        }
        let step = i64::try_from(step).ok()?;
        (step.unsigned_abs() <= u64::from(survivors) * largest_step.unsigned_abs()).then_some(step)
    }
}

impl Contribution {
    /// A contribution of `values` in the order of `layout`.
    ///
    /// # Errors
    /// When the number of values is not the layout's, or one is not finite.
    pub fn new(layout: Layout, values: Vec<f64>) -> Result<Self, ContributionError> {
        let contribution = Self { layout, values };
        let (expected, found) = (contribution.layout.len(), contribution.values.len());
        if expected != found {
            return Err(ContributionError::Length { expected, found });
        }
        let mut start = 0;
        for block in contribution.layout.blocks() {
            let values = &contribution.values[start..start + block.len as usize];
            if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                return Err(ContributionError::NotFinite { block: block.name.clone(), position });
            }
            start += values.len();
        }
        Ok(contribution)
    }

    /// The values, in the order of the layout.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Moves every value into its block's bound.
    pub fn clip(mut self) -> Clipped {
        let layout = self.layout.clone();
        let mut values = core::mem::take(&mut self.values);
        let mut clamped = 0;
        let mut rest = values.as_mut_slice();
        for block in layout.blocks() {
            let (these, others) = rest.split_at_mut(block.len as usize);
            for value in these {
                if value.abs() > block.bound {
                    *value = value.clamp(-block.bound, block.bound);
                    clamped += 1;
                }
            }
            rest = others;
        }
        Clipped { layout, values, clamped }
    }
}

impl Clipped {
    /// Values that the bounds changed.
    pub fn clamped(&self) -> u32 {
        self.clamped
    }

    /// Rounds each value to a whole number of steps, up or down with the probability that keeps its mean
    /// (whole numbers stay as they are), and splits wide ones into limbs.
    pub fn quantise(mut self, coding: &Coding, rng: &mut impl Rng) -> Quantised {
        let mut coefficients = Vec::with_capacity(coding.padded(&self.layout));
        coefficients.extend(CANARIES);
        let mut start = 0;
        for block in self.layout.blocks() {
            let (limbs, most) = (coding.limbs(block), block.largest_step());
            for &value in &self.values[start..start + block.len as usize] {
                let step = round_stochastically(value / block.resolution, rng).clamp(-most, most);
                coding.split(step, limbs, &mut coefficients);
            }
            start += block.len as usize;
        }
        coefficients.resize(coding.padded(&self.layout), 0);
        self.values.zeroize();
        Quantised { coding: *coding, coefficients }
    }
}

impl Quantised {
    /// The coding that they were made for.
    pub fn coding(&self) -> &Coding {
        &self.coding
    }

    /// The coefficients, whole chunks of [`RING_DIMENSION`].
    pub fn coefficients(&self) -> &[i64] {
        &self.coefficients
    }
}

impl Sum {
    /// Checks canaries, bounds and padding of an opened vector, and puts limbs together.
    ///
    /// # Errors
    /// [`SumError`]; the vector must then be discarded.
    pub fn decode(
        layout: Layout,
        coding: &Coding,
        survivors: u16,
        coefficients: &[i64],
    ) -> Result<Self, SumError> {
        let (expected, found) = (coding.padded(&layout), coefficients.len());
        if expected != found {
            return Err(SumError::Length { expected, found });
        }
        let canary_is_wrong = |&k: &usize| coefficients[k] != CANARIES[k] * i64::from(survivors);
        if let Some(position) = (0..CANARIES.len()).find(canary_is_wrong) {
            return Err(SumError::Canary(position));
        }
        let mut steps = Vec::with_capacity(layout.len());
        let mut rest = &coefficients[CANARIES.len()..];
        for block in layout.blocks() {
            let limbs = coding.limbs(block);
            let (these, others) = rest.split_at(limbs * block.len as usize);
            for value in these.chunks_exact(limbs) {
                let step = coding
                    .join(value, survivors, block.largest_step())
                    .ok_or_else(|| SumError::Overflow { block: block.name.clone() })?;
                steps.push(step);
            }
            rest = others;
        }
        if rest.iter().any(|&padding| padding != 0) {
            return Err(SumError::Padding);
        }
        Ok(Self { layout, survivors, steps })
    }

    /// How many participants the sum is over.
    pub fn survivors(&self) -> u16 {
        self.survivors
    }

    /// The layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The exact integer sums, in steps of each block's resolution.
    pub fn steps(&self) -> &[i64] {
        &self.steps
    }

    /// The sums of the values of the block with this name; none where the layout has no such block.
    pub fn values(&self, block: &str) -> Option<Vec<f64>> {
        let resolution = self.layout.blocks().iter().find(|candidate| candidate.name == block)?.resolution;
        let steps = &self.steps[self.layout.range(block)?];
        Some(steps.iter().map(|&step| step as f64 * resolution).collect())
    }

    /// The integers as bytes (little-endian i64), for a content-addressed blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        let survivors = u64::from(self.survivors).to_le_bytes();
        let steps = self.steps.iter().flat_map(|step| step.to_le_bytes());
        survivors.into_iter().chain(steps).collect()
    }

    /// The sum whose [`Self::to_bytes`] these are; none where they do not fit `layout`.
    pub fn from_bytes(layout: Layout, bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.chunks_exact(8).map(|word| word.try_into().map(i64::from_le_bytes));
        let survivors = u16::try_from(words.next()?.ok()?).ok()?;
        let steps = words.collect::<Result<Vec<_>, _>>().ok()?;
        (bytes.len().is_multiple_of(8) && steps.len() == layout.len()).then_some(Self {
            layout,
            survivors,
            steps,
        })
    }
}

/// One of the two whole numbers around `x`, the nearer one the likelier, so that the mean is `x`.
fn round_stochastically(x: f64, rng: &mut impl Rng) -> i64 {
    let floor = libm::floor(x);
    let fraction = x - floor;
    if fraction == 0.0 {
        return floor as i64;
    }
    let uniform = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    floor as i64 + i64::from(uniform < fraction)
}
