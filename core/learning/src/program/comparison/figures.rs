//! What the sum of a comparison says of each model, and of their differences.
//!
//! Areas under curves, KS and calibration are those of the summed histograms, right to their bins; log-loss and Brier score are
//! those of the rows themselves, but for rounding. The standard error of a difference of log-losses is that of the mean of paired
//! differences, row by row (Student, *Biometrika* 6, 1908), for rows that are independent of each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use syndic_round::Digest;

use super::{CompareQuestion, RowsCompared};
use crate::contract::Contract;
use crate::job::FairnessTerms;
use crate::metrics::{Metrics, ScoreHistogram};
use crate::program::fairness::figures::FairnessFigures;
use crate::promotion::largest_gap;

/// How released models do on the same rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonFigures {
    /// Which rows those are.
    pub rows: RowsCompared,
    /// How many there are of all institutions together.
    pub count: u64,
    /// Positives among them.
    pub positives: u64,
    /// Of each model, in the order of the job file.
    pub models: Vec<ComparedModel>,
}

/// How one model does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparedModel {
    /// SHA-256 of its weights.
    pub model: Digest,
    /// Its figures; none of a name where the rows do not say, all of one class for instance.
    pub figures: BTreeMap<String, f64>,
    /// By how much each of them is above that of the first model; empty of the first itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub differences: BTreeMap<String, f64>,
    /// The standard error of the difference in log-loss; none of the first, or of fewer than two rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss_error: Option<f64>,
}

/// What is summed of one model.
pub(super) struct Counted {
    pub(super) histogram: ScoreHistogram,
    /// Log-losses.
    pub(super) loss: f64,
    /// Squared differences of probability and outcome.
    pub(super) squares: f64,
    /// Squared differences of its losses and those of the first model.
    pub(super) differences: Option<f64>,
    /// By column and group.
    pub(super) groups: Vec<Vec<ScoreHistogram>>,
}

impl Counted {
    /// Negatives and positives.
    pub(super) fn classes(&self) -> (u64, u64) {
        (self.histogram.negative.iter().sum(), self.histogram.positive.iter().sum())
    }

    /// Whether these groups together are all rows, by class.
    pub(super) fn are_all(&self, groups: &[ScoreHistogram]) -> bool {
        let of = |class: fn(&ScoreHistogram) -> &Vec<u64>| {
            groups.iter().flat_map(class).copied().map(u128::from).sum::<u128>()
        };
        let (negatives, positives) = self.classes();
        (of(|group| &group.negative), of(|group| &group.positive)) == (negatives.into(), positives.into())
    }

    fn figures(&self, fairness: Option<(&FairnessTerms, &Contract)>) -> BTreeMap<String, f64> {
        let Some(metrics) = Metrics::from_histogram(&self.histogram, self.loss) else {
            return BTreeMap::new();
        };
        let gap = fairness
            .and_then(|(terms, contract)| largest_gap(&FairnessFigures::of(terms, contract, &self.groups)));
        let figures = [
            (ROC_AUC, metrics.roc_auc),
            (GINI, metrics.roc_auc.map(|area| 2.0 * area - 1.0)),
            (PR_AUC, metrics.pr_auc),
            (LOG_LOSS, Some(metrics.log_loss)),
            (BRIER, Some(self.squares / metrics.rows as f64)),
            (KS, self.histogram.ks()),
            (CALIBRATION, Some(self.histogram.calibration_error())),
            (FAIRNESS_GAP, gap),
        ];
        figures.into_iter().filter_map(|(name, figure)| Some((name.to_owned(), figure?))).collect()
    }
}

