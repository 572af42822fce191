//! Why errors are Gaussian (rule 1): where a sum of bounded errors reaches its extreme, it gives each of them away.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use syndic_round::{Digest, ParameterSet, RING_DIMENSION};
use syndic_secure_aggregation::{Masks, reconstruct};

use crate::algebra::{SCALE, discrete_gaussian, key_of, mask, noise, product, strip};
use crate::federation::Federation;

/// A linear equation on the key of one participant: row s = value, modulo 2^7, in which every coefficient of a key fits.
struct Equation {
    row: Vec<u16>,
    value: u16,
}

const MODULUS: u16 = 1 << 7;

/// What coefficient `k` of a chunk says of the key if its error is `error`. The message is gone: it is a multiple of Delta,
/// hence of 2^7.
fn equation(mask: &[u64], k: usize, body: u64, error: i64) -> Equation {
    let term = |j: usize| if j <= k { mask[k - j] } else { mask[RING_DIMENSION + k - j].wrapping_neg() };
    let row = (0..RING_DIMENSION).map(|j| term(j) as u16 % MODULUS).collect();
    Equation { row, value: body.wrapping_sub(error as u64) as u16 % MODULUS }
}

/// Solves by elimination; none where the equations leave the key open. More equations than unknowns need not agree.
fn solve(mut equations: Vec<Equation>) -> Option<Vec<i64>> {
    for column in 0..RING_DIMENSION {
        let pivot = (column..equations.len()).find(|&k| equations[k].row[column] % 2 == 1)?;
        equations.swap(column, pivot);
        let (done, rest) = equations.split_at_mut(column + 1);
        let pivot = &mut done[column];
        // An odd number's inverse, by Newton's iteration.
        let odd = pivot.row[column];
        let inverse = (0..4).fold(1_u16, |x, _| x.wrapping_mul(2_u16.wrapping_sub(odd.wrapping_mul(x))));
        pivot.row.iter_mut().for_each(|x| *x = x.wrapping_mul(inverse));
        pivot.value = pivot.value.wrapping_mul(inverse);
        rest.par_iter_mut().for_each(|equation| {
            let factor = equation.row[column];
            let rows = equation.row[column..].iter_mut().zip(&pivot.row[column..]);
            rows.for_each(|(x, p)| *x = x.wrapping_sub(factor.wrapping_mul(*p)));
            equation.value = equation.value.wrapping_sub(factor.wrapping_mul(pivot.value));
        });
    }
    let mut key = vec![0_u16; RING_DIMENSION];
    for column in (0..RING_DIMENSION).rev() {
        let Equation { row, value } = &equations[column];
        let later = (column + 1..RING_DIMENSION).map(|j| row[j].wrapping_mul(key[j]));
        key[column] = later.fold(*value, u16::wrapping_sub) % MODULUS;
    }
    let signed = |s: u16| i64::from(s) - if s < MODULUS / 2 { 0 } else { i64::from(MODULUS) };
    Some(key.into_iter().map(signed).collect())
}

