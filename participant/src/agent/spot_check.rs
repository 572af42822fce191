//! The spot check: does the aggregate that the coordinator published hold what the survivors sent?
//!
//! It shows this of ciphertexts that only the coordinator has seen, against the headers that their senders signed and the
//! root that the coordinator tells, which the ledger must have too, and nothing more.

use std::path::Path;

use rand_core::Rng;
use syndic_proto::convert::RoundRef;
use syndic_round::message::{Certify, Payload};
use syndic_round::{Digest, Rejection, SealedRoster, Signed, Transcript};
use syndic_secure_aggregation::{ChunkEvidence, SpotCheckError, random_chunks};
use thiserror::Error;
use tonic::Status;
use tracing::{info, warn};

use super::error::{UNANSWERED, Undone};
use super::link::Link;
use super::lost::{Lost, told, told_code};
use super::{Agent, AgentError, system_randomness};
use crate::enrol::Enrolment;
use crate::journal::{JournalError, MessageKind, read_message};

/// A spot check that found nothing wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpotChecked {
    /// How many survivors' uploads were looked at.
    pub survivors: usize,
    /// The chunks that were added up, in the order in which they were asked for.
    pub chunks: Vec<u32>,
    /// How many chunks there are.
    pub of: u32,
    /// The root of the aggregate, as the coordinator tells it; the ledger must have the same.
    pub aggregate_root: Digest,
}

