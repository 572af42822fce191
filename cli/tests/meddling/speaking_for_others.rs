//! A4 over the wire: whoever holds a message that another signed cannot hand it in.

use std::sync::Arc;

use syndic_proto::v1::{self, Kind};
use syndic_round::ParticipantId;
use syndic_round::coordinator::Input;
use syndic_round::message::{Context, Decline, Payload};

use crate::between::Meddler;
use crate::known::Known;
use crate::scene::{Fares, Scene, id, payloads};

/// In the place of its verdicts in round 1, participant 2 hands in a no that participant 1 signed.
struct ForAnother;

impl Meddler for ForAnother {
    fn saying(&self, from: ParticipantId, said: v1::Statement, known: &Known) -> v1::Statement {
        let round = said.round.clone().unwrap();
        if from != id(2) || said.kind() != Kind::Ack || round.round != 1 {
            return said;
        }
        let attempt = known.attempt(&round);
        let no = Decline { id: id(1), round: attempt.plan.id, reason: "policy.purpose".into() };
        let signed = no.sign(Context { ctx0: attempt.plan.context(), h1: None }, known.key(id(1)));
        v1::Statement { kind: Kind::Decline.into(), signed: signed.to_bytes().into(), ..said }
    }
}

#[test]
fn a04_a_message_counts_only_from_who_signed_it() {
    let ran = Scene::set(5, 0, Arc::new(ForAnother), |_| Fares::Well).run();
    ran.completed();
    let declined: Vec<Decline> = payloads(&ran.heard(1, 1), |input| match input {
        Input::Decline(signed) => Some(signed),
        _ => None,
    });
    let declined: Vec<_> = declined.iter().map(|no| (no.id.get(), no.reason.as_str())).collect();
    assert_eq!(declined, [(2, "participant.refused")], "only in its own name, that its message was refused");
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 3, 4, 5]);
}
