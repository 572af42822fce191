//! Mean, deviation, quantiles and correlations out of sums, and how far noise leaves them uncertain.
//!
//! How far noise spreads a figure is told by the delta method: the root of the summed squares of its slopes in the sums it is made of,
//! times the deviation of their noise.

use super::counted::{Moments, PairMoments};
use super::figures::{Numbers, Quantile};
use crate::contract::Transform;
use crate::scorecard::CELLS;
use crate::scorecard::coding::CellRange;

impl Moments {
    fn mean(self) -> f64 {
        self.sum / self.rows
    }

    fn variance(self) -> f64 {
        self.square / self.rows - self.mean() * self.mean()
    }

    /// The slope of the variance in the number of rows, the sums being as they are.
    fn variance_by_rows(self) -> f64 {
        (2.0 * self.mean() * self.mean() - self.square / self.rows) / self.rows
    }
}

/// What is told of numbers that enough rows have. `counts` are those of the cells, of both classes.
pub(super) fn numbers(
    moments: Moments,
    counts: &[f64],
    (transform, min, max): (Transform, f64, f64),
    (floor, noise): (f64, f64),
) -> Numbers {
    let (centre, half) = transform.centre_and_half_range(min, max);
    let (mean, variance) = (moments.mean(), moments.variance());
    let is_noisy = noise > 0.0;
    // What rounding leaves of the variance of a constant column is none.
    let sd =
        libm::sqrt(if variance > if is_noisy { 0.0 } else { moments.rounding } { variance } else { 0.0 });
    let spread = |slopes: [(f64, f64); 3]| {
        half * libm::sqrt(slopes.into_iter().map(|(slope, noise)| slope * slope * noise * noise).sum::<f64>())
    };
    let mean_deviation = is_noisy.then(|| {
        spread([(1.0 / moments.rows, noise), (mean / moments.rows, moments.rows_noise), (0.0, 0.0)])
    });
    let sd_deviation = (is_noisy && sd > 0.0).then(|| {
        spread([
            (mean / (moments.rows * sd), noise),
            (1.0 / (2.0 * moments.rows * sd), noise),
            (moments.variance_by_rows() / (2.0 * sd), moments.rows_noise),
        ])
    });
    let cells = Cells { counts, range: CellRange::of(transform, min, max) };
    let rows = counts.iter().sum::<f64>();
    let quantile = |share: f64| {
        let is_deep = (is_noisy && rows >= 1.0) || (share * rows >= floor && (1.0 - share) * rows >= floor);
        Quantile { share, value: is_deep.then(|| cells.reached(share * rows, is_noisy)).flatten() }
    };
    Numbers {
        transform: (transform != Transform::Identity).then_some(transform),
        mean: centre + half * mean,
        mean_deviation,
        sd: half * sd,
        sd_deviation,
        lowest: if is_noisy { None } else { cells.lowest(floor) },
        highest: if is_noisy { None } else { cells.highest(floor) },
        quantiles: SHARES.map(quantile).to_vec(),
        rank_deviation: is_noisy.then(|| noise * libm::sqrt(2.0 * counts.len() as f64) / moments.rows),
    }
}

/// Counts of a column of numbers, in cells of its range.
struct Cells<'a> {
    counts: &'a [f64],
    range: CellRange,
}

impl Cells<'_> {
    /// The value up to which there are so many rows: the middle of the cell in which the row of this rank is. Interpolated, as if
    /// the rows of a cell were spread evenly over it, it would tell how many they are; with noise it may.
    fn reached(&self, rank: f64, interpolates: bool) -> Option<f64> {
        let mut below = 0.0;
        for (cell, count) in self.counts.iter().enumerate() {
            let after = below + count;
            if after >= rank && after > below {
                // With noise the counts before may have gone beyond already.
                let share =
                    if interpolates { ((rank - below) / (after - below)).clamp(0.0, 1.0) } else { 0.5 };
                return Some(self.value_at(cell as f64 + share));
            }
            below = after;
        }
        None
    }

    /// Where the cell begins in which the row is that has `floor` - 1 rows below it.
    fn lowest(&self, floor: f64) -> Option<f64> {
        let mut below = 0.0;
        let cell = self.counts.iter().position(|count| {
            below += count;
            below >= floor
        });
        cell.map(|cell| self.value_at(cell as f64))
    }

    /// Where the cell ends in which the row is that has `floor` - 1 rows above it.
    fn highest(&self, floor: f64) -> Option<f64> {
        let mut above = 0.0;
        let cell = self.counts.iter().rposition(|count| {
            above += count;
            above >= floor
        });
        cell.map(|cell| self.value_at(cell as f64 + 1.0))
    }

    fn value_at(&self, place: f64) -> f64 {
        self.range.value_at_place(place * (CELLS / self.counts.len()) as f64)
    }
}

/// Pearson's correlation over the rows that have both numbers, and how far noise spreads it; none where one of them does not vary.
pub(super) fn correlation(of: &PairMoments, noise: f64) -> Option<(f64, Option<f64>)> {
    let PairMoments { a, b, product, .. } = *of;
    let least = |of: Moments| if noise > 0.0 { CERTAIN * noise / of.rows } else { of.rounding };
    let (va, vb) = (a.variance(), b.variance());
    if va <= least(a) || vb <= least(b) {
        return None;
    }
    let (ma, mb, rows) = (a.mean(), b.mean(), a.rows);
    let scale = libm::sqrt(va * vb);
    let r = (product / rows - ma * mb) / scale;
    let deviation = (noise > 0.0).then(|| {
        let of_product = 1.0 / (rows * scale);
        let of_sum = |m: f64, other: f64, v: f64| (-other / scale + r * m / v) / rows;
        let of_square = |v: f64| -r / (2.0 * rows * v);
        let of_rows = (2.0 * ma * mb - product / rows) / (rows * scale)
            - r / 2.0 * (a.variance_by_rows() / va + b.variance_by_rows() / vb);
        let slopes = [of_product, of_sum(ma, mb, va), of_sum(mb, ma, vb), of_square(va), of_square(vb)];
        let of_sums: f64 = slopes.iter().map(|slope| slope * slope * noise * noise).sum();
        libm::sqrt(of_sums + of_rows * of_rows * a.rows_noise * a.rows_noise)
    });
    Some((r.clamp(-1.0, 1.0), deviation))
}

/// Shares of rows at whose ends quantiles are told.
const SHARES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// Deviations of noise above which a figure certainly is no noise alone.
pub(super) const CERTAIN: f64 = 4.0;