/// Rule 1, errors. Uniform errors of -8..=8, bodies sent whole, and two honest survivors: opening S shows the sum of their two errors, and where
/// that is 16 both are 8, which happens once in 289 coefficients. Each such coefficient is an exact linear equation on each
/// of the two keys, in which the message plays no part, and 2,048 of them are a key. A wider range needs more coefficients,
/// or leaves equations with an error much smaller than was meant; neither can be repaired by the width, only by the shape.
#[test]
fn bounded_errors_give_whole_keys_away() {
    const BOUND: i64 = 8;
    const CHUNKS: usize = 176;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let masks = Masks::new(&Digest::of(b"a transcript"));
    let keys: [Vec<i64>; 2] =
        [(); 2].map(|()| (0..RING_DIMENSION).map(|_| discrete_gaussian(6.4, &mut rng)).collect());
    let key_sum: Vec<i64> = keys[0].iter().zip(&keys[1]).map(|(a, b)| a + b).collect();
    let seeds: Vec<u64> = (0..CHUNKS).map(|_| rng.next_u64()).collect();
    let equations = seeds.into_par_iter().enumerate().flat_map_iter(|(index, seed)| {
        // Two participants encrypt; nothing below this block knows more than the coordinator.
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mask = mask(&masks, index);
        let bodies = keys.each_ref().map(|key| {
            let error = |rng: &mut ChaCha20Rng| (rng.next_u64() % (2 * BOUND as u64 + 1)) as i64 - BOUND;
            let mut encrypt = |product: u64| {
                let message = rng.next_u64() << SCALE;
                product.wrapping_add(message).wrapping_add(error(&mut rng) as u64)
            };
            product(&mask, key).into_iter().map(&mut encrypt).collect::<Vec<u64>>()
        });

        let sum = bodies[0].iter().zip(&bodies[1]).map(|(a, b)| a.wrapping_add(*b));
        let opened: Vec<u64> =
            sum.zip(product(&mask, &key_sum)).map(|(b, product)| b.wrapping_sub(product)).collect();
        let extreme = |(k, error): (usize, i64)| (error.abs() == 2 * BOUND).then_some((k, error / 2));
        let found: Vec<_> = noise(&opened).into_iter().enumerate().filter_map(extreme).collect();
        found.into_iter().map(move |(k, error)| equation(&mask, k, bodies[0][k], error)).collect::<Vec<_>>()
    });
    let equations: Vec<Equation> = equations.collect();
    assert!((2_100..2_900).contains(&equations.len()), "{} equations", equations.len());
    assert!(solve(equations) == Some(keys[0].clone()), "the first participant's key, every coefficient");
}

/// Rule 1, errors. The same attack on three updates as this crate encrypts them: it takes the coefficients at which the noise
/// of the opened sum is most extreme, and takes each participant's part for a third of it. Gaussian errors have no extreme,
/// and given their sum each keeps sqrt(2/3) of its width, as much there as anywhere: no equation holds but by chance, and
/// what the equations give is no key. (What travels is rounded besides, which blurs every shape; that the shape is Gaussian is
/// held by the tests in src/noise.rs, which this one could not replace.)
#[test]
fn errors_in_use_give_nothing_away_where_their_sum_is_extreme() {
    const EQUATIONS: usize = 2_200;
    let mut federation = Federation::new(ParameterSet::S32, 3, 40_000, 2);
    let ids = federation.ids();
    let zeros = ids.iter().map(|&id| (id, vec![0; 40_000])).collect();
    let updates = federation.encrypt(&zeros);
    let survivors = federation.survivors(&updates, &ids);
    let mut aggregate = federation.empty_aggregate();
    ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
    let reveals = federation.reveal(&federation.certify(&survivors), &ids);
    let key_sum = reconstruct(&reveals, 3, 3, &survivors).unwrap().keys;
    let key_sum = key_sum.coefficients().map(i64::from);

    let opened = noise(&strip(aggregate.bytes(), &key_sum, &federation.masks));
    let mut most_extreme: Vec<usize> = (0..opened.len()).collect();
    most_extreme.sort_unstable_by_key(|&k| std::cmp::Reverse(opened[k].unsigned_abs()));
    most_extreme.truncate(EQUATIONS);
    let words = updates[&ids[0]].bytes().as_chunks().0;
    let equations = most_extreme.iter().map(|&k| {
        let (index, place) = (k / RING_DIMENSION, k % RING_DIMENSION);
        let body = u64::from(u32::from_le_bytes(words[k])) << 32;
        equation(&mask(&federation.masks, index), place, body, opened[k] / 3)
    });
    let found = solve(equations.collect()).expect("there are equations enough");

    let key = key_of(&federation, ids[0]);
    let right = found.iter().zip(&key).filter(|(found, s)| found == s).count();
    // By chance one in 128 is: 16, with a standard deviation of 4.
    assert!(right < 16 + 6 * 4, "{right} of {RING_DIMENSION} coefficients");
    let true_noise = noise(&strip(updates[&ids[0]].bytes(), &key, &federation.masks));
    let missed: Vec<i64> = most_extreme.iter().map(|&k| true_noise[k] - opened[k] / 3).collect();
    assert!(missed.iter().filter(|missed| **missed % i64::from(MODULUS) == 0).count() < 17 + 6 * 4);
    let unit = (1_u64 << 32) as f64;
    let mean_square = missed.iter().map(|&x| (x as f64 / unit).powi(2)).sum::<f64>() / EQUATIONS as f64;
    assert!(mean_square > 2.0 / 3.0 / 16.0, "no less than the Gaussian's part: {mean_square}");
}
