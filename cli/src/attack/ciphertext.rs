//! What an institution sends: its answer, encrypted under a key that it makes for this one answer.
//!
//! Here keys come from the seed, so that an attack can be repeated; they protect nobody. Those of participants never do.

use rand_chacha::ChaCha20Rng;
use syndic_learning::Job;
use syndic_round::vector::CANARIES;
use syndic_round::{Coding, Contribution, Digest, Layout};
use syndic_secure_aggregation::{Masks, OneTimeKey};

/// Encrypts answers to a question.
pub(super) struct Sender {
    layout: Layout,
    coding: Coding,
    rng: ChaCha20Rng,
    sent: u64,
}

impl Sender {
    /// Of answers of this layout, among so many institutions.
    pub(super) fn new(job: &Job, layout: Layout, institutions: usize, rng: ChaCha20Rng) -> Self {
        let coding = Coding::new(job.protection.parameter_set, institutions as u16);
        Self { layout, coding, rng, sent: 0 }
    }

    /// Encrypts an answer, and reads the ciphertext as if it were none: entry by entry of the layout. Coefficients are in their places,
    /// so that whatever the mask left of them would show.
    pub(super) fn send(&mut self, answer: Contribution) -> Vec<f64> {
        self.sent += 1;
        let masks = Masks::new(&Digest::of(&self.sent.to_le_bytes()));
        let update = answer.clip().quantise(&self.coding, &mut self.rng);
        let encrypted = OneTimeKey::generate(&mut self.rng).encrypt(update, &masks, &mut self.rng);
        let bytes = self.coding.parameter_set().bytes_per_coefficient();
        let coefficients: Vec<i64> = encrypted.bytes().chunks_exact(bytes).map(signed).collect();
        let mut rest = &coefficients[CANARIES.len()..];
        let mut values = Vec::with_capacity(self.layout.len());
        for block in self.layout.blocks() {
            for _ in 0..block.len {
                let (limbs, others) = rest.split_at(self.coding.limbs(block));
                // The last limb is the highest, and has the sign.
                values.push(limbs.last().map_or(0.0, |&limb| limb as f64 * block.resolution));
                rest = others;
            }
        }
        values
    }
}

/// The top bits of a coefficient, of whatever width, with their sign.
fn signed(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word[8 - bytes.len()..].copy_from_slice(bytes);
    i64::from_le_bytes(word) >> (64 - 8 * bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng as _;
    use syndic_round::Block;

    #[test]
    fn what_is_sent_says_nothing_of_what_was_answered() {
        let job = Job::from_toml(crate::sandbox::fixture::JOB).unwrap();
        let block = Block { name: "values".into(), len: 3000, bound: 4096.0, resolution: 1.0 };
        let layout = Layout::new(vec![block]).unwrap();
        let mut sender = Sender::new(&job, layout.clone(), 5, ChaCha20Rng::seed_from_u64(1));
        let values: Vec<f64> = (0..3000).map(|place| f64::from(place % 2) * 8192.0 - 4096.0).collect();
        let sent = sender.send(Contribution::new(layout.clone(), values.clone()).unwrap());
        let again = sender.send(Contribution::new(layout, values.clone()).unwrap());
        assert_ne!(sent, again, "each answer has a key of its own");
        let norm = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let product: f64 = sent.iter().zip(&values).map(|(sent, value)| sent * value).sum();
        // Five deviations of the correlation of independent numbers.
        let correlation = product / norm(&sent) / norm(&values);
        assert!(correlation.abs() < 5.0 / 3000_f64.sqrt(), "{correlation}");
    }
}
