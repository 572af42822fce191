//! Participants as witnesses of the ledger: whose cosignatures count, and how many of them are enough.

use ed25519_dalek::VerifyingKey;
use syndic_ledger::{CosignerKey, NoteError, Policy, VerifierKey, cosigned_at};
use syndic_round::{Member, Roster};

/// The policy's file beside an exported ledger.
pub const POLICY: &str = "policy";

/// The key that the ledger of the federation with this roster verifies with.
///
/// # Errors
/// [`NoteError::Key`] where the roster's is no key.
pub fn log_key(roster: &Roster) -> Result<VerifierKey, NoteError> {
    let key = VerifyingKey::from_bytes(&roster.coordinator_key).map_err(|_| NoteError::Key)?;
    VerifierKey::new(&roster.ledger_origin(), key)
}

/// The key that the cosignatures of `member` verify with.
///
/// # Errors
/// [`NoteError::Key`] where the roster's is no key.
pub fn witness_key(roster: &Roster, member: &Member) -> Result<CosignerKey, NoteError> {
    let key = VerifyingKey::from_bytes(&member.signing_key).map_err(|_| NoteError::Key)?;
    CosignerKey::new(&roster.witness_name(member), key)
}

/// Believes the federation's ledger on the word of more than half of its members.
///
/// # Errors
/// [`NoteError::Key`] where one in the roster is none.
pub fn policy(roster: &Roster) -> Result<Policy, NoteError> {
    let witnesses: Vec<_> =
        roster.members.iter().map(|member| witness_key(roster, member)).collect::<Result<_, _>>()?;
    Ok(Policy::of_majority(log_key(roster)?, witnesses))
}

/// The members that cosigned the checkpoint in `note`, by name, with the time of each in seconds since the Unix epoch.
///
/// # Errors
/// [`NoteError`] for a note that is none, or a line in the name of a member that is not its own.
pub fn witnesses(roster: &Roster, note: &str) -> Result<Vec<(String, u64)>, NoteError> {
    let mut found = Vec::new();
    for member in &roster.members {
        let seconds = cosigned_at(note, &witness_key(roster, member)?)?;
        found.extend(seconds.map(|seconds| (member.name.clone(), seconds)));
    }
    Ok(found)
}
