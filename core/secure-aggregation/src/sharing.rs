//! Shares of one-time keys and small vectors: Shamir, CACM 22(11), 1979, over F_p with p = 2^61 - 1.
//!
//! A dealer also commits to every share and publishes two random combinations of its polynomials, so that each
//! holder can tell that all shares lie on polynomials of one degree (module `verification`).

use std::marker::PhantomData;

use rand_core::CryptoRng;
use syndic_round::message::{CHECKS, PublicPart};
use syndic_round::{Digest, ParticipantId};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::field;
use crate::key::OneTimeKey;
use crate::packing::{LARGEST_COHORT, Packing};
use crate::subject::{OfKey, Subject};
use crate::verification::{challenges, commitment};

/// Whose key or small vector is shared, among whom and in which preparation.
#[derive(Clone, Copy, Debug)]
pub struct SharingContext<'a> {
    /// Whose key or vector it is.
    pub dealer: ParticipantId,
    /// The cohort's transcript hash.
    pub h1: Digest,
    /// The holders: ids strictly increasing, the dealer included.
    pub cohort: &'a [ParticipantId],
    /// How many shares restore it.
    pub threshold: u16,
}

/// The shares of a key or of a small vector, and what their dealer says about them in public.
pub struct Sharing<S: Subject = OfKey> {
    /// Commitments and check polynomials: the same for everybody.
    pub public: PublicPart,
    /// Who gets which share, in the order of ids.
    pub shares: Vec<(ParticipantId, Share<S>)>,
}

/// A piece of a key or of a small vector, any `threshold` of which restore it; fewer reveal nothing.
///
/// One element of F_p per packed group of key coefficients or values, in their order; then the values of two blinding
/// polynomials, and the salt of the commitment. Secret: it travels sealed, has no `Debug` and no `Clone`, and is
/// wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
#[zeroize(bound = "")]
pub struct Share<S: Subject> {
    /// The blinding values come last; they are never revealed, nor part of what is (rule 12): a
    /// [`crate::ShareSum`] is made of [`Self::elements`] alone.
    pub(crate) values: Vec<u64>,
    pub(crate) salt: [u8; SALT_BYTES],
    #[zeroize(skip)]
    of: PhantomData<S>,
}

/// A share of a one-time key.
pub type KeyShare = Share<OfKey>;

/// Why a key or a small vector is not shared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    /// The threshold is below 2, which would hand it out, or above the cohort.
    #[error("shares need a threshold from 2 to the size of the cohort, not {threshold} of {cohort}")]
    Threshold {
        /// The threshold asked for.
        threshold: u16,
        /// Participants in the cohort.
        cohort: usize,
    },
    /// The cohort is not in strictly increasing order of ids, or has more than 256 members, or more than there are
    /// institutions in the plan that a small vector was encoded for.
    #[error("a cohort is at most 256 distinct participants, all admitted, in the order of their ids")]
    Cohort,
}

/// Bytes that are no share.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MalformedShare {
    /// The length is not that of a share in a cohort of this size, or of a vector of this shape.
    #[error("a share has {expected} bytes here, not {found}")]
    Length {
        /// Bytes of every share.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// An element is not below 2^61 - 1.
    #[error("element {0} is not below 2^61 - 1")]
    NotCanonical(usize),
}

