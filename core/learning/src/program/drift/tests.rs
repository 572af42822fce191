use std::collections::BTreeMap;

use super::against::Compared;
use super::figures::{Shift, Standing, ks, psi};
use super::*;
use crate::TableBuilder;
use crate::fixture;
use crate::job::{Encoding, FairnessTerms, Grouping};
use crate::model::ModelCard;
use crate::program::question::Question;
use crate::program::run::tests::{ALL, job, run, sum_of};
use crate::reference::fit_linear;

pub(super) fn comparing(terms: DriftTerms) -> Job {
    Job { drift: Some(terms), ..job(2) }
}

/// What is planted in the test rows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Planted {
    Nothing,
    /// Everybody is ten years older.
    Age,
    /// Nobody has no job any more.
    Level,
    /// All training rows are of one age, and half the test rows of another.
    Constant,
}

/// Five institutions that differ; every fifth row is a test row.
pub(super) fn tables(planted: Planted) -> Vec<Table> {
    (0..5).map(|seed| table(seed, planted, 1000 + 100 * seed)).collect()
}

fn table(seed: u64, planted: Planted, rows: u64) -> Table {
    let mut rng = fixture::rng(seed);
    let mut uniform = || fixture::uniform(&mut rng);
    let header = ["age", "job", "balance", "label"];
    let mut builder = TableBuilder::new(&fixture::contract(), &header).unwrap();
    for row in 0..rows {
        let is_test = row % 5 == 0;
        let mut age = 20.0 + 40.0 * uniform() + 3.0 * seed as f64;
        let mut job = ["office", "field", "none"][(3.0 * uniform()) as usize];
        let balance = -100.0 + 20_000.0 * uniform() * uniform();
        let positive = uniform() < 1.0 / (1.0 + libm::exp(-0.06 * (age - 50.0)));
        match planted {
            Planted::Age if is_test => age += 10.0,
            Planted::Constant => age = if is_test && row % 2 == 0 { 41.0 } else { 40.0 },
            Planted::Level if is_test && job == "none" => job = "office",
            _ => {}
        }
        let role = if is_test { Role::Test } else { Role::Train };
        let label = if positive { "1" } else { "0" };
        builder.push(row, &[&age.to_string(), job, &balance.to_string(), label], role);
    }
    builder.finish().unwrap()
}

fn figures(planted: Planted, terms: DriftTerms) -> DriftFigures {
    run(&comparing(terms), &tables(planted), |_| ALL.to_vec()).1.drift.unwrap()
}

fn named<'f>(figures: &'f DriftFigures, name: &str) -> &'f Shift {
    figures.columns.iter().find(|shift| shift.name == name).unwrap()
}

#[test]
fn the_index_agrees_with_a_calculation_by_hand() {
    // 0.05 ln 1.5 + 0.05 ln 1.2.
    let (before, now) = ([100, 200, 300, 400], [15, 20, 25, 40]);
    assert!((psi(&before, &now) - 0.029_389_333).abs() < 1e-9);
    assert!((psi(&now, &before) - psi(&before, &now)).abs() < 1e-12, "it is symmetric");
    assert_eq!(psi(&before, &[1, 2, 3, 4]), 0.0);
    // A bin without a row counts as half a row: 0.4 ln 2 (nearly) + 0.5 ln 500, of a thousand rows.
    let found = psi(&[500, 500], &[1000, 0]);
    assert!((found - (0.5 * libm::log(2.0) + (0.5 - 0.0005) * libm::log(1000.0))).abs() < 1e-9, "{found}");
    assert_eq!(psi(&[7, 0], &[3, 0]), 0.0);
}

#[test]
fn the_statistic_is_the_largest_difference_below_a_value() {
    assert!((ks(&[100, 200, 300, 400], &[15, 20, 25, 40]) - 0.05).abs() < 1e-12);
    assert_eq!(ks(&[1, 0, 0], &[0, 0, 5]), 1.0);
    assert_eq!((ks(&[2, 2], &[1, 1]), ks(&[0, 0], &[1, 1])), (0.0, 0.0));
}

