//! From the aggregate and the sum of keys to the sum of updates.

use rayon::prelude::*;
use syndic_round::{ParameterSet, RING_DIMENSION, SurvivorSet};
use thiserror::Error;

use crate::aggregate::Aggregate;
use crate::encrypt::BATCH;
use crate::masks::Masks;
use crate::product::{KeySumMultiplier, Workspace};
use crate::reveal::KeySum;
use crate::wire;

/// Why an aggregate is not unmasked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnmaskError {
    /// The aggregate is not the sum of exactly the survivors' updates.
    #[error("the aggregate is not that of the survivor set")]
    Survivors,
    /// The sum of keys was restored for another set.
    #[error("the sum of keys is not that of the survivor set")]
    Keys,
    /// What is left beside the sums is not the survivors' errors: S is not the sum of the keys that encrypted.
    #[error("the sum does not open: what is left beside it is not the survivors' noise")]
    Residual,
}

/// Takes the sum of keys off the aggregate: the signed coefficients of the sum of the updates, for
/// `syndic_round::Sum::decode`, which checks canaries and bounds. Eight bytes a coefficient; [`crate::Opener`] does both
/// without holding them.
///
/// D_j = 2^(64 - p) C_j - a_j S, rounded by Delta = 2^(64 - mu). What the rounding takes off is the survivors' errors and
/// truncations, whose size is known: a wrong S leaves uniform noise instead, and is refused.
///
/// # Errors
/// [`UnmaskError`] when aggregate or keys are not those of `survivors`, or do not belong together.
pub fn unmask(
    aggregate: &Aggregate,
    survivors: &SurvivorSet,
    key_sum: &KeySum,
    masks: &Masks,
) -> Result<Vec<i64>, UnmaskError> {
    let unmasker = Unmasker::new(survivors, key_sum)?;
    let mut sum = Vec::with_capacity(aggregate.chunk_count() * RING_DIMENSION);
    unmasker.unmask(aggregate, survivors, masks, |coefficients| {
        sum.extend_from_slice(coefficients);
        Ok(())
    })?;
    Ok(sum)
}

/// A sum of keys at work.
pub(crate) struct Unmasker {
    multiplier: KeySumMultiplier,
    /// Mean square of what rounding may take off a chunk, in units of the last bit sent.
    most_noise: f64,
}

impl Unmasker {
    /// # Errors
    /// [`UnmaskError::Keys`] when the keys are not those of `survivors`.
    pub(crate) fn new(survivors: &SurvivorSet, key_sum: &KeySum) -> Result<Self, UnmaskError> {
        if key_sum.survivors() != survivors.ids() {
            return Err(UnmaskError::Keys);
        }
        let minus_s = key_sum.coefficients().map(|s| -s);
        let multiplier = KeySumMultiplier::new(&minus_s, &mut Workspace::new());
        Ok(Self { multiplier, most_noise: LARGEST_NOISE * NOISE_VARIANCE * survivors.len() as f64 })
    }

    /// Hands the coefficients of the sum to `sink`, in order, some chunks at a time.
    ///
    /// # Errors
    /// [`UnmaskError::Survivors`], [`UnmaskError::Residual`], or what `sink` said.
    pub(crate) fn unmask<E: From<UnmaskError>>(
        &self,
        aggregate: &Aggregate,
        survivors: &SurvivorSet,
        masks: &Masks,
        mut sink: impl FnMut(&[i64]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !aggregate.folded().eq(survivors.ids().iter().copied()) {
            return Err(UnmaskError::Survivors.into());
        }
        let set = aggregate.parameter_set();
        let chunk_bytes = wire::chunk_bytes(set);
        let mut sum = vec![0; BATCH.min(aggregate.chunk_count()) * RING_DIMENSION];
        for (batch, bytes) in aggregate.bytes().chunks(BATCH * chunk_bytes).enumerate() {
            let first = aggregate.first_chunk() + batch * BATCH;
            let sum = &mut sum[..bytes.len() / chunk_bytes * RING_DIMENSION];
            let is_clean = sum
                .par_chunks_mut(RING_DIMENSION)
                .zip(bytes.par_chunks(chunk_bytes))
                .enumerate()
                .map_init(
                    || (Workspace::new(), Box::new([0; RING_DIMENSION]), Box::new([0; RING_DIMENSION])),
                    |(workspace, mask, opened), (position, (sum, chunk))| {
                        wire::read(chunk, &mut **opened, set);
                        masks.fill(first + position, mask);
                        self.multiplier.add_product(mask, opened, workspace);
                        round(opened, sum, set) <= self.most_noise
                    },
                )
                .all(|is_clean| is_clean);
            if !is_clean {
                return Err(UnmaskError::Residual.into());
            }
            sink(sum)?;
        }
        Ok(())
    }
}

/// Rounds `opened` to multiples of Delta. Returns the mean square of what that takes off, in units of the last bit sent.
fn round(opened: &[u64; RING_DIMENSION], sum: &mut [i64], set: ParameterSet) -> f64 {
    let scale = 64 - set.sum_bits();
    let half = 1 << (scale - 1);
    let mut squares = 0.0;
    for (sum, &opened) in sum.iter_mut().zip(opened) {
        let raised = opened.wrapping_add(half);
        *sum = raised as i64 >> scale;
        let residual = (raised & ((1 << scale) - 1)) as i64 - half as i64;
        squares += (residual as f64).powi(2);
    }
    let unit = (1_u64 << (64 - set.sent_bits())) as f64;
    squares / (unit * unit * RING_DIMENSION as f64)
}

/// Variance of one participant's noise in units of the last bit sent: a Gaussian error of a quarter of the unit, and the
/// rounding to whole units.
const NOISE_VARIANCE: f64 = 1.0 / 16.0 + 1.0 / 12.0;

/// How many times the expected variance a chunk's noise may have. Twice is 32 standard deviations of the estimate from
/// 2,048 coefficients, and less than a fifteenth of what a wrong S leaves in the largest cohort of any parameter set.
const LARGEST_NOISE: f64 = 2.0;

impl UnmaskError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Survivors => "unmask.survivors",
            Self::Keys => "unmask.keys",
            Self::Residual => "unmask.residual",
        }
    }
}