impl ComparisonFigures {
    /// `fairness` says how groups are compared, where they are.
    pub(super) fn of(
        question: &CompareQuestion,
        counted: &[Counted],
        fairness: Option<(&FairnessTerms, &Contract)>,
    ) -> Self {
        let (negatives, positives) = counted.first().map_or((0, 0), Counted::classes);
        let count = negatives + positives;
        let first = counted.first().map(|counted| counted.figures(fairness)).unwrap_or_default();
        let compared = |(position, (model, counted)): (usize, (&Digest, &Counted))| {
            let figures = counted.figures(fairness);
            let above = |(name, figure): (&String, &f64)| Some((name.clone(), figure - first.get(name)?));
            let differences =
                if position == 0 { BTreeMap::new() } else { figures.iter().filter_map(above).collect() };
            let mean = differences.get(LOG_LOSS).copied();
            let log_loss_error = counted
                .differences
                .zip(mean)
                .filter(|_| count > 1)
                .map(|(squares, mean)| error_of_mean(count as f64, mean, squares));
            ComparedModel { model: *model, figures, differences, log_loss_error }
        };
        let models = question.models.iter().zip(counted).enumerate().map(compared).collect();
        Self { rows: question.rows, count, positives, models }
    }

    /// The same as an entry of a ledger has it, which holds no floating-point numbers: figures as decimal text.
    pub fn to_data(&self) -> Value {
        let text = |figures: &BTreeMap<String, f64>| -> BTreeMap<String, String> {
            figures.iter().map(|(name, figure)| (name.clone(), format!("{figure:.9}"))).collect()
        };
        let of_model = |compared: &ComparedModel| {
            let mut told = json!({ "model": compared.model.to_string(), "figures": text(&compared.figures) });
            if !compared.differences.is_empty() {
                told["differences"] = json!(text(&compared.differences));
            }
            if let Some(error) = compared.log_loss_error {
                told["log_loss_error"] = json!(format!("{error:.9}"));
            }
            told
        };
        let models: Vec<Value> = self.models.iter().map(of_model).collect();
        json!({ "rows": self.rows, "count": self.count, "positives": self.positives, "models": models })
    }

    /// What [`Self::to_data`] wrote, to nine decimals; none where it cannot have written this.
    pub fn from_data(data: &Value) -> Option<Self> {
        let number = |text: &Value| text.as_str()?.parse().ok().filter(|figure: &f64| figure.is_finite());
        let figures = |value: Option<&Value>| -> Option<BTreeMap<String, f64>> {
            let Some(value) = value else { return Some(BTreeMap::new()) };
            value.as_object()?.iter().map(|(name, text)| Some((name.clone(), number(text)?))).collect()
        };
        let of_model = |told: &Value| {
            Some(ComparedModel {
                model: Digest::from_hex(told.get("model")?.as_str()?)?,
                figures: figures(Some(told.get("figures")?))?,
                differences: figures(told.get("differences"))?,
                log_loss_error: match told.get("log_loss_error") {
                    None => None,
                    Some(text) => Some(number(text)?),
                },
            })
        };
        Some(Self {
            rows: serde_json::from_value(data.get("rows")?.clone()).ok()?,
            count: data.get("count")?.as_u64()?,
            positives: data.get("positives")?.as_u64()?,
            models: data.get("models")?.as_array()?.iter().map(of_model).collect::<Option<_>>()?,
        })
    }
}

/// The standard error of a mean of `rows` differences, of which it and the summed squares are known.
fn error_of_mean(rows: f64, mean: f64, squares: f64) -> f64 {
    // Rounding may leave less than nothing where all differences are alike.
    let variance = (squares / rows - mean * mean).max(0.0) * rows / (rows - 1.0);
    libm::sqrt(variance / rows)
}

/// Names of figures, in the order in which people read them.
pub const FIGURES: [&str; 8] = [ROC_AUC, GINI, PR_AUC, LOG_LOSS, BRIER, KS, CALIBRATION, FAIRNESS_GAP];

pub(crate) const ROC_AUC: &str = "roc_auc";
pub(crate) const GINI: &str = "gini";
pub(crate) const PR_AUC: &str = "pr_auc";
pub(crate) const LOG_LOSS: &str = "log_loss";
pub(crate) const BRIER: &str = "brier";
pub(crate) const KS: &str = "ks";
pub(crate) const CALIBRATION: &str = "calibration_error";
/// The largest difference between two groups of one column; where the job compares groups.
pub const FAIRNESS_GAP: &str = "fairness_gap";
