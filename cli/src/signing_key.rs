//! What is told where the file of somebody's private key cannot be used.

use syndic_participant::keys::KeysError;
use syndic_terminal::file::UNREADABLE;

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
    // Named and not there: as any other file.
    let code = if matches!(error, KeysError::Missing { .. }) { UNREADABLE } else { error.code() };
    Error::new(exit, code, error.to_string()).place(option).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_named_and_not_there_is_told_as_any_other_file() {
        let absent = no_key(&KeysError::Missing { path: "me.pem".into() }, "--key", "make one");
        assert_eq!((absent.code(), absent.exit()), ("file.unreadable", 2));
        assert!(absent.render().contains("help: make one"), "{}", absent.render());
        let there = no_key(&KeysError::Exists { path: "me.pem".into() }, "--key", "make one");
        assert_eq!(there.code(), "keys.exists");
    }
}
