//! Decoders of key shares, sealed shares and encrypted updates.

use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::message::PublicPart;
use syndic_round::{Digest, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{
    Aggregate, EncryptedUpdate, KemPublic, KemSecret, KeyShare, KeyShareSum, OneTimeKey, SealContext,
    Sharing, SharingContext, chunk_bytes, merkle,
};

use crate::bounded::bounded;
use crate::federation::id;
use crate::script::{choosing, chosen};

/// A key of an honest dealer, shared among five.
struct Dealt {
    cohort: Vec<ParticipantId>,
    public: PublicPart,
    shares: Vec<(ParticipantId, Vec<u8>)>,
}

static DEALT: LazyLock<Dealt> = LazyLock::new(|| {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let cohort: Vec<_> = (1..=5).map(id).collect();
    let Sharing { public, shares } =
        OneTimeKey::generate(&mut rng).share(&context(&cohort), &mut rng).expect("terms that are allowed");
    Dealt {
        public,
        shares: shares.iter().map(|(id, share)| (*id, share.to_bytes().to_vec())).collect(),
        cohort,
    }
});

fn context(cohort: &[ParticipantId]) -> SharingContext<'_> {
    SharingContext { dealer: id(2), h1: Digest::of(b"h1"), cohort, threshold: 4 }
}

/// A share of a cohort whose size the first byte says, or a sum of shares.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    let cohort = [5, 3, 9, 33, 256, 0, usize::MAX][usize::from(choice >> 1) % 7];
    if choice & 1 == 1 {
        if let Ok(sum) = bounded(bytes.len(), || KeyShareSum::from_bytes(bytes, cohort)) {
            assert_eq!(sum.to_bytes(), bytes, "a sum of shares has two encodings");
            canonical(bytes);
        }
    } else if let Ok(share) = bounded(bytes.len(), || KeyShare::from_bytes(bytes, cohort)) {
        assert_eq!(*share.to_bytes(), *bytes, "a share has two encodings");
        canonical(&bytes[..bytes.len() - SALT]);
        for (holder, honest) in &DEALT.shares {
            let good = share.verify(*holder, &DEALT.public, &context(&DEALT.cohort)).is_ok();
            assert_eq!(good, honest == bytes, "only the dealer's share is the dealer's share");
        }
    }
}

/// Elements of F_p below p, so that each has one spelling.
fn canonical(elements: &[u8]) {
    assert!(elements.as_chunks().0.iter().all(|element| u64::from_le_bytes(*element) < P), "not below p");
}

const P: u64 = (1 << 61) - 1;

/// Bytes of a share's salt.
const SALT: usize = 32;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let share = &DEALT.shares[0].1;
    // Without the blinding values and the salt a share is as long as a sum of shares.
    let sum = &share[..share.len() - 2 * 8 - SALT];
    let not_below_p = [&sum[8..], &P.to_le_bytes()].concat();
    vec![choosing(0, share), choosing(0, &DEALT.shares[4].1), choosing(1, sum), choosing(1, not_below_p)]
}

/// A KEM key, or a sealed share.
pub(super) fn kem(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    if choice & 1 == 1 {
        if let Ok(key) = bounded(bytes.len(), || KemPublic::from_bytes(bytes)) {
            assert_eq!(key.to_bytes(), bytes, "a KEM key has two encodings");
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            let _ = key.seal(b"share", &seal_context(), &mut rng);
        }
    } else if let Ok(opened) = bounded(bytes.len(), || secret().open(bytes, &seal_context())) {
        assert_eq!(opened.as_slice(), SEALED, "only what was sealed opens");
    }
}

pub(super) fn kem_seeds() -> Vec<Vec<u8>> {
    let public = secret().public();
    let sealed = public.seal(SEALED, &seal_context(), &mut ChaCha20Rng::seed_from_u64(4));
    vec![choosing(1, public.to_bytes()), choosing(0, sealed)]
}

fn secret() -> KemSecret {
    KemSecret::generate(&mut ChaCha20Rng::seed_from_u64(2))
}

fn seal_context() -> SealContext {
    SealContext { sender: id(1), recipient: id(2), h1: Digest::of(b"h1") }
}

const SEALED: &[u8] = b"a share";

/// An upload, folded into an aggregate of one chunk.
pub(super) fn update(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    let set = ParameterSet::ALL[usize::from(choice) % ParameterSet::ALL.len()];
    let owned = bytes.to_vec();
    let Ok(update) = bounded(bytes.len(), || EncryptedUpdate::from_bytes(set, owned)) else {
        assert!(bytes.is_empty() || !bytes.len().is_multiple_of(chunk_bytes(set)));
        return;
    };
    assert_eq!(update.bytes(), bytes);
    let leaves: Vec<_> = bytes.chunks(chunk_bytes(set)).map(merkle::leaf).collect();
    assert_eq!(update.chunk_count(), leaves.len());
    assert_eq!(update.root(), merkle::root(&leaves));
    assert_eq!(update.chunk(leaves.len()), None);
    let mut aggregate = Aggregate::new(set, 1);
    let before = aggregate.clone();
    match aggregate.fold(id(1), bytes) {
        Ok(()) => assert_eq!(aggregate.bytes(), bytes, "zero plus an update is the update"),
        Err(_) => assert_eq!(aggregate, before, "a refusal changes nothing"),
    }
}

pub(super) fn update_seeds() -> Vec<Vec<u8>> {
    let sets = (0..).zip(ParameterSet::ALL);
    sets.map(|(choice, set)| choosing(choice, vec![0x5a; chunk_bytes(set)])).collect()
}
