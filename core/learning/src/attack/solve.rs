//! Directions in which what is opened says most of a row.

use crate::linear::Cholesky;

/// The x for which (`scale` times the mean of g g^T over `rows`, plus `noise` on the diagonal) x = `right`.
///
/// `rows` are vectors g of one length.
pub(super) fn whitened(rows: &[Vec<f64>], scale: f64, noise: &[f64], right: &[f64]) -> Vec<f64> {
    let width = right.len();
    let mut matrix = vec![0.0; width * width];
    for row in rows {
        // Most entries of a row are zero: levels, bins, and pairs of them.
        let present: Vec<(usize, f64)> =
            row.iter().copied().enumerate().filter(|(_, value)| *value != 0.0).collect();
        for (count, &(a, x)) in present.iter().enumerate() {
            for &(b, y) in &present[..=count] {
                matrix[a * width + b] += x * y;
            }
        }
    }
    let factor = scale / rows.len().max(1) as f64;
    matrix.iter_mut().for_each(|entry| *entry *= factor);
    for (entry, noise) in noise.iter().enumerate() {
        let diagonal = &mut matrix[entry * width + entry];
        // What rows do not span is known by no more than rounding.
        *diagonal += noise + RIDGE * *diagonal;
    }
    Cholesky::of(matrix, width).solve(right)
}

/// Relative to an entry of the diagonal.
const RIDGE: f64 = 1e-6;
