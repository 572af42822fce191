//! The ledger in this participant's eyes: a survivor set is signed only once it is on record, in a ledger that has
//! only grown since this participant looked last.

use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use syndic_ledger::{Checkpoint, Entry, ShownEntry, ShownError, VerifierKey, cosignature, round_subject};
use syndic_proto::convert::RoundRef;
use syndic_round::{Digest, Roster};
use tonic::Status;
use tracing::{debug, error, info, warn};

use super::error::{AgentError, Declined, Undone};
use super::link::Link;
use super::lost::{Lost, told};
use super::{Agent, now};
use crate::journal::JournalError;

impl Agent {
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
            Err(Undone::Declined(Declined::Ledger(error))) => {
                return Err(Lost::Forever(AgentError::Ledger(error)));
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
            Err(error) => {
                let name = self.enrolment.name();
                error!(participant = name, code = error.code(), %error, "the ledger cannot be believed");
                return Err(Declined::Ledger(error).into());
            }
            Ok(verified) => verified,
        };
        // If we crash here the older checkpoint is kept, from which the ledger still has grown. Nobody has this
        // participant's word for the newer one before it is kept.
        self.journal.keep_checkpoint(federation, shown.checkpoint.as_bytes(), checkpoint.size()).await?;
        Ok(entry)
    }
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
