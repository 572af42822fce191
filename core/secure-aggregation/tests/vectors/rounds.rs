//! A whole round, every message of it by the shipped state machines, with all that was drawn as a vector gives it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use syndic_round::coordinator::Bundle;
use syndic_round::participant::{Accepted, Acknowledged, Bound, Certified, Invited, Joined, Received};
use syndic_round::{
    Admission, Certificate, Cohort, Contribution, Digest, ParticipantId, RING_DIMENSION, Rejection,
    RoundPlan, Signed, Sum, SurvivorSet, Transcript,
};

use super::arithmetic::{hex_of_small, key};
use super::coding::{body, sent, steps, sum_code, values};
use super::shares::{kem_secret, shared};
use super::terms::{round_plan, sealed_roster};
use super::value::{Code, Dictated, array, byte_strings, id, ids, list, words};
use crate::aggregate::Aggregate;
use crate::encrypt::EncryptedUpdate;
use crate::masks::Masks;
use crate::reveal::{KeyShareSum, reconstruct};
use crate::seal::{KemPublic, SealContext};
use crate::sharing::{KeyShare, SharingContext};
use crate::unmask::unmask;

/// What a round leaves behind, for the vectors that look at one part of it.
pub(super) struct Played {
    pub(super) plan: RoundPlan,
    pub(super) cohort: Arc<Cohort>,
    pub(super) dealings: Vec<Signed>,
    /// SHA-256 of each dealer's sealed shares in their one encoding.
    bundles: Vec<String>,
    pub(super) acks: Vec<Signed>,
    pub(super) updates: BTreeMap<ParticipantId, EncryptedUpdate>,
    pub(super) survivors: SurvivorSet,
    pub(super) certificate: Certificate,
    pub(super) share_sums: Vec<(ParticipantId, KeyShareSum)>,
    pub(super) reveals: Vec<Signed>,
    pub(super) aggregate: Aggregate,
}

pub(super) fn round(input: &Value) -> Result<Value, Code> {
    let played = play(input)?;
    let Played { plan, cohort, survivors, aggregate, .. } = &played;
    let restored =
        reconstruct(&played.share_sums, plan.terms.protection.threshold(), cohort.len(), survivors);
    let keys = restored.map_err(|error| error.code())?.keys;
    let unmasked = unmask(aggregate, survivors, &keys, &Masks::new(&cohort.h1()));
    let coefficients = unmasked.map_err(|error| error.code())?;
    let sum = Sum::decode(plan.layout.clone(), &plan.coding(), survivors.len() as u16, &coefficients);
    let sum = sum.map_err(sum_code)?;
    let written =
        |signed: &[Signed]| signed.iter().map(|one| hex::encode(one.to_bytes())).collect::<Vec<_>>();
    let upload = |update: &EncryptedUpdate| json!({ "root": update.root().to_string(), "sha256": Digest::of(update.bytes()).to_string() });
    let (cohort, certificate) = (cohort.clone(), Arc::new(played.certificate.clone()));
    let transcript = Transcript { plan: plan.clone(), cohort: cohort.clone(), certificate };
    Ok(json!({
        "ctx0": plan.context().to_string(),
        "h1": cohort.h1().to_string(),
        "adverts": written(cohort.adverts()),
        "dealings": written(&played.dealings),
        "bundles_sha256": played.bundles,
        "acks": written(&played.acks),
        "uploads": played.updates.values().map(upload).collect::<Vec<_>>(),
        "headers": written(survivors.signed()),
        "survivor_set": survivors.digest().to_string(),
        "signatures": written(played.certificate.signatures()),
        "reveals": written(&played.reveals),
        "key_sum": hex_of_small(keys.coefficients()),
        "aggregate": upload_of(aggregate),
        "steps": steps(&sum)["steps"],
        "sum_sha256": Digest::of(&sum.to_bytes()).to_string(),
        "transcript_sha256": Digest::of(&transcript.to_bytes()).to_string(),
    }))
}

fn upload_of(aggregate: &Aggregate) -> Value {
    json!({ "root": aggregate.root().to_string(), "sha256": Digest::of(aggregate.bytes()).to_string() })
}

