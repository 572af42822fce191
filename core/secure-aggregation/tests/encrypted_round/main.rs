//! Whole encrypted rounds over the public interface: what opens, and what must not.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

#[allow(dead_code, reason = "other tests use the rest")]
mod federation;

use std::collections::BTreeMap;

use federation::Federation;
use proptest::prelude::*;
use rand_core::Rng;
use syndic_round::{Coding, Contribution, KEY_BOUND, ParameterSet, ParticipantId, RING_DIMENSION};
use syndic_secure_aggregation::*;

/// Random vectors, one for each participant, and the sum over some of them.
fn vectors(federation: &mut Federation, values: usize) -> BTreeMap<ParticipantId, Vec<i64>> {
    let ids = federation.ids();
    let mut step = || (federation.rng.next_u32() % 2001) as i64 - 1000;
    ids.into_iter().map(|id| (id, (0..values).map(|_| step()).collect())).collect()
}

fn plain_sum(vectors: &BTreeMap<ParticipantId, Vec<i64>>, survivors: &[ParticipantId]) -> Vec<i64> {
    let mut sum = vec![0; vectors[&survivors[0]].len()];
    for id in survivors {
        sum.iter_mut().zip(&vectors[id]).for_each(|(sum, step)| *sum += step);
    }
    sum
}

/// `count` of `ids`, chosen by `seed`, in order.
fn choose(ids: &[ParticipantId], count: usize, seed: u64) -> Vec<ParticipantId> {
    let mut chosen = ids.to_vec();
    for k in 0..ids.len() - count {
        chosen.remove(seed.rotate_right(5 * k as u32) as usize % chosen.len());
    }
    chosen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_opened_sum_is_the_exact_sum_of_the_survivors(
        n in 3..=8_u16,
        values in 1..5_000_u32,
        set in prop::sample::select(&ParameterSet::ALL[..]),
        (dropped, choice, revealers) in (0..8_usize, any::<u64>(), any::<u64>()),
        seed: u64,
    ) {
        let mut federation = Federation::new(set, n, values, seed);
        let (ids, t) = (federation.ids(), usize::from(federation.threshold()));
        let survivors = choose(&ids, ids.len() - dropped.min(ids.len() - t), choice);
        // Any t members or more reveal, survivors or not.
        let revealers = choose(&ids, t + revealers as usize % (ids.len() - t + 1), revealers);
        let vectors = vectors(&mut federation, values as usize);
        let updates = federation.encrypt(&vectors);
        let sum = federation.open(&updates, &survivors, &revealers);
        prop_assert_eq!(sum.steps(), &plain_sum(&vectors, &survivors)[..]);
    }
}

#[test]
fn a_large_cohort_opens_with_a_third_of_it_gone() {
    let mut federation = Federation::new(ParameterSet::S32, 48, 10, 1);
    let (ids, t) = (federation.ids(), usize::from(federation.threshold()));
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let survivors = choose(&ids, t, 77);
    let sum = federation.open(&updates, &survivors, &choose(&ids, t, 78));
    assert_eq!(sum.steps(), plain_sum(&vectors, &survivors));
}

#[test]
fn the_order_of_folding_does_not_matter() {
    let mut federation = Federation::new(ParameterSet::S40, 4, 3_000, 2);
    let vectors = vectors(&mut federation, 3_000);
    let updates = federation.encrypt(&vectors);
    let fold = |ids: Vec<ParticipantId>| {
        let mut aggregate = federation.empty_aggregate();
        ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
        aggregate
    };
    let forward = federation.ids();
    let backward = forward.iter().rev().copied().collect();
    assert_eq!(fold(forward), fold(backward));
}

/// A15, in part: the seal binds sender, recipient and transcript.
#[test]
fn a_share_swapped_between_recipients_or_senders_does_not_open() {
    let mut federation = Federation::new(ParameterSet::S32, 3, 1, 3);
    let secret = KemSecret::generate(&mut federation.rng);
    let [a, b, c] = federation.ids()[..] else { unreachable!("three participants") };
    let h1 = federation.cohort.h1();
    let sealed = |sender, recipient, rng: &mut _| {
        secret.public().seal(b"share", &SealContext { sender, recipient, h1 }, rng)
    };
    let from_a_to_b = sealed(a, b, &mut federation.rng);
    let open = |sender, recipient| secret.open(&from_a_to_b, &SealContext { sender, recipient, h1 });
    assert!(open(a, b).is_ok());
    for (sender, recipient) in [(a, c), (c, b), (b, a)] {
        assert_eq!(open(sender, recipient).unwrap_err(), SealError::Open);
    }
}

