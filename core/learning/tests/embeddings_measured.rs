//! What vectors of levels do for a network, on real tables: printed, and held to a bar. Skipped without the tables, which are not part of
//! the source.
//!
//!     SYNDIC_TABLES=folder cargo test --release -p syndic-learning --test embeddings_measured -- --nocapture
//!
//! The folder holds `credit_default.csv` and `bank_marketing.csv`, with columns `fold` (0 is tested on, 1 chooses the round) and
//! `site`. Everything runs in process through the integers of a round, without encryption.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement reads tables, and says by panicking that it cannot go on"
)]

mod measured;

use measured::{figures, folder, tables, trained, with};
use syndic_learning::{Job, Role, Table};

/// Tables, their jobs, and the ROC-AUC that vectors may cost there.
const JOBS: [(&str, &str, f64); 2] = [
    ("credit_default", include_str!("../../../examples/jobs/credit-default.toml"), 0.003),
    ("bank_marketing", include_str!("../../../examples/bank-marketing/job.toml"), 0.012),
];

const SEEDS: [u32; 2] = [0, 1];
const VECTORS: [Option<u32>; 2] = [None, Some(4)];

#[test]
fn vectors_of_levels_are_about_as_good_as_inputs_of_their_own() {
    let Some(folder) = folder() else { return };
    let mut missed = Vec::new();
    println!("| table | vectors | parameters | AUC | log-loss |\n|---|---|---|---|---|");
    for (name, text, bar) in JOBS {
        let contract = Job::from_toml(text).unwrap().contract;
        let role = |fold: &str| match fold {
            "0" => Role::Test,
            "1" => Role::Validation,
            _ => Role::Train,
        };
        let tables = tables(&folder.join(format!("{name}.csv")), &contract, role);
        let all: Vec<&Table> = tables.iter().collect();
        let mut plain = None;
        for numbers in VECTORS {
            let embedding = numbers.map_or_else(String::new, |numbers| format!("embedding = {numbers}\n"));
            let (mut auc, mut loss, mut parameters) = (0.0, 0.0, 0);
            for seed in SEEDS {
                let program = format!("name = \"neural-network\"\nseed = {seed}\n{embedding}");
                let job = Job::from_toml(&with(text, &program, 50, "mode = \"none\"")).unwrap();
                let model = trained(&job, &all, seed.into());
                let found = figures(&model, &all);
                parameters = model.parameters();
                auc += found.0 / SEEDS.len() as f64;
                loss += found.1 / SEEDS.len() as f64;
            }
            let what = numbers.map_or_else(|| "none".into(), |numbers| numbers.to_string());
            println!("| {name} | {what} | {parameters} | {auc:.4} | {loss:.4} |");
            let plain = *plain.get_or_insert(auc);
            if auc < plain - bar {
                missed.push(format!("{name}, {what}: {auc:.4} {plain:.4}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
