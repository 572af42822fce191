//! The figures of a released model as a ledger has them, and the gates that they must pass for it to become champion.
//!
//! There are no floating-point numbers in a ledger: what is compared here are the numbers that the decimal text stands for, so that
//! whoever reads the text comes to the same end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::job::PromotionTerms;
use crate::program::comparison::figures::{
    BRIER, CALIBRATION, FAIRNESS_GAP, GINI, KS, LOG_LOSS, PR_AUC, ROC_AUC,
};
use crate::program::drift::figures::DriftFigures;
use crate::program::fairness::figures::FairnessFigures;
use crate::program::run::{Outcome, RoundMetrics};

/// Figures of a released model by name, each as decimal text. What was not measured is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, String>);

/// A gate that a figure has passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The key in the job file: `min_roc_auc`, for instance.
    pub gate: String,
    /// What the figure is held against, as decimal text.
    pub limit: String,
    /// The figure, as decimal text.
    pub figure: String,
}

/// Why a model does not become champion.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GateError {
    /// Figures on the wrong side of their limits.
    #[error("the job's gates are not passed: {}", told(.0))]
    Failed(Vec<Gate>),
    /// A gate whose figure was not measured.
    #[error("the job's gate `{gate}` needs the figure `{figure}`, which was not measured")]
    Unmeasured {
        /// The gate.
        gate: &'static str,
        /// The figure.
        figure: &'static str,
    },
}

impl GateError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "model.gate-failed",
            Self::Unmeasured { .. } => "model.figure-missing",
        }
    }
}

impl Figures {
    /// Those of an outcome, and of how its model did on test rows where that was measured.
    pub fn of(outcome: &Outcome, measured: &[RoundMetrics]) -> Self {
        let released = measured.iter().find(|metrics| metrics.training_round == outcome.released_round);
        let test = released.and_then(|metrics| metrics.test);
        let detail = released.and_then(|metrics| metrics.detail);
        let figures = [
            (ROC_AUC, test.and_then(|test| test.roc_auc)),
            (PR_AUC, test.and_then(|test| test.pr_auc)),
            (LOG_LOSS, test.map(|test| test.log_loss)),
            (GINI, detail.and_then(|detail| detail.gini)),
            (KS, detail.and_then(|detail| detail.ks)),
            (LIFT, detail.and_then(|detail| detail.lift)),
            (BRIER, detail.map(|detail| detail.brier)),
            (CALIBRATION, detail.map(|detail| detail.calibration_error)),
            (FAIRNESS_GAP, outcome.fairness.as_ref().and_then(largest_gap)),
            (PSI, outcome.drift.as_ref().and_then(DriftFigures::largest_psi)),
        ];
        let measured = figures.into_iter().filter_map(|(name, figure)| Some((name.into(), text_of(figure?))));
        Self(measured.collect())
    }

    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, figure)| (name.as_str(), figure.as_str()))
    }

    /// Whether each is the decimal text of a finite number.
    pub fn are_numbers(&self) -> bool {
        self.0.values().all(|figure| number(figure).is_some())
    }

    /// The largest gap between groups, as decimal text.
    pub(crate) fn fairness_gap(&self) -> Option<&str> {
        self.get(FAIRNESS_GAP)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|figure| number(figure).is_some())
    }
}

/// The gates of a job that a model with these figures passes on its way to become champion, in the place of one with those; all
/// that the job sets, in a fixed order. A gate against the champion is none where there is no champion.
///
/// # Errors
/// [`GateError`] with every gate that is not passed, or the first that cannot be judged.
pub fn gates(
    terms: &PromotionTerms,
    figures: &Figures,
    champion: Option<&Figures>,
) -> Result<Vec<Gate>, GateError> {
    let below = |margin: f64| -> Result<Option<String>, GateError> {
        let Some(champion) = champion else { return Ok(None) };
        let unmeasured = GateError::Unmeasured { gate: NOT_WORSE, figure: ROC_AUC };
        let best = champion.get(ROC_AUC).and_then(number).ok_or(unmeasured)?;
        Ok(Some(text_of(best - margin)))
    };
    let limit = |limit: Option<f64>| limit.map(|limit| limit.to_string());
    let set = [
        ("min_roc_auc", ROC_AUC, limit(terms.min_roc_auc), Side::AtLeast),
        ("max_log_loss", LOG_LOSS, limit(terms.max_log_loss), Side::AtMost),
        ("max_fairness_gap", FAIRNESS_GAP, limit(terms.max_fairness_gap), Side::AtMost),
        ("max_psi", PSI, limit(terms.max_psi), Side::AtMost),
        (NOT_WORSE, ROC_AUC, terms.not_worse_than_champion.map(below).transpose()?.flatten(), Side::AtLeast),
    ];
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    for (gate, name, limit, side) in set {
        let Some(limit) = limit else { continue };
        let figure = figures.get(name).ok_or(GateError::Unmeasured { gate, figure: name })?;
        let holds = number(figure).zip(number(&limit)).is_some_and(|(figure, limit)| match side {
            Side::AtLeast => figure >= limit,
            Side::AtMost => figure <= limit,
        });
        let judged = Gate { gate: gate.into(), limit, figure: figure.into() };
        if holds { &mut passed } else { &mut failed }.push(judged);
    }
    if failed.is_empty() { Ok(passed) } else { Err(GateError::Failed(failed)) }
}

