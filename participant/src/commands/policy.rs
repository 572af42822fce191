//! `syndic-participant policy check`: what the site policy would answer to a job, before anybody asks.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use syndic_learning::Job;
use syndic_learning::job::{Terms, agreement};
use syndic_participant::config::Config;
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::{Known, read_known};
use syndic_participant::models::Models;
use syndic_participant::policy::{Denied, Policy};
use syndic_participant::trainer::Trainer;
use syndic_round::Protection;

use super::{Failure, JOURNAL, MODELS, load, load_policy, print};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say what the policy would answer to a job file: that it accepts, or the first refusal with its remedy. Nothing is sent,
    /// read of the rows, or written down.
    #[command(
        after_help = "With --config the enrolment, which must be there, the trainer and the journal count too: which content of the contract was \
                      accepted first, and what is left of the budget. With --policy the file alone, among so many institutions, and its budget as if no job had spent of it.\n\n\
                      Exit codes: 0 it accepts, 1 it refuses, 2 a file is wrong.\n\n\
                      Example:\n  syndic-participant policy check --config participant.toml --job job.toml"
    )]
    Check {
        /// The configuration file.
        #[arg(long, required_unless_present = "policy", conflicts_with_all = ["policy", "institutions"])]
        config: Option<PathBuf>,
        /// A policy file, in place of a configuration.
        #[arg(long, requires = "institutions")]
        policy: Option<PathBuf>,
        /// How many members the federation has; with --policy.
        #[arg(long, value_parser = clap::value_parser!(u16).range(3..=256))]
        institutions: Option<u16>,
        /// The job file.
        #[arg(long)]
        job: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    let Command::Check { config, policy, institutions, job: path, json } = command;
    let text = super::data::text_of(&path)?;
    let (job, verdict) = match (config, policy) {
        (Some(config), _) => at_this_site(&load(&config)?, &text, &path).await?,
        (None, policy) => {
            let policy = super::policy_in(&policy.unwrap_or_default())?;
            let job = super::data::job_in(&text, &path)?;
            let protection = job
                .protection_of(usize::from(institutions.unwrap_or_default()))
                .map_err(|error| misfit(error.code(), error.to_string()))?;
            // What does not fit a budget of which nothing was spent never fits.
            let verdict =
                policy.check(&job, &protection).and_then(|()| policy.check_known(&job, &Known::default()));
            (job, verdict)
        }
    };
    if json {
        print(&to_json(&job, verdict.as_ref().err()).to_string())?;
    }
    match verdict {
        Ok(()) if json => Ok(()),
        Ok(()) => print(&format!(
            "the policy accepts job {}, under contract {}@sha256:{}",
            job.identity.id,
            job.contract.id(),
            job.contract.digest()
        )),
        Err(no) => {
            let (code, help) = (no.code().into(), no.help().into());
            Err(Failure { code, message: no.to_string(), help, exit: 1 })
        }
    }
}

/// What the agent of this configuration would answer, by all that it knows.
async fn at_this_site(
    config: &Config,
    text: &str,
    path: &Path,
) -> Result<(Job, Result<(), Denied>), Failure> {
    let policy = load_policy(config)?;
    let enrolment = Enrolment::load(&config.enrolment)?;
    // Its own words come first: what is wrong with a file is not shown with its text.
    super::data::job_in(text, path)?;
    let (job, terms) = Terms::of(text, enrolment.roster().roster())
        .map_err(|error| misfit(error.code(), error.to_string()))?;
    let journal = config.state.join(JOURNAL);
    let known = match journal.exists() {
        true => read_known(&journal, job.identity.id.as_str(), &job.contract.id()).await?,
        false => Known::default(),
    };
    if known.agreement.is_some_and(|accepted| accepted != agreement(text)) {
        return Err(Failure {
            code: "journal.other-agreement".into(),
            message: format!("another job file was taken on as job {}", job.identity.id),
            help: "a job file is agreed to once: propose this one under another id".into(),
            exit: 1,
        });
    }
    let trainer = config.trainer.clone().map(Trainer::new);
    let verdict = answer(&policy, &job, &terms.protection, trainer.as_ref(), &known);
    if verdict.is_ok() && !job.program.trains() {
        let models = Models::at(config.state.join(MODELS));
        models.comparing(&job, enrolment.roster()).map_err(|no| Failure {
            code: no.code().into(),
            message: no.to_string(),
            help: no.help().into(),
            exit: 1,
        })?;
    }
    Ok((job, verdict))
}

/// In the order in which an agent looks at it.
fn answer(
    policy: &Policy,
    job: &Job,
    protection: &Protection,
    trainer: Option<&Trainer>,
    known: &Known,
) -> Result<(), Denied> {
    policy.check(job, protection)?;
    if let Some(terms) = job.external()
        && !trainer.is_some_and(|trainer| trainer.is_meant(terms))
    {
        return Err(Denied::Trainer(terms.trainer.clone()));
    }
    policy.check_known(job, known)
}

fn to_json(job: &Job, no: Option<&Denied>) -> serde_json::Value {
    serde_json::json!({
        "accepts": no.is_none(),
        "job": job.identity.id.as_str(),
        "contract": job.contract.id(),
        "contract_sha256": job.contract.digest().to_string(),
        "code": no.map(Denied::code),
        "message": no.map(ToString::to_string),
        "help": no.map(Denied::help),
    })
}

fn misfit(code: &str, message: String) -> Failure {
    Failure {
        code: code.into(),
        message,
        help: "`syndic job check` on that file names every error and its remedy".into(),
        exit: 2,
    }
}
