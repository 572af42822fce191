//! Signed messages as vectors write them, and what lists of them amount to.

use std::sync::Arc;

use ed25519_dalek::{Signature, SigningKey};
use serde_json::{Value, json};
use syndic_round::eligibility::Acks;
use syndic_round::message::{
    Ack, Advertise, Certify, Context, Dealing, Decline, Header, Kind, Payload, PublicPart, Reveal, Verdict,
    Void,
};
use syndic_round::{
    Certificate, Cohort, Digest, Rejection, RoundId, RoundPlan, SealedRoster, Signed, SurvivorSet,
    Transcript, Voided,
};

use super::terms::{round_plan, sealed_roster};
use super::value::{
    Code, array, byte_strings, bytes, digest, hex_of_words, id, list, number, text, words_of,
};

pub(super) fn sign(input: &Value) -> Value {
    let (context, message) = (context(input), &input["message"]);
    let key = SigningKey::from_bytes(&array(input, "signing_seed"));
    let signed = match text(input, "kind") {
        "advertise" => advertise(message).sign(context, &key),
        "dealing" => dealing(message).sign(context, &key),
        "ack" => ack(message).sign(context, &key),
        "header" => header(message).sign(context, &key),
        "certify" => certify(message).sign(context, &key),
        "reveal" => reveal(message).sign(context, &key),
        "void" => void(message).sign(context, &key),
        "decline" => decline(message).sign(context, &key),
        other => panic!("there is no kind `{other}`"),
    };
    let statement = statement(text(input, "kind"), context, &signed.payload);
    let signature = Signature::from_bytes(&signed.signature);
    key.verifying_key().verify_strict(&statement, &signature).expect("this is what a signature covers");
    json!({
        "payload": hex::encode(&signed.payload),
        "statement": hex::encode(statement),
        "signed": hex::encode(signed.to_bytes()),
    })
}

/// The bytes that a signature covers, from the README of the vectors and not from the shipped code.
fn statement(kind: &str, context: Context, payload: &[u8]) -> Vec<u8> {
    let h1 = context.h1.map_or(Vec::new(), |h1| h1.as_bytes().to_vec());
    let (ctx0, payload) = (context.ctx0.as_bytes(), Digest::of(payload));
    [b"KSA/1 ", kind.as_bytes(), ctx0, &h1, payload.as_bytes()].concat()
}

pub(super) fn verify(input: &Value) -> Result<Value, Code> {
    let (context, roster) = (context(input), sealed_roster(&input["roster"])?);
    let signed = Signed::from_bytes(&bytes(input, "signed")).map_err(|_| "round.malformed")?;
    let verified = match text(input, "kind") {
        "advertise" => signed.verify::<Advertise>(context, &roster).map(|m| m.encode()),
        "dealing" => signed.verify::<Dealing>(context, &roster).map(|m| m.encode()),
        "ack" => signed.verify::<Ack>(context, &roster).map(|m| m.encode()),
        "header" => signed.verify::<Header>(context, &roster).map(|m| m.encode()),
        "certify" => signed.verify::<Certify>(context, &roster).map(|m| m.encode()),
        "reveal" => signed.verify::<Reveal>(context, &roster).map(|m| m.encode()),
        "void" => signed.verify::<Void>(context, &roster).map(|m| m.encode()),
        "decline" => signed.verify::<Decline>(context, &roster).map(|m| m.encode()),
        other => panic!("there is no kind `{other}`"),
    };
    let encoded = verified.map_err(code)?;
    assert_eq!(encoded, signed.payload, "there is one encoding");
    Ok(json!({ "from": signed.from.get(), "digest": signed.digest().to_string() }))
}

/// Everything that the participants of a closed round signed, checked.
pub(super) fn transcript(input: &Value) -> Result<Value, Code> {
    let transcript = read_transcript(input)?;
    let certificate = &transcript.certificate;
    let encoded = transcript.to_bytes();
    let again = Transcript::from_bytes(&encoded, &sealed_roster(&input["roster"])?).map_err(code)?;
    assert_eq!(again.to_bytes(), encoded);
    Ok(json!({
        "h1": transcript.cohort.h1().to_string(),
        "survivor_set": certificate.survivors().digest().to_string(),
        "survivors": certificate.survivors().ids(),
        "transcript_sha256": Digest::of(&encoded).to_string(),
    }))
}

pub(super) fn read_transcript(input: &Value) -> Result<Transcript, Code> {
    let (plan, roster, cohort) = read_cohort(input)?;
    let survivors = SurvivorSet::from_headers(&plan, &cohort, &roster, signed(input, "headers")?);
    let certificate =
        Certificate::verify(&plan, &cohort, &roster, survivors.map_err(code)?, signed(input, "signatures")?);
    Ok(Transcript { plan, cohort: Arc::new(cohort), certificate: Arc::new(certificate.map_err(code)?) })
}

