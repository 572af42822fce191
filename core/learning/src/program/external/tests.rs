use std::collections::BTreeMap;

use syndic_round::Carrier;

use super::super::run::JobRun;
use super::super::run::tests::{job, sum_of, tables};
use super::pooled::PooledTraining;
use super::terms::Tensor;
use super::*;
use crate::job::{DriftTerms, ProgramTerms};
use crate::model::{Model, Scoring as _};
use crate::program::Program as _;
use crate::{Job, Layouts, fixture};

const TERMS: &str = r#"
trainer = "numpy-logistic/1"
clip = 2.0
seed = 7
settings = { learning_rate = 0.5, layers = [8, 4], inner = { name = "x", flag = true } }
tensors = [{ name = "weights", shape = [2, 3], normal = 0.1 }, { name = "bias", shape = [] }]
"#;

fn of_trainer(rounds: u32) -> Job {
    let terms: ExternalTerms = toml::from_str(TERMS).unwrap();
    Job { program: ProgramTerms::External(Box::new(terms)), ..job(rounds) }
}

/// The first question of training, after the statistics of these tables.
fn first(run: &mut JobRun, tables: &[&Table]) -> ExternalQuestion {
    let Next::Ask(asked) = run.next(None).unwrap() else { panic!("a job begins with a question") };
    let sum =
        sum_of(tables, 5, &asked.layout().unwrap(), |table, rng| JobRun::answer(&asked, table, rng).unwrap());
    match run.next(Some(&sum)).unwrap() {
        Next::Ask(Question::External(question)) => question,
        other => panic!("{other:?}"),
    }
}

/// What a trainer makes of a table: changes that depend on the table alone.
fn trained(table: &Table) -> Vec<f64> {
    (0..7).map(|k| table.rows() as f64 / 1_000.0 - 0.1 * f64::from(k)).collect()
}

#[test]
fn a_whole_job_moves_the_numbers_by_the_mean_of_the_updates_weighted_by_rows() {
    let job = Job { drift: Some(DriftTerms::default()), ..of_trainer(2) };
    let tables = tables(true);
    let tables: Vec<&Table> = tables.iter().collect();
    let mut run = JobRun::new(&job);
    let question = first(&mut run, &tables);
    assert_eq!(question.layout().unwrap(), Layouts::of(&job).unwrap().train);
    let rows: Vec<f64> = tables.iter().map(|table| table.count(Role::Train).0 as f64).collect();
    let total: f64 = rows.iter().sum();
    let mut expected = job.external().unwrap().start();
    assert_eq!(expected, question.state.parameters);
    for change in tables.iter().zip(&rows).map(|(table, rows)| (trained(table), rows / total)) {
        expected.iter_mut().zip(change.0).for_each(|(value, moved)| *value += change.1 * moved);
    }
    let mut scored = 0;
    let outcome = loop {
        let asked = match run.next(None).unwrap() {
            Next::Ask(asked) => asked,
            Next::Done(ending) => break ending.into_released().unwrap(),
        };
        asked.approved_by(&job).unwrap();
        assert_eq!(Question::from_bytes(&asked.to_bytes().unwrap()).unwrap(), asked);
        assert!(
            JobRun::answer(&asked, tables[0], &mut fixture::rng(1)).is_err(),
            "no one but a trainer answers"
        );
        let sum =
            sum_of(&tables, 5, &asked.layout().unwrap(), |table, _| match asked.for_trainer().unwrap() {
                Asked::Train(question) => {
                    let (contribution, clipped) = question.contribution(table, &trained(table)).unwrap();
                    assert_eq!(clipped, 0);
                    contribution
                }
                Asked::Score(_, roles) => {
                    let rows: Vec<usize> = roles.iter().flat_map(|&role| table.rows_for(role)).collect();
                    let good = |&row: &usize| if table.labels()[row] { 0.9 } else { 0.2 };
                    let probabilities: Vec<f64> = rows.iter().map(good).collect();
                    let scores = RowScores::new(table.rows(), &rows, &probabilities).unwrap();
                    asked.scored(table, &scores).unwrap()
                }
            });
        scored += usize::from(asked.kind() == "evaluate");
        let _ = run.next(Some(&sum)).unwrap();
        if let Some(Question::External(ExternalQuestion { training_round: 2, state, .. })) =
            Some(&asked).filter(|_| scored == 1)
        {
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 5.0 * 2.0 * UPDATE_STEP;
            assert!(state.parameters.iter().zip(&expected).all(close), "{state:?} {expected:?}");
        }
    };
    assert_eq!(scored, 2, "the model of each round is measured");
    assert!(run.metrics().iter().all(|of| of.test.unwrap().roc_auc == Some(1.0)));
    assert_eq!(outcome.model.program(), "external");
    // Training rows are scored for drift: those of one label have one score.
    let drift = outcome.drift.unwrap();
    assert_eq!((drift.reference_rows as f64, drift.score.bins.len()), (total, 2));
    assert_eq!(job.carrier_of(&Layouts::of(&job).unwrap().train, 5), Carrier::Ring);
}

