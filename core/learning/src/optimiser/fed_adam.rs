//! Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan, "Adaptive federated optimization", ICLR 2021: FedAdam.
//!
//! Algorithm 2: the mean update of a round is taken for a gradient, of which the server keeps a running mean m and a
//! running mean of squares v; each parameter moves by eta m / (sqrt(v) + tau). As there, without correction of the
//! bias, and v begins at tau^2.

use serde::{Deserialize, Serialize};

/// The server's terms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptive {
    /// eta.
    pub learning_rate: f64,
    /// Share of m that stays in a round.
    pub beta1: f64,
    /// Share of v that stays in a round.
    pub beta2: f64,
    /// tau, how large an update must be to count: smaller ones are not blown up.
    pub tau: f64,
}

/// What the server remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// m.
    pub first: Vec<f64>,
    /// v.
    pub second: Vec<f64>,
}

impl Default for Adaptive {
    /// The decays and the tau of the paper's experiments. The learning rate was chosen on validation rows of
    /// tables of the quality page.
    fn default() -> Self {
        Self { learning_rate: 0.03, beta1: 0.9, beta2: 0.99, tau: 1e-3 }
    }
}

impl Moments {
    /// Before the first round, of a model of so many parameters.
    pub fn new(terms: &Adaptive, parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![terms.tau * terms.tau; parameters] }
    }
}

/// The server side.
pub fn next(terms: &Adaptive, moments: &mut Moments, model: &mut [f64], mean: &[f64]) {
    let beta2 = terms.beta2;
    advance(terms, moments, model, mean, |second, square| beta2 * second + (1.0 - beta2) * square);
}

/// The server side, with v as `second` makes it of the former one and the squared update.
pub(super) fn advance(
    terms: &Adaptive,
    moments: &mut Moments,
    model: &mut [f64],
    mean: &[f64],
    second: impl Fn(f64, f64) -> f64,
) {
    let both = moments.first.iter_mut().zip(&mut moments.second);
    for ((value, change), (m, v)) in model.iter_mut().zip(mean).zip(both) {
        *m = terms.beta1 * *m + (1.0 - terms.beta1) * change;
        *v = second(*v, change * change);
        *value += terms.learning_rate * *m / (v.sqrt() + terms.tau);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rounds_are_those_of_a_computation_by_hand() {
        let terms = Adaptive { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
        let mut moments = Moments::new(&terms, 2);
        let mut model = [1.0, -1.0];
        next(&terms, &mut moments, &mut model, &[0.1, -0.02]);
        // m = [0.01, -0.002]; v = 0.99e-6 + 0.01 [0.01, 0.0004] = [1.0099e-4, 4.99e-6]
        // step = 0.1 m / (sqrt v + 0.001) = 0.1 [0.01 / 0.0110493781, -0.002 / 0.0032338307]
        let expected = [1.090_502_831_2, -1.061_846_154_9];
        assert!(model.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{model:?}");
        next(&terms, &mut moments, &mut model, &[0.0, 0.02]);
        // m = [0.009, 0.0002]; v = [9.99801e-5, 8.9401e-6]
        // step = 0.1 [0.009 / 0.0109990050, 0.0002 / 0.0039899833]
        let expected = [1.090_502_831_2 + 0.081_825_583_7, -1.061_846_154_9 + 0.005_012_531_3];
        assert!(model.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-8), "{model:?}");
    }
}
