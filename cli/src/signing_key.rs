//! What is told where the file of somebody's private key cannot be used.

use syndic_participant::keys::KeysError;

use crate::{Error, Exit};

/// `option` names the file; `made` says how one is made.
pub(crate) fn no_key(error: &KeysError, option: &str, made: &'static str) -> Error {
    let exit = if error.exit_code() == 3 { Exit::World } else { Exit::Input };
    let help = match error {
        KeysError::Exists { .. } => "name another file: a key is never overwritten",
        KeysError::Permissions { .. } => "run `chmod 600` on it, and ask who may have read it",
        KeysError::Io { .. } => "check that the folder exists, is writable for this user and has space left",
        _ => made,
    };
    Error::new(exit, error.code(), error.to_string()).place(option).help(help)
}
