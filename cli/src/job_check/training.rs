//! How a job trains, and with whom.

use syndic_learning::Job;
use syndic_learning::job::{ProgramTerms, Solver};
use syndic_learning::program::boosted_trees::TreesTerms;
use syndic_learning::program::neural_network::AveragingTerms;

use crate::words::{counted, listed};

/// How the job trains.
pub(super) fn training(job: &Job) -> String {
    let terms = terms(job);
    match job.rounds.patience {
        None => terms,
        Some(patience) => format!(
            "{terms}, given up after {} without less loss on validation rows",
            counted(patience as usize, "round", "rounds")
        ),
    }
}

fn terms(job: &Job) -> String {
    let rounds = counted(job.rounds.count as usize, "round", "rounds");
    let terms = match &job.program {
        ProgramTerms::LogisticRegression(terms) => terms,
        ProgramTerms::Scorecard(terms) if job.noisy_scorecard().is_some() => {
            return format!(
                "at most {} bins of a column, at least {} rows in each, from {} cells of a number, for which {} % is spent; {rounds} \
                 of noisy gradients",
                terms.max_bins,
                terms.min_count,
                terms.cells(),
                100.0 * terms.bins_share()
            );
        }
        ProgramTerms::Scorecard(terms) => {
            return format!(
                "at most {} bins of a column, at least {} rows in each, {rounds} of Newton's method at most",
                terms.max_bins, terms.min_count
            );
        }
        ProgramTerms::External(terms) => {
            let numbers = counted(terms.elements(), "number", "numbers");
            let tensors = counted(terms.tensors.len(), "tensor", "tensors");
            return format!(
                "{rounds} of trainer {}: {numbers} in {tensors}, settings {}",
                terms.trainer,
                terms.settings_json()
            );
        }
        ProgramTerms::Evaluation(terms) => {
            return format!(
                "one sum over {}",
                counted(terms.models.len(), "released model", "released models")
            );
        }
        ProgramTerms::Statistics(terms) => {
            let columns = counted(terms.columns_of(&job.contract).len(), "column", "columns");
            return format!("one sum over {columns}");
        }
        ProgramTerms::Drift(terms) => {
            return format!(
                "one sum over the scores and {}",
                counted(terms.reference.columns.len(), "column", "columns")
            );
        }
        ProgramTerms::BoostedTrees(terms) => {
            let trees = counted(job.rounds.count as usize, "tree", "trees");
            let trend = |columns: &[String], way: &str| match columns {
                [] => String::new(),
                columns => format!(", {way} in {}", listed(columns)),
            };
            let terms = match &**terms {
                TreesTerms::Best(terms) => terms,
                TreesTerms::Random(terms) => {
                    let trees = counted(terms.trees_per_round as usize, "tree", "trees");
                    return format!(
                        "{rounds}: one of rows by bin, each other one of {trees} of depth {} with random splits{}{}",
                        terms.depth,
                        trend(&terms.increasing, "not falling"),
                        trend(&terms.decreasing, "not rising")
                    );
                }
            };
            return format!(
                "{trees} of depth {}, at least {} rows in a leaf{}{}",
                terms.depth,
                terms.min_rows,
                trend(&terms.increasing, "not falling"),
                trend(&terms.decreasing, "not rising")
            );
        }
        ProgramTerms::NeuralNetwork(terms) => {
            let trained = match terms.averaged().map(|terms| terms.averaging) {
                Some(AveragingTerms { optimiser, local, .. }) => {
                    averaged(&rounds, local.local_epochs, optimiser.name())
                }
                None => noisy(&rounds, job),
            };
            let units: Vec<String> = terms.hidden().iter().map(ToString::to_string).collect();
            return format!("{trained}, hidden units {}", units.join(", "));
        }
    };
    match terms.solver {
        Solver::Newton { .. } => format!("at most {rounds} of Newton's method"),
        Solver::FedAvg(local) => averaged(&rounds, local.local_epochs, "fed-avg"),
        Solver::Averaging(terms) => averaged(&rounds, terms.local.local_epochs, terms.optimiser.name()),
        Solver::NoisyGradient(_) => noisy(&rounds, job),
    }
}

/// Rounds of sums with noise.
fn noisy(rounds: &str, job: &Job) -> String {
    match job.program.sample() {
        None => format!("{rounds} of noisy gradients"),
        Some(sample) => format!("{rounds} of noisy gradients, each over a sample of {sample} of the rows"),
    }
}

/// Rounds of local training.
fn averaged(rounds: &str, epochs: u32, optimiser: &str) -> String {
    format!("{rounds} of {} by {optimiser}", counted(epochs as usize, "local epoch", "local epochs"))
}

/// Whom the rounds admit.
pub fn admitted(job: &Job) -> String {
    let whom = match &job.cohort.members {
        Some(members) => format!("{} of the federation: {}", members.len(), listed(members)),
        None => "all members of the federation".into(),
    };
    match job.cohort.each_round {
        Some(drawn) => format!("{whom}; each round admits {drawn} of them, drawn by lot"),
        None => whom,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{JobFile, check, render, to_json};
    use crate::sandbox::fixture::JOB;

    fn file(text: &str) -> JobFile {
        JobFile { name: "job.toml".into(), text: text.into() }
    }

    #[test]
    fn every_term_of_training_is_told() {
        let text = JOB.replacen(
            "name = \"logistic-regression\"\nsolver = \"fed-avg\"",
            "name = \"neural-network\"\nhidden = [8, 4]\nlearning_rate = 0.05\nl2 = 0.002\nclass_weights = \"balanced\"\nlocal_steps = \"adam\"",
            1,
        );
        let job = check(&file(&text)).unwrap();
        let summary = render(&file(&text), &job);
        let told = [
            "4 rounds",
            "8, 4",
            "Adam's steps",
            "learning rate 0.05",
            "both classes count alike",
            "L2 penalty 0.002",
        ];
        assert!(told.iter().all(|told| summary.contains(told)), "{summary}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&file(&text), &job)).unwrap();
        assert_eq!((&json["rounds"], &json["program"]["class_weights"]), (&4.into(), &"balanced".into()));
        assert_eq!(json["program"]["l2"], 0.002);
    }

    #[test]
    fn columns_are_inputs_only_where_each_has_weights() {
        let solver = "name = \"logistic-regression\"\nsolver = \"fed-avg\"";
        for (program, has_inputs) in
            [(solver, true), ("name = \"boosted-trees\"", false), ("name = \"scorecard\"", false)]
        {
            let text = JOB.replacen(solver, program, 1);
            let summary = render(&file(&text), &check(&file(&text)).unwrap());
            assert!(summary.contains("small.v1: 2 columns"), "{summary}");
            assert_eq!(summary.contains("3 inputs"), has_inputs, "{summary}");
        }
    }
}