/// What was opened for the survivors does not open the update of one who came late.
#[test]
fn a22_a_late_upload_stays_sealed() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 4);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let (late, in_time) = ids.split_last().unwrap();
    let survivors = federation.survivors(&updates, in_time);
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let key_sum = reconstruct(&reveals, federation.threshold(), 4, &survivors).unwrap().keys;

    let mut alone = federation.empty_aggregate();
    alone.fold(*late, updates[late].bytes()).unwrap();
    let mut with_all = alone.clone();
    in_time.iter().for_each(|id| with_all.fold(*id, updates[id].bytes()).unwrap());
    for aggregate in [alone, with_all] {
        let refused = unmask(&aggregate, &survivors, &key_sum, &federation.masks);
        assert_eq!(refused, Err(UnmaskError::Survivors));
    }

    // A coordinator that ignores its own rules gets noise: folded under another's name, the late update takes
    // that one's place in the sum, and the keys do not fit.
    let mut forged = federation.empty_aggregate();
    forged.fold(in_time[0], updates[late].bytes()).unwrap();
    in_time[1..].iter().for_each(|id| forged.fold(*id, updates[id].bytes()).unwrap());
    assert_noise(&federation, &survivors, &opened_by_hand(&federation, &forged, &key_sum));
    assert_eq!(unmask(&forged, &survivors, &key_sum, &federation.masks), Err(UnmaskError::Residual));
}

/// What a coordinator that skips every check would compute: schoolbook products, 32 bits sent.
fn opened_by_hand(federation: &Federation, aggregate: &Aggregate, key_sum: &KeySum) -> Vec<i64> {
    assert_eq!(federation.set(), ParameterSet::S32);
    let mut opened = Vec::new();
    for (index, chunk) in aggregate.bytes().chunks_exact(4 * RING_DIMENSION).enumerate() {
        let sent = chunk.as_chunks().0.iter().map(|word| u64::from(u32::from_le_bytes(*word)) << 32);
        let mut body: Vec<u64> = sent.collect();
        let mut mask = [0; RING_DIMENSION];
        federation.masks.fill(index, &mut mask);
        for (i, &s) in key_sum.coefficients().iter().enumerate() {
            for (j, &a) in mask.iter().enumerate() {
                let product = a.wrapping_mul(i64::from(s) as u64);
                let at = &mut body[(i + j) % RING_DIMENSION];
                // X^2048 = -1.
                *at =
                    if i + j < RING_DIMENSION { at.wrapping_sub(product) } else { at.wrapping_add(product) };
            }
        }
        let scale = 64 - ParameterSet::S32.sum_bits();
        opened.extend(body.iter().map(|b| b.wrapping_add(1 << (scale - 1)) as i64 >> scale));
    }
    opened
}

#[test]
fn unmasking_agrees_with_schoolbook_arithmetic() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 3_000, 17);
    let vectors = vectors(&mut federation, 3_000);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let survivors = federation.survivors(&updates, &ids);
    let mut aggregate = federation.empty_aggregate();
    ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let key_sum = reconstruct(&reveals, federation.threshold(), 4, &survivors).unwrap().keys;
    let by_hand = opened_by_hand(&federation, &aggregate, &key_sum);
    assert_eq!(unmask(&aggregate, &survivors, &key_sum, &federation.masks), Ok(by_hand));
}

/// Coefficients that show nothing: canaries fail and the values fill the range of signed sums.
fn assert_noise(federation: &Federation, survivors: &syndic_round::SurvivorSet, coefficients: &[i64]) {
    assert!(federation.decode(survivors, coefficients).is_err());
    let half_range = 1_i64 << (federation.set().sum_bits() - 1);
    let mean = coefficients.iter().map(|c| c.abs() as f64).sum::<f64>() / coefficients.len() as f64;
    // The absolute value of a uniform number is half of half the range on average; six standard errors.
    let deviation = (mean / half_range as f64 - 0.5).abs();
    assert!(deviation < 6.0 * 0.289 / (coefficients.len() as f64).sqrt(), "off by {deviation}");
}

