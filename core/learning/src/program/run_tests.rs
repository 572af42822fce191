use rand_chacha::ChaCha20Rng;
use syndic_round::{Coding, Layout, ParameterSet};

use super::*;
use crate::Layouts;
use crate::Scoring as _;
use crate::fixture;
use crate::job::{Encoding, FedAvgTerms, LogisticRegressionTerms, ProgramTerms, Solver};
use crate::program::logistic_regression::TrainQuestion;
use crate::program::scorer::Scorer;
use crate::program::statistics::StatisticsQuestion;

/// The sum of what each table answers, through the coding of a job with `admitted` institutions under KSA-S32.
pub(crate) fn sum_of(
    tables: &[&Table],
    admitted: u16,
    layout: &Layout,
    answer: impl Fn(&Table, &mut ChaCha20Rng) -> Contribution,
) -> Sum {
    let coding = Coding::new(ParameterSet::S32, admitted);
    let mut total: Option<Vec<i64>> = None;
    for (seed, table) in tables.iter().enumerate() {
        let mut rng = fixture::rng(seed as u64);
        let contribution = answer(table, &mut rng);
        let clipped = contribution.clip();
        assert_eq!(clipped.clamped(), 0);
        let update = clipped.quantise(&coding, &mut rng);
        match &mut total {
            Some(total) => total.iter_mut().zip(update.coefficients()).for_each(|(sum, value)| *sum += value),
            None => total = Some(update.coefficients().to_vec()),
        }
    }
    Sum::decode(layout.clone(), &coding, tables.len() as u16, &total.unwrap()).unwrap()
}

fn fed_avg(local: FedAvgTerms) -> ProgramTerms {
    ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver: Solver::FedAvg(local), l2: 1e-4 })
}

pub(in crate::program) fn job(rounds: u32) -> Job {
    let contract = fixture::contract();
    Job {
        identity: crate::job::Identity {
            id: syndic_round::JobId::new("small").unwrap(),
            purpose: "test".into(),
            description: "A small job".into(),
            lawful_basis: None,
        },
        processing: Default::default(),
        cohort: Default::default(),
        retention: None,
        promotion: None,
        contract,
        // Short tables need short batches.
        program: fed_avg(FedAvgTerms { batch_size: 16, ..Default::default() }),
        rounds: crate::job::Rounds { count: rounds, patience: None, deadlines: Default::default() },
        privacy: crate::job::Privacy::None {},
        protection: crate::job::ProtectionTerms {
            parameter_set: ParameterSet::S32,
            threshold: None,
            colluding: None,
            min_survivors: None,
            small_vectors: Default::default(),
        },
        evaluation: Default::default(),
        fairness: None,
        drift: None,
    }
}

/// Noise for rows that so many institutions share, and no counts of test rows.
pub(in crate::program) fn record_level(epsilon: f64, honest: u16) -> crate::job::RecordLevelTerms {
    crate::job::RecordLevelTerms {
        epsilon,
        delta: 1e-5,
        noise: crate::job::NoiseSource::Distributed,
        honest: Some(honest),
        clip: None,
        unit: crate::job::Unit::Row,
        test_bins: None,
    }
}

pub(in crate::program) fn tables(validation: bool) -> Vec<Table> {
    (0..5).map(|k| fixture::table(400 + 50 * k, k as f64 / 4.0, validation, k)).collect()
}

/// Runs a job to its end; `present` says which tables answer in an encrypted round.
pub(in crate::program) fn run(
    job: &Job,
    tables: &[Table],
    present: impl Fn(usize) -> Vec<usize>,
) -> (JobRun, Outcome, Vec<Sum>) {
    let mut run = JobRun::new(job);
    let mut sums = Vec::new();
    let mut next = run.next(None).unwrap();
    while let Next::Ask(question) = next {
        question.approved_by(job).unwrap();
        let read = Question::from_bytes(&question.to_bytes().unwrap()).unwrap();
        assert_eq!(read, question);
        let here: Vec<&Table> = present(sums.len()).into_iter().map(|k| &tables[k]).collect();
        let sum = sum_of(&here, 5, &question.layout().unwrap(), |table, rng| {
            let contribution = JobRun::answer(&read, table, rng).unwrap();
            assert_eq!(contribution.values().len(), question.layout().unwrap().len());
            contribution
        });
        let foretold = run.next_layout();
        next = run.next(Some(&sum)).unwrap();
        let asked = match &next {
            Next::Ask(question) => Some(question.layout().unwrap()),
            Next::Done(_) => None,
        };
        let of_job = Layouts::of(job).unwrap();
        match next {
            Next::Ask(Question::Train(_) | Question::Newton(_) | Question::Network(_)) => {
                assert_eq!(asked.as_ref(), Some(&of_job.train))
            }
            Next::Ask(Question::Evaluate(ref question)) if question.roles == [Role::Test] => {
                assert_eq!(asked, of_job.evaluate);
            }
            _ => {}
        }
        // Newton's method may end before the last round that the job allows, and a tree before it is as deep as it may be.
        let ends_early = matches!(question, Question::Newton(_) | Question::ScorecardWoe(_))
            && matches!(next, Next::Done(_) | Next::Ask(Question::Evaluate(_)));
        let is_of_trees = job.trees().is_some() && (asked.is_none() || foretold.is_some());
        assert!(
            foretold == asked || ends_early || is_of_trees,
            "what is asked next, after {} sums",
            sums.len()
        );
        if let Question::Grow(grow) = &question {
            assert!(grow.layout().unwrap().len() <= of_job.train.len());
        }
        sums.push(sum);
    }
    let Next::Done(Ending::Released(outcome)) = next else { unreachable!() };
    assert_eq!(run.next_layout(), None);
    (run, *outcome, sums)
}

