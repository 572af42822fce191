//! What noise costs in accuracy, on real tables: printed, and held to bars. Skipped without the tables, which are not part of the source.
//!
//!     SYNDIC_TABLES=folder cargo test --release -p syndic-learning --test noise_measured -- --nocapture
//!
//! The folder holds `credit_default.csv`, `bank_marketing.csv` and `telco_churn.csv`, with columns `fold` (0 is tested on, or what
//! `SYNDIC_TEST_FOLD` says) and `site`. Everything runs in process through the integers of a round, with five institutions and no encryption.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a measurement reads tables, and says by panicking that it cannot go on"
)]

mod measured;

use std::path::Path;

use measured::{figures, folder, trained, with};
use syndic_learning::{Job, Model, Role, Table, reference};

const JOBS: [(&str, &str); 3] = [
    ("credit_default", include_str!("../../../examples/jobs/credit-default.toml")),
    ("bank_marketing", include_str!("../../../examples/bank-marketing/job.toml")),
    ("telco_churn", include_str!("../../../examples/jobs/telco-churn.toml")),
];

const SEEDS: u64 = 3;

/// ROC-AUC that a network may have less than a logistic regression with the same noise.
const LOST_BY_A_NETWORK: f64 = 0.015;

/// Training rounds of trees with random splits.
const ROUNDS_OF_TREES: u32 = 40;

/// ROC-AUC that trees may have less than a logistic regression with the same noise; below zero, how much more they have to have.
const LOST_BY_TREES: [((&str, f64), f64); 5] = [
    (("credit_default", 8.0), -0.001),
    (("credit_default", 3.0), 0.0),
    (("credit_default", 1.0), 0.008),
    (("bank_marketing", 8.0), -0.005),
    (("bank_marketing", 3.0), 0.004),
];
/// ROC-AUC that samples of rows may have less than sums over all of them.
const LOST_BY_SAMPLES: f64 = 0.02;

/// The probability with which a row is in a sum, and how many sums there are.
const SAMPLES: [(f64, u32); 4] = [(1.0, 100), (0.3, 200), (0.1, 500), (0.05, 1000)];

/// ROC-AUC that a scorecard may have less with noise of `BETWEEN` than without.
const LOST_BY_A_SCORECARD: [f64; 3] = [0.006, 0.007, 0.015];

const LINEAR: &str = "name = \"logistic-regression\"\nsolver = \"noisy-gradient\"";

/// Whose noise suffices; epsilon; what AUC may lose, and log-loss gain, where there is a bar.
const BARS: [(&str, f64, f64, f64); 6] = [
    ("noise = \"distributed\"\nhonest = 5", 8.0, 0.003, 0.006),
    ("noise = \"distributed\"\nhonest = 5", 3.0, 0.005, 0.006),
    ("noise = \"distributed\"\nhonest = 5", 1.0, 0.006, 0.008),
    ("noise = \"local\"", 8.0, 0.004, f64::INFINITY),
    ("noise = \"local\"", 3.0, 0.007, f64::INFINITY),
    ("noise = \"local\"", 1.0, 0.018, f64::INFINITY),
];

/// Not a bar: as many are counted on as t - c of five institutions by default.
const BETWEEN: [(&str, f64); 3] = [
    ("noise = \"distributed\"\nhonest = 2", 8.0),
    ("noise = \"distributed\"\nhonest = 2", 3.0),
    ("noise = \"distributed\"\nhonest = 2", 1.0),
];

