//! `syndic-coordinator`: the daemon that orchestrates the rounds of a federation.

mod jobs;
mod models;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use syndic_coordinator::authority::Reason;
use syndic_coordinator::config::Config;
use syndic_coordinator::daemon::{self, DaemonError};
use syndic_coordinator::federation::Federation;
use syndic_coordinator::fsck;
use syndic_coordinator::migrate::migrate_store;
use syndic_coordinator::renewal::renew;
use syndic_coordinator::revocation::{Signed, revoke};
use syndic_coordinator::store::migration::{Moved, Target};
use syndic_coordinator::sweep;
use syndic_terminal::{Ended, parsed};

/// Orchestrates the encrypted rounds of a federation.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 the job was abandoned or stopped, 2 bad input, 3 disk, network or an expired \
                  certificate, 4 `fsck` found damage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run: until the job is over that the configuration names, or without one until SIGTERM or SIGINT. After a stop, run it
    /// again: it goes on from its ledger.
    #[command(after_help = "Example:\n  syndic-coordinator run --config coordinator.toml")]
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Log as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration as it counts, defaults included, and the digest of it that goes on record at each start.
    #[command(
        after_help = "Example:\n  syndic-coordinator configuration --config coordinator.toml | jq -r .digest"
    )]
    Configuration {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Check that ledger, blobs and published ledger are whole, and fit one another. Mends nothing.
    #[command(
        after_help = "Stop all coordinators first. Exits with 0 where everything is whole, with 4 where something is missing or \
                      damaged: each with its place, what it means and what to do. Blobs that no entry names are listed; \
                      they are no damage.\n\nExamples:\n  syndic-coordinator fsck --config coordinator.toml\n  \
                      syndic-coordinator fsck --config coordinator.toml --json | jq -r .damage[].place"
    )]
    Fsck {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove blobs that no entry names, and what is held of uploads that nobody goes on with, once they are old.
    #[command(
        after_help = "A coordinator that runs does this at its start and once a day. With servers it works beside coordinators; with the \
                      folder stop the coordinator first. A blob is set aside, where it is found still, and removed a day later unless an \
                      entry names it by then. Changes nothing where an entry cannot be read.\n\nExamples:\n  \
                      syndic-coordinator sweep --config coordinator.toml --dry-run\n  \
                      syndic-coordinator sweep --config coordinator.toml --json | jq -r .removed[].name"
    )]
    Sweep {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Change nothing: list what would be done.
        #[arg(long)]
        dry_run: bool,
        /// Days from which on things are old; otherwise those of `[sweep]`.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(sweep::MOST_DAYS)))]
        older_than_days: Option<u32>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Move ledger and blobs between the state folder and the servers of `[store]`, while no coordinator runs.
    #[command(
        after_help = "Copies, then compares every entry and every blob, and only then leaves the former place, which no coordinator \
                      takes for the ledger any more. Stopped at any moment, run it again: it goes on. The configuration has \
                      `[store]` for both directions; after a move to the folder take it out.\n\nExamples:\n  \
                      syndic-coordinator migrate-store --config coordinator.toml --to servers\n  \
                      syndic-coordinator migrate-store --config coordinator.toml --to folder"
    )]
    MigrateStore {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Where to.
        #[arg(long)]
        to: Place,
        /// Log as JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Hand in, show and control the jobs of a coordinator that runs on this host.
    #[command(subcommand, after_help = jobs::EXAMPLES)]
    Job(jobs::Command),
    /// Show the models that jobs have released, and put on record what becomes of them.
    #[command(subcommand, after_help = models::EXAMPLES)]
    Model(models::Command),
    /// Make a new certificate for the coordinator, for the key and host names that it has.
    #[command(after_help = "Example:\n  syndic-coordinator renew --federation federation\n\nNeeds \
                            `authority.key.pem` in that folder. Participants need nothing new.")]
    Renew {
        /// The folder that `syndic federation init` made, with the authority's key.
        #[arg(long)]
        federation: PathBuf,
        /// Days that the certificate holds.
        #[arg(long, default_value_t = Federation::CERTIFICATE_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
    /// Take back every certificate that a member got: it is let in no longer, and cut off where it is connected.
    #[command(
        after_help = "Writes `revoked.crl.pem` in that folder; needs `authority.key.pem` there. Without a member the list is signed \
                      anew as it is: when it is over, the coordinator lets nobody new in. Nothing is ever taken off the list; a \
                      member that is certified anew afterwards is let in with its new certificate.\n\nExamples:\n  \
                      syndic-coordinator revoke --federation federation bank_a --reason key-compromise\n  \
                      syndic-coordinator revoke --federation federation --days 90"
    )]
    Revoke {
        /// The folder that `syndic federation init` made, with the authority's key.
        #[arg(long)]
        federation: PathBuf,
        /// The member's name in the roster.
        #[arg(requires = "reason")]
        member: Option<String>,
        /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation or privilege-withdrawn.
        #[arg(long, requires = "member")]
        reason: Option<Reason>,
        /// Days that the list holds; sign it anew before.
        #[arg(long, default_value_t = Federation::CERTIFICATE_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
}

