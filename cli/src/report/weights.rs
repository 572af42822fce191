//! The table of a model's weights with their standard errors and tests.

use syndic_learning::program::logistic_regression::inference::Zero;
use syndic_learning::{Fit, Inferred};

/// A row: one coefficient, as text.
pub(super) struct Weight {
    /// Name of the input.
    pub(super) input: String,
    /// Change of the log-odds with a standard deviation, or with the level.
    pub(super) coefficient: String,
    /// The factor on the odds.
    pub(super) odds: String,
    pub(super) standard_error: String,
    pub(super) z: String,
    pub(super) p: String,
    pub(super) vif: String,
    /// Whether it differs from zero by more than chance makes likely.
    pub(super) clear: bool,
}

/// The rows; none where nothing is known of the weights but their values.
pub(super) fn table(fit: Option<&Fit>) -> Vec<Weight> {
    fit.and_then(|fit| fit.inference.as_ref()).into_iter().flatten().map(weight).collect()
}

fn weight(of: &Inferred) -> Weight {
    let figure = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "–".to_owned(), |value| signed(value, decimals))
    };
    Weight {
        input: of.input.clone(),
        coefficient: match of.zero {
            Some(Zero::FirstLevel) => "compared with".into(),
            Some(Zero::Redundant) => "others tell it".into(),
            None => signed(of.coefficient, 4),
        },
        odds: figure(of.zero.is_none().then(|| of.coefficient.exp()), 3),
        standard_error: figure(of.standard_error, 4),
        z: figure(of.z, 2),
        p: of.p.map_or_else(|| "–".to_owned(), probability),
        vif: figure(of.vif, 2),
        clear: of.p.is_some_and(|p| p < LEVEL),
    }
}

fn signed(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "−")
}

fn probability(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".into() } else { format!("{p:.4}") }
}

/// The usual level of a test.
const LEVEL: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_that_is_fixed_or_not_determined_has_no_tests() {
        let known = Inferred {
            input: "age".into(),
            coefficient: -0.5,
            per_unit: -0.05,
            zero: None,
            standard_error: Some(0.1),
            z: Some(-5.0),
            p: Some(5.7e-7),
            vif: Some(1.25),
        };
        let fixed = Inferred {
            input: "job=office".into(),
            coefficient: 0.0,
            per_unit: 0.0,
            zero: Some(Zero::FirstLevel),
            standard_error: None,
            z: None,
            p: None,
            vif: None,
        };
        let fit = Fit { converged: true, rows: 9, log_loss: 0.5, inference: Some(vec![known, fixed]) };
        let rows = table(Some(&fit));
        let cells = |row: &Weight| {
            [&row.coefficient, &row.odds, &row.standard_error, &row.z, &row.p, &row.vif].map(String::clone)
        };
        assert_eq!(cells(&rows[0]), ["−0.5000", "0.607", "0.1000", "−5.00", "< 0.0001", "1.25"]);
        assert_eq!(cells(&rows[1]), ["compared with", "–", "–", "–", "–", "–"]);
        assert!(rows[0].clear && !rows[1].clear && table(None).is_empty());
    }
}
