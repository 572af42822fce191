//! Whole rounds, and what is opened and checked after them.

use serde_json::{Value, json};
use syndic_round::{Digest, ParameterSet, RING_DIMENSION};

use super::super::rounds::play;
use super::messages::{three, written};
use super::{Document, cut, drawn_for, drop_one, federation, flip, hex_of_key, repeat, set, swap};
use crate::field::P;
use crate::key::OneTimeKey;
use crate::{chunk_bytes, merkle};

pub(super) fn round() -> Document {
    let about =
        "Whole rounds: every message from the advertisements to the reveals, S, the aggregate, the sum.";
    let mut document = Document::new("round", about);
    let layout = json!([
        { "name": "count", "len": 1, "bound": 1.0, "resolution": 1.0 },
        { "name": "gradient", "len": 1500, "bound": 4.0, "resolution": 0.0009765625 },
        { "name": "wide", "len": 300, "bound": 1_099_511_627_776.0, "resolution": 1.0 },
    ]);
    let name = "three of three";
    document.case(name, "round", federation::round(4, 3, ParameterSet::S32, layout, &[]));
    let other_key = hex_of_key(&OneTimeKey::generate(&mut drawn_for("another key")));
    let cheat = set("/participants/1/encrypts_with", other_key);
    document.refused(name, "A19: encrypted with another key than was shared", cheat, "unmask.residual");
    document.refused(name, "fewer than t submit", drop_one("/submits", 1), "round.too-few");
    let unknown = flip("/participants/0/signing_seed", 0);
    document.refused(name, "an advertisement by another key", unknown, "round.bad-signature");
    for (why, change, pointer) in [
        ("another nonce, other masks", flip("/participants/2/nonce", 0), "/uploads/0/root"),
        ("another KEM key", flip("/participants/2/kem_seed", 0), "/h1"),
        ("another question", flip("/plan/question", 0), "/survivor_set"),
        ("another key", flip("/participants/0/key", 99), "/key_sum"),
        ("another polynomial of the same key", flip("/participants/0/rows/0", 0), "/reveals/0"),
        ("another value", set("/participants/0/values/1", 1.5), "/steps"),
    ] {
        document.differs(name, why, change, pointer);
    }
    let name = "three of four, one gone after sharing";
    let layout = json!([{ "name": "values", "len": 40, "bound": 100.0, "resolution": 0.5 }]);
    document.case(name, "round", federation::round(4, 4, ParameterSet::S40, layout, &[8]));
    document.refused(name, "two gone", drop_one("/submits", 0), "round.too-few");
    document
}

pub(super) fn reconstruction() -> Document {
    let about = "S from reveals, wrong ones corrected and named, in a cohort of seven that opens with five.";
    let mut document = Document::new("reconstruction", about);
    let layout = json!([{ "name": "values", "len": 4, "bound": 100.0, "resolution": 1.0 }]);
    let input = federation::round(7, 7, ParameterSet::S24, layout, &[5]);
    let played = play(&input).unwrap();
    let all: Vec<(u16, Vec<u8>)> =
        played.share_sums.iter().map(|(id, sum)| (id.get(), sum.to_bytes())).collect();
    let wrong = |position: usize, at: usize| {
        let mut sum = all[position].1.clone();
        sum[at] ^= 1;
        hex::encode(sum)
    };
    let transcript = written(&input, &played);
    let with = |reveals: &[(u16, Vec<u8>)]| {
        let mut input = transcript.clone();
        let reveal = |(id, sum): &(u16, Vec<u8>)| json!({ "id": id, "share_sum": hex::encode(sum) });
        input["reveals"] = reveals.iter().map(reveal).collect();
        input
    };
    let mut one_wrong = all.clone();
    one_wrong[3].1 = hex::decode(wrong(3, 800)).unwrap();

    let name = "five reveals";
    document.case(name, "reconstruct", with(&all[1..6]));
    for (why, change, code) in [
        ("four reveals", drop_one("/reveals", 2), "reveals.too-few"),
        (
            "four reveals, one of them twice",
            json!([
                { "at": "/reveals", "drop": 2 }, { "at": "/reveals", "repeat": 0 },
            ]),
            "reveals.duplicate",
        ),
        (
            "A18: one of five wrong gives no sum of keys",
            set("/reveals/0/share_sum", wrong(1, 1)),
            "reveals.implausible",
        ),
        ("another member's reveal", set("/reveals/0/id", 2), "reveals.implausible"),
        ("a reveal cut short", cut("/reveals/0/share_sum", 342 * 8 - 1), "share.length"),
        (
            "A35: a reveal with blinding values",
            set("/reveals/0/share_sum", format!("{}{}", hex::encode(&all[1].1), "00".repeat(16))),
            "share.length",
        ),
        (
            "an element that is not below p",
            set("/reveals/0/share_sum", not_canonical(&all[1].1)),
            "share.not-canonical",
        ),
    ] {
        document.refused(name, why, change, code);
    }
    let name = "A18: seven reveals, one of them wrong";
    document.case(name, "reconstruct", with(&one_wrong));
    for (why, change, code) in [
        ("two wrong", set("/reveals/6/share_sum", wrong(6, 800)), "reveals.inconsistent"),
        ("two wrong in different elements", set("/reveals/0/share_sum", wrong(0, 0)), "reveals.inconsistent"),
        ("one wrong of six", drop_one("/reveals", 6), "reveals.inconsistent"),
        ("a reveal twice", repeat("/reveals", 0), "reveals.duplicate"),
    ] {
        document.refused(name, why, change, code);
    }
    let right = set("/reveals/3/share_sum", hex::encode(&all[3].1));
    document.differs(name, "none is wrong", right, "/wrong");
    document
}

