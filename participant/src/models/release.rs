//! What a ledger says of one model: entries, proofs and a checkpoint, checked against the roster that this institution pinned.

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use syndic_learning::promotion::{Figures, GateError, gates};
use syndic_learning::release::{ReleaseError, check_release};
use syndic_learning::staged::{STAGED, Staged};
use syndic_learning::{Job, Model, ModelCard};
use syndic_ledger::{Checkpoint, Entry, Hash, VerifierKey, leaf_hash, verify_inclusion};
use syndic_proto::convert::{RecordedEntry, RecordedModel};
use syndic_round::{ApprovalError, Digest, JobId, Roster, SealedRoster, Stage};
use thiserror::Error;

/// The record of a model, as `release.json` has it. Nothing in it is believed before [`Release::prove`] says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    schema: String,
    /// The checkpoint that all proofs lead to, as this participant keeps it.
    checkpoint: String,
    agreed: Shown,
    completed: Shown,
    approved: Shown,
    staged: Shown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    index: u64,
    entry: String,
    inclusion: Vec<String>,
}

/// What a record proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The name that the model stands under.
    pub name: String,
    /// The job that released it.
    pub job: JobId,
    /// What it is used for.
    pub stage: Stage,
    /// The place of the entry by which it came to that.
    pub entry: u64,
    /// The number of that change, under the name: an approver signed it, and no change has one twice.
    pub number: u64,
    /// SHA-256 of its weights.
    pub model: Digest,
    /// SHA-256 of its card.
    pub card: Digest,
    /// The job file that the institutions agreed to.
    file: String,
    figures: Figures,
}

/// Why a model that is delivered, or lies here, is not to be used.
#[derive(Debug, Error)]
pub enum Undelivered {
    /// The record is none, or a checkpoint in it is not signed by the federation's ledger.
    #[error("the record of the model cannot be read, or is not under the ledger's signature")]
    Record,
    /// An entry is not in the ledger, or not what it is shown as.
    #[error(
        "the ledger does not say so: the entry by which the model was {0} is not in it, or says something else"
    )]
    NotOnRecord(&'static str),
    /// The job's gates are not passed, by the figures on record.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No approver said so.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The files are others.
    #[error(transparent)]
    Files(#[from] ReleaseError),
    /// The ledger that is shown is older than what was shown before.
    #[error("the stage that is shown of the model is older than the one that is known, of entry {0}")]
    Older(u64),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Undelivered {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Record => "model.record",
            Self::NotOnRecord(_) => "model.not-on-record",
            Self::Gate(error) => error.code(),
            Self::Approval(error) => error.code(),
            Self::Files(error) => error.code(),
            Self::Older(_) => "model.older-stage",
            Self::Io { .. } => "model.io",
        }
    }
}

impl Release {
    /// What was shown of a model under a checkpoint.
    pub fn of(checkpoint: String, model: &RecordedModel) -> Self {
        let shown = |entry: &RecordedEntry| Shown {
            index: entry.index,
            entry: String::from_utf8_lossy(&entry.entry).into_owned(),
            inclusion: entry.inclusion.iter().map(Hash::to_string).collect(),
        };
        let RecordedModel { agreed, completed, approved, staged } = model;
        Self {
            schema: SCHEMA.into(),
            checkpoint,
            agreed: shown(agreed),
            completed: shown(completed),
            approved: shown(approved),
            staged: shown(staged),
        }
    }

    /// The record in `text`.
    ///
    /// # Errors
    /// [`Undelivered::Record`].
    pub fn parse(text: &str) -> Result<Self, Undelivered> {
        let release: Self = serde_json::from_str(text).map_err(|_| Undelivered::Record)?;
        if release.schema == SCHEMA { Ok(release) } else { Err(Undelivered::Record) }
    }