impl OneTimeKey {
    /// Shares the key among the cohort, so that `threshold` shares restore it.
    ///
    /// # Errors
    /// [`ShareError`] when the threshold or the cohort is out of range.
    pub fn share(
        &self,
        context: &SharingContext<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Sharing, ShareError> {
        share(&Packing::for_cohort(context.cohort.len()).pack(self), context, rng)
    }
}

/// Shares `elements` among the cohort, so that `threshold` shares restore them.
///
/// # Errors
/// [`ShareError`] when the threshold or the cohort is out of range.
pub(crate) fn share<S: Subject>(
    elements: &[u64],
    context: &SharingContext<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Sharing<S>, ShareError> {
    let SharingContext { cohort, threshold, .. } = *context;
    if cohort.len() > LARGEST_COHORT || !cohort.is_sorted_by(|a, b| a < b) {
        return Err(ShareError::Cohort);
    }
    if threshold < 2 || usize::from(threshold) > cohort.len() {
        return Err(ShareError::Threshold { threshold, cohort: cohort.len() });
    }
    let polynomials = Polynomials::draw(elements, threshold, rng);
    let shares: Vec<_> = cohort.iter().map(|&id| (id, polynomials.share_of(id, rng))).collect();
    Ok(Sharing { public: polynomials.publish(context, &shares), shares })
}

/// The polynomials of one sharing: `rows[m]` holds the coefficients of x^m of all of them, those of the
/// elements first and then the blinding ones.
pub(crate) struct Polynomials {
    pub(crate) rows: Vec<Zeroizing<Vec<u64>>>,
}

impl Polynomials {
    /// Of degree below `threshold`, with `elements` at zero; all else is drawn.
    pub(crate) fn draw(elements: &[u64], threshold: u16, rng: &mut impl CryptoRng) -> Self {
        let width = elements.len() + CHECKS;
        let mut constant = Zeroizing::new(Vec::with_capacity(width));
        constant.extend_from_slice(elements);
        constant.extend_from_slice(&uniform(CHECKS, rng));
        let rows = std::iter::once(constant).chain((1..threshold).map(|_| uniform(width, rng))).collect();
        Self { rows }
    }

    /// The polynomials' values at `id`, with a salt of their own.
    pub(crate) fn share_of<S: Subject>(&self, id: ParticipantId, rng: &mut impl CryptoRng) -> Share<S> {
        let x = u64::from(id.get());
        let mut values = Zeroizing::new(vec![0; self.rows[0].len()]);
        for row in self.rows.iter().rev() {
            for (value, &coefficient) in values.iter_mut().zip(row.iter()) {
                *value = field::add(field::mul(*value, x), coefficient);
            }
        }
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let share = Share { values: std::mem::take(&mut *values), salt, of: PhantomData };
        salt.zeroize();
        share
    }

    /// Commits to `shares`, then publishes for the challenges that follow from the commitments a check polynomial
    /// each: a blinding polynomial, and on it the elements' polynomials weighted by the powers of the challenge.
    pub(crate) fn publish<S: Subject>(
        &self,
        context: &SharingContext<'_>,
        shares: &[(ParticipantId, Share<S>)],
    ) -> PublicPart {
        let commitments: Vec<_> = shares.iter().map(|(id, share)| commitment(context, *id, share)).collect();
        let challenges = challenges::<S>(context, &commitments);
        let check = |k| self.rows.iter().map(|row| combined(row, k, challenges[k])).collect();
        PublicPart { commitments, checks: std::array::from_fn(check) }
    }
}

/// The weighted sum of `values`, of which the last [`CHECKS`] are the blinding ones.
pub(crate) fn combined(values: &[u64], k: usize, challenge: u64) -> u64 {
    let (elements, blinding) = values.split_at(values.len() - CHECKS);
    // Horner from the last element, so that element l (from 1) is weighted by the l-th power.
    let weighted =
        elements.iter().rev().fold(0, |sum, &element| field::mul(field::add(sum, element), challenge));
    field::add(weighted, blinding[k])
}

impl<S: Subject> Share<S> {
    /// The elements, without the blinding ones.
    pub(crate) fn elements(&self) -> &[u64] {
        &self.values[..self.values.len() - CHECKS]
    }

    /// Eight bytes a value, little-endian, then the salt. Wiped on drop; to be sealed for the recipient.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * self.values.len() + SALT_BYTES));
        self.values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    /// The share of `elements` elements written as `bytes`.
    pub(crate) fn read(bytes: &[u8], elements: usize) -> Result<Self, MalformedShare> {
        let values = elements + CHECKS;
        let expected = share_bytes(elements);
        match bytes.split_last_chunk() {
            Some((rest, salt)) if bytes.len() == expected => {
                Ok(Self { values: from_bytes(rest, values)?, salt: *salt, of: PhantomData })
            }
            _ => Err(MalformedShare::Length { expected, found: bytes.len() }),
        }
    }
}

impl KeyShare {
    /// The share written as `bytes` in a cohort of `cohort` participants.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], cohort: usize) -> Result<Self, MalformedShare> {
        Self::read(bytes, Packing::for_cohort(cohort).elements())
    }
}

/// Bytes of a share of so many elements.
pub(crate) const fn share_bytes(elements: usize) -> usize {
    8 * (elements + CHECKS) + SALT_BYTES
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
    elements.iter().flat_map(|element| element.to_le_bytes()).collect()
}

/// The `count` elements written as `bytes`, checked.
pub(crate) fn from_bytes(bytes: &[u8], count: usize) -> Result<Vec<u64>, MalformedShare> {
    let (expected, found) = (8 * count, bytes.len());
    if expected != found {
        return Err(MalformedShare::Length { expected, found });
    }
    let mut elements = Zeroizing::new(Vec::with_capacity(count));
    elements.extend(bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)));
    match elements.iter().position(|&element| element >= field::P) {
        Some(position) => Err(MalformedShare::NotCanonical(position)),
        None => Ok(std::mem::take(&mut *elements)),
    }
}

