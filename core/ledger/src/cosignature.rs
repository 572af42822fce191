//! Cosignatures: a witness's word that, to its knowledge, a log has only grown, up to this checkpoint, at this time.
//!
//! C2SP tlog-cosignature, version 1, Ed25519. Whoever signs must have verified that the checkpoint continues the last one
//! that it signed for the same log ([`crate::verify_consistency`]), and must keep it: two cosignatures of one key over
//! heads of which neither continues the other convict the witness, as two checkpoints convict the log.

use alloc::format;
use alloc::string::String;

use ed25519_dalek::{Signature, Signer as _, SigningKey};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{self, COSIGNATURE, NoteError, NoteKey, VerifierKey};

/// The public key of a witness.
pub type CosignerKey = NoteKey<COSIGNATURE>;

/// Puts the cosignature of `witness` at `seconds` since the Unix epoch below the checkpoint in `note`, which `log` must
/// have signed, and gives the whole note.
///
/// # Errors
/// As [`cosignature`].
pub fn cosign(
    note: &str,
    log: &VerifierKey,
    witness: &str,
    seconds: u64,
    key: &SigningKey,
) -> Result<String, CheckpointError> {
    Ok(note::with_line(note, &cosignature(note, log, witness, seconds, key)?)?)
}

/// The cosignature of `witness` alone: the line as it stands below the checkpoint in `note`, its end included.
///
/// # Errors
/// [`CheckpointError`] where the note is no checkpoint of that log; [`NoteError::Name`] for a name that a note cannot carry.
pub fn cosignature(
    note: &str,
    log: &VerifierKey,
    witness: &str,
    seconds: u64,
    key: &SigningKey,
) -> Result<String, CheckpointError> {
    Checkpoint::verify(note, log)?;
    let by = CosignerKey::new(witness, key.verifying_key())?;
    let signature = key.sign(statement(note::open(note, log)?, seconds).as_bytes());
    let signature = [seconds.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
    Ok(note::signature_line(&by, &signature))
}

/// Puts `line`, a cosignature of `witness`, below the checkpoint in `note`, and gives the whole note.
///
/// # Errors
/// [`NoteError::Malformed`] where it is not one line of a signature; [`NoteError::Unsigned`] where it is somebody else's;
/// [`NoteError::Signature`] where the witness did not sign this checkpoint.
pub fn with_cosignature(note: &str, line: &str, witness: &CosignerKey) -> Result<String, NoteError> {
    let longer = note::with_line(note, line)?;
    let by_witness = |note| note::signatures_by(note, witness).map(|(_, signatures)| signatures.len());
    if by_witness(&longer)? == by_witness(note)? {
        return Err(NoteError::Unsigned(String::from(witness.name())));
    }
    cosigned_at(&longer, witness)?;
    Ok(longer)
}

/// When `witness` signed the checkpoint in `note`, in seconds since the Unix epoch: the latest, if it did so several times;
/// none where it did not.
///
/// # Errors
/// [`NoteError::Signature`] where a line in its name is not its own.
pub fn cosigned_at(note: &str, witness: &CosignerKey) -> Result<Option<u64>, NoteError> {
    let (text, signatures) = note::signatures_by(note, witness)?;
    let mut latest = None;
    for signature in signatures {
        let wrong = || NoteError::Signature(String::from(witness.name()));
        let (seconds, signature) = signature.split_first_chunk().ok_or_else(wrong)?;
        let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
        let seconds = u64::from_be_bytes(*seconds);
        if i64::try_from(seconds).is_err() {
            return Err(wrong());
        }
        let statement = statement(text, seconds);
        witness.key().verify_strict(statement.as_bytes(), &signature).map_err(|_| wrong())?;
        latest = latest.max(Some(seconds));
    }
    Ok(latest)
}

/// What a cosignature is over.
fn statement(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}