#[test]
fn rows_that_have_not_changed_are_stable() {
    let figures = figures(Planted::Nothing, DriftTerms::default());
    assert_eq!((figures.reference_rows, figures.current_rows), (4800, 1200));
    for shift in figures.shifts() {
        assert_eq!(shift.standing, Some(Standing::Stable), "{shift:?}");
        assert!(shift.psi.unwrap() < 5.0 * shift.psi_by_chance.unwrap(), "{shift:?}");
        assert_eq!(shift.bins.iter().map(|bin| bin.reference).sum::<u64>(), 4800);
    }
    assert_eq!(
        figures.columns.iter().map(|shift| shift.name.as_str()).collect::<Vec<_>>(),
        ["age", "job", "balance"]
    );
    assert_eq!((figures.drifted().len(), figures.warning("test rows")), (0, None));
}

#[test]
fn a_column_that_has_shifted_is_found_with_the_scores_that_follow_it() {
    let figures = figures(Planted::Age, DriftTerms::default());
    let drifted: Vec<&str> = figures.drifted().iter().map(|shift| shift.name.as_str()).collect();
    assert_eq!(drifted, ["age", "score"], "{figures:?}");
    // Ages are spread over 40 years at each institution, and all are ten more.
    let age = named(&figures, "age");
    assert!((0.24..0.29).contains(&age.ks.unwrap()), "{age:?}");
    assert_eq!(age.bins.len(), 10);
    let told = figures.warning("test rows").unwrap();
    assert!(
        told.starts_with(
            "test rows have drifted from the rows that the model was trained on, in `age` (PSI "
        ),
        "{told}"
    );
    assert!(told.contains("the scores (PSI ") && told.ends_with("the job allows a PSI of 0.25"), "{told}");
}

#[test]
fn a_level_that_nobody_has_any_more_is_drift_and_its_count_is_not_shown() {
    let figures = figures(Planted::Level, DriftTerms::default());
    let job = named(&figures, "job");
    assert_eq!((job.standing, job.ks), (Some(Standing::Drifted), None), "{job:?}");
    let shown: Vec<bool> = job.bins.iter().map(|bin| bin.current.is_some()).collect();
    // Of one small count the next smallest is left out too: it would follow from the others.
    assert_eq!(shown, [true, false, false], "{job:?}");
    assert!(figures.drifted().iter().all(|shift| shift.name != "age"));
}

#[test]
fn a_statistic_above_its_own_threshold_is_drift_too() {
    let terms = DriftTerms { max_psi: 100.0, watch_psi: 50.0, max_ks: Some(0.1), ..Default::default() };
    let figures = figures(Planted::Age, terms);
    assert_eq!(named(&figures, "age").standing, Some(Standing::Drifted));
    assert_eq!(named(&figures, "balance").standing, Some(Standing::Stable));
    let told = figures.warning("test rows").unwrap();
    assert!(told.contains("KS 0.2") && told.ends_with("a PSI of 100 and a KS of 0.1"), "{told}");
}

#[test]
fn between_the_thresholds_a_shift_is_marked_and_no_warning() {
    let psi = figures(Planted::Age, DriftTerms::default()).score.psi.unwrap();
    let terms = DriftTerms {
        max_psi: psi * 2.0,
        watch_psi: psi / 2.0,
        columns: vec!["job".into()],
        ..Default::default()
    };
    let figures = figures(Planted::Age, terms);
    assert_eq!(figures.score.standing, Some(Standing::Watch));
    assert_eq!((figures.columns.len(), figures.warning("test rows")), (1, None));
}

#[test]
fn a_column_that_was_constant_and_is_no_more_has_drifted_though_it_has_one_bin() {
    let figures = figures(Planted::Constant, DriftTerms::default());
    let age = named(&figures, "age");
    assert_eq!((age.bins.len(), age.psi, age.psi_by_chance, age.ks), (1, None, None, Some(0.5)));
    assert_eq!(age.standing, Some(Standing::Drifted));
    assert!(figures.warning("test rows").unwrap().contains("`age` (KS 0.500)"));
}

#[test]
fn the_federation_finds_what_pooled_rows_show() {
    let tables = tables(Planted::Age);
    let references: Vec<_> = tables.iter().collect();
    let model = Model::Linear(fit_linear(&references, 1e-3, Encoding::AllLevels).unwrap());
    let terms = DriftTerms { bins: 20, ..Default::default() };
    let pooled = measured(&model, &references, &terms, 4096).unwrap();
    let mut program = Drift::new(&model, &terms, 4096);
    let Next::Ask(question) = program.next(None).unwrap() else { panic!("it asks first") };
    let sum = sum_of(&references, 5, &question.layout().unwrap(), |table, rng| {
        Drift::answer(&question, table, rng).unwrap()
    });
    assert_eq!(program.next(Some(&sum)).unwrap(), Next::Done(pooled));
}

