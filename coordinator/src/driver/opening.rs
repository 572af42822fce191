//! Opening a sum: stored ciphertexts are folded window by window, the revealed keys' sum is taken off, and what the
//! round closes with is stored as it comes.
//!
//! What is held is the decoded sum, eight bytes a value, and a few windows, whatever the number of participants.

use syndic_round::coordinator::{Input, Opened, Opening, RingOpened, Round};
use syndic_round::message::{Advertise, Payload, Reveal};
use syndic_round::{Carrier, Cohort, Digest, ParticipantId, RING_DIMENSION, Rejection, RoundPlan, Sum};
use syndic_secure_aggregation::{
    Aggregate, FoldError, KemPublic, KeyShareSum, OpenedSum, Opener, Unopened, VectorShape, VectorShareSum,
    chunk_bytes, merkle, open_vector,
};

use crate::store::{BlobReader, BlobWriter, Blobs, CHUNK_BYTES, StoreError};

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

/// An opened sum, and what is stored of its round.
pub struct Ready {
    /// The sum, checked.
    pub sum: Sum,
    /// What the round closes with, durable.
    pub stored: Opened,
}

/// Opens the sum of a round, and stores everything that the round closes with. The inner error says why there is no sum.
///
/// # Errors
/// [`StoreError`] when a stored update cannot be read, or nothing can be stored; then nothing was opened.
pub async fn open_sum(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Ready, Unopened>, StoreError> {
    match plan.carrier {
        Carrier::Ring => open_in_the_ring(plan, opening, blobs).await,
        Carrier::Shares => open_shared(plan, opening, blobs).await,
    }
}

/// Opens the sum of vectors that were shared themselves: the reveals are all it takes.
async fn open_shared(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Ready, Unopened>, StoreError> {
    let opened = match open_vector(plan, opening) {
        Ok(opened) => opened,
        Err(unopened) => return Ok(Err(unopened)),
    };
    let checked = opened.is_checked();
    // If we crash here, or below, blobs are stored that nothing claims; the sum is opened again, to the same bytes.
    let stored = Opened {
        sum: store_sum(&opened.sum, blobs).await?,
        ring: None,
        transcript: blobs.put(&opening.transcript(plan).to_bytes()).await?,
        wrong_reveals: opened.wrong_reveals,
        checked,
    };
    Ok(Ok(Ready { sum: opened.sum, stored }))
}

/// Folds the survivors' updates, and unmasks their sum.
async fn open_in_the_ring(
    plan: &RoundPlan,
    opening: &Opening,
    blobs: &dyn Blobs,
) -> Result<Result<Ready, Unopened>, StoreError> {
    let (set, chunks) = (plan.terms.protection.parameter_set(), plan.coefficients() / RING_DIMENSION);
    let begun = (plan.clone(), opening.clone());
    let mut opener = match apart(move || Opener::begin(&begun.0, &begun.1)).await {
        Ok(opener) => opener,
        Err(unopened) => return Ok(Err(unopened)),
    };
    let mut updates = Updates::open(opening, blobs).await?;
    let (mut writer, mut leaves) = (blobs.writer().await?, Vec::with_capacity(chunks));
    for first in (0..chunks).step_by(WINDOW) {
        let count = WINDOW.min(chunks - first);
        let window = Aggregate::window(set, first, count);
        let taken = match updates.fold(window, count * chunk_bytes(set)).await? {
            Ok(window) => take(opener, window, &mut *writer, &mut leaves).await?,
            Err(error) => Err(Unopened::Refused(error.to_string())),
        };
        match taken {
            Ok(next) => opener = next,
            Err(unopened) => {
                // What is damaged on this disk neither opens nor is anybody's fault: then the store fails, not the sum.
                updates.check_the_rest().await?;
                return Ok(Err(unopened));
            }
        }
    }
    // Nothing counts before every update was read to its end and has its digest.
    updates.check_the_rest().await?;
    let OpenedSum { sum, keys, wrong_reveals } = match apart(move || opener.finish()).await {
        Ok(opened) => opened,
        Err(unopened) => return Ok(Err(unopened)),
    };
    // If we crash here, or below, blobs are stored that nothing claims; the sum is opened again, to the same bytes.
    let aggregate = writer.finish(None).await?;
    let stored = Opened {
        sum: store_sum(&sum, blobs).await?,
        ring: Some(RingOpened {
            key_sum: blobs.put(&keys.to_bytes()).await?,
            aggregate,
            aggregate_root: merkle::root(&leaves),
        }),
        transcript: blobs.put(&opening.transcript(plan).to_bytes()).await?,
        wrong_reveals,
        checked: true,
    };
    Ok(Ok(Ready { sum, stored }))
}

/// Opens a window, and passes it on to the stored aggregate. Gives the opener back.
async fn take(
    mut opener: Opener,
    window: Aggregate,
    writer: &mut dyn BlobWriter,
    leaves: &mut Vec<Digest>,
) -> Result<Result<Opener, Unopened>, StoreError> {
    let taken = apart(move || opener.take(&window).map(|()| (window.leaves(), window, opener))).await;
    match taken {
        Ok((of_window, window, opener)) => {
            leaves.extend(of_window);
            writer.write(window.bytes()).await?;
            Ok(Ok(opener))
        }
        Err(unopened) => Ok(Err(unopened)),
    }
}

async fn store_sum(sum: &Sum, blobs: &dyn Blobs) -> Result<Digest, StoreError> {
    let mut writer = blobs.writer().await?;
    for piece in sum.pieces() {
        writer.write(&piece).await?;
    }
    writer.finish(None).await
}

/// The survivors' stored updates, read side by side.
struct Updates(Vec<(ParticipantId, Box<dyn BlobReader>)>);

impl Updates {
    async fn open(opening: &Opening, blobs: &dyn Blobs) -> Result<Self, StoreError> {
        let mut readers = Vec::with_capacity(opening.submissions().len());
        for submission in opening.submissions() {
            readers.push((submission.header.from, blobs.reader(submission.upload.blob).await?));
        }
        Ok(Self(readers))
    }

    /// Adds the next `bytes` of each to `window`.
    async fn fold(
        &mut self,
        mut window: Aggregate,
        bytes: usize,
    ) -> Result<Result<Aggregate, FoldError>, StoreError> {
        for (from, reader) in &mut self.0 {
            let (from, part) = (*from, reader.up_to(bytes).await?.unwrap_or_default());
            window = match apart(move || window.fold(from, &part).map(|()| window)).await {
                Ok(window) => window,
                Err(error) => return Ok(Err(error)),
            };
        }
        Ok(Ok(window))
    }

    /// Reads what is left of each, until its digest is known to be right.
    async fn check_the_rest(&mut self) -> Result<(), StoreError> {
        for (_, reader) in &mut self.0 {
            while reader.up_to(CHUNK_BYTES).await?.is_some() {}
        }
        Ok(())
    }
}

/// Runs what takes a processor for long where it holds nobody up.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Chunks of a window: 512 KB in KSA-S32.
const WINDOW: usize = 64;
