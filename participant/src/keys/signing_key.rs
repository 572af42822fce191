//! A single Ed25519 key in a file of its own, for whoever signs without being a member: a witness of a ledger.

use std::path::Path;

use ed25519_dalek::SigningKey;

use super::{KeysError, pkcs8, secret_file};

/// Writes the key to a new file of mode 0600, PKCS #8 in PEM. Durable when it returns.
///
/// # Errors
/// [`KeysError::Exists`] where there is a file already, [`KeysError::Io`].
pub fn write_signing_key(path: &Path, key: &SigningKey) -> Result<(), KeysError> {
    secret_file::write(path, &pkcs8::encode(key))
}

/// Reads what [`write_signing_key`] wrote.
///
/// # Errors
/// [`KeysError`] names the file and what is wrong with it: missing, open to others, or malformed.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, KeysError> {
    pkcs8::decode(&secret_file::read(path)?)
        .ok_or_else(|| KeysError::malformed(path, "does not hold an Ed25519 key"))
}
