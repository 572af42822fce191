//! How values become ring coefficients: canaries in front, limbs for wide values, padding behind.

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

    /// Limb `position` of the `limbs` of `step`: low limbs are taken modulo 2^w, the last one keeps the sign.
    pub(super) fn limb(&self, step: i64, position: usize, limbs: usize) -> i64 {
        let width = self.limb_bits();
        let rest = step >> (width * position as u32);
        if position + 1 == limbs { rest } else { rest & ((1 << width) - 1) }
    }

    /// `None` where a limb, or the value that they make up, is beyond what `survivors` can have sent.
    pub(super) fn join(&self, limbs: &[i64], survivors: u16, largest_step: i64) -> Option<i64> {
        let width = self.limb_bits();
        let most = i64::from(survivors) << width;
        let mut step: i128 = 0;
        for (position, &limb) in limbs.iter().enumerate().rev() {
            let signed = position + 1 == limbs.len();
            if limb > most || limb < if signed { -most } else { 0 } {
                return None;
            }
            step = (step << width) + i128::from(limb);
        }
        let step = i64::try_from(step).ok()?;
        (step.unsigned_abs() <= self.most(survivors, largest_step)).then_some(step)
    }

    /// The largest absolute sum that `survivors` can have sent.
    pub(super) fn most(&self, survivors: u16, largest_step: i64) -> u64 {
        u64::from(survivors) * largest_step.unsigned_abs()
    }
}
