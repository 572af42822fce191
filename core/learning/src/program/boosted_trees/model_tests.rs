use super::federated_tests::{references, tables, terms};
use super::*;
use crate::Scoring as _;
use crate::contract::{Column, ColumnKind};
use crate::fixture::{self, uniform};
use crate::metrics::Metrics;
use crate::program::neural_network::ClassWeights;
use crate::table::{MISSING, Role, Values};
use crate::trees::Rule;

fn metrics(model: &TreeModel, tables: &[&Table], role: Role) -> Metrics {
    model.evaluate(tables, role).unwrap().unwrap()
}

#[test]
fn every_tree_lowers_the_loss_on_training_rows_and_the_model_so_far_is_there() {
    let tables = tables();
    let tables = references(&tables);
    let model = fit_pooled(&tables, &terms(12, 4)).unwrap();
    let losses: Vec<f64> =
        (0..=12).map(|trees| metrics(&model.first(trees), &tables, Role::Train).log_loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    assert!(metrics(&model, &tables, Role::Test).roc_auc.unwrap() > 0.7);
    let shorter = fit_pooled(&tables, &terms(5, 4)).unwrap();
    assert_eq!(model.first(5), shorter);
}

#[test]
fn leaves_hold_at_least_so_many_rows() {
    let tables = tables();
    let tables = references(&tables);
    let terms = BoostedTreesTerms { min_rows: 60, ..terms(3, 5) };
    let model = fit_pooled(&tables, &terms).unwrap();
    for tree in &model.ensemble.trees {
        let mut rows = vec![0; tree.parts().len()];
        for table in &tables {
            let binned =
                crate::trees::BinnedRows::of(table, &table.rows_for(Role::Train), &model.ensemble.bins);
            binned.unwrap().rows().for_each(|row| rows[tree.place_of(row)] += 1);
        }
        assert!(rows.into_iter().all(|rows| rows == 0 || rows >= 60));
        assert!(tree.splits().count() > 0);
    }
}

/// Rows whose label rises and falls with both numeric columns.
fn waves() -> Table {
    let mut table = fixture::table(3_000, 0.5, false, 7);
    let mut rng = fixture::rng(8);
    let Table { columns, labels, .. } = &mut table;
    let [Values::Numeric(ages), _, Values::Numeric(balances)] = &columns[..] else { unreachable!() };
    for (row, label) in labels.iter_mut().enumerate() {
        let score = (ages[row] / 6.0).sin() + ages[row] / 80.0 + balances[row].cos();
        *label = uniform(&mut rng) < 1.0 / (1.0 + (-2.0 * score).exp());
    }
    table
}

/// How often the probability goes the wrong way on a grid: with age, and with the balance.
fn reversals(model: &TreeModel) -> [usize; 2] {
    let contract = model.contract.clone();
    let count = |cells: &dyn Fn(&str, f64, f64) -> [String; 4], sign: f64| {
        let mut reversals = 0;
        for job in ["office", "field", "none"] {
            for fixed in 0..40 {
                let header = ["age", "job", "balance", "label"];
                let mut builder = crate::TableBuilder::new(&contract, &header).unwrap();
                for moving in 0..200 {
                    let cells = cells(job, f64::from(fixed) / 40.0, f64::from(moving) / 200.0);
                    let role = if moving < 2 { Role::Train } else { Role::Test };
                    builder.push(moving as u64, &cells.each_ref().map(String::as_str), role);
                }
                let mut table = builder.finish();
                if let Ok(table) = &mut table {
                    let scores = model.score(table).unwrap();
                    reversals += scores.windows(2).filter(|pair| sign * (pair[1] - pair[0]) < 0.0).count();
                }
            }
        }
        reversals
    };
    let balance = |at: f64| (-90.0 + 20_000.0 * at * at).to_string();
    // Both classes must occur in a table: the label of the first row is the other one.
    let label = |moving: f64| if moving == 0.0 { "1" } else { "0" }.to_string();
    let along_age = |job: &str, fixed: f64, moving: f64| {
        [(18.0 + 80.0 * moving).to_string(), job.into(), balance(fixed), label(moving)]
    };
    let along_balance = |job: &str, fixed: f64, moving: f64| {
        [(18.0 + 80.0 * fixed).to_string(), job.into(), balance(moving), label(moving)]
    };
    [count(&along_age, 1.0), count(&along_balance, -1.0)]
}

#[test]
fn monotone_columns_are_monotone_whatever_the_others_hold() {
    let table = waves();
    let free = fit_pooled(&[&table], &terms(20, 5)).unwrap();
    assert!(reversals(&free).into_iter().all(|reversals| reversals > 100), "{:?}", reversals(&free));
    let terms = BoostedTreesTerms {
        increasing: vec!["age".into()],
        decreasing: vec!["balance".into()],
        ..terms(20, 5)
    };
    let bound = fit_pooled(&[&table], &terms).unwrap();
    assert_eq!(reversals(&bound), [0, 0]);
    assert!(bound.importance().iter().all(|of_column| of_column.splits > 0));
    assert!(metrics(&bound, &[&table], Role::Test).roc_auc.unwrap() > 0.6);
}

#[test]
fn a_monotone_column_stays_so_among_the_values_that_are_there() {
    let mut table = waves();
    table.contract.columns[0].nullable = true;
    let Values::Numeric(ages) = &table.columns[0] else { unreachable!() };
    // Missing where the label is positive as a rule, and so on neither side of the trend.
    let is_gap = |row: usize| row.is_multiple_of(4) && table.labels[row];
    let with_gaps =
        (0..table.labels.len()).map(|row| if is_gap(row) { MISSING } else { ages[row] }).collect();
    table.columns[0] = Values::Numeric(with_gaps);
    let terms = BoostedTreesTerms { increasing: vec!["age".into()], ..terms(20, 5) };
    let bound = fit_pooled(&[&table], &terms).unwrap();
    assert_eq!(reversals(&bound)[0], 0);
    let splits = bound.ensemble.trees.iter().flat_map(|tree| tree.splits());
    let of_missing = splits.filter(|split| split.column == 0 && split.rule == Rule::UpTo(0)).count();
    assert!(of_missing > 0 && bound.importance()[0].splits > of_missing as u64);
}

#[test]
fn levels_that_belong_together_are_split_off_together() {
    let levels: Vec<String> = (0..70).map(|level| format!("town {level}")).collect();
    let kind = ColumnKind::Categorical { levels };
    let mut contract = fixture::contract();
    contract.columns = vec![Column {
        name: "town".into(),
        kind,
        sensitive: false,
        level: None,
        nullable: false,
        other: false,
    }];
    let table = |seed| {
        let mut rng = fixture::rng(seed);
        let mut builder = crate::TableBuilder::new(&contract, &["town", "label"]).unwrap();
        for row in 0..4_000 {
            // Towns above 64 are nearly absent.
            let town = if row % 500 == 0 { 65 } else { row % 64 };
            let rate = if town % 3 == 0 { 0.9 } else { 0.2 };
            let label = if uniform(&mut rng) < rate { "1" } else { "0" };
            builder.push(row, &[&format!("town {town}"), label], Role::Train);
        }
        builder.finish().unwrap()
    };
    let tables = [table(1), table(2)];
    let model = fit_pooled(&references(&tables), &BoostedTreesTerms { depth: 1, ..terms(1, 1) }).unwrap();
    let split = model.ensemble.trees[0].splits().next().unwrap();
    let Rule::OneOf(left) = &split.rule else { panic!("a split by levels") };
    let thirds: Vec<u16> = (0..64).filter(|town| town % 3 == 0).collect();
    let others: Vec<u16> = (0..64).filter(|town| town % 3 != 0).collect();
    assert!(left == &thirds || left == &others, "{left:?}");
}

/// The table with numbers on a coarse grid, so that bins do not depend on how often they are there, and each positive so often.
fn coarse(table: &Table, positives: usize) -> Table {
    let of_row = |row: usize| std::iter::repeat_n(row, if table.labels()[row] { positives } else { 1 });
    let rows: Vec<usize> = (0..table.rows()).flat_map(of_row).collect();
    let column = |(column, values): (&Column, &Values)| match (&column.kind, values) {
        (ColumnKind::Numeric { transform, min, max }, Values::Numeric(values)) => {
            let (centre, half_range) = transform.centre_and_half_range(*min, *max);
            let rounded =
                |value: f64| centre + ((value - centre) / half_range * 8.0).round() * half_range / 8.0;
            Values::Numeric(rows.iter().map(|&row| rounded(values[row])).collect())
        }
        (_, Values::Categorical(values)) => {
            Values::Categorical(rows.iter().map(|&row| values[row]).collect())
        }
        _ => panic!("values of another kind"),
    };
    Table {
        contract: table.contract().clone(),
        columns: table.contract().columns.iter().zip(table.columns()).map(column).collect(),
        labels: rows.iter().map(|&row| table.labels()[row]).collect(),
        roles: rows.iter().map(|&row| table.roles[row]).collect(),
    }
}

#[test]
fn a_positive_that_counts_three_times_is_as_one_that_is_there_three_times() {
    let tables = tables();
    let once: Vec<Table> = tables.iter().map(|table| coarse(table, 1)).collect();
    let thrice: Vec<Table> = tables.iter().map(|table| coarse(table, 3)).collect();
    let plain = BoostedTreesTerms { min_rows: 1, min_level_rows: 1, ..terms(6, 3) };
    let weights = Some(ClassWeights::Positive(3.0));
    let weighted = BoostedTreesTerms { class_weights: weights, ..plain.clone() };
    let by_weight = fit_pooled(&references(&once), &weighted).unwrap();
    let by_number = fit_pooled(&references(&thrice), &plain).unwrap();
    let unweighted = fit_pooled(&references(&once), &plain).unwrap();
    let scores =
        |model: &TreeModel| once.iter().flat_map(|table| model.score(table).unwrap()).collect::<Vec<_>>();
    let farthest = |other: &TreeModel| {
        let gaps = scores(&by_weight).into_iter().zip(scores(other)).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f64::max)
    };
    assert!(farthest(&by_number) < 1e-6, "{}", farthest(&by_number));
    assert!(farthest(&unweighted) > 0.1);
}

