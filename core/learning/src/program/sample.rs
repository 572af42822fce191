//! Which rows are in the sum of a round, where not all are: Poisson sampling.
//!
//! Each row is drawn by itself, anew in every round, by the randomness that draws the noise: that of the institution's own system,
//! once for each answer. Which rows are in, and how many, leaves the institution nowhere but in the noisy sum; the account counts
//! on nobody else knowing (`privacy::any_sampled`).

use rand_core::Rng;

/// Those of `rows` that are drawn with probability `sample`, in their order; all of them, without a draw, where there is none.
pub(crate) fn drawn(mut rows: Vec<usize>, sample: Option<f64>, rng: &mut impl Rng) -> Vec<usize> {
    if let Some(sample) = sample {
        // A power of two is an exact factor, and what is cut off makes the probability smaller, by less than 2^-64.
        let below = (sample * TWO_TO_64) as u64;
        rows.retain(|_| rng.next_u64() < below);
    }
    rows
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::rng;

    #[test]
    fn as_many_are_drawn_as_is_said_and_in_their_order() {
        for sample in [0.01, 0.1, 0.5, 0.9] {
            let (mut rng, mut drawn_in_all, rows, rounds) = (rng(7), 0, 500_u32, 400_u32);
            for _ in 0..rounds {
                let drawn = drawn((0..rows as usize).collect(), Some(sample), &mut rng);
                assert!(drawn.is_sorted_by(|a, b| a < b));
                drawn_in_all += drawn.len();
            }
            let draws = f64::from(rows * rounds);
            // Outside of six deviations once in a thousand million.
            let most = 6.0 * libm::sqrt(draws * sample * (1.0 - sample));
            assert!((drawn_in_all as f64 - draws * sample).abs() < most, "{sample}: {drawn_in_all}");
        }
    }

    #[test]
    fn rows_and_rounds_are_drawn_independently() {
        // Two rows, in four rounds each: 256 outcomes are equally likely at a half, if nothing hangs together.
        let (mut rng, mut seen) = (rng(3), vec![0_u32; 256]);
        for _ in 0..51_200 {
            let mut outcome = 0;
            for _ in 0..4 {
                let drawn = drawn(vec![0, 1], Some(0.5), &mut rng);
                outcome = outcome << 2 | drawn.iter().map(|row| 1 << row).sum::<usize>();
            }
            seen[outcome] += 1;
        }
        let statistic: f64 = seen.iter().map(|count| (f64::from(*count) - 200.0).powi(2) / 200.0).sum();
        // Of 255 degrees of freedom: mean 255, deviation 22.6.
        assert!((130.0..400.0).contains(&statistic), "{statistic}");
    }

    #[test]
    fn without_a_sample_all_rows_are_in_and_nothing_is_drawn() {
        let (mut touched, mut fresh) = (rng(1), rng(1));
        assert_eq!(drawn(vec![3, 5], None, &mut touched), [3, 5]);
        assert_eq!(touched.next_u64(), fresh.next_u64());
    }
}
