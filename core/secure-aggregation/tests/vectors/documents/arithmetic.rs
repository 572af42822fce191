//! Masks, products, packing and the field.

use rand_core::Rng;
use serde_json::{Value, json};
use syndic_round::{Digest, RING_DIMENSION};

use super::super::arithmetic::hex_of_small;
use super::super::value::hex_of_words;
use super::{Document, drawn_for, flip, hex_of_key, random_elements, set};
use crate::correction::evaluate;
use crate::field::{self, P};
use crate::key::OneTimeKey;
use crate::packing::Packing;

pub(super) fn masks() -> Document {
    let mut document = Document::new("masks", "The public masks of a preparation, from H1.");
    let h1 = Digest::of(b"masks").to_string();
    for index in [0, 1, 48_828, u32::MAX] {
        document.case(&format!("chunk {index}"), "mask", json!({ "h1": h1, "index": index }));
    }
    document.differs("chunk 0", "another chunk", set("/index", 1), "/sha256");
    document.differs("chunk 1", "another transcript", flip("/h1", 31), "/sha256");
    document.differs("chunk 1", "another transcript", flip("/h1", 0), "/seed");
    document
}

pub(super) fn products() -> Document {
    let mut document =
        Document::new("products", "The product a s in Z[X]/(X^2048 + 1) modulo 2^64, s small.");
    let mut rng = drawn_for("products");
    let h1 = Digest::of(b"products").to_string();
    let mask = |index: u32| json!({ "h1": h1, "index": index });
    let equal = |word: u64| json!({ "equal": hex_of_words([word]) });
    let key = OneTimeKey::generate(&mut rng);
    let key = key.coefficients().map(i32::from);
    let mut sum = [0; RING_DIMENSION];
    for _ in 0..256 {
        let one = OneTimeKey::generate(&mut rng);
        sum.iter_mut().zip(one.coefficients()).for_each(|(sum, &s)| *sum += i32::from(s));
    }
    let last = std::array::from_fn(|k| i32::from(k == RING_DIMENSION - 1));
    let edge = std::array::from_fn(|k| if k % 3 == 0 { 8 } else { -8 });
    for (name, a, s) in [
        ("a key", mask(0), &key),
        ("a key, every word the largest", equal(u64::MAX), &key),
        ("a key, every word 2^63", equal(1 << 63), &key),
        ("the negative of a sum of 256 keys", mask(1), &sum.map(|s| -s)),
        ("X^2047: the wrap changes the sign", mask(2), &last),
        ("the longest key", mask(3), &edge),
    ] {
        document.case(name, "product", json!({ "a": a, "s": hex_of_small(s) }));
    }
    document.differs("a key", "another mask", set("/a/index", 1), "/sha256");
    document.differs("a key", "one coefficient of the key off by one", flip("/s", 0), "/sha256");
    document
}

pub(super) fn field() -> Document {
    let mut document =
        Document::new("field", "F_p with p = 2^61 - 1: arithmetic, polynomials, corrections, packed keys.");
    let mut rng = drawn_for("field");
    let [a, b] = [rng.next_u64() % P, rng.next_u64() % P];
    for (name, a, b) in [("two elements", a, b), ("the largest", P - 1, P - 1), ("zero", 0, 1)] {
        document.case(name, "field", json!({ "a": hex_of_words([a]), "b": hex_of_words([b]) }));
    }
    document.differs("two elements", "another element", flip("/a", 0), "/product");
    let digest = Digest::of(b"an element that nobody chose").to_string();
    document.case("an element of a digest", "element", json!({ "digest": digest }));
    document.differs("an element of a digest", "within the first 16 bytes", flip("/digest", 15), "/element");
    polynomials(&mut document, &mut rng);
    packing(&mut document);
    document
}

fn polynomials(document: &mut Document, rng: &mut impl Rng) {
    let (polynomial, points) = (random_elements(5, rng), [2, 3, 7, 11, 12, 65_535, 40_000]);
    let words = |words: &[u64]| hex_of_words(words.iter().copied());
    let input = json!({ "polynomial": words(&polynomial), "points": words(&points) });
    document.case("a polynomial of five terms", "interpolate", input);
    let change = flip("/polynomial", 0);
    document.differs("a polynomial of five terms", "another constant term", change, "/constant");

    let values: Vec<u64> = points.iter().map(|&x| evaluate(&polynomial, x)).collect();
    let mut one_wrong = values.clone();
    one_wrong[2] = field::add(one_wrong[2], 1);
    for (name, values) in [("no value is wrong", &values), ("one value is wrong", &one_wrong)] {
        let input = json!({ "points": words(&points), "values": words(values), "threshold": 5 });
        document.case(name, "correct", input);
    }
    one_wrong[5] = field::add(one_wrong[5], a_lot(rng));
    let change = set("/values", words(&one_wrong));
    document.refused("one value is wrong", "a second value is wrong", change, "reveals.inconsistent");
    let change = set("/threshold", 6);
    document.refused("one value is wrong", "too few to correct", change, "reveals.inconsistent");
}

fn a_lot(rng: &mut impl Rng) -> u64 {
    1 + rng.next_u64() % (P - 1)
}

fn packing(document: &mut Document) {
    let mut rng = drawn_for("packing");
    for cohort in [3, 9, 33] {
        let key = hex_of_key(&OneTimeKey::generate(&mut rng));
        let name = format!("a key for a cohort of {cohort}");
        document.case(&name, "pack", json!({ "cohort": cohort, "key": key }));
        document.differs(&name, "another coefficient", flip("/key", 2047), "/elements");
    }
    let packing = Packing::for_cohort(3);
    let mut elements = vec![0; packing.elements()];
    for _ in 0..3 {
        let packed = packing.pack(&OneTimeKey::generate(&mut rng));
        elements.iter_mut().zip(&*packed).for_each(|(sum, &e)| *sum = field::add(*sum, e));
    }
    let with = |position: usize, element: u64| -> Value {
        let mut altered = elements.clone();
        altered[position] = element;
        set("/elements", hex_of_words(altered))
    };
    let name = "the sum of three keys";
    let input = json!({ "cohort": 3, "keys": 3, "elements": hex_of_words(elements.iter().copied()) });
    document.case(name, "unpack", input);
    for (why, change) in [
        ("a digit beyond 126 a key", with(7, elements[7] | 511)),
        ("bits beyond the last digit", with(341, elements[341] | 1 << 30)),
        ("an element at random", with(0, P - 2)),
        ("it is the sum of three, not of two", set("/keys", 2)),
    ] {
        document.refused(name, why, change, "reveals.implausible");
    }
}
