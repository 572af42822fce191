//! Shares of one-time keys: Shamir, CACM 22(11), 1979, over F_p with p = 2^61 - 1.

use rand_core::CryptoRng;
use syndic_round::ParticipantId;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::field;
use crate::key::OneTimeKey;
use crate::packing::{LARGEST_COHORT, Packing};

/// A piece of a one-time key, any `threshold` of which restore it; fewer reveal nothing.
///
/// One element of F_p per packed group of key coefficients, in key order. Secret: it travels sealed, has no
/// `Debug` and no `Clone`, and is wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyShare {
    pub(crate) elements: Vec<u64>,
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

/// Eight bytes an element, little-endian.
pub(crate) fn to_bytes(elements: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 * elements.len());
    elements.iter().for_each(|element| bytes.extend_from_slice(&element.to_le_bytes()));
    bytes
}

/// The elements written as `bytes` in a cohort of `cohort` participants, checked.
pub(crate) fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Vec<u64>, MalformedShare> {
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
