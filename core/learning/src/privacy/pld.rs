//! Accountant by the distribution of the privacy loss, for the Gaussian mechanism with or without Poisson sampling.
//!
//! The privacy loss of an output is the logarithm of how much likelier it is with a unit than without. Its distribution
//! under the first of the two says everything about a mechanism, and that of several steps is their convolution
//! (Koskela, Jälkö, Honkela, AISTATS 2020, arXiv 1906.03049). It is put on a grid so that no delta becomes smaller:
//! the mass between two points goes to both of them, in the one way that keeps the mass under either neighbour
//! (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, "Connect the dots", PETS 2022, arXiv 2207.04380).

use super::plan::{checked_delta, checked_noise, checked_rate, checked_steps};
use super::special::{normal_between, upper_tail};
use super::{Guarantee, PrivacyError, fft};

/// The distribution of the privacy loss of one step, in both directions.
#[derive(Clone, Debug)]
pub struct PrivacyLoss {
    with: Masses,
    without: Masses,
}

/// Probabilities on a grid, of losses in nats.
#[derive(Clone, Debug)]
struct Masses {
    /// Distance of two points.
    interval: f64,
    /// Number of the first point; number 0 is a loss of 0.
    first: i64,
    /// From the first point on.
    masses: Vec<f64>,
    /// Probability that the loss has no bound.
    unbounded: f64,
}

impl PrivacyLoss {
    /// The Gaussian mechanism over a sample that each unit is in with probability `rate`: `noise` is the standard
    /// deviation divided by the L2 sensitivity. Neighbours differ by adding or removing one unit.
    ///
    /// # Errors
    /// [`PrivacyError::Rate`], [`PrivacyError::Noise`], [`PrivacyError::Steps`].
    pub fn sampled_gaussian(rate: f64, noise: f64, steps: u64) -> Result<Self, PrivacyError> {
        let (rate, noise, steps) = (checked_rate(rate)?, checked_noise(noise)?, checked_steps(steps)?);
        let mechanism = Mechanism { rate, noise };
        let both = |interval| {
            let with = mechanism.masses(interval, Direction::With);
            let without = mechanism.masses(interval, Direction::Without);
            (with, without)
        };
        let mut interval = mechanism.interval();
        loop {
            let (with, without) = both(interval);
            let (window, other) = (with.window(steps), without.window(steps));
            if window.length.max(other.length) <= MOST_POINTS {
                return Ok(Self {
                    with: with.composed(steps, window),
                    without: without.composed(steps, other),
                });
            }
            interval *= 2.0;
        }
    }

    /// The smallest epsilon for `delta`, never below the true one.
    ///
    /// # Errors
    /// [`PrivacyError::Delta`]; [`PrivacyError::Precision`] when rounding over so many steps leaves no such delta.
    pub fn epsilon(&self, delta: f64) -> Result<Guarantee, PrivacyError> {
        let delta = checked_delta(delta)?;
        let (with, without) = (self.with.epsilon(delta)?, self.without.epsilon(delta)?);
        Ok(Guarantee { epsilon: with.max(without), delta })
    }
}

/// Which neighbour the outputs come from.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    /// The one with the unit.
    With,
    /// The one without it.
    Without,
}

/// With a unit, N(0, noise^2), or with probability `rate` N(1, noise^2); without it, N(0, noise^2).
#[derive(Clone, Copy)]
struct Mechanism {
    rate: f64,
    noise: f64,
}

impl Mechanism {
    /// A grid fine enough for the bulk of the loss, and not finer than its range can be held on.
    fn interval(self) -> f64 {
        let deviation = self.rate * libm::sqrt(libm::expm1(1.0 / (self.noise * self.noise)).min(1e6));
        let range = self.loss(1.0 + REACH * self.noise) - self.loss(-REACH * self.noise);
        (deviation / 20.0).max(range / MOST_POINTS_OF_ONE).min(FINE)
    }

    /// The loss of output `x` with the unit; it rises with `x`.
    fn loss(self, x: f64) -> f64 {
        let exponent = (2.0 * x - 1.0) / (2.0 * self.noise * self.noise);
        if self.rate == 1.0 {
            return exponent;
        }
        // log(1 - rate + rate e^exponent), the larger part first.
        if exponent > 30.0 {
            return exponent + libm::log(self.rate + (1.0 - self.rate) * libm::exp(-exponent));
        }
        libm::log1p(self.rate * libm::expm1(exponent))
    }

    /// The output of this loss; minus infinity for a loss that is below all.
    fn output(self, loss: f64) -> f64 {
        let variance = self.noise * self.noise;
        if self.rate == 1.0 {
            return variance * loss + 0.5;
        }
        let lifted = libm::expm1(loss) + self.rate;
        if lifted <= 0.0 {
            return f64::NEG_INFINITY;
        }
        variance * libm::log(lifted / self.rate) + 0.5
    }

    /// Probabilities, with the unit and without it, of outputs between two.
    fn between(self, from: f64, to: f64) -> (f64, f64) {
        let without = normal_between(from / self.noise, to / self.noise);
        let included = normal_between((from - 1.0) / self.noise, (to - 1.0) / self.noise);
        ((1.0 - self.rate) * without + self.rate * included, without)
    }