fn read_cohort(input: &Value) -> Result<(RoundPlan, SealedRoster, Cohort), Code> {
    let (plan, roster) = (round_plan(&input["plan"])?, sealed_roster(&input["roster"])?);
    let cohort = Cohort::assemble(&plan.terms, &roster, signed(input, "adverts")?).map_err(code)?;
    Ok((plan, roster, cohort))
}

/// Whether a dealer may submit by the acknowledgements of its cohort.
pub(super) fn eligible(input: &Value) -> Result<Value, Code> {
    let (plan, roster, cohort) = read_cohort(input)?;
    let acks = Acks::verify(signed(input, "acks")?, &cohort, &roster).map_err(code)?;
    acks.check(id(input, "dealer"), digest(input, "dealing"), &plan.terms.protection).map_err(code)?;
    Ok(json!({ "complaints": acks.complaints(id(input, "dealer")) }))
}

/// Whether an attempt is void by the promises of its cohort.
pub(super) fn voided(input: &Value) -> Result<Value, Code> {
    let (plan, roster, cohort) = read_cohort(input)?;
    let voids = signed(input, "voids")?;
    let voided = Voided::verify(
        plan.id,
        cohort.context(),
        &plan.terms.protection,
        &plan.terms.admitted,
        &roster,
        voids,
    )
    .map_err(code)?;
    Ok(json!({ "attempt": voided.round().to_string(), "promises": voided.signatures().len() }))
}

pub(super) fn signed(input: &Value, key: &str) -> Result<Vec<Signed>, Code> {
    let read = |bytes: Vec<u8>| Signed::from_bytes(&bytes).map_err(|_| "round.malformed".into());
    byte_strings(input, key).into_iter().map(read).collect()
}

fn code(rejection: Rejection) -> Code {
    rejection.code().into()
}

fn context(input: &Value) -> Context {
    Context { ctx0: digest(input, "ctx0"), h1: input.get("h1").map(|_| digest(input, "h1")) }
}

fn advertise(m: &Value) -> Advertise {
    Advertise { id: id(m, "id"), kem_key: bytes(m, "kem_key"), nonce: array(m, "nonce") }
}

fn dealing(m: &Value) -> Dealing {
    let share = |one: &Value| (id(one, "to"), digest(one, "sealed_sha256"));
    Dealing { id: id(m, "id"), shares: list(m, "shares").iter().map(share).collect(), public: public_part(m) }
}

pub(super) fn public_part(m: &Value) -> PublicPart {
    let digest = |bytes: Vec<u8>| Digest(bytes.try_into().unwrap());
    let mut checks = byte_strings(m, "checks").into_iter().map(|check| words_of(&check));
    PublicPart {
        commitments: byte_strings(m, "commitments").into_iter().map(digest).collect(),
        checks: std::array::from_fn(|_| checks.next().unwrap()),
    }
}

pub(super) fn public_part_written(public: &PublicPart) -> Value {
    let check = |check: &Vec<u64>| hex_of_words(check.iter().copied());
    json!({
        "commitments": public.commitments.iter().map(Digest::to_string).collect::<Vec<_>>(),
        "checks": public.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn ack(m: &Value) -> Ack {
    let verdict = |one: &Value| Verdict {
        dealer: id(one, "dealer"),
        dealing: digest(one, "dealing"),
        ok: one["ok"].as_bool().unwrap(),
    };
    Ack { id: id(m, "id"), verdicts: list(m, "verdicts").iter().map(verdict).collect() }
}

fn header(m: &Value) -> Header {
    Header {
        id: id(m, "id"),
        h1: digest(m, "h1"),
        preparation: number(m, "preparation"),
        round: round_id(m),
        plan: digest(m, "plan"),
        chunks: number(m, "chunks"),
        root: digest(m, "root"),
    }
}

fn certify(m: &Value) -> Certify {
    Certify { id: id(m, "id"), survivors: digest(m, "survivor_set") }
}

fn reveal(m: &Value) -> Reveal {
    Reveal { id: id(m, "id"), survivors: digest(m, "survivor_set"), share_sum: bytes(m, "share_sum") }
}

fn void(m: &Value) -> Void {
    Void { id: id(m, "id"), round: round_id(m) }
}

fn decline(m: &Value) -> Decline {
    Decline { id: id(m, "id"), round: round_id(m), reason: text(m, "reason").into() }
}

fn round_id(m: &Value) -> RoundId {
    RoundId { round: number(m, "round"), attempt: number(m, "attempt") }
}

/// The names of all kinds.
pub(super) const KINDS: [Kind; 8] = [
    Kind::Advertise,
    Kind::Dealing,
    Kind::Ack,
    Kind::Header,
    Kind::Certify,
    Kind::Reveal,
    Kind::Void,
    Kind::Decline,
];