pub(in crate::program) const ALL: [usize; 5] = [0, 1, 2, 3, 4];

#[test]
fn a_federation_comes_close_to_pooled_training_and_its_figures_are_exact() {
    let (job, tables) = (job(8), tables(false));
    let (run, outcome, sums) = run(&job, &tables, |_| ALL.to_vec());
    assert_eq!(sums.len(), 1 + 2 * 8);
    let tables: Vec<_> = tables.iter().collect();
    let pooled = crate::reference::fit_linear(&tables, 1e-4, Encoding::AllLevels).unwrap();
    let [federated, pooled] = [&outcome.model, &Model::Linear(pooled)]
        .map(|model| model.evaluate(&tables, Role::Test).unwrap().unwrap());
    assert!((federated.roc_auc.unwrap() - pooled.roc_auc.unwrap()).abs() < 0.005, "{federated:?} {pooled:?}");
    assert!(federated.log_loss < pooled.log_loss + 0.005);
    assert_eq!(outcome.released_round, 8);
    let summed = run.metrics().last().unwrap().test.unwrap();
    assert!((summed.roc_auc.unwrap() - federated.roc_auc.unwrap()).abs() < 1e-3);
    assert!((summed.pr_auc.unwrap() - federated.pr_auc.unwrap()).abs() < 1e-3);
    assert!((summed.log_loss - federated.log_loss).abs() < 1e-6);
    assert_eq!((summed.rows, summed.positives), (federated.rows, federated.positives));
}

#[test]
fn replaying_the_same_sums_gives_the_same_model_bit_by_bit() {
    let (job, tables) = (job(3), tables(true));
    let (_, outcome, sums) = run(&job, &tables, |_| ALL.to_vec());
    let mut replayed = JobRun::new(&job);
    let mut last = None;
    for sum in &sums {
        let stored = Sum::from_bytes(sum.layout().clone(), &sum.to_bytes()).unwrap();
        last = Some(replayed.next(Some(&stored)).unwrap());
    }
    assert_eq!(last, Some(Next::Done(Ending::Released(Box::new(outcome)))));
}

#[test]
fn with_validation_rows_the_round_with_the_least_validation_loss_is_released() {
    let mut job = job(6);
    // Steps so long that training gets worse again.
    let (learning_rate, learning_rate_decay, batch_size) = (4.0, 1.0, 4);
    job.program =
        fed_avg(FedAvgTerms { learning_rate, learning_rate_decay, batch_size, ..Default::default() });
    let tables = tables(true);
    let (run, outcome, _) = run(&job, &tables, |_| ALL.to_vec());
    let loss = |metrics: &&RoundMetrics| metrics.validation.unwrap().log_loss;
    let best = run.metrics().iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    assert_eq!(outcome.released_round, best.training_round);
    assert_ne!(outcome.released_round, 6, "the case is no test if the last round is the best");
    let tables: Vec<_> = tables.iter().collect();
    let exact = outcome.model.evaluate(&tables, Role::Validation).unwrap().unwrap();
    assert!((exact.log_loss - loss(&best)).abs() < 1e-6);
}

/// Five tables of which only the last has validation rows.
fn one_with_validation() -> Vec<Table> {
    (0..5).map(|k| fixture::table(400 + 50 * k, k as f64 / 4.0, k == 4, k)).collect()
}

#[test]
fn a_round_that_nobody_with_validation_rows_measured_is_not_released_before_one_that_was() {
    let (job, tables) = (job(3), one_with_validation());
    // Encrypted rounds 4 and 6, of index 4 and 6, measure the models of training rounds 2 and 3.
    let absent = |round: usize| round == 4 || round == 6;
    let (run, outcome, _) =
        run(&job, &tables, |round| ALL.into_iter().filter(|k| *k != 4 || !absent(round)).collect());
    let measured: Vec<bool> = run.metrics().iter().map(|metrics| metrics.validation.is_some()).collect();
    assert_eq!(measured, [true, false, false]);
    assert!(run.metrics().iter().all(|metrics| metrics.test.is_some()));
    assert_eq!(outcome.released_round, 1);
}

