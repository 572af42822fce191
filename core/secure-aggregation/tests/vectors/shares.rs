//! Key shares: made, verified, sealed and revealed; and the Merkle trees over chunks.

use serde_json::{Value, json};
use syndic_round::{Digest, ParticipantId};

use super::arithmetic::{hex_of_small, key};
use super::messages::{public_part, public_part_written, read_transcript};
use super::value::{Code, Dictated, byte_strings, bytes, digest, hex_of_words, id, ids, list, number, set};
use crate::reveal::KeyShareSum;
use crate::seal::{KemPublic, KemSecret, SealContext};
use crate::sharing::{KeyShare, Sharing, SharingContext};
use crate::spot_check::{ChunkEvidence, ChunkProof};
use crate::subject::OfKey;
use crate::verification::challenges;
use crate::{merkle, reveal};

pub(super) fn share(input: &Value) -> Result<Value, Code> {
    let (cohort, h1) = (ids(input, "cohort"), digest(input, "h1"));
    let context = context(input, &cohort, h1);
    let sharing = shared(input, &context)?;
    let shares: Vec<_> = sharing.shares.iter().map(|(_, share)| hex::encode(&*share.to_bytes())).collect();
    Ok(json!({
        "challenges": hex_of_words(challenges::<OfKey>(&context, &sharing.public.commitments)),
        "public": public_part_written(&sharing.public),
        "shares": shares,
    }))
}

/// Shares a key with the polynomials and the salts that are given.
pub(super) fn shared(input: &Value, context: &SharingContext<'_>) -> Result<Sharing, Code> {
    let drawn = [bytes(input, "blinding"), byte_strings(input, "rows").concat(), bytes(input, "salts")];
    let mut dictated = Dictated::new(drawn.concat());
    let sharing = key(input).share(context, &mut dictated).map_err(|error| error.code())?;
    dictated.assert_spent();
    Ok(sharing)
}

fn context<'a>(input: &Value, cohort: &'a [ParticipantId], h1: Digest) -> SharingContext<'a> {
    SharingContext { dealer: id(input, "dealer"), h1, cohort, threshold: number(input, "threshold") }
}

pub(super) fn verify_share(input: &Value) -> Result<Value, Code> {
    let cohort = ids(input, "cohort");
    let context = context(input, &cohort, digest(input, "h1"));
    let share = KeyShare::from_bytes(&bytes(input, "share"), cohort.len()).map_err(|error| error.code())?;
    let public = public_part(&input["public"]);
    share.verify(id(input, "holder"), &public, &context).map_err(|error| error.code())?;
    Ok(json!({ "good": true }))
}

pub(super) fn seal(input: &Value) -> Result<Value, Code> {
    let public = KemPublic::from_bytes(&bytes(input, "kem_key")).map_err(|error| error.code())?;
    let mut dictated = Dictated::new(bytes(input, "randomness"));
    let sealed = public.seal(&bytes(input, "plaintext"), &seal_context(input), &mut dictated);
    dictated.assert_spent();
    Ok(json!({ "sealed": hex::encode(sealed) }))
}

pub(super) fn open_seal(input: &Value) -> Result<Value, Code> {
    let secret = kem_secret(input);
    let opened = secret.open(&bytes(input, "sealed"), &seal_context(input)).map_err(|error| error.code())?;
    Ok(json!({ "kem_key": hex::encode(secret.public().to_bytes()), "plaintext": hex::encode(&*opened) }))
}

/// The secret whose seed is given.
pub(super) fn kem_secret(input: &Value) -> KemSecret {
    KemSecret::generate(&mut Dictated::new(bytes(input, "kem_seed")))
}

fn seal_context(input: &Value) -> SealContext {
    SealContext { sender: id(input, "sender"), recipient: id(input, "recipient"), h1: digest(input, "h1") }
}

pub(super) fn merkle(input: &Value) -> Value {
    let leaves: Vec<Digest> = byte_strings(input, "chunks").iter().map(|chunk| merkle::leaf(chunk)).collect();
    let path = |index| written(&merkle::path(&leaves, index).unwrap());
    json!({
        "root": merkle::root(&leaves).to_string(),
        "paths": (0..leaves.len()).map(path).collect::<Vec<_>>(),
    })
}

fn written(path: &[Digest]) -> Vec<String> {
    path.iter().map(Digest::to_string).collect()
}

/// The root to which a path leads; none where the path has the wrong length.
pub(super) fn merkle_path(input: &Value) -> Value {
    let leaf = merkle::leaf(&bytes(input, "chunk"));
    let root = merkle::root_of(leaf, number(input, "index"), number(input, "count"), &path(input));
    json!({ "root": root.map(|root| root.to_string()) })
}

fn path(input: &Value) -> Vec<Digest> {
    byte_strings(input, "path").into_iter().map(|hash| Digest(hash.try_into().unwrap())).collect()
}

pub(super) fn reconstruct(input: &Value) -> Result<Value, Code> {
    let transcript = read_transcript(input)?;
    let cohort = transcript.cohort.len();
    let mut reveals = Vec::new();
    for one in list(input, "reveals") {
        let sum = KeyShareSum::from_bytes(&bytes(one, "share_sum"), cohort).map_err(|error| error.code())?;
        reveals.push((id(one, "id"), sum));
    }
    let (threshold, survivors) =
        (transcript.plan.terms.protection.threshold(), transcript.certificate.survivors());
    let restored =
        reveal::reconstruct(&reveals, threshold, cohort, survivors).map_err(|error| error.code())?;
    Ok(json!({ "key_sum": hex_of_small(restored.keys.coefficients()), "wrong": restored.wrong }))
}

pub(super) fn spot_check(input: &Value) -> Result<Value, Code> {
    let transcript = read_transcript(input)?;
    let proof = |one: &Value| ChunkProof { chunk: bytes(one, "chunk"), path: path(one) };
    let evidence = ChunkEvidence {
        index: number(input, "index"),
        uploads: list(input, "uploads").iter().map(proof).collect(),
        aggregate: proof(&input["aggregate"]),
    };
    let root = digest(input, "aggregate_root");
    let survivors = transcript.certificate.survivors();
    evidence.check(set(&input["plan"]), survivors, root).map_err(|error| error.code())?;
    Ok(json!({ "good": true }))
}
