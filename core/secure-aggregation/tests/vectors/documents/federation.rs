//! Federations whose every secret is given, and plans for them.

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use serde_json::{Value, json};
use syndic_round::message::{Context, Payload};
use syndic_round::{Digest, ParameterSet, ParticipantId, Protection, RING_DIMENSION, Roster, Signed};

use super::super::terms::{round_plan, sealed_roster};
use super::super::value::{array, digest, hex_of_words, id, list};
use super::{drawn_for, hex_of_key, random_elements, random_hex};
use crate::key::OneTimeKey;
use crate::packing::Packing;

/// The signing key of participant `id`, the same in all vectors.
pub(super) fn signing_seed(id: u16) -> [u8; 32] {
    *Digest::of(format!("signing key of participant {id}").as_bytes()).as_bytes()
}

pub(super) fn signing_key(id: u16) -> SigningKey {
    SigningKey::from_bytes(&signing_seed(id))
}

/// Ids with gaps, since ids are never reused.
pub(super) fn ids(n: u16) -> Vec<u16> {
    (0..n).map(|k| 3 * k + 2).collect()
}

/// A roster of `n` members, signed by all.
pub(super) fn roster(n: u16) -> Value {
    let member = |id: &u16| {
        let key = signing_key(*id).verifying_key().to_bytes();
        json!({ "id": id, "name": format!("bank_{id}"), "signing_key": hex::encode(key) })
    };
    let mut roster = json!({
        "federation": "test-vectors",
        "members": ids(n).iter().map(member).collect::<Vec<_>>(),
        "coordinator_key": hex::encode(signing_key(0).verifying_key().to_bytes()),
        "endorsements": [],
    });
    roster["endorsements"] = ids(n).into_iter().map(|member| endorsement(&roster, member)).collect();
    roster
}

fn endorsement(roster: &Value, member: u16) -> Value {
    let members = list(roster, "members").iter().map(|one| syndic_round::Member {
        id: id(one, "id"),
        name: one["name"].as_str().unwrap().into(),
        signing_key: array(one, "signing_key"),
    });
    let roster = Roster {
        federation: "test-vectors".into(),
        members: members.collect(),
        coordinator_key: array(roster, "coordinator_key"),
        approvers: Vec::new(),
    };
    let endorsement = roster.endorse(ParticipantId::new(member).unwrap(), &signing_key(member));
    json!({ "member": member, "signature": hex::encode(endorsement.signature) })
}

/// A plan for the first `n` members of `roster`, under the defaults.
pub(super) fn plan(roster: &Value, set: ParameterSet, n: u16, layout: Value) -> Value {
    let protection = Protection::default_for(set, n).unwrap();
    json!({
        "federation": "test-vectors",
        "roster": sealed_roster(roster).unwrap().digest().to_string(),
        "job": "vectors.1",
        "agreement": Digest::of(b"the job as it was agreed").to_string(),
        "round": 3,
        "attempt": 2,
        "preparation": 5,
        "set": set.name(),
        "threshold": protection.threshold(),
        "colluding": protection.colluding(),
        "min_survivors": protection.min_survivors(),
        "admitted": ids(n),
        "question": Digest::of(b"the question's bytes").to_string(),
        "layout": layout,
        "deadlines": [60_000, 60_000, 3_600_000, 60_000, 90_000],
    })
}

/// The input of a whole round: `n` of `members` take part, all but `dropped` submit.
pub(super) fn round(members: u16, n: u16, set: ParameterSet, layout: Value, dropped: &[u16]) -> Value {
    let roster = roster(members);
    let plan = plan(&roster, set, n, layout);
    let checked = round_plan(&plan).unwrap();
    let mut rng = drawn_for(&format!("round of {n} under {}", set.name()));
    let submits: Vec<u16> = ids(n).into_iter().filter(|id| !dropped.contains(id)).collect();
    let threshold = checked.terms.protection.threshold().into();
    let chunks = checked.coefficients() / RING_DIMENSION;
    let mut participant = |id: u16| {
        let mut one = secrets(id, n, threshold, &mut rng);
        let (values, errors) = if submits.contains(&id) {
            (values(&checked.layout, &mut rng), errors(set, chunks, &mut rng))
        } else {
            (Vec::new(), String::new())
        };
        one["values"] = values.into();
        one["errors"] = errors.into();
        one
    };
    let participants: Vec<Value> = ids(n).into_iter().map(&mut participant).collect();
    json!({ "roster": roster, "plan": plan, "participants": participants, "submits": submits })
}

