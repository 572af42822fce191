//! Replay of what was verified before: it leads to the same round, and whoever speaks next is verified all the same.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{START, Table, id, plan};
use syndic_round::coordinator::{Input, Preparation, Round};
use syndic_round::message::Kind;
use syndic_round::{Rejection, Signatures, Signed, Timestamp};

/// The round that a record leads to whose signatures were verified before.
fn replayed(table: &Table, record: &[(Timestamp, Input)]) -> Round {
    let (plan, roster) = (table.round.plan().clone(), table.federation.roster.clone());
    let opened = Round::open(plan, roster, START).unwrap();
    record
        .iter()
        .fold(opened, |mut round, (now, input)| round.replay(*now, input, Signatures::Verified).unwrap().next)
}

/// The same input with a signature that nobody made.
fn forged(input: &Input) -> Option<Input> {
    let forged = |signed: &Signed| {
        let mut signed = signed.clone();
        signed.signature[63] ^= 1;
        signed
    };
    Some(match input {
        Input::Advertise(signed) => Input::Advertise(forged(signed)),
        Input::Deal(signed, bundle) => Input::Deal(forged(signed), bundle.clone()),
        Input::Acknowledge(signed) => Input::Acknowledge(forged(signed)),
        Input::Submit(signed, upload) => Input::Submit(forged(signed), *upload),
        Input::Certify(signed) => Input::Certify(forged(signed)),
        Input::Reveal(signed) => Input::Reveal(forged(signed)),
        _ => return None,
    })
}

#[test]
fn what_was_verified_is_replayed_to_the_same_round() {
    for gone in [None, Some(Kind::Dealing), Some(Kind::Header), Some(Kind::Reveal)] {
        let mut table = Table::open(plan());
        if let Some(kind) = gone {
            table.vanish(id(3), kind);
        }
        table.play_out();
        assert_eq!(
            format!("{:?}", replayed(&table, &table.record)),
            format!("{:?}", table.round),
            "{gone:?}"
        );
    }
}

#[test]
fn after_any_part_of_a_round_was_replayed_unverified_a_forged_message_is_refused() {
    let mut table = Table::open(plan());
    table.play_out();
    let mut tried = 0;
    for (next, (now, input)) in table.record.iter().enumerate() {
        let Some(forged) = forged(input) else { continue };
        let mut round = replayed(&table, &table.record[..next]);
        let from = input.message().unwrap().1.from;
        let refused = |step: Result<_, _>| step.map(|_: ()| ()) == Err(Rejection::BadSignature { from });
        assert!(refused(round.step(*now, &forged).map(drop)), "{forged:?}");
        assert!(refused(round.replay(*now, &forged, Signatures::Unverified).map(drop)), "{forged:?}");
        assert!(round.replay(*now, &forged, Signatures::Verified).is_ok(), "its signature is not looked at");
        assert!(round.step(*now, input).unwrap().changed, "the true one is accepted");
        tried += 1;
    }
    assert!(tried > 20, "{tried} messages");
}

#[test]
fn after_a_preparation_was_replayed_unverified_a_forged_message_is_refused() {
    let mut table = Table::open(plan());
    table.play_until("collecting");
    let (terms, roster) = (table.round.plan().terms.clone(), table.federation.roster.clone());
    let mut ahead = Preparation::open(terms, roster, START).unwrap();
    for (now, input) in &table.record {
        let forged = forged(input).unwrap();
        let from = input.message().unwrap().1.from;
        let refused = ahead.step(*now, &forged).map(drop);
        assert_eq!(refused, Err(Rejection::BadSignature { from }), "{forged:?}");
        ahead = ahead.replay(*now, input, Signatures::Verified).unwrap().0;
    }
    assert!(ahead.wake_at().is_none(), "it is ready");
}
