//! Small vectors: encoded, shared, verified, opened.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use syndic_round::{Contribution, ParticipantId};

use super::coding::{steps, sum_code, values};
use super::messages::{public_part, public_part_written};
use super::terms::round_plan;
use super::value::{Code, Dictated, byte_strings, bytes, digest, hex_of_words, id, ids, list, number};
use crate::sharing::{Sharing, SharingContext};
use crate::small::{SmallVector, VectorError, VectorShape, VectorShare, VectorShareSum};
use crate::subject::OfVector;
use crate::verification::challenges;

/// The shape of the plan's vector.
pub(super) fn shape(input: &Value) -> Result<VectorShape, Code> {
    VectorShape::of(&round_plan(&input["plan"])?).ok_or_else(|| "vector.not-small".into())
}

pub(super) fn encode(input: &Value) -> Result<Value, Code> {
    let shape = shape(input)?;
    let elements = vector(input, &shape)?.elements.to_vec();
    Ok(json!({ "elements": hex_of_words(elements) }))
}

fn vector(input: &Value, shape: &VectorShape) -> Result<SmallVector, Code> {
    let layout = round_plan(&input["plan"])?.layout;
    let clipped = Contribution::new(layout, values(input)).unwrap().clip();
    // Whole numbers of steps are rounded nowhere, whatever is drawn.
    Ok(SmallVector::encode(shape, clipped, &mut ChaCha20Rng::seed_from_u64(0)))
}

pub(super) fn share(input: &Value) -> Result<Value, Code> {
    let cohort = ids(input, "cohort");
    let context = context(input, &cohort);
    let sharing = shared(input, &context)?;
    let shares: Vec<_> = sharing.shares.iter().map(|(_, share)| hex::encode(&*share.to_bytes())).collect();
    Ok(json!({
        "challenges": hex_of_words(challenges::<OfVector>(&context, &sharing.public.commitments)),
        "public": public_part_written(&sharing.public),
        "shares": shares,
    }))
}

/// Shares a vector with the polynomials and the salts that are given.
pub(super) fn shared(input: &Value, context: &SharingContext<'_>) -> Result<Sharing<OfVector>, Code> {
    let drawn = [bytes(input, "blinding"), byte_strings(input, "rows").concat(), bytes(input, "salts")];
    let mut dictated = Dictated::new(drawn.concat());
    let vector = vector(input, &shape(input)?)?;
    let sharing = vector.share(context, &mut dictated).map_err(|error| error.code())?;
    dictated.assert_spent();
    Ok(sharing)
}

pub(super) fn context<'a>(input: &Value, cohort: &'a [ParticipantId]) -> SharingContext<'a> {
    let (dealer, h1) = (id(input, "dealer"), digest(input, "h1"));
    SharingContext { dealer, h1, cohort, threshold: number(&input["plan"], "threshold") }
}

pub(super) fn verify_share(input: &Value) -> Result<Value, Code> {
    let cohort = ids(input, "cohort");
    let share = VectorShare::from_bytes(&bytes(input, "share"), &shape(input)?);
    let share = share.map_err(|error| error.code())?;
    let verified =
        share.verify(id(input, "holder"), &public_part(&input["public"]), &context(input, &cohort));
    verified.map_err(|error| error.code())?;
    Ok(json!({ "good": true }))
}

pub(super) fn open(input: &Value) -> Result<Value, Code> {
    let shape = shape(input)?;
    let mut reveals = Vec::new();
    for one in list(input, "reveals") {
        let sum = VectorShareSum::from_bytes(&bytes(one, "share_sum"), &shape);
        reveals.push((id(one, "id"), sum.map_err(|error| error.code())?));
    }
    let opened = shape.open(&reveals, number(input, "survivors")).map_err(|error| match error {
        VectorError::Reveals(error) => error.code(),
        VectorError::Sum { error, .. } => sum_code(error),
    })?;
    Ok(json!({
        "steps": steps(&opened.sum)["steps"],
        "wrong": opened.wrong_reveals,
        "surplus": opened.surplus,
        "checked": opened.is_checked(),
    }))
}
