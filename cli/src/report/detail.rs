//! How the federation's model separates, ranks and is calibrated: a sentence, and a table with a picture of each band of probability.

use syndic_learning::{Calibration, Detail};

use crate::result::InDetail;
use crate::words::thousands;

/// What stands above the table, and the table.
pub(crate) struct Measured {
    pub(crate) figures: String,
    pub(crate) bands: Vec<Band>,
}

/// Rows of about the same probability.
pub(crate) struct Band {
    pub(crate) range: String,
    pub(crate) rows: String,
    pub(crate) told: String,
    pub(crate) observed: String,
    /// How long the bars are, of [`WIDTH`].
    pub(crate) told_width: f64,
    pub(crate) observed_width: f64,
}

impl Measured {
    pub(crate) fn of(detail: &InDetail) -> Self {
        Self { figures: sentence(&detail.figures), bands: detail.calibration.iter().map(band).collect() }
    }
}

/// The figures in the order in which people read them; those that there are.
pub(crate) fn sentence(detail: &Detail) -> String {
    let Detail { gini, ks, lift, brier, calibration_error } = *detail;
    let figures = [
        ("Gini", gini, 4),
        ("KS", ks, 4),
        ("lift of the highest tenth", lift, 2),
        ("Brier score", Some(brier), 4),
        ("calibration error", Some(calibration_error), 4),
    ];
    let told = figures
        .into_iter()
        .filter_map(|(name, figure, decimals)| figure.map(|figure| format!("{name} {figure:.decimals$}")));
    told.collect::<Vec<_>>().join(", ")
}

fn band(band: &Calibration) -> Band {
    Band {
        range: format!("{:.1} to {:.1}", band.from, band.to),
        rows: thousands(band.rows),
        told: format!("{:.4}", band.told),
        observed: format!("{:.4}", band.observed),
        told_width: WIDTH * band.told,
        observed_width: WIDTH * band.observed,
    }
}

const WIDTH: f64 = 160.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_not_told() {
        let detail =
            Detail { gini: None, ks: None, lift: Some(2.5), brier: 0.1, calibration_error: 0.012_34 };
        assert_eq!(
            sentence(&detail),
            "lift of the highest tenth 2.50, Brier score 0.1000, calibration error 0.0123"
        );
    }
}