/// Bytes of the salt that hides a share behind its commitment.
const SALT_BYTES: usize = 32;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{KemSecret, SealContext};
    use crate::verification::BadShare;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn cohort() -> Vec<ParticipantId> {
        [2, 5, 8, 11, 14].map(|number| ParticipantId::new(number).unwrap()).into()
    }

    fn context(cohort: &[ParticipantId]) -> SharingContext<'_> {
        SharingContext { dealer: cohort[1], h1: Digest::of(b"h1"), cohort, threshold: 4 }
    }

    fn polynomials(threshold: u16, rng: &mut ChaCha20Rng) -> Polynomials {
        let key = OneTimeKey::generate(rng);
        Polynomials::draw(&Packing::for_cohort(5).pack(&key), threshold, rng)
    }

    #[test]
    fn the_longest_share_fits_sealed_into_what_a_bundle_takes() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let me = ParticipantId::new(1).unwrap();
        // Of as many elements as a key in the largest cohort has, and a small vector at most.
        let elements = Packing::for_cohort(256).pack(&OneTimeKey::generate(&mut rng));
        assert_eq!(elements.len(), syndic_round::vector::MOST_ELEMENTS);
        let share: KeyShare = Polynomials::draw(&elements, 2, &mut rng).share_of(me, &mut rng);
        let context = SealContext { sender: me, recipient: me, h1: Digest::of(b"h1") };
        let sealed = KemSecret::generate(&mut rng).public().seal(&share.to_bytes(), &context, &mut rng);
        assert_eq!(sealed.len(), 5_280);
        assert!(sealed.len() <= syndic_round::coordinator::Bundle::LARGEST_SEALED);
    }

    #[test]
    fn a16_a_share_off_its_dealers_polynomials_is_bad_for_its_holder_and_no_other() {
        let (cohort, mut rng) = (cohort(), ChaCha20Rng::seed_from_u64(3));
        let (context, polynomials) = (context(&cohort), polynomials(4, &mut rng));
        let mut shares: Vec<(_, KeyShare)> =
            cohort.iter().map(|&id| (id, polynomials.share_of(id, &mut rng))).collect();
        // The dealer commits to a share that it altered, and is honest in all else.
        shares[3].1.values[7] ^= 1;
        let public = polynomials.publish(&context, &shares);
        for (k, (holder, share)) in shares.iter().enumerate() {
            let expected = if k == 3 { Err(BadShare::Polynomial) } else { Ok(()) };
            assert_eq!(share.verify(*holder, &public, &context), expected, "holder {holder}");
        }
    }

    #[test]
    fn a16_shares_of_too_high_a_degree_are_bad_for_every_holder() {
        let (cohort, mut rng) = (cohort(), ChaCha20Rng::seed_from_u64(4));
        let (context, polynomials) = (context(&cohort), polynomials(5, &mut rng));
        let shares: Vec<(_, KeyShare)> =
            cohort.iter().map(|&id| (id, polynomials.share_of(id, &mut rng))).collect();
        let mut public = polynomials.publish(&context, &shares);
        public.checks.iter_mut().for_each(|check| check.truncate(4));
        for (holder, share) in &shares {
            assert_eq!(share.verify(*holder, &public, &context), Err(BadShare::Polynomial));
        }
    }

    #[test]
    fn a35_what_is_summed_for_a_reveal_holds_no_blinding_value() {
        let (cohort, mut rng) = (cohort(), ChaCha20Rng::seed_from_u64(5));
        let sharing = OneTimeKey::generate(&mut rng).share(&context(&cohort), &mut rng).unwrap();
        let share = &sharing.shares[0].1;
        assert_eq!(share.elements().len(), Packing::for_cohort(5).elements());
        assert_eq!(share.values.len(), share.elements().len() + CHECKS);
    }

    #[test]
    fn shares_of_another_length_or_with_elements_that_are_not_canonical_are_refused() {
        let (cohort, mut rng) = (cohort(), ChaCha20Rng::seed_from_u64(6));
        let sharing = OneTimeKey::generate(&mut rng).share(&context(&cohort), &mut rng).unwrap();
        let bytes = sharing.shares[0].1.to_bytes();
        assert_eq!(bytes.len(), 8 * 344 + 32);
        assert!(matches!(KeyShare::from_bytes(&bytes[1..], 5), Err(MalformedShare::Length { .. })));
        assert!(matches!(KeyShare::from_bytes(&bytes, 9), Err(MalformedShare::Length { .. })));
        let mut altered = bytes.to_vec();
        altered[16..24].copy_from_slice(&field::P.to_le_bytes());
        assert_eq!(KeyShare::from_bytes(&altered, 5).err(), Some(MalformedShare::NotCanonical(2)));
    }
}
