//! From log-odds to points.

use serde::{Deserialize, Serialize};

/// How log-odds become points: `base` points where there are `odds` goods for a bad, `to_double` more for odds twice as good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointsScale {
    /// Points at these odds.
    pub base: f64,
    /// Goods for each bad.
    pub odds: f64,
    /// Points that double the odds.
    pub to_double: f64,
}

impl Default for PointsScale {
    fn default() -> Self {
        Self { base: 600.0, odds: 50.0, to_double: 20.0 }
    }
}

impl PointsScale {
    /// Checks that they are a scale.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), &'static str> {
        let within = |x: f64, least: f64, most: f64| (least..=most).contains(&x);
        let holds =
            within(self.base, 0.0, 1e6) && within(self.odds, 1e-6, 1e6) && within(self.to_double, 1.0, 1e4);
        if holds {
            Ok(())
        } else {
            Err(
                "`base` from 0 to a million, `odds` from a millionth to a million, `to_double` from 1 to 10,000",
            )
        }
    }

    /// Points for one unit of the log-odds of a good.
    pub fn factor(&self) -> f64 {
        self.to_double / std::f64::consts::LN_2
    }

    /// The share of one of so many columns in the points of a row, not rounded: what its bin adds to the log-odds of a bad,
    /// and its equal part of the intercept and of the offset (Siddiqi, chapter 11).
    pub fn points(&self, log_odds: f64, intercept: f64, columns: usize) -> f64 {
        let columns = columns.max(1) as f64;
        let offset = self.base - self.factor() * libm::log(self.odds);
        offset / columns - self.factor() * (log_odds + intercept / columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_the_odds_are_worth_the_points_that_double_them() {
        let scale = PointsScale::default();
        let at = |odds: f64| scale.points(-odds.ln(), 0.0, 1);
        assert!((at(50.0) - 600.0).abs() < 1e-9);
        assert!((at(100.0) - 620.0).abs() < 1e-9);
        // Siddiqi's own example: factor 28.85, offset 487.123.
        assert!((scale.factor() - 28.8539).abs() < 1e-4);
        assert!((at(1.0) - 487.123).abs() < 1e-3);
    }

    #[test]
    fn shares_of_columns_add_up_to_the_points_of_the_row() {
        let scale = PointsScale { base: 500.0, odds: 15.0, to_double: 40.0 };
        let (parts, intercept) = ([0.4, -1.1, 0.25], -1.5);
        let sum: f64 = parts.iter().map(|part| scale.points(*part, intercept, 3)).sum();
        let whole = scale.points(parts.iter().sum::<f64>() + intercept, 0.0, 1);
        assert!((sum - whole).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        assert_eq!(PointsScale::default().check(), Ok(()));
        for (base, odds, to_double) in
            [(f64::NAN, 50.0, 20.0), (600.0, 0.0, 20.0), (600.0, 50.0, 0.5), (-1.0, 50.0, 20.0)]
        {
            assert!(PointsScale { base, odds, to_double }.check().is_err());
        }
    }
}