    /// As it is written.
    pub fn to_json(&self) -> String {
        // Strings and numbers always have a form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Checks that the ledger of the federation with this roster has all four entries, that they are of one model, and that an
    /// approver of the roster signed what they say.
    ///
    /// # Errors
    /// [`Undelivered`] names the first thing that does not hold.
    pub fn prove(&self, roster: &SealedRoster) -> Result<Proved, Undelivered> {
        let key = ledger_key(roster.roster()).ok_or(Undelivered::Record)?;
        let checkpoint = Checkpoint::verify(&self.checkpoint, &key).map_err(|_| Undelivered::Record)?;
        let agreed = self.agreed.under(&checkpoint, AGREED, "agreed")?;
        let completed = self.completed.under(&checkpoint, COMPLETED, "released")?;
        let approved = self.approved.staged(&checkpoint, "approved")?;
        let staged = self.staged.staged(&checkpoint, "staged")?;
        let text =
            |entry: &Entry, key: &str| entry.data.get(key).and_then(|value| value.as_str()).map(String::from);
        let (own, last) = (&approved.approval.change, &staged.approval.change);
        let job = &own.job;
        let of_job = |entry: &Entry| text(entry, "job").as_deref() == Some(job.as_str());
        if !of_job(&agreed) {
            return Err(Undelivered::NotOnRecord("agreed"));
        }
        if !of_job(&completed) || text(&completed, "model") != Some(own.model.to_string()) {
            return Err(Undelivered::NotOnRecord("released"));
        }
        approved.approval.verify(roster)?;
        staged.approval.verify(roster)?;
        if !own.from.may_become(own.to) || !last.from.may_become(last.to) {
            return Err(Undelivered::NotOnRecord("staged"));
        }
        let stage = match () {
            () if last == own => own.to,
            // Another took its place.
            () if last.replaces.as_ref() == Some(job)
                && last.name == own.name
                && last.number > own.number =>
            {
                Stage::Shadow
            }
            () => return Err(Undelivered::NotOnRecord("staged")),
        };
        let figures = completed.data.get("figures").map(|figures| serde_json::from_value(figures.clone()));
        let figures: Figures =
            figures.transpose().map_err(|_| Undelivered::NotOnRecord("released"))?.unwrap_or_default();
        let file = text(&agreed, "file").ok_or(Undelivered::NotOnRecord("agreed"))?;
        if own.to == Stage::Champion {
            judge(&file, &figures)?;
        }
        Ok(Proved {
            name: own.name.clone(),
            job: job.clone(),
            stage,
            entry: self.staged.index,
            number: last.number,
            model: own.model,
            card: own.card.ok_or(Undelivered::NotOnRecord("approved"))?,
            file,
            figures,
        })
    }
}

/// Judges the gates of the agreed job file. How good the champion was that it has replaced is not shown here: that gate is judged
/// by approvers and audits.
fn judge(file: &str, figures: &Figures) -> Result<(), Undelivered> {
    let job = Job::from_toml(file).map_err(|_| Undelivered::NotOnRecord("agreed"))?;
    if let Some(terms) = &job.promotion {
        gates(terms, figures, None)?;
    }
    Ok(())
}

impl Proved {
    /// Whether this change may follow what is known of the model already: a higher number than the last one, and none after a
    /// withdrawal. An approval that counted once, shown again from another place of the ledger, may not.
    pub fn may_follow(&self, known: &Self) -> bool {
        self.number > known.number && self.entry > known.entry && known.stage != Stage::Withdrawn
    }

    /// The model in the files and its card, once they are found to be those of this model, and the card to say what is on record.
    ///
    /// # Errors
    /// [`Undelivered::Files`].
    pub fn check(&self, weights: &[u8], card: &[u8]) -> Result<(Model, ModelCard), Undelivered> {
        let named = (self.model, self.card);
        Ok(check_release(weights, card, named, (&self.job, &self.file), &self.figures)?)
    }
}

impl Shown {
    /// The entry, if it is of this kind and in the ledger under the checkpoint.
    fn under(&self, checkpoint: &Checkpoint, kind: &str, what: &'static str) -> Result<Entry, Undelivered> {
        let wrong = || Undelivered::NotOnRecord(what);
        let inclusion: Option<Vec<Hash>> = self.inclusion.iter().map(|hex| Hash::from_hex(hex)).collect();
        let leaf = leaf_hash(self.entry.as_bytes());
        verify_inclusion(
            &leaf,
            self.index,
            checkpoint.size(),
            &inclusion.ok_or_else(wrong)?,
            checkpoint.root(),
        )
        .map_err(|_| wrong())?;
        Entry::parse(self.entry.as_bytes()).ok().filter(|entry| entry.kind == kind).ok_or_else(wrong)
    }

    fn staged(&self, checkpoint: &Checkpoint, what: &'static str) -> Result<Staged, Undelivered> {
        let entry = self.under(checkpoint, STAGED, what)?;
        Staged::from_data(&entry.data).ok_or(Undelivered::NotOnRecord(what))
    }
}

/// The key that checkpoints of the federation's ledger verify with.
fn ledger_key(roster: &Roster) -> Option<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.coordinator_key).ok()?;
    VerifierKey::new(&roster.ledger_origin(), key).ok()
}

const SCHEMA: &str = "syndic-release/1";
const AGREED: &str = "syndic.job.agreed";
const COMPLETED: &str = "syndic.job.completed";
