//! From the aggregate and the sum of keys to the sum of updates.

use rayon::prelude::*;
use syndic_round::{RING_DIMENSION, SurvivorSet};
use thiserror::Error;

use crate::aggregate::Aggregate;
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
}

/// Takes the sum of keys off the aggregate: the signed coefficients of the sum of the updates, for
/// `syndic_round::Sum::decode`, which checks canaries and bounds.
///
/// D_j = 2^(64 - p) C_j - a_j S, rounded by Delta = 2^(64 - mu).
///
/// # Errors
/// [`UnmaskError`] when aggregate or keys are not those of `survivors`.
pub fn unmask(
    aggregate: Aggregate,
    survivors: &SurvivorSet,
    key_sum: &KeySum,
    masks: &Masks,
) -> Result<Vec<i64>, UnmaskError> {
    if !aggregate.folded().eq(survivors.ids().iter().copied()) {
        return Err(UnmaskError::Survivors);
    }
    if key_sum.survivors() != survivors.ids() {
        return Err(UnmaskError::Keys);
    }
    let set = aggregate.parameter_set();
    let scale = 64 - set.sum_bits();
    let minus_s = key_sum.coefficients().map(|s| -s);
    let multiplier = KeySumMultiplier::new(&minus_s, &mut Workspace::new());
    let mut sum = vec![0; aggregate.chunk_count() * RING_DIMENSION];
    sum.par_chunks_mut(RING_DIMENSION)
        .zip(aggregate.bytes().par_chunks(wire::chunk_bytes(set)))
        .enumerate()
        .for_each_init(
            || (Workspace::new(), Box::new([0; RING_DIMENSION]), Box::new([0; RING_DIMENSION])),
            |(workspace, mask, opened), (index, (sum, chunk))| {
                wire::read(chunk, &mut **opened, set);
                masks.fill(index, mask);
                multiplier.add_product(mask, opened, workspace);
                for (sum, opened) in sum.iter_mut().zip(opened.iter()) {
                    *sum = opened.wrapping_add(1 << (scale - 1)) as i64 >> scale;
                }
            },
        );
    Ok(sum)
}

impl UnmaskError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Survivors => "unmask.survivors",
            Self::Keys => "unmask.keys",
        }
    }
}