/// An S off by one in one coefficient, which all revealers would have to conspire for.
#[test]
fn a_wrong_sum_of_keys_opens_noise_and_is_refused() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 5);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let survivors = federation.survivors(&updates, &ids);
    let mut aggregate = federation.empty_aggregate();
    ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());

    let mut reveals = federation.reveal(&federation.certify(&survivors), &ids);
    reveals.iter_mut().for_each(|(_, reveal)| *reveal = with_one_more(reveal, 0));
    let wrong = reconstruct(&reveals, federation.threshold(), 4, &survivors).unwrap().keys;
    assert_noise(&federation, &survivors, &opened_by_hand(&federation, &aggregate, &wrong));
    assert_eq!(unmask(&aggregate, &survivors, &wrong, &federation.masks), Err(UnmaskError::Residual));
}

/// `reveal` with its element at `position` greater by one.
fn with_one_more(reveal: &KeyShareSum, position: usize) -> KeyShareSum {
    with_one_more_of(reveal, position, 4)
}

/// The same in a cohort of `cohort`.
fn with_one_more_of(reveal: &KeyShareSum, position: usize, cohort: usize) -> KeyShareSum {
    let mut bytes = reveal.to_bytes();
    let element = &mut bytes.as_chunks_mut().0[position];
    *element = (u64::from_le_bytes(*element) + 1).to_le_bytes();
    KeyShareSum::from_bytes(&bytes, cohort).unwrap()
}

#[test]
fn one_wrong_reveal_at_the_threshold_restores_no_plausible_sum() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 16);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let survivors = federation.survivors(&updates, &ids);
    let mut reveals = federation.reveal(&federation.certify(&survivors), &ids[1..]);
    reveals[0].1 = with_one_more(&reveals[0].1, 200);
    assert_eq!(reconstruct(&reveals, 3, 4, &survivors), Err(ReconstructError::Implausible));
}

#[test]
fn a18_wrong_reveals_are_corrected_and_named() {
    let mut federation = Federation::new(ParameterSet::S32, 10, 10, 18);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let (ids, t) = (federation.ids(), federation.threshold());
    let survivors = federation.survivors(&updates, &ids);
    let honest = federation.reveal(&federation.certify(&survivors), &ids);
    let right = reconstruct(&honest, t, 10, &survivors).unwrap();
    assert!(right.wrong.is_empty());

    // t = 7: nine reveals correct one wrong one, eight show that one is wrong, seven show nothing here.
    let mut reveals = honest[..9].to_vec();
    reveals[4].1 = with_one_more_of(&reveals[4].1, 300, 10);
    let corrected = reconstruct(&reveals, t, 10, &survivors).unwrap();
    assert_eq!((&corrected.keys, corrected.wrong.as_slice()), (&right.keys, &ids[4..5]));
    assert_eq!(reconstruct(&reveals[..8], t, 10, &survivors), Err(ReconstructError::Inconsistent));
    // A second wrong one is beyond what nine can tell.
    reveals[0].1 = with_one_more_of(&reveals[0].1, 2, 10);
    assert_eq!(reconstruct(&reveals, t, 10, &survivors), Err(ReconstructError::Inconsistent));
}

#[test]
fn more_reveals_than_the_threshold_must_agree() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 6);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let survivors = federation.survivors(&updates, &ids);
    let mut reveals = federation.reveal(&federation.certify(&survivors), &ids);
    reveals[3].1 = with_one_more(&reveals[3].1, 100);
    let inconsistent = reconstruct(&reveals, federation.threshold(), 4, &survivors);
    assert_eq!(inconsistent, Err(ReconstructError::Inconsistent));

    reveals.truncate(2);
    let too_few = reconstruct(&reveals, federation.threshold(), 4, &survivors);
    assert_eq!(too_few, Err(ReconstructError::TooFew { threshold: 3, found: 2 }));
    let twice = [reveals[0].clone(), reveals[1].clone(), reveals[0].clone()];
    assert_eq!(reconstruct(&twice, 3, 4, &survivors), Err(ReconstructError::Duplicate(ids[0])));
}

