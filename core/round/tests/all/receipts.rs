//! What a receipt proves, and of what alone.

#![allow(clippy::unwrap_used, reason = "helpers fail like the tests that call them")]

use crate::support::{Table, id, plan};
use syndic_round::coordinator::Input;
use syndic_round::message::Kind;
use syndic_round::receipt::{Receipt, Received};
use syndic_round::{JobId, RoundId, Timestamp};

#[test]
fn a_receipt_is_for_one_message_in_one_place_of_one_coordinator() {
    let mut table = Table::open(plan());
    let Some(Input::Advertise(message)) = table.play(id(1)) else { panic!("an advertisement is owed") };
    let Some(Input::Advertise(other)) = table.play(id(2)) else { panic!("an advertisement is owed") };
    let (job, another_job) = (JobId::new("churn").unwrap(), JobId::new("fraud").unwrap());
    let (key, another_key) = (table.federation.key(id(3)), table.federation.key(id(4)));
    let right = Received {
        federation: "banks",
        job: &job,
        round: RoundId { round: 3, attempt: 1 },
        kind: Kind::Advertise,
        message: &message,
    };
    let receipt = Receipt::sign(&right, Timestamp(77), key);
    let same = Receipt::from_bytes(&receipt.to_bytes()).unwrap();
    assert_eq!(same, receipt);
    assert!(receipt.is_for(&right, &key.verifying_key()));
    let wrong = [
        Received { federation: "telcos", ..right },
        Received { job: &another_job, ..right },
        Received { round: RoundId { round: 3, attempt: 2 }, ..right },
        Received { round: RoundId { round: 1, attempt: 3 }, ..right },
        Received { kind: Kind::Ack, ..right },
        Received { message: &other, ..right },
    ];
    for wrong in wrong {
        assert!(!receipt.is_for(&wrong, &key.verifying_key()), "{wrong:?}");
    }
    assert!(!receipt.is_for(&right, &another_key.verifying_key()));
    assert!(!Receipt { at: Timestamp(78), ..receipt }.is_for(&right, &key.verifying_key()));
    assert!(Receipt::from_bytes(&receipt.to_bytes()[1..]).is_err());
}
