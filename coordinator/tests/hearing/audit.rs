//! Whether a ledger's rounds follow from what participants signed: the whole record, and each way to falsify it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_coordinator::audit::{Audit, AuditError, Audited};
use syndic_coordinator::fact::Fact;
use syndic_ledger::Entry;
use syndic_round::coordinator::Duty;
use syndic_round::{RoundId, RoundPlan};

use crate::house::{House, ends};

/// What the audit says of `entries`, whatever an operator signed.
pub(crate) fn audited(house: &House, entries: &[Entry]) -> Result<Audited, AuditError> {
    let mut audit = Audit::new(house.roster().endorsed()).unwrap();
    for (index, entry) in (0..).zip(entries) {
        audit.take(index, entry)?;
    }
    Ok(audit.found())
}

/// The entries of a round that was closed, and the opening of the next.
async fn one_round() -> (House, Vec<Entry>) {
    let mut house = House::of(5);
    let running = house.running(house.log().await).await;
    ends(async {
        for member in &mut house.members {
            let (plan, duty) = running.duty_of(member.id).await;
            let input = member.play(&running.coordinator, &plan, duty).await;
            running.hear(&input).await.unwrap();
        }
        running.play_until(&mut house.members, |duty| matches!(duty, Duty::Advertise)).await;
    })
    .await;
    drop(running);
    let entries = house.entries().await;
    (house, entries)
}

#[tokio::test]
async fn a_true_record_is_played_again_to_its_end() {
    let (house, entries) = one_round().await;
    let found = audited(&house, &entries).unwrap();
    // Advertisements, shares, acknowledgements and updates of five, t signatures and t reveals at least, and noes to what
    // was prepared ahead.
    assert_eq!((found.rounds, found.key_sums, found.vector_sums), (1, 1, 0));
    assert!(found.messages >= 4 * 5 + 2 * 4, "{found:?}");
    let foreign = Entry { kind: "bank.example.note".into(), data: json!({}), ..entries[0].clone() };
    assert_eq!(audited(&house, &[vec![foreign], entries].concat()).unwrap(), found, "a note changes nothing");
}

#[tokio::test]
async fn what_does_not_follow_is_found_at_its_entry() {
    let (house, entries) = one_round().await;
    let at = |kind: &str| entries.iter().position(|entry| entry.kind == kind).unwrap();
    let other = "0".repeat(64);
    let altered = |kind: &str, key: &str, value: Value| {
        let mut entries = entries.clone();
        entries[at(kind)].data[key] = value;
        (audited(&house, &entries).unwrap_err(), at(kind))
    };
    for (kind, key, value, code) in [
        ("syndic.roster.sealed", "digest", json!(other), "audit.differs"),
        ("syndic.round.frozen", "digest", json!(other), "audit.differs"),
        ("syndic.round.frozen", "survivors", json!([1, 2, 3, 4]), "audit.differs"),
        ("syndic.round.closed", "survivors", json!([1, 2, 3, 4]), "audit.differs"),
        ("syndic.round.closed", "key_sum", json!(other), "audit.differs"),
        ("syndic.round.closed", "transcript", json!(other), "audit.differs"),
        ("syndic.round.closed", "wrong_reveals", json!([3]), "audit.differs"),
        ("syndic.round.closed", "checked", json!(false), "audit.differs"),
        ("syndic.round.closed", "phases", json!([{"phase": "collect"}]), "audit.unreadable"),
        ("syndic.coordinator.started", "incarnation", json!(2), "audit.differs"),
        ("syndic.round.opened", "excused", json!([3]), "audit.differs"),
        ("syndic.round.opened", "lot", json!("statistics"), "audit.differs"),
        ("syndic.preparation.opened", "excused", json!([9]), "audit.differs"),
        ("syndic.round.closed", "sum", json!("nonsense"), "audit.unreadable"),
    ] {
        let (error, index) = altered(kind, key, value);
        assert_eq!((error.code(), error.entry()), (code, index as u64), "{kind} {key}: {error}");
    }

    for kind in ["advertised", "shared", "acknowledged", "submitted", "certified", "revealed"] {
        let kind = format!("syndic.round.{kind}");
        let message = entries[at(&kind)].data["message"].as_str().unwrap();
        let mut bytes = BASE64.decode(message).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let (error, index) = altered(&kind, "message", json!(BASE64.encode(bytes)));
        assert_eq!((error.code(), error.entry()), ("audit.rejected", index as u64), "{kind}: {error}");
    }

    // Messages that are there twice, or not at all.
    for kind in ["advertised", "acknowledged", "submitted", "certified", "revealed"] {
        let kind = format!("syndic.round.{kind}");
        let mut forged = entries.clone();
        let first = at(&kind);
        let second = first + 1 + entries[first + 1..].iter().position(|entry| entry.kind == kind).unwrap();
        forged[second].data = entries[first].data.clone();
        let error = audited(&house, &forged).unwrap_err();
        assert_eq!((error.code(), error.entry()), ("audit.differs", second as u64), "{kind} twice");
        let mut without = entries.clone();
        without.remove(first);
        assert!(audited(&house, &without).is_err(), "{kind} left out");
    }
}

#[tokio::test]
async fn a_place_that_has_its_sum_is_not_opened_again() {
    let (house, entries) = one_round().await;
    let next = entries.iter().rposition(|entry| entry.kind == "syndic.round.opened").unwrap();
    let Ok(Fact::RoundOpened { plan, absent, excused, kind, training_round, lot }) =
        Fact::from_entry(next as u64, &entries[next])
    else {
        panic!("it opens a round")
    };
    let closed = entries.iter().find(|entry| entry.kind == "syndic.round.opened").unwrap();
    let Ok(Fact::RoundOpened { plan: first, kind: first_kind, .. }) = Fact::from_entry(0, closed) else {
        panic!("it opens a round")
    };
    assert_eq!((plan.id.round, plan.id.attempt), (2, 1));
    let opened = |bend: &dyn Fn(&mut RoundPlan), kind: &str, training_round| {
        let mut plan = plan.clone();
        bend(&mut plan);
        let fact = Fact::RoundOpened {
            plan,
            absent: absent.clone(),
            excused: excused.clone(),
            kind: kind.into(),
            training_round,
            lot: lot.clone(),
        };
        let (_, _, data) = fact.to_parts();
        let mut entries = entries[..=next].to_vec();
        entries[next].data = data;
        audited(&house, &entries).map_err(|error| (error.code(), error.entry()))
    };
    assert!(opened(&|_| (), &kind, training_round).is_ok());
    let refused = Err(("audit.differs", next as u64));
    // The round that closed, attempts that were not made, and rounds that were left out.
    for (round, attempt) in [(1, 1), (1, 2), (2, 2), (3, 1)] {
        let found = opened(&|plan| plan.id = RoundId { round, attempt }, &kind, training_round);
        assert_eq!(found, refused, "{round}.{attempt}");
    }
    assert_eq!(opened(&|_| (), &first_kind, None), refused, "the kind of question that has its sum");
    assert_eq!(opened(&|plan| plan.question = first.question, &kind, training_round), refused);
}
