//! Shares of keys, seals, Merkle trees.

use rand_core::Rng;
use serde_json::{Value, json};
use syndic_round::{Digest, ParticipantId};

use super::super::shares::kem_secret;
use super::super::value::{hex_of_words, list, text, words};
use super::{Document, cut, drawn_for, drop_one, federation, flip, random_bytes, random_hex, set, swap};
use crate::field::P;
use crate::sharing::{KeyShare, SharingContext};
use crate::verification::commitment;

pub(super) fn sharing() -> Document {
    let about = "Verifiable sharing of a key: shares, commitments, challenges, check polynomials.";
    let mut document = Document::new("sharing", about);
    let mut rng = drawn_for("sharing");
    for (n, threshold) in [(3, 3), (5, 4), (9, 7)] {
        let mut input = federation::sharing(n, threshold, &mut rng);
        input["dealer"] = 5.into();
        input["h1"] = Digest::of(b"sharing").to_string().into();
        input["cohort"] = federation::ids(n).into();
        input["threshold"] = threshold.into();
        let name = format!("a key among {n}, any {threshold} restore it");
        let out = document.case(&name, "share", input.clone());
        document.differs(&name, "another cohort's transcript", flip("/h1", 0), "/public/commitments");
        document.differs(&name, "another key", flip("/key", 0), "/shares/0");
        document.differs(&name, "another salt", flip("/salts", 0), "/challenges");
        if n == 5 {
            for (why, change, code) in [
                ("a threshold of one hands the key out", set("/threshold", 1), "share.threshold"),
                ("a threshold above the cohort", set("/threshold", 6), "share.threshold"),
                ("a cohort out of order", swap("/cohort", 0, 1), "share.cohort"),
                ("a member twice", set("/cohort/1", 2), "share.cohort"),
            ] {
                document.refused(&name, why, change, code);
            }
            verifying(&mut document, &input, &out);
        }
    }
    document
}

fn verifying(document: &mut Document, input: &Value, out: &Value) {
    let name = "the share of the holder with id 8";
    let share = list(out, "shares")[2].as_str().unwrap();
    let mut good = json!({ "holder": 8, "share": share, "public": out["public"] });
    for key in ["dealer", "h1", "cohort", "threshold"] {
        good[key] = input[key].clone();
    }
    document.case(name, "verify-share", good);

    // A dealer that commits to a share off its polynomials.
    let ids: Vec<_> = federation::ids(5).into_iter().map(|id| ParticipantId::new(id).unwrap()).collect();
    let context = SharingContext { dealer: ids[1], h1: Digest::of(b"sharing"), cohort: &ids, threshold: 4 };
    let mut altered = hex::decode(share).unwrap();
    altered[100] ^= 1;
    let committed = commitment(&context, ids[2], &KeyShare::from_bytes(&altered, 5).unwrap()).to_string();
    let cheat = json!([
        { "at": "/share", "set": hex::encode(altered) }, { "at": "/public/commitments/2", "set": committed },
    ]);
    let not_canonical = |position: usize| {
        let mut bytes = hex::decode(share).unwrap();
        bytes[8 * position..8 * position + 8].copy_from_slice(&P.to_le_bytes());
        set("/share", hex::encode(bytes))
    };
    let checks = words(&json!({ "check": out["public"]["checks"][0] }), "check");
    let with_check = |terms: Vec<u64>| set("/public/checks/0", hex_of_words(terms));
    let mut large = checks.clone();
    large[0] = P;
    for (why, change, code) in [
        ("A16: an element altered", flip("/share", 100), "share.commitment"),
        ("a blinding value altered", flip("/share", 8 * 343), "share.commitment"),
        ("the salt altered", flip("/share", -1), "share.commitment"),
        ("A15: another holder", set("/holder", 11), "share.commitment"),
        ("A15: another dealer", set("/dealer", 8), "share.commitment"),
        ("another transcript", flip("/h1", 0), "share.commitment"),
        ("another commitment", flip("/public/commitments/2", 0), "share.commitment"),
        ("another holder's commitment is another", flip("/public/commitments/0", 0), "share.polynomial"),
        ("a check polynomial altered", flip("/public/checks/1", 8), "share.polynomial"),
        ("A16: committed to, and off the polynomials", cheat, "share.polynomial"),
        ("a holder outside the cohort", set("/holder", 3), "share.holder"),
        ("a commitment missing", drop_one("/public/commitments", 4), "share.public-part"),
        ("a check polynomial of a term too few", cut("/public/checks/0", 24), "share.public-part"),
        (
            "a check polynomial of a term too many",
            with_check([checks.as_slice(), &[1]].concat()),
            "share.public-part",
        ),
        ("a term that is not below p", with_check(large), "share.public-part"),
        ("another threshold", set("/threshold", 3), "share.public-part"),
        ("an element that is p", not_canonical(0), "share.not-canonical"),
        ("a blinding value that is p", not_canonical(343), "share.not-canonical"),
        ("a byte missing", cut("/share", share.len() / 2 - 1), "share.length"),
        ("no share", cut("/share", 0), "share.length"),
    ] {
        document.refused(name, why, change, code);
    }
}

