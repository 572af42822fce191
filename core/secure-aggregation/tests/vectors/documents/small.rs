//! Small vectors, from the values of a cohort to their sum.

use serde_json::{Value, json};
use syndic_round::{Digest, ParameterSet, ParticipantId};

use super::super::small::{context, shape, shared};
use super::super::value::{hex_of_words, list};
use super::{
    Document, cut, drawn_for, drop_one, federation, flip, random_elements, random_hex, repeat, set, swap,
};
use crate::field::{self, P};
use crate::sharing::KeyShare;
use crate::small::VectorShare;
use crate::verification::commitment;

pub(super) fn small_vector() -> Document {
    let about = "Small vectors, which are shared themselves: digits, shares, and the sum from reveals.";
    let mut document = Document::new("small-vector", about);
    encoding(&mut document);
    let inputs: Vec<Value> = (0..5).map(dealt).collect();
    let name = "a small vector among 5, any 4 restore it";
    let out = document.case(name, "share-vector", inputs[1].clone());
    document.differs(name, "another cohort's transcript", flip("/h1", 0), "/public/commitments");
    document.differs(name, "another value", set("/values/3", 0.5), "/shares/0");
    document.differs(name, "another salt", flip("/salts", 0), "/challenges");
    for (why, change, code) in [
        ("a cohort out of order", swap("/cohort", 0, 1), "share.cohort"),
        ("a cohort larger than the admitted", set("/cohort", vec![2, 5, 8, 11, 14, 17]), "share.cohort"),
        ("a cohort smaller than the threshold", set("/cohort", vec![2, 5, 8]), "share.threshold"),
    ] {
        document.refused(name, why, change, code);
    }
    verifying(&mut document, &inputs[1], &out);
    opening(&mut document, &inputs);
    document
}

fn layout() -> Value {
    json!([
        { "name": "count", "len": 1, "bound": 1.0, "resolution": 1.0 },
        { "name": "gradient", "len": 5, "bound": 4.0, "resolution": 0.0009765625 },
        { "name": "wide", "len": 2, "bound": 1_099_511_627_776.0, "resolution": 1.0 },
    ])
}

fn plan(n: u16, layout: Value) -> Value {
    federation::plan(&federation::roster(n), ParameterSet::S32, n, layout)
}

/// The values of the participant in `slot`, and what it draws to share them among five.
fn dealt(slot: u16) -> Value {
    let mut rng = drawn_for(&format!("small vector {slot}"));
    let plan = plan(5, layout());
    let width = shape(&json!({ "plan": plan })).unwrap().elements() + 2;
    let sign = if slot.is_multiple_of(2) { 1.0 } else { -1.0 };
    let step = f64::from(slot) * 0.25 * sign;
    json!({
        "plan": plan,
        "values": [1.0, step, 4.0, -4.0, 0.5 - step, 0.0, sign * 1e12, -123_456_789.0],
        "dealer": federation::ids(5)[usize::from(slot)],
        "h1": Digest::of(b"small vector").to_string(),
        "cohort": federation::ids(5),
        "blinding": hex_of_words(random_elements(2, &mut rng)),
        "rows": (0..3).map(|_| hex_of_words(random_elements(width, &mut rng))).collect::<Vec<_>>(),
        "salts": random_hex(32 * 5, &mut rng),
    })
}

fn encoding(document: &mut Document) {
    for n in [5, 60] {
        let name = format!("values for {n}");
        let values = [1.0, -0.5, 0.25, 4.0, -9.0, 0.0, 1e12, -123_456_789_012.0];
        document.case(&name, "encode-vector", json!({ "plan": plan(n, layout()), "values": values }));
        document.differs(&name, "another value", set("/values/1", -0.75), "/elements");
        document.differs(&name, "another bound", set("/plan/layout/1/bound", 5.0), "/elements");
    }
    let block =
        |len: u32, bound: f64| json!([{ "name": "values", "len": len, "bound": bound, "resolution": 1.0 }]);
    // Digits of 14 bits behind four canaries of 4: three in the first element, four in each other.
    let most = 3 + 511 * 4;
    let name = "the longest vector of thousands for 5";
    let values: Vec<f64> = (0..most).map(|k| f64::from(k % 2_001) - 1_000.0).collect();
    document.case(name, "encode-vector", json!({ "plan": plan(5, block(most, 1_000.0)), "values": values }));
    let longer: Vec<f64> = vec![0.0; most as usize + 1];
    let change = json!([{ "at": "/plan/layout/0/len", "set": most + 1 }, { "at": "/values", "set": longer }]);
    document.refused(name, "a value more than fits", change, "vector.not-small");
    document.refused(name, "values of a bit more", set("/plan/layout/0/bound", 1_639.0), "vector.not-small");
    let name = "a value of nearly 2^51 steps for 256";
    let widest = 2_199_023_255_551.0;
    let wide = json!([{ "name": "value", "len": 1, "bound": widest, "resolution": 0.0009765625 }]);
    document.case(name, "encode-vector", json!({ "plan": plan(256, wide), "values": [-widest] }));
    document.refused(name, "2^51 steps", set("/plan/layout/0/bound", widest + 1.0), "vector.not-small");
}