    /// The loss on a grid.
    fn masses(self, interval: f64, direction: Direction) -> Masses {
        let (least, most) = (self.loss(-REACH * self.noise), self.loss(1.0 + REACH * self.noise));
        let (least, most) = match direction {
            Direction::With => (least, most),
            Direction::Without => (-most, -least),
        };
        let (first, last) = (libm::floor(least / interval), libm::ceil(most / interval));
        let output = |point: f64| match direction {
            Direction::With => self.output(point * interval),
            Direction::Without => self.output(-point * interval),
        };
        // Of one neighbour and of the other, between the outputs of two points.
        let between = |a: f64, b: f64| match direction {
            Direction::With => self.between(a, b),
            Direction::Without => {
                let (with, without) = self.between(b, a);
                (without, with)
            }
        };
        let count = (last - first) as usize;
        let mut masses = vec![0.0; count + 1];
        let share = libm::exp(interval) / libm::expm1(interval);
        let mut from = output(first);
        for step in 0..count {
            let point = first + step as f64;
            let to = output(point + 1.0);
            let (one, other) = between(from, to);
            let upper = ((one - libm::exp(point * interval) * other) * share).clamp(0.0, one);
            masses[step + 1] += upper;
            masses[step] += one - upper;
            from = to;
        }
        // Losses below the grid count as its first point, those above it as unbounded.
        let (below, unbounded) = match direction {
            Direction::With => (between(f64::NEG_INFINITY, output(first)).0, between(from, f64::INFINITY).0),
            Direction::Without => {
                (between(f64::INFINITY, output(first)).0, between(from, f64::NEG_INFINITY).0)
            }
        };
        masses[0] += below;
        Masses { interval, first: first as i64, masses, unbounded: unbounded + upper_tail(REACH) }
    }
}

/// Where the loss of several steps lies, but for a negligible probability.
#[derive(Clone, Copy)]
struct Window {
    first: i64,
    length: usize,
}

impl Masses {
    /// The points that the sum of `steps` losses can reach and, by the inequality of Chernoff, does not leave but with
    /// probability exp(-TAIL) on either side.
    fn window(&self, steps: u64) -> Window {
        let steps = steps as f64;
        let least = self.first as f64;
        let most = least + (self.masses.len() - 1) as f64;
        let (mut low, mut high) = (least * steps, most * steps);
        for exponent in -10..=12 {
            let tilt = libm::exp2(f64::from(exponent)) * self.interval;
            high = high.min((steps * self.log_moment(tilt) + TAIL) / tilt);
            low = low.max(-(steps * self.log_moment(-tilt) + TAIL) / tilt);
        }
        let (low, high) = (libm::floor(low), libm::ceil(high).max(libm::floor(low)));
        let length = (high - low) as usize + 1;
        Window { first: low as i64, length: length.max(self.masses.len()).next_power_of_two() }
    }

    /// log of the mean of exp(tilt times the number of the point).
    fn log_moment(&self, tilt: f64) -> f64 {
        // From the end where the factor is largest, so that it only falls.
        let last = self.first + self.masses.len() as i64 - 1;
        let (start, ratio) =
            if tilt > 0.0 { (last, libm::exp(-tilt)) } else { (self.first, libm::exp(tilt)) };
        let (mut sum, mut factor) = (0.0, 1.0);
        let mut add = |mass: &f64| {
            sum += mass * factor;
            factor *= ratio;
        };
        if tilt > 0.0 {
            self.masses.iter().rev().for_each(&mut add);
        } else {
            self.masses.iter().for_each(&mut add);
        }
        // Where all of the sum underflowed, this tilt says nothing.
        if sum == 0.0 { f64::INFINITY } else { tilt * start as f64 + libm::log(sum) }
    }

    /// The sum of `steps` losses. What leaves the window comes in at its other end, where it can only add to delta; what
    /// leaves it above counts as unbounded besides.
    fn composed(&self, steps: u64, window: Window) -> Self {
        let length = window.length as i64;
        let mut padded = vec![0.0; window.length];
        padded[..self.masses.len()].copy_from_slice(&self.masses);
        let sums = fft::self_convolved(padded, steps);
        // Entry 0 of the sums is this point.
        let origin = self.first * steps as i64;
        let at = |position: i64| sums[(window.first + position - origin).rem_euclid(length) as usize];
        let masses = (0..length).map(|position| at(position).max(0.0)).collect();
        let bounded = steps as f64 * libm::log1p(-self.unbounded.min(1.0));
        let unbounded = -libm::expm1(bounded) + libm::exp(-TAIL) + steps as f64 * ROUNDING;
        Self { interval: self.interval, first: window.first, masses, unbounded }
    }

