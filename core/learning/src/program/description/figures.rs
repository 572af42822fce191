//! What is told of the rows of all institutions together.
//!
//! Without noise no number of rows is told that is below the job's floor, nor does one follow from what is told: levels and cells of
//! few rows are joined with others, and where a count has to be left out all the same, so are others, until those that are left out
//! are two at least and together no fewer rows than the floor. Whatever is made of bins is made of what is told of them.

use serde::{Deserialize, Serialize};
use syndic_round::{Digest, JobId};

use super::counted::Counted;
use super::numbers::{correlation, numbers};
use super::shape::{Shape, is_numeric};
use super::terms::DescriptionTerms;
use crate::contract::{ColumnKind, Contract, Transform};
use crate::privacy::claim::Claim;

mod bins;

use bins::Binned;

/// What the rows of all institutions look like together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsFigures {
    /// Rows.
    pub rows: i64,
    /// Positives among them; none where there are fewer rows of a class than `min_rows`.
    pub positives: Option<i64>,
    /// The fewest rows of which anything is told.
    pub min_rows: u32,
    /// Standard deviation of the noise in the rows of one class in one cell or at one level, and in every other sum, in rows; none
    /// where nothing is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// The columns, in contract order.
    pub columns: Vec<ColumnFigures>,
    /// How columns of numbers go together, where the job asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlations: Option<Correlations>,
    /// What is claimed of the noise, and what was spent; none without noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Claim>,
}

/// What is told of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFigures {
    /// Its name.
    pub name: String,
    /// Rows that have a value; none where that is not told.
    pub present: Option<i64>,
    /// Rows that have none, of a nullable column; none where that is not told.
    pub missing: Option<i64>,
    /// Of a column of numbers that enough rows have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// Where the rows are, from the lowest number up, and last those without a value; empty where there are too few rows.
    pub bins: Vec<Bin>,
    /// Information value of the bins for the label: those whose classes are not told count as one.
    pub information: Option<f64>,
}

/// Moments and quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Applied before mean and deviation are taken, and correlations; none where numbers are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// Mean.
    pub mean: f64,
    /// One standard deviation that noise gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_deviation: Option<f64>,
    /// Standard deviation, of the rows and not of a larger population.
    pub sd: f64,
    /// One standard deviation that noise gives that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd_deviation: Option<f64>,
    /// The least number, down to where its cell begins, all but the `min_rows` - 1 lowest left aside; none with noise.
    pub lowest: Option<f64>,
    /// The largest, up to where its cell ends, likewise.
    pub highest: Option<f64>,
    /// The middle of the cell that each is in, with noise interpolated in it; none where fewer than `min_rows` rows are beyond.
    pub quantiles: Vec<Quantile>,
    /// By what share of the rows noise may have shifted quantiles, one standard deviation at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_deviation: Option<f64>,
}

/// The number up to which there is a share of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// The share.
    pub share: f64,
    /// The number.
    pub value: Option<f64>,
}

/// A part of a column's range, some of its levels, or what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Of numbers: the least in the bin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// Of numbers: the least beyond it, or in the last bin the largest that may occur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// Its levels, of a column that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// Whether it is of the rows without a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// Rows; none where that is not told.
    pub rows: Option<i64>,
    /// One standard deviation that noise gives that, and a bit more than that of positives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_deviation: Option<f64>,
    /// Positives among them; none where that is not told.
    pub positives: Option<i64>,
    /// Share of positives; with noise none where the rows may be noise alone.
    pub rate: Option<f64>,
    /// Weight of evidence: ln(share of all negatives / share of all positives); with noise none where either may be noise alone.
    pub woe: Option<f64>,
}

/// Pearson's correlation of each two columns of numbers, over the rows that have both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlations {
    /// The columns.
    pub columns: Vec<String>,
    /// For each of them with each; none where too few rows have both, one does not vary, or that is not asked for with noise.
    pub matrix: Vec<Vec<Option<f64>>>,
    /// One standard deviation that noise gives each; none without noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviations: Option<Vec<Vec<Option<f64>>>>,
}

