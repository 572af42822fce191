//! `syndic-coordinator`: the daemon that orchestrates the rounds of a federation.

mod logging;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use syndic_coordinator::daemon::{self, DaemonError};
use syndic_coordinator::federation::Federation;
use syndic_coordinator::renewal::renew;

/// Orchestrates the encrypted rounds of a federation.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 the job was abandoned, 2 bad input, 3 disk, network or an expired certificate."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until the job is over. After a stop, run it again: it goes on from its ledger.
    #[command(after_help = "Example:\n  syndic-coordinator run --config coordinator.toml")]
    Run {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
        /// Log as JSON lines.
        #[arg(long)]
        json: bool,
    },
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
}

#[tokio::main]
async fn main() -> ExitCode {
    match perform(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}\n  help: {}", error.code(), error.help());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn perform(command: Command) -> Result<(), DaemonError> {
    match command {
        Command::Run { config, json } => {
            logging::start(json);
            daemon::run(&config).await
        }
        Command::Renew { federation, days } => {
            renew(&federation, days)?;
            let certificate = federation.join("coordinator.pem");
            // The certificate is in place, whether anybody reads this or not.
            let _ = writeln!(
                std::io::stdout(),
                "certified the coordinator anew for {days} days: {}\nnext: put that file in the coordinator's \
                 federation folder, if it is elsewhere, and start the coordinator again",
                certificate.display()
            );
            Ok(())
        }
    }
}
