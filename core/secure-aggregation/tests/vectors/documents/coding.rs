//! Values, coefficients, ciphertexts.

use rand_core::Rng;
use serde_json::{Value, json};
use syndic_round::{Digest, ParameterSet, RING_DIMENSION};
use tfhe::core_crypto::commons::math::random::{Gaussian, Seed, Seeder};
use tfhe::core_crypto::prelude::{
    CiphertextModulus, GlweCiphertextCount, GlweSecretKey, PlaintextList, PolynomialSize,
    SeededGlweCiphertextList, StandardDev, encrypt_seeded_glwe_ciphertext_list,
};

use super::super::arithmetic::{self, sha256_of_words};
use super::super::value::{hex_of_words, list, text, words};
use super::super::{REGENERATE, folder};
use super::{Document, cut, drawn_for, flip, hex_of_key, set};
use crate::key::OneTimeKey;

pub(super) fn coding() -> Document {
    let mut document =
        Document::new("coding", "From values to coefficients, and from an opened vector to the sums.");
    for set in ParameterSet::ALL {
        let input = json!({
            "set": set.name(),
            "admitted": 3,
            "layout": layout(),
            "values": [1.0, -0.5, 0.25, 4.0, -9.0, 1e12, -123_456_789_012.0],
        });
        let name = format!("values under {}", set.name());
        document.case(&name, "quantise", input);
        document.differs(&name, "another value", self::set("/values/1", -0.75), "/coefficients");
    }
    let name = "an opened sum of three";
    // Canaries, a count, four quarters of steps, and two values in two limbs of 22 bits each.
    let coefficients: [i64; 13] = [3, 0, 0, 0, 3, -12, 5, 0, 48, 9_000_000, 700_000, 12_582_911, -786_432];
    let input = json!({
        "set": "KSA-S32",
        "admitted": 3,
        "layout": layout(),
        "survivors": 3,
        "length": 2048,
        "coefficients": hex_of_words(coefficients.map(|m| m as u64)),
    });
    document.case(name, "decode", input);
    let with = |position: usize, coefficient: i64| {
        let mut altered = coefficients.to_vec();
        altered.resize(coefficients.len().max(position + 1), 0);
        altered[position] = coefficient;
        self::set("/coefficients", hex_of_words(altered.into_iter().map(|m| m as u64)))
    };
    for (why, change, code) in [
        ("the count of survivors is wrong", with(0, 2), "sum.canary"),
        ("a zero of the canaries is not", with(3, 1), "sum.canary"),
        ("there are fewer survivors", self::set("/survivors", 2), "sum.canary"),
        ("a sum beyond three times the bound", with(6, 49), "sum.overflow"),
        ("a negative low limb", with(9, -1), "sum.overflow"),
        ("a low limb beyond three times 2^22", with(9, 12_582_913), "sum.overflow"),
        ("limbs beyond three times the bound", with(10, 786_433), "sum.overflow"),
        ("padding that is not zero", with(2047, 1), "sum.padding"),
        ("another length", self::set("/length", 4096), "sum.length"),
    ] {
        document.refused(name, why, change, code);
    }
    document
}

fn layout() -> Value {
    json!([
        { "name": "count", "len": 1, "bound": 1.0, "resolution": 1.0 },
        { "name": "quarters", "len": 4, "bound": 4.0, "resolution": 0.25 },
        { "name": "wide", "len": 2, "bound": 1_099_511_627_776.0, "resolution": 1.0 },
    ])
}

