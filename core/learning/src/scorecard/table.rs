//! The points table, for people: what stands in the model card and the report.

use serde::{Deserialize, Serialize};

use super::coding::CellRange;
use super::{PointsScale, ScorecardModel};
use crate::contract::ColumnKind;

/// A scorecard as people read it: a row for each bin of each column. No bin has fewer rows or fewer of a class than the job's
/// floors, so none is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorecardTable {
    /// How log-odds become points.
    pub points: PointsScale,
    /// Log-odds of a bad where all weights of evidence are zero.
    pub intercept: f64,
    /// The columns in contract order, those that are not used too.
    pub columns: Vec<ScorecardColumn>,
}

/// One column of a scorecard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorecardColumn {
    /// Its name.
    pub column: String,
    /// How well its bins tell the classes apart.
    pub information_value: f64,
    /// Its weight in the log-odds of a bad, for one unit of weight of evidence; none where it is not used. About -1 where
    /// other columns say nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coefficient: Option<f64>,
    /// Its bins, from the lowest number up, or from the level of least bads up.
    pub bins: Vec<BinRow>,
}

/// One bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinRow {
    /// Of a number: the least in the bin; none in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// Of a number: the least beyond the bin; none in the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// Its levels, of a column that has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// Whether missing values are in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub missing: bool,
    /// Training rows of all institutions.
    pub rows: u64,
    /// Bads among them.
    pub bads: u64,
    /// The share of bads.
    pub bad_rate: f64,
    /// Weight of evidence: above zero where there are more goods than among all rows.
    pub woe: f64,
    /// Whole points; none where the column is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<i64>,
}

impl ScorecardTable {
    /// What must be said of it: columns whose weight has the wrong sign, and columns that tell too much.
    pub fn warnings(&self) -> Vec<String> {
        let of_column = |column: &ScorecardColumn| {
            let wrong = column.coefficient.is_some_and(|coefficient| coefficient > 0.0).then(|| {
                format!(
                    "the coefficient of `{}` has the wrong sign: beside the other columns its better bins count as worse; \
                     leave it or a column like it out",
                    column.column
                )
            });
            let value = column.information_value;
            let suspicious = (value > SUSPICIOUS).then(|| {
                format!(
                    "`{}` has an information value of {value:.2}, which is too good to be true above {SUSPICIOUS}: check \
                     that it is known before the outcome is",
                    column.column
                )
            });
            [wrong, suspicious]
        };
        self.columns.iter().flat_map(of_column).flatten().collect()
    }
}

impl ScorecardModel {
    /// The points table.
    pub fn table(&self) -> ScorecardTable {
        ScorecardTable {
            points: self.scale,
            intercept: self.scorecard.coefficients.intercept,
            columns: (0..self.contract.columns.len()).map(|column| self.column(column)).collect(),
        }
    }

    fn column(&self, position: usize) -> ScorecardColumn {
        let (column, coding) = (&self.contract.columns[position], &self.scorecard.coding);
        let is_used = coding.used.contains(&(position as u32));
        let points = is_used.then(|| self.points_of(position));
        let woe = coding.woe(position);
        let of_bin = |(bin, counts): (usize, &super::ClassCounts)| {
            let (mut from, mut below, mut levels) = (None, None, Vec::new());
            match &column.kind {
                ColumnKind::Numeric { transform, min, max } => {
                    let range = CellRange::of(*transform, *min, *max);
                    let cuts = coding.bins.cuts_of(&self.contract, position);
                    let before = bin.checked_sub(1).and_then(|before| cuts.get(before));
                    from = before.map(|&cut| range.value_at(cut));
                    below = cuts.get(bin).map(|&cut| range.value_at(cut));
                }
                ColumnKind::Categorical { levels: all } => {
                    let groups = coding.bins.groups_of(&self.contract, position);
                    let of_level = all.iter().zip(groups).filter(|(_, group)| usize::from(**group) == bin);
                    levels = of_level.map(|(level, _)| level.clone()).collect();
                }
            }
            BinRow {
                from,
                below,
                levels,
                missing: coding.bins.missing_of(&self.contract, position) == u16::try_from(bin).ok(),
                rows: counts.rows(),
                bads: counts.bad,
                bad_rate: counts.rate(),
                woe: woe[bin],
                points: points.as_ref().map(|points| points[bin]),
            }
        };
        ScorecardColumn {
            column: column.name.clone(),
            information_value: coding.information(position),
            coefficient: is_used.then(|| self.scorecard.coefficients.weights[position]),
            bins: coding.counts[position].iter().enumerate().map(of_bin).collect(),
        }
    }
}

/// Cards from before there were nullable columns keep their bytes.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Siddiqi, chapter 10: above 0.5 a column is suspicious.
pub const SUSPICIOUS: f64 = 0.5;