#[test]
fn without_any_measured_round_the_last_is_released() {
    let (job, tables) = (job(3), one_with_validation());
    // The one with validation rows is there for the statistics and training, but for no evaluation.
    let (run, outcome, _) = run(&job, &tables, |round| {
        ALL.into_iter().filter(|k| *k != 4 || round == 0 || round % 2 == 1).collect()
    });
    assert!(run.summary.clone().unwrap().validation.rows > 0);
    assert!(run.metrics().iter().all(|metrics| metrics.validation.is_none()));
    assert_eq!(outcome.released_round, 3);
}

#[test]
fn an_institution_may_miss_rounds() {
    let (job, tables) = (job(8), tables(false));
    let (_, outcome, _) =
        run(&job, &tables, |round| ALL.into_iter().filter(|k| round == 0 || k % 3 != round % 3).collect());
    let tables: Vec<_> = tables.iter().collect();
    let pooled = crate::reference::fit_linear(&tables, 1e-4, Encoding::AllLevels).unwrap();
    let auc = |model: &Model| model.evaluate(&tables, Role::Test).unwrap().unwrap().roc_auc.unwrap();
    assert!(auc(&outcome.model) > auc(&Model::Linear(pooled)) - 0.01);
}

#[test]
fn the_same_question_is_asked_until_it_has_a_sum_and_a_wrong_sum_changes_nothing() {
    let (job, tables) = (job(2), tables(false));
    let (_, _, sums) = run(&job, &tables, |_| ALL.to_vec());
    let mut run = JobRun::new(&job);
    let first = run.next(None).unwrap();
    assert_eq!(run.next(None).unwrap(), first);
    assert_eq!(run.next(Some(&sums[1])).unwrap_err().code(), "program.wrong-sum");
    assert_eq!(run.next(None).unwrap(), first);
    for sum in &sums {
        run.next(Some(sum)).unwrap();
    }
    assert_eq!(run.next(Some(&sums[0])).unwrap_err().code(), "program.wrong-sum");
    assert!(matches!(run.next(None).unwrap(), Next::Done(_)));
}

#[test]
fn an_update_takes_one_limb_for_up_to_sixteen_institutions() {
    let job = job(1);
    let mut run = JobRun::new(&job);
    let tables = tables(false);
    let tables: Vec<_> = tables.iter().collect();
    let Next::Ask(statistics) = run.next(None).unwrap() else { unreachable!() };
    let sum = sum_of(&tables, 16, &statistics.layout().unwrap(), |table, rng| {
        JobRun::answer(&statistics, table, rng).unwrap()
    });
    let Next::Ask(train) = run.next(Some(&sum)).unwrap() else { unreachable!() };
    let layout = train.layout().unwrap();
    let coding = Coding::new(ParameterSet::S32, 16);
    assert!(layout.blocks().iter().all(|block| coding.limbs(block) == 1));
    assert_eq!(layout.len(), 1 + job.contract.inputs() + 1);
}

#[test]
fn a_question_beyond_the_approved_job_is_recognised() {
    let job = job(2);
    let tables = tables(false);
    let (_, _, sums) = run(&job, &tables, |_| ALL.to_vec());
    let mut run = JobRun::new(&job);
    let Next::Ask(Question::Train(train)) = run.next(Some(&sums[0])).unwrap() else {
        panic!("training comes second")
    };
    let Next::Ask(Question::Evaluate(evaluate)) = run.next(Some(&sums[1])).unwrap() else {
        panic!("then evaluation")
    };
    let mut bent = Vec::new();
    let mut bend_train = |bend: fn(&mut TrainQuestion)| {
        let mut question = train.clone();
        bend(&mut question);
        bent.push(Question::Train(question));
    };
    bend_train(|question| question.training_round = 3);
    bend_train(|question| question.local.epochs = 3);
    bend_train(|question| question.local.l2 = 0.0);
    bend_train(|question| question.max_rows = 1);
    bend_train(|question| question.coefficients.weights.push(0.0));
    bend_train(|question| question.training_round = 2);
    let mut bend_evaluate = |bend: fn(&mut EvaluateQuestion)| {
        let mut question = evaluate.clone();
        bend(&mut question);
        bent.push(Question::Evaluate(question));
    };
    bend_evaluate(|question| question.roles = vec![Role::Train]);
    bend_evaluate(|question| question.bins = 1 << 20);
    bend_evaluate(|question| question.training_round = 0);
    bend_evaluate(|question| {
        let Scorer::Linear { coefficients, .. } = &mut question.scorer else { panic!("a linear model") };
        coefficients.weights.push(0.0);
    });
    bend_evaluate(|question| {
        let bins = crate::trees::Bins { edges: vec![Vec::new(); 2] };
        let ensemble = crate::trees::Ensemble { base: 0.0, bins, trees: Vec::new() };
        question.scorer = Scorer::Trees { ensemble };
    });
    bent.push(Question::Statistics(StatisticsQuestion {
        numeric_columns: 2,
        max_rows: 2,
        nullable_columns: 0,
    }));
    for question in bent {
        assert_eq!(question.approved_by(&job).unwrap_err().code(), "program.not-approved", "{question:?}");
    }
}

