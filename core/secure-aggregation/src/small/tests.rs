//! What dealers and holders of small vectors can and cannot do, from the inside.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::message::CHECKS;
use syndic_round::{
    Block, Contribution, Deadlines, Digest, JobId, Layout, ParameterSet, ParticipantId, PreparationTerms,
    Protection, RoundId, RoundPlan,
};

use super::{SmallVector, VectorShape, VectorShare, VectorShareSum};
use crate::field::{self, P};
use crate::key::OneTimeKey;
use crate::sharing::{KeyShare, MalformedShare, Polynomials, ShareError, SharingContext, combined};
use crate::verification::BadShare;

/// A plan for `n` participants and blocks of (values, bound), each in steps of 1.
pub(super) fn plan(n: u16, blocks: &[(u32, f64)]) -> RoundPlan {
    let block = |(k, &(len, bound)): (usize, &(u32, f64))| {
        let name = format!("block-{k}");
        Block { name, len, bound, resolution: 1.0 }
    };
    RoundPlan {
        terms: PreparationTerms {
            federation: "test".into(),
            roster: Digest::of(b"roster"),
            job: JobId::new("sum").unwrap(),
            agreement: Digest::of(b"agreement"),
            number: 1,
            protection: Protection::default_for(ParameterSet::S32, n).unwrap(),
            admitted: ids(n),
            deadlines: Deadlines { advertise: 1, share: 1, collect: 1, certify: 1, reveal: 1 },
        },
        id: RoundId { round: 1, attempt: 1 },
        question: Digest::of(b"question"),
        layout: Layout::new(blocks.iter().enumerate().map(block).collect()).unwrap(),
        carrier: Default::default(),
    }
}

/// Ids with gaps, since ids are never reused.
pub(super) fn ids(n: u16) -> Vec<ParticipantId> {
    (0..n).map(|k| ParticipantId::new(3 * k + 2).unwrap()).collect()
}

fn context(cohort: &[ParticipantId]) -> SharingContext<'_> {
    SharingContext { dealer: cohort[1], h1: Digest::of(b"h1"), cohort, threshold: 4 }
}

fn shape(blocks: &[(u32, f64)]) -> VectorShape {
    VectorShape::of(&plan(5, blocks)).unwrap()
}

fn vector(blocks: &[(u32, f64)], values: &[f64], rng: &mut ChaCha20Rng) -> SmallVector {
    let contribution = Contribution::new(plan(5, blocks).layout, values.to_vec()).unwrap();
    SmallVector::encode(&shape(blocks), contribution.clip(), rng)
}

#[test]
fn every_share_of_an_honest_dealer_is_good_after_a_trip_over_the_wire() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(1));
    let blocks = [(3, 1e6), (40, 10.0)];
    let sharing = vector(&blocks, &[5.0; 43], &mut rng).share(&context(&cohort), &mut rng).unwrap();
    for (holder, share) in &sharing.shares {
        let bytes = share.to_bytes();
        assert_eq!(bytes.len(), shape(&blocks).share_bytes());
        let share = VectorShare::from_bytes(&bytes, &shape(&blocks)).unwrap();
        assert_eq!(share.verify(*holder, &sharing.public, &context(&cohort)), Ok(()));
    }
}

#[test]
fn a16_a_vectors_share_off_its_dealers_polynomials_is_bad_for_its_holder_and_no_other() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(2));
    let context = context(&cohort);
    let polynomials = Polynomials::draw(&vector(&[(9, 1e9)], &[7.0; 9], &mut rng).elements, 4, &mut rng);
    let mut shares: Vec<(_, VectorShare)> =
        cohort.iter().map(|&id| (id, polynomials.share_of(id, &mut rng))).collect();
    // The dealer commits to a share that it altered, and is honest in all else.
    shares[3].1.values[1] ^= 1;
    let public = polynomials.publish(&context, &shares);
    for (k, (holder, share)) in shares.iter().enumerate() {
        let expected = if k == 3 { Err(BadShare::Polynomial) } else { Ok(()) };
        assert_eq!(share.verify(*holder, &public, &context), expected, "holder {holder}");
    }
}