/// Plays a round as far as the reveals.
pub(super) fn play(input: &Value) -> Result<Played, Code> {
    let plan = round_plan(&input["plan"])?;
    let participants = list(input, "participants");
    let seat = |one: &Value| SigningKey::from_bytes(&array(one, "signing_seed"));
    let (joined, cohort) = advertise(input, &plan)?;
    let (dealings, bundles, acknowledged, acks, held) = share(participants, &plan, joined, &cohort)?;

    let (submits, masks) = (ids(input, "submits"), Masks::new(&cohort.h1()));
    let bind = |(id, stage): (ParticipantId, Acknowledged)| Ok((id, stage.bind(plan.clone().into())?));
    let bound: Result<BTreeMap<ParticipantId, Bound>, Rejection> =
        acknowledged.into_iter().map(bind).collect();
    let mut stages = bound.map_err(|error| error.code())?;
    let (mut updates, mut headers) = (BTreeMap::new(), Vec::new());
    let mut aggregate =
        Aggregate::new(plan.terms.protection.parameter_set(), plan.coefficients() / RING_DIMENSION);
    for one in participants.iter().filter(|one| submits.contains(&id(one, "id"))) {
        let stage = stages.get_mut(&id(one, "id")).unwrap();
        let update = upload(one, &plan, &masks);
        let eligible = stage.may_submit(acks.clone()).map_err(|error| error.code())?;
        headers.push(stage.submit(eligible, update.root(), &seat(one)));
        aggregate.fold(id(one, "id"), update.bytes()).map_err(|error| error.code())?;
        updates.insert(id(one, "id"), update);
    }

    let mut certified: BTreeMap<ParticipantId, Certified> = BTreeMap::new();
    let mut signatures = Vec::new();
    for one in participants {
        let stage = stages.remove(&id(one, "id")).unwrap();
        let checked = stage.check_survivors(headers.clone()).map_err(|error| error.code())?;
        let (next, signed) = stage.certify(checked, &seat(one));
        certified.insert(id(one, "id"), next);
        signatures.push(signed);
    }
    let first = certified.values().next().expect("somebody takes part");
    let certificate = first.check(signatures.clone()).map_err(|error| error.code())?;

    let (mut share_sums, mut reveals) = (Vec::new(), Vec::new());
    for one in participants {
        let stage = certified.remove(&id(one, "id")).unwrap();
        let certificate = stage.check(signatures.clone()).map_err(|error| error.code())?;
        let sum = KeyShareSum::of(&held[&id(one, "id")], &certificate).map_err(|error| error.code())?;
        reveals.push(stage.reveal(&certificate, sum.to_bytes(), &seat(one)));
        share_sums.push((id(one, "id"), sum));
    }
    let survivors = certificate.survivors().clone();
    Ok(Played {
        plan,
        cohort,
        dealings,
        bundles,
        acks,
        updates,
        survivors,
        certificate,
        share_sums,
        reveals,
        aggregate,
    })
}

/// Phase A.
fn advertise(input: &Value, plan: &RoundPlan) -> Result<(Vec<Joined>, Arc<Cohort>), Code> {
    let roster = Arc::new(sealed_roster(&input["roster"])?);
    let accepted = Accepted {
        job: plan.terms.job.clone(),
        agreement: plan.terms.agreement,
        protection: plan.terms.protection,
        admission: Admission::of_all(plan.terms.admitted.clone()),
        deadlines: plan.terms.deadlines,
    };
    let (mut stages, mut adverts) = (Vec::new(), Vec::new());
    for one in list(input, "participants") {
        let invited = Invited::check(plan.terms.clone(), &accepted, roster.clone(), id(one, "id"))
            .map_err(|error| error.code())?;
        let kem_key = kem_secret(one).public().to_bytes();
        let key = SigningKey::from_bytes(&array(one, "signing_seed"));
        let (stage, signed) = invited.advertise(kem_key, array(one, "nonce"), &key);
        stages.push(stage);
        adverts.push(signed);
    }
    let joined: Result<Vec<Joined>, Code> = stages
        .into_iter()
        .map(|stage| stage.join(adverts.clone()).map_err(|error| error.code().into()))
        .collect();
    let joined = joined?;
    let cohort = joined[0].cohort().clone();
    Ok((joined, cohort))
}