#[test]
fn a_trainer_gives_itself_no_weight_and_no_more_than_the_job_allows() {
    let (job, tables) = (of_trainer(1), tables(false));
    let question = first(&mut JobRun::new(&job), &tables.iter().collect::<Vec<_>>());
    let (rows, _) = tables[0].count(Role::Train);
    let share = rows as f64 / question.state.training.rows as f64;
    let update = [1e9, -3.0, 2.0, 0.0, -0.5, f64::INFINITY, 1.0];

    let (contribution, clipped) = question.contribution(&tables[0], &update).unwrap();

    assert_eq!(clipped, 3);
    let expected = [2.0, -2.0, 2.0, 0.0, -0.5, 2.0, 1.0].map(|change| share * change);
    assert_eq!(contribution.values()[0], rows as f64);
    assert_eq!(contribution.values()[1..], expected);
    let refused = |update: &[f64]| question.contribution(&tables[0], update).err().map(|error| error.code());
    assert_eq!(refused(&[f64::NAN; 7]), Some("program.diverged"));
    assert_eq!(refused(&[0.0; 6]), Some("program.bad-question"));
}

#[test]
fn a_question_that_departs_from_the_job_is_not_approved() {
    let (job, tables) = (of_trainer(3), tables(true));
    let tables: Vec<&Table> = tables.iter().collect();
    let asked = first(&mut JobRun::new(&job), &tables);
    let bent = |bend: fn(&mut ExternalQuestion)| {
        let mut question = asked.clone();
        bend(&mut question);
        Question::External(question).approved_by(&job).map_err(|error| error.code())
    };
    let departs = Err("program.not-approved");
    assert_eq!(bent(|_| ()), Ok(()));
    assert_eq!(bent(|question| question.training_round = 4), departs);
    assert_eq!(bent(|question| question.clip = 1.0), departs);
    assert_eq!(bent(|question| question.max_rows = 7), departs);
    assert_eq!(bent(|question| question.state.parameters[0] += 1e-9), departs, "the start is the job's");
    assert_eq!(bent(|question| question.state.parameters.truncate(6)), departs);
    let later = |question: &mut ExternalQuestion| {
        question.training_round = 2;
        question.state.parameters[0] += 1.0;
    };
    assert_eq!(bent(later), Ok(()));
    let infinite = |question: &mut ExternalQuestion| question.state.parameters[0] = f64::INFINITY;
    assert_eq!(bent(infinite), Err("program.bad-question"));
    assert_eq!(
        Question::External(asked.clone()).approved_by(&super::super::run::tests::job(3)).unwrap_err().code(),
        "program.not-approved"
    );
}

#[test]
fn numbers_of_a_question_keep_every_bit() {
    let parameters = vec![0.1, -0.0, f64::MIN_POSITIVE, 1e300, 1.0 / 3.0];
    let standardisation = Standardisation { mean: vec![0.5], sd: vec![2.0] };
    let training = Count { rows: 9, positives: 4 };
    let state = ExternalState { parameters, standardisation, training };
    let question = ExternalQuestion { training_round: 1, clip: 1.0, max_rows: 10, state };
    let asked = Question::External(question.clone());
    let bytes = asked.to_bytes().unwrap();
    let Question::External(read) = Question::from_bytes(&bytes).unwrap() else { panic!("another question") };
    let bits = |of: &ExternalQuestion| of.state.parameters.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read), bits(&question));
    let text = String::from_utf8(bytes).unwrap();
    assert!(Question::from_bytes(text.replacen('=', "", 1).as_bytes()).is_err(), "another spelling");
}

#[test]
fn a_start_is_normal_where_the_job_says_so_and_the_same_for_all() {
    let large = |seed: u32| ExternalTerms {
        seed,
        tensors: vec![Tensor { name: "w".into(), shape: vec![100, 200], normal: Some(0.5) }],
        ..toml::from_str(TERMS).unwrap()
    };
    let start = large(1).start();
    assert_eq!(start, large(1).start());
    assert_ne!(start, large(2).start());
    let mean = start.iter().sum::<f64>() / 20_000.0;
    let variance = start.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
    assert!(mean.abs() < 0.02 && (variance.sqrt() - 0.5).abs() < 0.01, "{mean} {variance}");
    assert_eq!(toml::from_str::<ExternalTerms>(TERMS).unwrap().start()[6], 0.0);
}

