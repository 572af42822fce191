//! Where the rows were that a model was trained on, as a job file has it: the bins of the model's card.

use serde::{Deserialize, Serialize};

use crate::contract::Contract;
use crate::job::DriftTerms;
use crate::program::drift::figures::{Bin, DriftFigures, SCORE, Shift};

/// The bins of a card, of the scores and of all columns that are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Rows that the model was trained on.
    pub rows: u64,
    /// Where its scores of them were.
    pub score: ReferenceScores,
    /// Where their values were, in contract order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ReferenceColumn>,
}

/// Bins of a model's scores, from the lowest up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceScores {
    /// The least probability beyond each bin but the last.
    pub below: Vec<f64>,
    /// Rows in each bin.
    pub rows: Vec<u64>,
}

/// Bins of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceColumn {
    /// Its name.
    pub name: String,
    /// Of numbers: the least beyond each bin but the last. Of a column of levels nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<f64>,
    /// The levels of each bin. Of a column of numbers nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Vec<String>>,
    /// Rows in each bin, those without a value apart.
    pub rows: Vec<u64>,
    /// Rows without a value, of a nullable column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
}

impl Reference {
    /// The bins of a card: of all its columns, or of those that are named.
    pub fn of(figures: &DriftFigures, columns: &[String]) -> Self {
        let edges = |bins: &[Bin]| bins.iter().filter_map(|bin| bin.below).collect();
        let rows = |bins: &[Bin]| bins.iter().map(|bin| bin.reference).collect();
        let of_column = |shift: &Shift| {
            let (missing, present): (Vec<Bin>, Vec<Bin>) =
                shift.bins.iter().cloned().partition(|bin| bin.missing);
            let has_levels = present.iter().any(|bin| !bin.levels.is_empty());
            ReferenceColumn {
                name: shift.name.clone(),
                below: edges(&present),
                levels: if has_levels {
                    present.iter().map(|bin| bin.levels.clone()).collect()
                } else {
                    Vec::new()
                },
                rows: rows(&present),
                missing: missing.first().map(|bin| bin.reference),
            }
        };
        let is_wanted =
            |shift: &&Shift| !shift.bins.is_empty() && (columns.is_empty() || columns.contains(&shift.name));
        Self {
            rows: figures.reference_rows,
            score: ReferenceScores { below: edges(&figures.score.bins), rows: rows(&figures.score.bins) },
            columns: figures.columns.iter().filter(is_wanted).map(of_column).collect(),
        }
    }

    /// Whether these are the bins of a card, of all its columns or of some.
    pub fn is_of(&self, figures: &DriftFigures) -> bool {
        let names: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        // No name at all would be every column.
        let mut own = Self::of(figures, &names);
        own.columns.retain(|column| names.contains(&column.name));
        *self == own
    }

    /// Checks that these are bins of columns of `contract`, each with all rows.
    ///
    /// # Errors
    /// What is wrong, in words that end a sentence.
    pub fn check(&self, contract: &Contract) -> Result<(), &'static str> {
        let has_ends = |below: &[f64], rows: &[u64]| rows.len() == below.len() + 1;
        let is_whole = |column: &ReferenceColumn| match column.levels.len() {
            0 => has_ends(&column.below, &column.rows),
            bins => column.below.is_empty() && column.rows.len() == bins,
        };
        if !has_ends(&self.score.below, &self.score.rows) || !self.columns.iter().all(is_whole) {
            return Err("a column, or the scores, have not as many counts as bins");
        }
        let mut names = contract.columns.iter().map(|column| &column.name);
        // In contract order, so that each is there once.
        if !self.columns.iter().all(|column| names.any(|name| *name == column.name)) {
            return Err("the columns are not columns of the contract, each once and in its order");
        }
        if self.rows == 0 || self.rows > MOST_ROWS {
            return Err("the model was trained on no rows, or on more than there can be");
        }
        let is_nullable = |name: &str| contract.nullable().any(|column| column.name == name);
        if self.columns.iter().any(|column| column.missing.is_some() != is_nullable(&column.name)) {
            return Err("`missing` is there of a column that is not nullable, or is not of one that is");
        }
        self.figures().misfit(contract).map_or(Ok(()), Err)
    }

    /// The same as a card has it, without thresholds, and without rows that are compared.
    pub(super) fn figures(&self) -> DriftFigures {
        let DriftTerms { watch_psi, max_psi, max_ks, min_rows, .. } = DriftTerms::default();
        let bins = |below: &[f64], levels: &[Vec<String>], rows: &[u64]| -> Vec<Bin> {
            let of_bin = |(position, &reference): (usize, &u64)| Bin {
                below: below.get(position).copied(),
                levels: levels.get(position).cloned().unwrap_or_default(),
                missing: false,
                reference,
                current: None,
            };
            rows.iter().enumerate().map(of_bin).collect()
        };
        let of_column = |column: &ReferenceColumn| {
            let mut bins = bins(&column.below, &column.levels, &column.rows);
            bins.extend(column.missing.map(Bin::of_missing));
            Shift::unknown(column.name.clone(), bins)
        };
        DriftFigures {
            watch_psi,
            max_psi,
            max_ks,
            min_rows,
            reference_rows: self.rows,
            current_rows: 0,
            score: Shift::unknown(SCORE.into(), bins(&self.score.below, &[], &self.score.rows)),
            columns: self.columns.iter().map(of_column).collect(),
        }
    }
}

impl ReferenceColumn {
    /// How many bins it has, that of missing values among them.
    pub(crate) fn bins(&self) -> usize {
        self.rows.len() + usize::from(self.missing.is_some())
    }
}

/// Whole numbers up to here are floats too, as canonical JSON has them.
const MOST_ROWS: u64 = 1 << 53;
