//! `syndic-coordinator`: the daemon that orchestrates the rounds of a federation.

mod logging;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Orchestrates the encrypted rounds of a federation.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 done, 1 the job was abandoned, 2 bad input, 3 disk or network."
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
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Run { config, json } = Arguments::parse().command;
    logging::start(json);
    match syndic_coordinator::daemon::run(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error[{}]: {error}\n  help: {}", error.code(), error.help());
            ExitCode::from(error.exit_code())
        }
    }
}