pub(super) fn sealing() -> Document {
    let about =
        "HPKE with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305: sealing with given randomness, opening.";
    let mut document = Document::new("sealing", about);
    let mut rng = drawn_for("sealing");
    let kem_seed = random_hex(32, &mut rng);
    let kem_key = kem_secret(&json!({ "kem_seed": kem_seed })).public().to_bytes();
    for (what, plaintext) in [
        ("nothing", Vec::new()),
        ("a hundred bytes", random_bytes(100, &mut rng)),
        ("a share's length", random_bytes(344 * 8 + 32, &mut rng)),
    ] {
        let context = json!({ "sender": 2, "recipient": 5, "h1": Digest::of(b"sealing").to_string() });
        let mut input = context.clone();
        input["kem_key"] = hex::encode(&kem_key).into();
        input["randomness"] = random_hex(64, &mut rng).into();
        input["plaintext"] = hex::encode(&plaintext).into();
        let (seal, open) = (format!("seal {what}"), format!("open {what}"));
        let out = document.case(&seal, "seal", input);
        let mut input = context;
        input["kem_seed"] = kem_seed.clone().into();
        input["sealed"] = out["sealed"].clone();
        document.case(&open, "open-seal", input);
        if plaintext.len() == 100 {
            twins_of_seals(&mut document, &seal, &open, text(&out, "sealed").len() / 2, &kem_key);
        }
    }
    document
}

fn twins_of_seals(document: &mut Document, seal: &str, open: &str, length: usize, kem_key: &[u8]) {
    document.differs(seal, "other randomness for ML-KEM", flip("/randomness", 0), "/sealed");
    document.differs(seal, "other randomness for X25519", flip("/randomness", 63), "/sealed");
    let mut not_canonical = kem_key.to_vec();
    not_canonical[..3].fill(0xff);
    for (why, change) in [
        ("a key of 1215 bytes", cut("/kem_key", 1215)),
        ("a key with a coefficient of 4095", set("/kem_key", hex::encode(not_canonical))),
    ] {
        document.refused(seal, why, change, "seal.key");
    }
    for (why, change) in [
        ("the ML-KEM ciphertext altered", flip("/sealed", 0)),
        ("its last byte altered", flip("/sealed", 1087)),
        ("the X25519 key altered", flip("/sealed", 1088)),
        ("the ciphertext altered", flip("/sealed", 1120)),
        ("the tag altered", flip("/sealed", -1)),
        ("a byte missing", cut("/sealed", length - 1)),
        ("only the encapsulation", cut("/sealed", 1120)),
        ("less than the encapsulation", cut("/sealed", 1119)),
        ("A15: another sender", set("/sender", 8)),
        ("A15: another recipient", set("/recipient", 8)),
        ("another transcript", flip("/h1", 31)),
        ("another secret", flip("/kem_seed", 0)),
    ] {
        document.refused(open, why, change, "seal.open");
    }
}

pub(super) fn merkle() -> Document {
    let about = "The tree of RFC 6962 over chunks: roots, and the path of every chunk.";
    let mut document = Document::new("merkle", about);
    let mut rng = drawn_for("merkle");
    for count in [1, 2, 3, 5, 8, 13] {
        let length = |rng: &mut rand_chacha::ChaCha20Rng| (rng.next_u32() % 20) as usize;
        let chunks: Vec<String> = (0..count)
            .map(|_| length(&mut rng))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|l| random_hex(l, &mut rng))
            .collect();
        let (tree, leaf) = (format!("{count} chunks"), format!("the last of {count} chunks"));
        let out = document.case(&tree, "merkle", json!({ "chunks": chunks }));
        if count > 2 {
            document.differs(&tree, "chunks swapped", swap("/chunks", 0, 1), "/root");
            document.differs(&tree, "a chunk missing", drop_one("/chunks", 2), "/root");
        }
        let path = list(&out, "paths").last().unwrap().clone();
        let longer: Vec<Value> =
            path.as_array().unwrap().iter().cloned().chain([Value::from("00".repeat(32))]).collect();
        let input =
            json!({ "chunk": chunks.last().unwrap(), "index": count - 1, "count": count, "path": path });
        document.case(&leaf, "merkle-path", input);
        document.differs(&leaf, "a longer path leads nowhere", set("/path", longer), "/root");
        document.differs(&leaf, "no such chunk", set("/index", count), "/root");
        if count > 1 {
            document.differs(&leaf, "another index", set("/index", 0), "/root");
            document.differs(&leaf, "another chunk", set("/chunk", "00"), "/root");
            document.differs(&leaf, "another path", flip("/path/0", 0), "/root");
            document.differs(&leaf, "a shorter path leads nowhere", drop_one("/path", 0), "/root");
        }
    }
    document
}
