//! What may follow what: chains, ids and the order of a round.

use crate::common::{Log, log_of};
use serde_json::json;
use syndic_ledger::{Entry, Fault, History};

fn code(result: Result<impl Sized, Fault>) -> &'static str {
    result.map(|_| ()).expect_err("a rule is broken").code()
}

#[test]
fn an_orderly_log_is_accepted_and_replays_to_the_same_state() {
    let log = log_of(60);
    let mut replayed = History::new();
    for (index, bytes) in (0..).zip(&log.entries) {
        assert_eq!(replayed.accept(bytes).unwrap().index, index);
    }
    assert_eq!(replayed.tree(), log.history.tree());
    assert_eq!(replayed.rounds(), log.history.rounds());
    assert_eq!(replayed.types(), log.history.types());
    assert_eq!((replayed.rounds().closed, replayed.rounds().abandoned), (11, 1));
    let (first, last) = replayed.span().unwrap();
    assert_eq!(last.unix_ms() - first.unix_ms(), replayed.size() - 1);
}

#[test]
fn each_entry_of_a_subject_names_the_one_before() {
    let mut log = Log::default();
    let first = log.round_step("opened", 1).unwrap();
    let other = log.round_step("opened", 2).unwrap();
    let second = log.round_step("advertised", 1).unwrap();
    let links = |index: usize| Entry::parse(&log.entries[index]).unwrap().round_prev;
    assert_eq!([links(0), links(1), links(2)], [None, None, Some(first)]);

    let mut unlinked = log.round_entry("submitted", 1);
    for wrong in [None, Some(first), Some(other)] {
        unlinked.round_prev = wrong;
        assert_eq!(code(log.history.check(&unlinked.to_canonical().unwrap())), "ledger.chain-broken");
    }
    unlinked.round_prev = Some(second);
    assert!(log.history.check(&unlinked.to_canonical().unwrap()).is_ok());
}

#[test]
fn an_entry_without_a_subject_links_nothing() {
    let mut log = log_of(3);
    let mut entry = log.draft("syndic.participant.policy", None, json!({}));
    assert!(log.append(entry.clone()).is_ok());
    entry.id = "another".into();
    entry.round_prev = Some(log.history.tree().root());
    assert_eq!(code(log.history.check(&entry.to_canonical().unwrap())), "ledger.chain-broken");
}

#[test]
fn an_id_is_used_once() {
    let mut log = log_of(3);
    let mut again = log.draft("syndic.participant.policy", None, json!({}));
    again.id = format!("{:032x}", 0);
    assert_eq!(code(log.append(again)), "ledger.entry-repeated-id");
}

#[test]
fn a_round_begins_with_its_opening() {
    let mut log = Log::default();
    for step in ["advertised", "closed", "abandoned"] {
        assert_eq!(code(log.round_step(step, 1)), "ledger.round-not-opened");
    }
    let mut note = log.round_entry("advertised", 1);
    note.kind = "bank.example.note".into();
    log.append(note).unwrap();
    assert_eq!(code(log.round_step("advertised", 1)), "ledger.round-not-opened");
    assert_eq!(code(log.round_step("opened", 1)), "ledger.round-reopened");
}

#[test]
fn a_round_is_opened_once() {
    let mut log = Log::default();
    log.round_step("opened", 1).unwrap();
    assert_eq!(code(log.round_step("opened", 1)), "ledger.round-reopened");
}

#[test]
fn nothing_follows_the_end_of_a_round() {
    for end in ["closed", "abandoned"] {
        let mut log = Log::default();
        log.round_step("opened", 1).unwrap();
        log.round_step(end, 1).unwrap();
        for late in ["opened", "submitted", "closed", "abandoned"] {
            assert_eq!(code(log.round_step(late, 1)), "ledger.round-ended");
        }
        let mut note = log.round_entry("submitted", 1);
        note.kind = "bank.example.note".into();
        assert_eq!(code(log.append(note)), "ledger.round-ended");
        assert!(log.round_step("opened", 2).is_ok());
        assert_eq!(log.history.rounds().open, 1);
    }
}

#[test]
fn a_refused_entry_changes_nothing() {
    let mut log = log_of(20);
    let before = format!("{:?}", log.history);
    assert!(log.round_step("submitted", 1).is_err());
    assert!(log.round_step("forgotten", 1).is_err());
    assert!(log.history.accept(b"{}").is_err());
    assert_eq!(format!("{:?}", log.history), before);
}

#[test]
fn a_check_is_void_once_the_log_has_grown() {
    let mut log = Log::default();
    let bytes = log.round_entry("opened", 1).to_canonical().unwrap();
    let checked = log.history.check(&bytes).unwrap();
    log.append(log.draft("syndic.federation.created", None, json!({}))).unwrap();
    assert_eq!(log.history.record(&checked), Err(Fault::Stale { checked: 0, size: 1 }));
}

#[test]
fn a_batch_is_checked_as_if_its_entries_had_been_taken_in_one_by_one() {
    let mut log = log_of(20);
    // A round opens and closes in the batch; an entry of another subject lies between.
    let steps = [("opened", 90), ("opened", 91), ("advertised", 90), ("closed", 90)];
    let mut ahead = Vec::new();
    let mut batch = Vec::new();
    for (position, (step, round)) in steps.into_iter().enumerate() {
        let entry = Entry { id: format!("batch-{position}"), ..log.round_entry(step, round) };
        let bytes = log.history.link_after(&ahead, entry).to_canonical().unwrap();
        ahead.push(log.history.check_after(&ahead, &bytes).unwrap());
        batch.push(bytes);
    }
    let next = |step: &str, id: &str, round: u64| {
        let entry = Entry { id: id.into(), ..log.round_entry(step, round) };
        let bytes = log.history.link_after(&ahead, entry).to_canonical().unwrap();
        log.history.check_after(&ahead, &bytes).map(|_| ())
    };
    assert_eq!(next("advertised", "more", 91), Ok(()));
    assert_eq!(next("advertised", "batch-2", 91), Err(Fault::RepeatedId("batch-2".into())));
    assert_eq!(code(next("advertised", "more", 90)), "ledger.round-ended");
    assert_eq!(code(next("opened", "more", 91)), "ledger.round-reopened");
    let unlinked = Entry { id: "more".into(), ..log.round_entry("advertised", 91) };
    let unlinked = log.history.check_after(&ahead, &unlinked.to_canonical().unwrap());
    assert_eq!(code(unlinked), "ledger.chain-broken");

    let mut one_by_one = log.history.clone();
    batch.iter().for_each(|bytes| drop(one_by_one.accept(bytes).unwrap()));
    ahead.iter().for_each(|accepted| log.history.record(accepted).unwrap());
    assert_eq!(format!("{:?}", log.history), format!("{one_by_one:?}"));
}
