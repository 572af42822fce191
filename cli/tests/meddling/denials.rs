//! A participant whose policy does not allow the job.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use syndic_coordinator::fact::Fact;
use syndic_round::ParticipantId;
use syndic_round::coordinator::Input;

use crate::between::Meddler;
use crate::losses::Fate;
use crate::scene::{Fares, Scene, id};

/// Counts how often each participant fetches something.
#[derive(Default)]
struct Counting(Mutex<BTreeMap<ParticipantId, usize>>);

impl Meddler for Counting {
    fn fate(&self, from: ParticipantId, call: &str) -> Fate {
        if call == "Fetch" {
            *self.0.lock().unwrap().entry(from).or_default() += 1;
        }
        Fate::Answered
    }
}

#[test]
fn a_job_that_the_policy_denies_is_not_fetched_anew_and_declined_again_and_again() {
    let meddler = Arc::new(Counting::default());
    let fares = |who| if who == id(2) { Fares::Denying } else { Fares::Well };
    let ran = Scene::set(5, 0, meddler.clone(), fares).run();
    ran.completed();
    let said = ran.facts().into_iter().filter_map(|fact| match fact {
        Fact::Heard { input, .. } => Some(input),
        _ => None,
    });
    let said: Vec<Input> =
        said.filter(|input| input.message().is_some_and(|(_, signed)| signed.from == id(2))).collect();
    assert!(said.len() > 2, "it was asked again and again: {said:?}");
    assert!(said.iter().all(|input| matches!(input, Input::Decline(_))), "{said:?}");
    assert!(ran.exact_sums().values().all(|survivors| survivors == &[1, 3, 4, 5]));
    let fetched = meddler.0.lock().unwrap();
    // The job file, and once more where its answer came too late to be looked at; never a question.
    assert!(fetched[&id(2)] < said.len(), "{} times", fetched[&id(2)]);
    assert!(fetched[&id(1)] > 1);
}
