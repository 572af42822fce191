//! The agent's commands: make keys, endorse and pin the roster, renew, check the data, run, and show what left and what was seen.

mod data;
mod failure;
mod models;
mod policy;
mod serve;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use ed25519_dalek::VerifyingKey;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use syndic_learning::job::Protected;
use syndic_ledger::{Checkpoint, Timestamp, VerifierKey};
use syndic_participant::agent::spot_check;
use syndic_participant::config::{Config, ConfigError};
use syndic_participant::enrol::{self, Enrolment, RosterReview};
use syndic_participant::journal::{
    Account, JournalError, read_account, read_checkpoint, read_receipts, read_sent,
};
use syndic_participant::keys::Keys;
use syndic_participant::policy::{Budget, Policy, PolicyError};
use syndic_proto::convert::RoundRef;
use syndic_round::message::Kind;
use syndic_round::{JobId, Place, Roster, RoundId};

use failure::named;

pub(crate) use failure::Failure;

/// Runs one institution's side of a federation. It only ever opens outbound connections.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 the job was abandoned or the policy refuses it, 2 bad input, 3 disk, network or an expired certificate, 4 a spot check failed, or the ledger is another than before."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this institution's keys, here, and a signing request for the operator.
    #[command(after_help = "Example:\n  syndic-participant keygen --name bank_a --dir bank_a")]
    Keygen {
        /// The institution's name in the federation.
        #[arg(long)]
        name: String,
        /// A new folder for the keys.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Review the roster that the operator drew up, and sign it.
    #[command(
        after_help = "Example:\n  syndic-participant endorse --dir bank_a --bundle bank_a.bundle.json --roster roster.json"
    )]
    Endorse {
        /// The folder that `keygen` wrote.
        #[arg(long)]
        dir: PathBuf,
        /// The bundle that the operator made for this institution.
        #[arg(long)]
        bundle: PathBuf,
        /// The roster.
        #[arg(long)]
        roster: PathBuf,
    },
    /// Pin the roster that all members signed.
    #[command(after_help = "Example:\n  syndic-participant pin --dir bank_a --roster roster.sealed.json")]
    Pin {
        /// The folder that `keygen` wrote.
        #[arg(long)]
        dir: PathBuf,
        /// The sealed roster.
        #[arg(long)]
        roster: PathBuf,
    },
    /// Put a renewed certificate, or a new coordinator address, in place; an agent that runs takes it up when it connects
    /// the next time.
    #[command(after_help = "Example:\n  syndic-participant renew --dir bank_a --bundle bank_a.bundle.json")]
    Renew {
        /// The folder that `keygen` wrote.
        #[arg(long)]
        dir: PathBuf,
        /// The bundle that the operator made last, with `syndic federation add-participant` and the same request.
        #[arg(long)]
        bundle: PathBuf,
    },
    /// Take part: until the jobs are over that it takes part in, or with `until = "stopped"` in the configuration until
    /// SIGTERM or SIGINT.
    #[command(after_help = "Example:\n  syndic-participant run --config participant.toml")]
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Log as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Look at this institution's own rows.
    Data {
        #[command(subcommand)]
        command: data::Command,
    },
    /// Look at what this institution takes part in.
    Policy {
        #[command(subcommand)]
        command: policy::Command,
    },
    /// Check that what the coordinator published of a round is the sum of what the institutions sent.
    #[command(
        after_help = "Asks for random chunks of every survivor's encrypted update, verifies them against the signed headers, and \
                      adds them up. A coordinator that altered one chunk in a hundred passes 100 chunks with probability 0.37.\n\n\
                      Example:\n  syndic-participant spot-check --config participant.toml --job bank-marketing --round 3 --chunks 20"
    )]
    SpotCheck {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// The job's id.
        #[arg(long)]
        job: String,
        /// The round, counted through the job.
        #[arg(long)]
        round: u32,
        /// Which attempt at it.
        #[arg(long, default_value_t = 1)]
        attempt: u32,
        /// How many chunks to look at.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        chunks: u32,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show what left the building: when, under which job, what, how many bytes.
    #[command(after_help = "Example:\n  syndic-participant journal --config participant.toml --json")]
    Journal {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show the privacy account: what jobs with noise may spend of the rows, and what is left.
    #[command(after_help = "Example:\n  syndic-participant budget --config participant.toml --json")]
    Budget {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the models that the federation released to this institution, each verified again.
    #[command(
        after_help = "Checks both files of each model by their digests, and the entries, proofs and signatures that say whose it is and \
                      what it is used for. A model that does not verify ends this with exit code 4.\n\nExamples:\n  \
                      syndic-participant models --config participant.toml\n  \
                      syndic-participant models --config participant.toml --json"
    )]
    Models {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the last checkpoint of the ledger that this institution was shown and believed.
    #[command(
        after_help = "Keep it, and compare it with what others were shown: `syndic ledger convict` judges by the ledger's key alone \
                      whether two of them exclude each other, and `syndic ledger verify --from` whether a ledger continues it.\n\n\
                      Example:\n  syndic-participant checkpoint --config participant.toml > bank_a.checkpoint"
    )]
    Checkpoint {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Keygen { name, dir } => keygen(&name, &dir),
        Command::Endorse { dir, bundle, roster } => endorse(&dir, &bundle, &roster),
        Command::Pin { dir, roster } => {
            let sealed = enrol::pin(&dir, named(enrol::read_endorsed_roster(&roster))?)?;
            print(&format!(
                "pinned roster {} of federation {}",
                sealed.digest(),
                sealed.roster().federation
            ))?;
            match ledger_key(sealed.roster()) {
                Some(key) => print(&format!("its ledger verifies with --key '{key}'")),
                None => Ok(()),
            }
        }
        Command::Renew { dir, bundle } => {
            let expires_at = enrol::renew(&dir, &named(enrol::read_bundle(&bundle))?)?;
            print(&format!("the certificate holds until {}", time(expires_at.0)))
        }
        Command::Run { config, json } => serve::run(&config, json).await,
        Command::Data { command } => data::run(command).await,
        Command::Policy { command } => policy::run(command).await,
        Command::SpotCheck { config, job, round, attempt, chunks, json } => {
            let Some(job) = JobId::new(&job) else {
                return Err(Failure {
                    code: "job.id".into(),
                    message: "that is no job id".into(),
                    help: "a job's id is in its file, as `id`, and in the ledger".into(),
                    exit: 2,
                });
            };
            let round = RoundRef { job, id: RoundId { round, attempt } };
            check(&config, &round, chunks, json).await
        }
        Command::Journal { config, json } => journal(&config, json).await,
        Command::Budget { config, json } => {
            let config = load(&config)?;
            let policy = load_policy(&config)?;
            let path = config.state.join(JOURNAL);
            let mut account = match is_begun(&path) {
                true => read_account(&path).await?,
                false => Account::default(),
            };
            if !json && !is_begun(&path) {
                print(&nothing(&path))?;
            }
            // What the policy says counts from the next start on.
            for unit in Protected::ALL {
                let carried = policy.privacy.budget_of(unit).and_then(Budget::carried);
                account.carried.extend(carried.map(|carried| (unit, carried)));
            }
            print(&crate::budget::shown(&account, &policy.privacy, json))
        }
        Command::Models { config, json } => models::run(&load(&config)?, json),
        Command::Checkpoint { config, json } => checkpoint(&config, json).await,
    }
}

