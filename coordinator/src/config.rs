//! `coordinator.toml`: how this installation is deployed. Protocol terms are never here, they are the job's.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use syndic_round::Digest;
use thiserror::Error;

use crate::limits::Limits;
use crate::malformed;
use crate::store::config::StoreConfig;
use crate::sweep::SweepConfig;

/// The configuration of a coordinator. Paths are relative to the file's own folder.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen for participants.
    pub listen: SocketAddr,
    /// The folder that `syndic federation init` wrote, with the sealed roster. The authority's private key
    /// is not read and need not be there.
    pub federation: PathBuf,
    /// Where ledger and blobs are kept.
    pub state: PathBuf,
    /// The job to run until it is over. Without one the service goes on until it is told to stop, and runs the jobs that are
    /// handed in with `syndic-coordinator job submit`.
    #[serde(default)]
    pub job: Option<PathBuf>,
    /// Where the ledger and the model are written out for reviewers whenever a job ends.
    pub publish: PathBuf,
    /// How many seconds a round waits for institutions that are not connected, once enough are, counted from when they left; at
    /// most a day.
    #[serde(default = "default_gather_seconds")]
    pub gather_seconds: u64,
    /// The only certificates that are let in, where there is such a list: a file with a fingerprint on each line.
    #[serde(default)]
    pub allow_fingerprints: Option<PathBuf>,
    /// A loopback address on which it is told, in plain HTTP, whether the coordinator is alive and ready.
    #[serde(default)]
    pub health: Option<SocketAddr>,
    /// What peers can send, hold open or ask for.
    #[serde(default)]
    pub limits: Limits,
    /// The servers that keep ledger and blobs; the folder `state` does where there are none.
    #[serde(default)]
    pub store: Option<StoreConfig>,
    /// When blobs go that no entry names.
    #[serde(default)]
    pub sweep: SweepConfig,
    /// How many jobs are under way at once; others wait.
    #[serde(default = "default_most_jobs_at_once")]
    pub most_jobs_at_once: NonZeroUsize,
    #[serde(skip)]
    canonical: String,
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
    /// The file is no configuration.
    #[error("{path} is not a valid configuration: {reason}")]
    Malformed {
        /// File.
        path: PathBuf,
        /// What is wrong, with line and key.
        reason: String,
    },
}

impl ConfigError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => syndic_terminal::file::UNREADABLE,
            Self::Malformed { .. } => "config.malformed",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "give the path of a readable file with `--config`",
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
        let malformed = |reason| ConfigError::Malformed { path: path.into(), reason };
        let mut config: Self =
            toml::from_str(&text).map_err(|error| malformed(malformed::toml(&text, &error)))?;
        if config.gather_seconds > MOST_GATHER_SECONDS {
            return Err(malformed(format!("`gather_seconds` is more than {MOST_GATHER_SECONDS}, a day")));
        }
        if config.health.is_some_and(|address| !address.ip().is_loopback()) {
            return Err(malformed(
                "`health` is not an address of this host alone, such as 127.0.0.1:7444".into(),
            ));
        }
        config.limits.check().map_err(malformed)?;
        config.sweep.check().map_err(malformed)?;
        config.store.as_ref().map_or(Ok(()), StoreConfig::check).map_err(malformed)?;
        // With the paths as the file has them: a copy of it elsewhere is the same configuration.
        config.canonical = canonical(&config).map_err(malformed)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let always = [&mut config.federation, &mut config.state, &mut config.publish];
        let optional = config.job.iter_mut().chain(&mut config.allow_fingerprints);
        let files = config.store.iter_mut().flat_map(StoreConfig::paths);
        for part in always.into_iter().chain(optional).chain(files) {
            *part = folder.join(&*part);
        }
        Ok(config)
    }

    /// The configuration as it counts, defaults included, in canonical JSON (RFC 8785). It holds no secret: those are in files
    /// of their own, and what else could hold one is refused.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// SHA-256 of [`Self::canonical`].
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical.as_bytes())
    }
}

fn canonical(config: &Config) -> Result<String, String> {
    let value = serde_json::to_value(config).map_err(|error| error.to_string())?;
    syndic_ledger::canonical(&value).map_err(|error| error.to_string())
}

fn default_gather_seconds() -> u64 {
    10
}

fn default_most_jobs_at_once() -> NonZeroUsize {
    const { NonZeroUsize::new(4).expect("four is not zero") }
}

