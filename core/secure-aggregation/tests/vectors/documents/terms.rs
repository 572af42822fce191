//! Rosters and plans.

use serde_json::json;
use syndic_round::ParameterSet;

use super::super::value::text;
use super::federation::{self, signing_key};
use super::{Document, cut, drop_one, flip, set, swap};

pub(super) fn roster() -> Document {
    let mut document = Document::new("roster", "The members of a federation, signed by all of them.");
    let name = "a roster of four";
    document.case(name, "roster", federation::roster(4));
    let of_first = hex::encode(signing_key(2).verifying_key().to_bytes());
    let identity = format!("01{}", "00".repeat(31));
    let off_the_curve = format!("02{}", "00".repeat(31));
    for (why, change, code) in [
        ("a signature altered", flip("/endorsements/3/signature", 0), "roster.unsigned"),
        ("a signature altered in its scalar", flip("/endorsements/0/signature", 40), "roster.unsigned"),
        ("a signature missing", drop_one("/endorsements", 1), "roster.unsigned"),
        ("a signature under another name", set("/endorsements/2/member", 5), "roster.unsigned"),
        ("another federation", set("/federation", "another"), "roster.unsigned"),
        ("another name", set("/members/1/name", "bank_x"), "roster.unsigned"),
        ("another ledger key", flip("/coordinator_key", 31), "roster.unsigned"),
        ("another member's key", set("/members/1/signing_key", of_first), "roster.order"),
        ("members out of order", swap("/members", 0, 1), "roster.order"),
        ("two members of one name", set("/members/1/name", "bank_2"), "roster.order"),
        ("a name in capitals", set("/members/0/name", "Bank"), "roster.name"),
        ("a federation without a name", set("/federation", ""), "roster.name"),
        ("a key of small order", set("/members/2/signing_key", identity), "roster.key"),
        ("a key that is no point", set("/members/2/signing_key", off_the_curve), "roster.key"),
        (
            "two members",
            json!([{ "at": "/members", "drop": 0 }, { "at": "/members", "drop": 0 }]),
            "roster.size",
        ),
    ] {
        document.refused(name, why, change, code);
    }
    document
}

pub(super) fn plan() -> Document {
    let mut document = Document::new("plan", "The terms of an attempt: their bytes, their digest, ctx0.");
    let name = "a plan of three";
    let layout = json!([
        { "name": "count", "len": 1, "bound": 1.0, "resolution": 1.0 },
        { "name": "gradient", "len": 3000, "bound": 4.0, "resolution": 0.0009765625 },
    ]);
    let mut plan = federation::plan(&federation::roster(4), ParameterSet::S32, 3, layout);
    plan["place"] = "train/3".into();
    let out = document.case(name, "plan", plan.clone());
    for (why, change, code) in [
        ("two institutions", drop_one("/admitted", 0), "plan.cohort"),
        ("a threshold above the admitted", set("/threshold", 4), "plan.threshold-unreachable"),
        ("2t > n + c does not hold", set("/threshold", 2), "plan.quorum"),
        ("too many colluding", set("/colluding", 3), "plan.quorum"),
        ("t >= c + 2 does not hold", set("/colluding", 2), "plan.anonymity"),
        ("survivors fewer than t", set("/min_survivors", 2), "plan.min-survivors"),
        ("survivors more than n", set("/min_survivors", 4), "plan.min-survivors"),
        ("institutions out of order", swap("/admitted", 0, 1), "plan.admitted"),
        ("round zero", set("/round", 0), "plan.number"),
        ("attempt zero", set("/attempt", 0), "plan.number"),
        ("preparation zero", set("/preparation", 0), "plan.number"),
        ("no time to reveal", set("/deadlines/4", 0), "plan.deadline"),
        ("a block without values", set("/layout/0/len", 0), "plan.malformed"),
        ("a bound below zero", set("/layout/1/bound", -4.0), "plan.malformed"),
        ("a resolution of zero", set("/layout/1/resolution", 0.0), "plan.malformed"),
        ("a resolution too fine", set("/layout/1/resolution", 1e-16), "plan.malformed"),
        ("two blocks of one name", set("/layout/1/name", "count"), "plan.malformed"),
        ("a job's name with a space", set("/job", "vectors 1"), "plan.malformed"),
    ] {
        document.refused(name, why, change, code);
    }
    for (why, change, pointer) in [
        ("another preparation", set("/preparation", 6), "/ctx0"),
        ("another roster", flip("/roster", 0), "/ctx0"),
        ("another parameter set", set("/set", "KSA-S40"), "/ctx0"),
        ("another attempt", set("/attempt", 3), "/digest"),
        ("another question", flip("/question", 0), "/digest"),
        ("another agreement", flip("/agreement", 0), "/digest"),
        ("another bound", set("/layout/1/bound", 4.5), "/digest"),
        ("more time", set("/deadlines/0", 60_001), "/digest"),
        ("another place in the program", set("/place", "train/4"), "/fingerprint"),
    ] {
        document.differs(name, why, change, pointer);
    }
    let name = "the plan's bytes";
    let encoded = text(&out, "bytes").to_owned();
    document.case(name, "read-plan", json!({ "bytes": encoded }));
    // Where the numbers stand that the bytes hold twice nowhere: protocol, federation, roster, job, agreement, round,
    // attempt, preparation and the set's name come before them.
    let numbers = (4 + 5) + (4 + 12) + 32 + (4 + 9) + 32 + 4 + 4 + 8 + (4 + 7);
    for (why, change, code) in [
        ("a byte missing", cut("/bytes", encoded.len() / 2 - 1), "plan.malformed"),
        ("a byte too many", set("/bytes", format!("{encoded}00")), "plan.malformed"),
        ("nothing", cut("/bytes", 0), "plan.malformed"),
        ("another protocol", flip("/bytes", 8), "plan.malformed"),
        ("another parameter set's name", flip("/bytes", numbers - 1), "plan.malformed"),
        ("a threshold of two", flip("/bytes", numbers + 1), "plan.quorum"),
        ("an institution of id zero", set("/bytes", without_first(&encoded, numbers)), "plan.malformed"),
    ] {
        document.refused(name, why, change, code);
    }
    document
}

/// The encoding with the first institution's id zero.
fn without_first(encoded: &str, numbers: i64) -> String {
    let mut bytes = hex::decode(encoded).unwrap();
    let first = numbers as usize + 6 + 4;
    assert_eq!(bytes[first..first + 2], [0, 2]);
    bytes[first + 1] = 0;
    hex::encode(bytes)
}
