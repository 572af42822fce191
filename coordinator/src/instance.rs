//! Which process a coordinator is, and what runs in it: what goes on record when it is started.

use std::{fs, io};

use syndic_round::Digest;
use uuid::Uuid;

/// A process that works on a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Unlike that of any other process.
    pub id: String,
    /// What runs in it.
    pub software: Software,
    /// SHA-256 of the configuration as it counts, without secrets; none where there is no such file.
    pub configuration: Option<Digest>,
}

/// A build of this software.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Its version.
    pub version: String,
    /// The commit that it was built from, where whoever built it said so in `SYNDIC_COMMIT`.
    pub commit: Option<String>,
    /// SHA-256 of the program's file, where it could be read.
    pub binary: Option<Digest>,
}

impl Instance {
    /// A new process with this software and configuration.
    pub fn new(software: Software, configuration: Option<Digest>) -> Self {
        Self { id: Uuid::now_v7().to_string(), software, configuration }
    }
}

impl Software {
    /// This build; its file is not looked at.
    pub fn built() -> Self {
        let commit = option_env!("SYNDIC_COMMIT").filter(|commit| !commit.is_empty());
        Self { version: env!("CARGO_PKG_VERSION").into(), commit: commit.map(String::from), binary: None }
    }

    /// The same with the digest of the file that this process was started from, as it was then: also where another one has taken
    /// its place since. Reads the whole file, at once.
    pub fn running() -> Self {
        Self { binary: digest_of_this_program().ok(), ..Self::built() }
    }
}

fn digest_of_this_program() -> io::Result<Digest> {
    // On Linux the file itself, whatever its name leads to by now.
    let program = fs::read("/proc/self/exe").or_else(|_| fs::read(std::env::current_exe()?))?;
    Ok(Digest::of(&program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_names_the_file_that_it_was_started_from() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(Software::running().binary, Some(Digest::of(&program)));
    }

    #[test]
    fn no_two_processes_are_the_same() {
        let instance = || Instance::new(Software::built(), None);
        assert_ne!(instance().id, instance().id);
    }
}
