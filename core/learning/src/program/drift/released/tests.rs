use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::Findings;
use crate::job::{DriftTerms, ProgramTerms};
use crate::model::ModelCard;
use crate::program::drift::figures::Standing;
use crate::program::drift::missing_tests;
use crate::program::drift::tests::{Planted, comparing, released, tables};
use crate::program::question::{Layouts, Question};
use crate::program::run::tests::{ALL, run, sum_of};
use crate::program::run::{Ending, JobRun};

fn counting(terms: ReleasedDriftTerms, contract: &Contract) -> Job {
    let program = ProgramTerms::Drift(Box::new(terms));
    let mut job =
        Job { program, drift: None, contract: contract.clone(), ..comparing(DriftTerms::default()) };
    job.rounds.count = 1;
    job
}

/// Plays the job, which asks for one sum.
fn played(job: &Job, tables: &[Table], model: &Model) -> DriftRecord {
    let mut run = JobRun::new(job);
    assert_eq!((run.next_layout(), run.trained_rounds(), job.needs_both_classes()), (None, 0, false));
    let Next::Ask(question) = run.next(None).unwrap() else { panic!("a job begins with a question") };
    question.approved_by(job).unwrap();
    assert_eq!(
        (question.kind(), question.slot().as_str(), question.training_round()),
        ("drift", "drift", None)
    );
    assert_eq!(Question::from_bytes(&question.to_bytes().unwrap()).unwrap(), question);
    let Question::DriftSince(asked) = &question else { panic!("{question:?}") };
    let layout = question.layout().unwrap();
    assert_eq!(Layouts::of(job).unwrap().train, layout);
    let all: Vec<&Table> = tables.iter().collect();
    let sum = sum_of(&all, 5, &layout, |table, _| asked.answered_by(table, model).unwrap());
    let Next::Done(ending) = run.next(Some(&sum)).unwrap() else { panic!("one sum is all it takes") };
    assert!(ending.released().is_none() && run.next(Some(&sum)).is_err(), "nothing is asked any more");
    let Ending::Compared(found) = ending else { panic!("{ending:?}") };
    let data = json!({ "drift": found.to_data().1 });
    assert_eq!(Findings::from_data(&data).as_ref(), Some(&*found), "read as it was written: {data}");
    found.rows().unwrap().clone()
}

fn test_rows(card: &ModelCard) -> ReleasedDriftTerms {
    ReleasedDriftTerms { rows: RowsCompared::Test, ..ReleasedDriftTerms::of(card, &[]).unwrap() }
}

/// What a federation finds on the test rows, in which something is planted.
fn found_of(planted: Planted) -> (ReleasedDriftTerms, DriftRecord) {
    let (model, card) = released();
    let terms = test_rows(&card);
    let record = played(&counting(terms.clone(), &card.contract), &tables(planted), &model);
    (terms, record)
}

fn names(figures: &DriftFigures) -> Vec<&str> {
    figures.drifted().into_iter().map(|shift| shift.name.as_str()).collect()
}

#[test]
fn figures_are_those_of_all_rows_in_one_place_against_the_card() {
    let (model, card) = released();
    for rows in [RowsCompared::Test, RowsCompared::All] {
        for planted in [Planted::Nothing, Planted::Age, Planted::Level] {
            let terms = ReleasedDriftTerms { rows, ..test_rows(&card) };
            let tables = tables(planted);
            let record = played(&counting(terms.clone(), &card.contract), &tables, &model);
            let figures = record.audited(&terms).expect("what was found follows from what is on record");
            // As `syndic model drift` counts them, row by row.
            let mut pooled = Compared::with(&card).unwrap();
            for table in &tables {
                let rows = rows.of(table);
                pooled.add_rows(table, &rows, &model.score_rows(table, &rows).unwrap()).unwrap();
            }
            let pooled = pooled.finish();
            assert_eq!(figures.current_rows, if rows == RowsCompared::All { 6000 } else { 1200 });
            assert_eq!(figures.reference_rows, 4800);
            for (found, pooled) in figures.shifts().zip(pooled.shifts()) {
                assert_eq!((&found.name, found.standing), (&pooled.name, pooled.standing));
                let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
                    (Some(one), Some(other)) => (one - other).abs() <= 5.1e-10,
                    (one, other) => one == other,
                };
                assert!(near(found.psi, pooled.psi) && near(found.ks, pooled.ks), "{found:?} {pooled:?}");
                assert!(near(found.psi_by_chance, pooled.psi_by_chance), "{found:?} {pooled:?}");
                for (found, pooled) in found.bins.iter().zip(&pooled.bins) {
                    assert_eq!((found.below, &found.levels), (pooled.below, &pooled.levels));
                    assert!(found.reference == pooled.reference, "{found:?} {pooled:?}");
                    assert!(found.current.is_none_or(|count| Some(count) == pooled.current));
                }
            }
            let references: Vec<&Table> = tables.iter().collect();
            let again = measured(&model, &card.contract, &terms, &references).unwrap();
            assert_eq!(DriftRecord::of(&terms, &again), record);
        }
    }
}

