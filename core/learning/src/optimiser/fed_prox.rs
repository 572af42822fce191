//! Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith, "Federated optimization in heterogeneous networks", MLSys 2020.
//!
//! Algorithm 2: an institution minimises its own loss plus mu/2 |w - w0|^2, with w0 the common model of the round, so
//! that no local model goes far from it. The server side is that of [`super::fed_avg`], as is the whole with mu = 0.

/// The client side: adds the gradient of mu/2 |`model` - `common`|^2.
pub fn draw(proximal: f64, model: &[f64], common: &[f64], gradient: &mut [f64]) {
    let places = gradient.iter_mut().zip(model.iter().zip(common));
    places.for_each(|(slope, (value, common))| *slope += proximal * (value - common));
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_local_model_is_drawn_to_the_common_one() {
        let mut gradient = [0.5, 0.0];
        super::draw(0.1, &[3.0, -1.0], &[1.0, 1.0], &mut gradient);
        // 0.5 + 0.1 (3 - 1), 0 + 0.1 (-1 - 1)
        assert!(gradient.iter().zip([0.7, -0.2]).all(|(found, asked)| (found - asked).abs() < 1e-15));
    }
}
