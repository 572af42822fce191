//! The registry of models as a published ledger has it, once all of the ledger has verified.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use syndic_coordinator::audit::ROSTER;
use syndic_coordinator::fact::Fact;
use syndic_coordinator::registry::{Registered, Registry};
use syndic_learning::staged::{STAGED, Staged};
use syndic_learning::{ComparisonFigures, DriftRecord, Findings, Job};
use syndic_ledger::Timestamp;
use syndic_round::{Digest, JobId, SealedRoster};

use super::args::{PublishedArgs, ShowArgs};
use crate::commands::print;
use crate::ledger::folder::Folder;
use crate::ledger::reading::Chosen;
use crate::ledger::trust::Trust;
use crate::ledger::verify::verdict;
use crate::words::plain;
use crate::{Error, Exit, Result};

/// A registry with the entries that it follows from.
pub struct Folded {
    /// The registry.
    pub registry: Registry,
    /// The roster, with the approvers that its members signed.
    pub roster: SealedRoster,
    /// The files of jobs that were agreed.
    pub files: BTreeMap<JobId, String>,
    /// What jobs found that compared released models, with the place of the entry.
    pub comparisons: BTreeMap<JobId, (u64, ComparisonFigures)>,
    /// The documents of jobs that described rows, likewise.
    pub descriptions: BTreeMap<JobId, (u64, Digest)>,
    /// What jobs found that compared rows with those of a released model, with the place of the entry.
    pub drifts: BTreeMap<JobId, (u64, DriftRecord)>,
    /// Changes of stages in order, with place and time.
    changes: Vec<(u64, Timestamp, Staged)>,
    /// By whose word all of it holds.
    pub(crate) verdict: String,
}

impl Folded {
    /// The registry of the ledger in the folder `dir`.
    ///
    /// # Errors
    /// A ledger that does not verify, with exit code 4; one without a roster, with exit code 2.
    pub fn open(dir: &Path, trust: &Trust) -> Result<Self> {
        let folder = Folder::open(dir)?;
        let no_roster = || {
            Error::input(
                "model.no-roster",
                format!("there is no {ROSTER} beside the entries, and so no approvers"),
            )
            .place(dir.display().to_string())
            .help("name the folder that the coordinator published, with all its files")
        };
        let endorsed = folder.roster()?.cloned().ok_or_else(no_roster)?;
        let chosen = Chosen::from(folder, trust, |accepted| KINDS.contains(&accepted.entry.kind.as_str()))?;
        // The ledger was verified with it.
        let roster = endorsed
            .verify()
            .map_err(|error| Error::new(Exit::Unverified, error.code(), error.to_string()))?;
        let mut folded = Self {
            registry: Registry::default(),
            roster,
            files: BTreeMap::new(),
            comparisons: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            drifts: BTreeMap::new(),
            changes: Vec::new(),
            verdict: verdict(&chosen.verified.summary),
        };
        for told in chosen.told() {
            let told = told?;
            let unlike = |code: &str, why: String| {
                Error::new(Exit::Unverified, code, why).place(dir.display().to_string())
            };
            let fact = Fact::from_entry(told.index, &told.entry)
                .map_err(|error| unlike("audit.unreadable", error.to_string()))?;
            match fact {
                Fact::JobAgreed { job, file, .. } => {
                    if let Ok(agreed) = Job::from_toml(&file) {
                        folded.registry.agreed(&job, &agreed);
                    }
                    folded.files.insert(job, file);
                }
                Fact::JobCompleted { job, model, figures, .. } => {
                    folded.registry.completed(&job, model, figures.as_ref());
                }
                Fact::JobCompared(compared) => {
                    folded.registry.ended(&compared.job);
                    match compared.found {
                        Findings::Models(found) => {
                            folded.comparisons.insert(compared.job, (told.index, found));
                        }
                        Findings::Rows(record) => {
                            folded.drifts.insert(compared.job, (told.index, record));
                        }
                    }
                }
                Fact::JobDescribed(described) => {
                    folded.registry.ended(&described.job);
                    folded.descriptions.insert(described.job, (told.index, described.document));
                }
                Fact::ModelStaged(staged) => {
                    let taken = folded.registry.take(&staged, &folded.roster);
                    taken.map_err(|error| unlike("audit.model-stage", error.to_string()))?;
                    folded.changes.push((told.index, told.entry.time, *staged));
                }
                _ => {}
            }
        }
        Ok(folded)
    }

