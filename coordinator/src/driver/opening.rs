//! Opening a sum: stored ciphertexts are folded, the revealed keys' sum is taken off.

use syndic_round::coordinator::{Input, Opening, Phase};
use syndic_round::message::{Advertise, Payload, Reveal};
use syndic_round::{Cohort, RING_DIMENSION, Rejection, RoundPlan, Sum};
use syndic_secure_aggregation::{Aggregate, KemPublic, KeyShareSum, Masks, reconstruct, unmask};

use crate::store::{Blobs, StoreError};

/// Refuses a one-time key or a sum of shares that secure aggregation cannot use, before it counts: one
/// malformed message must not end a round.
///
/// # Errors
/// [`Rejection::Malformed`].
pub(super) fn well_formed(phase: &Phase, input: &Input) -> Result<(), Rejection> {
    match (phase, input) {
        (Phase::Advertising(_), Input::Advertise(signed)) => {
            let advert = Advertise::decode(&signed.payload)?;
            KemPublic::from_bytes(&advert.kem_key).map(drop).map_err(|_| Rejection::Malformed)
        }
        (Phase::Revealing(_), Input::Reveal(signed)) => {
            let reveal = Reveal::decode(&signed.payload)?;
            let cohort = phase.cohort().map_or(0, Cohort::len);
            KeyShareSum::from_bytes(&reveal.share_sum, cohort).map(drop).map_err(|_| Rejection::Malformed)
        }
        _ => Ok(()),
    }
}

/// Folds the survivors' updates, one at a time, and unmasks their sum. The inner error says why the sum is
/// discarded: it counts as opened all the same.
///
/// # Errors
/// [`StoreError`] when a stored update cannot be read; then nothing was opened.
pub(super) async fn open_sum(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Sum, String>, StoreError> {
    let set = plan.protection.parameter_set();
    let mut aggregate = Aggregate::new(set, plan.coefficients() / RING_DIMENSION);
    for submission in &opening.submissions {
        let update = blobs.read(submission.upload.blob).await?;
        if let Err(error) = aggregate.fold(submission.header.from, &update) {
            return Ok(Err(error.to_string()));
        }
    }
    let (plan, opening) = (plan.clone(), opening.clone());
    let unmasked = tokio::task::spawn_blocking(move || unmask_sum(&plan, &opening, aggregate)).await;
    Ok(unmasked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
}

fn unmask_sum(plan: &RoundPlan, opening: &Opening, aggregate: Aggregate) -> Result<Sum, String> {
    let cohort = &opening.cohort;
    let survivors = opening.certificate.survivors();
    let mut reveals = Vec::with_capacity(opening.reveals.len());
    for (id, bytes) in &opening.reveals {
        let share_sum = KeyShareSum::from_bytes(bytes, cohort.len())
            .map_err(|error| format!("the reveal of participant {id} is refused: {error}"))?;
        reveals.push((*id, share_sum));
    }
    let key_sum = reconstruct(&reveals, plan.protection.threshold(), cohort.len(), survivors)
        .map_err(|error| error.to_string())?;
    let coefficients = unmask(aggregate, survivors, &key_sum, &Masks::new(&cohort.h1()))
        .map_err(|error| error.to_string())?;
    Sum::decode(plan.layout.clone(), &plan.coding(), survivors.len() as u16, &coefficients)
        .map_err(|error| error.to_string())
}
