//! A released model as it lies in a folder, checked before anything is done with it.

use std::path::{Path, PathBuf};

use syndic_learning::{Job, Model, ModelCard, ModelError};
use syndic_ledger::Entry;
use syndic_round::Stage;

use super::args::ReleaseArgs;
use crate::ledger::folder::Folder;
use crate::ledger::reading::Chosen;
use crate::ledger::trust::Trust;
use crate::sandbox::folder::{CARD, WEIGHTS};
use crate::{Error, Exit, Result};

/// A model whose files belong together, and what a ledger says of it where one was asked.
pub struct Released {
    /// The model.
    pub model: Model,
    /// Its card.
    pub card: ModelCard,
    /// Where its weights lie.
    pub weights_path: PathBuf,
    /// Where its card lies.
    pub card_path: PathBuf,
    /// What a ledger says; none where none was named.
    pub recorded: Option<Recorded>,
}

/// A ledger's word for a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The place of the entry that names it.
    pub entry: u64,
    /// Whether a key or policy was named, so that it is more than what the ledger says of itself.
    pub pinned: bool,
}

impl Released {
    /// The model that `args` name.
    ///
    /// # Errors
    /// Files that are none, or do not belong together, with exit code 2; a ledger that does not verify or does not name
    /// the model, with exit code 4.
    pub fn open(args: &ReleaseArgs) -> Result<Self> {
        let trust = args.trust.trust()?;
        if let (None, false) = (&args.ledger, matches!(trust, Trust::Itself)) {
            return Err(Error::input("options.missing", "a key says nothing of a model without its ledger")
                .place("--ledger")
                .help("name the folder of the ledger with --ledger, or leave out --key and --policy"));
        }
        let mut released = Self::read(&args.model)?;
        released.recorded =
            args.ledger.as_deref().map(|ledger| recorded(ledger, &trust, &released.card)).transpose()?;
        Ok(released)
    }

    /// The model in a folder, or beside the file of its weights. No ledger was asked.
    ///
    /// # Errors
    /// Files that are none, or do not belong together.
    pub fn read(path: &Path) -> Result<Self> {
        let (weights_path, card_path) = files_of(path);
        let weights = read(&weights_path)?;
        let card = String::from_utf8(read(&card_path)?).unwrap_or_default();
        let (model, card) = Model::load(&weights, &card).map_err(|error| {
            let exit = match &error {
                ModelError::Digest { .. } | ModelError::Table => Exit::Unverified,
                _ => Exit::Input,
            };
            let meant = match &error {
                ModelError::Card(_) | ModelError::Table => &card_path,
                _ => &weights_path,
            };
            Error::new(exit, error.code(), error.to_string())
                .place(meant.display().to_string())
                .help(error.help())
        })?;
        if is_withdrawn(&card_path.with_file_name(RECORD)) {
            return Err(Error::new(Exit::Unverified, "model.withdrawn", "this model was withdrawn: it is not to be used any more")
                .place(card_path.with_file_name(RECORD).display().to_string())
                .help("`syndic-participant models` lists what may be used; `syndic model show` has who withdrew it, and why"));
        }
        Ok(Self { model, card, weights_path, card_path, recorded: None })
    }

    /// What is known of where it comes from, in a sentence for people.
    pub fn told(&self) -> String {
        let digest = &self.card.weights_digest.to_string()[..16];
        let job = self.job().map_or_else(String::new, |job| format!(" of job {job}"));
        let word = match self.recorded {
            Some(Recorded { entry, pinned: true }) => format!("named by entry {entry} of the ledger"),
            Some(Recorded { entry, pinned: false }) => {
                format!("named by entry {entry} of a ledger that only its own key vouches for")
            }
            None => "not looked up in a ledger".into(),
        };
        format!("model {digest}…{job}, contract {}, {word}", self.card.contract.id())
    }

    /// The job that its card names.
    pub fn job(&self) -> Option<&str> {
        self.card.provenance.get("job").and_then(|job| job.as_str())
    }
}

/// Where the weights and the card lie: in the folder that is named, or beside the one of the two that is.
/// What a participant writes beside a model that was delivered to it.
const RECORD: &str = "release.json";

fn files_of(path: &Path) -> (PathBuf, PathBuf) {
    if path.is_dir() {
        return (path.join(WEIGHTS), path.join(CARD));
    }
    match path.extension() {
        Some(extension) if extension == "json" => (path.with_file_name(WEIGHTS), path.into()),
        _ => (path.into(), path.with_file_name(CARD)),
    }
}

/// Whether the record that a participant keeps beside a delivered model says that it was withdrawn. Others have none.
fn is_withdrawn(record: &Path) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let staged = || read(read(&std::fs::read_to_string(record).ok()?)?["staged"]["entry"].as_str()?);
    staged().is_some_and(|entry| entry["data"]["to"] == Stage::Withdrawn.name())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| {
        Error::unreadable(path, &cause)
            .help("name a folder with `model.safetensors` and `model.json`, as a run or `publish` has them")
    })
}

/// The entry by which a job of the ledger released the model of this card.
fn recorded(ledger: &Path, trust: &Trust, card: &ModelCard) -> Result<Recorded> {
    let place = ledger.display().to_string();
    let unlike = |code: &str, why: &str| {
        Error::new(Exit::Unverified, code, why).place(place.clone()).help(
            "take model, card and ledger of one release, unchanged; do not use this model until they agree",
        )
    };
    let text = |key: &str| card.provenance.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    let (Some(job), Some(agreement)) = (text("job"), text("agreement")) else {
        return Err(unlike("model.no-job", "the model's card does not say which job released it"));
    };
    let is_of_job = |entry: &Entry| {
        [AGREED, COMPLETED].contains(&entry.kind.as_str()) && entry.data["job"].as_str() == Some(&job)
    };
    let chosen = Chosen::from(Folder::open(ledger)?, trust, |accepted| is_of_job(&accepted.entry))?;
    let (mut agreed, mut named) = (None, None);
    for told in chosen.told() {
        let told = told?;
        match told.entry.kind.as_str() {
            AGREED => agreed = Some(told.entry.data),
            _ => named = Some((told.index, told.entry.data)),
        }
    }
    let Some((entry, completed)) = named else {
        return Err(unlike("model.unrecorded", "the ledger has no entry by which the job released a model"));
    };
    if completed["model"].as_str() != Some(&card.weights_digest.to_string()) {
        return Err(unlike("model.other-model", "the ledger says that the job released another model"));
    }
    let agreed = agreed.unwrap_or_default();
    if agreed["agreement"].as_str() != Some(&agreement) {
        return Err(unlike("model.other-agreement", "the ledger's job was agreed with another job file"));
    }
    // The model's digest is not that of its card: only the job file says which rows it is for.
    let job_file = agreed["file"].as_str().unwrap_or_default();
    let contract = Job::from_toml(job_file).map(|job| job.contract);
    if contract.as_ref().ok() != Some(&card.contract) {
        return Err(unlike(
            "model.other-contract",
            "the model's card has another contract than the job file on record",
        ));
    }
    Ok(Recorded { entry, pinned: chosen.verified.summary.pinned })
}

const AGREED: &str = "syndic.job.agreed";
const COMPLETED: &str = "syndic.job.completed";
