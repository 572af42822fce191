//! Noisy gradients over samples of rows.

use rand_core::Rng as _;

use super::tests::asked;
use super::*;
use crate::fixture::{self, rng};
use crate::job::{LogisticRegressionTerms, Privacy, ProgramTerms, Solver};
use crate::program::question::Question;
use crate::program::run::JobRun;
use crate::program::run::tests as runs;
use crate::{Scoring as _, TableBuilder};

fn job(rounds: u32, epsilon: f64, sample: Option<f64>) -> Job {
    let solver = Solver::NoisyGradient(NoisyGradientTerms { sample, ..NoisyGradientTerms::default() });
    let privacy = runs::record_level(epsilon, 5);
    Job {
        program: ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2: 1e-4 }),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(rounds)
    }
}

/// How many rows an answer says it is of, through noise that is next to none.
fn counted(question: &NoisyQuestion, table: &Table, seed: u64) -> i64 {
    let answer = NoisyGradient::answer(question, table, &mut rng(seed)).unwrap();
    (answer.values().last().unwrap() / ROW as f64).round() as i64
}

#[test]
fn a_sample_is_a_key_of_the_question_only_where_there_is_one() {
    let (all, some) = (asked(&job(5, 1.0, None)), asked(&job(5, 1.0, Some(0.25))));
    let bytes = |question: &NoisyQuestion| {
        String::from_utf8(Question::Noisy(question.clone()).to_bytes().unwrap()).unwrap()
    };
    assert!(!bytes(&all).contains("sample") && bytes(&some).contains("\"sample\":0.25,"), "{}", bytes(&some));
    assert_eq!(Question::from_bytes(bytes(&some).as_bytes()).unwrap(), Question::Noisy(some.clone()));
    // A sample of everything is none, however it came about.
    assert_eq!(asked(&job(5, 1.0, Some(1.0))), all);
    assert!(some.variance < all.variance / 4, "{} {}", some.variance, all.variance);
}

