//! `syndic-participant`: the agent that an institution runs on its own host.

mod budget;
mod commands;
mod logging;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use commands::{Arguments, Failure};

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, help, exit }) => {
            // Where nobody listens to standard error, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error[{code}]: {message}\n  help: {help}");
            ExitCode::from(exit)
        }
    }
}