#[test]
fn a16_a_vector_shared_with_too_high_a_degree_is_bad_for_every_holder() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(3));
    let context = context(&cohort);
    let polynomials = Polynomials::draw(&vector(&[(9, 1e9)], &[7.0; 9], &mut rng).elements, 5, &mut rng);
    let shares: Vec<(_, VectorShare)> =
        cohort.iter().map(|&id| (id, polynomials.share_of(id, &mut rng))).collect();
    let mut public = polynomials.publish(&context, &shares);
    public.checks.iter_mut().for_each(|check| check.truncate(4));
    for (holder, share) in &shares {
        assert_eq!(share.verify(*holder, &public, &context), Err(BadShare::Polynomial));
    }
}

#[test]
fn a35_what_is_summed_of_a_vector_for_a_reveal_holds_no_blinding_value() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(4));
    let blocks = [(9, 1e9)];
    let sharing = vector(&blocks, &[7.0; 9], &mut rng).share(&context(&cohort), &mut rng).unwrap();
    let (share, shape) = (&sharing.shares[0].1, shape(&blocks));
    assert_eq!((share.elements().len(), share.values.len()), (shape.elements(), shape.elements() + CHECKS));
    assert_eq!(shape.reveal_bytes(), 8 * share.elements().len());
}

/// A key whose shares are as long as a vector's: what a dealer says of the one is not taken for the other.
#[test]
fn a_share_of_a_key_is_none_of_a_vector_nor_the_other_way_round() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(5));
    // Digits of 20 bits: the canaries and the first two values in one element, three in each of the others.
    let blocks = [(2 + 341 * 3 - 1, 100_000.0)];
    let shape = shape(&blocks);
    assert_eq!(shape.elements(), 342);
    let key = OneTimeKey::generate(&mut rng).share(&context(&cohort), &mut rng).unwrap();
    for (holder, share) in &key.shares {
        let as_vector = VectorShare::from_bytes(&share.to_bytes(), &shape).unwrap();
        let verified = as_vector.verify(*holder, &key.public, &context(&cohort));
        assert_eq!(verified, Err(BadShare::Commitment));
    }
    let values = vec![1.0; shape.layout().len()];
    let vector = vector(&blocks, &values, &mut rng).share(&context(&cohort), &mut rng).unwrap();
    for (holder, share) in &vector.shares {
        let as_key = KeyShare::from_bytes(&share.to_bytes(), 5).unwrap();
        let verified = as_key.verify(*holder, &vector.public, &context(&cohort));
        assert_eq!(verified, Err(BadShare::Commitment));
    }
}

