//! The ledger in this participant's eyes: a survivor set is signed only once it is on record, in a ledger that has
//! only grown since this participant looked last.

use ed25519_dalek::VerifyingKey;
use syndic_ledger::{Checkpoint, ShownEntry, ShownError, VerifierKey, round_subject};
use syndic_proto::convert::RoundRef;
use syndic_round::{Digest, Roster};
use tonic::Status;
use tracing::error;

use super::Agent;
use super::error::{Declined, Undone};
use crate::journal::JournalError;

impl Agent {
    /// Entries of the ledger as this participant kept it, zero for none.
    pub(super) async fn ledger_size(&self) -> Result<u64, JournalError> {
        let kept = self.journal.checkpoint(self.enrolment.federation()).await?;
        Ok(kept.map_or(0, |kept| kept.size))
    }

    /// Verifies where in the ledger the survivor set of `round` is, and keeps the checkpoint. Returns the set's digest.
    pub(super) async fn on_record(
        &self,
        round: &RoundRef,
        shown: Option<ShownEntry>,
    ) -> Result<Digest, Undone> {
        let shown = shown.ok_or(Declined::NotOnRecord)?;
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
        // If we crash here the older checkpoint is kept, from which the ledger still has grown.
        self.journal.keep_checkpoint(federation, shown.checkpoint.as_bytes(), checkpoint.size()).await?;
        let subject = round_subject(round.job.as_str(), round.id.round.into(), round.id.attempt.into());
        if entry.kind != FROZEN || entry.subject != Some(subject) {
            return Err(Declined::NotOnRecord.into());
        }
        let digest = entry.data.get("digest").and_then(|digest| Digest::from_hex(digest.as_str()?));
        Ok(digest.ok_or(Declined::NotOnRecord)?)
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
