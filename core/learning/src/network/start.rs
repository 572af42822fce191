//! Where training begins, from a seed: He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015.
//!
//! Weights are normal with variance 2 over the layer's inputs, biases zero but for that of the output, which gives the
//! base rate. Everybody derives the same from the same seed.

use std::convert::Infallible;

use rand_core::{Rng, TryRng};

use super::entry::Entry;
use super::{Network, layers};

/// Numbers that look random, the same from the same seed: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). For what is
/// public; never for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    /// Uniform in (0, 1].
    fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller, Annals of Mathematical Statistics 29, 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
        Ok(())
    }
}

/// The first network whose inputs come in by `entry`. Without a hidden layer its weights are zero: every row has the base rate.
/// Vectors of levels are zero: the weights behind them are not, so that they learn, and those of levels that no row has stay so.
pub(crate) fn start(entry: &Entry, hidden: &[u32], seed: u32, base_rate: f64) -> Network {
    let layers = layers(entry, hidden);
    let count = layers.last().map_or(0, |output| output.biases().end);
    let mut parameters = vec![0.0; count];
    if !hidden.is_empty() {
        let mut seeded = Seeded::new(seed);
        for layer in &layers {
            let sd = (2.0 / layer.inputs as f64).sqrt();
            parameters[layer.weights()].iter_mut().for_each(|weight| *weight = sd * seeded.normal());
        }
    }
    if let Some(bias) = parameters.last_mut() {
        *bias = libm::log(base_rate / (1.0 - base_rate));
    }
    let embedding = (entry.dimension() > 0).then_some(entry.dimension() as u32);
    Network { hidden: hidden.to_vec(), embedding, packed: false, parameters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_have_the_variance_of_their_layer_and_depend_on_the_seed_alone() {
        let network = start(&Entry::plain(50), &[200, 100], 3, 0.2);
        let variance = |weights: &[f64]| weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64;
        let of = layers(&Entry::plain(50), &[200, 100]);
        assert!((variance(&network.parameters[of[0].weights()]) - 0.04).abs() < 2e-3);
        assert!((variance(&network.parameters[of[1].weights()]) - 0.01).abs() < 5e-4);
        assert!(network.parameters[of[0].biases()].iter().all(|&bias| bias == 0.0));
        assert!((network.parameters.last().unwrap() + libm::log(4.0)).abs() < 1e-15);
        assert_eq!(start(&Entry::plain(50), &[200, 100], 3, 0.2), network);
        assert_ne!(start(&Entry::plain(50), &[200, 100], 4, 0.2), network);
        assert_eq!(network.embedding, None);
    }

    #[test]
    fn vectors_of_levels_begin_at_zero_and_the_weights_behind_them_do_not() {
        let contract = crate::fixture::contract();
        let network = start(&Entry::of(&contract, Some(2)), &[3], 3, 0.2);
        assert!(network.fits(&contract) && network.embedding == Some(2));
        assert_eq!(network.parameters[..6], [0.0; 6]);
        assert!(network.parameters[6..18].iter().all(|&weight| weight != 0.0));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first three numbers of the reference implementation with seed 1234567.
        let mut seeded = Seeded::new(1_234_567);
        let numbers = [0; 3].map(|_| seeded.next_u64());
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