#[test]
fn fewer_shares_than_the_threshold_restore_nothing() {
    let mut federation = Federation::new(ParameterSet::S32, 8, 1, 15);
    let vectors = vectors(&mut federation, 1);
    let updates = federation.encrypt(&vectors);
    let (ids, t) = (federation.ids(), federation.threshold());
    let survivors = federation.survivors(&updates, &ids);
    let reveals = federation.reveal(&federation.certify(&survivors), &ids[..usize::from(t) - 1]);
    let refused = reconstruct(&reveals, t, 8, &survivors);
    assert_eq!(refused, Err(ReconstructError::TooFew { threshold: t, found: usize::from(t) - 1 }));
    let forced = reconstruct(&reveals, t - 1, 8, &survivors);
    assert_eq!(forced, Err(ReconstructError::Implausible), "interpolated as if they were enough");
}

#[test]
fn reveals_for_different_sets_open_nothing() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 7);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let (all, without_one) =
        (federation.survivors(&updates, &ids), federation.survivors(&updates, &ids[1..]));
    let mut reveals = federation.reveal(&federation.certify(&all), &ids[..2]);
    reveals.extend(federation.reveal(&federation.certify(&without_one), &ids[2..3]));
    let mixed = reconstruct(&reveals, federation.threshold(), 4, &all);
    assert_eq!(mixed, Err(ReconstructError::Implausible));
}

#[test]
fn a_sum_of_keys_opens_only_its_own_survivor_set() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 10, 8);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let (all, three) = (federation.survivors(&updates, &ids), federation.survivors(&updates, &ids[1..]));
    let reveals = federation.reveal(&federation.certify(&all), &ids);
    let key_sum = reconstruct(&reveals, 3, 4, &all).unwrap().keys;
    let mut aggregate = federation.empty_aggregate();
    ids[1..].iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
    assert_eq!(unmask(&aggregate, &three, &key_sum, &federation.masks), Err(UnmaskError::Keys));
}

#[test]
fn a_missing_share_stops_the_reveal() {
    let mut federation = Federation::new(ParameterSet::S32, 3, 10, 9);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let certificate = federation.certify(&federation.survivors(&updates, &ids));
    let mut held = federation.held.remove(&ids[0]).unwrap();
    held.remove(&ids[2]);
    assert_eq!(KeyShareSum::of(&held, &certificate).err(), Some(ShareMissing(ids[2])));
}

#[test]
fn the_sum_of_keys_is_within_what_the_keys_allow() {
    let mut federation = Federation::new(ParameterSet::S32, 5, 10, 10);
    let vectors = vectors(&mut federation, 10);
    let updates = federation.encrypt(&vectors);
    let ids = federation.ids();
    let survivors = federation.survivors(&updates, &ids);
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let key_sum = reconstruct(&reveals, federation.threshold(), 5, &survivors).unwrap().keys;
    assert!(key_sum.coefficients().iter().all(|s| i64::from(s.abs()) <= KEY_BOUND * 5));
    let variance =
        key_sum.coefficients().iter().map(|s| f64::from(s * s)).sum::<f64>() / RING_DIMENSION as f64;
    // Five Gaussians of 6.4: 204.8, five standard errors.
    assert!(
        (variance / 204.8 - 1.0).abs() < 5.0 * (2.0 / RING_DIMENSION as f64).sqrt(),
        "variance {variance}"
    );
}

#[test]
fn parallel_and_sequential_encryption_agree() {
    let encrypt = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut federation = Federation::new(ParameterSet::S32, 3, 20_000, 11);
            let vectors = vectors(&mut federation, 20_000);
            federation.encrypt(&vectors)
        })
    };
    assert_eq!(encrypt(1), encrypt(3));
}

#[test]
fn an_update_travels_in_whole_chunks_of_exactly_p_bits_a_coefficient() {
    for (set, bytes) in ParameterSet::ALL.into_iter().zip([3, 4, 5]) {
        let mut federation = Federation::new(set, 3, 2_045, 12);
        let vectors = vectors(&mut federation, 2_045);
        let updates = federation.encrypt(&vectors);
        for update in updates.values() {
            // 4 canaries and 2,045 values are one more than a chunk.
            assert_eq!((update.chunk_count(), update.bytes().len()), (2, 2 * 2048 * bytes));
            let leaves = [0, 1].map(|index| merkle::leaf(update.chunk(index).unwrap()));
            assert_eq!(update.root(), merkle::root(&leaves));
            assert_eq!(update.chunk(2), None);
            let stored = EncryptedUpdate::from_bytes(set, update.bytes().to_vec());
            assert_eq!(stored.as_ref(), Ok(update));
            assert!(EncryptedUpdate::from_bytes(set, update.bytes()[1..].to_vec()).is_err());
        }
    }
}

