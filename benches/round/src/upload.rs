//! The update, from values to a file, and from the file to the coordinator, as the shipped agent does.

use rand_chacha::ChaCha20Rng;
use syndic_participant::agent::encrypt_into_file;
use syndic_participant::journal::SpoolWriter;
use syndic_proto::convert::RoundRef;
use syndic_proto::v1::{self, submit_part::Part};
use syndic_round::message::Kind;
use syndic_round::vector::{Clipped, Coding};
use syndic_round::{Cohort, Digest, RoundPlan, Signed};
use syndic_secure_aggregation::Masks;
use syndic_simulation::engine::Key;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::Failure;
use crate::participant::Participant;

/// Encodes and encrypts `answer` into `file`, with randomness for the dither and for an engine that takes it from here.
/// Gives the Merkle root.
pub(crate) fn write(
    key: Key,
    answer: Clipped,
    coding: &Coding,
    cohort: &Cohort,
    (dither, rng): (&mut ChaCha20Rng, &mut ChaCha20Rng),
    mut file: SpoolWriter,
) -> Result<Digest, Failure> {
    match key {
        Key::OneTime(key) => {
            let masks = Masks::new(&cohort.h1());
            Ok(encrypt_into_file(*key, answer.quantiser(coding, dither), &masks, file)?.0)
        }
        plain => {
            let update = plain.encrypt(cohort, answer.quantise(coding, dither), rng)?;
            let root = update.root();
            file.write(&update.into_bytes())?;
            file.finish()?;
            Ok(root)
        }
    }
}

impl Participant {
    /// Sends the update that `header` was signed over, from its file, and keeps the receipt.
    pub(crate) async fn upload(&mut self, plan: &RoundPlan, header: &Signed) -> Result<(), Failure> {
        self.write_down(plan, Kind::Header, header).await?;
        let (spool, said) = (self.journal.spool().clone(), header.to_bytes());
        let (job, number, chunks) = (plan.terms.job.clone(), plan.terms.number, plan.chunks() as u32);
        let look = move || -> Result<_, Failure> {
            let mut update = spool.find(job.as_str(), number)?.ok_or("the stored update is gone")?;
            let measured = update.measure(&said, chunks)?.ok_or("the stored update is damaged")?;
            Ok((update, measured))
        };
        let (mut update, measured) = spawn_blocking(look).await??;
        let bytes = header.to_bytes().len() as u64 + measured.bytes;
        self.leave(plan, Kind::Header, bytes, measured.digest).await?;
        let (sender, parts) = mpsc::channel(PARTS_AHEAD);
        let reading = spawn_blocking(move || update.send_to(0, &sender));
        let round = RoundRef { job: plan.terms.job.clone(), id: plan.id };
        let signed = header.to_bytes().into();
        let first = v1::SubmitHeader { round: Some((&round).into()), signed, offset: 0 };
        let chunks = ReceiverStream::new(parts).map(|part: Vec<u8>| Part::Chunk(part.into()));
        let parts = tokio_stream::once(Part::Header(first)).chain(chunks);
        let answer = self.calls.submit(parts.map(|part| v1::SubmitPart { part: Some(part) })).await;
        reading.await??;
        let receipt = self.check(plan, Kind::Header, header, answer?)?;
        self.journal.keep_receipt(plan.terms.job.as_str(), plan.id, &receipt).await?;
        Ok(())
    }
}

/// As many as the shipped agent reads while others travel.
const PARTS_AHEAD: usize = 2;
