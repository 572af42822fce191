//! From values to ciphertexts, and from opened coefficients to sums.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use syndic_round::vector::SumError;
use syndic_round::{Coding, Contribution, Digest, ParameterSet, ParticipantId, RING_DIMENSION, Sum};

use super::arithmetic::{key, sha256_of_words};
use super::terms::layout;
use super::value::{Code, byte_strings, digest, hex_of_words, list, number, set, words};
use crate::aggregate::Aggregate;
use crate::encrypt::EncryptedUpdate;
use crate::key::OneTimeKey;
use crate::masks::Masks;
use crate::product::{KeyMultiplier, Workspace};
use crate::wire;

pub(super) fn quantise(input: &Value) -> Value {
    let coding = Coding::new(set(input), number(input, "admitted"));
    let layout = layout(input).unwrap();
    let clipped = Contribution::new(layout.clone(), values(input)).unwrap().clip();
    let clamped = clipped.clamped();
    // Whole numbers of steps are rounded nowhere, whatever is drawn.
    let quantised = clipped.quantise(&coding, &mut ChaCha20Rng::seed_from_u64(0));
    let coefficients = &quantised.coefficients()[..coding.coefficients(&layout)];
    json!({
        "coefficients": hex_of_words(coefficients.iter().map(|&m| m as u64)),
        "length": quantised.coefficients().len(),
        "clamped": clamped,
    })
}

pub(super) fn values(input: &Value) -> Vec<f64> {
    list(input, "values").iter().map(|value| value.as_f64().unwrap()).collect()
}

/// One chunk, with the key and the errors as they are given.
pub(super) fn encrypt(input: &Value) -> Value {
    let (set, masks) = (set(input), Masks::new(&digest(input, "h1")));
    let message: Vec<i64> = words(input, "message").into_iter().map(|word| word as i64).collect();
    let body = body(&key(input), &masks, set, number(input, "index"), &message, &words(input, "errors"));
    json!({
        "body": { "first": hex_of_words(body[..4].iter().copied()), "sha256": sha256_of_words(&body) },
        "chunk": hex::encode(sent(&body, set)),
    })
}

/// a s + Delta m + e of one chunk. That `OneTimeKey::encrypt` sends the same is a test of its own.
pub(super) fn body(
    key: &OneTimeKey,
    masks: &Masks,
    set: ParameterSet,
    index: usize,
    message: &[i64],
    errors: &[u64],
) -> Vec<u64> {
    assert_eq!((message.len(), errors.len()), (RING_DIMENSION, RING_DIMENSION));
    let scale = 64 - set.sum_bits();
    let mut body = std::array::from_fn(|k| ((message[k] as u64) << scale).wrapping_add(errors[k]));
    let mut mask = [0; RING_DIMENSION];
    masks.fill(index, &mut mask);
    let workspace = &mut Workspace::new();
    KeyMultiplier::new(&key.coefficients().map(i32::from), workspace)
        .add_product(&mask, &mut body, workspace);
    body.to_vec()
}

/// What travels of a chunk.
pub(super) fn sent(body: &[u64], set: ParameterSet) -> Vec<u8> {
    let mut chunk = vec![0; wire::chunk_bytes(set)];
    wire::truncate(body, &mut chunk, set);
    chunk
}

/// The aggregate of updates.
pub(super) fn fold(input: &Value) -> Result<Value, Code> {
    let set = set(input);
    let updates = byte_strings(input, "updates");
    let mut aggregate = Aggregate::new(set, number(input, "chunks"));
    for (id, update) in list(input, "ids").iter().zip(updates) {
        let id = ParticipantId::new(id.as_u64().unwrap() as u16).unwrap();
        let update = EncryptedUpdate::from_bytes(set, update).map_err(|error| error.code())?;
        aggregate.fold(id, update.bytes()).map_err(|error| error.code())?;
    }
    Ok(json!({ "sha256": Digest::of(aggregate.bytes()).to_string(), "root": aggregate.root().to_string() }))
}

pub(super) fn decode(input: &Value) -> Result<Value, Code> {
    let coding = Coding::new(set(input), number(input, "admitted"));
    let mut coefficients: Vec<i64> = words(input, "coefficients").into_iter().map(|m| m as i64).collect();
    coefficients.resize(number(input, "length"), 0);
    let sum = Sum::decode(layout(input)?, &coding, number(input, "survivors"), &coefficients);
    Ok(steps(&sum.map_err(sum_code)?))
}

pub(super) fn steps(sum: &Sum) -> Value {
    json!({ "steps": hex_of_words(sum.steps().iter().map(|&step| step as u64)) })
}

/// The names that vectors give to what is wrong with an opened vector.
pub(super) fn sum_code(error: SumError) -> &'static str {
    match error {
        SumError::Length { .. } => "sum.length",
        SumError::Canary(_) => "sum.canary",
        SumError::Overflow { .. } => "sum.overflow",
        SumError::Padding => "sum.padding",
    }
}