#[test]
fn a_column_that_has_shifted_is_found_and_one_that_has_not_is_none() {
    let (terms, record) = found_of(Planted::Age);
    let figures = record.audited(&terms).unwrap();
    assert_eq!(names(&figures), ["age", "score"]);
    let told = record.warning().unwrap();
    assert!(
        told.starts_with("rows of all institutions have drifted") && told.contains("`age` (PSI "),
        "{told}"
    );
    let (_, record) = found_of(Planted::Nothing);
    assert_eq!((record.warning(), names(record.figures()).len()), (None, 0));
    assert!(record.figures().shifts().all(|shift| shift.standing == Some(Standing::Stable)));
}

#[test]
fn small_counts_are_left_out_and_too_few_rows_have_no_figures() {
    let (terms, record) = found_of(Planted::Level);
    let figures = record.audited(&terms).unwrap();
    let job = figures.columns.iter().find(|shift| shift.name == "job").unwrap();
    let shown: Vec<bool> = job.bins.iter().map(|bin| bin.current.is_some()).collect();
    assert_eq!((job.standing, shown), (Some(Standing::Drifted), vec![true, false, false]), "{job:?}");

    let (model, card) = released();
    let terms = ReleasedDriftTerms { min_rows: 1300, ..test_rows(&card) };
    let record = played(&counting(terms.clone(), &card.contract), &tables(Planted::Age), &model);
    let figures = record.audited(&terms).unwrap();
    assert!(figures.shifts().all(|shift| shift.psi.is_none() && shift.standing.is_none()));
    assert!(figures.shifts().flat_map(|shift| &shift.bins).all(|bin| bin.current.is_none()));
    assert_eq!((figures.current_rows, record.warning()), (1200, None));
    let mut told = record.to_data();
    (told["score"]["psi"], told["score"]["standing"]) = ("0.050000000".into(), "stable".into());
    assert_eq!(
        DriftRecord::from_data(&told).unwrap().audited(&terms),
        None,
        "of so few rows nothing is told"
    );
}

#[test]
fn drift_does_not_vanish_from_a_column_whose_small_counts_are_left_out() {
    let (terms, record) = found_of(Planted::Level);
    let data = record.to_data();
    let at = data["columns"].as_array().unwrap().iter().position(|column| column["name"] == "job").unwrap();
    assert!(data["columns"][at]["current"][1].is_null() && data["columns"][at]["standing"] == "drifted");
    let mut silent = data.clone();
    for figure in ["psi", "psi_by_chance", "ks", "standing"] {
        silent["columns"][at][figure] = Value::Null;
    }
    assert_eq!(DriftRecord::from_data(&silent).unwrap().audited(&terms), None, "{silent}");
    // Nor is the one figure told without the other.
    let mut bent = data;
    bent["columns"][at]["psi"] = Value::Null;
    assert_eq!(DriftRecord::from_data(&bent).unwrap().audited(&terms), None, "{bent}");
}

#[test]
fn missing_values_are_counted_in_their_own_bin() {
    let before = missing_tests::tables(0.1, 0.1);
    let contract = before[0].contract().clone();
    let job = Job { contract: contract.clone(), ..comparing(DriftTerms::default()) };
    let outcome = run(&job, &before, |_| ALL.to_vec()).1;
    let card = outcome.card(&outcome.model.to_safetensors().unwrap(), BTreeMap::new());
    let terms = test_rows(&card);
    let record =
        played(&counting(terms.clone(), &contract), &missing_tests::tables(0.1, 0.6), &outcome.model);
    let figures = record.audited(&terms).unwrap();
    assert_eq!(figures.columns[0].standing, Some(Standing::Drifted), "{:?}", figures.columns[0]);
    assert!(figures.columns[0].bins.last().unwrap().missing && figures.columns.len() == 3);
    let job = counting(terms, &contract);
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
}