/// What cannot be true of an honest coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Finding {
    /// What the participants are said to have signed does not verify.
    #[error("what the participants are said to have signed does not verify: {0}")]
    Transcript(#[from] Rejection),
    /// The transcript is of another round.
    #[error("the coordinator shows another round")]
    OtherRound,
    /// This participant signed another survivor set.
    #[error("this participant signed another survivor set than the one shown")]
    OtherSurvivors,
    /// The coordinator shows something else than the blob that it names.
    #[error("the coordinator shows other bytes than it names")]
    OtherBytes,
    /// The chunks.
    #[error(transparent)]
    Chunk(#[from] SpotCheckError),
}

/// Why there is no result.
enum Unchecked {
    /// The coordinator cannot be asked now.
    Call(Status),
    /// Something is wrong.
    Found(Finding),
    /// The journal cannot be read.
    Journal(JournalError),
}

impl Agent {
    /// Checks one closed round in so many, at random, as the policy says.
    pub(super) async fn now_and_then_check(&self, link: &mut Link, round: &RoundRef) -> Result<(), Lost> {
        let every = self.policy.spot_check_every;
        if every == 0 || !system_randomness().next_u32().is_multiple_of(every) {
            return Ok(());
        }
        match self.check(link, round).await {
            Ok(checked) => {
                let (chunks, of) = (checked.chunks.len(), checked.of);
                let root = checked.aggregate_root;
                info!(round = %round.id, chunks, of, %root, "spot check: the published aggregate is the sum of what was sent");
                Ok(())
            }
            Err(Unchecked::Call(status)) => {
                warn!(round = %round.id, reason = told(&status), "no spot check: the coordinator does not show this round");
                Ok(())
            }
            Err(Unchecked::Journal(error)) => Err(Lost::Forever(error.into())),
            Err(Unchecked::Found(finding)) => {
                Err(Lost::Forever(AgentError::SpotCheck { round: round.id, finding }))
            }
        }
    }

    async fn check(&self, link: &mut Link, round: &RoundRef) -> Result<SpotChecked, Unchecked> {
        let shown = Shown::ask(link, &self.roster, round).await?;
        let (job, preparation) = (round.job.as_str(), shown.transcript.plan.terms.number);
        let said = self.journal.message(job, preparation, MessageKind::Certify).await?;
        shown.check(link, said, CHUNKS).await
    }
}

/// Checks `count` chunks of a closed round for the institution of `enrolment`, whose agent may be running beside it with
/// the journal in the file `journal`.
///
/// # Errors
/// [`AgentError::SpotCheck`] says what is wrong; others why the coordinator cannot be asked.
pub async fn spot_check(
    enrolment: &Enrolment,
    journal: &Path,
    round: &RoundRef,
    count: u32,
) -> Result<SpotChecked, AgentError> {
    let mut link = Link::connect(&enrolment.connectors()?).await?;
    let refused = |status: Status| AgentError::Refused {
        code: told_code(&status).unwrap_or(UNANSWERED).into(),
        message: told(&status),
    };
    // What the ledger is, the agent looks at.
    link.hello(enrolment.federation(), enrolment.roster().digest(), 0).await.map_err(refused)?;
    let check = async {
        let shown = Shown::ask(&mut link, enrolment.roster(), round).await?;
        let (job, preparation) = (round.job.as_str(), shown.transcript.plan.terms.number);
        let said = read_message(journal, job, preparation, MessageKind::Certify).await?;
        shown.check(&mut link, said, count).await
    };
    check.await.map_err(|unchecked| match unchecked {
        Unchecked::Call(status) => refused(status),
        Unchecked::Journal(error) => error.into(),
        Unchecked::Found(finding) => AgentError::SpotCheck { round: round.id, finding },
    })
}

/// What the coordinator shows of a closed round, every signature in it verified.
struct Shown {
    round: RoundRef,
    transcript: Transcript,
    aggregate_root: Digest,
}

impl Shown {
    async fn ask(link: &mut Link, roster: &SealedRoster, round: &RoundRef) -> Result<Self, Unchecked> {
        let closing = link.closing(round).await?;
        let bytes = link.fetch(closing.transcript).await?;
        let transcript = Transcript::from_bytes(&bytes, roster).map_err(Finding::from)?;
        if transcript.plan.terms.job != round.job || transcript.plan.id != round.id {
            return Err(Finding::OtherRound.into());
        }
        Ok(Self { round: round.clone(), transcript, aggregate_root: closing.aggregate_root })
    }

    /// Adds up `count` random chunks. `said` is what this participant signed of the survivor set, if it did.
    async fn check(
        &self,
        link: &mut Link,
        said: Option<Vec<u8>>,
        count: u32,
    ) -> Result<SpotChecked, Unchecked> {
        let survivors = self.transcript.certificate.survivors();
        let signed = said.and_then(|bytes| Signed::from_bytes(&bytes).ok());
        let certified = signed.and_then(|signed| Certify::decode(&signed.payload).ok());
        if certified.is_some_and(|certify| certify.survivors != survivors.digest()) {
            return Err(Finding::OtherSurvivors.into());
        }
        let set = self.transcript.plan.terms.protection.parameter_set();
        let of = survivors.headers().first().map_or(0, |header| header.chunks);
        let chunks = random_chunks(of, count, &mut system_randomness());
        for &index in &chunks {
            let mut uploads = link.chunk(&self.round, index, survivors.len() + 1).await?;
            let aggregate = uploads.pop().ok_or(Finding::OtherBytes)?;
            let evidence = ChunkEvidence { index, uploads, aggregate };
            evidence.check(set, survivors, self.aggregate_root).map_err(Finding::from)?;
        }
        Ok(SpotChecked { survivors: survivors.len(), chunks, of, aggregate_root: self.aggregate_root })
    }
}

impl Finding {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transcript(rejection) => rejection.code(),
            Self::OtherRound => "spot-check.other-round",
            Self::OtherSurvivors => "spot-check.other-survivors",
            Self::OtherBytes => "spot-check.other-bytes",
            Self::Chunk(error) => error.code(),
        }
    }
}

impl From<Finding> for Unchecked {
    fn from(finding: Finding) -> Self {
        Self::Found(finding)
    }
}

impl From<Status> for Unchecked {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

impl From<JournalError> for Unchecked {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Undone> for Unchecked {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Call(status) => Self::Call(*status),
            Undone::Journal(error) => Self::Journal(error),
            Undone::Declined(_) => Self::Found(Finding::OtherBytes),
        }
    }
}

/// Chunks that the agent looks at by itself: one altered chunk in a hundred is then seen in three checks of a hundred,
/// by every institution that checks.
const CHUNKS: u32 = 3;
