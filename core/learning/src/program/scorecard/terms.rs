//! The terms of a scorecard: how bins are made, which columns are used, and what points mean.

use serde::{Deserialize, Serialize};

use super::noisy_counts::are_cells;
use crate::contract::{ColumnKind, Contract};
use crate::scorecard::PointsScale;

/// What a job fixes about its scorecard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScorecardTerms {
    /// The most bins of a column in the scorecard.
    pub max_bins: u32,
    /// The most narrower bins of a numeric column for which classes are counted, and from which the bins are made.
    pub coarse_bins: u32,
    /// The least share of all training rows in a bin.
    pub min_share: f64,
    /// The fewest training rows of all institutions in a bin, and in a narrower bin whose classes are counted.
    pub min_count: u64,
    /// The fewest rows of each class in a bin.
    pub min_class: u64,
    /// The least information value of a column that is used.
    pub min_iv: f64,
    /// Penalty l2/2 on the squared weights of the standardised columns.
    pub l2: f64,
    /// Numeric columns whose bins do not fall in the rate of positives.
    pub increasing: Vec<String>,
    /// Numeric columns whose bins do not rise in it.
    pub decreasing: Vec<String>,
    /// Numeric columns whose bins may do both. All others do one of the two, whichever tells more.
    pub free: Vec<String>,
    /// What points mean.
    pub points: PointsScale,
    /// With noise: even cells of a numeric column's range in which classes are counted; [`Self::cells()`] without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<u32>,
    /// With noise: the share of what is spent that goes to the counts; [`Self::bins_share()`] without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bins_share: Option<f64>,
}

/// How the rate of positives may change from bin to bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trend {
    /// It rises or it falls, whichever tells more.
    Auto,
    /// It does not fall.
    Increasing,
    /// It does not rise.
    Decreasing,
    /// Either way.
    Free,
}

impl Default for ScorecardTerms {
    fn default() -> Self {
        Self {
            max_bins: 6,
            coarse_bins: 32,
            min_share: 0.05,
            min_count: 50,
            min_class: 10,
            min_iv: 0.02,
            l2: 0.0,
            increasing: Vec::new(),
            decreasing: Vec::new(),
            free: Vec::new(),
            points: PointsScale::default(),
            cells: None,
            bins_share: None,
        }
    }
}

impl ScorecardTerms {
    /// Even cells of a numeric column's range in which classes are counted with noise.
    pub fn cells(&self) -> u32 {
        self.cells.unwrap_or(DEFAULT_CELLS)
    }

    /// The share of what is spent, as a Renyi divergence, that goes to the counts.
    pub fn bins_share(&self) -> f64 {
        self.bins_share.unwrap_or(DEFAULT_BINS_SHARE)
    }

    /// The same without terms that only noise has.
    #[must_use]
    pub fn without_noise(&self) -> Self {
        Self { cells: None, bins_share: None, ..self.clone() }
    }

    /// Whether a term is set that only noise has, or one that noise has no use for.
    pub(crate) fn noise_terms(&self) -> (bool, bool) {
        let without = self.coarse_bins != Self::default().coarse_bins;
        (self.cells.is_some() || self.bins_share.is_some(), without)
    }

    /// Checks them against the contract.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, contract: &Contract) -> Result<(), String> {
        let within = |x: f64, least: f64, most: f64| (least..=most).contains(&x);
        let rules = [
            ((2..=MOST_BINS).contains(&self.max_bins), "`max_bins` is from 2 to 20"),
            ((2..=MOST_COARSE_BINS).contains(&self.coarse_bins), "`coarse_bins` is from 2 to 64"),
            (self.coarse_bins >= self.max_bins, "`coarse_bins` is at least `max_bins`"),
            (within(self.min_share, 0.0, 0.5), "`min_share` is from 0 to 0.5"),
            (self.min_count >= LEAST_COUNT, "`min_count` is at least 10"),
            (self.min_class >= 1, "`min_class` is at least 1"),
            (within(self.min_iv, 0.0, 10.0), "`min_iv` is from 0 to 10"),
            (within(self.l2, 0.0, 1000.0), "`l2` is from 0 to 1000"),
            (are_cells(self.cells()), "`cells` is a power of two from 4 to 256"),
            (within(self.bins_share(), 0.01, 0.99), "`bins_share` is from 0.01 to 0.99"),
        ];
        if let Some((_, problem)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(problem.into());
        }
        self.points.check().map_err(|problem| format!("`points`: {problem}"))?;
        if contract.columns.len() > MOST_COLUMNS {
            return Err(format!("{} columns are too many for a scorecard", contract.columns.len()));
        }
        let names = || self.increasing.iter().chain(&self.decreasing).chain(&self.free);
        for (position, name) in names().enumerate() {
            let is_numeric = contract
                .columns
                .iter()
                .any(|column| column.name == *name && matches!(column.kind, ColumnKind::Numeric { .. }));
            if !is_numeric {
                return Err(format!("`{name}` is no numeric column, so its bins have no order to keep"));
            }
            if names().take(position).any(|earlier| earlier == name) {
                return Err(format!("`{name}` is named twice among `increasing`, `decreasing` and `free`"));
            }
        }
        Ok(())
    }

    /// The trend of a column.
    pub(super) fn trend(&self, column: &str) -> Trend {
        let names = |names: &[String]| names.iter().any(|name| name == column);
        match (names(&self.increasing), names(&self.decreasing), names(&self.free)) {
            (true, ..) => Trend::Increasing,
            (_, true, _) => Trend::Decreasing,
            (_, _, true) => Trend::Free,
            _ => Trend::Auto,
        }
    }
}

/// Few enough for noise, and enough for the ranges of columns.
const DEFAULT_CELLS: u32 = 16;
/// Bins that are wrong cost more than coefficients that are.
const DEFAULT_BINS_SHARE: f64 = 0.6;
/// More bins than people read.
const MOST_BINS: u32 = 20;
/// More tell hardly more, and each holds fewer rows.
const MOST_COARSE_BINS: u32 = 64;
/// A floor that hides nothing is none.
const LEAST_COUNT: u64 = 10;
/// Vectors grow with the square of it.
const MOST_COLUMNS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn terms_out_of_range_are_refused() {
        let told = |bend: fn(&mut ScorecardTerms)| {
            let mut terms = ScorecardTerms::default();
            bend(&mut terms);
            terms.check(&fixture::contract())
        };
        assert_eq!(told(|_| ()), Ok(()));
        assert_eq!(told(|terms| terms.free = vec!["age".into()]), Ok(()));
        let bent: [fn(&mut ScorecardTerms); 13] = [
            |terms| terms.max_bins = 1,
            |terms| terms.max_bins = 21,
            |terms| terms.coarse_bins = 65,
            |terms| (terms.coarse_bins, terms.max_bins) = (4, 5),
            |terms| terms.min_share = f64::NAN,
            |terms| terms.min_share = 0.6,
            |terms| terms.min_count = 9,
            |terms| terms.min_class = 0,
            |terms| terms.min_iv = -0.1,
            |terms| terms.l2 = f64::INFINITY,
            |terms| terms.points.odds = 0.0,
            |terms| terms.increasing = vec!["job".into()],
            |terms| (terms.increasing, terms.free) = (vec!["age".into()], vec!["age".into()]),
        ];
        for (case, bend) in bent.into_iter().enumerate() {
            assert!(told(bend).is_err(), "case {case}");
        }
    }
}
