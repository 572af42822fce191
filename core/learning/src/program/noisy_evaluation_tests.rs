use super::*;
use crate::coefficients::Coefficients;
use crate::fixture::{self, rng, uniform};
use crate::job::{LogisticRegressionTerms, Privacy, ProgramTerms, RecordLevelTerms, Solver};
use crate::program::logistic_regression::noisy::{NoisyGradientTerms, public_standardisation};
use crate::program::question::Question;
use crate::program::run::{JobRun, tests as runs};

pub(in crate::program) fn job(epsilon: f64, test_bins: Option<u16>) -> Job {
    let solver = Solver::NoisyGradient(NoisyGradientTerms::default());
    let privacy = RecordLevelTerms { test_bins, ..runs::record_level(epsilon, 2) };
    Job {
        program: ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2: 1e-4 }),
        privacy: Privacy::RecordLevel(privacy),
        ..runs::job(10)
    }
}

/// Plays the job to its end: the questions, and what came of it.
pub(in crate::program) fn played(job: &Job, tables: &[Table]) -> (Vec<Question>, JobRun) {
    let (mut run, mut asked) = (JobRun::new(job), Vec::new());
    let mut next = run.next(None).unwrap();
    while let Next::Ask(question) = next {
        question.approved_by(job).unwrap();
        let all: Vec<&Table> = tables.iter().collect();
        let sum = runs::sum_of(&all, 5, &question.layout().unwrap(), |table, rng| {
            JobRun::answer(&question, table, rng).unwrap()
        });
        let foretold = run.next_layout();
        next = run.next(Some(&sum)).unwrap();
        if let Next::Ask(next) = &next {
            assert_eq!(foretold, Some(next.layout().unwrap()));
        }
        asked.push(question);
    }
    (asked, run)
}

#[test]
fn a_job_measures_its_last_model_once_and_near_to_what_it_is() {
    let (job, tables) = (job(8.0, Some(64)), runs::tables(false));
    let (asked, mut run) = played(&job, &tables);
    let kinds: Vec<&str> = asked.iter().map(Question::kind).collect();
    assert_eq!((kinds.len(), kinds.iter().filter(|kind| **kind == "evaluate").count()), (11, 1));
    let last = asked.last().unwrap();
    assert!(last.adds_noise() && last.slot() == "evaluate/10" && last.training_round() == Some(10));
    assert_eq!(Question::from_bytes(&last.to_bytes().unwrap()).unwrap(), *last);

    let Next::Done(ending) = run.next(None).unwrap() else { panic!("the job is over") };
    let outcome = ending.into_released().unwrap();
    let exact = outcome.model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Test).unwrap().unwrap();
    let [measured] = run.metrics() else { panic!("measured once: {:?}", run.metrics()) };
    let (noisy, claim) = (measured.test.unwrap(), outcome.privacy.unwrap().evaluation.unwrap());
    assert!((noisy.roc_auc.unwrap() - exact.roc_auc.unwrap()).abs() < 0.05, "{noisy:?} and {exact:?}");
    assert!((noisy.log_loss - exact.log_loss).abs() < 0.05, "{noisy:?} and {exact:?}");
    assert!(claim.contains("leaves ROC-AUC uncertain by 0.0"), "{claim}");
}

#[test]
fn what_nobody_asks_for_is_not_measured() {
    let (asked, run) = played(&job(8.0, None), &runs::tables(false));
    assert!(asked.iter().all(|question| question.kind() == "train"));
    assert!(run.metrics().iter().all(|metrics| metrics.test.is_none()));
}

#[test]
fn a_row_moves_one_count_by_what_is_accounted_for() {
    let job = job(1.0, Some(32));
    let question = question(&job);
    let mut exact = question.clone();
    // Noise of one seed is the same in both.
    exact.variance = 1;
    let answer = |rows| {
        let table = crate::fixture::table(rows, 0.3, false, 5);
        NoisyEvaluation::answer(&exact, &table, &mut rng(3)).unwrap().values().to_vec()
    };
    let most = mechanism(32, &[], 1).l2;
    // Every fifth row is a test row, the first of all included.
    for (rows, moves) in [(400, vec![most]), (401, vec![]), (405, vec![most])] {
        let (fewer, more) = (answer(rows), answer(rows + 1));
        let moved = more.iter().zip(&fewer).map(|(more, fewer)| more - fewer).filter(|moved| *moved != 0.0);
        assert_eq!(moved.collect::<Vec<_>>(), moves, "{rows}");
    }
}

