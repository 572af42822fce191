//! Opened sums: whatever institutions bring to a sum, the coordinator's half of a program stays sound.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_learning::{Job, JobRun, Model, Next, Program, Question};
use syndic_round::{Coding, Layout, ParameterSet, Sum};

use super::approved::{NEWTON, SMALL, TABLE, TREES};
use crate::script::Script;

/// A job from its first question on: how each sum is made up, and where it is altered.
pub(super) fn run(input: &[u8]) {
    let mut script = Script::new(input);
    // By averaging, by Newton's method, and trees.
    let jobs: [&Job; 3] = [&SMALL, &NEWTON, &TREES];
    let job = jobs[usize::from(script.u8()) % jobs.len()];
    let mut run = JobRun::new(job);
    for _ in 0..MOST_SUMS {
        let before = format!("{run:?}");
        let question = match run.next(None).expect("a run knows what it asks") {
            Next::Ask(question) => question,
            Next::Done(ending) => {
                let outcome = ending.into_released().expect("these jobs train");
                let weights = outcome.model.to_safetensors().expect("finite numbers");
                let card =
                    serde_json::to_string(&outcome.card(&weights, Default::default())).expect("a card");
                assert_eq!(Model::load(&weights, &card).expect("what is released is read").0, outcome.model);
                return;
            }
        };
        assert!(question.to_bytes().is_ok(), "a question that has no bytes: {question:?}");
        assert!(question.approved_by(job).is_ok(), "a question that nobody approved: {question:?}");
        let layout = question.layout().expect("a question of ours");
        let Some(sum) = sum(&question, layout, &mut script) else { return };
        if run.next(Some(&sum)).is_err() {
            assert_eq!(format!("{run:?}"), before, "a refused sum changed the run");
        }
        if script.is_over() {
            return;
        }
    }
}

/// The honest answer of some institutions, with a few steps altered; or the bytes of a stored sum.
fn sum(question: &Question, layout: Layout, script: &mut Script<'_>) -> Option<Sum> {
    let mode = script.u8();
    let survivors = 1 + u16::from(script.u8() % 5);
    let mut rng = ChaCha20Rng::seed_from_u64(mode.into());
    let coding = Coding::new(ParameterSet::S32, 5);
    let answer = JobRun::answer(question, &TABLE, &mut rng).ok()?.clip().quantise(&coding, &mut rng);
    let mut coefficients: Vec<i64> =
        answer.coefficients().iter().map(|step| step * i64::from(survivors)).collect();
    for _ in 0..mode % 8 {
        let (at, value) = (usize::from(script.u16()) % coefficients.len(), script.u64() as i64);
        coefficients[at] = match script.u8() % 4 {
            0 => value,
            1 => value >> 40,
            2 => -coefficients[at],
            _ => 0,
        };
    }
    let sum = Sum::decode(layout.clone(), &coding, survivors, &coefficients).ok()?;
    let stored = sum.to_bytes();
    let again = Sum::from_bytes(layout.clone(), &stored).expect("what is written is read");
    assert_eq!(again, sum, "a sum changes on its way");
    let at = usize::from(script.u8());
    if let Some(torn) = stored.get(..at) {
        let _ = Sum::from_bytes(layout, torn);
    }
    Some(sum)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let honest = [0, 4, 9].repeat(MOST_SUMS);
    let altered = |mode: u8, how: u8| [&[1, 2, 0, 12], &[0, 0, 0, 0, 0, mode, 1, 7][..], &[how, 0]].concat();
    let of_a_job = [
        honest,
        [altered(0, 0), vec![0, 4, 9, 0, 4, 9]].concat(),
        [vec![0, 4, 9], altered(9, 1), vec![0, 4, 9]].concat(),
        [vec![0, 4, 9], altered(1, 2), altered(255, 1)].concat(),
    ];
    (0..3).flat_map(|job| of_a_job.iter().map(move |sums| [&[job], sums.as_slice()].concat())).collect()
}

/// As many as the longest of the jobs asks for: statistics, bins, four trees of two depths and their evaluations, and a
/// comparison of groups.
const MOST_SUMS: usize = 15;
