//! A federation on one machine: a table is divided by its sites, each site becomes a participant, and the same
//! protocol runs as between real institutions.
//!
//! [`execute`] does everything around the federation: reads and divides the table, takes the folder of the run,
//! trains what it is compared with, and puts result, report, model and ledger in place together. The
//! federation itself is given to it as a function, [`run::run`] outside tests.

mod assemble;
mod claim;
pub mod compare;
mod deadline;
pub mod demo;
pub mod describe;
mod division;
pub mod folder;
pub mod interrupt;
pub mod load;
mod measured;
mod outside;
mod parquet_rows;
pub mod run;
pub mod several;
pub mod source;
pub mod trainer;
mod warned;

#[cfg(test)]
pub(crate) mod fixture;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use syndic_learning::{Job, Model, Outcome, Role, ScorecardModel};
use syndic_participant::trainer::Trainer;
use syndic_round::Protection;

pub use division::{FEWEST, MOST};
pub use load::{Columns, Site};
pub use source::Source;

use crate::job_check::{self, JobFile};
use crate::report::{self, JobText, ReportData};
use crate::result::{LedgerHead, RunResult};
use crate::table::{self, Closing};
use crate::view::{self, Notice, Observer};
use crate::words::quoted;
use crate::{Error, Exit, Result};
use claim::Claim;
use folder::RunFolder;

/// What to run, on what, and where to put it.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The job file.
    pub job: JobFile,
    /// The table.
    pub source: Source,
    /// How its rows are divided.
    pub columns: Columns,
    /// The folder of the run.
    pub out: PathBuf,
    /// Training rounds, where not those of the job file.
    pub rounds: Option<u32>,
    /// Seed of training. Keys never come from it.
    pub seed: u64,
    /// Whether an institution is stopped on purpose.
    pub stop: Stop,
    /// Socket of the external trainer that the job needs.
    pub trainer: Option<PathBuf>,
    /// Whether each institution's model from its own rows is trained for comparison, beside the pooled one.
    pub alone: bool,
    /// How the data set is to be cited.
    pub citation: Option<String>,
    /// How `syndic` was called, for commands that can be copied.
    pub command: String,
    /// Whether this is the demo.
    pub demo: bool,
}

/// Whether one institution is stopped in the middle of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nobody is.
    Nobody,
    /// One is, where the sums open without it.
    IfPossible,
    /// One is, or the run is refused.
    One,
}

/// What the federation is given.
pub struct Run<'a> {
    /// The job.
    pub job: &'a Job,
    /// The job file as the institutions approve it.
    pub job_text: &'a str,
    /// The institutions, in the order of their names.
    pub sites: Vec<Site>,
    /// Seed of training. Keys never come from it.
    pub seed: u64,
    /// The external trainer that all of them have, one after the other, where the job needs one.
    pub trainer: Option<Trainer>,
    /// Whether to stop one institution in the middle of one round, announce it, and let it come back.
    pub stop_one: bool,
    /// A folder for databases, blobs, keys and journals; removed when the run is done.
    pub state: PathBuf,
    /// Where the ledger is to be written: checkpoint, key and tiles. Does not exist yet.
    pub ledger: PathBuf,
}

/// What the federation leaves.
pub struct Finished {
    /// The model that it released, and what is known of it.
    pub outcome: Outcome,
    /// What the model's card says about where it comes from.
    pub provenance: BTreeMap<String, serde_json::Value>,
    /// Where the ledger ended.
    pub ledger: LedgerHead,
    /// Nanoseconds to encrypt a padded parameter, the mean over all updates.
    pub encrypt_ns_per_parameter: f64,
    /// Values of updates that were clipped to the bounds of their plans.
    pub clipped: u64,
    /// The institution that was stopped on purpose.
    pub stopped: Option<String>,
}