#[test]
fn bins_hold_the_rows_whose_values_they_say() {
    let tables = tables(Planted::Nothing);
    let figures = figures(Planted::Nothing, DriftTerms::default());
    for (position, name) in [(0, "age"), (2, "balance")] {
        let shift = named(&figures, name);
        let mut counts = vec![0; shift.bins.len()];
        for table in &tables {
            let crate::table::Values::Numeric(values) = &table.columns()[position] else { panic!("numbers") };
            for row in table.rows_for(Role::Train) {
                let value = if name == "age" {
                    values[row]
                } else {
                    libm::copysign(libm::expm1(values[row].abs()), values[row])
                };
                counts
                    [shift.bins.iter().position(|bin| bin.below.is_none_or(|edge| value < edge)).unwrap()] +=
                    1;
            }
        }
        assert_eq!(counts, shift.bins.iter().map(|bin| bin.reference).collect::<Vec<u64>>(), "{name}");
    }
}

#[test]
fn fewer_rows_than_are_shown_have_no_figures() {
    let few = figures(Planted::Age, DriftTerms { min_rows: 1300, ..Default::default() });
    assert!(
        few.shifts().all(|shift| shift.psi.is_none() && shift.standing.is_none() && !shift.bins.is_empty())
    );
    assert!(
        few.shifts().flat_map(|shift| &shift.bins).all(|bin| bin.current.is_none() && bin.reference >= 1300)
    );
    let none = figures(Planted::Age, DriftTerms { min_rows: 5000, ..Default::default() });
    assert!(none.score.bins.is_empty() && none.columns.is_empty());
}

#[test]
fn without_test_rows_the_card_still_says_where_the_training_rows_were() {
    let mut tables = tables(Planted::Nothing);
    tables.iter_mut().flat_map(|table| &mut table.roles).for_each(|role| *role = Role::Train);
    let figures = run(&comparing(DriftTerms::default()), &tables, |_| ALL.to_vec()).1.drift.unwrap();
    assert_eq!((figures.reference_rows, figures.current_rows), (6000, 0));
    assert!(figures.shifts().all(|shift| shift.psi.is_none() && shift.bins.len() > 1));
}

#[test]
fn it_comes_last_after_the_comparison_of_groups() {
    let groups = vec![Grouping { column: "job".into(), bands: Vec::new() }];
    let fairness = Some(FairnessTerms { flagged: 0.2, min_rows: 20, groups });
    let job = Job { fairness, ..comparing(DriftTerms::default()) };
    let (_, outcome, sums) = run(&job, &tables(Planted::Nothing), |_| ALL.to_vec());
    assert_eq!(sums.len(), 7);
    assert!(outcome.fairness.is_some() && outcome.drift.is_some());
}

/// The card of a model that was trained on tables without drift, and the model.
pub(super) fn released() -> (Model, ModelCard) {
    let (_, outcome, _) = run(&comparing(DriftTerms::default()), &tables(Planted::Nothing), |_| ALL.to_vec());
    let weights = outcome.model.to_safetensors().unwrap();
    let card = serde_json::to_string(&outcome.card(&weights, BTreeMap::new())).unwrap();
    Model::load(&weights, &card).unwrap()
}

fn found_later(planted: Planted) -> DriftFigures {
    let (model, card) = released();
    let mut compared = Compared::with(&card).unwrap();
    // Only test rows have drifted.
    for mut later in tables(planted) {
        let test = later.rows_for(Role::Test);
        let kept = |values: &crate::table::Values| match values {
            crate::table::Values::Numeric(values) => {
                crate::table::Values::Numeric(test.iter().map(|&row| values[row]).collect())
            }
            crate::table::Values::Categorical(values) => {
                crate::table::Values::Categorical(test.iter().map(|&row| values[row]).collect())
            }
        };
        later.columns = later.columns.iter().map(kept).collect();
        later.labels = vec![false; test.len()];
        later.roles = vec![Role::Test; test.len()];
        compared.add(&later, &model.score(&later).unwrap()).unwrap();
    }
    compared.finish()
}