#[test]
fn noise_costs_no_more_than_the_bars() {
    let Some(folder) = folder() else { return };
    let mut missed = Vec::new();
    println!(
        "| table | noise | epsilon | AUC | log-loss | AUC, to pooled | log-loss, to pooled |\n|---|---|---|---|---|---|---|"
    );
    for (name, text) in JOBS {
        let exact = Job::from_toml(text).unwrap();
        let tables = tables(&folder.join(format!("{name}.csv")), &exact);
        let all: Vec<&Table> = tables.iter().collect();
        let pooled =
            figures(&Model::Linear(reference::fit_linear(&all, 1e-3, Default::default()).unwrap()), &all);
        println!("| {name} | pooled, none | | {:.4} | {:.4} | | |", pooled.0, pooled.1);
        let between = BETWEEN.map(|(noise, epsilon)| (noise, epsilon, f64::INFINITY, f64::INFINITY));
        for (noise, epsilon, auc, loss) in BARS.into_iter().chain(between) {
            let found = mean_of(&with_noise(text, LINEAR, noise, epsilon), &all);
            let (lost, gained) = (found.0 - pooled.0, found.1 - pooled.1);
            let noise = noise.replace('\n', ", ");
            println!(
                "| {name} | {noise} | {epsilon} | {:.4} | {:.4} | {lost:+.4} | {gained:+.4} |",
                found.0, found.1
            );
            if lost < -auc || gained > loss {
                missed.push(format!("{name}, {noise}, epsilon {epsilon}: {lost:+.4} {gained:+.4}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What a network learns through noise, beside a logistic regression with the same noise and the same network without. Terms of the
/// network are those of `SYNDIC_NETWORK`, where it is set.
#[test]
fn a_network_learns_through_noise_about_what_a_logistic_regression_does() {
    let Some(folder) = folder() else { return };
    let terms = std::env::var("SYNDIC_NETWORK").unwrap_or_else(|_| "hidden = [8]".into());
    let of_network = format!("name = \"neural-network\"\noptimiser = \"noisy-gradient\"\n{terms}");
    let (name, text) = JOBS[0];
    let exact = Job::from_toml(text).unwrap();
    let tables = tables(&folder.join(format!("{name}.csv")), &exact);
    let all: Vec<&Table> = tables.iter().collect();
    println!("| table | program | noise | epsilon | AUC | log-loss |\n|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for (noise, epsilon) in BETWEEN {
        let [network, linear] = [of_network.as_str(), LINEAR].map(|program| {
            let found = mean_of(&with_noise(text, program, noise, epsilon), &all);
            let (program, noise) = (program.replace('\n', ", "), noise.replace('\n', ", "));
            println!("| {name} | {program} | {noise} | {epsilon} | {:.4} | {:.4} |", found.0, found.1);
            found
        });
        if network.0 < linear.0 - LOST_BY_A_NETWORK {
            missed.push(format!("{name}, epsilon {epsilon}: {network:?} {linear:?}"));
        }
    }
    let without = format!("name = \"neural-network\"\n{terms}");
    let found = mean_of(&with(text, &without, 20, "mode = \"none\""), &all);
    println!("| {name} | network | none | | {:.4} | {:.4} |", found.0, found.1);
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What trees learn through noise, beside a logistic regression with the same noise and trees without. Terms of the trees are those
/// of `SYNDIC_TREES`, where it is set.
#[test]
fn trees_learn_through_little_noise_more_than_a_logistic_regression_does() {
    let Some(folder) = folder() else { return };
    let terms = std::env::var("SYNDIC_TREES").unwrap_or_default();
    let of_trees = format!("name = \"boosted-trees\"\nsplits = \"random\"\n{terms}");
    println!("| table | program | noise | epsilon | AUC | log-loss |\n|---|---|---|---|---|---|");
    let mut missed = Vec::new();
    for (name, text) in JOBS {
        let tables = tables(&folder.join(format!("{name}.csv")), &Job::from_toml(text).unwrap());
        let all: Vec<&Table> = tables.iter().collect();
        for (noise, epsilon) in BETWEEN {
            let [trees, linear] = [(&*of_trees, ROUNDS_OF_TREES), (LINEAR, 100)].map(|(program, rounds)| {
                let privacy = format!("mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\n{noise}");
                let found = mean_of(&with(text, program, rounds, &privacy), &all);
                let (program, noise) = (program.replace('\n', ", "), noise.replace('\n', ", "));
                println!("| {name} | {program} | {noise} | {epsilon} | {:.4} | {:.4} |", found.0, found.1);
                found
            });
            let (_, lost) = LOST_BY_TREES
                .into_iter()
                .find(|(of, _)| *of == (name, epsilon))
                .unwrap_or(((name, epsilon), 0.03));
            if trees.0 < linear.0 - lost {
                missed.push(format!("{name}, epsilon {epsilon}: {trees:?} {linear:?}"));
            }
        }
        let without = mean_of(&with(text, "name = \"boosted-trees\"", 80, "mode = \"none\""), &all);
        println!("| {name} | boosted-trees | none | | {:.4} | {:.4} |", without.0, without.1);
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What samples of rows are worth beside sums over all of them, at the same epsilon.
/// Learning rates are those of `SYNDIC_LEARNING_RATES`, where it is set: one for each of the samples.
#[test]
fn samples_of_rows_teach_no_more_than_sums_over_all_of_them() {
    let Some(folder) = folder() else { return };
    let rates = std::env::var("SYNDIC_LEARNING_RATES").unwrap_or_else(|_| "1,1,1,1".into());
    let rates: Vec<&str> = rates.split(',').collect();
    let mut missed = Vec::new();
    println!("| table | sample, rounds | epsilon | noise | AUC | log-loss |\n|---|---|---|---|---|---|");
    for (name, text) in [JOBS[0], JOBS[2]] {
        let tables = tables(&folder.join(format!("{name}.csv")), &Job::from_toml(text).unwrap());
        let all: Vec<&Table> = tables.iter().collect();
        for (noise, epsilon) in BETWEEN {
            let found = SAMPLES.into_iter().zip(&rates).map(|((sample, rounds), rate)| {
                let program = format!("{LINEAR}\nsample = {sample}\nlearning_rate = {rate}");
                let privacy = format!("mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\n{noise}");
                let text = with(text, &program, rounds, &privacy);
                let calibration = Job::from_toml(&text).unwrap().calibration().unwrap().unwrap();
                let (auc, loss) = mean_of(&text, &all);
                let noise = calibration.noise();
                println!("| {name} | {sample}, {rounds} | {epsilon} | {noise:.2} | {auc:.4} | {loss:.4} |");
                auc
            });
            let found: Vec<f64> = found.collect();
            if found.iter().any(|auc| *auc < found[0] - LOST_BY_SAMPLES) {
                missed.push(format!("{name}, epsilon {epsilon}: {found:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What a scorecard learns through noise, beside the same scorecard without. Terms of it are those of `SYNDIC_SCORECARD`, where it is
/// set, of its noise those of `SYNDIC_NOISE`, and so many rounds as `SYNDIC_ROUNDS` says.
#[test]
fn a_scorecard_learns_through_noise() {
    let Some(folder) = folder() else { return };
    let said = |name: &str| std::env::var(name).unwrap_or_default().replace(';', "\n");
    let program = format!("name = \"scorecard\"\n{}", said("SYNDIC_SCORECARD"));
    let rounds = said("SYNDIC_ROUNDS").parse().unwrap_or(100);
    let (name, text) = JOBS[0];
    let tables = tables(&folder.join(format!("{name}.csv")), &Job::from_toml(text).unwrap());
    let all: Vec<&Table> = tables.iter().collect();
    let without = mean_of(&with(text, "name = \"scorecard\"", 20, "mode = \"none\""), &all);
    println!("| table | noise | epsilon | AUC | log-loss |\n|---|---|---|---|---|");
    println!("| {name} | none | | {:.4} | {:.4} |", without.0, without.1);
    let mut missed = Vec::new();
    for ((noise, epsilon), lost) in BETWEEN.into_iter().zip(LOST_BY_A_SCORECARD) {
        let terms = format!(
            "mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\n{noise}\n{}",
            said("SYNDIC_NOISE")
        );
        let found = mean_of(&with(text, &program, rounds, &terms), &all);
        println!("| {name} | {} | {epsilon} | {:.4} | {:.4} |", noise.replace('\n', ", "), found.0, found.1);
        if found.0 < without.0 - lost {
            missed.push(format!("epsilon {epsilon}: {found:?}, without noise {without:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// ROC-AUC and log-loss on test rows, means over some draws of noise.
fn mean_of(text: &str, tables: &[&Table]) -> (f64, f64) {
    let job = Job::from_toml(text).unwrap();
    let runs: Vec<_> = (0..SEEDS).map(|seed| figures(&trained(&job, tables, seed), tables)).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| runs.iter().map(of).sum::<f64>() / SEEDS as f64;
    (mean(|run| run.0), mean(|run| run.1))
}

/// The job with a program and a mode that add noise.
fn with_noise(text: &str, program: &str, noise: &str, epsilon: f64) -> String {
    with(text, program, 100, &format!("mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\n{noise}"))
}

/// A table for each site, tested on fold 0 or what `SYNDIC_TEST_FOLD` says.
fn tables(path: &Path, job: &Job) -> Vec<Table> {
    let tested = std::env::var("SYNDIC_TEST_FOLD").unwrap_or_else(|_| "0".into());
    measured::tables(path, &job.contract, |fold| if fold == tested { Role::Test } else { Role::Train })
}
