//! What survivors reveal, and the sum of keys that enough reveals restore.

use std::collections::BTreeMap;

use syndic_round::{Certificate, ParticipantId, RING_DIMENSION, SurvivorSet};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::field;
use crate::packing::Packing;
use crate::sharing::{self, KeyShare, MalformedShare};

/// What a survivor reveals: the sum of its shares of the keys of one survivor set.
///
/// Reveals for two different sets give a participant's share away, so a participant makes one, ever.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct KeyShareSum {
    elements: Vec<u64>,
}

/// The sum S of the survivors' keys. Public once it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySum {
    survivors: Vec<ParticipantId>,
    coefficients: Box<[i32; RING_DIMENSION]>,
}

/// Why there is nothing to reveal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no share of participant {0} is held, so nothing can be revealed for a survivor set with it")]
pub struct ShareMissing(pub ParticipantId);

/// Why reveals restore no sum of keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReconstructError {
    /// Fewer reveals than the threshold.
    #[error("{found} reveals are fewer than the threshold of {threshold}")]
    TooFew {
        /// Reveals needed.
        threshold: u16,
        /// Reveals at hand.
        found: usize,
    },
    /// Two reveals of one participant.
    #[error("participant {0} has revealed twice")]
    Duplicate(ParticipantId),
    /// A reveal has another number of elements than the cohort's shares.
    #[error("the reveal of participant {0} has a wrong length")]
    Length(ParticipantId),
    /// More reveals than the threshold, and they do not lie on one polynomial.
    #[error("the reveals contradict each other, so at least one of them is wrong")]
    Inconsistent,
    /// What the reveals restore is no sum of this many keys.
    #[error("the reveals restore no sum of keys, so at least one of them or of the shares is wrong")]
    Implausible,
}

impl KeyShareSum {
    /// The sum of the shares held of the keys of exactly the certified survivors.
    ///
    /// # Errors
    /// [`ShareMissing`] when a survivor's share is not held.
    pub fn of(
        held: &BTreeMap<ParticipantId, KeyShare>,
        certificate: &Certificate,
    ) -> Result<Self, ShareMissing> {
        let length = held.values().next().map_or(0, |share| share.elements.len());
        let mut sum = Self { elements: vec![0; length] };
        for id in certificate.survivors().ids() {
            let share =
                held.get(id).filter(|share| share.elements.len() == length).ok_or(ShareMissing(*id))?;
            for (sum, &element) in sum.elements.iter_mut().zip(&share.elements) {
                *sum = field::add(*sum, element);
            }
        }
        Ok(sum)
    }

    /// Eight bytes an element, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        sharing::to_bytes(&self.elements)
    }

    /// The sum written as `bytes` in a cohort of `cohort` participants.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Self, MalformedShare> {
        Ok(Self { elements: sharing::from_bytes(bytes, cohort)? })
    }
}

/// Restores the sum of the keys of `survivors` from what at least `threshold` members of a cohort of `cohort`
/// participants revealed.
///
/// With more reveals than the threshold, all must agree. One wrong reveal among exactly `threshold` cannot be
/// told here except by an implausible sum; it turns every unmasked coefficient into noise, which the canaries
/// show.
///
/// # Errors
/// [`ReconstructError`].
pub fn reconstruct(
    reveals: &[(ParticipantId, KeyShareSum)],
    threshold: u16,
    cohort: usize,
    survivors: &SurvivorSet,
) -> Result<KeySum, ReconstructError> {
    let packing = Packing::for_cohort(cohort);
    let by_id = check(reveals, threshold, &packing)?;
    let points: Vec<u64> = by_id.keys().map(|id| u64::from(id.get())).collect();
    let rows: Vec<&[u64]> = by_id.into_values().collect();
    let (base_points, extra_points) = points.split_at(threshold.into());
    let (base_rows, extra_rows) = rows.split_at(threshold.into());
    for (&point, &row) in extra_points.iter().zip(extra_rows) {
        if interpolate(point, base_points, base_rows) != row {
            return Err(ReconstructError::Inconsistent);
        }
    }
    let coefficients = packing
        .unpack(&interpolate(0, base_points, base_rows), survivors.len())
        .ok_or(ReconstructError::Implausible)?;
    Ok(KeySum { survivors: survivors.ids().to_vec(), coefficients })
}

impl KeySum {
    /// Whose keys add up to it, in the order of ids.
    pub fn survivors(&self) -> &[ParticipantId] {
        &self.survivors
    }

    /// The coefficients of S, lowest power of X first.
    pub fn coefficients(&self) -> &[i32; RING_DIMENSION] {
        &self.coefficients
    }
}

/// Reveals by id, each of the cohort's length, at least `threshold` of them, none twice.
fn check<'a>(
    reveals: &'a [(ParticipantId, KeyShareSum)],
    threshold: u16,
    packing: &Packing,
) -> Result<BTreeMap<ParticipantId, &'a [u64]>, ReconstructError> {
    let mut by_id = BTreeMap::new();
    for (id, reveal) in reveals {
        if reveal.elements.len() != packing.elements() {
            return Err(ReconstructError::Length(*id));
        }
        if by_id.insert(*id, reveal.elements.as_slice()).is_some() {
            return Err(ReconstructError::Duplicate(*id));
        }
    }
    let found = by_id.len();
    if threshold == 0 || found < threshold.into() {
        return Err(ReconstructError::TooFew { threshold, found });
    }
    Ok(by_id)
}

/// The values at `target` of the polynomials whose values at `points` are `rows`.
fn interpolate(target: u64, points: &[u64], rows: &[&[u64]]) -> Vec<u64> {
    let mut values = vec![0; rows[0].len()];
    for (weight, row) in field::weights_at(target, points).into_iter().zip(rows) {
        for (value, &element) in values.iter_mut().zip(*row) {
            *value = field::add(*value, field::mul(weight, element));
        }
    }
    values
}

impl ShareMissing {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "reveal.share-missing"
    }
}

impl ReconstructError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFew { .. } => "reveals.too-few",
            Self::Duplicate(_) => "reveals.duplicate",
            Self::Length(_) => "reveals.length",
            Self::Inconsistent => "reveals.inconsistent",
            Self::Implausible => "reveals.implausible",
        }
    }
}
