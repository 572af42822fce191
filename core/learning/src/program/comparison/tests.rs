use super::*;
use crate::fixture;
use crate::job::Encoding;
use crate::job::ProgramTerms;
use crate::measure::Measure;
use crate::metrics::Metrics;
use crate::program::question::Question;
use crate::program::run::tests::{job, sum_of, tables};
use crate::program::run::{Ending, JobRun};
use crate::program::statistics::StatisticsQuestion;
use crate::reference::fit_linear;
use crate::table::Role;
use crate::{Contract, TableBuilder};

fn comparing(models: &[Model], rows: RowsCompared) -> Job {
    let terms = ComparisonTerms { models: models.iter().map(digest).collect(), rows };
    Job { program: ProgramTerms::Evaluation(Box::new(terms)), ..job(1) }
}

fn digest(model: &Model) -> Digest {
    Digest::of(&model.to_safetensors().unwrap())
}

/// A good model, one that a penalty held back, and the first of them once more, with weights halved.
fn models(tables: &[Table]) -> Vec<Model> {
    let all: Vec<&Table> = tables.iter().collect();
    let fit = |l2| fit_linear(&all, l2, Encoding::AllLevels).unwrap();
    let mut halved = fit(1e-4);
    halved.coefficients.weights.iter_mut().for_each(|weight| *weight /= 2.0);
    vec![Model::Linear(fit(1e-4)), Model::Linear(fit(0.3)), Model::Linear(halved)]
}

/// Plays the job, which asks for one sum.
fn played(job: &Job, tables: &[Table], models: &[Model]) -> ComparisonFigures {
    let mut run = JobRun::new(job);
    assert_eq!((run.next_layout(), run.trained_rounds()), (None, 0));
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("a job begins with a question") };
    question.approved_by(job).unwrap();
    assert_eq!(
        (question.kind(), question.slot().as_str(), question.training_round()),
        ("compare", "compare", None)
    );
    assert_eq!(Question::from_bytes(&question.to_bytes().unwrap()).unwrap(), question);
    let Question::Compare(asked) = &question else { panic!("{question:?}") };
    let all: Vec<&Table> = tables.iter().collect();
    let layout = question.layout().unwrap();
    let sum = sum_of(&all, 5, &layout, |table, _| asked.answered_by(table, models).unwrap());
    let Next::Done(ending) = run.next(Some(&sum)).unwrap() else { panic!("one sum is all it takes") };
    assert!(ending.released().is_none() && run.metrics().is_empty());
    assert_eq!(run.next(None).unwrap(), Next::Done(ending.clone()));
    assert!(run.next(Some(&sum)).is_err(), "nothing is asked any more");
    let Ending::Compared(figures) = ending else { panic!("{ending:?}") };
    figures.models().unwrap().clone()
}

/// Scores and labels of the rows of all tables together.
fn pooled(model: &Model, tables: &[Table], rows: RowsCompared) -> (Vec<f64>, Vec<bool>) {
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for table in tables {
        let rows = rows.of(table);
        scores.extend(model.score_rows(table, &rows).unwrap());
        labels.extend(rows.iter().map(|&row| table.labels()[row]));
    }
    (scores, labels)
}

#[test]
fn figures_are_those_of_all_rows_in_one_place_to_the_bins_of_histograms() {
    let tables = tables(true);
    let models = models(&tables);
    for rows in [RowsCompared::Test, RowsCompared::All] {
        let figures = played(&comparing(&models, rows), &tables, &models);
        let expected: usize = tables.iter().map(|table| rows.of(table).len()).sum();
        assert_eq!((figures.rows, figures.count), (rows, expected as u64));
        for (compared, model) in figures.models.iter().zip(&models) {
            assert_eq!(compared.model, digest(model));
            let (scores, labels) = pooled(model, &tables, rows);
            let exact = Metrics::exact(&scores, &labels).unwrap();
            let mut measure = Measure::new();
            measure.add(&scores, &labels);
            let measured = measure.finish().unwrap();
            let roc_auc = exact.roc_auc.unwrap();
            assert_eq!(figures.positives, exact.positives);
            for (name, value, within) in [
                ("roc_auc", roc_auc, 1e-3),
                ("gini", 2.0 * roc_auc - 1.0, 2e-3),
                ("pr_auc", exact.pr_auc.unwrap(), 1e-3),
                ("log_loss", exact.log_loss, 1e-8),
                ("brier", measured.brier, 1e-9),
                ("ks", measured.ks.unwrap(), 5e-3),
                ("calibration_error", measured.calibration_error, 5e-3),
            ] {
                assert!((compared.figures[name] - value).abs() < within, "{name}: {compared:?} and {value}");
            }
        }
    }
}