/// The coordinator's key as `syndic ledger verify --key` takes it, from the institution's own roster.
fn ledger_key(roster: &Roster) -> Option<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.coordinator_key).ok()?;
    VerifierKey::new(&roster.ledger_origin(), key).ok()
}

fn keygen(name: &str, dir: &Path) -> Result<(), Failure> {
    let keys = Keys::generate(name, &mut UnwrapErr(SysRng))?;
    keys.write(dir)?;
    let request = dir.join(format!("{name}.request.json"));
    print(&format!("keys are in {}; give {} to the operator", dir.display(), request.display()))
}

fn endorse(dir: &Path, bundle: &Path, roster: &Path) -> Result<(), Failure> {
    let keys = Keys::load(dir)?;
    let (bundle, roster) = (named(enrol::read_bundle(bundle))?, named(enrol::read_roster(roster))?);
    let review = RosterReview::new(&keys, &bundle, &roster)?;
    print(&review.to_string())?;
    let name = keys.name().to_owned();
    enrol::endorse(dir, review)?;
    print(&format!("signed; give {} to the operator", dir.join(format!("{name}.endorsement.json")).display()))
}

fn load_policy(config: &Config) -> Result<Policy, Failure> {
    policy_in(&config.policy)
}

fn policy_in(path: &Path) -> Result<Policy, Failure> {
    Policy::load(path).map_err(|error| match &error {
        PolicyError::Unreadable { source, .. } => Failure::unreadable(error.to_string(), source),
        PolicyError::Malformed { .. } => Failure {
            code: "policy.malformed".into(),
            message: error.to_string(),
            help: "a policy names `purposes`, `programs` and `contracts`; docs/policy.md has every key"
                .into(),
            exit: 2,
        },
    })
}

