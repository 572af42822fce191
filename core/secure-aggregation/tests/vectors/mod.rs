//! The test vectors of `test_vectors/v1`: written by the shipped code from fixed inputs, and read back against it.
//!
//! A part of the library's unit tests, since keys, errors and products are nobody's business outside the library. Every
//! vector names an operation; [`operations::run`] does it with the shipped code. The documents' README says what each
//! operation takes and gives, and `verify.py` there does all of them a second time, in another language.

mod arithmetic;
mod coding;
mod documents;
mod messages;
mod operations;
mod rounds;
mod shares;
mod small;
mod terms;
mod value;

use std::path::PathBuf;

use serde_json::{Value, json};

use value::{Code, altered, text};

/// Set to write the documents anew instead of comparing them.
const REGENERATE: &str = "SYNDIC_REGENERATE_VECTORS";

/// One file of vectors in the making: cases with what comes out, and their negative twins.
pub(super) struct Document {
    pub(super) name: &'static str,
    about: &'static str,
    cases: Vec<Value>,
    twins: Vec<Value>,
}

impl Document {
    pub(super) fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, about, cases: Vec::new(), twins: Vec::new() }
    }

    /// Does `operation` on `input` with the shipped code, and keeps what comes out, which it returns.
    pub(super) fn case(&mut self, name: &str, operation: &str, input: Value) -> Value {
        let out = operations::run(operation, &input).unwrap_or_else(|code| panic!("{name}: {code}"));
        self.cases.push(json!({ "name": name, "operation": operation, "in": input, "out": out.clone() }));
        out
    }

    /// `case` with its input altered is refused with `code`.
    pub(super) fn refused(&mut self, case: &str, why: &str, change: Value, code: &str) {
        self.twins.push(json!({ "case": case, "why": why, "change": change, "refused": code }));
    }

    /// `case` with its input altered gives something else at `pointer` of what comes out.
    pub(super) fn differs(&mut self, case: &str, why: &str, change: Value, pointer: &str) {
        self.twins.push(json!({ "case": case, "why": why, "change": change, "differs": pointer }));
    }

    fn into_value(self) -> Value {
        json!({
            "schema": "syndic.test-vectors/1", "about": self.about, "cases": self.cases, "twins": self.twins,
        })
    }
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "test_vectors", "v1"].iter().collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the documents are files")]
fn the_committed_vectors_are_what_the_shipped_code_gives() {
    let documents = documents::all();
    let mut expected: Vec<String> = documents.iter().map(|one| format!("{}.json", one.name)).collect();
    for document in documents {
        let path = folder().join(document.name).with_extension("json");
        let made = value::written(&document.into_value());
        if std::env::var_os(REGENERATE).is_some() {
            std::fs::write(&path, made).unwrap();
        } else {
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(committed == made, "{} is another; {REGENERATE}=1 writes it anew", path.display());
        }
    }
    let entries = std::fs::read_dir(folder()).unwrap();
    let mut found: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "every file there is one of the documents");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the documents are files")]
fn the_shipped_code_does_what_the_committed_vectors_say_and_refuses_their_twins() {
    let (mut cases, mut twins) = (0, 0);
    for document in documents::NAMES {
        let path = folder().join(document).with_extension("json");
        let read: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in read["cases"].as_array().unwrap() {
            let out = operations::run(text(case, "operation"), &case["in"]);
            assert!(out.as_ref() == Ok(&case["out"]), "{document}: {}: {:?}", case["name"], out.err());
            cases += 1;
        }
        for twin in read["twins"].as_array().unwrap() {
            check_twin(document, &read, twin);
            twins += 1;
        }
    }
    assert!(cases > 50 && twins > 100, "{cases} cases and {twins} twins were read");
}

/// Vectors give the errors, which encryption draws; in all else it does what they do.
#[test]
fn encryption_sends_what_the_vectors_say_for_the_errors_that_it_draws() {
    use rand_core::SeedableRng;
    use syndic_round::{Block, Coding, Contribution, Digest, Layout, ParameterSet, RING_DIMENSION};

    let layout = || {
        let block = Block { name: "values".into(), len: 2_100, bound: 1000.0, resolution: 1.0 };
        Layout::new(vec![block]).unwrap()
    };
    for set in ParameterSet::ALL {
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let drawn = crate::OneTimeKey::generate(&mut rng);
        let key = crate::OneTimeKey::of(*drawn.coefficients());
        let values: Vec<f64> = (0..2_100).map(|k| f64::from(k % 2001 - 1000)).collect();
        let quantised = || {
            let clipped = Contribution::new(layout(), values.clone()).unwrap().clip();
            clipped.quantise(&Coding::new(set, 3), &mut rand_chacha::ChaCha20Rng::seed_from_u64(2))
        };
        let message = quantised().coefficients().to_vec();
        let masks = crate::Masks::new(&Digest::of(b"a transcript"));
        let (noise, mut errors) =
            (crate::noise::NoiseSource::draw(&mut rng.clone()), vec![0; 2 * RING_DIMENSION]);
        for (index, errors) in errors.chunks_mut(RING_DIMENSION).enumerate() {
            noise.add_to(errors, index, set);
        }
        let expected: Vec<u8> = (0..2)
            .flat_map(|index| {
                let range = index * RING_DIMENSION..(index + 1) * RING_DIMENSION;
                let (message, errors) = (&message[range.clone()], &errors[range]);
                coding::sent(&coding::body(&key, &masks, set, index, message, errors), set)
            })
            .collect();
        assert!(drawn.encrypt(quantised(), &masks, &mut rng).bytes() == expected, "{}", set.name());
    }
}

fn check_twin(document: &str, read: &Value, twin: &Value) {
    let is_meant = |case: &&Value| case["name"] == twin["case"];
    let case = read["cases"].as_array().unwrap().iter().find(is_meant).expect("a twin names its case");
    let input = altered(&case["in"], &twin["change"]);
    let found: Result<Value, Code> = operations::run(text(case, "operation"), &input);
    let what = format!("{document}: {}: {}", twin["case"], twin["why"]);
    match twin.get("refused") {
        Some(code) => assert_eq!(found.err().as_deref(), code.as_str(), "{what}"),
        None => {
            let pointer = text(twin, "differs");
            let found = found.unwrap_or_else(|code| panic!("{what}: {code}"));
            assert!(found.pointer(pointer).unwrap() != case["out"].pointer(pointer).unwrap(), "{what}");
        }
    }
}
