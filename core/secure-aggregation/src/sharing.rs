//! Shares of one-time keys, and the sum of keys that enough of them restore.
//!
//! Shamir, CACM 22(11), 1979, over F_p with p = 2^61 - 1, several key coefficients to an element.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use syndic_round::{KEY_BOUND, ParticipantId, RING_DIMENSION};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::field;
use crate::key::{LARGEST_NORM_SQUARED, OneTimeKey};

/// A piece of a one-time key, any `threshold` of which restore it; fewer reveal nothing.
///
/// One element of F_p per packed group of key coefficients, in key order. Secret: it travels sealed, has no
/// `Debug` and no `Clone`, and is wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyShare {
    elements: Vec<u64>,
}

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

/// Why a key is not shared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    /// The threshold is below 2, which would hand the key out, or above the cohort.
    #[error("a key is shared with a threshold from 2 to the size of the cohort, not {threshold} of {cohort}")]
    Threshold {
        /// The threshold asked for.
        threshold: u16,
        /// Participants in the cohort.
        cohort: usize,
    },
    /// The cohort is not in strictly increasing order of ids, or has more than 256 members.
    #[error("a cohort is at most 256 distinct participants in the order of their ids")]
    Cohort,
}

/// Bytes that are no share.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MalformedShare {
    /// The length is not that of a share in a cohort of this size.
    #[error("a share has {expected} bytes in this cohort, not {found}")]
    Length {
        /// Bytes of every share in the cohort.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// An element is not below 2^61 - 1.
    #[error("element {0} is not below 2^61 - 1")]
    NotCanonical(usize),
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

impl OneTimeKey {
    /// Shares the key among `cohort` (ids strictly increasing, the sharer included), so that `threshold`
    /// shares restore it.
    ///
    /// # Errors
    /// [`ShareError`] when the threshold or the cohort is out of range.
    pub fn share(
        &self,
        cohort: &[ParticipantId],
        threshold: u16,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<(ParticipantId, KeyShare)>, ShareError> {
        if cohort.len() > LARGEST_COHORT || !cohort.is_sorted_by(|a, b| a < b) {
            return Err(ShareError::Cohort);
        }
        if threshold < 2 || usize::from(threshold) > cohort.len() {
            return Err(ShareError::Threshold { threshold, cohort: cohort.len() });
        }
        let packing = Packing::for_cohort(cohort.len());
        let secret = packing.pack(self);
        // One polynomial per element: `random[k]` holds the coefficients of x^(k + 1) of all of them.
        let length = packing.elements();
        let random: Vec<_> = (1..threshold).map(|_| uniform(length, rng)).collect();
        let share_of = |&id: &ParticipantId| {
            let x = u64::from(id.get());
            let mut elements = vec![0; length];
            for coefficients in random.iter().rev().chain([&secret]) {
                for (element, &coefficient) in elements.iter_mut().zip(coefficients.iter()) {
                    *element = field::add(field::mul(*element, x), coefficient);
                }
            }
            (id, KeyShare { elements })
        };
        Ok(cohort.iter().map(share_of).collect())
    }
}

impl KeyShare {
    /// Eight bytes an element, little-endian. Wiped on drop; to be sealed for the recipient.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(to_bytes(&self.elements))
    }

    /// The share written as `bytes` in a cohort of `cohort` participants.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Self, MalformedShare> {
        Ok(Self { elements: from_bytes(bytes, cohort)? })
    }
}

impl KeyShareSum {
    /// The sum of the shares held of the keys of exactly `survivors`.
    ///
    /// # Errors
    /// [`ShareMissing`] when a survivor's share is not held.
    pub fn of(
        held: &BTreeMap<ParticipantId, KeyShare>,
        survivors: &[ParticipantId],
    ) -> Result<Self, ShareMissing> {
        let mut sum = Self { elements: Vec::new() };
        for id in survivors {
            let share = held.get(id).ok_or(ShareMissing(*id))?;
            sum.elements.resize(share.elements.len(), 0);
            for (sum, &element) in sum.elements.iter_mut().zip(&share.elements) {
                *sum = field::add(*sum, element);
            }
        }
        Ok(sum)
    }