/// Exactly, for every vector of a small layout: t - 1 shares and all that the dealer published fit each of them equally
/// often. Adding to the elements' polynomials a multiple of the one that is zero at the t - 1 holders and one at zero, and
/// taking from the blinding polynomials what that adds to the checks, leads from any draw for one vector to a draw for the
/// other of the same probability, and back; the other holders' commitments hide their shares behind salts.
#[test]
fn t_minus_1_shares_and_the_public_part_fit_every_vector_equally_well() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(6));
    let context = context(&cohort);
    let blocks = [(2, 1.0), (1, 100.0)];
    let polynomials = Polynomials::draw(&vector(&blocks, &[1.0, 0.0, 42.0], &mut rng).elements, 4, &mut rng);
    let shares: Vec<(_, VectorShare)> =
        cohort.iter().map(|&id| (id, polynomials.share_of(id, &mut rng))).collect();
    let public = polynomials.publish(&context, &shares);
    let challenges = crate::verification::challenges::<super::OfVector>(&context, &public.commitments);
    let colluders = &shares[1..4];
    let mut through_zero = vec![1];
    for (id, _) in colluders {
        // Times 1 - x / id.
        let minus_inverse = field::sub(0, field::inverse(u64::from(id.get())));
        through_zero.push(0);
        for k in (1..through_zero.len()).rev() {
            through_zero[k] = field::add(through_zero[k], field::mul(through_zero[k - 1], minus_inverse));
        }
    }

    let all = (-1..=1).flat_map(|a| (-1..=1).flat_map(move |b| (-100..=100).map(move |c| [a, b, c])));
    for values in all {
        let other = shape(&blocks).pack(&[1, 0, 0, 0, values[0], values[1], values[2]]);
        let mut alternative = Polynomials { rows: polynomials.rows.clone() };
        for (row, &weight) in alternative.rows.iter_mut().zip(&through_zero) {
            let added: Vec<u64> = other
                .iter()
                .zip(&*polynomials.rows[0])
                .map(|(&to, &from)| field::mul(field::sub(to, from), weight))
                .chain([0; CHECKS])
                .collect();
            for (k, value) in row[other.len()..].iter_mut().enumerate() {
                *value = field::sub(*value, combined(&added, k, challenges[k]));
            }
            row.iter_mut().zip(&added).for_each(|(value, &added)| *value = field::add(*value, added));
        }
        assert!(alternative.rows[0][..other.len()] == other[..], "it shares the other vector");
        for (id, share) in colluders {
            let seen: VectorShare = alternative.share_of(*id, &mut rng);
            assert!(seen.values == share.values, "{values:?} fits the shares");
        }
        for (k, check) in public.checks.iter().enumerate() {
            let published = alternative.rows.iter().map(|row| combined(row, k, challenges[k]));
            assert!(published.eq(check.iter().copied()), "{values:?} fits the checks");
        }
    }
}

#[test]
fn shares_and_sums_of_another_shape_or_with_elements_that_are_not_canonical_are_refused() {
    let (cohort, mut rng) = (ids(5), ChaCha20Rng::seed_from_u64(7));
    let (small, larger) = ([(4, 1e9)], [(5, 1e9)]);
    assert_eq!((shape(&small).elements(), shape(&larger).elements()), (4, 5));
    let sharing = vector(&small, &[0.0; 4], &mut rng).share(&context(&cohort), &mut rng).unwrap();
    let bytes = sharing.shares[0].1.to_bytes();
    let read = |bytes: &[u8], blocks| VectorShare::from_bytes(bytes, &shape(blocks)).err();
    assert_eq!(read(&bytes, &small), None);
    let expected = shape(&larger).share_bytes();
    assert_eq!(read(&bytes, &larger), Some(MalformedShare::Length { expected, found: bytes.len() }));
    assert!(matches!(read(&bytes[1..], &small), Some(MalformedShare::Length { .. })));
    let mut altered = bytes.to_vec();
    altered[16..24].copy_from_slice(&P.to_le_bytes());
    assert_eq!(read(&altered, &small), Some(MalformedShare::NotCanonical(2)));

    let read = |bytes: &[u8], blocks| VectorShareSum::from_bytes(bytes, &shape(blocks)).err();
    assert_eq!(read(&[0; 32], &small), None);
    for malformed in [&[0; 31][..], &[0; 40], &[], &[0; 24]] {
        assert!(matches!(read(malformed, &small), Some(MalformedShare::Length { .. })));
    }
    assert_eq!(read(&altered[..32], &small), Some(MalformedShare::NotCanonical(2)));
}

#[test]
fn a_vector_is_not_shared_among_more_than_it_was_encoded_for() {
    let (cohort, mut rng) = (ids(6), ChaCha20Rng::seed_from_u64(8));
    let vector = vector(&[(1, 1.0)], &[0.0], &mut rng);
    assert_eq!(vector.share(&context(&cohort), &mut rng).err(), Some(ShareError::Cohort));
}
