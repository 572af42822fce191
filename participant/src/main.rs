//! `syndic-participant`: the agent that an institution runs on its own host.

mod budget;
mod commands;

use std::process::ExitCode;
use std::time::Duration;

use commands::{Arguments, Failure};
use syndic_terminal::{Ended, parsed};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let arguments: Arguments = match parsed() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("cannot start threads: {error}");
            let help = "raise the limits of this service on threads and open files".into();
            return Ended { code: "system.threads".into(), message, help, exit: 3 }.report();
        }
    };
    let ended = match runtime.block_on(commands::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message, help, exit }) => Ended { code, message, help, exit }.report(),
    };
    // Reading a source may go on for minutes, and dropping the runtime would wait for it. Nothing is lost where it is left: the
    // journal is durable at every step, and a folder with copied rows is removed at the next start.
    runtime.shutdown_timeout(LONGEST_END);
    ended
}

/// What is nearly done may end.
const LONGEST_END: Duration = Duration::from_secs(3);
