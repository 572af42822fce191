//! Gradients, Hessians and rows, summed.

use std::ops::{Add, AddAssign, Sub};

/// Sums over rows: of the gradient p - y and the Hessian p (1 - p) of the log-loss in the log-odds, and how many rows.
///
/// All are multiples of a power of two that are exact in an f64, so that the order of adding never matters, and what is
/// taken away again leaves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
    pub(super) rows: f64,
}

/// The sums of each bin at one place of a tree: of the asked columns, one after the other.
pub(super) type Histogram = Vec<Sums>;

impl Sums {
    /// Whether rows can add up to these: each has a gradient within one and a Hessian of at most a quarter.
    pub(super) fn are_possible(&self) -> bool {
        self.rows >= 0.0
            && self.gradient.abs() <= self.rows
            && self.hessian >= 0.0
            && self.hessian <= self.rows / 4.0
    }
}

impl Add for Sums {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            rows: self.rows + other.rows,
        }
    }
}

impl Sub for Sums {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), Add::add)
    }
}