#[test]
fn class_weights_of_trees_are_those_that_were_approved() {
    let tables = tables();
    let weighted = BoostedTreesTerms { class_weights: Some(ClassWeights::BALANCED), ..terms(2, 2) };
    let contract = tables[0].contract().clone();
    let counts = tables.iter().map(|table| table.count(Role::Train));
    let (rows, positives) = counts.fold((0, 0), |all, table| (all.0 + table.0, all.1 + table.1));
    let mut program =
        BoostedTrees::new(contract.clone(), Count { rows, positives }, weighted.clone()).unwrap();
    let mut asked = 0;
    while let Next::Ask(question) = program.pending() {
        question.approved_by(&contract, &weighted).unwrap();
        if let BoostedTreesQuestion::Grow(grow) = &question {
            assert_eq!(
                question.approved_by(&contract, &terms(2, 2)).unwrap_err().code(),
                "program.not-approved"
            );
            let without = GrowQuestion { class_weights: None, ..grow.clone() };
            let without = BoostedTreesQuestion::Grow(without);
            assert_eq!(without.approved_by(&contract, &weighted).unwrap_err().code(), "program.not-approved");
            assert!(!serde_json::to_string(&without).unwrap().contains("class_weights"));
            asked += 1;
        }
        let mut summed = vec![0.0; question.layout().unwrap().len()];
        for table in &tables {
            let contribution = BoostedTrees::answer(&question, table, &mut fixture::rng(1)).unwrap();
            summed.iter_mut().zip(contribution.values()).for_each(|(sum, value)| *sum += value);
        }
        program.take(&summed, 5).unwrap();
    }
    assert!(asked >= 2 && (program.model().ensemble.base).abs() < 1e-12, "both classes count alike at first");
}