#[test]
fn differences_are_paired_row_by_row_with_their_standard_error() {
    let tables = tables(false);
    let models = models(&tables);
    let figures = played(&comparing(&models, RowsCompared::Test), &tables, &models);
    let losses = |model: &Model| -> Vec<f64> {
        let (scores, labels) = pooled(model, &tables, RowsCompared::Test);
        scores.into_iter().zip(labels).map(|(score, label)| log_loss(score, label)).collect()
    };
    let [first, others @ ..] = figures.models.as_slice() else { panic!("{figures:?}") };
    assert!(first.differences.is_empty() && first.log_loss_error.is_none());
    for (compared, model) in others.iter().zip(&models[1..]) {
        for (name, difference) in &compared.differences {
            assert_eq!(*difference, compared.figures[name] - first.figures[name], "{name}");
        }
        let paired: Vec<f64> =
            losses(model).into_iter().zip(losses(&models[0])).map(|(one, other)| one - other).collect();
        let rows = paired.len() as f64;
        let mean = paired.iter().sum::<f64>() / rows;
        let variance = paired.iter().map(|loss| (loss - mean) * (loss - mean)).sum::<f64>() / (rows - 1.0);
        assert!((compared.differences["log_loss"] - mean).abs() < 1e-8);
        assert!((compared.log_loss_error.unwrap() - (variance / rows).sqrt()).abs() < 1e-8);
    }
    assert!(others[0].differences["log_loss"] > 3.0 * others[0].log_loss_error.unwrap(), "{figures:?}");
}

#[test]
fn groups_are_compared_by_each_model_as_its_own_job_would() {
    let tables = tables(false);
    let models = models(&tables);
    let by = |column: &str, bands: &[f64]| Grouping { column: column.into(), bands: bands.to_vec() };
    let terms =
        FairnessTerms { flagged: 0.2, min_rows: 20, groups: vec![by("job", &[]), by("age", &[30.0, 50.0])] };
    let job = Job { fairness: Some(terms.clone()), ..comparing(&models, RowsCompared::Test) };
    let figures = played(&job, &tables, &models);
    let all: Vec<&Table> = tables.iter().collect();
    for (compared, model) in figures.models.iter().zip(&models) {
        let measured = fairness::measured(model, &all, &terms, job.evaluation.bins).unwrap();
        assert_eq!(Some(compared.figures["fairness_gap"]), crate::promotion::largest_gap(&measured));
    }
    assert!(figures.models[1].differences.contains_key("fairness_gap"));
    let question = serde_json::to_value(CompareQuestion::of(&job, job.comparison().unwrap())).unwrap();
    assert_eq!(question["sizes"], serde_json::json!([3, 3]));

    // A row that is in no group is in no table.
    let asked = CompareQuestion::of(&job, job.comparison().unwrap());
    let layout = asked.layout().unwrap();
    let altered = |table: &Table, _: &mut _| {
        let mut values = asked.answered_by(table, &models).unwrap().values().to_vec();
        values[2 * asked.bins as usize + 2] += 1.0;
        Contribution::new(layout.clone(), values).unwrap()
    };
    let sum = sum_of(&[&tables[0]], 5, &layout, altered);
    let error = Comparison::new(&job, job.comparison().unwrap()).next(Some(&sum)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sum is not one of tables under the contract: groups that are not all rows"
    );
}

#[test]
fn a_ledger_has_the_figures_to_nine_decimals_and_a_program_all_of_them() {
    let tables = tables(false);
    let models = models(&tables);
    let figures = played(&comparing(&models, RowsCompared::Test), &tables, &models);
    let data = figures.to_data();
    let read = ComparisonFigures::from_data(&data).unwrap();
    assert_eq!(
        (read.count, read.positives, read.to_data()),
        (figures.count, figures.positives, data.clone())
    );
    for (read, compared) in read.models.iter().zip(&figures.models) {
        assert!((read.figures["brier"] - compared.figures["brier"]).abs() <= 5.1e-10);
    }
    assert!(!data.to_string().contains("0.7,"), "figures are text: {data}");
    let mut garbled = data.clone();
    garbled["models"][1]["figures"]["ks"] = "NaN".into();
    assert_eq!(ComparisonFigures::from_data(&garbled), None);
    garbled = data;
    garbled["models"][0]["model"] = "abc".into();
    assert_eq!(ComparisonFigures::from_data(&garbled), None);
    let text = serde_json::to_string(&figures).unwrap();
    assert_eq!(serde_json::from_str::<ComparisonFigures>(&text).unwrap(), figures);
}

