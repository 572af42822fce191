//! Why there is one certified survivor set (rule 3): reveals for several sets, one from each member, open single keys.

use std::collections::BTreeMap;

use syndic_round::{ParameterSet, ParticipantId, Rejection};
use syndic_secure_aggregation::KeyShareSum;

use crate::algebra::{
    P, accumulate, add, elements, inverse, key_of, messages, mul, packing, point, strip, sub, unpack,
    weights_at_zero,
};
use crate::federation::Federation;
use crate::lattice::{Reduced, reduce};

/// A coordinator with the default c of its participants, against the other nine of fifteen: t = 11, c = 6.
struct Attacker {
    corrupt: Vec<ParticipantId>,
    /// Members who are asked for both victims' shares, for the first one's only, and for the second one's only.
    both: Vec<ParticipantId>,
    first: Vec<ParticipantId>,
    second: Vec<ParticipantId>,
    victims: [ParticipantId; 2],
}

/// Weights of everybody's answers, and of each victim's key in the weighted sum.
struct Weights {
    /// Of what an honest member answers.
    answers: BTreeMap<ParticipantId, u64>,
    /// Of the share that a corrupt member holds of each victim's key.
    corrupt: [BTreeMap<ParticipantId, u64>; 2],
    keys: [u64; 2],
}

impl Attacker {
    fn new(ids: &[ParticipantId]) -> Self {
        let (corrupt, honest) = ids.split_at(6);
        let (both, rest) = honest.split_at(4);
        let (first, second) = rest.split_at(1);
        Self {
            corrupt: corrupt.to_vec(),
            both: both.to_vec(),
            first: first.to_vec(),
            second: second.to_vec(),
            // Victims are themselves among the revealers; it makes no difference.
            victims: [honest[0], honest[7]],
        }
    }

    /// The survivor set that `member` is shown: the corrupt and one victim, or both.
    fn shown(&self, member: ParticipantId) -> Vec<ParticipantId> {
        let victims = match () {
            () if self.both.contains(&member) => &self.victims[..],
            () if self.first.contains(&member) => &self.victims[..1],
            () => &self.victims[1..],
        };
        let mut shown = [&self.corrupt, victims].concat();
        shown.sort_unstable();
        shown
    }

    /// Corrupt members, `both` and `first` are t and restore by Lagrange's weights; so are corrupt members, `first` and
    /// `second`. A multiple of the latter is taken off such that `first` counts for nothing in the sum that is left, which
    /// then restores the second victim's key without them, and the first victim's without `second`.
    fn weights(&self) -> Weights {
        let lagrange = |groups: [&[ParticipantId]; 3]| -> BTreeMap<ParticipantId, u64> {
            let members = groups.concat();
            let points: Vec<u64> = members.iter().map(|id| point(*id)).collect();
            members.into_iter().zip(weights_at_zero(&points)).collect()
        };
        let one = lagrange([&self.corrupt, &self.both, &self.first]);
        let other = lagrange([&self.corrupt, &self.first, &self.second]);
        let factor = mul(one[&self.first[0]], inverse(other[&self.first[0]]));
        let minus = |weight: u64| sub(0, mul(factor, weight));
        let mut answers: BTreeMap<_, _> =
            self.both.iter().chain(&self.first).map(|id| (*id, one[id])).collect();
        answers.extend(self.second.iter().map(|id| (*id, minus(other[id]))));
        let of_first = self.corrupt.iter().map(|id| (*id, one[id])).collect();
        let of_second = self.corrupt.iter().map(|id| (*id, add(one[id], minus(other[id])))).collect();
        Weights { answers, corrupt: [of_first, of_second], keys: [1, sub(1, factor)] }
    }
}

/// A revealer without rule 3: whatever set it is shown, it answers, once.
fn reveal_unchecked(federation: &Federation, member: ParticipantId, shown: &[ParticipantId]) -> Vec<u64> {
    let held = &federation.held[&member];
    let mut sum = elements(&held[&shown[0]]);
    shown[1..].iter().for_each(|dealer| accumulate(&mut sum, 1, &elements(&held[dealer])));
    sum
}

/// The lattice of pairs of packed elements (x, y), digit by digit, with a x + b y = 0 in F_p.
fn digits_lattice([a, b]: [u64; 2], bits: u32, digits: usize) -> Reduced {
    // Without digits: (x, y) reduced by Gauss.
    let ratio = i128::from(mul(sub(0, b), inverse(a)));
    let (mut long, mut short) = ((i128::from(P), 0), (ratio, 1));
    let dot = |u: (i128, i128), v: (i128, i128)| u.0 * v.0 + u.1 * v.1;
    while dot(short, short) < dot(long, long) {
        let factor = (2 * dot(long, short) + dot(short, short)).div_euclid(2 * dot(short, short));
        (long, short) = (short, (long.0 - factor * short.0, long.1 - factor * short.1));
    }
    let base = 1_i64 << bits;
    let mut basis = Vec::new();
    // 2^bits in one digit is one in the next.
    for place in (0..2 * digits).filter(|place| (place + 1) % digits != 0) {
        let mut row = vec![0; 2 * digits];
        (row[place], row[place + 1]) = (base, -1);
        basis.push(row);
    }
    for (x, y) in [short, long] {
        let mut row = Vec::new();
        for mut rest in [x as i64, y as i64] {
            for _ in 1..digits {
                row.push(rest.rem_euclid(base));
                rest = rest.div_euclid(base);
            }
            row.push(rest);
        }
        basis.push(row);
    }
    reduce(basis)
}