#[test]
fn what_is_on_record_otherwise_than_it_was_found_does_not_pass_an_audit() {
    let (terms, record) = found_of(Planted::Age);
    let data = record.to_data();
    assert!(!data.to_string().contains("0.25,"), "figures are text: {data}");
    let audit = |data: &Value| DriftRecord::from_data(data).map(|read| read.audited(&terms).is_some());
    assert_eq!(audit(&data), Some(true));
    let count = data["columns"][1]["current"][0].as_u64().unwrap();
    let bends: [&dyn Fn(&mut Value); 13] = [
        &|data| data["columns"][1]["psi"] = "0.400000000".into(),
        &|data| data["columns"][1]["psi"] = Value::Null,
        &|data| data["columns"][1]["psi_by_chance"] = "0.100000000".into(),
        &|data| data["columns"][2]["ks"] = "0.900000000".into(),
        &|data| data["columns"][0]["standing"] = "stable".into(),
        &|data| data["columns"][1]["current"][0] = (count + 1).into(),
        &|data| data["columns"][1]["current"][0] = Value::Null,
        &|data| data["columns"][1]["current"].as_array_mut().unwrap().fill(Value::Null),
        &|data| drop(data["columns"][1]["current"].as_array_mut().unwrap().pop()),
        &|data| drop(data["columns"].as_array_mut().unwrap().pop()),
        &|data| data["max_psi"] = "9".into(),
        &|data| data["current_rows"] = 1201.into(),
        &|data| data["model"] = "1".repeat(64).into(),
    ];
    for (position, bend) in bends.into_iter().enumerate() {
        let mut bent = data.clone();
        bend(&mut bent);
        assert_eq!(audit(&bent), Some(false), "{position}: {bent}");
    }
    let unreadable: [&dyn Fn(&mut Value); 3] = [
        &|data| data["score"]["psi"] = "NaN".into(),
        &|data| data["score"]["name"] = "age".into(),
        &|data| drop(data["columns"][0].as_object_mut().unwrap().remove("standing")),
    ];
    for bend in unreadable {
        let mut bent = data.clone();
        bend(&mut bent);
        assert_eq!(audit(&bent), None, "{bent}");
    }
}

#[test]
fn bins_are_those_of_the_card_or_the_job_is_declined() {
    let (_, card) = released();
    let terms = ReleasedDriftTerms::of(&card, &[]).unwrap();
    assert_eq!((terms.is_of(&card), terms.reference.columns.len()), (Ok(()), 3));
    let some = ReleasedDriftTerms::of(&card, &["balance".into()]).unwrap();
    assert_eq!((some.is_of(&card), some.reference.columns.len()), (Ok(()), 1), "columns may be left out");
    let mut none = some;
    none.reference.columns.clear();
    assert_eq!(none.is_of(&card), Ok(()));
    let bends: [fn(&mut Reference); 4] = [
        |reference| reference.columns[0].rows.swap(0, 1),
        |reference| reference.columns[0].below[0] += 1.0,
        |reference| reference.score.below[0] /= 2.0,
        |reference| reference.rows += 1,
    ];
    for bend in bends {
        let mut bent = terms.clone();
        bend(&mut bent.reference);
        assert_eq!(bent.is_of(&card).unwrap_err().code(), "drift.other-reference");
    }
    let without = ModelCard { drift: None, ..card };
    assert_eq!(terms.is_of(&without).unwrap_err().code(), "drift.no-reference");
    assert_eq!(ReleasedDriftTerms::of(&without, &[]), None);
}

#[test]
fn only_the_question_of_the_approved_job_is_answered() {
    let (model, card) = released();
    let terms = test_rows(&card);
    let job = counting(terms.clone(), &card.contract);
    let asked = ReleasedDriftQuestion::of(&job, &terms);
    let refused = |question: ReleasedDriftQuestion, job: &Job| {
        let error = Question::DriftSince(question).approved_by(job).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "{error}");
    };
    let mut finer = asked.clone();
    finer.reference.columns.pop();
    refused(finer, &job);
    refused(ReleasedDriftQuestion { model: Digest::of(b"another"), ..asked.clone() }, &job);
    refused(ReleasedDriftQuestion { rows: RowsCompared::All, ..asked.clone() }, &job);
    refused(ReleasedDriftQuestion { max_rows: 10, ..asked.clone() }, &job);
    refused(asked.clone(), &comparing(DriftTerms::default()));

    let table = &tables(Planted::Nothing)[0];
    let alone = JobRun::answer(&Question::DriftSince(asked.clone()), table, &mut crate::fixture::rng(1));
    assert!(alone.err().unwrap().to_string().contains("not given"));
    let mut elsewhere = asked;
    elsewhere.reference.columns[0].name = "height".into();
    assert_eq!(elsewhere.answered_by(table, &model).err().unwrap().code(), "program.bad-question");
}

#[test]
fn a_sum_that_no_tables_add_up_to_is_refused_and_changes_nothing() {
    let (model, card) = released();
    let terms = test_rows(&card);
    let job = counting(terms.clone(), &card.contract);
    let asked = ReleasedDriftQuestion::of(&job, &terms);
    let layout = asked.layout().unwrap();
    let tables = tables(Planted::Nothing);
    for (block, by) in [(ROWS, 1.0), (SCORES, 1.0), (ROWS, -1e6)] {
        let mut program = ReleasedDrift::new(&job, &terms);
        let at = layout.range(block).unwrap().start;
        let altered = |table: &Table, _: &mut _| {
            let mut values = asked.answered_by(table, &model).unwrap().values().to_vec();
            values[at] += by;
            Contribution::new(layout.clone(), values).unwrap()
        };
        let sum = sum_of(&[&tables[0]], 5, &layout, altered);
        let error = program.next(Some(&sum)).unwrap_err();
        assert_eq!(error.code(), "program.impossible-sum", "{block}: {error}");
        assert_eq!(program.next(None).unwrap(), Next::Ask(asked.clone()));
    }
}