/// Runs a sandbox from table to report.
///
/// # Errors
/// Bad input before anything is started; what the federation says; a folder that cannot be written. An
/// abandoned job leaves its ledger and `abandoned.json` in the folder, every other error leaves nothing.
pub async fn execute(
    options: &SandboxOptions,
    observer: &mut Observer,
    federation: impl AsyncFnOnce(Run<'_>, &mut Observer) -> Result<Finished>,
) -> Result<RunResult> {
    execute_in(&Claim::default(), options, observer, federation).await
}

/// The same, in a folder that can be taken away; it stays with `claim` when the run ends with an error.
async fn execute_in(
    claim: &Claim,
    options: &SandboxOptions,
    observer: &mut Observer,
    federation: impl AsyncFnOnce(Run<'_>, &mut Observer) -> Result<Finished>,
) -> Result<RunResult> {
    let (job, job_text) = job(options)?;
    let trainer = trainer::found(options, &job).await?;
    claim.take(&options.out)?;
    let sites = of_the_job(load::load(&options.source, &options.columns, &job.contract)?, &job)?;
    compare::check_test_rows(&sites)?;
    let protection = job_check::protection(&job, sites.len())?;
    if claim.with(|folder| Ok(folder.replaces_earlier()))? {
        observer.notice(&Notice::Replacing { out: options.out.display().to_string() });
    }
    observer.notice(&prepared(options, &job, &sites));
    let stop_one = stop_one(options.stop, &job, &protection, observer)?;
    let (job, job_text) = if stop_one {
        deadline::shortened(options, job, job_text, &sites, observer)?
    } else {
        (job, job_text)
    };
    let run = Run {
        job: &job,
        job_text: &job_text,
        sites: sites.clone(),
        seed: options.seed,
        trainer: trainer.clone(),
        stop_one,
        state: claim.with(RunFolder::state)?,
        ledger: claim.with(|folder| Ok(folder.staging().join(folder::LEDGER)))?,
    };
    let started = Instant::now();
    let finished = match federation(run, observer).await {
        Ok(finished) => finished,
        Err(error) => {
            let error = abandoned(error, &job, claim);
            return Err(if trainer.is_some() { trainer::asked(error) } else { error });
        }
    };
    let federation_seconds = started.elapsed().as_secs_f64();

    let model = (&finished.outcome.model, federation_seconds);
    let figures = measured::figures((options, &job, &sites), trainer.as_ref(), model, observer).await?;
    let result = assemble::result(options, &job, &sites, &finished, observer.history(), figures)?;
    claim.with(|folder| write(folder, options, (&job, &job_text), &finished, &result, observer))?;
    claim.finish(folder::RESULT)?;

    let closing =
        Closing { out: &options.out, command: &options.command, demo: options.demo, width: view::width() };
    observer.finished(&result, &table::render(&result, &closing));
    Ok(result)
}

/// The job with what the options change, and its text.
fn job(options: &SandboxOptions) -> Result<(Job, String)> {
    let mut job = job_check::check(&options.job)?;
    if job.comparison().is_some() {
        return Err(Error::input(
            "sandbox.comparison",
            "the job compares released models, which institutions have and the sandbox has not",
        )
        .place(options.job.name.clone())
        .help(
            "hand it in to the federation that released them: docs/programs/evaluation.md. To compare programs on a table, give the \
             sandbox their jobs",
        ));
    }
    if job.released_drift().is_some() {
        return Err(Error::input(
            "sandbox.drift",
            "the job compares rows with those of a released model, which institutions have and the sandbox has not",
        )
        .place(options.job.name.clone())
        .help(
            "hand it in to the federation that released it: docs/programs/drift.md. `syndic model drift` compares a table on this \
             machine with the model's card",
        ));
    }
    let before = job.clone();
    if let Some(rounds) = options.rounds {
        job.rounds.count = rounds;
    }
    if options.columns.participants.is_some() {
        // A threshold fits one number of institutions; another number gets the default again.
        job.protection.threshold = None;
        job.protection.colluding = None;
        job.protection.min_survivors = None;
    }
    if job == before {
        return Ok((job, options.job.text.clone()));
    }
    changed(options, &job)
}

/// A job as the options change it, and its text: what the institutions approve.
fn changed(options: &SandboxOptions, job: &Job) -> Result<(Job, String)> {
    let text = job.to_toml().map_err(|error| Error::input("job.unwritable", error.to_string()))?;
    let changed = JobFile { name: format!("{} as changed by the options", options.job.name), text };
    Ok((job_check::check(&changed)?, changed.text))
}

/// The institutions that take part: all of the table, or those that the job names.
fn of_the_job(sites: Vec<Site>, job: &Job) -> Result<Vec<Site>> {
    let Some(members) = &job.cohort.members else { return Ok(sites) };
    if let Some(name) = members.iter().find(|name| !sites.iter().any(|site| site.name == **name)) {
        let names: Vec<_> = sites.iter().map(|site| site.name.as_str()).collect();
        return Err(Error::input(
            "cohort.no-member",
            format!("the job names an institution that the table does not have: `{name}`"),
        )
        .place("[cohort] members")
        .help(format!("the table has these: {}", names.join(", "))));
    }
    Ok(sites.into_iter().filter(|site| members.contains(&site.name)).collect())
}

/// Whether somebody is stopped, given how many are needed.
fn stop_one(stop: Stop, job: &Job, protection: &Protection, observer: &mut Observer) -> Result<bool> {
    if stop == Stop::One && job.cohort.each_round.is_some() {
        return Err(Error::input(
            "options.nobody-to-stop",
            "nobody is stopped where each round's institutions are drawn by lot: those not drawn are absent anyway",
        )
        .place("--drop")
        .help("leave out --drop, or `each_round` in the job"));
    }
    let spare = protection.admitted() > protection.threshold().max(protection.min_survivors());
    match (stop, spare) {
        (Stop::Nobody, _) => Ok(false),
        (_, true) => Ok(true),
        (Stop::IfPossible, false) => {
            observer.notice(&Notice::NobodyToStop { institutions: protection.admitted() });
            Ok(false)
        }
        (Stop::One, false) => Err(Error::input(
            "options.nobody-to-stop",
            format!(
                "none of {} institutions can be stopped: a sum opens only with all of them",
                protection.admitted()
            ),
        )
        .place("--drop")
        .help("leave out --drop, or use --participants 4 or more")),
    }
}

fn prepared(options: &SandboxOptions, job: &Job, sites: &[Site]) -> Notice {
    let site = |site: &Site| {
        let (training_rows, training_positives) = site.table.count(Role::Train);
        crate::view::Site { name: site.name.clone(), training_rows, training_positives }
    };
    Notice::Prepared {
        job: job.identity.id.to_string(),
        program: report::job_text::program(&job.program),
        table: options.source.name(),
        sites: sites.iter().map(site).collect(),
        test_rows: sites.iter().map(|site| site.table.count(Role::Test).0).sum(),
    }
}

fn write(
    folder: &RunFolder,
    options: &SandboxOptions,
    (job, job_text): (&Job, &str),
    finished: &Finished,
    result: &RunResult,
    observer: &Observer,
) -> Result<()> {
    let unwritable = |error: &dyn std::fmt::Display| Error::world("model.unwritable", error.to_string());
    let weights = finished.outcome.model.to_safetensors().map_err(|error| unwritable(&error))?;
    let card = finished.outcome.card(&weights, finished.provenance.clone());
    let card = serde_json::to_string_pretty(&card).map_err(|error| unwritable(&error))? + "\n";
    let report = report::render(&ReportData {
        result: result.clone(),
        history: observer.history().clone(),
        job: JobText::of(job, job_text, options.citation.clone()),
        fit: finished.outcome.fit.clone(),
        importance: match &finished.outcome.model {
            Model::Trees(trees) => trees.importance(),
            Model::Linear(_) | Model::Network(_) | Model::Scorecard(_) | Model::External(_) => Vec::new(),
        },
        scorecard: finished.outcome.model.scorecard().map(ScorecardModel::table),
        made_at: assemble::now(),
        version: env!("CARGO_PKG_VERSION").into(),
        verify: ledger_verify(options),
    });
    folder.write(folder::WEIGHTS, &weights)?;
    folder.write(folder::CARD, card.as_bytes())?;
    folder.write(folder::REPORT, report.as_bytes())?;
    folder.write(folder::RESULT, result.to_file().as_bytes())
}

fn ledger_verify(options: &SandboxOptions) -> String {
    format!("{} ledger verify {}", options.command, quoted(&options.out.join(folder::LEDGER)))
}

/// Keeps the ledger of an abandoned job, with the reason beside it.
fn abandoned(error: Error, job: &Job, claim: &Claim) -> Error {
    let has_ledger = claim.with(|folder| Ok(folder.staging().join(folder::LEDGER).exists())).unwrap_or(false);
    if error.exit() != Exit::Abandoned as u8 || !has_ledger {
        return error;
    }
    #[derive(Serialize)]
    struct Abandoned<'a> {
        schema: &'static str,
        job: &'a str,
        code: &'a str,
        reason: String,
    }
    let record = Abandoned {
        schema: "syndic.abandoned/1",
        job: job.identity.id.as_str(),
        code: error.code(),
        reason: error.to_string(),
    };
    let text = serde_json::to_string_pretty(&record).expect("strings serialise") + "\n";
    let written = claim.with(|folder| folder.write(folder::ABANDONED, text.as_bytes()));
    let kept = written.and_then(|()| claim.finish(folder::ABANDONED));
    match kept {
        Ok(()) => error,
        Err(other) => error.also([other]),
    }
}

#[cfg(test)]
mod tests;
