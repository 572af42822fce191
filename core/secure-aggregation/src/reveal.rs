//! What survivors reveal, and the sum that enough reveals restore.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use syndic_round::{Certificate, Digest, ParticipantId, RING_DIMENSION, SurvivorSet};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::correction;
use crate::field;
use crate::packing::Packing;
use crate::sharing::{self, MalformedShare, Share};
use crate::subject::{OfKey, Subject};

/// What a survivor reveals: the sum of its shares of the keys, or of the small vectors, of one survivor set.
///
/// Reveals for two different sets give a participant's share away, so a participant makes one, ever.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
#[zeroize(bound = "")]
pub struct ShareSum<S: Subject> {
    elements: Vec<u64>,
    #[zeroize(skip)]
    of: PhantomData<S>,
}

/// A sum of shares of keys.
pub type KeyShareSum = ShareSum<OfKey>;

/// The sum S of the survivors' keys. Public once it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySum {
    survivors: Vec<ParticipantId>,
    coefficients: Box<[i32; RING_DIMENSION]>,
}

/// What enough reveals restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// S.
    pub keys: KeySum,
    /// Whose reveals were wrong, and were corrected, in the order of ids.
    pub wrong: Vec<ParticipantId>,
}

/// Why there is nothing to reveal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no share of participant {0} is held, so nothing can be revealed for a survivor set with it")]
pub struct ShareMissing(pub ParticipantId);

/// Why reveals restore no sum.
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
    /// A reveal has another number of elements than the shares.
    #[error("the reveal of participant {0} has a wrong length")]
    Length(ParticipantId),
    /// More reveals than the threshold, and too many of them are off any one polynomial.
    #[error("the reveals contradict each other, and more of them are wrong than can be told")]
    Inconsistent,
    /// What the reveals restore is no sum of this many keys.
    #[error("the reveals restore no sum of keys, so at least one of them or of the shares is wrong")]
    Implausible,
}

impl<S: Subject> ShareSum<S> {
    /// The sum of the shares held of exactly the certified survivors.
    ///
    /// # Errors
    /// [`ShareMissing`] when a survivor's share is not held.
    pub fn of(
        held: &BTreeMap<ParticipantId, Share<S>>,
        certificate: &Certificate,
    ) -> Result<Self, ShareMissing> {
        let length = held.values().next().map_or(0, |share| share.elements().len());
        let mut sum = Self { elements: vec![0; length], of: PhantomData };
        for id in certificate.survivors().ids() {
            let share =
                held.get(id).filter(|share| share.elements().len() == length).ok_or(ShareMissing(*id))?;
            for (sum, &element) in sum.elements.iter_mut().zip(share.elements()) {
                *sum = field::add(*sum, element);
            }
        }
        Ok(sum)
    }

    /// Eight bytes an element, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        sharing::to_bytes(&self.elements)
    }

    /// The sum of `elements` elements written as `bytes`.
    pub(crate) fn read(bytes: &[u8], elements: usize) -> Result<Self, MalformedShare> {
        Ok(Self { elements: sharing::from_bytes(bytes, elements)?, of: PhantomData })
    }
}

impl KeyShareSum {
    /// The sum written as `bytes` in a cohort of `cohort` participants.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Self, MalformedShare> {
        Self::read(bytes, Packing::for_cohort(cohort).elements())
    }
}

/// Restores the sum of the keys of `survivors` from what at least `threshold` members of a cohort of `cohort`
/// participants revealed.
///
/// With more reveals than the threshold, as many wrong ones as half of the surplus are corrected and named. A wrong
/// reveal among exactly `threshold` cannot be told here except by an implausible sum; it turns every unmasked
/// coefficient into noise, which [`crate::unmask`] refuses.
///
/// # Errors
/// [`ReconstructError`].
pub fn reconstruct(
    reveals: &[(ParticipantId, KeyShareSum)],
    threshold: u16,
    cohort: usize,
    survivors: &SurvivorSet,
) -> Result<Restored, ReconstructError> {
    let packing = Packing::for_cohort(cohort);
    let (elements, wrong) = restore(reveals, threshold, packing.elements())?;
    let coefficients = packing.unpack(&elements, survivors.len()).ok_or(ReconstructError::Implausible)?;
    Ok(Restored { keys: KeySum { survivors: survivors.ids().to_vec(), coefficients }, wrong })
}

/// The sum of what was shared, as its `length` elements, and whose reveals were wrong and left out.
///
/// # Errors
/// [`ReconstructError`], but for [`ReconstructError::Implausible`].
pub(crate) fn restore<S: Subject>(
    reveals: &[(ParticipantId, ShareSum<S>)],
    threshold: u16,
    length: usize,
) -> Result<(Vec<u64>, Vec<ParticipantId>), ReconstructError> {
    let by_id = check(reveals, threshold, length)?;
    let terms = usize::from(threshold);
    let off = off_the_polynomials::<S>(&by_id, terms).ok_or(ReconstructError::Inconsistent)?;
    let good = by_id.iter().filter(|(id, _)| !off.contains(id));
    let (points, rows): (Vec<u64>, Vec<&[u64]>) = good.map(|(id, row)| (u64::from(id.get()), *row)).unzip();
    let (base_points, extra_points) = points.split_at(terms);
    let (base_rows, extra_rows) = rows.split_at(terms);
    for (&point, &row) in extra_points.iter().zip(extra_rows) {
        if interpolate(point, base_points, base_rows) != row {
            return Err(ReconstructError::Inconsistent);
        }
    }
    Ok((interpolate(0, base_points, base_rows), off))
}

/// Whose reveals are off the polynomials of the others; none where too many are.
///
/// One random combination of the elements is decoded in place of each: who is off in any element is off in it but with
/// probability L / p, below 2^-51, and then the caller's check of every element fails.
fn off_the_polynomials<S: Subject>(
    by_id: &BTreeMap<ParticipantId, &[u64]>,
    terms: usize,
) -> Option<Vec<ParticipantId>> {
    let rows: Vec<Vec<u8>> = by_id.values().map(|row| sharing::to_bytes(row)).collect();
    let parts: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    let challenge = field::from_digest(&Digest::of_parts(S::REVEALS, &parts));
    let combine = |row: &&[u64]| row.iter().fold(0, |sum, &e| field::mul(field::add(sum, e), challenge));
    let points: Vec<u64> = by_id.keys().map(|id| u64::from(id.get())).collect();
    let values: Vec<u64> = by_id.values().map(combine).collect();
    let wrong = correction::wrong_positions(&points, &values, terms)?;
    let ids: Vec<_> = by_id.keys().copied().collect();
    Some(wrong.into_iter().map(|position| ids[position]).collect())
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

    /// Two bytes a coefficient, little-endian: 256 keys of at most 63 stay below 2^15.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.coefficients.iter().flat_map(|&s| (s as i16).to_le_bytes()).collect()
    }
}

/// Reveals by id, each of `length` elements, at least `threshold` of them, none twice.
fn check<S: Subject>(
    reveals: &[(ParticipantId, ShareSum<S>)],
    threshold: u16,
    length: usize,
) -> Result<BTreeMap<ParticipantId, &[u64]>, ReconstructError> {
    let mut by_id = BTreeMap::new();
    for (id, reveal) in reveals {
        if reveal.elements.len() != length {
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
