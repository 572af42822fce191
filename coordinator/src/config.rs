//! `coordinator.toml`: how this installation is deployed. Protocol terms are never here, they are the job's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// The configuration of a coordinator. Paths are relative to the file's own folder.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen for participants.
    pub listen: SocketAddr,
    /// The folder that `syndic federation init` wrote, with the sealed roster. The authority's private key
    /// is not read and need not be there.
    pub federation: PathBuf,
    /// Where ledger and blobs are kept.
    pub state: PathBuf,
    /// The job to run.
    pub job: PathBuf,
    /// Where the ledger and the model are written out for reviewers whenever a job ends.
    pub publish: PathBuf,
    /// How long a round waits for institutions that are not connected, once enough are.
    #[serde(default = "default_gather_seconds")]
    pub gather_seconds: u64,
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no configuration; the message has the line.
    #[error("{path} is not a valid configuration: {reason}")]
    Malformed {
        /// File.
        path: PathBuf,
        /// The parser's reason.
        reason: String,
    },
}

impl ConfigError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "config.unreadable",
            Self::Malformed { .. } => "config.malformed",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "give the path of an existing file with `--config`",
            Self::Malformed { .. } => "compare it with the sample in deploy/coordinator.toml",
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.into(),
            reason: malformed(&text, &error),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for part in [&mut config.federation, &mut config.state, &mut config.job, &mut config.publish] {
            *part = folder.join(&*part);
        }
        Ok(config)
    }
}

fn default_gather_seconds() -> u64 {
    10
}

/// What the parser says, with the line, and without the line's text: a table given by mistake holds people's data.
fn malformed(text: &str, error: &toml::de::Error) -> String {
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, error.message()),
        None => error.message().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_given_as_a_configuration_is_refused_by_its_line_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "Jane Doe,87,yes\nJohn Roe,12,no\n").unwrap();

        let told = Config::load(&path).unwrap_err().to_string();

        assert!(told.contains("line 1: "), "{told}");
        assert!(!told.contains("Jane") && !told.contains("87") && !told.contains("John"), "{told}");
    }
}
