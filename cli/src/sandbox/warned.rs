//! What must be said beside the figures of a run.

use std::f64::consts::LN_2;

use syndic_learning::job::{ProgramTerms, Solver};
use syndic_learning::{Job, Role};

use super::{Finished, Site};
use crate::carried;
use crate::job_check::{hardly_begun, has_few_rounds, institutions};
use crate::result::{RoundCounts, Scores};
use crate::words::{counted, thousands};

/// The warnings of a run, a sentence for each, given its rounds, its model's figures, and how many test rows there are and
/// positives among them.
pub(super) fn of(
    job: &Job,
    sites: &[Site],
    finished: &Finished,
    (rounds, federated, test_rows, test_positives): (&RoundCounts, &Scores, u64, u64),
) -> Vec<String> {
    let training = sites.iter().map(|site| site.table.count(Role::Train));
    let (training_rows, training_positives) =
        training.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let share = training_positives as f64 / training_rows.max(1) as f64;
    let constant = constant_loss(share, test_rows, test_positives);
    let scorecard = finished.outcome.model.scorecard();
    let mut warnings = Vec::new();
    warnings.extend(drowned(job, sites.len(), training_rows));
    warnings.extend(hardly_begun(job));
    warnings.extend(u16::try_from(sites.len()).ok().and_then(|among| institutions::drowning(job, among)));
    warnings.extend(diverged(job, federated.log_loss, constant));
    warnings.extend(clipped(finished.clipped));
    warnings.extend(carried::cut_off(rounds));
    warnings.extend(scorecard.map(|scorecard| scorecard.table().warnings()).unwrap_or_default());
    warnings.extend(carried::unchecked(rounds));
    warnings
}

/// The mean log-loss of saying `share` of every row.
fn constant_loss(share: f64, rows: u64, positives: u64) -> f64 {
    let of_positives = positives as f64 / rows.max(1) as f64;
    let share = share.clamp(1e-12, 1.0 - 1e-12);
    -(of_positives * share.ln() + (1.0 - of_positives) * (1.0 - share).ln())
}

/// A model that is worse than saying the share of positives of every row: where classes are weighted its probabilities are
/// not those of the rows, and nothing follows.
fn diverged(job: &Job, log_loss: f64, constant: f64) -> Option<String> {
    if is_weighted(&job.program) || log_loss <= constant {
        return None;
    }
    let remedy = match &job.program {
        _ if has_few_rounds(job) => "allow more rounds in `count` of [rounds], or a larger `epsilon`",
        program if program.is_noisy() => "allow a larger `epsilon` or fewer rounds",
        _ if job.privacy.institution_level().is_some() => {
            "bring more institutions, or allow a larger `epsilon`"
        }
        _ if job.noisy_scorecard().is_some() => "allow a larger `epsilon` or fewer rounds",
        ProgramTerms::Scorecard(_) => "check that training and test rows are of one kind",
        ProgramTerms::LogisticRegression(terms) if matches!(terms.solver, Solver::Newton { .. }) => {
            "raise `l2`, or check that training and test rows are of one kind"
        }
        // Training begins at one half for every row, and comes from there.
        _ if log_loss < LN_2 => "allow more rounds in `count` of [rounds], or raise `learning_rate`",
        _ => "lower `learning_rate`, or raise `l2`",
    };
    Some(format!(
        "the model is worse than none: its log-loss of {log_loss:.4} on the test rows is above {constant:.4}, that of telling \
         each row the share of positives: {remedy}"
    ))
}

/// Noise that is louder than what the rows say.
fn drowned(job: &Job, institutions: usize, rows: u64) -> Option<String> {
    let drowned = job.rows_drowned(u16::try_from(institutions).ok()?)?;
    (rows < drowned).then(|| {
        format!(
            "the noise is louder than what {} training rows say, and all institutions have {}: allow a larger `epsilon`, or count on \
             the noise of more institutions with `honest`",
            thousands(drowned),
            thousands(rows)
        )
    })
}

fn is_weighted(program: &ProgramTerms) -> bool {
    match program {
        ProgramTerms::NeuralNetwork(terms) => {
            terms.averaged().is_some_and(|terms| terms.averaging.class_weights.is_some())
        }
        ProgramTerms::BoostedTrees(terms) => terms.best().is_some_and(|terms| terms.class_weights.is_some()),
        ProgramTerms::LogisticRegression(terms) => match terms.solver {
            Solver::Averaging(terms) => terms.class_weights.is_some(),
            Solver::Newton { class_weights, .. } => class_weights.is_some(),
            _ => false,
        },
        _ => false,
    }
}

/// Updates that their plans' bounds cut off.
fn clipped(values: u64) -> Option<String> {
    (values > 0).then(|| {
        let values = counted(usize::try_from(values).unwrap_or(usize::MAX), "value was", "values were");
        format!(
            "{values} clipped to the bounds of an update, which no training that goes well comes to: lower `learning_rate` \
             or `local_epochs`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::JOB;

    #[test]
    fn a_model_that_is_worse_than_the_share_of_positives_is_told_with_both_figures() {
        let job = Job::from_toml(JOB).unwrap();
        // A quarter of positives: -(0.25 ln 0.25 + 0.75 ln 0.75).
        let constant = constant_loss(0.25, 400, 100);
        assert!((constant - 0.562_335).abs() < 1e-6);
        let told = diverged(&job, 1.25, constant).unwrap();
        assert!(
            told.contains("1.2500") && told.contains("0.5623") && told.contains("lower `learning_rate`"),
            "{told}"
        );
        let under_way = diverged(&job, 0.62, constant).unwrap();
        assert!(under_way.contains("allow more rounds") && !under_way.contains("lower"), "{under_way}");
        assert_eq!(diverged(&job, 0.5, constant), None);
        let weighted =
            JOB.replacen("\"fed-avg\"", "\"fed-prox\"\nproximal = 0.1\nclass_weights = \"balanced\"", 1);
        assert_eq!(diverged(&Job::from_toml(&weighted).unwrap(), 1.25, constant), None);
    }

    #[test]
    fn noisy_jobs_of_few_rounds_are_told_to_take_more() {
        let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
        let of = |rounds: &str| Job::from_toml(&text.replacen("count = 100", rounds, 1)).unwrap();
        let (few, many) = (of("count = 5"), of("count = 100"));
        assert!(hardly_begun(&few).unwrap().contains("100 suit most tables"));
        assert_eq!(hardly_begun(&many), None);
        assert!(diverged(&few, 1.0, 0.5).unwrap().contains("allow more rounds"));
        assert!(diverged(&many, 1.0, 0.5).unwrap().contains("or fewer rounds"));
    }

    #[test]
    fn clipped_values_are_counted() {
        assert_eq!(clipped(0), None);
        assert!(clipped(1).unwrap().starts_with("1 value was clipped"));
        assert!(clipped(1_200).unwrap().starts_with("1,200 values were clipped"));
    }
}