/// The two places of a store.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Place {
    /// The servers of `[store]`.
    Servers,
    /// The folder `state`.
    Folder,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = match parsed() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match perform(arguments.command).await {
        Ok(code) => code,
        Err(error) => {
            let (code, help, exit) = (error.code().into(), error.help(), error.exit_code());
            Ended { code, message: error.to_string(), help, exit }.report()
        }
    }
}

async fn perform(command: Command) -> Result<ExitCode, DaemonError> {
    match command {
        Command::Run { config, json } => {
            syndic_terminal::logging::start(json);
            daemon::run(&config).await?;
        }
        Command::Configuration { config } => {
            let config = Config::load(&config)?;
            let (digest, canonical) = (config.digest(), config.canonical());
            let told = format!(
                "{{\"schema\":\"syndic-configuration/1\",\"digest\":\"{digest}\",\"configuration\":{canonical}}}"
            );
            jobs::print(&told)?;
        }
        Command::Fsck { config, json } => {
            let findings = fsck::run(&config).await?;
            let told = if json { findings.to_json() + "\n" } else { findings.to_string() };
            // The exit code says it too, whether anybody reads this or not.
            let _ = std::io::stdout().write_all(told.as_bytes());
            return Ok(ExitCode::from(if findings.is_whole() { 0 } else { 4 }));
        }
        Command::Sweep { config, dry_run, older_than_days, json } => {
            let swept = sweep::run(&config, older_than_days, dry_run).await?;
            let told = if json { swept.to_json() + "\n" } else { swept.to_string() };
            jobs::print(told.trim_end_matches('\n'))?;
        }
        Command::MigrateStore { config, to, json } => {
            syndic_terminal::logging::start(json);
            let target = match to {
                Place::Servers => Target::Servers,
                Place::Folder => Target::Folder,
            };
            let Moved { place, entries, root, blobs, bytes } = migrate_store(&config, target).await?;
            // Everything is moved, whether anybody reads this or not.
            let _ = writeln!(
                std::io::stdout(),
                "the ledger is in {place}: {entries} entries, root {root}; {blobs} blobs of {bytes} bytes compared\nnext: {}",
                match to {
                    Place::Servers =>
                        "start the coordinator; keep the former state folder until you have a backup",
                    Place::Folder => "take `[store]` out of the configuration, and start the coordinator",
                }
            );
        }
        Command::Job(command) => jobs::perform(command).await?,
        Command::Model(command) => models::perform(command).await?,
        Command::Renew { federation, days } => {
            renew(&federation, days)?;
            let certificate = federation.join("coordinator.pem");
            // The certificate is in place, whether anybody reads this or not.
            let _ = writeln!(
                std::io::stdout(),
                "certified the coordinator anew for {days} days: {}\nnext: put that file in the coordinator's \
                 federation folder, if it is elsewhere; a running coordinator takes it up by itself",
                certificate.display()
            );
        }
        Command::Revoke { federation, member, reason, days } => {
            let signed = revoke(&federation, member.as_deref().zip(reason), days)?;
            let Signed { number, added, revoked } = signed;
            // The list is in place, whether anybody reads this or not.
            let _ = writeln!(
                std::io::stdout(),
                "revoked {added} certificates; list {number} has {revoked} and holds for {days} days: {}\nnext: put that file \
                 in the coordinator's federation folder, if it is elsewhere; a running coordinator takes it up by itself",
                federation.join("revoked.crl.pem").display()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
