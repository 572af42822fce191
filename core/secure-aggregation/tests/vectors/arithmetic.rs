//! Masks, products, and the field in which keys are shared.

use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use syndic_round::{Digest, RING_DIMENSION};

use super::value::{Code, bytes, digest, hex_of_words, number, words};
use crate::correction::{evaluate, wrong_positions};
use crate::field;
use crate::key::OneTimeKey;
use crate::masks::Masks;
use crate::packing::Packing;
use crate::product::{KeyMultiplier, KeySumMultiplier, Workspace};

pub(super) fn mask(input: &Value) -> Value {
    let (mask, seed) = (mask_of(input), seed(&digest(input, "h1")));
    let mut from_seed = [0; RING_DIMENSION];
    Masks::from_seed(seed).fill(number(input, "index"), &mut from_seed);
    assert_eq!(mask, from_seed, "the seed follows from H1");
    json!({
        "seed": hex::encode(seed.to_le_bytes()),
        "first": hex_of_words(mask[..4].iter().copied()),
        "sha256": sha256_of_words(&mask),
    })
}

/// The seed of the masks as tfhe writes it, from the README of the vectors and not from the shipped code.
pub(super) fn seed(h1: &Digest) -> u128 {
    let mut seed = [0; 16];
    Hkdf::<Sha256>::new(None, h1.as_bytes()).expand(b"KSA/1 masks", &mut seed).unwrap();
    u128::from_le_bytes(seed)
}

/// The mask of `index` under `h1`, or one of equal words.
fn mask_of(input: &Value) -> [u64; RING_DIMENSION] {
    if input.get("equal").is_some() {
        return [words(input, "equal")[0]; RING_DIMENSION];
    }
    let mut mask = [0; RING_DIMENSION];
    Masks::new(&digest(input, "h1")).fill(number(input, "index"), &mut mask);
    mask
}

pub(super) fn product(input: &Value) -> Value {
    let (a, s) = (mask_of(&input["a"]), small(&bytes(input, "s")));
    let workspace = &mut Workspace::new();
    let mut product = [0; RING_DIMENSION];
    KeySumMultiplier::new(&s, workspace).add_product(&a, &mut product, workspace);
    // What is short enough for a key takes the faster way, to the same end.
    if s.iter().map(|&s| i64::from(s).pow(2)).sum::<i64>() <= crate::key::LARGEST_NORM_SQUARED {
        let mut as_key = [0; RING_DIMENSION];
        KeyMultiplier::new(&s, workspace).add_product(&a, &mut as_key, workspace);
        assert_eq!(as_key, product, "both ways are exact");
    }
    json!({ "first": hex_of_words(product[..4].iter().copied()), "sha256": sha256_of_words(&product) })
}

pub(super) fn pack(input: &Value) -> Value {
    let packing = Packing::for_cohort(number(input, "cohort"));
    json!({ "elements": hex_of_words(packing.pack(&key(input)).iter().copied()) })
}

pub(super) fn unpack(input: &Value) -> Result<Value, Code> {
    let packing = Packing::for_cohort(number(input, "cohort"));
    let sum = packing.unpack(&words(input, "elements"), number(input, "keys"));
    Ok(json!({ "sum": hex_of_small(&*sum.ok_or("reveals.implausible")?) }))
}

pub(super) fn field(input: &Value) -> Value {
    let (a, b) = (words(input, "a")[0], words(input, "b")[0]);
    let [sum, difference, product, inverse] =
        [field::add(a, b), field::sub(a, b), field::mul(a, b), field::inverse(a)]
            .map(|element| hex_of_words([element]));
    json!({ "sum": sum, "difference": difference, "product": product, "inverse": inverse })
}

pub(super) fn element(input: &Value) -> Value {
    json!({ "element": hex_of_words([field::from_digest(&digest(input, "digest"))]) })
}

/// Values of a polynomial, and its constant term from the first of them alone.
pub(super) fn interpolate(input: &Value) -> Value {
    let (polynomial, points) = (words(input, "polynomial"), words(input, "points"));
    let values: Vec<u64> = points.iter().map(|&x| evaluate(&polynomial, x)).collect();
    let weights = field::weights_at(0, &points[..polynomial.len()]);
    let terms = weights.iter().zip(&values).map(|(&weight, &value)| field::mul(weight, value));
    json!({
        "values": hex_of_words(values.iter().copied()),
        "weights": hex_of_words(weights.iter().copied()),
        "constant": hex_of_words([terms.fold(0, field::add)]),
    })
}

pub(super) fn correct(input: &Value) -> Result<Value, Code> {
    let wrong = wrong_positions(&words(input, "points"), &words(input, "values"), number(input, "threshold"));
    Ok(json!({ "wrong": wrong.ok_or("reveals.inconsistent")? }))
}

/// A key of 2048 signed bytes.
pub(super) fn key(input: &Value) -> OneTimeKey {
    let coefficients = bytes(input, "key");
    OneTimeKey::of(std::array::from_fn(|k| coefficients[k] as i8))
}

/// 2048 coefficients of two bytes, little-endian.
fn small(bytes: &[u8]) -> [i32; RING_DIMENSION] {
    let (pairs, _) = bytes.as_chunks();
    std::array::from_fn(|k| i16::from_le_bytes(pairs[k]).into())
}

pub(super) fn hex_of_small(s: &[i32; RING_DIMENSION]) -> String {
    hex::encode(s.iter().flat_map(|&s| (s as i16).to_le_bytes()).collect::<Vec<_>>())
}

pub(super) fn sha256_of_words(words: &[u64]) -> String {
    Digest::of(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()).to_string()
}