    /// The smallest epsilon from 0 on whose delta, the mean of max(0, 1 - exp(epsilon - loss)), is at most this one.
    fn epsilon(&self, delta: f64) -> Result<f64, PrivacyError> {
        if self.unbounded >= delta {
            return Err(PrivacyError::Precision { delta });
        }
        let fall = libm::exp(-self.interval);
        // Of the points above the current one: their mass, and its mean of exp(the current one - loss).
        let (mut above, mut weighted) = (self.unbounded, 0.0);
        for (position, mass) in self.masses.iter().enumerate().rev() {
            above += mass;
            weighted += mass;
            let here = (self.first + position as i64) as f64 * self.interval;
            if here <= 0.0 {
                return Ok(0.0);
            }
            // Down to the next point, delta is above - weighted exp(epsilon - here).
            if above - weighted * fall > delta {
                return Ok((here + libm::log((above - delta) / weighted)).max(0.0));
            }
            weighted *= fall;
        }
        // Not reached but by rounding: below the lowest loss, delta is close to 1.
        Ok(0.0)
    }
}

/// Standard deviations of noise within which outputs are looked at; beyond them is less than 1e-23.
const REACH: f64 = 10.0;

/// Nats between two points, where the loss is wide enough.
const FINE: f64 = 1e-4;

/// Points of one step at most, as far as that decides the grid.
const MOST_POINTS_OF_ONE: f64 = 1e6;

/// Points of all steps together at most; beyond them the grid becomes coarser.
const MOST_POINTS: usize = 1 << 21;

/// Minus the logarithm of the probability that is neglected: 3e-20.
const TAIL: f64 = 45.0;

/// What the rounding of transforms can take from a delta with each step.
const ROUNDING: f64 = 1e-15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::plan::tests::{REFERENCE, TWO_MORE};
    use crate::privacy::rdp::RenyiCurve;

    #[test]
    fn every_row_of_the_reference_is_met() {
        for row in REFERENCE.iter().chain(&TWO_MORE) {
            let loss = PrivacyLoss::sampled_gaussian(row.rate, row.noise, row.steps).unwrap();
            let epsilon = loss.epsilon(row.delta).unwrap().epsilon;
            assert!((epsilon / row.pld - 1.0).abs() < 0.005, "{row:?}: {epsilon}");
        }
    }

    /// Balle and Wang, ICML 2018, Theorem 8: delta of a Gaussian with this mean and a standard deviation of 1.
    fn exact_delta(mean: f64, epsilon: f64) -> f64 {
        let upper = upper_tail(epsilon / mean - mean / 2.0);
        upper - libm::exp(epsilon) * upper_tail(epsilon / mean + mean / 2.0)
    }

    #[test]
    fn without_sampling_it_is_never_below_the_exact_value_and_close_to_it() {
        for (noise, steps) in [(0.3, 1), (1.0, 1), (5.0, 1), (4.0, 100), (50.0, 10_000), (1e4, 10), (20.0, 7)]
        {
            // Several Gaussians are one with the root of the sum of the squares.
            let mean = libm::sqrt(steps as f64) / noise;
            let loss = PrivacyLoss::sampled_gaussian(1.0, noise, steps).unwrap();
            for delta in [1e-2, 1e-5, 1e-9] {
                let epsilon = loss.epsilon(delta).unwrap().epsilon;
                assert!(exact_delta(mean, epsilon) <= delta, "{noise} {steps} {delta}: {epsilon}");
                if epsilon > 0.0 {
                    let less = exact_delta(mean, epsilon * 0.999);
                    assert!(less > delta, "{noise} {steps} {delta}: {epsilon} {less}");
                }
            }
        }
    }

    #[test]
    fn it_is_never_above_what_renyi_divergences_give() {
        for (rate, noise, steps) in [(1e-5, 0.5, 1000), (0.001, 1.0, 100_000), (0.3, 8.0, 300), (0.9, 2.0, 3)]
        {
            let loss = PrivacyLoss::sampled_gaussian(rate, noise, steps).unwrap();
            let curve = RenyiCurve::sampled_gaussian(rate, noise).unwrap().times(steps).unwrap();
            for delta in [1e-3, 1e-5, 1e-8] {
                let tight = loss.epsilon(delta).unwrap().epsilon;
                let loose = curve.epsilon(delta).unwrap().guarantee.epsilon;
                assert!(tight <= loose, "{rate} {noise} {steps} {delta}: {tight} {loose}");
            }
        }
    }

    #[test]
    fn all_probability_is_on_the_grid_or_unbounded() {
        for (rate, noise) in [(1.0, 0.2), (0.5, 1.0), (1e-4, 0.7), (0.999, 100.0)] {
            let mechanism = Mechanism { rate, noise };
            for direction in [Direction::With, Direction::Without] {
                let masses = mechanism.masses(mechanism.interval(), direction);
                let total: f64 = masses.masses.iter().sum::<f64>() + masses.unbounded;
                assert!((total - 1.0).abs() < 1e-9, "{rate} {noise}: {total}");
            }
        }
    }

    #[test]
    fn a_delta_below_what_rounding_leaves_is_refused() {
        let loss = PrivacyLoss::sampled_gaussian(0.001, 2.0, 1_000_000).unwrap();
        assert_eq!(loss.epsilon(1e-10).unwrap_err().code(), "privacy.precision");
    }
}
