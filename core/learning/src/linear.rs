//! Symmetric systems that are positive or almost: Cholesky's factorisation, which leaves out unknowns that others
//! determine.

/// A factorised matrix.
#[derive(Clone, Debug)]
pub(crate) struct Cholesky {
    width: usize,
    /// The lower triangle of the factor in a square matrix, row by row.
    factor: Vec<f64>,
    redundant: Vec<bool>,
}

impl Cholesky {
    /// Factorises a matrix of `width` rows of which the lower triangle is given, in a square, row by row.
    ///
    /// An unknown is redundant where those before it determine it up to rounding, or nothing is known of it: it is
    /// then zero in every solution.
    pub(crate) fn of(mut matrix: Vec<f64>, width: usize) -> Self {
        let mut redundant = vec![false; width];
        for a in 0..width {
            let diagonal = matrix[a * width + a];
            for b in 0..a {
                let rest = matrix[a * width + b] - product(&matrix, width, (a, b), b);
                matrix[a * width + b] = if redundant[b] { 0.0 } else { rest / matrix[b * width + b] };
            }
            let rest = diagonal - product(&matrix, width, (a, a), a);
            redundant[a] = rest <= NOISE * diagonal || diagonal <= 0.0;
            if redundant[a] {
                matrix[a * width..a * width + a].fill(0.0);
            }
            matrix[a * width + a] = if redundant[a] { 1.0 } else { libm::sqrt(rest) };
        }
        Self { width, factor: matrix, redundant }
    }

    /// Whether an unknown is left out.
    pub(crate) fn is_redundant(&self, unknown: usize) -> bool {
        self.redundant[unknown]
    }

    /// The x for which matrix times x is `right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let (width, factor) = (self.width, &self.factor);
        let mut solution = right.to_vec();
        for a in 0..width {
            let known: f64 = (0..a).map(|k| factor[a * width + k] * solution[k]).sum();
            solution[a] = if self.redundant[a] { 0.0 } else { (solution[a] - known) / factor[a * width + a] };
        }
        for a in (0..width).rev() {
            let known: f64 = (a + 1..width).map(|k| factor[k * width + a] * solution[k]).sum();
            solution[a] = if self.redundant[a] { 0.0 } else { (solution[a] - known) / factor[a * width + a] };
        }
        solution
    }
}

/// Takes unknowns that do not move out of a step: their slopes, and their rows and columns of the matrix, become zero.
pub(crate) fn hold(fixed: &[bool], gradient: &mut [f64], matrix: &mut [f64]) {
    let width = gradient.len();
    for held in (0..width).filter(|&unknown| fixed[unknown]) {
        gradient[held] = 0.0;
        for other in 0..width {
            matrix[held * width + other] = 0.0;
            matrix[other * width + held] = 0.0;
        }
    }
}

/// The product of the first `count` entries of two rows.
fn product(matrix: &[f64], width: usize, (a, b): (usize, usize), count: usize) -> f64 {
    let row = |row: usize| &matrix[row * width..row * width + count];
    row(a).iter().zip(row(b)).map(|(x, y)| x * y).sum()
}

/// What is left of a diagonal entry by rounding where others determine it, relative to the entry. An input with
/// this little of its own has a variance inflation factor of ten thousand millions.
const NOISE: f64 = 1e-10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn solving_undoes_multiplying() {
        for seed in 0..50 {
            let mut rng = fixture::rng(seed);
            let width = 1 + seed as usize % 9;
            let mut number = || 2.0 * fixture::uniform(&mut rng) - 1.0;
            let rows: Vec<Vec<f64>> =
                (0..width + 3).map(|_| (0..width).map(|_| number()).collect()).collect();
            let x: Vec<f64> = (0..width).map(|_| number()).collect();
            let mut matrix = vec![0.0; width * width];
            for (a, b) in (0..width).flat_map(|a| (0..width).map(move |b| (a, b))) {
                matrix[a * width + b] = rows.iter().map(|row| row[a] * row[b]).sum();
            }
            let right: Vec<f64> =
                (0..width).map(|a| (0..width).map(|b| matrix[a * width + b] * x[b]).sum()).collect();
            let solution = Cholesky::of(matrix, width).solve(&right);
            assert!(solution.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-6), "{seed}: {solution:?} {x:?}");
        }
    }

    #[test]
    fn what_others_determine_and_what_nothing_is_known_of_is_left_out() {
        // The second is twice the first, and the third is never there.
        let matrix = vec![1.0, 0.0, 0.0, 2.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        let factorised = Cholesky::of(matrix, 3);
        assert_eq!([0, 1, 2].map(|unknown| factorised.is_redundant(unknown)), [false, true, true]);
        assert_eq!(factorised.solve(&[3.0, 6.0, 1.0]), [3.0, 0.0, 0.0]);
    }
}