#[test]
fn one_class_or_no_rows_have_the_figures_that_there_are() {
    let tables = tables(false);
    let models = models(&tables);
    let job = comparing(&models[..2], RowsCompared::Test);
    let mut builder = TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]).unwrap();
    builder.push(0, &["40", "field", "100", "1"], Role::Train);
    let none = vec![builder.finish().unwrap()];
    let figures = played(&job, &none, &models[..2]);
    assert_eq!(
        (figures.count, figures.models[1].figures.len(), figures.models[1].log_loss_error),
        (0, 0, None)
    );
    let mut builder = TableBuilder::new(&fixture::contract(), &["age", "job", "balance", "label"]).unwrap();
    builder.push(0, &["40", "field", "100", "1"], Role::Test);
    builder.push(1, &["40", "field", "100", "0"], Role::Train);
    let one = vec![builder.finish().unwrap()];
    let figures = played(&job, &one, &models[..2]);
    let names: Vec<&String> = figures.models[1].figures.keys().collect();
    assert_eq!(names, ["brier", "calibration_error", "log_loss", "pr_auc"]);
    assert_eq!(figures.models[1].log_loss_error, None, "one row has no spread");
}

#[test]
fn only_the_question_of_the_approved_job_is_answered() {
    let tables = tables(false);
    let models = models(&tables);
    let job = comparing(&models, RowsCompared::Test);
    let asked = CompareQuestion::of(&job, job.comparison().unwrap());
    let refused = |question: CompareQuestion, job: &Job| {
        let error = Question::Compare(question).approved_by(job).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "{error}");
    };
    refused(CompareQuestion { models: asked.models[..2].to_vec(), ..asked.clone() }, &job);
    refused(CompareQuestion { rows: RowsCompared::All, ..asked.clone() }, &job);
    refused(CompareQuestion { bins: 8192, ..asked.clone() }, &job);
    refused(CompareQuestion { max_rows: 10, ..asked.clone() }, &job);
    refused(asked.clone(), &crate::program::run::tests::job(1));
    let statistics = Question::Statistics(StatisticsQuestion::of(&job.contract));
    assert_eq!(statistics.approved_by(&job).unwrap_err().code(), "program.not-approved");

    // It takes the models that it names, and as many.
    let alone = JobRun::answer(&Question::Compare(asked.clone()), &tables[0], &mut fixture::rng(1));
    assert!(alone.err().unwrap().to_string().contains("not given"));
    assert!(asked.answered_by(&tables[0], &models[..2]).is_err());
    let other = Contract { version: 2, ..fixture::contract() };
    let mut elsewhere = models.clone();
    let Model::Linear(model) = &mut elsewhere[1] else { panic!("a linear model") };
    model.contract = other;
    assert!(asked.answered_by(&tables[0], &elsewhere).is_err(), "it scores other rows");
}

#[test]
fn a_sum_that_no_tables_add_up_to_is_refused_and_changes_nothing() {
    let tables = tables(false);
    let models = models(&tables);
    let job = comparing(&models[..2], RowsCompared::Test);
    let asked = CompareQuestion::of(&job, job.comparison().unwrap());
    let layout = asked.layout().unwrap();
    let bins = asked.bins as usize;
    // Of the second model: a row of another class, a row more, a loss below zero, squares beyond the rows, squares below zero.
    let second = 2 * bins + 2;
    for (position, by) in [
        (second, 1.0),
        (second + bins, 1.0),
        (second + 2 * bins, -1e6),
        (second + 2 * bins + 1, 1e4),
        (second + 2 * bins + 2, -1e6),
    ] {
        let mut program = Comparison::new(&job, job.comparison().unwrap());
        program.next(None).unwrap();
        let altered = |table: &Table, _: &mut _| {
            let mut values = asked.answered_by(table, &models[..2]).unwrap().values().to_vec();
            values[position] += by;
            Contribution::new(layout.clone(), values).unwrap()
        };
        let one = [&tables[0]];
        let sum = sum_of(&one, 5, &layout, altered);
        let error = program.next(Some(&sum)).unwrap_err();
        assert_eq!(error.code(), "program.impossible-sum", "{position}: {error}");
        assert_eq!(program.next(None).unwrap(), Next::Ask(asked.clone()));
    }
}

#[test]
fn no_models_or_too_many_have_no_layout() {
    let of = |count: usize| CompareQuestion {
        models: (0..count).map(|number| Digest::of(&[number as u8])).collect(),
        rows: RowsCompared::Test,
        bins: 4096,
        max_rows: 100,
        groups: Vec::new(),
        sizes: Vec::new(),
    };
    assert!(of(0).layout().is_err() && of(MOST_MODELS + 1).layout().is_err());
    assert_eq!(of(MOST_MODELS).layout().unwrap().len(), MOST_MODELS * (2 * 4096 + 3) - 1);
}