#[test]
fn other_noise_other_bins_and_other_jobs_are_not_approved() {
    let job = job(1.0, Some(32));
    let fine = question(&job);
    assert!(fine.approved_by(&job).is_ok());
    let bent: [fn(&mut NoisyEvaluateQuestion); 7] = [
        |question| question.variance -= 1,
        |question| question.bins = 33,
        |question| question.max_rows += 1,
        |question| question.training_round = 0,
        |question| question.training_round = 9,
        |question| question.training_round = 11,
        |question| {
            if let Scorer::Linear { coefficients, .. } = &mut question.scorer {
                coefficients.weights.push(0.0);
            }
        },
    ];
    for bend in bent {
        let mut question = fine.clone();
        bend(&mut question);
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
    for other in [self::job(1.0, None), runs::job(10)] {
        assert_eq!(fine.approved_by(&other).unwrap_err().code(), "program.not-approved");
    }
}

/// The last question of a job that measures.
fn question(job: &Job) -> NoisyEvaluateQuestion {
    let (asked, _) = played(job, &runs::tables(false));
    let Some(Question::NoisyEvaluate(question)) = asked.last() else { panic!("it is not measured") };
    question.clone()
}

#[test]
fn no_row_is_lost_at_the_ends() {
    assert_eq!(inner(&[1, 2, 3, 4, 5, 6, 7, 8], 4), [6, 4, 5, 21]);
    assert_eq!(inner(&[1, 2, 3, 4, 5, 6], 3), [3, 3, 15]);
}

#[test]
fn without_noise_figures_are_those_of_the_histograms() {
    let (negative, positive) = counts(7);
    let histogram = ScoreHistogram {
        negative: negative.iter().map(|count| *count as u64).collect(),
        positive: positive.iter().map(|count| *count as u64).collect(),
    };
    let exact = Metrics::from_histogram(&histogram, 0.0).unwrap();
    let noisy = figures(&negative, &positive, 0.0).unwrap();
    assert!((noisy.metrics.roc_auc.unwrap() - exact.roc_auc.unwrap()).abs() < 1e-12);
    assert!((noisy.metrics.pr_auc.unwrap() - exact.pr_auc.unwrap()).abs() < 0.02);
    assert_eq!((noisy.metrics.rows, noisy.metrics.positives), (exact.rows, exact.positives));
    assert_eq!((noisy.roc_auc_deviation, noisy.log_loss_deviation), (0.0, 0.0));
}

#[test]
fn noise_spreads_figures_as_far_as_is_told_and_shifts_none() {
    let (negative, positive) = counts(8);
    let exact = figures(&negative, &positive, 0.0).unwrap().metrics;
    let noise = 6.0;
    let mut rng = rng(9);
    let mut noised = |counts: &[f64]| -> Vec<f64> {
        // The sum of twelve uniform numbers has variance one.
        let mut gaussian = || (0..12).map(|_| uniform(&mut rng)).sum::<f64>() - 6.0;
        counts.iter().map(|count| count + noise * gaussian()).collect()
    };
    let seen: Vec<NoisyMetrics> =
        (0..2000).map(|_| figures(&noised(&negative), &noised(&positive), noise).unwrap()).collect();
    for (what, exact, of, told) in [
        (
            "AUC",
            exact.roc_auc.unwrap(),
            auc as fn(&NoisyMetrics) -> f64,
            deviation as fn(&NoisyMetrics) -> f64,
        ),
        ("log-loss", exact.log_loss, |seen| seen.metrics.log_loss, |seen| seen.log_loss_deviation),
    ] {
        let mean = seen.iter().map(of).sum::<f64>() / seen.len() as f64;
        let spread =
            (seen.iter().map(|one| (of(one) - mean).powi(2)).sum::<f64>() / seen.len() as f64).sqrt();
        let told = seen.iter().map(told).sum::<f64>() / seen.len() as f64;
        assert!((spread / told - 1.0).abs() < 0.1, "{what}: spread {spread}, told {told}");
        assert!((mean - exact).abs() < 0.2 * spread, "{what}: mean {mean}, exact {exact}, spread {spread}");
    }
}

#[test]
fn rows_that_noise_hides_have_no_figures() {
    let few = vec![0.5; 64];
    assert_eq!(figures(&few, &few, 6.0), None);
    assert_eq!(figures(&[-1.0, 0.0], &[3.0, 400.0], 1.0), None);
}

fn auc(seen: &NoisyMetrics) -> f64 {
    seen.metrics.roc_auc.unwrap()
}

fn deviation(seen: &NoisyMetrics) -> f64 {
    seen.roc_auc_deviation
}

/// Counts by class of a model that has learnt something, in 64 bins.
fn counts(seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut rng = rng(seed);
    let (mut negative, mut positive) = (vec![0.0; 64], vec![0.0; 64]);
    for row in 0..6000 {
        let place = uniform(&mut rng) + uniform(&mut rng) + if row % 4 == 0 { 0.5 } else { 0.0 };
        let class = if row % 4 == 0 { &mut positive } else { &mut negative };
        class[20 + (place * 8.0) as usize] += 1.0;
    }
    (negative, positive)
}

#[test]
fn a_row_that_lacks_values_moves_one_count_as_any_other() {
    for seed in 0..40 {
        let mut table = fixture::table_with_gaps(60, seed);
        let contract = table.contract().clone();
        let mut rng = rng(seed);
        let scale = [0.1, 3.0, 1e3, 1e308][seed as usize % 4];
        let weights = (0..contract.inputs()).map(|_| scale * (2.0 * uniform(&mut rng) - 1.0)).collect();
        let question = NoisyEvaluateQuestion {
            training_round: 1,
            scorer: Scorer::Linear {
                coefficients: Coefficients { weights, intercept: 0.1 },
                standardisation: public_standardisation(&contract),
            },
            bins: 64,
            variance: 100,
            max_rows: contract.max_rows,
            groups: Vec::new(),
            sizes: Vec::new(),
        };
        // Of the same noise.
        let of = |table: &Table| {
            NoisyEvaluation::answer(&question, table, &mut fixture::rng(9)).unwrap().values().to_vec()
        };
        let all = of(&table);
        for row in table.rows_for(Role::Test) {
            table.roles[row] = Role::Train;
            let without = of(&table);
            table.roles[row] = Role::Test;
            let moved: Vec<f64> =
                all.iter().zip(&without).map(|(a, b)| a - b).filter(|by| *by != 0.0).collect();
            assert_eq!(moved, [ROW as f64], "{seed}, row {row}");
        }
    }
}
