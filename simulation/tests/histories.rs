//! A coordinator that shows two participants different histories of its ledger: which they believe, what they sign by it,
//! and what convicts it with the ledger's key alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_ledger::ForkError;
use syndic_round::Signed;
use syndic_simulation::{Engine, Histories, Liar, Shown, Table};

const ALL: [u16; 5] = [1, 2, 3, 4, 5];

/// A federation of five, t = 4, c = 2; 4 and 5 are in league with the coordinator. All updates of round 1 are in.
fn collected() -> (Histories, Table) {
    let mut liar = Liar::new(1, Engine::Plain, 5, &[4, 5]);
    let ask = liar.ask(1, 1, 1);
    let table = liar.play(&ask, &ALL);
    (Histories::of(liar), table)
}

fn pick(messages: &[Signed], who: &[u16]) -> Vec<Signed> {
    messages.iter().filter(|signed| who.contains(&signed.from.get())).cloned().collect()
}

fn unbroken(histories: &Histories) {
    assert_eq!(histories.violation(), None, "\n{}", histories.liar.operations().join("\n"));
}

/// The frozen set at `index` of a history, truly shown.
fn frozen(histories: &Histories, history: usize, index: u64) -> Shown {
    Shown { index, ..histories.true_of(history) }
}

#[test]
fn two_survivor_sets_in_two_histories_open_one_sum_and_whoever_is_shown_the_other_convicts() {
    let (mut histories, table) = collected();
    let sets = [pick(&table.headers, &[1, 2, 3, 4]), pick(&table.headers, &[1, 2, 4, 5])];
    let other = histories.part(0, 1);
    let at = [0, other].map(|history| histories.freeze(history, &table, &sets[history]).unwrap());
    let shown = [0, 1].map(|history| frozen(&histories, history, at[history]));

    // 1 is told the one history, 2 and 3 the other; 4 and 5 sign in both.
    let first = histories.certify(shown[0], &table, &sets[0], &[1]).said;
    let second = histories.certify(shown[1], &table, &sets[1], &[2, 3]).said;
    assert_eq!((first.len(), second.len()), (1, 2), "everybody believes what it is told first");
    let in_league = |set: &[Signed]| {
        [4, 5].map(|who| histories.liar.forge_certify(&table.ask, &table.adverts, set, who).unwrap())
    };
    let (of_first, of_second) = (in_league(&sets[0]), in_league(&sets[1]));
    let certificates = [[first, of_first.into()].concat(), [second, of_second.into()].concat()];
    assert_eq!(histories.liar.reveal(&table.ask, &certificates[0], &[1]).code(), "round.too-few");
    assert_eq!(histories.liar.reveal(&table.ask, &certificates[1], &[2, 3]).declined, []);
    assert_eq!(histories.liar.sums_opened(), 1);

    // Whoever is shown the other's history signs nothing by it, and keeps what convicts.
    let again = histories.certify(shown[1], &table, &sets[1], &[1]);
    assert_eq!(again.code(), "ledger.forked");
    let convicted = histories.convicted_by(1).unwrap();
    assert_eq!((convicted.older.size(), convicted.newer.size()), (2, 2));
    assert_eq!(histories.certify(shown[0], &table, &sets[0], &[1]).code(), "stopped");
    // So do any two who compare what they kept.
    assert!(histories.compared(1, 2).is_ok() && histories.compared(3, 1).is_ok());
    assert_eq!(histories.compared(2, 3), Err(ForkError::Consistent), "they were told the same");
    unbroken(&histories);
}

#[test]
fn one_survivor_set_in_two_histories_opens_what_one_history_allows_and_the_next_look_convicts() {
    let (mut histories, table) = collected();
    let other = histories.part(0, 1);
    histories.tell(other);
    let at = [0, other].map(|history| histories.freeze(history, &table, &table.headers).unwrap());
    let shown = [0, 1].map(|history| frozen(&histories, history, at[history]));

    let mut signed = histories.certify(shown[0], &table, &table.headers, &[1]).said;
    signed.extend(histories.certify(shown[1], &table, &table.headers, &[2, 3]).said);
    let forged = [4, 5]
        .map(|who| histories.liar.forge_certify(&table.ask, &table.adverts, &table.headers, who).unwrap());
    signed.extend(forged);
    assert_eq!(histories.liar.reveal(&table.ask, &signed, &[1, 2, 3]).declined, []);
    assert_eq!(histories.liar.sums_opened(), 1, "it is one sum all the same");

    // The two histories can never be told as one again.
    for history in [0, other] {
        histories.tell(history);
    }
    let next = [0, other].map(|history| histories.true_of(history));
    assert!(histories.show(1, next[0]).is_ok() && histories.show(2, next[1]).is_ok());
    assert_eq!(histories.show(1, next[1]), Err("ledger.forked"));
    assert!(histories.convicted_by(1).is_ok());
    // The shorter one is none that 2 has seen, and it proves nothing by itself.
    assert_eq!(histories.show(2, next[0]), Err("ledger.shrunk"));
    assert_eq!(histories.convicted_by(2), Err(ForkError::Malformed));
    unbroken(&histories);
}

#[test]
fn a_set_that_is_on_record_in_another_history_only_is_not_signed() {
    let (mut histories, table) = collected();
    let other = histories.part(0, 1);
    let at = histories.freeze(other, &table, &table.headers).unwrap();
    histories.tell(0);
    let shown = frozen(&histories, 0, at);
    assert_eq!(histories.certify(shown, &table, &table.headers, &[1, 2, 3]).code(), "ledger.not-on-record");
    assert_eq!(histories.liar.sums_opened(), 0);
    unbroken(&histories);
}

/// A random teller: appends, parts histories, shows each participant any of them at any size with any proof, owns up or not.
fn tells(seed: u64) -> (Histories, usize) {
    let rng = &mut ChaCha20Rng::seed_from_u64(seed);
    let mut histories = Histories::of(Liar::new(seed, Engine::Plain, 5, &[]));
    let mut convicted = 0;
    for _ in 0..40 {
        let history = rng.random_range(0..histories.count());
        match rng.random_range(0..8) {
            0 if histories.count() < 4 => {
                let size = rng.random_range(1..=histories.size(history));
                let parted = histories.part(history, size);
                histories.tell(parted);
            }
            0..3 => {
                for _ in 0..rng.random_range(1..4) {
                    histories.tell(history);
                }
            }
            _ => {
                let size = rng.random_range(1..=histories.size(history));
                let size = if rng.random_ratio(3, 4) { histories.size(history) } else { size };
                let other = rng.random_range(0..histories.count());
                let proved = if rng.random_ratio(3, 4) { history } else { other };
                let (index, owned_up) = (rng.random_range(0..size), rng.random_ratio(3, 4));
                let to = rng.random_range(1..=5);
                let looked = histories.show(to, Shown { history, size, index, proved, owned_up });
                let is_forked = looked.err() == Some("ledger.forked");
                convicted += usize::from(is_forked && histories.convicted_by(to).is_ok());
            }
        }
        if histories.violation().is_some() {
            break;
        }
    }
    (histories, convicted)
}

#[test]
fn no_sampled_teller_is_believed_in_two_histories_or_convicted_of_one() {
    let soak = std::env::var_os("SYNDIC_SOAK").is_some();
    let mut convicted = 0;
    for seed in 0..if soak { 10_000 } else { 100 } {
        let (histories, of_this) = tells(seed);
        assert_eq!(histories.violation(), None, "seed {seed}");
        convicted += of_this;
    }
    assert!(convicted > 50, "only {convicted} tellers were found out");
}
