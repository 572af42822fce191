//! What a job with noise claims, in the terms of NIST SP 800-226: unit, trust model, mechanism, accountant, delta.

use serde::{Deserialize, Serialize};

use super::PrivacyError;
use crate::job::{Job, NoiseSource, Protected, Unit};
use crate::program::noisy_evaluation::NoisyMetrics;

/// What is claimed of a job with noise. Numbers are decimal text, rounded up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What neighbours differ by.
    pub unit: String,
    /// Who may know what, so that the claim holds.
    pub trust: String,
    /// What is done to what is opened.
    pub mechanism: String,
    /// What is done to figures of the model on test rows, and how uncertain that leaves them; not there where none are opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// How epsilon was worked out.
    pub accountant: String,
    /// Epsilon of the whole job, by the accountant.
    pub epsilon: String,
    /// Delta of the whole job.
    pub delta: String,
    /// Training rounds whose sums were opened, and their epsilon; none before the job ran.
    pub spent: Option<Spent>,
}

/// What was spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Training rounds.
    pub training_rounds: u32,
    /// Their epsilon, at the delta of the job.
    pub epsilon: String,
}

/// A job that has run.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// Training rounds whose sums were opened.
    pub training_rounds: u32,
    /// Whether counts of test rows may have been opened.
    pub counted: bool,
    /// What noise let be seen of the model on test rows.
    pub seen: Option<NoisyMetrics>,
}

impl Job {
    /// What the job claims, and what it has spent once so many training rounds ran, and what noise let be seen of the model;
    /// none where it adds no noise.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps its terms, or it has fewer rounds.
    pub fn claim(&self, ran: Option<Ran>) -> Result<Option<Claim>, PrivacyError> {
        let (Some(terms), Some(calibration)) = (self.privacy.noise(), self.calibration()?) else {
            return Ok(None);
        };
        let of_customers = self.privacy.record_level().filter(|terms| terms.unit == Unit::Customer);
        let rows = of_customers.map_or(1, |terms| terms.rows_of_unit(&self.contract));
        let evaluation = self.evaluation_calibration()?.map(|found| {
            let seen = ran.and_then(|ran| ran.seen).map(|seen| {
                format!(
                    "; it leaves ROC-AUC uncertain by {} and log-loss by {} (one standard deviation)",
                    figure(seen.roc_auc_deviation),
                    figure(seen.log_loss_deviation)
                )
            });
            let seen = seen.unwrap_or_default();
            let counts = self.counts_of_test_rows();
            let (by, wider) = match self.fairness.as_ref().map_or(0, |terms| terms.groups.len()) {
                0 => ("score and label".to_owned(), 1.0),
                1 => ("score, label and group".to_owned(), 1.0),
                // Noise is told in rows, a sensitivity being one in each column.
                columns => {
                    let by = format!("score, label and group, of which a row is in one of each of {columns} columns");
                    (by, libm::sqrt(columns as f64))
                }
            };
            let whole = if of_customers.is_some() { "all rows of a customer are" } else { "a row is" };
            format!(
                "discrete Gaussian noise of {} rows in each of {counts} counts of test rows by {by}{seen}; {whole} \
                 for training or for testing, so that this spends nothing beside training",
                figure(found.noise() * wider * f64::from(rows)),
            )
        });
        // A row is in training or in the counts of test rows: what it is told of is the dearer of both.
        let of_counts = self.evaluation_calibration()?.map_or(0.0, |found| found.spent.epsilon);
        let spent = |Ran { training_rounds, counted, .. }: Ran| {
            let trained = calibration.after(training_rounds.into())?.epsilon;
            let epsilon = figure(if counted { trained.max(of_counts) } else { trained });
            Ok(Spent { training_rounds, epsilon })
        };
        let sample = self.program.sample();
        let of_rows = match sample {
            _ if self.random_trees().is_some() => OF_TREES,
            Some(_) => OF_SAMPLES,
            None => OF_ROWS,
        };
        let (unit, summed) = match terms.protected {
            Protected::Row if evaluation.is_some() => {
                ("one row of one institution, for training or testing, added or removed", of_rows)
            }
            Protected::Row => ("one training row of one institution, added or removed", of_rows),
            Protected::Institution => {
                ("the whole contribution of one institution, kept or replaced by zero", OF_INSTITUTIONS)
            }
        };
        let (unit, summed) = match self.description() {
            Some(_) => (ANY_ROW, OF_CELLS),
            None => (unit, summed),
        };
        let unit = match of_customers {
            Some(_) => format!("one customer of one institution, {} added or removed", rows_of(rows)),
            None => unit.into(),
        };
        let trust = match terms.noise {
            NoiseSource::Local => {
                "each institution trusts itself alone, and its own noise suffices against everybody else"
                    .into()
            }
            NoiseSource::Distributed => format!(
                "at least {} institutions in every sum are honest and tell nobody their noise{}, which suffices",
                terms.contributors,
                if sample.is_some() { " or which rows they drew" } else { "" }
            ),
        };
        let counted = calibration.before.zip(self.program.scorecard()).map(|(before, terms)| {
            let columns = self.contract.columns.len();
            format!(
                "discrete Gaussian noise of {} rows in each count of rows by class in the cells of columns, {} of a number, of \
                 which a row is in one of each of {columns} columns; then ",
                figure(before.noise() * libm::sqrt(columns as f64)),
                terms.cells(),
            )
        });
        let counted = counted.unwrap_or_default();
        let mechanism = format!(
            "{counted}discrete Gaussian noise of {} sensitivities in {} of {summed}{}",
            figure(calibration.noise()),
            match self.description() {
                Some(_) => "one sum".into(),
                None => format!("each of {} sums", self.rounds.count),
            },
            sample.map(of_samples).unwrap_or_default()
        );
        Ok(Some(Claim {
            unit,
            trust,
            mechanism,
            evaluation,
            accountant: match sample {
                None => "Renyi divergences of sums of discrete Gaussians (rdp)".into(),
                Some(_) => {
                    "Renyi divergences of sums of discrete Gaussians over Poisson samples (rdp)".into()
                }
            },
            epsilon: figure(self.spent()?.map_or(calibration.spent.epsilon, |all| all.epsilon)),
            delta: terms.delta.to_string(),
            spent: ran.map(spent).transpose()?,
        }))
    }
}

/// Whose guarantee it is where all rows are described.
const ANY_ROW: &str = "one row of one institution, whatever it is for, added or removed";
/// What is summed.
const OF_CELLS: &str = "counts of rows by class in cells and levels of columns, and of scaled numbers, their squares and products";
const OF_ROWS: &str = "clipped gradients over all rows";
const OF_TREES: &str =
    "all rows: the first of counts by class and bin, each other one of gradients and Hessians by leaf";
const OF_SAMPLES: &str = "clipped gradients over samples of rows";
const OF_INSTITUTIONS: &str =
    "clipped changes of the model, one of each institution; who takes part is not hidden";

/// How the rows of a sum are chosen.
fn of_samples(sample: f64) -> String {
    format!(
        ": each row is in a sum with probability {sample}, drawn for every sum anew by its institution, which tells nobody which are"
    )
}

/// What neighbours differ by where the unit is a customer.
fn rows_of(most: u32) -> String {
    match most {
        1 => "whose one row, for training or testing, is".into(),
        most => format!("whose rows, up to {most} and all of them for training or all for testing, are"),
    }
}

/// Four digits after the point, rounded up.
fn figure(value: f64) -> String {
    format!("{:.4}", libm::ceil(value * 1e4 - 1e-6) / 1e4)
}
