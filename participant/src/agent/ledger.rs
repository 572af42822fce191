//! The ledger in this participant's eyes: nothing is done on a connection, and no survivor set is signed, but in a ledger
//! that has only grown since this participant looked last.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::VerifyingKey;
use syndic_ledger::{
    Checkpoint, Entry, Fork, ShownEntry, ShownError, VerifierKey, cosignature, round_subject,
};
use syndic_proto::convert::RoundRef;
use syndic_round::{Digest, ParticipantId, Roster};
use tonic::Status;
use tracing::{debug, error, info, warn};

use super::error::{AgentError, Declined, Unbelieved, Undone};
use super::link::Link;
use super::lost::{Lost, told};
use super::{Agent, now};
use crate::journal::JournalError;
use crate::shown::printable;

impl Agent {
    /// Looks at the ledger on a new connection, before anything else is done on it: it must have only grown since this
    /// participant looked last, and what it has of this participant's own must have been said by it. Returns how many
    /// entries it has.
    ///
    /// A journal that does not know a message which is on record in a job that is not over is an older copy, or a new one:
    /// who goes on with it could say another in its place (rule 9).
    pub(super) async fn recognise(&self, shown: &ShownEntry) -> Result<u64, Lost> {
        let entry = self.believe(shown).await.map_err(|undone| match undone {
            Undone::Declined(Declined::Ledger(unbelieved)) if unbelieved.is_for_good() => {
                Lost::Forever(AgentError::Ledger(unbelieved))
            }
            // What proves nothing may be a passing fault; nothing is done on a connection that begins with it.
            Undone::Declined(reason) => Lost::ForNow(reason.shown()),
            Undone::Call(status) => Lost::of_call(*status),
            Undone::Journal(error) => Lost::Forever(error.into()),
        })?;
        let lost = |error: JournalError| Lost::Forever(error.into());
        if let Some(message) = message_of(self.id, &entry)
            && !self.journal.has_said(message).await.map_err(lost)?
        {
            let (index, kind) = (shown.index, printable(&entry.kind));
            let subject = printable(&entry.subject.unwrap_or_default());
            return Err(lost(JournalError::Restored { index, kind, subject }));
        }
        self.ledger_size().await.map_err(lost)
    }

    /// Entries of the ledger as this participant kept it, zero for none.
    pub(super) async fn ledger_size(&self) -> Result<u64, JournalError> {
        let kept = self.journal.checkpoint(self.enrolment.federation()).await?;
        Ok(kept.map_or(0, |kept| kept.size))
    }

    /// The digest of the survivor set that an entry freezes which [`Self::believe`] was shown, if it is that of `round`.
    pub(super) fn on_record(
        round: &RoundRef,
        believed: Option<Result<Entry, Undone>>,
    ) -> Result<Digest, Undone> {
        let entry = believed.ok_or(Declined::NotOnRecord)??;
        let subject = round_subject(round.job.as_str(), round.id.round.into(), round.id.attempt.into());
        if entry.kind != FROZEN || entry.subject != Some(subject) {
            return Err(Declined::NotOnRecord.into());
        }
        let digest = entry.data.get("digest").and_then(|digest| Digest::from_hex(digest.as_str()?));
        Ok(digest.ok_or(Declined::NotOnRecord)?)
    }

    /// Bears witness to the ledger once more when a job is over. A ledger that cannot be believed is the last thing to be
    /// said of the job; one that is not shown is not waited for.
    pub(super) async fn take_leave(
        &self,
        link: &mut Link,
        shown: Option<&ShownEntry>,
        believed: Option<Result<Entry, Undone>>,
    ) -> Result<(), Lost> {
        let name = self.enrolment.name();
        let Some((shown, believed)) = shown.zip(believed) else {
            warn!(participant = name, "the coordinator does not show that the job's end is in the ledger");
            return Ok(());
        };
        match believed {
            Ok(_) => self.bear_witness(link, shown).await,
            Err(Undone::Declined(Declined::Ledger(unbelieved))) => {
                return Err(Lost::Forever(AgentError::Ledger(unbelieved)));
            }
            Err(Undone::Declined(reason)) => warn!(participant = name, %reason, "no word for the ledger"),
            Err(Undone::Call(status)) => return Err(Lost::of_call(*status)),
            Err(Undone::Journal(error)) => return Err(Lost::Forever(error.into())),
        }
        Ok(())
    }