fn verifying(document: &mut Document, input: &Value, out: &Value) {
    let name = "the share of a small vector of the holder with id 8";
    let share = list(out, "shares")[2].as_str().unwrap();
    let mut good = json!({ "holder": 8, "share": share, "public": out["public"] });
    for key in ["plan", "dealer", "h1", "cohort"] {
        good[key] = input[key].clone();
    }
    document.case(name, "verify-vector-share", good);

    let ids: Vec<_> = federation::ids(5).into_iter().map(|id| ParticipantId::new(id).unwrap()).collect();
    let (context, shape) = (context(input, &ids), shape(input).unwrap());
    let committed = |at: usize| {
        let mut altered = hex::decode(share).unwrap();
        altered[at] ^= 1;
        let as_vector = VectorShare::from_bytes(&altered, &shape).unwrap();
        let digest = commitment(&context, ids[2], &as_vector).to_string();
        json!([
            { "at": "/share", "set": hex::encode(altered) }, { "at": "/public/commitments/2", "set": digest },
        ])
    };
    let as_key = KeyShare::read(&hex::decode(share).unwrap(), shape.elements()).unwrap();
    let as_key = set("/public/commitments/2", commitment(&context, ids[2], &as_key).to_string());
    let mut not_canonical = hex::decode(share).unwrap();
    not_canonical[..8].copy_from_slice(&P.to_le_bytes());
    let last = 8 * (shape.elements() + 1);
    for (why, change, code) in [
        ("A16: an element altered", flip("/share", 0), "share.commitment"),
        ("a blinding value altered", flip("/share", last as i64), "share.commitment"),
        ("committed to as a share of a key", as_key, "share.commitment"),
        ("A15: another holder", set("/holder", 11), "share.commitment"),
        ("A15: another dealer", set("/dealer", 8), "share.commitment"),
        ("another transcript", flip("/h1", 0), "share.commitment"),
        ("A16: committed to, and off the polynomials", committed(9), "share.polynomial"),
        ("A16: a blinding value committed to, and off its polynomial", committed(last), "share.polynomial"),
        ("a check polynomial altered", flip("/public/checks/1", 8), "share.polynomial"),
        ("a holder outside the cohort", set("/holder", 3), "share.holder"),
        ("a commitment missing", drop_one("/public/commitments", 4), "share.public-part"),
        ("a check polynomial of a term too few", cut("/public/checks/0", 24), "share.public-part"),
        ("an element that is p", set("/share", hex::encode(not_canonical)), "share.not-canonical"),
        ("a byte missing", cut("/share", share.len() / 2 - 1), "share.length"),
        ("a plan with longer vectors", set("/plan/layout/2/len", 3), "share.length"),
        ("a plan without small vectors", set("/plan/layout/2/len", 600), "vector.not-small"),
    ] {
        document.refused(name, why, change, code);
    }
}