async fn check(config: &Path, round: &RoundRef, chunks: u32, json: bool) -> Result<(), Failure> {
    let config = load(config)?;
    let enrolment = Enrolment::load(&config.enrolment)?;
    let checked = spot_check(&enrolment, &config.state.join(JOURNAL), round, chunks).await?;
    let (looked, of, survivors) = (checked.chunks.len(), checked.of, checked.survivors);
    if json {
        return print(
            &serde_json::json!({
                "job": round.job, "round": round.id.round, "attempt": round.id.attempt, "survivors": survivors,
                "chunks": checked.chunks, "of": of, "aggregate_root": checked.aggregate_root.to_string(),
            })
            .to_string(),
        );
    }
    print(&format!(
        "round {}: {looked} of {of} chunks of {survivors} institutions add up to what was published",
        round.id
    ))?;
    print(&format!("the ledger must have this root of the aggregate: {}", checked.aggregate_root))
}

async fn journal(config: &Path, json: bool) -> Result<(), Failure> {
    let config = load(config)?;
    let path = config.state.join(JOURNAL);
    if !is_begun(&path) {
        return if json { Ok(()) } else { print(&nothing(&path)) };
    }
    let receipts = read_receipts(&path).await?;
    for sent in read_sent(&path).await? {
        let (round, preparation) = match sent.place {
            Place::Round(id) => (Some(id), None),
            Place::Ahead(number) => (None, Some(number)),
        };
        let receipt = round
            .filter(|_| sent.what == Kind::Header.name())
            .and_then(|id| receipts.get(&(sent.job.clone(), id)));
        let line = if json {
            serde_json::json!({
                "job": sent.job, "round": round.map(|id| id.round), "attempt": round.map(|id| id.attempt),
                "preparation": preparation, "what": sent.what, "bytes": sent.bytes, "sha256": sent.digest.to_string(), "at_ms": sent.at_ms,
                "receipt": receipt.map(|receipt| hex::encode(receipt.to_bytes())),
            })
            .to_string()
        } else {
            format!(
                "{}  {}  {:<15} {:<10} {:>12} bytes  sha256 {}{}",
                time(sent.at_ms),
                sent.job,
                in_place(sent.place),
                sent.what,
                sent.bytes,
                sent.digest,
                receipt.map_or_else(String::new, |receipt| format!("  accepted {}", time(receipt.at.0)))
            )
        };
        print(&line)?;
    }
    Ok(())
}

/// Whether there is a journal: the agent makes it at its first start.
fn is_begun(path: &Path) -> bool {
    path.exists()
}

fn nothing(path: &Path) -> String {
    format!("nothing on record: {} is not there, which the agent makes at its first start", path.display())
}

async fn checkpoint(config: &Path, json: bool) -> Result<(), Failure> {
    let config = load(config)?;
    let (enrolment, path) = (Enrolment::load(&config.enrolment)?, config.state.join(JOURNAL));
    let Some(kept) = read_checkpoint(&path, enrolment.federation()).await? else {
        return Err(Failure {
            code: "journal.no-checkpoint".into(),
            message: "no checkpoint of the ledger was kept yet".into(),
            help: "the agent keeps one as soon as it has met the coordinator".into(),
            exit: 2,
        });
    };
    let damaged = || JournalError::Corrupt { path: path.display().to_string() };
    let note = String::from_utf8(kept.note).map_err(|_| damaged())?;
    let key = ledger_key(enrolment.roster().roster()).ok_or_else(damaged)?;
    let head = Checkpoint::verify(&note, &key).map_err(|_| damaged())?;
    if !json {
        return print(note.trim_end_matches('\n'));
    }
    print(
        &serde_json::json!({
            "origin": head.origin(), "size": head.size(), "root": head.root().to_string(), "key": key.to_string(),
            "checkpoint": note,
        })
        .to_string(),
    )
}

/// Where something was said, for people.
fn in_place(place: Place) -> String {
    match place {
        Place::Round(id) => format!("round {id}"),
        Place::Ahead(_) => place.to_string(),
    }
}

/// For people; the count where it is no time that can be written.
fn time(at_ms: u64) -> String {
    Timestamp::from_unix_ms(at_ms).map_or_else(|_| at_ms.to_string(), |time| time.to_string())
}

fn load(config: &Path) -> Result<Config, Failure> {
    Config::load(config).map_err(|error| match &error {
        ConfigError::Unreadable { source, .. } => Failure::unreadable(error.to_string(), source),
        ConfigError::Malformed { .. } => Failure {
            code: "config.malformed".into(),
            message: error.to_string(),
            help: "compare it with the sample in deploy/participant.toml".into(),
            exit: 2,
        },
    })
}

/// Writes to standard output; a reader that left, as `head` does, is no error.
fn print(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure {
            code: "output.closed".into(),
            message: error.to_string(),
            help: "write to a terminal or a file that is open".into(),
            exit: 3,
        }),
        _ => Ok(()),
    }
}

/// The folder of a query's spilled rows in the state folder.
const SCRATCH: &str = "scratch";
/// The journal's file in the state folder.
const JOURNAL: &str = "journal.sqlite";
/// The folder of delivered models in the state folder.
const MODELS: &str = "models";
