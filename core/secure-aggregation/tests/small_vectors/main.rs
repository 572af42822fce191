//! Whole sums of small vectors: whoever deals, survives and reveals.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

mod dealt;
#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../encrypted_round/federation.rs"]
mod federation;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_round::{Contribution, ParameterSet, ParticipantId};
use syndic_secure_aggregation::{SharingContext, SmallVector, VectorShare, VectorShareSum};

use dealt::{Dealt, P};

/// A few blocks of a few values, of any width up to 2^50 steps.
fn blocks() -> impl Strategy<Value = Vec<(u32, i64)>> {
    let most = (0..50_u32).prop_flat_map(|bits| (1_i64 << bits)..=(1_i64 << (bits + 1)));
    proptest::collection::vec((1..30_u32, most), 1..5)
}

/// As many of `ids` as `count`, in the order of a draw.
fn some(ids: &[ParticipantId], count: usize, rng: &mut impl Rng) -> Vec<ParticipantId> {
    let mut rest = ids.to_vec();
    (0..count).map(|_| rest.swap_remove(rng.next_u64() as usize % rest.len())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_sum_opens_for_any_cohort_layout_survivors_and_revealers(
        n in 3..13_u16, set in 0..3_usize, blocks in blocks(), seed: u64, dropped in 0..5_usize,
        silent in 0..5_usize, liars in 0..3_usize
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let largest: Vec<i64> =
            blocks.iter().flat_map(|&(len, most)| std::iter::repeat_n(most, len as usize)).collect();
        let vectors: Vec<Vec<i64>> = (0..n)
            .map(|_| {
                let extreme = rng.next_u32() % 4;
                let mut step = |&most: &i64| match extreme {
                    0 => most,
                    1 => -most,
                    _ => (rng.next_u64() % (2 * most as u64 + 1)) as i64 - most,
                };
                largest.iter().map(&mut step).collect()
            })
            .collect();
        let dealt = Dealt::new(ParameterSet::ALL[set], n, &blocks, seed, |slot| vectors[slot].clone());

        let ids = dealt.federation.ids();
        let t = usize::from(dealt.federation.threshold());
        let mut survivors = some(&ids, ids.len() - dropped.min(ids.len() - t), &mut rng);
        survivors.sort_unstable();
        let revealers = some(&ids, ids.len() - silent.min(ids.len() - t), &mut rng);
        let mut reveals = dealt.reveal(&survivors, &revealers);
        let liars = liars.min((revealers.len() - t) / 2);
        for (_, reveal) in &mut reveals[..liars] {
            let element = rng.next_u64() as usize % dealt.shape.elements();
            *reveal = dealt.shifted(reveal, element, 1 + rng.next_u64() % (P - 1));
        }

        let opened = dealt.shape.open(&reveals, survivors.len() as u16).unwrap();
        let slots: Vec<usize> = survivors.iter().map(|id| ids.binary_search(id).unwrap()).collect();
        let expected: Vec<i64> =
            (0..largest.len()).map(|k| slots.iter().map(|&slot| vectors[slot][k]).sum()).collect();
        prop_assert_eq!(opened.sum.steps(), expected);
        let mut lied: Vec<_> = revealers[..liars].to_vec();
        lied.sort_unstable();
        prop_assert_eq!(&opened.wrong_reveals, &lied);
        prop_assert_eq!(opened.surplus, revealers.len() - t - liars);
        prop_assert_eq!(opened.is_checked(), revealers.len() > t);
    }
}

#[test]
fn any_t_of_the_cohort_open_the_same_sum_and_fewer_none() {
    let dealt = Dealt::new(ParameterSet::S32, 5, &[(3, 1_000)], 1, |slot| vec![1 << slot, -9, 1_000]);
    let ids = dealt.federation.ids();
    for mask in 0_u32..1 << 5 {
        let revealers: Vec<_> = (0..5).filter(|slot| mask >> slot & 1 == 1).map(|slot| ids[slot]).collect();
        let opened = dealt.shape.open(&dealt.reveal(&ids, &revealers), 5);
        match revealers.len() {
            4.. => assert_eq!(opened.unwrap().sum.steps(), [31, -45, 5_000]),
            _ => assert_eq!(opened.unwrap_err().code(), "reveals.too-few"),
        }
    }
}

#[test]
fn fractions_of_steps_are_rounded_as_for_the_ring() {
    let mut dealt = Dealt::new(ParameterSet::S32, 3, &[(400, 1_000)], 2, |_| vec![0; 400]);
    let values: Vec<f64> = (0..400).map(|k| f64::from(k) * 0.37 - 70.0).collect();
    let layout = dealt.federation.plan.layout.clone();
    let clipped = || Contribution::new(layout.clone(), values.clone()).unwrap().clip();
    let seeded = || ChaCha20Rng::seed_from_u64(3);
    let rounded = clipped().quantise(&dealt.federation.plan.coding(), &mut seeded());

    let vector = SmallVector::encode(&dealt.shape, clipped(), &mut seeded());
    let cohort = dealt.federation.ids();
    let context =
        SharingContext { dealer: cohort[0], h1: dealt.federation.cohort.h1(), cohort: &cohort, threshold: 3 };
    for (holder, share) in vector.share(&context, &mut seeded()).unwrap().shares {
        dealt.held.get_mut(&holder).unwrap().insert(cohort[0], share);
    }
    let opened = dealt.shape.open(&dealt.reveal(&cohort, &cohort), 3).unwrap();
    assert_eq!(opened.sum.steps(), &rounded.coefficients()[4..404]);
}

#[test]
fn nothing_is_revealed_for_survivors_whose_shares_are_not_held() {
    let mut dealt = Dealt::new(ParameterSet::S32, 3, &[(1, 1)], 4, |_| vec![1]);
    let ids = dealt.federation.ids();
    let certificate = dealt.certify(&ids);
    let held = dealt.held.get_mut(&ids[0]).unwrap();
    held.remove(&ids[2]);
    assert_eq!(VectorShareSum::of(held, &certificate).err().unwrap().code(), "reveal.share-missing");
}

#[test]
fn a_vector_of_as_many_elements_as_the_longest_key_is_summed() {
    let values = 511 * 3 + 1;
    let dealt =
        Dealt::new(ParameterSet::S32, 33, &[(values, 1_000)], 5, |slot| vec![slot as i64; values as usize]);
    assert_eq!(dealt.shape.elements(), 512);
    let ids = dealt.federation.ids();
    let opened = dealt.shape.open(&dealt.reveal(&ids, &ids[..24]), 33).unwrap();
    assert!(opened.sum.steps().iter().all(|&sum| sum == 16 * 33));
    assert_eq!(opened.surplus, 1);
    let share: &VectorShare = &dealt.held[&ids[0]][&ids[1]];
    assert_eq!(share.to_bytes().len(), 8 * 514 + 32);
}
