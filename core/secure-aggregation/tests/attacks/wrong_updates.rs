//! Updates that are not what they should be: under another key, beyond their bounds, cut or padded, of another preparation.

use std::collections::BTreeMap;

use syndic_round::vector::SumError;
use syndic_round::{Block, Contribution, Layout, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{
    Aggregate, ChunkEvidence, ChunkProof, EncryptedUpdate, FoldError, KeyShare, KeyShareSum, OneTimeKey,
    ReconstructError, SealContext, SealError, SharingContext, SpotCheckError, UnmaskError, chunk_bytes,
    merkle, reconstruct, unmask,
};

use crate::algebra::{elements, messages, strip};
use crate::federation::Federation;

const SET: ParameterSet = ParameterSet::S32;

fn ones(federation: &Federation) -> BTreeMap<ParticipantId, Vec<i64>> {
    federation.ids().into_iter().map(|id| (id, vec![1; 10])).collect()
}

/// Folds all updates, and lets everybody reveal.
fn fold_and_reveal(
    federation: &Federation,
    updates: &BTreeMap<ParticipantId, EncryptedUpdate>,
) -> (Aggregate, syndic_round::SurvivorSet, Vec<(ParticipantId, KeyShareSum)>) {
    let ids = federation.ids();
    let survivors = federation.survivors(updates, &ids);
    let mut aggregate = federation.empty_aggregate();
    ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    (aggregate, survivors, reveals)
}

/// Checks that nothing comes of a round in which all reveals agree on a key that one participant did not encrypt with.
fn assert_refused(federation: &Federation, updates: &BTreeMap<ParticipantId, EncryptedUpdate>) {
    let (aggregate, survivors, reveals) = fold_and_reveal(federation, updates);
    let restored = reconstruct(&reveals, federation.threshold(), federation.ids().len(), &survivors).unwrap();
    assert!(restored.wrong.is_empty(), "no reveal is to blame");
    let refused = unmask(&aggregate, &survivors, &restored.keys, &federation.masks);
    assert_eq!(refused, Err(UnmaskError::Residual), "the residual check comes first");

    // Without it the canaries would tell.
    let key_sum = restored.keys.coefficients().map(i64::from);
    let by_hand = messages(&strip(aggregate.bytes(), &key_sum, &federation.masks));
    assert_eq!(federation.decode(&survivors, &by_hand), Err(SumError::Canary(0)));
}

/// A19. A participant shares one key, flawlessly, and encrypts under another, so that everybody's round is lost and it could
/// claim that the coordinator did it. All reveals agree; but what their S leaves of the aggregate is uniform, not the noise
/// of the survivors, so the residual check refuses it before a single sum is decoded, and nothing is published. The canaries
/// would refuse it too.
#[test]
fn a19_another_key_in_the_shares_than_in_the_upload_opens_nothing() {
    let mut federation = Federation::new(SET, 4, 10, 19);
    let cheat = federation.ids()[2];
    federation.keys.insert(cheat, OneTimeKey::generate(&mut federation.rng));
    let ones = ones(&federation);
    let updates = federation.encrypt(&ones);
    assert_refused(&federation, &updates);
}

/// A19. The smallest such difference, one in one coefficient, shared consistently by all its shares: multiplied by the masks
/// it is as uniform as any other.
#[test]
fn a19_a_key_that_is_off_by_one_in_one_coefficient_opens_nothing() {
    let mut federation = Federation::new(SET, 4, 10, 20);
    let (cheat, cohort) = (federation.ids()[2], federation.ids().len());
    for held in federation.held.values_mut() {
        let share = held.remove(&cheat).unwrap();
        held.insert(cheat, with_one_more(&share, cohort));
    }
    let ones = ones(&federation);
    let updates = federation.encrypt(&ones);
    assert_refused(&federation, &updates);
}

/// The share of a key whose first coefficient is greater by one.
fn with_one_more(share: &KeyShare, cohort: usize) -> KeyShare {
    let mut bytes = share.to_bytes().to_vec();
    let first = crate::algebra::add(elements(share)[0], 1);
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    KeyShare::from_bytes(&bytes, cohort).unwrap()
}

/// A20. A participant ignores the bound of a block, in order to move the sum further than one institution may. Its coefficients
/// decrypt like any others, but the sum is beyond what the survivors can have sent within their bounds, and is discarded.
/// (A value that is wrong within the bounds is no attack that encryption could see.)
#[test]
fn a20_a_sum_beyond_the_bounds_is_discarded() {
    let mut federation = Federation::new(SET, 3, 10, 21);
    let ids = federation.ids();
    let block = Block { name: "values".into(), len: 10, bound: 16_000.0, resolution: 1.0 };
    let beyond = Contribution::new(Layout::new(vec![block]).unwrap(), vec![3_001.0; 10]).unwrap();
    let quantised = beyond.clip().quantise(&federation.plan.coding(), &mut federation.rng);
    let key = federation.keys.remove(&ids[0]).unwrap();
    let wide = key.encrypt(quantised, &federation.masks, &mut federation.rng);
    let honest = ids[1..].iter().map(|&id| (id, vec![0; 10])).collect();
    let mut updates = federation.encrypt(&honest);
    updates.insert(ids[0], wide);

    let (aggregate, survivors, reveals) = fold_and_reveal(&federation, &updates);
    let keys = reconstruct(&reveals, 3, 3, &survivors).unwrap().keys;
    let opened = unmask(&aggregate, &survivors, &keys, &federation.masks).expect("the keys are right");
    let refused = federation.decode(&survivors, &opened);
    assert_eq!(refused, Err(SumError::Overflow { block: "values".into() }));
}

/// A26. Ciphertexts that are cut, extended or empty would shift everybody's sums or cost memory that nobody agreed to. They are
/// no updates, the aggregate takes none of them and stays as it was, and a chunk proves its place only whole.
#[test]
fn a26_cut_extra_and_oversize_chunks_and_wrong_leaves_are_refused() {
    let mut federation = Federation::new(SET, 3, 5_000, 26);
    let ids = federation.ids();
    let zeros = ids.iter().map(|&id| (id, vec![0; 5_000])).collect();
    let updates = federation.encrypt(&zeros);
    let whole = updates[&ids[0]].bytes();
    let chunk = chunk_bytes(SET);
    assert_eq!(whole.len(), 3 * chunk);

    let mut aggregate = federation.empty_aggregate();
    aggregate.fold(ids[1], updates[&ids[1]].bytes()).unwrap();
    let before = aggregate.clone();
    let extra = [whole, &whole[..chunk]].concat();
    let one_more = [whole, &[0]].concat();
    for wrong in [&whole[..0], &whole[1..], &whole[chunk..], &extra, &one_more] {
        let refused = aggregate.fold(ids[0], wrong);
        assert_eq!(refused, Err(FoldError::Length { expected: whole.len(), found: wrong.len() }));
        assert_eq!(aggregate, before);
        let is_whole_chunks = !wrong.is_empty() && wrong.len() % chunk == 0;
        assert_eq!(EncryptedUpdate::from_bytes(SET, wrong.to_vec()).is_ok(), is_whole_chunks);
    }

    let survivors = federation.survivors(&updates, &ids);
    let evidence = |change: fn(&mut ChunkProof)| {
        let proof = |bytes: &[u8]| {
            let leaves: Vec<_> = bytes.chunks_exact(chunk).map(merkle::leaf).collect();
            ChunkProof { chunk: bytes[chunk..2 * chunk].to_vec(), path: merkle::path(&leaves, 1).unwrap() }
        };
        let mut uploads: Vec<_> = updates.values().map(|update| proof(update.bytes())).collect();
        change(&mut uploads[2]);
        let evidence = ChunkEvidence { index: 1, uploads, aggregate: proof(before.bytes()) };
        evidence.check(SET, &survivors, before.root())
    };
    let wrong_leaf = Err(SpotCheckError::Upload { index: 1, participant: ids[2] });
    assert_eq!(evidence(|_| ()), Err(SpotCheckError::Sum(1)), "each leaf is right, the sum is of one only");
    assert_eq!(evidence(|proof| proof.chunk.truncate(8_191)), wrong_leaf);
    assert_eq!(evidence(|proof| proof.chunk.push(0)), wrong_leaf);
    assert_eq!(evidence(|proof| proof.chunk[0] ^= 1), wrong_leaf);
    assert_eq!(evidence(|proof| proof.path.truncate(1)), wrong_leaf);
    assert_eq!(evidence(|proof| proof.path.push(proof.path[0])), wrong_leaf);
}

/// A37. A coordinator serves what was made in one preparation in another, hoping that a key is opened in one and used in the
/// other. H1 tells them apart everywhere: a sealed share of another preparation does not open, one that is handed over open
/// is not the share that was committed to, and a reveal or an update of another preparation is noise in this one.
#[test]
fn a37_what_belongs_to_one_preparation_is_worth_nothing_in_another() {
    let mut earlier = Federation::new(SET, 4, 10, 37);
    let mut later = Federation::new(SET, 4, 10, 38);
    let (ids, t) = (later.ids(), later.threshold());
    assert_ne!(earlier.cohort.h1(), later.cohort.h1());

    let secret = syndic_secure_aggregation::KemSecret::generate(&mut later.rng);
    let told = |federation: &Federation| SealContext {
        sender: ids[0],
        recipient: ids[1],
        h1: federation.cohort.h1(),
    };
    let share = &earlier.held[&ids[1]][&ids[0]];
    let sealed = secret.public().seal(&share.to_bytes(), &told(&earlier), &mut later.rng);
    assert!(secret.open(&sealed, &told(&earlier)).is_ok());
    assert_eq!(secret.open(&sealed, &told(&later)).err(), Some(SealError::Open));

    let key = OneTimeKey::generate(&mut later.rng);
    let context = |h1| SharingContext { dealer: ids[0], h1, cohort: &ids, threshold: t };
    let sharing = key.share(&context(earlier.cohort.h1()), &mut later.rng).unwrap();
    let (holder, share) = &sharing.shares[1];
    assert!(share.verify(*holder, &sharing.public, &context(earlier.cohort.h1())).is_ok());
    assert!(share.verify(*holder, &sharing.public, &context(later.cohort.h1())).is_err());

    // A reveal of the earlier preparation among those of the later.
    let ones = ones(&later);
    let (old, new) = (earlier.encrypt(&ones), later.encrypt(&ones));
    let (aggregate, survivors, mut reveals) = fold_and_reveal(&later, &new);
    let (_, _, old_reveals) = fold_and_reveal(&earlier, &old);
    reveals[0] = old_reveals[0].clone();
    assert_eq!(reconstruct(&reveals[..3], t, 4, &survivors), Err(ReconstructError::Implausible));
    assert_eq!(reconstruct(&reveals, t, 4, &survivors), Err(ReconstructError::Inconsistent));

    // An update of the earlier preparation in place of the later one.
    let (_, _, reveals) = fold_and_reveal(&later, &new);
    let keys = reconstruct(&reveals, t, 4, &survivors).unwrap().keys;
    assert!(unmask(&aggregate, &survivors, &keys, &later.masks).is_ok());
    let mut mixed = later.empty_aggregate();
    mixed.fold(ids[0], old[&ids[0]].bytes()).unwrap();
    ids[1..].iter().for_each(|id| mixed.fold(*id, new[id].bytes()).unwrap());
    assert_eq!(unmask(&mixed, &survivors, &keys, &later.masks), Err(UnmaskError::Residual));
}