pub(super) fn encryption() -> Document {
    let mut document = Document::new(
        "encryption",
        "One chunk under a given key with given errors, which is what tfhe makes of the same; and folding.",
    );
    for set in ParameterSet::ALL {
        let name = format!("a chunk under {}", set.name());
        let mut rng = drawn_for(set.name());
        let h1 = Digest::of(set.name().as_bytes());
        let key = OneTimeKey::generate(&mut rng);
        let unused = 64 - set.sum_bits();
        let encoded: Vec<u64> = (0..2 * RING_DIMENSION).map(|_| rng.next_u64() >> unused << unused).collect();
        let seed = arithmetic::seed(&h1);
        let secret = key.coefficients().iter().map(|&s| i64::from(s) as u64).collect();
        let reference = encrypt_by_tfhe(seed, secret, encoded.clone(), set);
        // Under a key of zeros, a plaintext of zeros encrypts to the errors.
        let drawn = encrypt_by_tfhe(seed, vec![0; RING_DIMENSION], vec![0; 2 * RING_DIMENSION], set);
        let errors = committed_errors(&name).unwrap_or_else(|| drawn[RING_DIMENSION..].to_vec());
        let expected: Vec<u64> = (0..RING_DIMENSION)
            .map(|k| {
                // Logarithms of another platform may round an error the other way.
                let difference = errors[k].wrapping_sub(drawn[RING_DIMENSION + k]);
                assert!(difference.wrapping_add(1) <= 2, "these are no errors of tfhe");
                reference[RING_DIMENSION + k].wrapping_add(difference)
            })
            .collect();
        let message = encoded[RING_DIMENSION..].iter().map(|&m| (m as i64 >> unused) as u64);
        let input = json!({
            "set": set.name(),
            "h1": h1.to_string(),
            "index": 1,
            "key": hex_of_key(&key),
            "message": hex_of_words(message),
            "errors": hex_of_words(errors),
        });
        let out = document.case(&name, "encrypt", input);
        assert_eq!(text(&out["body"], "sha256"), sha256_of_words(&expected), "tfhe encrypts to the same");
        document.differs(&name, "another error", flip("/errors", 0), "/body/sha256");
        document.differs(&name, "another message", flip("/message", 0), "/chunk");
        document.differs(&name, "another key", flip("/key", 5), "/chunk");
        document.differs(&name, "another chunk", self::set("/index", 0), "/chunk");
    }
    folding(&mut document);
    document
}

/// The errors that stand in the committed document, unless it is to be written anew.
#[expect(clippy::disallowed_methods, reason = "the documents are files")]
fn committed_errors(case: &str) -> Option<Vec<u64>> {
    if std::env::var_os(REGENERATE).is_some() {
        return None;
    }
    let text = std::fs::read_to_string(folder().join("encryption.json")).ok()?;
    let read: Value = serde_json::from_str(&text).unwrap();
    let case = list(&read, "cases").iter().find(|one| one["name"] == case)?;
    Some(words(&case["in"], "errors"))
}

/// The bodies of a seeded ciphertext list of two chunks, by tfhe.
fn encrypt_by_tfhe(seed: u128, secret: Vec<u64>, encoded: Vec<u64>, set: ParameterSet) -> Vec<u64> {
    let polynomial_size = PolynomialSize(RING_DIMENSION);
    let secret = GlweSecretKey::from_container(secret, polynomial_size);
    let mut list = SeededGlweCiphertextList::new(
        0,
        secret.glwe_dimension().to_glwe_size(),
        polynomial_size,
        GlweCiphertextCount(2),
        Seed(seed).into(),
        CiphertextModulus::new_native(),
    );
    let width = StandardDev(0.5_f64.powi(set.sent_bits() as i32 + 2));
    let errors = Gaussian::from_standard_dev(width, 0.0);
    let plaintext = PlaintextList::from_container(encoded);
    encrypt_seeded_glwe_ciphertext_list(&secret, &mut list, &plaintext, errors, &mut FixedErrors);
    list.into_container()
}

/// The same errors every time.
struct FixedErrors;

impl Seeder for FixedErrors {
    fn seed(&mut self) -> Seed {
        Seed(0x7465_7374_2076_6563_746f_7273)
    }

    fn is_available() -> bool {
        true
    }
}

fn folding(document: &mut Document) {
    let mut rng = drawn_for("folding");
    let update = |rng: &mut _| super::random_hex(6 * 1024, rng);
    let updates = [update(&mut rng), update(&mut rng), update(&mut rng)];
    let name = "three updates of one chunk";
    let input = json!({ "set": "KSA-S24", "chunks": 1, "ids": [2, 5, 8], "updates": updates });
    document.case(name, "fold", input);
    document.differs(name, "another update", flip("/updates/2", 9), "/root");
    document.refused(name, "a participant counted twice", self::set("/ids/2", 5), "aggregate.counted-twice");
    document.refused(name, "a round of two chunks", self::set("/chunks", 2), "aggregate.length");
    document.refused(name, "no whole chunk", cut("/updates/1", 6143), "update.no-whole-chunks");
    document.refused(name, "nothing", cut("/updates/0", 0), "update.no-whole-chunks");
}