/// What participant `id` draws up to its upload.
fn secrets(id: u16, n: u16, threshold: usize, rng: &mut ChaCha20Rng) -> Value {
    let mut sharing = sharing(n, threshold, rng);
    sharing["id"] = id.into();
    sharing["signing_seed"] = hex::encode(signing_seed(id)).into();
    sharing["kem_seed"] = random_hex(32, rng).into();
    sharing["nonce"] = random_hex(32, rng).into();
    sharing["seal_randomness"] = (0..n).map(|_| random_hex(64, rng)).collect();
    sharing["encrypts_with"] = Value::Null;
    sharing
}

/// A key, and what its dealer draws to share it among `n`.
pub(super) fn sharing(n: u16, threshold: usize, rng: &mut ChaCha20Rng) -> Value {
    let width = Packing::for_cohort(n.into()).elements() + 2;
    let mut row = |width: usize| hex_of_words(random_elements(width, rng));
    let (blinding, rows) = (row(2), (1..threshold).map(|_| row(width)).collect::<Vec<_>>());
    json!({
        "key": hex_of_key(&OneTimeKey::generate(rng)),
        "blinding": blinding,
        "rows": rows,
        "salts": random_hex(32 * usize::from(n), rng),
    })
}

/// Errors of the width that encryption draws them with: the sum of twelve uniform numbers instead of a Gaussian, so that
/// they are the same on every platform. Vectors give them; nobody encrypts with them.
fn errors(set: ParameterSet, chunks: usize, rng: &mut impl Rng) -> String {
    let mut error = || {
        let sum: i64 = (0..12).map(|_| i64::from(rng.next_u32())).sum();
        // The standard deviation of twelve is 2^32, and is to be 2^(62 - p).
        (((sum - (6 << 32)) << 6) >> (set.sent_bits() - 24)) as u64
    };
    hex_of_words((0..chunks * RING_DIMENSION).map(|_| error()))
}

/// Whole numbers of steps within the bounds.
fn values(layout: &syndic_round::Layout, rng: &mut impl Rng) -> Vec<f64> {
    let mut values = Vec::new();
    for block in layout.blocks() {
        let most = block.largest_step();
        for _ in 0..block.len {
            let step = (rng.next_u64() % (2 * most as u64 + 1)) as i64 - most;
            values.push(step as f64 * block.resolution);
        }
    }
    values
}

/// What signatures of `plan` are bound to.
pub(super) fn context(plan: &Value, h1: Option<&str>) -> Context {
    let ctx0 = round_plan(plan).unwrap().context();
    Context { ctx0, h1: h1.map(|h1| digest(&json!({ "h1": h1 }), "h1")) }
}

/// `message` signed by participant `id`, in hexadecimal.
pub(super) fn signed(id: u16, message: &impl Payload, context: Context) -> String {
    hex::encode(message.sign(context, &signing_key(id)).to_bytes())
}

/// A payload that the shipped code never writes, signed all the same.
pub(super) fn forged(id: u16, kind: &str, context: Context, payload: Vec<u8>) -> String {
    use ed25519_dalek::Signer;
    let h1 = context.h1.map_or(Vec::new(), |h1| h1.as_bytes().to_vec());
    let digest = Digest::of(&payload);
    let statement = [b"KSA/1 ", kind.as_bytes(), context.ctx0.as_bytes(), &h1, digest.as_bytes()].concat();
    let signature = signing_key(id).sign(&statement).to_bytes();
    hex::encode(Signed { from: ParticipantId::new(id).unwrap(), payload, signature }.to_bytes())
}
