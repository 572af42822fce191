//! `syndic-coordinator job`: the jobs of a coordinator that runs on this host, through its control socket.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use syndic_coordinator::config::Config;
use syndic_coordinator::control::{Connection, ControlError};
use syndic_coordinator::daemon::{DaemonError, JOB_FILE};
use syndic_coordinator::fact::Priority;
use syndic_ledger::Timestamp;
use syndic_proto::control::{JobStatus, JobTrouble};
use syndic_round::JobId;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Hand in a job file. It runs at once, or when those before it leave room. The same file again is fine.
    #[command(
        after_help = "Example:\n  syndic-coordinator job submit churn.toml --config coordinator.toml --priority 70"
    )]
    Submit {
        /// The job file.
        file: PathBuf,
        /// How urgent it is, from 0 to 100; of two jobs that wait the more urgent begins first.
        #[arg(long, default_value_t = Priority::default().get(), value_parser = clap::value_parser!(u32).range(0..=100))]
        priority: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Show all jobs, in the order in which they were handed in.
    #[command(after_help = "Example:\n  syndic-coordinator job list --config coordinator.toml --json")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Show one job: what it does, and what it waits for.
    #[command(after_help = "Example:\n  syndic-coordinator job show churn --config coordinator.toml")]
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        common: Common,
    },
    /// Open no further round of a job until it is resumed. The round in progress is finished.
    #[command(
        after_help = "Example:\n  syndic-coordinator job pause churn --config coordinator.toml --reason 'data are being checked'"
    )]
    Pause {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        common: Common,
    },
    /// Let a paused job go on.
    #[command(after_help = "Example:\n  syndic-coordinator job resume churn --config coordinator.toml")]
    Resume {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        common: Common,
    },
    /// End a job for good. The round in progress is abandoned.
    #[command(
        after_help = "Example:\n  syndic-coordinator job stop churn --config coordinator.toml --reason 'consent was withdrawn'"
    )]
    Stop {
        #[command(flatten)]
        which: Which,
        /// Why: one line, without names of people. It is on record in the ledger, and participants are told.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        common: Common,
    },
    /// Erase the encrypted updates, sealed shares and questions of a job that is over. Its sums, model and entries stay.
    #[command(
        after_help = "What is erased cannot be spot-checked any more. A job file can say by itself for how many days they are \
                      kept: docs/job-file.md.\n\nExample:\n  \
                      syndic-coordinator job erase churn --config coordinator.toml --reason 'the agreement has ended'"
    )]
    Erase {
        #[command(flatten)]
        which: Which,
        /// Why: one line, without names of people. It is on record in the ledger.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make a job more urgent, or less.
    #[command(after_help = "Example:\n  syndic-coordinator job priority churn 90 --config coordinator.toml")]
    Priority {
        #[command(flatten)]
        which: Which,
        /// From 0 to 100; 50 is usual.
        #[arg(value_parser = clap::value_parser!(u32).range(0..=100))]
        priority: u32,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
pub(crate) struct Which {
    /// The job's id.
    job: String,
}

#[derive(Args)]
pub(crate) struct Why {
    /// Why: one line, without names of people. It is on record in the ledger.
    #[arg(long, default_value = "no reason given")]
    reason: String,
}

#[derive(Args)]
pub(crate) struct Common {
    /// The configuration that the coordinator runs with.
    #[arg(long)]
    config: PathBuf,
    /// Print JSON: one object.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) async fn perform(command: Command) -> Result<(), DaemonError> {
    match command {
        Command::Submit { file, priority, common } => submit(&file, priority, &common).await,
        Command::List { common } => {
            let jobs = common.connected().await?.list().await?;
            match common.json {
                true => print(&json!({ "jobs": jobs }).to_string()),
                false if jobs.is_empty() => {
                    print("no job was handed in yet: `syndic-coordinator job submit FILE` does that")
                }
                false => jobs.iter().try_for_each(|job| print(&line(job))),
            }
        }
        Command::Show { which, common } => {
            let job = common.connected().await?.show(&which.id()?).await?;
            common.show(&job)
        }
        Command::Pause { which, why, common } => {
            let job = common.connected().await?.pause(&which.id()?, &why.reason).await?;
            common.show(&job)
        }
        Command::Resume { which, why, common } => {
            let job = common.connected().await?.resume(&which.id()?, &why.reason).await?;
            common.show(&job)
        }
        Command::Stop { which, reason, common } => {
            let job = common.connected().await?.stop(&which.id()?, &reason).await?;
            common.show(&job)
        }
        Command::Erase { which, reason, common } => {
            let job = common.connected().await?.erase(&which.id()?, &reason).await?;
            common.show(&job)
        }
        Command::Priority { which, priority, why, common } => {
            let priority = urgency(priority)?;
            let job = common.connected().await?.prioritise(&which.id()?, priority, &why.reason).await?;
            common.show(&job)
        }
    }
}

async fn submit(file: &Path, priority: u32, common: &Common) -> Result<(), DaemonError> {
    let text = DaemonError::reading(JOB_FILE, file)?;
    let (job, fresh) = common.connected().await?.submit(text, urgency(priority)?).await?;
    if common.json {
        return print(&json!({ "job": job, "fresh": fresh }).to_string());
    }
    if !fresh {
        print("this very file was handed in before; nothing has changed")?;
    }
    common.show(&job)
}

impl Common {
    pub(crate) async fn connected(&self) -> Result<Connection, DaemonError> {
        Ok(Connection::connect(&Config::load(&self.config)?.state).await?)
    }

    fn show(&self, job: &JobStatus) -> Result<(), DaemonError> {
        if self.json {
            return print(&json!(job).to_string());
        }
        print(&line(job))?;
        if let Some(JobTrouble { code, message }) = &job.trouble {
            print(&format!("  does not go on: {code}: {message}"))?;
        }
        if !job.waiting_for.is_empty() {
            print(&format!("  waits for: {}", job.waiting_for.join(", ")))?;
        }
        if let Some(by) = job.starts_by_ms.and_then(|by| Timestamp::from_unix_ms(by).ok()) {
            print(&format!("  abandoned unless it has started by {by}"))?;
        }
        if let Some(at) = job.erase_at_ms.and_then(|at| Timestamp::from_unix_ms(at).ok()) {
            print(&format!("  its updates are erased after {at}"))?;
        }
        if let Some(entry) = job.erased_by_entry {
            print(&format!("  its updates were erased, by entry {entry} of the ledger"))?;
        }
        job.missing.iter().try_for_each(|missing| print(&format!("  missing: {missing}")))?;
        job.warnings.iter().try_for_each(|warning| print(&format!("  warning: {warning}")))?;
        if let Some(model) = &job.model {
            print(&format!("  model: sha256 {model}"))?;
        }
        print(&format!("  agreement: sha256 {}", job.agreement))
    }
}

impl Which {
    fn id(&self) -> Result<JobId, DaemonError> {
        JobId::new(&self.job).ok_or_else(|| refused("job.id", "that is no job id"))
    }
}

/// One job in one line.
fn line(job: &JobStatus) -> String {
    let round = job.round.map_or_else(String::new, |round| {
        let phase = job.phase.as_deref().unwrap_or("opening the sum");
        format!("  round {round}, {phase}")
    });
    let training = match job.training_round {
        Some(at) => format!("  training round {at} of {}", job.training_rounds),
        None => format!("  {} training rounds", job.training_rounds),
    };
    let there = match job.admitted {
        0 => String::new(),
        admitted => format!("  {} of {admitted} connected", job.connected),
    };
    let trouble = job.trouble.as_ref().map_or_else(String::new, |trouble| format!("  ({})", trouble.code));
    let reason = job.reason.as_ref().map_or_else(String::new, |reason| format!("  ({reason})"));
    let standing = job.standing.name();
    let warnings = match job.warnings.len() {
        0 => "",
        _ => "  (with warnings)",
    };
    let (id, priority) = (job.job.as_str(), job.priority);
    format!(
        "{id:<24} {standing:<10} priority {priority:>3}{training}{round}{there}{warnings}{trouble}{reason}"
    )
}

fn urgency(number: u32) -> Result<Priority, DaemonError> {
    Priority::new(number).ok_or_else(|| refused("job.priority", "a priority is from 0 to 100"))
}

fn refused(code: &str, message: &str) -> DaemonError {
    let (code, message) = (code.into(), message.into());
    ControlError::Refused { code, message, is_of_the_world: false }.into()
}

/// Writes to standard output; a reader that left, as `head` does, is no error.
pub(crate) fn print(line: &str) -> Result<(), DaemonError> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(DaemonError::Output(error)),
        _ => Ok(()),
    }
}

pub(crate) const EXAMPLES: &str = "Each act is an entry of the ledger, with the number of the user who did it and the reason.\n\nExample:\n  \
                                   syndic-coordinator job list --config coordinator.toml";