    /// Eight bytes an element, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.elements)
    }

    /// The sum written as `bytes` in a cohort of `cohort` participants.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Self, MalformedShare> {
        Ok(Self { elements: from_bytes(bytes, cohort)? })
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
    survivors: &[ParticipantId],
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
    Ok(KeySum { survivors: survivors.to_vec(), coefficients })
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

/// Elements drawn uniformly from F_p, by rejection.
fn uniform(length: usize, rng: &mut impl CryptoRng) -> Zeroizing<Vec<u64>> {
    let mut draw = || {
        loop {
            let candidate = rng.next_u64() & field::P;
            if candidate != field::P {
                return candidate;
            }
        }
    };
    Zeroizing::new((0..length).map(|_| draw()).collect())
}

fn to_bytes(elements: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 * elements.len());
    elements.iter().for_each(|element| bytes.extend_from_slice(&element.to_le_bytes()));
    bytes
}

fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Vec<u64>, MalformedShare> {
    let (expected, found) = (8 * Packing::for_cohort(cohort).elements(), bytes.len());
    if expected != found {
        return Err(MalformedShare::Length { expected, found });
    }
    let mut elements = Zeroizing::new(Vec::with_capacity(found / 8));
    elements.extend(bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)));
    match elements.iter().position(|&element| element >= field::P) {
        Some(position) => Err(MalformedShare::NotCanonical(position)),
        None => Ok(std::mem::take(&mut *elements)),
    }
}

/// How key coefficients share an element: as digits s + 63 in a base that holds the sum over the cohort.
struct Packing {
    base_bits: u32,
    digits: usize,
}

/// The largest cohort of any parameter set, for which the product with a sum of keys is proven exact.
const LARGEST_COHORT: usize = 256;

impl Packing {
    /// The base is the next power of two above 126 n, so that no digit of the sum carries; at most
    /// floor(61 / log2 B) digits, which is never all 61 bits, so that the sum of packed elements stays below p.
    fn for_cohort(cohort: usize) -> Self {
        let base_bits = (2 * KEY_BOUND as usize * cohort + 1).next_power_of_two().trailing_zeros();
        Self { base_bits, digits: (61 / base_bits) as usize }
    }

    fn elements(&self) -> usize {
        RING_DIMENSION.div_ceil(self.digits)
    }

    fn pack(&self, key: &OneTimeKey) -> Zeroizing<Vec<u64>> {
        let digit = |&s: &i8| (i64::from(s) + KEY_BOUND) as u64;
        let pack = |group: &[i8]| group.iter().rev().fold(0, |packed, s| packed << self.base_bits | digit(s));
        Zeroizing::new(key.coefficients().chunks(self.digits).map(pack).collect())
    }

    /// The sum of `keys` keys; none where the elements cannot be that: a digit beyond 126 each, bits beyond the
    /// digits, or a sum longer than that many keys of the greatest length.
    fn unpack(&self, elements: &[u64], keys: usize) -> Option<Box<[i32; RING_DIMENSION]>> {
        let most = KEY_BOUND * keys as i64;
        let mut coefficients = Box::new([0; RING_DIMENSION]);
        let mut norm_squared = 0;
        for (group, &element) in coefficients.chunks_mut(self.digits).zip(elements) {
            let mut rest = element;
            for coefficient in group {
                let digit = rest & ((1 << self.base_bits) - 1);
                let s = digit as i64 - most;
                if s > most {
                    return None;
                }
                rest >>= self.base_bits;
                norm_squared += s * s;
                *coefficient = s as i32;
            }
            if rest != 0 {
                return None;
            }
        }
        (norm_squared <= LARGEST_NORM_SQUARED * (keys as i64).pow(2)).then_some(coefficients)
    }
}

impl ShareError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Threshold { .. } => "share.threshold",
            Self::Cohort => "share.cohort",
        }
    }
}

impl MalformedShare {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "share.length",
            Self::NotCanonical(_) => "share.not-canonical",
        }
    }
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
