//! Rule 7 over the wire: what a participant makes of a question that its job cannot lead to.

use std::sync::Arc;

use syndic_learning::Question;
use syndic_proto::v1;
use syndic_round::coordinator::Input;
use syndic_round::{Carrier, ParticipantId, PreparationTerms, RoundId, RoundPlan};

use crate::between::Meddler;
use crate::known::{Known, What};
use crate::scene::{Fares, Scene, id};

/// Asks participant 2 to train on its rows more often than the job says.
struct Greedy;

#[tonic::async_trait]
impl Meddler for Greedy {
    fn asking(&self, to: ParticipantId, mut question: Question) -> Question {
        if let (Question::Train(train), true) = (&mut question, to == id(2)) {
            train.local.epochs += 1;
        }
        question
    }
}

#[test]
fn a12_a_question_that_departs_from_the_job_is_not_answered() {
    let ran = Scene::set(5, 0, Arc::new(Greedy), |_| Fares::Well).run();
    ran.completed();
    let declined = ran.declined(2, 1);
    assert_eq!(declined, [(2, "program.not-approved".into())]);
    let submitted = |input: &Input| matches!(input, Input::Submit(signed, _) if signed.from == id(2));
    assert!(!ran.heard(2, 1).iter().any(submitted), "its keys are shared, and carry nothing");
    let sums = ran.exact_sums();
    assert_eq!(
        (sums[&(1, 1)].as_slice(), sums[&(2, 1)].as_slice()),
        (&[1, 2, 3, 4, 5][..], &[1, 3, 4, 5][..])
    );
}

/// Tells participant 2 in round 1 that its vector is to be shared itself, which the job does not say.
struct OtherWay;

#[tonic::async_trait]
impl Meddler for OtherWay {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, _: &Known) -> Vec<v1::Duty> {
        match RoundPlan::from_bytes(&duty.plan) {
            Ok(plan) if to == id(2) && plan.id.round == 1 => {
                let plan = RoundPlan { carrier: Carrier::Shares, ..plan };
                vec![v1::Duty { plan: plan.to_bytes().into(), ..duty }]
            }
            _ => vec![duty],
        }
    }
}

#[test]
fn a13_a_vector_is_not_shared_itself_unless_the_job_says_so() {
    let ran = Scene::set(5, 0, Arc::new(OtherWay), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(ran.declined(1, 1), [(2, "round.not-agreed".into())]);
    let shared = |input: &Input| matches!(input, Input::Deal(signed, _) if signed.from == id(2));
    assert!(!ran.heard(1, 1).iter().any(shared), "nothing of it was shared");
    assert!(!ran.exact_sums()[&(1, 1)].contains(&2));
}

/// Asks participant 1 in round 2 for its update under terms that are not those of the preparation made ahead.
struct OtherTerms;

#[tonic::async_trait]
impl Meddler for OtherTerms {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, _: &Known) -> Vec<v1::Duty> {
        match (RoundPlan::from_bytes(&duty.plan), &duty.duty) {
            (Ok(mut plan), Some(v1::duty::Duty::Submit(_))) if to == id(1) && plan.id.round == 2 => {
                plan.terms.deadlines.reveal += 1;
                vec![v1::Duty { plan: plan.to_bytes().into(), ..duty }]
            }
            _ => vec![duty],
        }
    }
}

#[test]
fn a37_keys_prepared_ahead_serve_no_plan_of_other_terms() {
    let ran = Scene::set(5, 0, Arc::new(OtherTerms), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(ran.declined(2, 1), [(1, "round.mismatch".into())]);
    let submitted = |input: &Input| matches!(input, Input::Submit(signed, _) if signed.from == id(1));
    assert!(!ran.heard(2, 1).iter().any(submitted));
    assert_eq!(ran.exact_sums()[&(2, 1)], [2, 3, 4, 5]);
}

/// Asks participant 2, before anything else in round 1, for a signature in a round that is not.
struct AnotherRound;

#[tonic::async_trait]
impl Meddler for AnotherRound {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, _: &Known) -> Vec<v1::Duty> {
        match (RoundPlan::from_bytes(&duty.plan), &duty.duty) {
            (Ok(mut plan), Some(v1::duty::Duty::Submit(_))) if to == id(2) && plan.id.round == 1 => {
                plan.id.round = 99;
                let round = Some(v1::RoundRef { round: 99, ..duty.round.clone().unwrap() });
                vec![v1::Duty { round, plan: plan.to_bytes().into(), ..duty.clone() }, duty]
            }
            _ => vec![duty],
        }
    }
}

#[test]
fn a_duty_of_another_round_is_declined_and_costs_nothing_in_this_one() {
    let ran = Scene::set(5, 0, Arc::new(AnotherRound), |_| Fares::Well).run();
    ran.completed();
    let declined = What::Declined("participant.restarted".into());
    assert!(ran.known.said().iter().any(|said| (said.round.round, &said.what) == (99, &declined)));
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3, 4, 5]);
}

/// Asks participant 1 for its update in round 2 before it is asked to acknowledge the keys that are made ahead for it.
struct TooEarly;

#[tonic::async_trait]
impl Meddler for TooEarly {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        let acknowledges = matches!(duty.duty, Some(v1::duty::Duty::Acknowledge(_)));
        match PreparationTerms::from_bytes(&duty.plan) {
            Ok(terms) if to == id(1) && acknowledges && terms.number == 2 => {
                let (job, preparation) = (terms.job.to_string(), 0);
                let first = v1::RoundRef { job, round: 1, attempt: 1, preparation };
                let plan = known.attempt(&first).plan.clone();
                let plan = RoundPlan { id: RoundId { round: 2, attempt: 1 }, terms, ..plan };
                let submit = v1::Duty {
                    round: Some(v1::RoundRef { round: 2, ..first }),
                    plan: plan.to_bytes().into(),
                    duty: Some(v1::duty::Duty::Submit(v1::SignedList::default())),
                    ..v1::Duty::default()
                };
                vec![submit, duty]
            }
            _ => vec![duty],
        }
    }
}

#[test]
fn keys_that_were_not_acknowledged_are_taken_up_too_early_and_still_serve_once_they_were() {
    let ran = Scene::set(5, 0, Arc::new(TooEarly), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(ran.declined(2, 1), [(1, "round.early".into())], "no mismatch: the terms are the same");
    assert_eq!(ran.exact_sums()[&(2, 1)], [1, 2, 3, 4, 5]);
}
