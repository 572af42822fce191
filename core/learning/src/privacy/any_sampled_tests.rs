use super::*;
use crate::privacy::plan::tests::{REFERENCE, TWO_MORE};
use crate::privacy::sampled;
use crate::privacy::sum::DiscreteGaussianSum;

fn of_gaussian(rate: f64, noise: f64) -> RenyiCurve {
    curve(rate, |order| order / (2.0 * noise * noise)).unwrap()
}

#[test]
fn with_the_curve_of_a_gaussian_it_is_that_of_a_sampled_gaussian_at_whole_orders() {
    for (rate, noise) in [(0.001, 0.6), (0.01, 1.0), (0.1, 4.0), (0.5, 2.0), (0.99, 10.0)] {
        let found = of_gaussian(rate, noise);
        for (order, bound) in found.bounds() {
            let known = sampled::divergence(rate, noise, order);
            let unsampled = order / (2.0 * noise * noise);
            if order.fract() == 0.0 {
                assert!(
                    (bound / known.min(unsampled) - 1.0).abs() < 1e-9,
                    "{rate} {noise} {order}: {bound} {known}"
                );
            } else {
                assert!(bound >= known * (1.0 - 1e-9), "{rate} {noise} {order}: {bound} {known}");
                let next = sampled::divergence(rate, noise, libm::ceil(order));
                assert!(bound <= next * (1.0 + 1e-9), "{rate} {noise} {order}: {bound} {next}");
            }
        }
    }
}

#[test]
fn it_is_a_little_above_what_another_accountant_says_of_gaussian_noise_and_never_below() {
    for row in REFERENCE.iter().chain(&TWO_MORE) {
        let epsilon = of_gaussian(row.rate, row.noise).times(row.steps).unwrap().epsilon(row.delta).unwrap();
        let epsilon = epsilon.guarantee.epsilon;
        // The reference has four digits.
        assert!(epsilon >= row.rdp - 1e-4 && epsilon <= row.rdp * 1.12, "{row:?}: {epsilon}");
        assert!(epsilon >= row.pld, "{row:?}: {epsilon}");
    }
}

#[test]
fn it_does_not_fall_with_the_rate_and_ends_at_the_curve_without_a_sample() {
    for noise in [0.5, 1.0, 5.0, 50.0] {
        let rates = [1e-4, 0.001, 0.01, 0.05, 0.1, 0.3, 0.7, 0.99, 0.999_999, 1.0];
        let curves = rates.map(|rate| of_gaussian(rate, noise));
        for pair in curves.windows(2) {
            for ((order, low), (_, high)) in pair[0].bounds().zip(pair[1].bounds()) {
                assert!(low <= high * (1.0 + 1e-9), "{noise} {order}: {low} {high}");
            }
        }
        assert_eq!(curves[9], RenyiCurve::gaussian(noise).unwrap());
    }
}

#[test]
fn more_noise_and_fewer_steps_cost_less() {
    let spent = |noise, steps| {
        of_gaussian(0.05, noise).times(steps).unwrap().epsilon(1e-5).unwrap().guarantee.epsilon
    };
    assert!(spent(2.0, 1000) < spent(1.0, 1000) && spent(1.0, 500) < spent(1.0, 1000));
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for rate in [0.0, -0.1, 1.1, f64::NAN] {
        assert_eq!(curve(rate, |order| order).unwrap_err().code(), "privacy.rate");
    }
}

/// Probabilities of a sum of discrete Gaussians on whole numbers, from `-REACH` to `REACH`.
fn summed(variance: f64, contributors: u32) -> Vec<f64> {
    let one: Vec<f64> = (-REACH..=REACH).map(|x| libm::exp(-((x * x) as f64) / (2.0 * variance))).collect();
    let total: f64 = one.iter().sum();
    let one: Vec<f64> = one.iter().map(|value| value / total).collect();
    let mut sum = one.clone();
    for _ in 1..contributors {
        let mut next = vec![0.0; sum.len()];
        for (i, a) in sum.iter().enumerate() {
            for (j, b) in one.iter().enumerate() {
                let at = i as i64 + j as i64 - REACH;
                if (0..next.len() as i64).contains(&at) {
                    next[at as usize] += a * b;
                }
            }
        }
        sum = next;
    }
    sum
}

/// Divergence of `order` of `a` from `b`, where both are.
fn divergence(a: &[f64], b: &[f64], order: f64) -> f64 {
    let moment: f64 = a
        .iter()
        .zip(b)
        .filter(|(a, b)| **a > 1e-250 && **b > 1e-250)
        .map(|(a, b)| libm::exp(order * libm::log(*a) + (1.0 - order) * libm::log(*b)))
        .sum();
    libm::log(moment) / (order - 1.0)
}

#[test]
fn real_sums_of_discrete_gaussians_stay_below_it_in_both_directions() {
    let whole = (REACH * 2 + 1) as usize;
    for (variance, contributors, shift) in [(1.0, 1, 1), (1.0, 3, 2), (4.0, 2, 3), (9.0, 1, 5)] {
        let noise = summed(variance, contributors);
        // Moved by what the unit adds; the ends, where one of them is cut off, are next to nothing.
        let moved: Vec<f64> =
            (0..whole).map(|at| if at >= shift { noise[at - shift] } else { 0.0 }).collect();
        let l2 = shift as f64;
        let mechanism = DiscreteGaussianSum { variance, contributors, l2, l1: l2, dimension: 1 };
        for rate in [0.01, 0.1, 0.5, 0.9] {
            let mixed: Vec<f64> =
                noise.iter().zip(&moved).map(|(p, q)| (1.0 - rate) * p + rate * q).collect();
            let bounds = mechanism.curve_on_samples(rate).unwrap();
            for (order, bound) in bounds.bounds().filter(|(order, _)| *order <= 12.0) {
                let (there, back) = (divergence(&mixed, &noise, order), divergence(&noise, &mixed, order));
                let told =
                    format!("{variance} {contributors} {shift} {rate} {order}: {there} {back} {bound}");
                assert!(back <= there + 1e-9, "{told}");
                assert!(there <= bound * (1.0 + 1e-9) + 1e-12, "{told}");
                // And it says something: of one contributor, whose noise is a discrete Gaussian, it is nearly met.
                let is_whole = order.fract() == 0.0;
                assert!(contributors > 1 || !is_whole || bound <= there * 1.01 + 1e-9, "{told}");
            }
        }
    }
}

#[test]
fn of_two_points_the_mixture_is_never_nearer_than_it_seems_from_the_other_side() {
    let moment = |m: f64, p: f64, order: f64| {
        libm::pow(m, order) * libm::pow(p, 1.0 - order)
            + libm::pow(1.0 - m, order) * libm::pow(1.0 - p, 1.0 - order)
    };
    for p in [1e-6, 0.01, 0.2, 0.4, 0.499] {
        for step in 0..=40 {
            let m = p + (1.0 - 2.0 * p) * f64::from(step) / 40.0;
            for order in [1.01, 1.5, 2.0, 3.3, 8.0] {
                let (there, back) = (moment(m, p, order), moment(p, m, order));
                assert!(there >= back * (1.0 - 1e-9), "{m} {p} {order}: {there} {back}");
            }
        }
    }
}

const REACH: i64 = 120;
