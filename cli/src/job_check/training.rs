//! How a job trains, and with whom.

use syndic_learning::Job;
use syndic_learning::job::{ProgramTerms, Solver};
use syndic_learning::program::neural_network::AveragingTerms;

use crate::words::{counted, listed};

/// How the job trains.
pub(super) fn training(job: &Job) -> String {
    let rounds = counted(job.rounds.count as usize, "round", "rounds");
    let terms = match &job.program {
        ProgramTerms::LogisticRegression(terms) => terms,
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
        ProgramTerms::BoostedTrees(terms) => {
            let trees = counted(job.rounds.count as usize, "tree", "trees");
            let trend = |columns: &[String], way: &str| match columns {
                [] => String::new(),
                columns => format!(", {way} in {}", listed(columns)),
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
            let AveragingTerms { optimiser, local, .. } = terms.averaging;
            let units: Vec<String> = terms.hidden.iter().map(ToString::to_string).collect();
            let averaged = averaged(&rounds, local.local_epochs, optimiser.name());
            return format!("{averaged}, hidden units {}", units.join(", "));
        }
    };
    match terms.solver {
        Solver::Newton { .. } => format!("at most {rounds} of Newton's method"),
        Solver::FedAvg(local) => averaged(&rounds, local.local_epochs, "fed-avg"),
        Solver::Averaging(terms) => averaged(&rounds, terms.local.local_epochs, terms.optimiser.name()),
        Solver::NoisyGradient(_) => format!("{rounds} of noisy gradients"),
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
