//! `participant.toml`: how this agent is deployed.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::data::FileSource;

/// The configuration of an agent. Paths are relative to the file's own folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder with keys, bundle and pinned roster.
    pub enrolment: PathBuf,
    /// Where the journal is kept.
    pub state: PathBuf,
    /// The site policy.
    pub policy: PathBuf,
    /// The institution's rows.
    pub data: FileSource,
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
#[error("cannot use the configuration {path}: {reason}")]
pub struct ConfigError {
    /// File.
    pub path: PathBuf,
    /// Why, with the line.
    pub reason: String,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |reason: String| ConfigError { path: path.into(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|error| failed(malformed(&text, &error)))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for part in [&mut config.enrolment, &mut config.state, &mut config.policy, &mut config.data.file] {
            *part = folder.join(&*part);
        }
        Ok(config)
    }
}

/// What the parser says, with the line, and without the line's text: a table given by mistake holds people's data.
pub(crate) fn malformed(text: &str, error: &toml::de::Error) -> String {
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