#[test]
fn rows_of_later_years_are_compared_with_those_in_the_card() {
    for planted in [Planted::Nothing, Planted::Age, Planted::Level] {
        let (of_job, later) = (figures(planted, DriftTerms::default()), found_later(planted));
        assert_eq!(later.current_rows, 1200);
        for (of_job, later) in of_job.columns.iter().zip(&later.columns) {
            // The bins are the same ones, but for KS, which the job knows between their ends too.
            assert!((of_job.psi.unwrap() - later.psi.unwrap()).abs() < 1e-12, "{of_job:?} {later:?}");
            assert_eq!((of_job.ks.is_some(), of_job.standing), (later.ks.is_some(), later.standing));
            assert!(later.ks <= of_job.ks && later.bins.iter().all(|bin| bin.current.is_some()));
        }
    }
    let stable = found_later(Planted::Nothing);
    assert!(stable.shifts().all(|shift| shift.standing == Some(Standing::Stable)), "{stable:?}");
    assert_eq!(found_later(Planted::Age).drifted().len(), 2);
}

#[test]
fn a_card_whose_bins_are_not_those_of_its_contract_does_not_load() {
    let (model, card) = released();
    let weights = model.to_safetensors().unwrap();
    let load = |card: &ModelCard| Model::load(&weights, &serde_json::to_string(card).unwrap()).map(drop);
    assert!(load(&card).is_ok());
    let bends: [fn(&mut DriftFigures); 7] = [
        |figures| figures.columns[0].name = "height".into(),
        |figures| figures.columns[0].bins.swap(0, 1),
        |figures| figures.columns[0].bins[2].reference += 1,
        |figures| figures.columns[0].bins[0].below = None,
        |figures| drop(figures.columns[1].bins[0].levels.pop()),
        |figures| figures.columns[1].bins[0].below = Some(1.0),
        |figures| figures.score.bins.truncate(3),
    ];
    for (position, bend) in bends.into_iter().enumerate() {
        let mut bent = card.clone();
        bend(bent.drift.as_mut().unwrap());
        assert_eq!(load(&bent).unwrap_err().code(), "model.card", "{position}");
    }
}

#[test]
fn a_comparison_beyond_the_approved_job_is_recognised() {
    let approved = comparing(DriftTerms { columns: vec!["age".into(), "job".into()], ..Default::default() });
    let (model, _) = released();
    let Next::Ask(question) = Drift::new(&model, approved.drift.as_ref().unwrap(), 4096).next(None).unwrap()
    else {
        panic!("it asks first")
    };
    assert!(Question::Drift(question.clone()).approved_by(&approved).is_ok());
    let bends: [fn(&mut DriftQuestion); 6] = [
        |question| question.bins = 1 << 16,
        |question| question.max_rows += 1,
        |question| question.columns[1] = "balance".into(),
        |question| drop((question.columns.pop(), question.widths.pop())),
        |question| question.widths[0] = 1 << 20,
        |question| {
            let Scorer::Linear { coefficients, .. } = &mut question.scorer else { panic!("a linear model") };
            coefficients.weights.push(0.0);
        },
    ];
    for bend in bends {
        let mut bent = question.clone();
        bend(&mut bent);
        let error = Question::Drift(bent).approved_by(&approved).unwrap_err();
        assert_eq!(error.code(), "program.not-approved", "{error}");
    }
    // A job that compares nothing agreed to no comparison.
    let error = Question::Drift(question).approved_by(&job(2)).unwrap_err();
    assert_eq!(error.code(), "program.not-approved");
}

#[test]
fn widths_that_no_memory_holds_have_no_layout() {
    for widths in [vec![u32::MAX, 1], vec![1 << 26, 1]] {
        assert_eq!(layout(&widths, 4096, 10).unwrap_err().code(), "program.bad-question", "{widths:?}");
    }
}

#[test]
fn sums_that_no_tables_add_up_to_are_refused() {
    let job = comparing(DriftTerms::default());
    let (_, _, sums) = run(&job, &tables(Planted::Nothing), |_| ALL.to_vec());
    let (last, earlier) = sums.split_last().unwrap();
    for (block, steps) in [("test.rows", -1), ("train.scores", 5_000_001), ("train.rows", 4801)] {
        let mut again = crate::JobRun::new(&job);
        earlier.iter().for_each(|sum| drop(again.next(Some(sum)).unwrap()));
        let layout = last.layout().clone();
        let mut values = last.steps().to_vec();
        values[layout.range(block).unwrap()][7] = steps;
        let words = [i64::from(last.survivors())].into_iter().chain(values);
        let bytes: Vec<u8> = words.flat_map(i64::to_le_bytes).collect();
        let error = again.next(Some(&Sum::from_bytes(layout, &bytes).unwrap())).unwrap_err();
        assert_eq!(error.code(), "program.impossible-sum", "{block}");
    }
}