#[test]
fn the_files_of_a_model_hold_the_tensors_and_say_whose_they_are() {
    let (job, tables) = (of_trainer(1), tables(false));
    let question = first(&mut JobRun::new(&job), &tables.iter().collect::<Vec<_>>());
    let terms = job.external().unwrap().clone();
    let model =
        Model::External(ExternalModel { contract: job.contract.clone(), terms, state: question.state });
    let weights = model.to_safetensors().unwrap();
    let card = model.card(&weights, BTreeMap::new());
    let written = serde_json::to_string(&card).unwrap();
    assert!(written.contains("\"learning_rate\":0.5"), "{written}");

    let (loaded, _) = Model::load(&weights, &written).unwrap();

    assert_eq!(loaded, model);
    assert_eq!((model.parameters(), model.program()), (7, "external"));
    assert_eq!(loaded.score(&tables[0]).unwrap_err().code(), "model.needs-trainer");
    let bent = |bend: fn(&mut crate::ModelCard)| {
        let mut card = card.clone();
        bend(&mut card);
        Model::load(&weights, &serde_json::to_string(&card).unwrap()).err().map(|error| error.code())
    };
    assert_eq!(bent(|card| card.external = None), Some("model.card"));
    assert_eq!(bent(|card| card.program = "logistic-regression".into()), Some("model.card"));
    assert_eq!(
        bent(|card| card.external.as_mut().unwrap().terms.trainer = "none".into()),
        Some("model.card")
    );
    let reshaped = |card: &mut crate::ModelCard| {
        card.external.as_mut().unwrap().terms.tensors[0].shape = vec![3, 2];
    };
    assert_eq!(bent(reshaped), Some("model.weights"));
}

#[test]
fn with_all_rows_in_one_place_the_steps_are_the_federations_and_the_best_model_stays() {
    let tables = tables(true);
    let all = Table::joined(&tables.iter().collect::<Vec<_>>()).unwrap();
    let job = of_trainer(3);
    let terms = job.external().unwrap();
    let mut training = PooledTraining::new(terms, rounds(3), &all).unwrap();
    let rows = all.rows_for(Role::Validation);
    let mut states = vec![training.state().clone()];
    let mut asked = Vec::new();
    for closeness in [0.1, 0.4, 0.2] {
        asked.push(training.question().unwrap().training_round);
        training.moved(&[9.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.25]).unwrap();
        let of = |&row: &usize| if all.labels()[row] { 0.5 + closeness } else { 0.5 - closeness };
        let probabilities: Vec<f64> = rows.iter().map(of).collect();
        training.measured(&RowScores::new(all.rows(), &rows, &probabilities).unwrap()).unwrap();
        states.push(training.state().clone());
    }
    assert_eq!((asked, training.question()), (vec![1, 2, 3], None));
    assert_eq!(training.moved(&[0.0; 7]).unwrap_err().code(), "program.wrong-sum");
    let moved = |round: usize, element: usize| {
        states[round].parameters[element] - states[round - 1].parameters[element]
    };
    assert!((moved(1, 0) - 2.0).abs() < 1e-12, "clipped as in the federation");
    assert!((moved(3, 1) + 0.5).abs() < 1e-12 && moved(3, 2) == 0.0);
    assert_eq!(training.model().state, states[2], "the second model was the best on validation rows");

    let mut unmeasured = PooledTraining::new(terms, rounds(1), &all).unwrap();
    assert_eq!(unmeasured.moved(&[0.0; 6]).unwrap_err().code(), "program.bad-question");
    unmeasured.moved(&[0.5; 7]).unwrap();
    let last = unmeasured.state().clone();
    assert_eq!(unmeasured.model().state, last, "nobody has measured any");
}

#[test]
fn in_one_place_the_trainer_is_told_the_statistics_of_all_rows() {
    let tables = tables(false);
    let all: Vec<&Table> = tables.iter().collect();
    let job = of_trainer(1);
    let question = first(&mut JobRun::new(&job), &all);
    let joined = Table::joined(&all).unwrap();
    let training = PooledTraining::new(job.external().unwrap(), rounds(1), &joined).unwrap();
    let (found, expected) = (training.state(), &question.state);
    assert_eq!((found.training, &found.parameters), (expected.training, &expected.parameters));
    for (one, other) in [
        (&found.standardisation.mean, &expected.standardisation.mean),
        (&found.standardisation.sd, &expected.standardisation.sd),
    ] {
        assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-3), "{one:?} {other:?}");
    }
    let names = ["age", "job", "balance", "label"];
    let mut one_class = crate::TableBuilder::new(&fixture::contract(), &names).unwrap();
    one_class.push(1, &["30", "field", "0", "1"], Role::Train);
    let one_class = one_class.finish().unwrap();
    let refused = PooledTraining::new(job.external().unwrap(), rounds(1), &one_class).err().unwrap();
    assert_eq!(refused.code(), "fit.one-class");
}

#[test]
fn scores_are_probabilities_one_for_each_row() {
    let table = fixture::table(10, 0.0, false, 1);
    let rows = table.rows_for(Role::Test);
    assert!(RowScores::new(10, &rows, &[0.0, 1.0]).is_some());
    for bad in [vec![0.5], vec![0.5, 1.1], vec![0.5, f64::NAN], vec![-0.1, 0.5]] {
        assert!(RowScores::new(10, &rows, &bad).is_none(), "{bad:?}");
    }
    let scores = RowScores::new(10, &rows, &[0.25, 0.75]).unwrap();
    assert_eq!(scores.score_rows(&table, &rows).unwrap(), [0.25, 0.75]);
    assert_eq!(scores.score(&table).unwrap_err().code(), "model.needs-trainer", "the others were not scored");
}

fn rounds(count: u32) -> crate::job::Rounds {
    crate::job::Rounds { count, patience: None, deadlines: Default::default() }
}
