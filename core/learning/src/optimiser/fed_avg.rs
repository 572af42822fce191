//! McMahan, Moore, Ramage, Hampson, Agüera y Arcas, "Communication-efficient learning of deep networks from decentralized data", AISTATS 2017.
//!
//! Algorithm 1: each institution descends on its own rows from the common model, which then moves by the mean of the
//! changes, weighted by rows.

/// The server side: the common model moves by the mean update.
pub fn next(model: &mut [f64], mean: &[f64]) {
    model.iter_mut().zip(mean).for_each(|(value, change)| *value += change);
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_model_moves_by_the_mean_update() {
        let mut model = [1.0, -2.0];
        super::next(&mut model, &[0.25, 0.5]);
        assert_eq!(model, [1.25, -1.5]);
    }
}