fn not_canonical(sum: &[u8]) -> String {
    let mut sum = sum.to_vec();
    sum[..8].copy_from_slice(&P.to_le_bytes());
    hex::encode(sum)
}

pub(super) fn spot_check() -> Document {
    let about = "One chunk of every survivor's upload against the published aggregate.";
    let mut document = Document::new("spot-check", about);
    let (input, played) = three();
    let mut evidence = written(&input, &played);
    let (size, index) = (chunk_bytes(ParameterSet::S32), 1);
    let proof = |bytes: &[u8]| {
        let leaves: Vec<Digest> = bytes.chunks(size).map(merkle::leaf).collect();
        let path: Vec<_> = merkle::path(&leaves, index).unwrap().iter().map(Digest::to_string).collect();
        json!({ "chunk": hex::encode(bytes.chunks(size).nth(index).unwrap()), "path": path })
    };
    evidence["index"] = index.into();
    evidence["uploads"] = played.updates.values().map(|update| proof(update.bytes())).collect();
    evidence["aggregate"] = proof(played.aggregate.bytes());
    evidence["aggregate_root"] = played.aggregate.root().to_string().into();
    let name = "the second of two chunks";
    assert_eq!(played.aggregate.bytes().len(), 2 * size);
    document.case(name, "spot-check", evidence);

    // A coordinator that altered the aggregate before it published its root.
    let mut altered = played.aggregate.bytes().to_vec();
    altered[size + 4 * (RING_DIMENSION - 1)] ^= 1;
    let leaves: Vec<Digest> = altered.chunks(size).map(merkle::leaf).collect();
    let lie = json!([
        { "at": "/aggregate", "set": proof(&altered) },
        { "at": "/aggregate_root", "set": merkle::root(&leaves).to_string() },
    ]);
    let no_path: Vec<Value> = Vec::new();
    for (why, change, code) in [
        ("A27: an aggregate altered before its root was published", lie, "spot-check.sum"),
        ("A27: one byte of an aggregate's chunk", flip("/aggregate/chunk", 0), "spot-check.aggregate"),
        ("another aggregate's root", flip("/aggregate_root", 0), "spot-check.aggregate"),
        ("the aggregate's path altered", flip("/aggregate/path/0", 0), "spot-check.aggregate"),
        ("one byte of an upload's chunk", flip("/uploads/2/chunk", 8191), "spot-check.upload"),
        ("an upload's path altered", flip("/uploads/0/path/0", 31), "spot-check.upload"),
        ("an upload's path missing", set("/uploads/0/path", no_path), "spot-check.upload"),
        ("a chunk cut short", cut("/uploads/1/chunk", 8191), "spot-check.upload"),
        ("two uploads swapped", swap("/uploads", 0, 1), "spot-check.upload"),
        ("another chunk than was asked for", set("/index", 0), "spot-check.upload"),
        ("no such chunk", set("/index", 2), "spot-check.no-such-chunk"),
        ("a survivor's chunk missing", drop_one("/uploads", 0), "spot-check.count"),
        ("a survivor's chunk twice", repeat("/uploads", 0), "spot-check.count"),
    ] {
        document.refused(name, why, change, code);
    }
    document
}
