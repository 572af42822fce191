//! By whose word a ledger is believed: nobody's, a key's, or that of a policy's log and witnesses.

use std::path::Path;

use syndic_ledger::{NoteError, Policy, PolicyError, VerifierKey};

use crate::{Error, Exit, Result};

/// By whose word a ledger is believed.
#[derive(Debug)]
pub enum Trust {
    /// The key that comes with it: then it is self-consistent only.
    Itself,
    /// This key's.
    Key(Box<VerifierKey>),
    /// That of a log and witnesses.
    Policy(Policy),
}

impl Trust {
    /// By `key`, a verifier key in vkey form, or by the policy in the file `policy`.
    ///
    /// # Errors
    /// A key or policy that makes no sense, with exit code 2.
    pub fn of(key: Option<&str>, policy: Option<&Path>) -> Result<Self> {
        match (key, policy) {
            (_, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|error| Error::unreadable(path, &error))?;
                Policy::parse(&text).map(Self::Policy).map_err(|error| {
                    Error::input(error.code(), error.to_string()).place(path.display().to_string()).help(
                        "the lines of a policy are log, witness, group and quorum; docs/ledger.md has one",
                    )
                })
            }
            (Some(key), None) => Ok(Self::Key(Box::new(parse_key(key, "--key")?))),
            (None, None) => Ok(Self::Itself),
        }
    }

    /// The policy that says the same; none where nobody is named.
    pub fn policy(&self) -> Option<Policy> {
        match self {
            Self::Itself => None,
            Self::Key(key) => Some(Policy::of_log((**key).clone())),
            Self::Policy(policy) => Some(policy.clone()),
        }
    }
}

/// A checkpoint that a policy does not accept.
pub(crate) fn unaccepted(place: String, error: &PolicyError) -> Error {
    let help = match error {
        PolicyError::Quorum { .. } => "ask for a checkpoint that enough witnesses have signed",
        PolicyError::NoLog => "compare the policy's keys with those that `syndic-participant pin` printed",
        _ => "somebody has altered the checkpoint, or signed another ledger; keep the files",
    };
    Error::new(Exit::Unverified, error.code(), error.to_string()).place(place).help(help)
}

/// The verifier key that `option` gives.
pub(super) fn parse_key(text: &str, option: &str) -> Result<VerifierKey> {
    text.trim().parse().map_err(|error: NoteError| {
        Error::input(error.code(), error.to_string())
            .place(option)
            .help("give the key as NAME+HASH+BASE64, in quotes, as `result.json` has it under ledger.key")
    })
}
