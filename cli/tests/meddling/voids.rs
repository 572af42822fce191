//! Rule 11: an attempt whose reveals cannot come together is given up for good, and its question asked again.

use std::sync::Arc;

use syndic_coordinator::fact::Fact;
use syndic_proto::v1::{self, Kind};
use syndic_round::coordinator::Input;
use syndic_round::message::Void;
use syndic_round::{ParticipantId, RoundId};

use crate::between::{Meddler, is_reveal};
use crate::known::{Known, What};
use crate::log::{Death, Fate, Plan};
use crate::scene::{Fares, Ran, Scene, id, payloads};

/// A network in which participants 2 and 3 are never asked to reveal in the first attempt at round 1, and 5 is not
/// in the second before 1 has answered.
pub(crate) struct Slow;

#[tonic::async_trait]
impl Meddler for Slow {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        if is_reveal(&duty, 1, 1) && [2, 3].contains(&to.get()) {
            return Vec::new();
        }
        if is_reveal(&duty, 1, 2) && to.get() == 5 {
            known.until_by(id(1), (1, 2), What::Message(Kind::Reveal)).await;
        }
        vec![duty]
    }
}

/// In the first attempt at round 1, participant 1 reveals, 2 and 3 are slow, 4 and 5 lose their keys.
pub(crate) fn fares(who: ParticipantId) -> Fares {
    if who.get() >= 4 { Fares::RestartedBeforeItReveals } else { Fares::Well }
}

const FEDERATION: u16 = 5;
const THRESHOLD: usize = 4;
/// What the policy of this federation's members says: no spot check.
const NEVER: u32 = 0;

#[test]
fn an_attempt_that_cannot_be_opened_is_void_and_its_question_is_asked_again() {
    let ran = Scene::set(FEDERATION, NEVER, Arc::new(Slow), fares).run();
    the_question_was_asked_again(&ran);
}

#[test]
fn a_coordinator_that_dies_while_an_attempt_is_given_up_goes_on() {
    let dies_at =
        |first, fate, death| Plan { of: "syndic.round.void-promised", first, every: None, fate, death };
    let last = THRESHOLD as u64 - 1;
    for plan in [
        dies_at(0, Fate::NotStored, Death::Silent),
        dies_at(1, Fate::Stored, Death::Told),
        dies_at(last, Fate::NotStored, Death::Told),
        dies_at(last, Fate::Stored, Death::Silent),
        Plan { every: Some(1), ..dies_at(0, Fate::Stored, Death::Silent) },
    ] {
        let ran = Scene::set(FEDERATION, NEVER, Arc::new(Slow), fares).run_with_deaths(plan);
        // Promises that come at one moment are one append.
        let most = if plan.every.is_some() { THRESHOLD as u64 } else { 1 };
        assert!((1..=most).contains(&ran.deaths), "{} deaths: {plan:?}", ran.deaths);
        the_question_was_asked_again(&ran);
    }
}

fn the_question_was_asked_again(ran: &Ran) {
    ran.completed();
    assert_eq!((ran.summary.rounds_closed, ran.summary.rounds_abandoned, ran.summary.rounds_open), (3, 1, 0));
    let first = ran.heard(1, 1);
    assert_eq!(ran.who_said(1, 1, Kind::Reveal), [1], "only participant 1 had revealed");
    let promises: Vec<Void> = payloads(&first, |input| match input {
        Input::Void(signed) => Some(signed),
        _ => None,
    });
    let mut promised: Vec<u16> = promises.iter().map(|void| void.id.get()).collect();
    promised.sort_unstable();
    assert_eq!(promised, [2, 3, 4, 5], "each promises once");
    assert!(promises.iter().all(|void| void.round == RoundId { round: 1, attempt: 1 }));
    let abandoned = ran.facts().into_iter().find_map(|fact| match fact {
        Fact::RoundAbandoned { round, reason, .. } => Some((round, reason)),
        _ => None,
    });
    let (round, reason) = abandoned.unwrap();
    assert_eq!(round, RoundId { round: 1, attempt: 1 });
    assert!(reason.contains("gave the attempt up"), "{reason}");

    let plans: Vec<_> = ran.stored.rounds.iter().map(|round| (&round.plan, &round.question)).collect();
    let (again, asked) = (&plans[1], &plans[0]);
    assert_eq!(again.0.id, RoundId { round: 1, attempt: 2 });
    assert_eq!(again.1, asked.1, "it is the same question, in the same words");
    assert!(again.0.terms.number > asked.0.terms.number, "with fresh keys");
    let revealed = ran.who_said(1, 2, Kind::Reveal);
    assert!(revealed.contains(&1), "who had revealed in the void attempt reveals again: {revealed:?}");
    let survivors = ran.exact_sums();
    assert_eq!(survivors.keys().copied().collect::<Vec<_>>(), [(1, 2), (2, 1), (3, 1)]);
    assert_eq!(survivors[&(1, 2)], [1, 2, 3, 4, 5]);
}
