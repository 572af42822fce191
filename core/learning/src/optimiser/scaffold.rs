//! Karimireddy, Kale, Mohri, Reddi, Stich, Suresh, "SCAFFOLD: stochastic controlled averaging for federated learning", ICML 2020.
//!
//! Algorithm 1. A local step goes against g - c_k + c: the institution's own gradient, less its control variate, plus the
//! common one, so that local models of unlike institutions drift to one place. The server side is that of
//! [`super::fed_avg`] with a step of one, and c is the mean of the variates.
//!
//! Of the paper's two variates this is **option I**, c_k = the gradient of the institution's own loss at the common model.
//! Option II, the mean of the gradients met on the way, costs nothing to compute, but has to be kept from one round to the
//! next; it is made of the institution's rows, so that it would have to be kept secret, and to outlive restarts and
//! restored disks with the round that it belongs to. Whoever lost it begins again at zero, and its steps are wrong by
//! c until its next round. Option I is made anew from the rows and the common model of the round before, which
//! the question brings along: a participant keeps nothing, the variate never leaves it but in the sum, and one that was
//! away is up to date. It costs two more passes over the rows in a round (at the former common model and at this one), a
//! second block in the sum, and questions three times as long.
//!
//! One difference from Algorithm 1: c is the mean over those who answered the round before, weighted by rows, and not a
//! running mean over all that ever answered; the former answers are in no sum that is still open, and of older models.
//! In the first round there is no variate yet, and it is that of [`super::fed_avg`].
//!
//! The correction is of the gradient, whatever a step does with it; with Adam's steps, which the paper does not have, it did
//! best of all on the tables of the quality page.

/// The client side: what is added to each gradient of the round, c - c_k.
pub fn correction(common: &[f64], own: &[f64]) -> Vec<f64> {
    common.iter().zip(own).map(|(common, own)| common - own).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_correction_is_what_the_others_have_and_it_has_not() {
        assert_eq!(super::correction(&[1.0, 0.5], &[0.25, 0.5]), [0.75, 0.0]);
    }
}
