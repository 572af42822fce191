//! The `syndic` command.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use syndic::args::Cli;
use syndic::{Error, commands};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    if let Some(levels) = std::env::var("SYNDIC_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok()) {
        registry().with(fmt::layer().with_writer(std::io::stderr)).with(levels).init();
    }
    let json = cli.command.json();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

/// Help and version as they are; a wrong command line as clap says it, or as JSON where JSON was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !wanted && std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return Error::input("options.unknown", first).help("see `syndic --help`").report(true);
    }
    // Where the terminal is gone there is nobody to tell.
    let _ = error.print();
    ExitCode::from(if wanted { 0 } else { 2 })
}