    fn changes_of<'a>(&'a self, job: &'a JobId) -> impl Iterator<Item = &'a (u64, Timestamp, Staged)> {
        self.changes.iter().filter(move |(_, _, staged)| {
            let change = &staged.approval.change;
            change.job == *job || change.replaces.as_ref() == Some(job)
        })
    }

    fn to_json(&self, job: &JobId, model: &Registered) -> Value {
        let entry = self.changes_of(job).last().map(|(index, ..)| *index);
        json!({
            "name": model.name, "job": job, "stage": model.stage, "model": model.model.to_string(),
            "card": model.card.map(|card| card.to_string()), "entry": entry, "figures": model.figures,
        })
    }
}

/// `syndic model list`.
///
/// # Errors
/// As [`Folded::open`].
pub fn list(args: &PublishedArgs) -> Result<()> {
    let folded = Folded::open(&args.ledger, &args.trust.trust()?)?;
    let mut models: Vec<_> = folded.registry.models().collect();
    models.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    if args.json {
        let models: Vec<Value> = models.iter().map(|(job, model)| folded.to_json(job, model)).collect();
        return print(&format!("{}\n", json!({ "models": models })));
    }
    let mut text = String::new();
    if models.is_empty() {
        text.push_str("no job has released a model yet: it is a candidate as soon as its job is complete\n");
    }
    for (job, model) in models {
        let _ = writeln!(text, "{}", line(job, model));
    }
    print(&format!("{text}{}\n", folded.verdict))
}

/// `syndic model show`.
///
/// # Errors
/// As [`Folded::open`]; a job that released no model, with exit code 2.
pub fn show(args: &ShowArgs) -> Result<()> {
    let ShowArgs { job, published: PublishedArgs { ledger, trust, json } } = args;
    let folded = Folded::open(ledger, &trust.trust()?)?;
    let job = job_id(job)?;
    let Some(model) = folded.registry.model(&job) else { return Err(unknown(&job)) };
    if *json {
        let mut told = folded.to_json(&job, model);
        told["changes"] = folded.changes_of(&job).map(change_json).collect();
        return print(&format!("{told}\n"));
    }
    let mut text = line(&job, model) + "\n";
    for (name, figure) in model.figures.iter() {
        let _ = writeln!(text, "  {name:<14} {figure}");
    }
    for (index, time, Staged { approval, gates, .. }) in folded.changes_of(&job) {
        let change = &approval.change;
        let what = match change.job == job {
            true => format!("{} becomes {}", change.from, change.to),
            false => format!("{} takes its place, and it becomes shadow", change.job),
        };
        let _ = writeln!(
            text,
            "  entry {index}, {time}: {what}, approved by {}: {}",
            approval.approver,
            plain(&change.reason)
        );
        for gate in gates {
            let _ = writeln!(text, "    {} {}: {}", gate.gate, gate.limit, gate.figure);
        }
        for gate in &change.ungated {
            let _ = writeln!(text, "    {gate}: the champion's job sets it, and this one's does not");
        }
    }
    print(&format!("{text}{}\n", folded.verdict))
}

fn change_json((index, time, staged): &(u64, Timestamp, Staged)) -> Value {
    let change = &staged.approval.change;
    json!({
        "entry": index, "time": time.to_string(), "job": change.job, "from": change.from, "to": change.to,
        "replaces": change.replaces, "approver": staged.approval.approver, "reason": change.reason, "gates": staged.gates,
        "ungated": change.ungated,
    })
}

fn line(job: &JobId, model: &Registered) -> String {
    let Registered { name, stage, model, .. } = model;
    format!("{name:<24} {stage:<10} job {job}  sha256 {model}", stage = stage.name())
}

/// The job that an option names.
pub(super) fn job_id(text: &str) -> Result<JobId> {
    let wrong = || {
        Error::input("job.id", "that is no job id").place("--job").help("a job's id is in its file, as `id`")
    };
    JobId::new(text).ok_or_else(wrong)
}

fn unknown(job: &JobId) -> Error {
    Error::input("model.unknown", format!("the ledger has no model of job `{job}`"))
        .place("--job")
        .help("`syndic model list` shows the models there are")
}

/// The entries that the registry follows from.
const KINDS: [&str; 3] = ["syndic.job.agreed", "syndic.job.completed", STAGED];
