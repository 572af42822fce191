//! The inputs of the committed vectors, each fixed by a seed that says what it is for.

mod arithmetic;
mod coding;
mod federation;
mod messages;
mod rounds;
mod shares;
mod small;
mod terms;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use syndic_round::Digest;

use super::Document;
use crate::field;
use crate::key::OneTimeKey;

/// The documents, in the order of their names.
pub(super) const NAMES: [&str; 16] = [
    "coding",
    "encryption",
    "field",
    "masks",
    "merkle",
    "messages",
    "plan",
    "products",
    "reconstruction",
    "roster",
    "round",
    "sealing",
    "sharing",
    "small-vector",
    "spot-check",
    "transcript",
];

pub(super) fn all() -> Vec<Document> {
    let documents = vec![
        coding::coding(),
        coding::encryption(),
        arithmetic::field(),
        arithmetic::masks(),
        shares::merkle(),
        messages::messages(),
        terms::plan(),
        arithmetic::products(),
        rounds::reconstruction(),
        terms::roster(),
        rounds::round(),
        shares::sealing(),
        shares::sharing(),
        small::small_vector(),
        rounds::spot_check(),
        messages::transcript(),
    ];
    assert!(documents.iter().map(|one| one.name).eq(NAMES));
    documents
}

/// Numbers that anybody can draw again, for `what`.
fn drawn_for(what: &str) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*Digest::of(what.as_bytes()).as_bytes())
}

fn random_bytes(length: usize, rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn random_hex(length: usize, rng: &mut impl Rng) -> String {
    hex::encode(random_bytes(length, rng))
}

fn random_elements(count: usize, rng: &mut impl Rng) -> Vec<u64> {
    (0..count).map(|_| rng.next_u64() % field::P).collect()
}

fn hex_of_key(key: &OneTimeKey) -> String {
    hex::encode(key.coefficients().map(|s| s as u8))
}

fn set(at: &str, value: impl Into<Value>) -> Value {
    json!([{ "at": at, "set": value.into() }])
}

fn flip(at: &str, position: i64) -> Value {
    json!([{ "at": at, "flip": position }])
}

fn cut(at: &str, length: usize) -> Value {
    json!([{ "at": at, "cut": length }])
}

fn drop_one(at: &str, position: usize) -> Value {
    json!([{ "at": at, "drop": position }])
}

fn repeat(at: &str, position: usize) -> Value {
    json!([{ "at": at, "repeat": position }])
}

fn swap(at: &str, a: usize, b: usize) -> Value {
    json!([{ "at": at, "swap": [a, b] }])
}