/// Nobody means to let a round wait for longer than a day.
const MOST_GATHER_SECONDS: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "listen = \"127.0.0.1:7443\"\nfederation = \"f\"\nstate = \"s\"\njob = \"j\"\npublish = \"p\"\n";

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coordinator.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    fn refusal(text: &str) -> String {
        let told = load(text).unwrap_err().to_string();
        // The number has a point: no random name of a temporary folder holds it.
        for value in ["Jane", "87.25", "John"] {
            assert!(!told.contains(value), "{told}");
        }
        told
    }

    #[test]
    fn a_table_given_as_a_configuration_is_refused_by_its_line_without_its_text() {
        let told = refusal("Jane Doe,87.25,yes\nJohn Roe,12,no\n");
        assert!(told.contains("line 1: "), "{told}");
    }

    #[test]
    fn a_value_of_the_wrong_form_is_told_by_its_line_and_key_without_its_text() {
        let told = refusal(&GOOD.replace("\"s\"", "[\"Jane Doe\", 87.25]"));
        assert!(told.contains("line 3, `state`: "), "{told}");
        let told = refusal(&GOOD.replace("127.0.0.1:7443", "Jane Doe"));
        assert!(told.contains("line 1, `listen`: "), "{told}");
        let told = refusal(&format!("{GOOD}gather_seconds = \"87.25\"\n"));
        assert!(told.contains("line 6, `gather_seconds`: "), "{told}");
        let told = refusal(&format!("{GOOD}\"Jane Doe\" = 87.25\n"));
        assert!(told.contains("line 6: unknown field"), "{told}");
    }

    #[test]
    fn health_is_told_to_this_host_alone() {
        let told = load(&format!("{GOOD}health = \"0.0.0.0:7444\"\n")).unwrap_err().to_string();
        assert!(told.contains("`health` is not an address of this host alone"), "{told}");
        assert!(load(&format!("{GOOD}health = \"[::1]:7444\"\n")).unwrap().health.is_some());
    }

    #[test]
    fn limits_are_checked_and_have_defaults() {
        assert_eq!(load(GOOD).unwrap().limits, Limits::default());
        let told = load(&format!("{GOOD}[limits]\nstreams = 1\n")).unwrap_err().to_string();
        assert!(told.contains("`limits.streams` is 1"), "{told}");
        let told = refusal(&format!("{GOOD}[limits]\nstreams = \"Jane Doe\"\n"));
        assert!(told.contains("line 7, `streams`: "), "{told}");
    }

    #[test]
    fn a_service_without_a_job_of_its_own_runs_those_that_are_handed_in() {
        assert!(load(GOOD).unwrap().job.is_some_and(|job| job.ends_with("j")));
        let config = load(&GOOD.replace("job = \"j\"\n", "")).unwrap();
        assert_eq!((config.job, config.most_jobs_at_once.get()), (None, 4));
        assert_eq!(load(&format!("{GOOD}most_jobs_at_once = 9\n")).unwrap().most_jobs_at_once.get(), 9);
        let told = refusal(&format!("{GOOD}most_jobs_at_once = 0\n"));
        assert!(told.contains("line 6, `most_jobs_at_once`: "), "{told}");
    }

    #[test]
    fn the_digest_is_of_what_counts_and_not_of_how_it_is_written() {
        let digest = |text: &str| load(text).unwrap().digest();
        let written_out = format!(
            "# as it was\n{GOOD}gather_seconds = 10\n[limits.calls]\nsay = {{ per_second = 500, burst = 2000 }}\n"
        );
        assert_eq!(digest(&written_out), digest(GOOD));
        assert_ne!(digest(&format!("{GOOD}gather_seconds = 11\n")), digest(GOOD));
        let canonical = load(GOOD).unwrap();
        assert!(canonical.canonical().contains(r#""state":"s""#), "{}", canonical.canonical());
    }

    #[test]
    fn what_no_entry_names_yet_has_a_day_at_least() {
        assert_eq!(load(GOOD).unwrap().sweep, SweepConfig { older_than_days: 7 });
        let told = refusal(&format!("{GOOD}[sweep]\nolder_than_days = 0\n"));
        assert!(told.contains("`sweep.older_than_days` is 0, which is not from 1 to"), "{told}");
        let told = refusal(&format!("{GOOD}[sweep]\nolder_than = 87.25\n"));
        assert!(told.contains("line 7"), "{told}");
    }

    #[test]
    fn nobody_can_ask_for_a_longer_wait_than_a_day() {
        assert_eq!(load(GOOD).unwrap().gather_seconds, 10);
        assert_eq!(load(&format!("{GOOD}gather_seconds = 86400\n")).unwrap().gather_seconds, 86_400);
        for seconds in ["86401", "9223372036854775807"] {
            let told = load(&format!("{GOOD}gather_seconds = {seconds}\n")).unwrap_err().to_string();
            assert!(told.contains("`gather_seconds` is more than 86400"), "{told}");
        }
    }
}