#[test]
fn an_update_is_encrypted_in_the_parameter_set_that_it_was_quantised_for() {
    let mut federation = Federation::new(ParameterSet::S32, 3, 10, 17);
    let layout = federation.plan.layout.clone();
    for set in ParameterSet::ALL {
        let values = Contribution::new(layout.clone(), vec![1.0; 10]).unwrap();
        let quantised = values.clip().quantise(&Coding::new(set, 3), &mut federation.rng);
        let key = OneTimeKey::generate(&mut federation.rng);
        let update = key.encrypt(quantised, &federation.masks, &mut federation.rng);
        assert_eq!((update.parameter_set(), update.bytes().len()), (set, chunk_bytes(set)));
    }
}

#[test]
fn an_update_of_zeros_looks_like_noise_and_never_the_same_twice() {
    let mut federation = Federation::new(ParameterSet::S32, 3, 2_044, 13);
    let zeros = federation.ids().into_iter().map(|id| (id, vec![0; 2_044])).collect();
    let updates: Vec<_> = federation.encrypt(&zeros).into_values().collect();
    for update in &updates {
        let mut counts = [0_u32; 256];
        update.bytes().iter().for_each(|&byte| counts[usize::from(byte)] += 1);
        // Chi-square over 8,192 bytes: 255 degrees of freedom, standard deviation 22.6.
        let chi_square: f64 = counts.iter().map(|&count| (f64::from(count) - 32.0).powi(2) / 32.0).sum();
        assert!((chi_square - 255.0).abs() < 6.0 * 22.6, "chi-square {chi_square}");
    }
    assert!(updates[0] != updates[1] && updates[1] != updates[2]);
}

#[test]
fn thresholds_and_cohorts_out_of_range_are_refused() {
    let mut federation = Federation::new(ParameterSet::S32, 4, 1, 14);
    let ids = federation.ids();
    let key = OneTimeKey::generate(&mut federation.rng);
    let (dealer, h1) = (ids[0], federation.cohort.h1());
    for threshold in [0, 1, 5] {
        let context = SharingContext { dealer, h1, cohort: &ids, threshold };
        let refused = key.share(&context, &mut federation.rng).err();
        assert_eq!(refused, Some(ShareError::Threshold { threshold, cohort: 4 }));
    }
    let unsorted = [ids[1], ids[0], ids[2]];
    let repeated = [ids[0], ids[1], ids[1]];
    let too_many: Vec<_> = (1..=257).map(|number| ParticipantId::new(number).unwrap()).collect();
    for cohort in [unsorted.as_slice(), &repeated, &too_many] {
        let context = SharingContext { dealer, h1, cohort, threshold: 2 };
        assert_eq!(key.share(&context, &mut federation.rng).err(), Some(ShareError::Cohort));
    }
}

#[test]
fn malformed_shares_are_refused() {
    let bytes = |element: u64| element.to_le_bytes().repeat(342);
    let largest = (1 << 61) - 2;
    assert!(KeyShareSum::from_bytes(&bytes(largest), 5).is_ok());
    for element in [largest + 1, largest + 2, u64::MAX] {
        let refused = KeyShareSum::from_bytes(&bytes(element), 5).err();
        assert_eq!(refused, Some(MalformedShare::NotCanonical(0)));
    }
    let short = KeyShareSum::from_bytes(&bytes(0)[..2_735], 5).err();
    assert_eq!(short, Some(MalformedShare::Length { expected: 2_736, found: 2_735 }));
    assert!(KeyShareSum::from_bytes(&bytes(0), 9).is_err(), "a larger cohort has longer shares");
}

/// A24: no call of tfhe that makes binary keys, in any source file of this crate.
#[test]
#[allow(clippy::disallowed_methods, reason = "it reads the sources")]
fn binary_keys_are_never_generated() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.contains(concat!("generate_new", "_binary")));
            files += 1;
        }
    }
    assert!(files > 10, "the sources are where this test looks");
}