    /// Cosigns a checkpoint that [`Self::believe`] has kept. Nothing depends on it: a coordinator that does not take it
    /// publishes a ledger with a witness fewer.
    pub(super) async fn bear_witness(&self, link: &mut Link, shown: &ShownEntry) {
        let Some(key) = ledger_key(self.roster.roster()) else { return };
        let Ok(checkpoint) = Checkpoint::verify(&shown.checkpoint, &key) else { return };
        let size = checkpoint.size();
        let Some(member) = self.roster.member(self.id) else { return };
        let (witness, seconds) = (self.roster.roster().witness_name(member), now().0 / 1000);
        let signing = self.enrolment.keys().signing_key();
        let Ok(line) = cosignature(&shown.checkpoint, &key, &witness, seconds, signing) else { return };
        match tokio::time::timeout(LONGEST_WORD, link.cosign(size, line)).await {
            Ok(Ok(())) => debug!(participant = self.enrolment.name(), size, "the ledger is cosigned"),
            Ok(Err(status)) => {
                info!(
                    participant = self.enrolment.name(),
                    reason = told(&status),
                    "the cosignature was not taken"
                );
            }
            Err(_) => info!(participant = self.enrolment.name(), "the cosignature was not taken in time"),
        }
    }

    /// Verifies an entry that the coordinator shows, in a ledger that has only grown since this participant looked last,
    /// and keeps the checkpoint.
    pub(super) async fn believe(&self, shown: &ShownEntry) -> Result<Entry, Undone> {
        let key = ledger_key(self.roster.roster()).ok_or(Declined::NotOnRecord)?;
        let federation = self.enrolment.federation();
        let kept = match self.journal.checkpoint(federation).await? {
            Some(kept) => Some(reread(&kept.note, &key).ok_or_else(|| self.journal.corrupt())?),
            None => None,
        };
        let (checkpoint, entry) = match shown.verify(&key, kept.as_ref()) {
            // The coordinator went on from what it showed last, and this participant from what it kept: the next
            // connection begins with the latter.
            Err(error @ ShownError::Base { .. }) => return Err(Status::unavailable(error.to_string()).into()),
            Err(error) => return Err(Declined::Ledger(self.unbelieved(shown, error, &key).await).into()),
            Ok(verified) => verified,
        };
        // If we crash here the older checkpoint is kept, from which the ledger still has grown. Nobody has this
        // participant's word for the newer one before it is kept.
        self.journal.keep_checkpoint(federation, shown.checkpoint.as_bytes(), checkpoint.size()).await?;
        Ok(entry)
    }

    /// Keeps what shows that the coordinator signed two ledgers, where it did.
    async fn unbelieved(&self, shown: &ShownEntry, error: ShownError, key: &VerifierKey) -> Unbelieved {
        let name = self.enrolment.name();
        error!(participant = name, code = error.code(), %error, "the ledger cannot be believed");
        let evidence = match self.evidence(shown, &error, key).await {
            Ok(evidence) => evidence,
            Err(error) => {
                error!(participant = name, code = error.code(), %error, "the evidence cannot be kept");
                None
            }
        };
        Unbelieved { error, evidence }
    }

    async fn evidence(
        &self,
        shown: &ShownEntry,
        error: &ShownError,
        key: &VerifierKey,
    ) -> Result<Option<PathBuf>, JournalError> {
        let ShownError::Forked(_) = error else { return Ok(None) };
        let Some(kept) = self.journal.checkpoint(self.enrolment.federation()).await? else { return Ok(None) };
        let kept = String::from_utf8(kept.note).map_err(|_| self.journal.corrupt())?;
        let fork = Fork::of(&kept, &shown.checkpoint, key);
        // Both heads were verified when they came.
        let fork = fork.and_then(|fork| fork.with_failed_proof(shown.older_root, &shown.consistency, key));
        let fork = fork.map_err(|_| self.journal.corrupt())?;
        self.journal.keep_evidence(&fork.to_json(key)).await.map(Some)
    }
}

/// The digest of the message of `participant` in an entry that has one.
fn message_of(participant: ParticipantId, entry: &Entry) -> Option<Digest> {
    let is_own = entry.data.get("participant")?.as_u64()? == u64::from(participant.get());
    let message = entry.data.get("message")?.as_str()?;
    // What cannot be read was said by nobody.
    is_own.then(|| Digest::of(&BASE64.decode(message).unwrap_or_default()))
}

/// The key that checkpoints of the federation's ledger verify with.
fn ledger_key(roster: &Roster) -> Option<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.coordinator_key).ok()?;
    VerifierKey::new(&roster.ledger_origin(), key).ok()
}

/// A checkpoint that was verified before it was kept.
fn reread(note: &[u8], key: &VerifierKey) -> Option<Checkpoint> {
    Checkpoint::verify(std::str::from_utf8(note).ok()?, key).ok()
}

/// The entry that freezes a survivor set (docs/ledger.md).
const FROZEN: &str = "syndic.round.frozen";
/// How long the coordinator has to take a cosignature.
const LONGEST_WORD: Duration = Duration::from_secs(5);
