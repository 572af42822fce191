//! `participant.toml`: how this agent is deployed.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_learning::program::external::terms::is_trainer;
use thiserror::Error;

use crate::data::DataSection;
use crate::malformed::read_toml;
use crate::trainer::TrainerConfig;

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
    pub data: DataSection,
    /// When the agent ends by itself.
    #[serde(default)]
    pub until: Until,
    /// The external trainer, where there is one.
    pub trainer: Option<TrainerConfig>,
}

/// When an agent ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Once the jobs are over that it takes part in.
    #[default]
    JobOver,
    /// Not before it is stopped: it waits for the next job.
    Stopped,
}

/// Why a configuration is refused. Shows no text of the file.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no configuration.
    #[error("cannot use the configuration {path}: {reason}")]
    Malformed {
        /// File.
        path: PathBuf,
        /// Why, with the line.
        reason: String,
    },
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |reason: String| ConfigError::Malformed { path: path.into(), reason };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.into(), source })?;
        let mut config: Self = read_toml(&text).map_err(failed)?;
        if let Some(misfit) = config.data.misfit() {
            return Err(failed(misfit));
        }
        if let Some(trainer) = &config.trainer
            && (!is_trainer(&trainer.name) || trainer.timeout_seconds == 0)
        {
            return Err(failed("`name` of [trainer] is a name and a version with a slash between them, and `timeout_seconds` is at least 1".into()));
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        for part in [&mut config.enrolment, &mut config.state, &mut config.policy] {
            *part = folder.join(&*part);
        }
        config.data.within(folder);
        if let Some(trainer) = &mut config.trainer {
            trainer.socket = folder.join(&trainer.socket);
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use syndic_data::{Origin, Source as Table};

    use super::*;
    use crate::data::Source;

    const MAPPED: &str = include_str!("../../examples/mapping/participant.toml");
    const SAMPLE: &str = include_str!("../../deploy/participant.toml");

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("participant.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_given_as_a_configuration_is_refused_by_its_line_without_its_text() {
        // The number has a point: no random name of a temporary folder holds it.
        let told = load("Jane Doe,87.25,yes\nJohn Roe,12,no\n").unwrap_err();
        assert!(told.contains("line 1: "), "{told}");
        assert!(!told.contains("Jane") && !told.contains("87.25") && !told.contains("John"), "{told}");
    }

    #[test]
    fn a_value_in_the_wrong_place_is_told_by_line_and_key_without_its_text() {
        let told = load("enrolment = \"a\"\nstate = 8731\n").unwrap_err();
        assert!(told.contains("line 2: ") && told.contains("at `state`"), "{told}");
        assert!(!told.contains("8731"), "{told}");
        let told = load(&SAMPLE.replace("test = [\"0\"]", "test = \"Jane Doe\"")).unwrap_err();
        assert!(told.contains("at `data.split.test`") && !told.contains("Jane"), "{told}");
        let told = load(&format!("\"Jane Doe\" = 1\n{SAMPLE}")).unwrap_err();
        assert!(told.contains("line 1: an unknown key") && !told.contains("Jane"), "{told}");
    }

    #[test]
    fn an_agent_ends_with_its_job_unless_it_is_to_wait_for_the_next() {
        let of = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("participant.toml");
            std::fs::write(&path, text).unwrap();
            Config::load(&path).map(|config| config.until)
        };
        let without: String = SAMPLE
            .lines()
            .filter(|line| !line.starts_with("until"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(of(&without).unwrap(), Until::JobOver);
        assert_eq!(of(SAMPLE).unwrap(), Until::Stopped);
        let told = load(&SAMPLE.replace("\"stopped\"", "\"Jane Doe\"")).unwrap_err();
        assert!(told.contains("at `until`") && !told.contains("Jane"), "{told}");
    }

    #[test]
    fn one_row_does_not_both_choose_and_test_a_model() {
        assert!(load(SAMPLE).is_ok());
        let told = load(&SAMPLE.replace("validation = [\"1\"]", "validation = [\"1\", \"0\"]")).unwrap_err();
        assert!(told.contains("share a value"), "{told}");
    }

    #[test]
    fn the_example_of_sources_is_a_configuration() {
        let config = load(MAPPED).unwrap();
        let Source::Query(source) = config.data.source(Path::new("scratch")) else { panic!("sources") };
        assert_eq!(source.sources.len(), 2);
        let is_absolute =
            |source: &Table| matches!(&source.origin, Origin::Files(files) if files.path.is_absolute());
        assert!(source.sources.iter().all(is_absolute), "{:?}", source.sources);
        let mapping = &source.contracts["credit_default.v1"];
        assert_eq!(mapping.memory_mb, 512);
        assert!(mapping.rules.consent.is_some() && mapping.rules.split.is_some());
    }

    #[test]
    fn a_section_that_says_two_things_is_refused_by_what_it_says() {
        let head = "enrolment = \"a\"\nstate = \"b\"\npolicy = \"c\"\n[data]\n";
        let sources = "[data.sources.customers]\npath = \"c.csv\"\nformat = \"csv\"\n";
        let query = "[data.contracts.\"c.v1\"]\nquery = \"SELECT 1 FROM customers\"\n";
        let filter = "[data.only]\ncolumn = \"b\"\nvalues = [\"Jane\"]\n";
        assert!(load(&[head, sources, query].concat()).is_ok());
        for (text, told) in [
            (head.to_owned(), "needs a `file`"),
            ([head, "file = \"c.csv\"\n", sources, query].concat(), "beside"),
            ([head, sources].concat(), "needs a query"),
            ([head, query].concat(), "needs [data.sources]"),
            ([head, sources, query, filter].concat(), "is a WHERE"),
            ([head, sources, query, "memory_mb = 8\n"].concat(), "below 32"),
            ([head, &sources.replace("customers", "\"Jane Doe\""), query].concat(), "a letter first"),
            ([head, &sources.replace("\"csv\"", "\"jane\""), query].concat(), "another kind or range"),
        ] {
            let shown = load(&text).unwrap_err();
            assert!(shown.contains(told) && !shown.to_lowercase().contains("jane"), "{shown}");
        }
        let split = "split = { column = \"fold\", test = [\"0\"], validation = [\"0\"] }\n";
        assert!(load(&[head, sources, query, split].concat()).unwrap_err().contains("share a value"));
    }
}
