//! `syndic-participant data check`: whether this institution's rows fit a job, before anybody asks.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use syndic_data::QueryError;
use syndic_learning::{DataReport, Job, Role};
use syndic_participant::data::{Reading, SourceError};

use super::{Failure, SCRATCH, load, print};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the rows as the job would, check each against its contract, and say what they were read from. Nothing is sent.
    #[command(
        after_help = "Example:\n  syndic-participant data check --config participant.toml --job job.toml"
    )]
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The job file, which has the contract.
        #[arg(long)]
        job: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    let Command::Check { config, job, json } = command;
    let config = load(&config)?;
    let job = job_in(&text_of(&job)?, &job)?;
    let scratch = config.state.join(SCRATCH);
    let read = tokio::task::spawn_blocking(move || {
        let reading = config.data.source(&scratch).load(&job.contract)?;
        if job.needs_both_classes() {
            reading.table.check_classes()?;
        }
        Ok(reading)
    });
    let read = read.await.map_err(|error| Failure {
        code: "data.stopped".into(),
        message: format!("the reading stopped: {error}"),
        help: "check the memory of this host, and try again".into(),
        exit: 3,
    })?;
    match read {
        Ok(reading) if json => print(&fits(&reading).to_string()),
        Ok(reading) => show(&reading),
        Err(error) => {
            if json {
                print(&misfits(&error).to_string())?;
            }
            Err(error.into())
        }
    }
}

/// The text of a job file.
pub(super) fn text_of(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|cause| {
        Failure::unreadable(format!("cannot read the job file {}: {cause}", path.display()), &cause)
    })
}

/// The job that the file `path` with this text is.
pub(super) fn job_in(text: &str, path: &Path) -> Result<Job, Failure> {
    Job::from_toml(text).map_err(|_| Failure {
        code: "job.malformed".into(),
        message: format!("{} is no job file", path.display()),
        help: "`syndic job check` on that file names every error and its remedy".into(),
        exit: 2,
    })
}

fn show(reading: &Reading) -> Result<(), Failure> {
    let [training, validation, test] = counts(reading);
    print(&format!(
        "the rows fit contract {}: {}; {training} to train on, {validation} to choose among models, {test} to test",
        reading.table.contract().id(),
        counted(reading.table.rows() as u64),
    ))?;
    let missing: Vec<String> =
        named(reading.table.missing()).map(|(column, rows)| format!("{column} {rows}")).collect();
    if !missing.is_empty() {
        print(&format!("rows without a value, by nullable column: {}", missing.join(", ")))?;
    }
    let others = named(reading.table.others()).map(|(column, rows)| format!("{column} {rows}"));
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        print(&format!("rows with a level that is not listed, by column: {}", others.join(", ")))?;
    }
    if let Some(customers) = reading.customers {
        let most = reading.table.contract().rows_per_customer();
        print(&format!("customers: {customers}, none of them with more than {}", counted(most.into())))?;
    }
    if let Some(rows) = reading.without_consent {
        print(&format!("rows without consent, not read: {rows}"))?;
    }
    let Some(snapshot) = &reading.snapshot else { return Ok(()) };
    print(&format!("snapshot {}", snapshot.id()))?;
    for source in &snapshot.sources {
        for file in &source.files {
            print(&format!(
                "  {}: {}, {} bytes, sha256 {}",
                source.name, file.name, file.bytes, file.sha256
            ))?;
        }
    }
    Ok(())
}

fn fits(reading: &Reading) -> serde_json::Value {
    let [training, validation, test] = counts(reading);
    let snapshot = reading.snapshot.as_ref();
    serde_json::json!({
        "fits": true,
        "contract": reading.table.contract().id(),
        "rows": reading.table.rows(),
        "training": training,
        "validation": validation,
        "test": test,
        "missing": named(reading.table.missing()).collect::<serde_json::Map<_, _>>(),
        "other": named(reading.table.others()).collect::<serde_json::Map<_, _>>(),
        "customers": reading.customers,
        "without_consent": reading.without_consent.map(|rows| rows.to_string()),
        "snapshot": snapshot.map(|snapshot| snapshot.id().to_string()),
        "sources": snapshot.map(|snapshot| &snapshot.sources),
    })
}

fn misfits(error: &SourceError) -> serde_json::Value {
    let findings = match error {
        SourceError::Report(report) => report
            .findings
            .iter()
            .map(|finding| {
                serde_json::json!({
                    "code": finding.code(), "column": finding.column, "rows": finding.count,
                    "first_rows": finding.first_rows, "message": finding.message(), "help": finding.help(),
                })
            })
            .collect(),
        other => vec![
            serde_json::json!({ "code": other.code(), "message": other.to_string(), "help": other.help() }),
        ],
    };
    let rows = match error {
        SourceError::Report(DataReport { rows, .. }) => Some(rows),
        _ => None,
    };
    serde_json::json!({ "fits": false, "rows": rows, "findings": findings })
}

/// Rows of this institution by column. Nobody else is told.
fn named(rows: Vec<(&str, u64)>) -> impl Iterator<Item = (String, serde_json::Value)> {
    rows.into_iter().map(|(column, rows)| (column.to_owned(), rows.into()))
}

/// `1 row`, `2 rows`.
fn counted(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
}

fn counts(reading: &Reading) -> [u64; 3] {
    [Role::Train, Role::Validation, Role::Test].map(|role| reading.table.count(role).0)
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let (code, help) = (error.code().into(), error.help());
        match &error {
            SourceError::Report(report) if report.findings.len() > 1 => Self {
                code,
                message: format!(
                    "{} rules are broken, in {} read\n{report}",
                    report.findings.len(),
                    counted(report.rows)
                ),
                help: "correct them, and check again".into(),
                exit: 2,
            },
            // Its rendering has code and help, which stand around it here.
            SourceError::Report(report) => {
                let message =
                    report.findings.first().map_or_else(|| error.to_string(), |found| found.message());
                Self { code, message, help, exit: 2 }
            }
            SourceError::Unreadable { .. }
            | SourceError::Query(QueryError::Unreadable { .. } | QueryError::Engine(_)) => {
                Self { code, message: error.to_string(), help, exit: 3 }
            }
            SourceError::Query(QueryError::Fetch(of_the_world)) if of_the_world.is_of_the_world() => {
                Self { code, message: error.to_string(), help, exit: 3 }
            }
            _ => Self { code, message: error.to_string(), help, exit: 2 },
        }
    }
}
