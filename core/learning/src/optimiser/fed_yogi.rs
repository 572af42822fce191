//! Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan, "Adaptive federated optimization", ICLR 2021: FedYogi.
//!
//! Algorithm 2, as [`super::fed_adam`] but for v, which comes nearer to the squared update by a share of that and not
//! of the distance: v - (1 - beta2) d^2 sign(v - d^2). Rare large updates are forgotten more slowly.

use super::fed_adam::{Adaptive, Moments, advance};

/// The server side.
pub fn next(terms: &Adaptive, moments: &mut Moments, model: &mut [f64], mean: &[f64]) {
    let share = 1.0 - terms.beta2;
    advance(terms, moments, model, mean, |second, square| {
        // Where they are equal nothing is left to come nearer to.
        let sign = match second.partial_cmp(&square) {
            Some(std::cmp::Ordering::Greater) => 1.0,
            Some(std::cmp::Ordering::Less) => -1.0,
            _ => 0.0,
        };
        second - share * square * sign
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rounds_are_those_of_a_computation_by_hand() {
        let terms = Adaptive { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
        let mut moments = Moments::new(&terms, 1);
        let mut model = [0.0];
        next(&terms, &mut moments, &mut model, &[0.1]);
        // m = 0.01; v = 1e-6 + 0.01 * 0.01 = 1.01e-4; step = 0.1 * 0.01 / (0.0100498756 + 0.001)
        assert!((moments.second[0] - 1.01e-4).abs() < 1e-15);
        assert!((model[0] - 0.090_498_756_2).abs() < 1e-8, "{model:?}");
        next(&terms, &mut moments, &mut model, &[0.001]);
        // v = 1.01e-4 - 0.01 * 1e-6 = 1.0099e-4; m = 0.0091
        assert!((moments.second[0] - 1.0099e-4).abs() < 1e-15);
        // step = 0.1 * 0.0091 / (0.0100493781 + 0.001)
        assert!((model[0] - (0.090_498_756_2 + 0.082_357_576_4)).abs() < 1e-8, "{model:?}");
    }
}
