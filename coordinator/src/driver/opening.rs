//! Opening a sum: stored ciphertexts are folded, the revealed keys' sum is taken off.

use syndic_round::coordinator::{Input, Opened, Opening};
use syndic_round::message::{Advertise, Payload, Reveal};
use syndic_round::{Cohort, RING_DIMENSION, Rejection, RoundPlan};
use syndic_secure_aggregation::{Aggregate, KemPublic, KeyShareSum, OpenedSum, Unopened, open};

use crate::store::{Blobs, StoreError};

/// Refuses a one-time key or a sum of shares that secure aggregation cannot use, before it counts: one
/// malformed message must not end a round.
///
/// # Errors
/// [`Rejection::Malformed`].
pub(super) fn well_formed(cohort: Option<&Cohort>, input: &Input) -> Result<(), Rejection> {
    match input {
        Input::Advertise(signed) => {
            let advert = Advertise::decode(&signed.payload)?;
            KemPublic::from_bytes(&advert.kem_key).map(drop).map_err(|_| Rejection::Malformed)
        }
        Input::Reveal(signed) => {
            let reveal = Reveal::decode(&signed.payload)?;
            let cohort = cohort.map_or(0, Cohort::len);
            KeyShareSum::from_bytes(&reveal.share_sum, cohort).map(drop).map_err(|_| Rejection::Malformed)
        }
        _ => Ok(()),
    }
}

/// An opened sum, with what else is stored of its round.
pub(super) struct Ready {
    pub(super) opened: OpenedSum,
    aggregate: Aggregate,
    transcript: Vec<u8>,
}

impl Ready {
    /// Stores everything that the round closes with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn store(&self, blobs: &dyn Blobs) -> Result<Opened, StoreError> {
        let OpenedSum { sum, keys, wrong_reveals } = &self.opened;
        // If we crash here blobs are stored that nothing claims; the sum is opened again, to the same bytes.
        Ok(Opened {
            sum: blobs.put(&sum.to_bytes()).await?,
            key_sum: blobs.put(&keys.to_bytes()).await?,
            aggregate: blobs.put(self.aggregate.bytes()).await?,
            aggregate_root: self.aggregate.root(),
            transcript: blobs.put(&self.transcript).await?,
            wrong_reveals: wrong_reveals.clone(),
        })
    }
}

/// Folds the survivors' updates, one at a time, and unmasks their sum. The inner error says why there is none.
///
/// # Errors
/// [`StoreError`] when a stored update cannot be read; then nothing was opened.
pub(super) async fn open_sum(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Ready, Unopened>, StoreError> {
    let set = plan.terms.protection.parameter_set();
    let mut aggregate = Aggregate::new(set, plan.coefficients() / RING_DIMENSION);
    for submission in opening.submissions() {
        let update = blobs.read(submission.upload.blob).await?;
        if let Err(error) = aggregate.fold(submission.header.from, &update) {
            return Ok(Err(Unopened::Refused(error.to_string())));
        }
    }
    let (plan, opening) = (plan.clone(), opening.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let opened = open(&plan, &opening, &aggregate)?;
        Ok(Ready { opened, aggregate, transcript: opening.transcript(&plan).to_bytes() })
    });
    Ok(opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
}
