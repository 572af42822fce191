//! The plain engine: identity in the place of encryption, for runs that are about everything else.
//!
//! An update travels as its coefficients modulo 2^p, in the bytes that a ciphertext would have; a share is the digest of
//! whom it is from and for; a reveal is the digest of the set that it is for.

use syndic_round::coordinator::Opening;
use syndic_round::message::{CHECKS, PublicPart};
use syndic_round::vector::SumError;
use syndic_round::{
    Cohort, Digest, ParameterSet, ParticipantId, PreparationTerms, Quantised, RoundPlan, Sum,
};
use syndic_secure_aggregation::{Aggregate, EncryptedUpdate, ReconstructError, UnmaskError, Unopened};

use crate::engine::Dealt;

/// Shares and a public part of the lengths that the messages ask for.
pub(crate) fn deal(terms: &PreparationTerms, cohort: &Cohort, dealer: ParticipantId) -> Dealt {
    let shares: Vec<_> = cohort.ids().iter().map(|to| (*to, share(cohort, dealer, *to))).collect();
    let commitments = shares.iter().map(|(_, share)| Digest::of(share)).collect();
    let check = vec![0; usize::from(terms.protection.threshold())];
    (PublicPart { commitments, checks: [(); CHECKS].map(|()| check.clone()) }, shares)
}

/// Whether `bytes` is the share from `dealer` for `holder`.
pub(crate) fn is_share(cohort: &Cohort, dealer: ParticipantId, holder: ParticipantId, bytes: &[u8]) -> bool {
    share(cohort, dealer, holder) == bytes
}

/// What is revealed for a survivor set.
pub(crate) fn reveal(survivors: Digest) -> Vec<u8> {
    survivors.as_bytes().to_vec()
}

/// The coefficients modulo 2^p, little-endian, in whole chunks.
pub(crate) fn encode(update: &Quantised) -> EncryptedUpdate {
    let set = update.coding().parameter_set();
    let coefficients = update.coefficients();
    let bytes = match set {
        ParameterSet::S24 => low_bytes::<3>(coefficients),
        ParameterSet::S32 => low_bytes::<4>(coefficients),
        ParameterSet::S40 => low_bytes::<5>(coefficients),
    };
    EncryptedUpdate::from_bytes(set, bytes).expect("quantised updates are whole chunks")
}

/// As [`encode`], but for the first canary: what a key that was not shared does to all of a sum.
pub(crate) fn encode_wrongly(update: &Quantised) -> EncryptedUpdate {
    let right = encode(update);
    let set = right.parameter_set();
    let mut bytes = right.into_bytes();
    bytes[0] ^= 1;
    EncryptedUpdate::from_bytes(set, bytes).expect("the length is the same")
}

/// The sum, judged as `syndic_secure_aggregation::open` judges it, and whose reveals were wrong.
pub(crate) fn open(
    plan: &RoundPlan,
    opening: &Opening,
    aggregate: &Aggregate,
) -> Result<(Sum, Vec<ParticipantId>), Unopened> {
    let survivors = opening.certificate().survivors();
    let expected = reveal(survivors.digest());
    let wrong: Vec<_> = opening.reveals().filter(|(_, bytes)| *bytes != expected).map(|(id, _)| id).collect();
    let surplus = opening.reveals().len() - usize::from(plan.terms.protection.threshold());
    if wrong.len() > surplus / 2 {
        let error = if surplus == 0 { ReconstructError::Implausible } else { ReconstructError::Inconsistent };
        return Err(Unopened::MoreReveals(error.to_string()));
    }
    let coefficients = decode(aggregate.bytes(), aggregate.parameter_set());
    let sum = Sum::decode(plan.layout.clone(), &plan.coding(), survivors.len() as u16, &coefficients);
    match sum {
        Ok(sum) => Ok((sum, wrong)),
        // The canary stands for what a key that was not shared leaves of a sum.
        Err(SumError::Canary(_)) if surplus == 0 || !wrong.is_empty() => {
            Err(Unopened::MoreReveals(UnmaskError::Residual.to_string()))
        }
        Err(SumError::Canary(_)) => Err(Unopened::Refused(UnmaskError::Residual.to_string())),
        Err(error) => Err(Unopened::Refused(error.to_string())),
    }
}

fn decode(bytes: &[u8], set: ParameterSet) -> Vec<i64> {
    match set {
        ParameterSet::S24 => signed::<3>(bytes),
        ParameterSet::S32 => signed::<4>(bytes),
        ParameterSet::S40 => signed::<5>(bytes),
    }
}

// Of a width that the compiler knows, so that measurements beside this engine do not flatter encryption.
fn low_bytes<const WIDTH: usize>(coefficients: &[i64]) -> Vec<u8> {
    let mut bytes = vec![0; WIDTH * coefficients.len()];
    for (bytes, coefficient) in bytes.as_chunks_mut::<WIDTH>().0.iter_mut().zip(coefficients) {
        bytes.copy_from_slice(&coefficient.to_le_bytes()[..WIDTH]);
    }
    bytes
}

fn signed<const WIDTH: usize>(bytes: &[u8]) -> Vec<i64> {
    let coefficient = |bytes: &[u8; WIDTH]| {
        let mut wide = [0; 8];
        wide[8 - WIDTH..].copy_from_slice(bytes);
        i64::from_le_bytes(wide) >> (64 - 8 * WIDTH)
    };
    bytes.as_chunks().0.iter().map(coefficient).collect()
}

fn share(cohort: &Cohort, dealer: ParticipantId, holder: ParticipantId) -> Vec<u8> {
    let ids = [dealer, holder].map(|id| id.get().to_be_bytes());
    Digest::of_parts("plain share", &[cohort.h1().as_bytes(), ids.as_flattened()]).0.to_vec()
}
