//! Rosters and plans as vectors write them.

use serde_json::{Value, json};
use syndic_round::{
    Block, Deadlines, EndorsedRoster, Endorsement, JobId, Layout, Member, PreparationTerms, Protection,
    Roster, RoundId, RoundPlan, SealedRoster,
};

use super::value::{Code, array, bytes, digest, id, ids, list, number, set, text};

pub(super) fn roster(input: &Value) -> Result<Value, Code> {
    let sealed = sealed_roster(input)?;
    Ok(
        json!({ "digest": sealed.digest().to_string(), "statement": hex::encode(sealed.roster().statement()) }),
    )
}

pub(super) fn sealed_roster(input: &Value) -> Result<SealedRoster, Code> {
    let member = |one: &Value| Member {
        id: id(one, "id"),
        name: text(one, "name").into(),
        signing_key: array(one, "signing_key"),
    };
    let endorsement =
        |one: &Value| Endorsement { member: id(one, "member"), signature: array(one, "signature") };
    let roster = Roster {
        federation: text(input, "federation").into(),
        members: list(input, "members").iter().map(member).collect(),
        coordinator_key: array(input, "coordinator_key"),
        approvers: Vec::new(),
    };
    let endorsements = list(input, "endorsements").iter().map(endorsement).collect();
    EndorsedRoster { roster, endorsements }.verify().map_err(|error| error.code().into())
}

pub(super) fn plan(input: &Value) -> Result<Value, Code> {
    let plan = round_plan(input)?;
    Ok(json!({
        "bytes": hex::encode(plan.to_bytes()),
        "ctx0": plan.context().to_string(),
        "digest": plan.digest().to_string(),
        "fingerprint": plan.question_fingerprint(text(input, "place")).to_string(),
        "coefficients": plan.coefficients(),
    }))
}

pub(super) fn read_plan(input: &Value) -> Result<Value, Code> {
    let plan = RoundPlan::from_bytes(&bytes(input, "bytes")).map_err(|error| error.code())?;
    Ok(json!({ "ctx0": plan.context().to_string(), "digest": plan.digest().to_string() }))
}

/// A plan from its terms, every rule checked.
pub(super) fn round_plan(input: &Value) -> Result<RoundPlan, Code> {
    let admitted = ids(input, "admitted");
    let protection = Protection::new(
        set(input),
        admitted.len() as u16,
        number(input, "threshold"),
        number(input, "colluding"),
        number(input, "min_survivors"),
    );
    let millis = |k: usize| list(input, "deadlines")[k].as_u64().unwrap();
    let plan = RoundPlan {
        terms: PreparationTerms {
            federation: text(input, "federation").into(),
            roster: digest(input, "roster"),
            job: JobId::new(text(input, "job")).ok_or("plan.malformed")?,
            agreement: digest(input, "agreement"),
            number: number(input, "preparation"),
            protection: protection.map_err(|error| error.code())?,
            admitted,
            deadlines: Deadlines {
                advertise: millis(0),
                share: millis(1),
                collect: millis(2),
                certify: millis(3),
                reveal: millis(4),
            },
        },
        id: RoundId { round: number(input, "round"), attempt: number(input, "attempt") },
        question: digest(input, "question"),
        layout: layout(input)?,
        carrier: Default::default(),
    };
    plan.check().map_err(|error| error.code())?;
    Ok(plan)
}

/// Blocks that are no layout make a malformed plan.
pub(super) fn layout(input: &Value) -> Result<Layout, Code> {
    let block = |one: &Value| Block {
        name: text(one, "name").into(),
        len: number(one, "len"),
        bound: one["bound"].as_f64().unwrap(),
        resolution: one["resolution"].as_f64().unwrap(),
    };
    Layout::new(list(input, "layout").iter().map(block).collect()).map_err(|_| "plan.malformed".into())
}