/// The gates that `before` sets and `after` does not, by the keys of the job file, in a fixed order.
pub fn gates_given_up(before: &PromotionTerms, after: &PromotionTerms) -> Vec<String> {
    let set = |terms: &PromotionTerms| {
        [
            ("min_roc_auc", terms.min_roc_auc),
            ("max_log_loss", terms.max_log_loss),
            ("max_fairness_gap", terms.max_fairness_gap),
            ("max_psi", terms.max_psi),
            (NOT_WORSE, terms.not_worse_than_champion),
        ]
    };
    let both = set(before).into_iter().zip(set(after));
    let given_up = both.filter(|((_, before), (_, after))| before.is_some() && after.is_none());
    given_up.map(|((gate, _), _)| gate.to_owned()).collect()
}

/// On which side of its limit a figure must be.
#[derive(Clone, Copy)]
enum Side {
    AtLeast,
    AtMost,
}

/// The decimal text of the largest gap between groups, as figures have it; none where no two groups are compared.
pub(crate) fn gap_text(fairness: &FairnessFigures) -> Option<String> {
    largest_gap(fairness).map(text_of)
}

/// The largest difference between two groups of one column, with noise as much as it can well be; none where no two groups have
/// figures.
pub(crate) fn largest_gap(fairness: &FairnessFigures) -> Option<f64> {
    fairness.columns.iter().flat_map(|column| column.gaps.judged()).reduce(f64::max)
}

/// Nine decimals, as all metrics in a ledger.
fn text_of(figure: f64) -> String {
    format!("{figure:.9}")
}

/// The finite number that decimal text stands for.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn told(failed: &[Gate]) -> String {
    let one =
        |Gate { gate, limit, figure }: &Gate| format!("`{gate}` is {limit}, and the model has {figure}");
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}

const LIFT: &str = "lift";
/// The largest population stability index of a column or of the scores.
const PSI: &str = "psi";
const NOT_WORSE: &str = "not_worse_than_champion";

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, &str)]) -> Figures {
        Figures(figures.iter().map(|(name, figure)| ((*name).into(), (*figure).into())).collect())
    }

    fn terms() -> PromotionTerms {
        PromotionTerms {
            min_roc_auc: Some(0.75),
            max_log_loss: Some(0.4),
            max_fairness_gap: Some(0.1),
            not_worse_than_champion: Some(0.005),
            ..PromotionTerms::default()
        }
    }

    const GOOD: [(&str, &str); 3] =
        [("roc_auc", "0.760000000"), ("log_loss", "0.400000000"), ("fairness_gap", "0.080000000")];

    #[test]
    fn figures_at_their_limits_pass_and_each_gate_is_told_with_its_figure() {
        let champion = figures(&[("roc_auc", "0.765000000")]);
        let passed = gates(&terms(), &figures(&GOOD), Some(&champion)).unwrap();
        let told: Vec<_> = passed.iter().map(|one| (&*one.gate, &*one.limit, &*one.figure)).collect();
        let expected = [
            ("min_roc_auc", "0.75", "0.760000000"),
            ("max_log_loss", "0.4", "0.400000000"),
            ("max_fairness_gap", "0.1", "0.080000000"),
            ("not_worse_than_champion", "0.760000000", "0.760000000"),
        ];
        assert_eq!(told, expected);
        assert_eq!(gates(&terms(), &figures(&GOOD), None).unwrap().len(), 3, "there is no champion");
        assert_eq!(gates(&PromotionTerms::default(), &Figures::default(), None), Ok(Vec::new()));
    }

    #[test]
    fn gates_that_a_successor_does_not_set_are_told_by_name() {
        let fewer = PromotionTerms { max_log_loss: None, min_roc_auc: Some(0.1), ..terms() };
        assert_eq!(gates_given_up(&terms(), &fewer), ["max_log_loss"]);
        let all = ["min_roc_auc", "max_log_loss", "max_fairness_gap", "not_worse_than_champion"];
        assert_eq!(gates_given_up(&terms(), &PromotionTerms::default()), all);
        assert_eq!(gates_given_up(&PromotionTerms::default(), &terms()), [""; 0]);
        assert_eq!(gates_given_up(&terms(), &terms()), [""; 0], "lower limits are told with their figures");
    }

    #[test]
    fn every_gate_that_is_not_passed_is_told() {
        let bad = [("roc_auc", "0.749999999"), ("log_loss", "0.400000001"), ("fairness_gap", "0.100000001")];
        let champion = figures(&[("roc_auc", "0.755000000")]);
        let error = gates(&terms(), &figures(&bad), Some(&champion)).unwrap_err();
        let GateError::Failed(failed) = &error else { panic!("{error}") };
        assert_eq!(failed.len(), 4, "{error}");
        assert_eq!(error.code(), "model.gate-failed");
        assert!(
            error.to_string().contains("`max_log_loss` is 0.4, and the model has 0.400000001"),
            "{error}"
        );
    }

    #[test]
    fn a_gate_without_its_figure_is_not_passed() {
        for left_out in 0..GOOD.len() {
            let mut some = GOOD.to_vec();
            let (name, _) = some.remove(left_out);
            let error = gates(&terms(), &figures(&some), None).unwrap_err();
            assert_eq!(error.code(), "model.figure-missing");
            assert!(error.to_string().contains(name), "{error}");
        }
        let nothing = Figures::default();
        assert_eq!(
            gates(&terms(), &figures(&GOOD), Some(&nothing)).unwrap_err().code(),
            "model.figure-missing"
        );
        let garbled = [("roc_auc", "NaN"), ("log_loss", "0.1"), ("fairness_gap", "0")];
        assert_eq!(gates(&terms(), &figures(&garbled), None).unwrap_err().code(), "model.figure-missing");
        assert!(!figures(&garbled).are_numbers() && figures(&GOOD).are_numbers());
    }
}
