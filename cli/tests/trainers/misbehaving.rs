//! One of four trainers misbehaves: its institution declines with the reason, the others go on, and so does it once its
//! trainer does.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use syndic_learning::Model;
use syndic_participant::agent::Agent;
use syndic_participant::journal::Journal;
use tokio::runtime::Runtime;

use crate::federation::{Federation, JOB, agent_with, journal_of};
use crate::run::{Ran, run};
use crate::scripted::{NAME, Script, Scripted, Step, scores, update};

const BANKS: u16 = 4;
const ROUNDS: usize = 3;

/// Two numbers, in three rounds; of no phase but this test's own does anybody wait for the end.
fn job() -> String {
    let program = format!(
        "[program]\nname = \"external\"\ntrainer = \"{NAME}\"\nclip = 1\ntensors = [{{ name = \"w\", shape = [2] }}]\n"
    );
    let (before, rest) = JOB.split_once("[program]").unwrap();
    let (_, after) = rest.split_once("[rounds]").unwrap();
    format!("{before}{program}[rounds]{after}").replace("count = 1", &format!("count = {ROUNDS}"))
}

/// Moves the first number by as much as all good trainers do. Each model scores better than the one before, two in five rows being
/// positive, so that the last is released.
fn good() -> Script {
    let asked = AtomicUsize::new(0);
    let score = move |rows: usize| {
        let probability = 0.5 - 0.03 * asked.fetch_add(1, Ordering::Relaxed) as f64;
        vec![Step::Say(scores(&vec![probability; rows]))]
    };
    let script = Script::idle(2).training(vec![Step::Say(update(0, &[STEP, 0.0]))]);
    Script { score: Arc::new(score), ..script }
}

/// Behaves like this in the first round, and well in the others.
fn at_first(steps: Vec<Step<syndic_proto::trainer::v1::TrainedPart>>) -> Script {
    let well = good().train;
    let train = move |before| if before == 0 { steps.clone() } else { well(before) };
    Script { train: Arc::new(train), ..good() }
}

async fn agents(federation: &Federation, folder: &Path, trainers: &[Scripted]) -> Vec<Agent> {
    let mut agents = Vec::new();
    for (enrolment, trainer) in federation.enrolments().into_iter().zip(trainers) {
        let journal = Journal::open(&journal_of(&enrolment, folder)).await.unwrap();
        agents.push(
            agent_with(enrolment, journal, &federation.job, 40, 0).with_trainer(Some(trainer.config())),
        );
    }
    agents
}

fn with_one(odd: Script) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let federation = Federation::found(BANKS).with_job(job());
    let trainers: Vec<Scripted> = [odd, good(), good(), good()].map(Script::start).into();
    Runtime::new().unwrap().block_on(async {
        let agents = agents(&federation, folder.path(), &trainers).await;
        run(&federation, folder.path(), agents).await
    })
}

/// Where the first number stands at the end.
fn learnt(ran: &Ran) -> f64 {
    let Model::External(model) = &ran.outcome.model else { panic!("an external model") };
    model.state.parameters[0]
}

fn is_close(found: f64, expected: f64) -> bool {
    // Each of three sums is rounded at each of four institutions.
    (found - expected).abs() < f64::from(3 * 4) / f64::from(1 << 19)
}

#[test]
fn one_round_goes_on_without_who_has_no_update_and_the_next_with_it() {
    for (steps, code) in [
        (vec![Step::Refuse(WORDS)], "trainer.refused"),
        (vec![Step::Say(update(0, &[f64::NAN, 0.0]))], "trainer.bad-update"),
    ] {
        let ran = with_one(at_first(steps));
        assert_eq!(ran.declined(), [("bank_01".to_owned(), code.to_owned())]);
        assert_eq!(ran.survivors("train"), [3, 4, 4]);
        assert!(is_close(learnt(&ran), 3.0 * STEP), "{}", learnt(&ran));
        assert!(
            ran.ledger.contains(code) && !ran.ledger.contains(WORDS),
            "only the code leaves the institution"
        );
    }
}

#[test]
fn a_trainer_that_has_died_is_missed_in_every_round_and_nothing_else_is() {
    let ran = with_one(at_first(vec![Step::Say(update(0, &[STEP])), Step::Die]));
    let declined = ran.declined();
    assert!(declined.iter().all(|(who, _)| who == "bank_01"), "{declined:?}");
    assert_eq!(declined[0].1, "trainer.died");
    assert!(declined[1..].iter().all(|(_, code)| code == "trainer.unreachable"), "{declined:?}");
    assert_eq!(ran.survivors("train"), [3, 3, 3]);
    assert!(is_close(learnt(&ran), 3.0 * STEP), "{}", learnt(&ran));
}

#[test]
fn what_one_trainer_changes_is_bounded_by_the_job_and_weighted_by_its_rows() {
    let ran = with_one(at_first(vec![Step::Say(update(0, &[1e12, 0.0]))]));
    assert_eq!(ran.declined(), []);
    assert_eq!(ran.survivors("train"), [4, 4, 4]);
    // All have as many rows; in the first round one of them has the bound of the job in the place of a step.
    let expected = 3.0 * STEP + (1.0 - STEP) / f64::from(BANKS);
    assert!(is_close(learnt(&ran), expected), "{}", learnt(&ran));
}

#[test]
fn an_institution_without_the_trainer_declines_before_it_reads_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let federation = Federation::found(BANKS).with_job(job());
    let trainers: Vec<Scripted> = [good(), good(), good(), good()].map(Script::start).into();
    let ran = Runtime::new().unwrap().block_on(async {
        let mut agents = agents(&federation, folder.path(), &trainers).await;
        let without = agents.remove(0).with_trainer(None);
        agents.push(without);
        run(&federation, folder.path(), agents).await
    });
    let declined = ran.declined();
    assert!(!declined.is_empty());
    assert!(
        declined.iter().all(|no| *no == ("bank_01".into(), "trainer.not-offered".into())),
        "{declined:?}"
    );
    assert_eq!(ran.survivors("train"), [3, 3, 3]);
    assert!(trainers[0].heard().training.lock().unwrap().is_empty());
}

const STEP: f64 = 0.25;
const WORDS: &str = "Jane Doe owes 8731";