#[test]
fn another_sample_than_the_jobs_is_not_approved() {
    let (all, some) = (job(5, 1.0, None), job(5, 1.0, Some(0.25)));
    let bend = |question: NoisyQuestion, sample| NoisyQuestion { sample, ..question };
    assert!(asked(&some).approved_by(&some).is_ok() && asked(&all).approved_by(&all).is_ok());
    for (question, job) in [
        (bend(asked(&some), Some(0.5)), &some),
        (bend(asked(&some), Some(0.25 + 1e-12)), &some),
        (bend(asked(&some), None), &some),
        (bend(asked(&all), Some(0.25)), &all),
        // The noise of a smaller sample, for all rows.
        (bend(asked(&some), None), &all),
    ] {
        assert_eq!(question.approved_by(job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
}

#[test]
fn a_sample_that_is_no_probability_is_not_answered() {
    let table = fixture::table(50, 0.0, false, 1);
    let fine = asked(&job(5, 1.0, Some(0.25)));
    for sample in [0.0, -0.5, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        let question = NoisyQuestion { sample: Some(sample), ..fine.clone() };
        let refused = NoisyGradient::answer(&question, &table, &mut rng(1)).err().unwrap();
        assert_eq!(refused.code(), "program.bad-question");
        // And no noise keeps such a job: nobody would be asked.
        if sample != 1.0 {
            assert_eq!(job(5, 1.0, Some(sample)).calibration().unwrap_err().code(), "privacy.rate");
        }
    }
}

#[test]
fn an_answer_is_of_so_many_rows_as_the_sample_says() {
    let table = fixture::table(400, 0.0, false, 1);
    let rows = table.rows_for(Role::Train).len() as f64;
    let question = NoisyQuestion { variance: 1, ..asked(&job(5, 1.0, Some(0.2))) };
    let answers = 300;
    let counts: Vec<i64> = (0..answers).map(|seed| counted(&question, &table, seed)).collect();
    let (total, draws) = (counts.iter().sum::<i64>() as f64, rows * answers as f64);
    assert!((total - 0.2 * draws).abs() < 6.0 * (draws * 0.2 * 0.8).sqrt(), "{total} {draws}");
    // Each by itself is binomial: its variance is that, within what 300 of them show.
    let variance =
        counts.iter().map(|count| (*count as f64 - 0.2 * rows).powi(2)).sum::<f64>() / answers as f64;
    assert!((variance / (rows * 0.2 * 0.8) - 1.0).abs() < 0.5, "{variance}");
}

#[test]
fn the_same_randomness_answers_alike_and_other_randomness_otherwise() {
    // What is sent again is what was written down, or was drawn by the same randomness; another answer is drawn anew.
    let table = fixture::table(200, 0.0, false, 1);
    let question = asked(&job(5, 1.0, Some(0.2)));
    let of = |seed| NoisyGradient::answer(&question, &table, &mut rng(seed)).unwrap().values().to_vec();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    let quiet = NoisyQuestion { variance: 1, ..question };
    let counts: Vec<i64> = (0..20).map(|seed| counted(&quiet, &table, seed)).collect();
    assert!(counts.iter().any(|count| *count != counts[0]), "{counts:?}");
}

#[test]
fn a_sample_without_rows_is_answered_with_noise_alone() {
    let contract = fixture::contract();
    let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
    builder.push(1, &["40", "office", "100", "1"], Role::Train);
    let table = builder.finish().unwrap();
    let question = asked(&job(5, 1.0, Some(0.01)));
    let deviation = libm::sqrt(question.variance as f64);
    for seed in 0..20 {
        let answer = NoisyGradient::answer(&question, &table, &mut rng(seed)).unwrap();
        assert_eq!(answer.values().len(), question.model.count() + 1);
        assert!(answer.values().iter().all(|value| value.abs() < 8.0 * deviation + LONGEST as f64));
    }
}

#[test]
fn small_samples_train_to_about_what_all_rows_do() {
    let tables = runs::tables(true);
    let all: Vec<&Table> = tables.iter().collect();
    let learnt = |rounds, sample| {
        let job = job(rounds, 8.0, sample);
        let mut run = JobRun::new(&job);
        let mut next = run.next(None).unwrap();
        loop {
            let question = match next {
                Next::Ask(question) => question,
                Next::Done(ending) => break ending.into_released().unwrap().model,
            };
            question.approved_by(&job).unwrap();
            let layout = question.layout().unwrap();
            let round = u64::from(question.training_round().unwrap());
            let sum = runs::sum_of(&all, 5, &layout, |table, of_table| {
                // Drawn anew in each round.
                let mut own = rng(of_table.next_u64() ^ round);
                JobRun::answer(&question, table, &mut own).unwrap()
            });
            next = run.next(Some(&sum)).unwrap();
        }
        .evaluate(&all, Role::Test)
        .unwrap()
        .unwrap()
    };
    let (whole, sampled) = (learnt(60, None), learnt(120, Some(0.2)));
    assert!(sampled.roc_auc.unwrap() > whole.roc_auc.unwrap() - 0.05, "{sampled:?} {whole:?}");
    assert!(sampled.log_loss < whole.log_loss + 0.05, "{sampled:?} {whole:?}");
}

#[test]
fn what_a_job_claims_says_how_rows_are_drawn() {
    let (all, some) = (job(100, 1.0, None), job(100, 1.0, Some(0.1)));
    let (of_all, of_some) = (all.claim(None).unwrap().unwrap(), some.claim(None).unwrap().unwrap());
    assert!(!of_all.mechanism.contains("sample") && !of_all.accountant.contains("sample"));
    assert!(of_some.mechanism.contains("in a sum with probability 0.1"), "{}", of_some.mechanism);
    assert!(of_some.trust.contains("or which rows they drew") && of_some.accountant.contains("Poisson"));
    let epsilon: f64 = of_some.epsilon.parse().unwrap();
    assert!(epsilon <= 1.0 && epsilon > 0.99, "{epsilon}");
    // Noise in a sum is less beside samples, and what is left beside what the rows say is not.
    let drowned = |job: &Job| job.rows_drowned(5).unwrap() as f64;
    assert!(drowned(&some) > 0.9 * drowned(&all) && drowned(&some) < 2.0 * drowned(&all));
}