type Shared = (
    Vec<Signed>,
    Vec<String>,
    BTreeMap<ParticipantId, Acknowledged>,
    Vec<Signed>,
    BTreeMap<ParticipantId, BTreeMap<ParticipantId, KeyShare>>,
);

/// Phases B and C.
fn share(
    participants: &[Value],
    plan: &RoundPlan,
    joined: Vec<Joined>,
    cohort: &Cohort,
) -> Result<Shared, Code> {
    let (h1, threshold) = (cohort.h1(), plan.terms.protection.threshold());
    let sharing = |dealer| SharingContext { dealer, h1, cohort: cohort.ids(), threshold };
    let (mut dealings, mut all_sealed) = (Vec::new(), Vec::new());
    for (one, stage) in participants.iter().zip(&joined) {
        let made = shared(one, &sharing(id(one, "id")))?;
        let randomness = byte_strings(one, "seal_randomness");
        let mut sealed = Vec::new();
        for ((to, share), randomness) in made.shares.iter().zip(randomness) {
            let context = SealContext { sender: id(one, "id"), recipient: *to, h1 };
            let public = KemPublic::from_bytes(cohort.kem_key(*to).unwrap()).unwrap();
            let mut dictated = Dictated::new(randomness);
            sealed.push((*to, public.seal(&share.to_bytes(), &context, &mut dictated)));
        }
        let key = SigningKey::from_bytes(&array(one, "signing_seed"));
        dealings.push(stage.deal(made.public, &sealed, &key));
        all_sealed.push(sealed);
    }
    let (mut stages, mut acks, mut held) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for (slot, (one, stage)) in participants.iter().zip(joined).enumerate() {
        let me = id(one, "id");
        let mut shares = BTreeMap::new();
        for (dealing, sealed) in dealings.iter().zip(&all_sealed) {
            let received = Received { public: dealing.clone(), sealed: sealed[slot].1.clone() };
            let public = stage.check_share(&received).map_err(|error| error.code())?;
            let context = SealContext { sender: dealing.from, recipient: me, h1 };
            let opened = kem_secret(one).open(&received.sealed, &context).map_err(|error| error.code())?;
            let share = KeyShare::from_bytes(&opened, cohort.len()).map_err(|error| error.code())?;
            share.verify(me, &public, &sharing(dealing.from)).map_err(|error| error.code())?;
            shares.insert(dealing.from, share);
        }
        let verdicts: Vec<_> = dealings.iter().map(|dealing| (dealing, true)).collect();
        let key = SigningKey::from_bytes(&array(one, "signing_seed"));
        let (next, ack) = stage.acknowledge(&verdicts, &key);
        stages.insert(me, next);
        acks.push(ack);
        held.insert(me, shares);
    }
    let digest = |sealed: &Vec<_>| Digest::of(&Bundle::encode(sealed)).to_string();
    Ok((dealings, all_sealed.iter().map(digest).collect(), stages, acks, held))
}

/// Phase D: the ciphertext of a participant's values, under its own key where `encrypts_with` gives another.
fn upload(one: &Value, plan: &RoundPlan, masks: &Masks) -> EncryptedUpdate {
    let set = plan.terms.protection.parameter_set();
    let clipped = Contribution::new(plan.layout.clone(), values(one)).unwrap().clip();
    // Whole numbers of steps are rounded nowhere, whatever is drawn.
    let quantised = clipped.quantise(&plan.coding(), &mut ChaCha20Rng::seed_from_u64(0));
    let secret = if one["encrypts_with"].is_string() {
        key(&json!({ "key": one["encrypts_with"] }))
    } else {
        key(one)
    };
    let errors = words(one, "errors");
    let chunks = quantised.coefficients().chunks(RING_DIMENSION).zip(errors.chunks(RING_DIMENSION));
    let bytes = chunks
        .enumerate()
        .flat_map(|(index, (message, errors))| sent(&body(&secret, masks, set, index, message, errors), set));
    EncryptedUpdate::from_bytes(set, bytes.collect()).unwrap()
}
