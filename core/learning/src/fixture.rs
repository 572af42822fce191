//! A small synthetic table for tests.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::contract::{Column, ColumnKind, Contract, Label, Transform};
use crate::table::{MISSING, Role, Table, Values};
use crate::table_builder::TableBuilder;

/// Two numeric columns and one of three levels: five inputs.
pub(crate) fn contract() -> Contract {
    let column = |name: &str, kind| Column {
        name: name.into(),
        kind,
        sensitive: false,
        level: None,
        nullable: false,
        other: false,
    };
    let levels = ["office", "field", "none"].map(String::from).to_vec();
    Contract {
        name: "small".into(),
        version: 1,
        max_rows: 1_000_000,
        customer: None,
        max_rows_per_customer: None,
        label: Label { column: "label".into(), positive: "1".into(), negative: "0".into() },
        columns: vec![
            column("age", ColumnKind::Numeric { transform: Transform::Identity, min: 18.0, max: 100.0 }),
            column("job", ColumnKind::Categorical { levels }),
            column("balance", ColumnKind::Numeric { transform: Transform::Slog1p, min: -1e4, max: 2e5 }),
        ],
    }
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A uniform number in [0, 1).
pub(crate) fn uniform(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// `rows` rows whose label follows a logistic model; every fifth is a test row, every fifth but one a
/// validation row when asked for. `shift` makes institutions differ.
pub(crate) fn table(rows: u64, shift: f64, validation: bool, seed: u64) -> Table {
    let mut rng = rng(seed);
    let mut builder = TableBuilder::new(&contract(), &["age", "job", "balance", "label"]).unwrap();
    for row in 0..rows {
        let age = 20.0 + 60.0 * (0.8 * uniform(&mut rng) + 0.2 * shift);
        let job = ["office", "field", "none"][(rng.next_u32() % 3) as usize];
        let balance = -100.0 + 20_000.0 * uniform(&mut rng) * uniform(&mut rng);
        let score =
            0.06 * (age - 50.0) + if job == "none" { 1.2 } else { -0.5 } + 0.2 * (balance / 5000.0 - 1.0);
        let positive = uniform(&mut rng) < 1.0 / (1.0 + (-score).exp());
        let role = match row % 5 {
            0 => Role::Test,
            1 if validation => Role::Validation,
            _ => Role::Train,
        };
        let cells =
            [age.to_string(), job.into(), balance.to_string(), if positive { "1" } else { "0" }.into()];
        builder.push(row, &cells.each_ref().map(String::as_str), role);
    }
    builder.finish().unwrap()
}

/// The same rows with age and job missing here and there, more often of positives.
pub(crate) fn table_with_gaps(rows: u64, seed: u64) -> Table {
    let full = table(rows, 0.3, true, seed);
    let mut contract = contract();
    contract.columns[..2].iter_mut().for_each(|column| column.nullable = true);
    let mut rng = rng(seed + 1_000);
    let mut is_gap = |row: usize| uniform(&mut rng) < if full.labels[row] { 0.3 } else { 0.15 };
    let mut columns = full.columns;
    for values in &mut columns[..2] {
        let rows = 0..full.labels.len();
        *values = match values {
            Values::Numeric(ages) => {
                Values::Numeric(rows.map(|row| if is_gap(row) { MISSING } else { ages[row] }).collect())
            }
            Values::Categorical(jobs) => {
                Values::Categorical(rows.map(|row| if is_gap(row) { 3 } else { jobs[row] }).collect())
            }
        };
    }
    Table { contract, columns, labels: full.labels, roles: full.roles }
}