impl StatisticsFigures {
    /// From what was counted.
    pub(super) fn of(
        terms: &DescriptionTerms,
        contract: &Contract,
        shape: &Shape<'_>,
        counted: &Counted,
    ) -> Self {
        let floor = f64::from(terms.min_rows);
        let is_noisy = counted.noise > 0.0;
        let [negatives, positives] = counted.rows;
        let rows = negatives + positives;
        let has_classes = is_noisy || (negatives >= floor && positives >= floor);
        let mut figures = Self {
            rows: whole(rows),
            positives: has_classes.then_some(whole(positives)),
            min_rows: terms.min_rows,
            noise: is_noisy.then_some(counted.noise),
            columns: Vec::new(),
            correlations: None,
            privacy: None,
        };
        let mut moments = counted.moments.iter();
        for (column, cells) in shape.columns.iter().zip(&counted.columns) {
            let moments = is_numeric(column).then(|| moments.next()).flatten();
            let totals = (counted.rows, has_classes);
            let binned = Binned::of(column, cells, terms, totals, counted.noise);
            let numbers = match (&column.kind, moments) {
                // With noise whether there are rows is seen by what is told of them.
                (ColumnKind::Numeric { transform, min, max }, Some(moments))
                    if moments.rows >= floor.max(1.0) =>
                {
                    let range = (*transform, *min, *max);
                    Some(numbers(*moments, &binned.present, range, (floor, counted.noise)))
                }
                _ => None,
            };
            figures.columns.push(binned.told(column, numbers));
        }
        let has_pairs = !shape.pairs.is_empty();
        figures.correlations = has_pairs.then(|| Correlations::of(contract, shape, counted, floor));
        figures
    }
}

/// What is published of a job that described rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The job.
    pub job: JobId,
    /// SHA-256 of its file.
    pub agreement: Digest,
    /// What it found.
    pub statistics: StatisticsFigures,
}

impl StatisticsFigures {
    /// The document of a job that found this, byte for byte as its digest is on record.
    ///
    /// # Errors
    /// When a number has no JSON, which none of ours is.
    pub fn document(&self, job: &JobId, agreement: Digest) -> serde_json::Result<Vec<u8>> {
        let (schema, job, statistics) = (SCHEMA.into(), job.clone(), self.clone());
        let mut bytes = serde_json::to_vec_pretty(&Document { schema, job, agreement, statistics })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Correlations {
    fn of(contract: &Contract, shape: &Shape<'_>, counted: &Counted, floor: f64) -> Self {
        let numeric = contract.columns.iter().filter(|column| {
            is_numeric(column) && shape.columns.iter().any(|described| described.name == column.name)
        });
        let columns: Vec<String> = numeric.map(|column| column.name.clone()).collect();
        let mut matrix = vec![vec![None; columns.len()]; columns.len()];
        let mut deviations = matrix.clone();
        for of in counted.pairs.iter().filter(|of| of.a.rows >= floor.max(2.0)) {
            let (a, b) = (of.pair.a, of.pair.b);
            let found = correlation(of, counted.noise);
            let (r, deviation) = (found.map(|(r, _)| r), found.and_then(|(_, deviation)| deviation));
            (matrix[a][b], matrix[b][a]) = (r, r);
            (deviations[a][b], deviations[b][a]) = (deviation, deviation);
        }
        for (position, moments) in counted.moments.iter().enumerate() {
            let varies = matrix[position].iter().any(Option::is_some) && moments.rows >= floor;
            matrix[position][position] = varies.then_some(1.0);
        }
        Self { columns, matrix, deviations: (counted.noise > 0.0).then_some(deviations) }
    }
}

/// The name of the schema in a document.
pub const SCHEMA: &str = "syndic.statistics/1";

/// A number of rows. With noise it is rounded, which tells nothing more.
fn whole(rows: f64) -> i64 {
    libm::round(rows) as i64
}
