//! What the rounds of one training round sum, where there are several.

use std::collections::{BTreeMap, BTreeSet};

use syndic_learning::Job;
use syndic_learning::job::ProgramTerms;

/// The steps of a job's training rounds, as far as its rounds were read.
pub(super) struct Steps<'a> {
    job: &'a Job,
    /// The rounds of each training round.
    rounds: BTreeMap<u64, BTreeSet<u64>>,
}

impl<'a> Steps<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self { job, rounds: BTreeMap::new() }
    }

    /// The step that this round is of this training round; none of programs that have one only. All attempts at a round are
    /// at the same step.
    pub(super) fn of_round(&mut self, training_round: u64, round: u64) -> Option<String> {
        let rounds = self.rounds.entry(training_round).or_default();
        rounds.insert(round);
        let (before, is_first) = (rounds.range(..round).count(), training_round == 1);
        let has_noise = self.job.noisy_scorecard().is_some();
        match &self.job.program {
            ProgramTerms::Scorecard(_) if has_noise && is_first && before == 0 => Some(CLASSES.into()),
            ProgramTerms::Scorecard(_) if has_noise => Some("weights of evidence".into()),
            ProgramTerms::Scorecard(_) if is_first && before == 0 => Some(ROWS.into()),
            ProgramTerms::Scorecard(_) if is_first && before == 1 => Some("classes of narrow bins".into()),
            ProgramTerms::Scorecard(_) => Some("weights of evidence".into()),
            ProgramTerms::BoostedTrees(terms) if terms.random().is_some() => None,
            ProgramTerms::BoostedTrees(_) if is_first && before == 0 => Some(ROWS.into()),
            ProgramTerms::BoostedTrees(_) => Some(format!("depth {}", before + usize::from(!is_first))),
            _ => None,
        }
    }
}

const ROWS: &str = "rows of narrow bins";
const CLASSES: &str = "classes of cells";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::JOB;

    fn steps(program: &str, rounds: &[(u64, u64)]) -> Vec<String> {
        let solver = "name = \"logistic-regression\"\nsolver = \"fed-avg\"";
        of_job(&Job::from_toml(&JOB.replacen(solver, program, 1)).unwrap(), rounds)
    }

    fn of_job(job: &Job, rounds: &[(u64, u64)]) -> Vec<String> {
        let mut steps = Steps::of(job);
        let step = |(round, training): &(u64, u64)| steps.of_round(*training, *round).unwrap_or_default();
        rounds.iter().map(step).collect()
    }

    #[test]
    fn rounds_of_one_training_round_are_told_apart_by_what_they_sum() {
        let fits = "weights of evidence";
        assert_eq!(
            steps("name = \"scorecard\"", &[(2, 1), (3, 1), (3, 1), (4, 1), (5, 2)]),
            [ROWS, "classes of narrow bins", "classes of narrow bins", fits, fits]
        );
        assert_eq!(
            steps("name = \"boosted-trees\"", &[(2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]),
            [ROWS, "depth 1", "depth 2", "depth 1", "depth 2"]
        );
        let noise = "mode = \"record-level\"\nepsilon = 2.0\ndelta = 1e-5\nnoise = \"local\"";
        let solver = "name = \"logistic-regression\"\nsolver = \"fed-avg\"";
        let noisy = JOB.replacen(solver, "name = \"scorecard\"", 1).replacen("mode = \"none\"", noise, 1);
        assert_eq!(
            of_job(&Job::from_toml(&noisy).unwrap(), &[(1, 1), (1, 1), (2, 1), (3, 2)]),
            [CLASSES, CLASSES, fits, fits]
        );
        assert_eq!(steps("name = \"logistic-regression\"", &[(2, 1), (3, 2)]), ["", ""]);
    }
}