#[test]
fn labels_of_one_class_everywhere_end_the_job_before_training() {
    let question = StatisticsQuestion::of(&fixture::contract());
    let rows = [10.0, 0.0, 0.0, 10.0, 0.0, 0.0];
    let sum = sum_of(&[&fixture::table(50, 0.0, false, 1)], 1, &question.layout().unwrap(), |_, _| {
        let values = rows.iter().copied().chain([0.0; 4]).collect();
        Contribution::new(question.layout().unwrap(), values).unwrap()
    });
    assert_eq!(JobRun::new(&job(1)).next(Some(&sum)).unwrap_err().code(), "program.one-class");
}

/// A job after its statistics and one round of training, its question, and the bytes of its sum with `bend`
/// applied to the values of one block.
fn bent_evaluation(bend: fn(&mut [i64]), block: &str) -> Result<(), ProgramError> {
    let (job, tables) = (job(1), tables(true));
    let (_, _, sums) = run(&job, &tables, |_| ALL.to_vec());
    let mut run = JobRun::new(&job);
    run.next(Some(&sums[0])).unwrap();
    let asked = run.next(Some(&sums[1])).unwrap();
    let layout = sums[2].layout().clone();
    let mut steps = sums[2].steps().to_vec();
    bend(&mut steps[layout.range(block).unwrap()]);
    let words = [i64::from(sums[2].survivors())].into_iter().chain(steps);
    let bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
    let told = run.next(Some(&Sum::from_bytes(layout, &bytes).unwrap())).map(|_| ());
    assert!(told.is_ok() || run.next(None).unwrap() == asked, "a refused sum changes nothing");
    told
}

#[test]
fn an_evaluation_that_no_tables_add_up_to_is_refused() {
    let code = |bend, block| bent_evaluation(bend, block).map_err(|error| error.code());
    assert_eq!(code(|_| (), "test.positive"), Ok(()));
    let impossible = Err("program.impossible-sum");
    assert_eq!(code(|counts| counts[7] = -1, "test.positive"), impossible);
    // Five institutions of at most a million rows.
    assert_eq!(code(|counts| counts[7] = 5_000_001, "validation.negative"), impossible);
    assert_eq!(code(|counts| counts.fill(5_000_000), "test.positive"), impossible);
    assert_eq!(code(|loss| loss[0] = -1, "validation.loss"), impossible);
    assert_eq!(code(|loss| loss[0] = i64::MAX >> 8, "test.loss"), impossible);
}

#[test]
fn a_round_in_which_no_row_was_trained_on_is_refused() {
    let (job, tables) = (job(1), tables(false));
    let (_, _, sums) = run(&job, &tables, |_| ALL.to_vec());
    let mut run = JobRun::new(&job);
    let Next::Ask(question) = run.next(Some(&sums[0])).unwrap() else { panic!("training comes second") };
    let layout = question.layout().unwrap();
    let sum = sum_of(&[&tables[0]], 1, &layout, |_, _| {
        Contribution::new(layout.clone(), vec![0.0; layout.len()]).unwrap()
    });
    assert_eq!(run.next(Some(&sum)).unwrap_err().code(), "program.impossible-sum");
}

#[test]
fn bytes_that_are_no_question_are_refused() {
    for bytes in [
        &b"{}"[..],
        b"",
        br#"{"kind":"train"}"#,
        br#"{"kind":"statistics","numeric_columns":1,"max_rows":2,"x":1}"#,
    ] {
        assert_eq!(Question::from_bytes(bytes).unwrap_err().code(), "program.bad-question");
    }
}

#[test]
fn another_spelling_of_a_question_is_refused() {
    let bytes = Question::Statistics(StatisticsQuestion::of(&fixture::contract())).to_bytes().unwrap();
    assert!(Question::from_bytes(&bytes).is_ok());
    let spaced = String::from_utf8(bytes).unwrap().replacen(',', ", ", 1);
    assert_eq!(Question::from_bytes(spaced.as_bytes()).unwrap_err().code(), "program.bad-question");
}
