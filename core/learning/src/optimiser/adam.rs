//! Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
//!
//! Algorithm 1, with its defaults: beta1 = 0.9, beta2 = 0.999, epsilon = 10^-8.

/// Running means of gradients and of their squares.
#[derive(Clone, Debug)]
pub(crate) struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    /// beta1^t and beta2^t after t steps.
    decayed: (f64, f64),
}

impl Adam {
    /// Before the first step, of a model of so many parameters.
    pub(crate) fn new(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters], decayed: (1.0, 1.0) }
    }

    /// Moves `model` by one step.
    pub(crate) fn step(&mut self, model: &mut [f64], gradient: &[f64], learning_rate: f64) {
        self.decayed = (self.decayed.0 * BETA1, self.decayed.1 * BETA2);
        let (unbias1, unbias2) = (1.0 / (1.0 - self.decayed.0), 1.0 / (1.0 - self.decayed.1));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, slope), (first, second)) in model.iter_mut().zip(gradient).zip(moments) {
            *first = BETA1 * *first + (1.0 - BETA1) * slope;
            *second = BETA2 * *second + (1.0 - BETA2) * (slope * slope);
            *value -= learning_rate * (*first * unbias1) / ((*second * unbias2).sqrt() + EPSILON);
        }
    }
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_the_learning_rate_and_the_second_that_of_a_computation_by_hand() {
        let mut adam = Adam::new(2);
        let mut model = [0.0, 0.0];
        adam.step(&mut model, &[0.5, -2.0], 1e-3);
        // Both moments without their bias are the gradient and its square.
        assert!((model[0] + 1e-3).abs() < 1e-10 && (model[1] - 1e-3).abs() < 1e-10, "{model:?}");
        adam.step(&mut model, &[0.1, -2.0], 1e-3);
        // m = 0.9 * 0.05 + 0.1 * 0.1 = 0.055, / 0.19 = 0.2894736842
        // v = 0.999 * 0.00025 + 0.001 * 0.01 = 0.00025975, / 0.001999 = 0.1299399700, root 0.3604718713
        assert!((model[0] + 1e-3 + 1e-3 * 0.803_041_0).abs() < 1e-9, "{model:?}");
        assert!((model[1] - 2e-3).abs() < 1e-10, "{model:?}");
    }
}
