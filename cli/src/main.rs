//! The `syndic` command.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use syndic::args::Cli;
use syndic::{Error, Result, commands};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let json = cli.command.json();
    match log().and_then(|()| commands::run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

/// Logs to standard error what `SYNDIC_LOG` asks for; nothing without it.
fn log() -> Result<()> {
    let Some(levels) = std::env::var_os("SYNDIC_LOG").filter(|levels| !levels.is_empty()) else {
        return Ok(());
    };
    let levels: Option<Targets> = levels.to_str().and_then(|levels| levels.parse().ok());
    let wrong = || Error::input("options.log", "these are no log levels").place("SYNDIC_LOG");
    let levels =
        levels.ok_or_else(|| wrong().help("give one such as `debug`, or `syndic_coordinator=debug`"))?;
    registry().with(fmt::layer().with_writer(std::io::stderr)).with(levels).init();
    Ok(())
}

/// Help and version as they are; a wrong command line as clap says it, or as JSON where JSON was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !wanted && syndic_terminal::wants_json() {
        return Error::misused(error).report(true);
    }
    // Where the terminal is gone there is nobody to tell.
    let _ = error.print();
    ExitCode::from(if wanted { 0 } else { 2 })
}