/// The two packed elements x, y with a x + b y = `sum`, of which the first `filled` digits are those of keys, near 63, and the
/// others zero.
fn split(lattice: &Reduced, a: u64, sum: u64, (bits, digits): (u32, usize), filled: usize) -> [u64; 2] {
    let some = mul(sum, inverse(a));
    let digit = |k: usize| {
        let rest = some >> (bits as usize * k);
        // The top digit takes what is left of 61 bits.
        if k + 1 == digits { rest } else { rest & ((1 << bits) - 1) }
    };
    let mean = |k: usize| if k % digits < filled { 63 } else { 0 };
    let solution = (0..digits).map(|k| digit(k) as i64).chain(std::iter::repeat_n(0, digits));
    let from_mean: Vec<i64> = solution.enumerate().map(|(k, digit)| digit - mean(k)).collect();
    let near = lattice.near(&from_mean.iter().map(|&x| x as f64).collect::<Vec<f64>>());
    let found: Vec<i64> = (0..2 * digits).map(|k| from_mean[k] - near[k] + mean(k)).collect();
    let pack = |digits: &[i64]| digits.iter().rev().fold(0, |sum: i64, digit| (sum << bits) + digit) as u64;
    [pack(&found[..digits]), pack(&found[digits..])]
}

/// A23. A coordinator with c corrupt participants shows its fifteen members three survivor sets, each of which seems to hide a
/// victim or two among others, and each member answers once, so that no two answers of one member exist. With 2t > n + c
/// it cannot open two of the sets; but the answers, weighted, give one combination a x + b y of two victims' keys, and keys
/// are so small that this has one solution. One victim's update is opened exactly; rule 3 is what forbids it.
#[test]
fn a23_members_who_reveal_for_several_sets_give_single_updates_away() {
    let mut federation = Federation::new(ParameterSet::S32, 15, 50, 23);
    let ids = federation.ids();
    let protection = federation.plan.terms.protection;
    let (n, t, c) = (15, protection.threshold(), protection.colluding());
    assert!((t, c) == (11, 6) && 2 * t > n + c);
    let secrets: BTreeMap<_, Vec<i64>> = ids.iter().map(|&id| (id, secret_of(id))).collect();
    let updates = federation.encrypt(&secrets);
    let attacker = Attacker::new(&ids);
    let Weights { answers, corrupt, keys } = attacker.weights();

    let (bits, digits) = packing(ids.len());
    let mut sum = vec![0; 2048_usize.div_ceil(digits)];
    for (&member, &weight) in &answers {
        let shown = attacker.shown(member);
        accumulate(&mut sum, weight, &reveal_unchecked(&federation, member, &shown));
        // What the corrupt dealers' shares add they know: they dealt them.
        for dealer in &attacker.corrupt {
            accumulate(&mut sum, sub(0, weight), &elements(&federation.held[&member][dealer]));
        }
    }
    for (victim, weights) in attacker.victims.iter().zip(&corrupt) {
        for (holder, &weight) in weights {
            accumulate(&mut sum, weight, &elements(&federation.held[holder][victim]));
        }
    }
    let lattice = digits_lattice(keys, bits, digits);
    let filled = |k: usize| digits.min(2048 - k * digits);
    let first = |(k, &sum)| split(&lattice, keys[0], sum, (bits, digits), filled(k))[0];
    let found: Vec<u64> = sum.iter().enumerate().map(first).collect();

    let victim = attacker.victims[0];
    let key = unpack(&found, ids.len());
    assert!(key == key_of(&federation, victim), "the victim's one-time key");
    let opened = messages(&strip(updates[&victim].bytes(), &key, &federation.masks));
    assert_eq!(opened[4..54], secrets[&victim][..], "the victim's update, every value");
}

/// A vector that is nobody else's.
fn secret_of(id: ParticipantId) -> Vec<i64> {
    (0..50).map(|k| (k * i64::from(id.get()) * 7919) % 2001 - 1000).collect()
}

/// A23. The same coordinator against this crate: what a member reveals is computed from a certificate alone, and there is
/// none for any of the three sets, since each is smaller than t. Sets that are large enough come one at a time: each needs
/// signatures of t - c honest members, each of whom signs one set (A5).
#[test]
fn a23_no_certificate_exists_for_any_of_the_sets() {
    let mut federation = Federation::new(ParameterSet::S32, 15, 50, 24);
    let ids = federation.ids();
    let secrets = ids.iter().map(|&id| (id, secret_of(id))).collect();
    let updates = federation.encrypt(&secrets);
    let attacker = Attacker::new(&ids);
    for (&member, found) in attacker.weights().answers.keys().zip(1..) {
        let shown = attacker.shown(member);
        let refused = federation.try_survivors(&updates, &shown).unwrap_err();
        let expected = Rejection::TooFew { what: "survivors", found: shown.len() as u16, needed: 11 };
        assert_eq!(refused, expected, "member {found}");
    }
    // What members do reveal is for the certified set, whole.
    let survivors = federation.survivors(&updates, &ids[..11]);
    let certificate = federation.certify(&survivors);
    let revealed = KeyShareSum::of(&federation.held[&ids[7]], &certificate).unwrap();
    let mut whole = vec![0; revealed.to_bytes().len() / 8];
    ids[..11].iter().for_each(|id| accumulate(&mut whole, 1, &elements(&federation.held[&ids[7]][id])));
    let bytes: Vec<u8> = whole.iter().flat_map(|element| element.to_le_bytes()).collect();
    assert_eq!(revealed.to_bytes(), bytes);
}