/// Four of five survive. What members reveal, any four or all five.
fn opening(document: &mut Document, inputs: &[Value]) {
    let ids: Vec<_> = federation::ids(5).into_iter().map(|id| ParticipantId::new(id).unwrap()).collect();
    let length = shape(&inputs[0]).unwrap().elements();
    let mut sums = vec![vec![0; length]; 5];
    for input in [0, 1, 2, 4].map(|slot: usize| &inputs[slot]) {
        for (sum, (_, share)) in sums.iter_mut().zip(shared(input, &context(input, &ids)).unwrap().shares) {
            sum.iter_mut().zip(share.elements()).for_each(|(sum, &element)| *sum = field::add(*sum, element));
        }
    }
    let reveal =
        |slot: usize, sum: &[u64]| json!({ "id": ids[slot], "share_sum": hex_of_words(sum.to_vec()) });
    let with = |slots: std::ops::Range<usize>| {
        let reveals: Vec<_> = slots.map(|slot| reveal(slot, &sums[slot])).collect();
        json!({ "plan": inputs[0]["plan"], "survivors": 4, "reveals": reveals })
    };
    // What the first of the first four must add to move what they restore by `by` in one element.
    let points: Vec<u64> = ids[..4].iter().map(|id| u64::from(id.get())).collect();
    let weight = field::inverse(field::weights_at(0, &points)[0]);
    let moved = |element: usize, by: u64| {
        let mut sum = sums[0].clone();
        sum[element] = field::add(sum[element], field::mul(by, weight));
        hex_of_words(sum)
    };
    let lie = |element, by| set("/reveals/0/share_sum", moved(element, by));

    let name = "exactly four reveals: the sum is unchecked";
    document.case(name, "open-vector", with(0..4));
    // Canaries of 4 bits, a count of 4, gradients of 16, wide values of 44: 4 + 1 digits and two gradients are the first
    // element, three gradients the second, and a wide value each of the others.
    document.differs(name, "A38: one liar shifts one chosen sum", lie(0, 5 << 20), "/steps");
    document.differs(name, "A38: and by a little only", lie(3, 1), "/steps");
    let blinded = format!("{}{}", hex_of_words(sums[0].clone()), "00".repeat(16));
    for (why, change, code) in [
        ("three reveals", drop_one("/reveals", 2), "reveals.too-few"),
        ("the count of survivors is wrong", set("/survivors", 5), "sum.canary"),
        ("a lie about the count of survivors", lie(0, 1), "sum.canary"),
        ("a lie about a zero", lie(0, 1 << 8), "sum.canary"),
        ("A20: a lie beyond the bounds", lie(1, 20_000 << 32), "sum.overflow"),
        ("a lie that sets a bit of no digit", lie(1, 1 << 50), "sum.padding"),
        ("a reveal of another member", set("/reveals/0/id", 14), "sum.padding"),
        ("a reveal cut short", cut("/reveals/0/share_sum", 8 * length - 1), "share.length"),
        ("A35: a reveal with blinding values", set("/reveals/0/share_sum", blinded), "share.length"),
        (
            "an element that is p",
            set("/reveals/0/share_sum", hex_of_words([&[P], &sums[0][1..]].concat())),
            "share.not-canonical",
        ),
    ] {
        document.refused(name, why, change, code);
    }
    let name = "five reveals: the sum is checked";
    document.case(name, "open-vector", with(0..5));
    document.refused(name, "A38: one liar is noticed", lie(0, 5 << 20), "reveals.inconsistent");
    document.refused(name, "a reveal twice", repeat("/reveals", 0), "reveals.duplicate");
    document.differs(name, "one reveal less", drop_one("/reveals", 4), "/checked");
    seven(document);
}

/// A cohort of seven that opens with five.
fn seven(document: &mut Document) {
    let layout = json!([{ "name": "values", "len": 9, "bound": 100.0, "resolution": 1.0 }]);
    let plan = plan(7, layout);
    let mut rng = drawn_for("small vectors of seven");
    let length = shape(&json!({ "plan": plan })).unwrap().elements();
    let ids: Vec<_> = federation::ids(7).into_iter().map(|id| ParticipantId::new(id).unwrap()).collect();
    let mut sums = vec![vec![0; length]; 7];
    for slot in 0..7_u16 {
        let input = json!({
            "plan": plan,
            "values": (0..9).map(|k| f64::from(slot * 10 + k)).collect::<Vec<_>>(),
            "dealer": ids[usize::from(slot)],
            "h1": Digest::of(b"seven").to_string(),
            "blinding": hex_of_words(random_elements(2, &mut rng)),
            "rows": (0..4).map(|_| hex_of_words(random_elements(length + 2, &mut rng))).collect::<Vec<_>>(),
            "salts": random_hex(32 * 7, &mut rng),
        });
        for (sum, (_, share)) in sums.iter_mut().zip(shared(&input, &context(&input, &ids)).unwrap().shares) {
            sum.iter_mut().zip(share.elements()).for_each(|(sum, &element)| *sum = field::add(*sum, element));
        }
    }
    let wrong = |slot: usize| {
        let mut sum = sums[slot].clone();
        sum[0] = field::add(sum[0], 1 << 40);
        hex_of_words(sum)
    };
    let reveal = |slot: usize| json!({ "id": ids[slot], "share_sum": hex_of_words(sums[slot].clone()) });
    let mut input =
        json!({ "plan": plan, "survivors": 7, "reveals": (0..7).map(reveal).collect::<Vec<_>>() });
    input["reveals"][3]["share_sum"] = wrong(3).into();
    let name = "A38: seven reveals of which five open, one of them a lie: corrected and named";
    document.case(name, "open-vector", input);
    let right = set("/reveals/3/share_sum", hex_of_words(sums[3].clone()));
    document.differs(name, "none is wrong", right, "/wrong");
    document.refused(name, "two wrong", set("/reveals/6/share_sum", wrong(6)), "reveals.inconsistent");
    document.refused(name, "one wrong of six", drop_one("/reveals", 6), "reveals.inconsistent");
}
