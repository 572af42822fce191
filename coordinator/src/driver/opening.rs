//! Opening a sum: stored ciphertexts are folded, the revealed keys' sum is taken off.

use syndic_round::coordinator::{Input, Opened, Opening, RingOpened, Round};
use syndic_round::message::{Advertise, Payload, Reveal};
use syndic_round::{Carrier, Cohort, ParticipantId, RING_DIMENSION, Rejection, RoundPlan, Sum};
use syndic_secure_aggregation::{
    Aggregate, KemPublic, KeyShareSum, KeySum, OpenedSum, Unopened, VectorShape, VectorShareSum, open,
    open_vector,
};

use crate::store::{Blobs, StoreError};

/// Refuses a one-time key or a sum of shares that secure aggregation cannot use, before it counts: one
/// malformed message must not end a round.
///
/// # Errors
/// [`Rejection::Malformed`].
pub(super) fn well_formed(round: Option<&Round>, input: &Input) -> Result<(), Rejection> {
    match (round, input) {
        (_, Input::Advertise(signed)) => {
            let advert = Advertise::decode(&signed.payload)?;
            KemPublic::from_bytes(&advert.kem_key).map(drop).map_err(|_| Rejection::Malformed)
        }
        (Some(round), Input::Reveal(signed)) => {
            let reveal = Reveal::decode(&signed.payload)?;
            let is_sum = match VectorShape::of(round.plan()) {
                Some(shape) if round.plan().carrier == Carrier::Shares => {
                    VectorShareSum::from_bytes(&reveal.share_sum, &shape).is_ok()
                }
                _ => {
                    let cohort = round.phase().cohort().map_or(0, Cohort::len);
                    KeyShareSum::from_bytes(&reveal.share_sum, cohort).is_ok()
                }
            };
            if is_sum { Ok(()) } else { Err(Rejection::Malformed) }
        }
        _ => Ok(()),
    }
}

/// An opened sum, with what else is stored of its round.
pub(super) struct Ready {
    pub(super) sum: Sum,
    ring: Option<(KeySum, Aggregate)>,
    transcript: Vec<u8>,
    wrong_reveals: Vec<ParticipantId>,
    checked: bool,
}

impl Ready {
    /// Stores everything that the round closes with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn store(&self, blobs: &dyn Blobs) -> Result<Opened, StoreError> {
        let ring = match &self.ring {
            Some((keys, aggregate)) => Some(RingOpened {
                key_sum: blobs.put(&keys.to_bytes()).await?,
                aggregate: blobs.put(aggregate.bytes()).await?,
                aggregate_root: aggregate.root(),
            }),
            None => None,
        };
        // If we crash here blobs are stored that nothing claims; the sum is opened again, to the same bytes.
        Ok(Opened {
            sum: blobs.put(&self.sum.to_bytes()).await?,
            ring,
            transcript: blobs.put(&self.transcript).await?,
            wrong_reveals: self.wrong_reveals.clone(),
            checked: self.checked,
        })
    }
}

/// Opens the sum of a round. The inner error says why there is none.
///
/// # Errors
/// [`StoreError`] when a stored update cannot be read; then nothing was opened.
pub(super) async fn open_sum(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Ready, Unopened>, StoreError> {
    match plan.carrier {
        Carrier::Ring => open_in_the_ring(plan, opening, blobs).await,
        Carrier::Shares => {
            let opened = open_vector(plan, opening).map(|opened| Ready {
                checked: opened.is_checked(),
                sum: opened.sum,
                ring: None,
                transcript: opening.transcript(plan).to_bytes(),
                wrong_reveals: opened.wrong_reveals,
            });
            Ok(opened)
        }
    }
}

/// Folds the survivors' updates, one at a time, and unmasks their sum.
async fn open_in_the_ring(
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
        let OpenedSum { sum, keys, wrong_reveals } = open(&plan, &opening, &aggregate)?;
        let transcript = opening.transcript(&plan).to_bytes();
        Ok(Ready { sum, ring: Some((keys, aggregate)), transcript, wrong_reveals, checked: true })
    });
    Ok(opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())))
}
