//! `syndic-participant`: the agent that an institution runs on its own host.

mod commands;
mod logging;

use std::process::ExitCode;

use clap::Parser;
use commands::{Arguments, Failure};

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, help, exit }) => {
            eprintln!("error[{code}]: {message}\n  help: {help}");
            ExitCode::from(exit)
        }
    }
}
