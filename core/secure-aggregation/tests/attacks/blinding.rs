//! Why blinding shares are never revealed (rule 12).

use syndic_round::message::PublicPart;
use syndic_round::{Digest, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{KeyShare, KeyShareSum, OneTimeKey, SharingContext};

use crate::algebra::{P, accumulate, add, at_zero, elements, mul, point, sub, weights_at_zero};
use crate::federation::Federation;

/// A dealer's first challenge, as docs/protocol.md has it.
fn challenge(context: &SharingContext<'_>, public: &PublicPart) -> u64 {
    let commitments: Vec<u8> = public.commitments.iter().flat_map(|digest| *digest.as_bytes()).collect();
    let dealer = context.dealer.get().to_be_bytes();
    let parts = [context.h1.as_bytes().as_slice(), &dealer, &[1], &commitments];
    let digest = Digest::of_parts("KSA/1 vss challenge", &parts);
    let (high, _) = digest.as_bytes().split_first_chunk().unwrap();
    (u128::from_be_bytes(*high) % u128::from(P)) as u64
}

/// The elements weighted by the powers of a challenge.
fn weighted(elements: &[u64], challenge: u64) -> u64 {
    elements.iter().rev().fold(0, |sum, &element| mul(add(sum, element), challenge))
}

/// A35. Reveals that held the sums of the blinding values too would restore the sum R of two dealers' blinding constants,
/// and each dealer has published its blinding constant plus its elements weighted by powers of its own challenge. Taking
/// R and the weighted sum of keys off the two published constants leaves an exact equation on the elements of one dealer
/// alone, two with both check polynomials, which nobody should have.
#[test]
fn a35_revealed_blinding_sums_would_give_equations_on_single_keys() {
    let cohort = [3, 4, 8, 9].map(|number| ParticipantId::new(number).unwrap());
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(35);
    let context = |dealer| SharingContext { dealer, h1: Digest::of(b"h1"), cohort: &cohort, threshold: 3 };
    let contexts = [context(cohort[0]), context(cohort[1])];
    let sharings = contexts.map(|context| {
        let key = OneTimeKey::generate(&mut rng);
        key.share(&context, &mut rng).unwrap()
    });

    // Three members reveal all they hold of both dealers, blinding values included.
    let holders: Vec<u64> = cohort[..3].iter().map(|id| point(*id)).collect();
    let mut sums = vec![0; elements(&sharings[0].shares[0].1).len()];
    for (k, weight) in weights_at_zero(&holders).into_iter().enumerate() {
        sharings.iter().for_each(|sharing| accumulate(&mut sums, weight, &elements(&sharing.shares[k].1)));
    }
    let (key_sum, blinding_sums) = sums.split_at(sums.len() - 2);

    let challenges = [0, 1].map(|k| challenge(&contexts[k], &sharings[k].public));
    let published = add(sharings[0].public.checks[0][0], sharings[1].public.checks[0][0]);
    let keys_alone = sub(published, blinding_sums[0]);
    // Now w_1(first) + w_2(second) is known, and w_2(first) + w_2(second) from the sum of keys.
    let on_the_first = sub(keys_alone, weighted(key_sum, challenges[1]));

    let shares: Vec<(ParticipantId, &KeyShare)> =
        sharings[0].shares[..3].iter().map(|(id, share)| (*id, share)).collect();
    let truth = at_zero(&shares);
    let first = &truth[..truth.len() - 2];
    assert_eq!(on_the_first, sub(weighted(first, challenges[0]), weighted(first, challenges[1])));
}

/// A35. A coordinator that asks for more gets none: what a member reveals is the elements of the key alone, and a reveal
/// with room for blinding values is not one.
#[test]
fn a35_a_reveal_has_no_room_for_blinding_values() {
    let mut federation = Federation::new(ParameterSet::S32, 3, 10, 36);
    let ids = federation.ids();
    let zeros = ids.iter().map(|&id| (id, vec![0; 10])).collect();
    let updates = federation.encrypt(&zeros);
    let certificate = federation.certify(&federation.survivors(&updates, &ids));
    let held = &federation.held[&ids[0]];
    let revealed = KeyShareSum::of(held, &certificate).unwrap().to_bytes();
    let whole = elements(&held[&ids[0]]).len();
    assert_eq!(revealed.len(), 8 * (whole - 2));

    let mut sums = vec![0; whole];
    held.values().for_each(|share| accumulate(&mut sums, 1, &elements(share)));
    let with_blinding: Vec<u8> = sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    assert_eq!(with_blinding[..revealed.len()], revealed[..]);
    assert!(KeyShareSum::from_bytes(&with_blinding, 3).is_err());
}
