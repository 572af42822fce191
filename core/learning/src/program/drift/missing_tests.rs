//! Columns whose values may be missing.

use super::against::Compared;
use super::figures::{Bin, Shift, Standing};
use super::*;
use crate::fixture;
use crate::job::Encoding;
use crate::program::run::tests::{ALL, job, run};
use crate::reference::fit_linear;
use crate::table::{MISSING, Values};

/// Age and job are missing of these shares of the training rows, and of the test rows.
pub(super) fn tables(of_training: f64, of_test: f64) -> Vec<Table> {
    (0..5).map(|seed| with_gaps(fixture::table(1000, 0.3, false, seed), of_training, of_test, seed)).collect()
}

fn with_gaps(full: Table, of_training: f64, of_test: f64, seed: u64) -> Table {
    let Table { mut contract, mut columns, labels, roles } = full;
    let mut rng = fixture::rng(seed + 500);
    for (column, values) in contract.columns.iter_mut().zip(&mut columns).take(2) {
        column.nullable = true;
        let mut is_gap = |row: usize| {
            let share = if roles[row] == Role::Test { of_test } else { of_training };
            fixture::uniform(&mut rng) < share
        };
        let rows = 0..labels.len();
        *values = match values {
            Values::Numeric(ages) => {
                Values::Numeric(rows.map(|row| if is_gap(row) { MISSING } else { ages[row] }).collect())
            }
            Values::Categorical(jobs) => {
                Values::Categorical(rows.map(|row| if is_gap(row) { 3 } else { jobs[row] }).collect())
            }
        };
    }
    Table { contract, columns, labels, roles }
}

fn figures(tables: &[Table]) -> DriftFigures {
    let job = Job { drift: Some(DriftTerms::default()), contract: tables[0].contract().clone(), ..job(2) };
    run(&job, tables, |_| ALL.to_vec()).1.drift.unwrap()
}

fn named<'f>(figures: &'f DriftFigures, name: &str) -> &'f Shift {
    figures.columns.iter().find(|shift| shift.name == name).unwrap()
}

fn missing_of(shift: &Shift) -> &Bin {
    let (last, others) = shift.bins.split_last().unwrap();
    assert!(last.missing && last.levels.is_empty() && last.below.is_none(), "{shift:?}");
    assert!(others.iter().all(|bin| !bin.missing), "{shift:?}");
    last
}

#[test]
fn missing_values_have_a_bin_of_their_own_at_the_end() {
    let tables = tables(0.1, 0.1);
    let figures = figures(&tables);
    for (position, name) in [(0, "age"), (1, "job")] {
        let shift = named(&figures, name);
        let in_role = |role| {
            let of_table = |table: &Table| {
                let column = &table.contract().columns[position];
                let rows = table.rows_for(role).into_iter();
                rows.filter(|&row| table.columns()[position].is_missing(row, column)).count() as u64
            };
            tables.iter().map(of_table).sum::<u64>()
        };
        let bin = missing_of(shift);
        assert_eq!((bin.reference, bin.current), (in_role(Role::Train), Some(in_role(Role::Test))), "{name}");
        assert_eq!(shift.bins.iter().map(|bin| bin.reference).sum::<u64>(), 4000, "{name}");
        assert_eq!(shift.standing, Some(Standing::Stable), "{shift:?}");
    }
    assert_eq!(named(&figures, "age").bins.len(), 11, "ten of numbers, and one");
    assert_eq!(named(&figures, "job").bins.len(), 4);
    assert!(named(&figures, "balance").bins.iter().all(|bin| !bin.missing), "it is not nullable");
}

#[test]
fn a_share_of_missing_values_that_rises_from_none_is_drift() {
    let figures = figures(&tables(0.0, 0.2));
    for name in ["age", "job"] {
        let shift = named(&figures, name);
        assert_eq!(missing_of(shift).reference, 0);
        // 0.2 ln(0.2 * 8000) of the bin alone.
        assert!(shift.psi.unwrap() > 1.3 && shift.standing == Some(Standing::Drifted), "{shift:?}");
    }
    assert_eq!(named(&figures, "balance").standing, Some(Standing::Stable));
    // The ages that are known have not changed.
    assert!(named(&figures, "age").ks.unwrap() < 0.06);
}

