//! What a participant makes of a survivor set that is not, or not so, in the ledger that it is shown.

use std::sync::Arc;

use syndic_proto::v1;
use syndic_round::ParticipantId;

use crate::between::Meddler;
use crate::known::Known;
use crate::scene::{Fares, Scene, id};

/// Alters what participant 2 is shown with its duty to sign the survivor set of round 1.
struct Altered(fn(&mut v1::Duty));

#[tonic::async_trait]
impl Meddler for Altered {
    async fn telling(&self, to: ParticipantId, mut duty: v1::Duty, _: &Known) -> Vec<v1::Duty> {
        let is_first = duty.round.as_ref().is_some_and(|round| round.round == 1);
        if to == id(2) && is_first && matches!(duty.duty, Some(v1::duty::Duty::Certify(_))) {
            (self.0)(&mut duty);
        }
        vec![duty]
    }
}

/// Participant 2 signs nothing in round 1 and says why; the round goes on, and so does participant 2 in the next, also
/// where it kept another checkpoint than the coordinator supposes.
fn refuses(alter: fn(&mut v1::Duty)) -> String {
    let ran = Scene::set(5, 0, Arc::new(Altered(alter)), |_| Fares::Well).run();
    ran.completed();
    assert!(!ran.who_said(1, 1, v1::Kind::Certify).contains(&2));
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3, 4, 5]);
    let declined = ran.declined(1, 1);
    let [(2, code)] = declined.as_slice() else { panic!("{declined:?}") };
    assert!(ran.who_said(2, 1, v1::Kind::Certify).contains(&2), "it is there in the next round");
    code.clone()
}

#[test]
fn a_survivor_set_that_is_not_the_one_on_record_is_not_signed() {
    let code = refuses(|duty| {
        let Some(v1::duty::Duty::Certify(list)) = &mut duty.duty else { panic!("a duty to certify") };
        // Four survivors are enough; the fifth is in the set on record.
        list.signed.pop();
    });
    assert_eq!(code, "ledger.not-on-record");
}

#[test]
fn a_survivor_set_without_a_proof_is_not_signed() {
    assert_eq!(refuses(|duty| duty.ledger = None), "ledger.not-on-record");
}

#[test]
fn an_entry_that_is_not_in_the_ledger_is_not_believed() {
    let code = refuses(|duty| {
        let shown = duty.ledger.as_mut().expect("a proof");
        let entry = String::from_utf8(shown.entry.to_vec()).expect("entries are text");
        shown.entry = entry.replace("coordinator/", "impostor/").into();
    });
    assert_eq!(code, "ledger.not-included");
}

#[test]
fn a_checkpoint_that_the_coordinator_did_not_sign_is_not_believed() {
    let code = refuses(|duty| {
        let shown = duty.ledger.as_mut().expect("a proof");
        let lines: Vec<_> = shown.checkpoint.lines().map(String::from).collect();
        let size: u64 = lines[1].parse().expect("the second line is the size");
        shown.checkpoint = shown.checkpoint.replacen(&size.to_string(), &(size + 1).to_string(), 1);
    });
    assert!(code.starts_with("ledger.note"), "{code}");
}
