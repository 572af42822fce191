//! What noise for whole institutions leaves to be learnt, by how many institutions there are: printed. Skipped without the table, which is not
//! part of the source.
//!
//!     SYNDIC_TABLES=folder cargo test --release -p syndic-learning --test institutions_measured -- --nocapture
//!
//! The folder holds `credit_default.csv` with a column `fold` (0 is tested on, or what `SYNDIC_TEST_FOLD` says). Its training rows are dealt out
//! to so many institutions by chance, so that all are alike: that is the easiest case. Everything runs in process through the integers
//! of a round, without encryption.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement reads tables, and says by panicking that it cannot go on"
)]

#[allow(dead_code, reason = "other measurements use more of it")]
mod measured;

use measured::{figures, folder, trained};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_learning::{Job, Model, Role, Table, TableBuilder, reference};

const JOB: &str = include_str!("../../../examples/jobs/credit-default-institutions.toml");

const SEEDS: u64 = 5;

#[test]
fn few_institutions_are_drowned_and_many_are_heard() {
    let Some(folder) = folder() else { return };
    let table = folder.join("credit_default.csv");
    let table = std::fs::read_to_string(table).unwrap();
    let tuned = |key: &str| std::env::var(key).ok();
    let mut job_text = JOB.to_owned();
    // `SYNDIC_SET="clip = 0.3;count = 5"` replaces lines of the example, to try other terms.
    for line in tuned("SYNDIC_SET").unwrap_or_default().split(';').filter(|line| !line.is_empty()) {
        job_text = with(&job_text, line.split('=').next().unwrap().trim(), line);
    }
    println!(
        "| institutions | honest | noise, in a round | over all rounds | AUC, no noise | epsilon 8 | 3 | 1 | log-loss, no noise | epsilon 8 | 3 | 1 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut at_eight = Vec::new();
    for institutions in [5, 10, 20, 50, 100, 200] {
        let protection = Job::from_toml(&job_text).unwrap().protection_of(institutions).unwrap();
        let honest = protection.threshold() - protection.colluding();
        let text = with(&job_text, "honest", &format!("honest = {honest}"));
        let job = Job::from_toml(&text).unwrap();
        let tables = dealt(&table, &job, institutions);
        let all: Vec<&Table> = tables.iter().collect();
        if institutions == 5 {
            let pooled = Model::Linear(reference::fit_linear(&all, 1e-3, Default::default()).unwrap());
            let (auc, loss) = figures(&pooled, &all);
            println!("| pooled, none | | | | {auc:.4} | | | | {loss:.4} | | | |");
        }
        let mean = |epsilon: Option<f64>| {
            let text = match epsilon {
                Some(epsilon) => with(&text, "epsilon", &format!("epsilon = {epsilon}")),
                None => without_noise(&text),
            };
            let job = Job::from_toml(&text).unwrap();
            let seeds = if epsilon.is_some() { SEEDS } else { 1 };
            let runs: Vec<_> = (0..seeds).map(|seed| figures(&trained(&job, &all, seed), &all)).collect();
            let of = |part: fn(&(f64, f64)) -> f64| runs.iter().map(part).sum::<f64>() / seeds as f64;
            (of(|run| run.0), of(|run| run.1))
        };
        let [none, eight, three, one] = [None, Some(8.0), Some(3.0), Some(1.0)].map(mean);
        let eight_job = Job::from_toml(&with(&text, "epsilon", "epsilon = 8.0")).unwrap();
        let loud = eight_job.loudness(institutions as u16).unwrap();
        println!(
            "| {institutions} | {honest} | {:.2} | {:.2} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} | {:.4} |",
            loud.in_a_round, loud.over_all, none.0, eight.0, three.0, one.0, none.1, eight.1, three.1, one.1
        );
        at_eight.push((none.0, eight.0));
    }
    println!(
        "heard at epsilon 8: {:?}",
        Job::from_toml(&with(&job_text, "epsilon", "epsilon = 8.0")).unwrap().heard()
    );
    // What the documents say: of five hardly anything is left, of two hundred nearly all.
    let lost = |(none, noisy): (f64, f64)| none - noisy;
    assert!(lost(at_eight[0]) > 0.05 && lost(at_eight[5]) < 0.02, "{at_eight:?}");
}

/// The text with another line for a key.
fn with(text: &str, key: &str, line: &str) -> String {
    let is_key = |line: &str| {
        line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines()
        .map(|old| if is_key(old) { line } else { old })
        .fold(String::new(), |all, line| all + line + "\n")
}

/// The same training, and exact sums.
fn without_noise(text: &str) -> String {
    let from = text.find("\n[privacy]").unwrap();
    let end = text[from + 1..].find("\n[").map_or(text.len(), |end| from + 1 + end);
    format!("{}\n[privacy]\nmode = \"none\"\n{}", &text[..from], &text[end..])
}

/// The rows dealt out to so many institutions by chance.
fn dealt(text: &str, job: &Job, institutions: usize) -> Vec<Table> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let fold = header.iter().position(|column| *column == "fold").unwrap();
    let tested = std::env::var("SYNDIC_TEST_FOLD").unwrap_or_else(|_| "0".into());
    let mut builders: Vec<_> =
        (0..institutions).map(|_| TableBuilder::new(&job.contract, &header).unwrap()).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    for (number, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let role = if cells[fold] == tested { Role::Test } else { Role::Train };
        let whose = rng.next_u64() as usize % institutions;
        builders[whose].push(number as u64, &cells, role);
    }
    builders.into_iter().map(|builder| builder.finish().unwrap()).collect()
}