#[test]
fn a_nullable_column_in_which_nothing_is_missing_compares_like_another() {
    let nullable = figures(&tables(0.0, 0.0));
    let full: Vec<Table> = (0..5).map(|seed| fixture::table(1000, 0.3, false, seed)).collect();
    let plain = figures(&full);
    for name in ["age", "job"] {
        let (nullable, plain) = (named(&nullable, name), named(&plain, name));
        assert_eq!(missing_of(nullable).reference, 0);
        let of = |shift: &Shift| (shift.psi, shift.psi_by_chance, shift.ks, shift.standing);
        assert_eq!(of(nullable), of(plain), "{name}");
    }
}

#[test]
fn numbers_that_are_one_value_are_compared_by_themselves_beside_a_share_that_stays() {
    let constant = |value_now: f64| {
        let mut tables = tables(0.1, 0.1);
        for table in &mut tables {
            let Values::Numeric(ages) = &table.columns[0] else { panic!("numbers") };
            let age = |row: usize| match (ages[row].is_nan(), table.roles[row]) {
                (true, _) => MISSING,
                (false, Role::Test) => value_now,
                (false, _) => 40.0,
            };
            table.columns[0] = Values::Numeric((0..table.rows()).map(age).collect());
        }
        named(&figures(&tables), "age").clone()
    };
    let moved = constant(60.0);
    assert_eq!((moved.bins.len(), moved.ks, moved.standing), (2, Some(1.0), Some(Standing::Drifted)));
    assert!(moved.psi.unwrap() < 0.01);
    assert_eq!(constant(40.0).standing, Some(Standing::Stable));
}

#[test]
fn a_column_that_nobody_fills_in_has_no_statistic_of_its_numbers() {
    let figures = figures(&tables(1.0, 1.0));
    let age = named(&figures, "age");
    assert_eq!((age.ks, age.psi, age.standing), (None, None, None), "{age:?}");
    assert_eq!(missing_of(age).reference, 4000);
}

/// A card of rows in which values are missing, and its model.
fn released(tables: &[Table]) -> (Model, crate::model::ModelCard) {
    let references: Vec<&Table> = tables.iter().collect();
    let model = Model::Linear(fit_linear(&references, 1e-3, Encoding::AllLevels).unwrap());
    let figures = measured(&model, &references, &DriftTerms::default(), 4096).unwrap();
    let mut card = model.card(&model.to_safetensors().unwrap(), Default::default());
    card.drift = Some(figures);
    (model, card)
}

#[test]
fn rows_of_later_years_are_counted_among_the_missing_ones_of_the_card() {
    let (model, card) = released(&tables(0.05, 0.05));
    let later = with_gaps(fixture::table(2000, 0.3, false, 77), 0.3, 0.3, 77);
    let mut compared = Compared::with(&card).unwrap();
    compared.add(&later, &model.score(&later).unwrap()).unwrap();
    let figures = compared.finish();
    for (position, (name, missing)) in later.missing().into_iter().enumerate() {
        let shift = &figures.columns[position];
        assert_eq!((shift.name.as_str(), missing_of(shift).current), (name, Some(missing)));
        assert_eq!(shift.standing, Some(Standing::Drifted), "{shift:?}");
    }
    let age = named(&figures, "age");
    assert!(age.ks.unwrap() < 0.06, "of the ages that are known: {age:?}");
    assert_eq!(named(&figures, "job").ks, None);
}

#[test]
fn a_card_without_a_bin_for_missing_values_does_not_load() {
    let (model, card) = released(&tables(0.05, 0.05));
    let weights = model.to_safetensors().unwrap();
    let load = |card: &crate::model::ModelCard| {
        Model::load(&weights, &serde_json::to_string(card).unwrap()).map(drop)
    };
    assert!(load(&card).is_ok());
    let bends: [fn(&mut DriftFigures); 4] = [
        |figures| drop(figures.columns[0].bins.pop()),
        |figures| figures.columns[0].bins.rotate_left(1),
        |figures| figures.columns[1].bins.last_mut().unwrap().levels = vec!["none".into()],
        |figures| figures.columns[2].bins.last_mut().unwrap().missing = true,
    ];
    for (position, bend) in bends.into_iter().enumerate() {
        let mut bent = card.clone();
        bend(bent.drift.as_mut().unwrap());
        assert_eq!(load(&bent).unwrap_err().code(), "model.card", "{position}");
    }
}
