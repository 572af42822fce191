//! `syndic-participant`: the agent that an institution runs on its own host.

mod budget;
mod commands;

use std::process::ExitCode;

use commands::{Arguments, Failure};
use syndic_terminal::{Ended, parsed};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Arguments = match parsed() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match commands::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, help, exit }) => Ended { code, message, help, exit }.report(),
    }
}
