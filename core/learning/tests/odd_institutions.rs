//! Institutions that nobody would have invented: of two rows, of the same row many times, with a level that nobody else has, and a
//! hundred times as large as the rest. What a program makes of them is what pooling makes of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod played;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_learning::reference;
use syndic_learning::{Job, Metrics, Model, Role, Scoring as _, Table, TableBuilder};

use played::{played, tried};

const JOB: &str = r#"
[job]
id = "odd"
purpose = "test"
description = "Institutions that nobody would have invented."

[contract]
name = "odd"

[contract.label]
column = "label"
positive = "1"

[[contract.columns]]
name = "age"
type = "numeric"
min = 0
max = 100

[[contract.columns]]
name = "balance"
type = "numeric"
min = -1e9
max = 1e9
transform = "slog1p"

[[contract.columns]]
name = "channel"
type = "categorical"
levels = ["branch", "phone", "web", "pilot"]

PROGRAM

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
"#;

const NEWTON: &str =
    "[program]\nname = \"logistic-regression\"\nsolver = \"newton\"\nl2 = 1e-3\n\n[rounds]\ncount = 20\n";

const FED_AVG: &str =
    "[program]\nname = \"logistic-regression\"\nsolver = \"fed-avg\"\nl2 = 1e-3\n\n[rounds]\ncount = 30\n";

const NETWORK: &str =
    "[program]\nname = \"neural-network\"\nhidden = [8]\nlearning_rate = 0.003\n\n[rounds]\ncount = 30\n";

const TREES: &str = "[program]\nname = \"boosted-trees\"\ndepth = 3\n\n[rounds]\ncount = 10\n";

const SCORECARD: &str = "[program]\nname = \"scorecard\"\nmax_bins = 5\n\n[rounds]\ncount = 20\n";

#[test]
fn exact_programs_come_to_what_pooling_comes_to() {
    let tables = institutions();
    for (program, tolerance) in [(NEWTON, 1e-4), (TREES, 1e-4), (SCORECARD, 1e-4)] {
        let (ours, pooled) = both(program, &tables);
        for table in &tables {
            let (ours, pooled) = (ours.score(table).unwrap(), pooled.score(table).unwrap());
            let furthest = ours.iter().zip(&pooled).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(furthest < tolerance, "{program}: {furthest}");
        }
    }
}

#[test]
fn averaged_programs_come_near_to_what_pooling_comes_to() {
    let tables = institutions();
    for program in [FED_AVG, NETWORK] {
        let (ours, pooled) = both(program, &tables);
        let [ours, pooled] = [ours, pooled].map(|model| figures(&model, &tables));
        assert!(ours.roc_auc > pooled.roc_auc.map(|auc| auc - 0.01), "{program}: {ours:?}, {pooled:?}");
        assert!(ours.log_loss < pooled.log_loss + 0.02, "{program}: {ours:?}, {pooled:?}");
    }
}

#[test]
fn columns_that_are_constant_everywhere_tell_nothing_and_break_nothing() {
    let tables = [same_row(60, 17), same_row(40, 9)];
    for program in [NEWTON, FED_AVG, NETWORK, TREES] {
        let model = played(&job(program), &tables).model;
        for probability in tables.iter().flat_map(|table| model.score(table).unwrap()) {
            assert!((probability - 0.26).abs() < 0.02, "{program}: {probability}");
        }
    }
    let refused = tried(&job(SCORECARD), &tables).unwrap_err();
    assert_eq!(refused.code(), "program.no-column-tells");
}

/// The federation's model and that of pooling.
fn both(program: &str, tables: &[Table]) -> (Model, Model) {
    let text = job(program);
    let pooled = reference::fit(&Job::from_toml(&text).unwrap(), &tables.iter().collect::<Vec<_>>()).unwrap();
    (played(&text, tables).model, pooled)
}

fn figures(model: &Model, tables: &[Table]) -> Metrics {
    model.evaluate(&tables.iter().collect::<Vec<_>>(), Role::Train).unwrap().unwrap()
}

fn job(program: &str) -> String {
    JOB.replace("PROGRAM\n", program)
}

/// Of 4,000 rows; of 40; of two; of the same row 300 times; and of 300 of which half have a level that nobody else has.
fn institutions() -> Vec<Table> {
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let mut drawn = |rows: u64, channels: &[&str]| {
        let rows: Vec<_> = (0..rows)
            .map(|row| {
                let age = (18.0 + 60.0 * uniform()).floor();
                // From pennies to hundreds of millions, of either sign.
                let balance = (uniform() - 0.5).signum() * (uniform() * 20.0).exp();
                let channel = channels[(uniform() * channels.len() as f64) as usize];
                let score = 0.06 * (age - 48.0) + if channel == "pilot" { 1.5 } else { -0.5 }
                    - 0.3 * balance.signum();
                // The first two of each institution are of either class.
                let drawn = uniform() < 1.0 / (1.0 + f64::exp(-score));
                let positive = if row < 2 { row == 0 } else { drawn };
                (age, balance, channel.to_owned(), positive)
            })
            .collect();
        table(&rows)
    };
    let usual = ["branch", "phone", "web"];
    let mut tables = vec![drawn(4000, &usual), drawn(40, &usual), drawn(2, &usual)];
    tables.push(same_row(300, 90));
    tables.push(drawn(300, &["web", "pilot"]));
    tables
}

/// The same customer many times, so many of them positive.
fn same_row(rows: usize, positives: usize) -> Table {
    let rows: Vec<_> = (0..rows).map(|row| (40.0, 1e8, "branch".to_owned(), row < positives)).collect();
    table(&rows)
}

fn table(rows: &[(f64, f64, String, bool)]) -> Table {
    let contract = Job::from_toml(&job(NEWTON)).unwrap().contract;
    let mut builder = TableBuilder::new(&contract, &["age", "balance", "channel", "label"]).unwrap();
    for (number, (age, balance, channel, positive)) in rows.iter().enumerate() {
        let cells = [age.to_string(), balance.to_string()];
        let cells = [cells[0].as_str(), &cells[1], channel, if *positive { "1" } else { "0" }];
        builder.push(number as u64, &cells, Role::Train);
    }
    builder.finish().unwrap()
}
