//! What survivors reveal: with few enough wrong ones the sum of keys is the right one, and the wrong ones are named.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::{Digest, ParticipantId, SurvivorSet};
use syndic_secure_aggregation::{KeyShareSum, KeySum, OneTimeKey, SharingContext, reconstruct};

use crate::federation::{ALL, FEDERATION, id};
use crate::script::Script;

struct Certified {
    survivors: SurvivorSet,
    /// The honest sums by holder.
    sums: BTreeMap<ParticipantId, Vec<u8>>,
    keys: KeySum,
    threshold: u16,
}

static CERTIFIED: LazyLock<Certified> = LazyLock::new(|| {
    let plan = FEDERATION.plan_of(1, ALL);
    let cohort = FEDERATION.cohort(&plan);
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let threshold = plan.terms.protection.threshold();
    let mut held: BTreeMap<ParticipantId, BTreeMap<_, _>> = BTreeMap::new();
    for &dealer in cohort.ids() {
        let context = SharingContext { dealer, h1: cohort.h1(), cohort: cohort.ids(), threshold };
        let sharing = OneTimeKey::generate(&mut rng).share(&context, &mut rng).expect("allowed terms");
        for (holder, share) in sharing.shares {
            held.entry(holder).or_default().insert(dealer, share);
        }
    }
    let roots: Vec<_> = (1..=ALL).map(|number| (id(number), Digest([number as u8; 32]))).collect();
    let survivors = FEDERATION.survivors(&plan, &cohort, &roots);
    let certificate = FEDERATION.certificate(&plan, &cohort, survivors.clone());
    let sum = |held| KeyShareSum::of(held, &certificate).expect("all shares are held").to_bytes();
    let sums: BTreeMap<_, _> = held.iter().map(|(holder, held)| (*holder, sum(held))).collect();
    let reveals: Vec<_> = sums.iter().map(|(id, bytes)| (*id, read(bytes).expect("a sum of ours"))).collect();
    let keys = reconstruct(&reveals, threshold, ALL.into(), &survivors).expect("all honest").keys;
    Certified { survivors, sums, keys, threshold }
});

/// How many reveals, then each: whose, in whose name, how altered, where and by what.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let count = script.u8() % 8;
    let (mut reveals, mut wrong, mut odd) = (Vec::new(), Vec::new(), false);
    for _ in 0..count {
        let (whose, name) = (id(1 + u16::from(script.u8()) % ALL), script.u16());
        let Some(name) = ParticipantId::new(if name < 8 { name + 1 } else { name }) else { continue };
        let mut bytes = CERTIFIED.sums[&whose].clone();
        let (mode, at, value) = (script.u8(), usize::from(script.u16()), script.u64());
        let elements = bytes.len() / 8;
        match mode % 4 {
            0 => {}
            1 => put(&mut bytes, at % elements, value),
            2 => (0..elements).for_each(|k| put(&mut bytes, k, value)),
            _ => bytes = value.to_le_bytes().repeat(at % (2 * elements)),
        }
        // Elements that are not canonical, and other lengths, are refused before they are reveals.
        let Some(reveal) = read(&bytes) else { continue };
        if CERTIFIED.sums.get(&name) != Some(&bytes) {
            wrong.push(name);
        }
        odd |= !CERTIFIED.sums.contains_key(&name) || reveals.iter().any(|(earlier, _)| *earlier == name);
        reveals.push((name, reveal));
    }
    wrong.sort_unstable();
    let restored = reconstruct(&reveals, CERTIFIED.threshold, ALL.into(), &CERTIFIED.survivors);
    let surplus = reveals.len().saturating_sub(CERTIFIED.threshold.into());
    if !odd && reveals.len() >= CERTIFIED.threshold.into() && 2 * wrong.len() <= surplus {
        let restored = restored.expect("few enough are wrong");
        assert_eq!((restored.keys, restored.wrong), (CERTIFIED.keys.clone(), wrong));
    } else if let Ok(restored) = restored {
        assert!(restored.wrong.len() * 2 <= surplus, "more were corrected than can be");
        assert_eq!(restored.keys.survivors(), CERTIFIED.survivors.ids());
        let _ = restored.keys.to_bytes();
    }
}

fn read(bytes: &[u8]) -> Option<KeyShareSum> {
    KeyShareSum::from_bytes(bytes, ALL.into()).ok()
}

fn put(bytes: &mut [u8], element: usize, value: u64) {
    bytes[8 * element..8 * element + 8].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let reveal =
        |whose: u8, mode: u8| [&[whose, 0, whose, mode, 0, 7][..], &[0, 0, 0, 0, 0, 0, 0, 9]].concat();
    let all = |count: u8, mode: u8| {
        let reveals: Vec<u8> = (0..count).flat_map(|k| reveal(k, if k == 0 { mode } else { 0 })).collect();
        [&[count], reveals.as_slice()].concat()
    };
    vec![all(7, 0), all(7, 1), all(7, 2), all(6, 0), all(6, 2), all(5, 0), all(4, 0), all(0, 0)]
}
