//! What all three programs say alike, so that a script need not know which of them it calls: the last error of a command, a
//! command line that is wrong, and a daemon's log.

mod ended;
pub mod file;
pub mod logging;
mod misuse;

pub use ended::Ended;
pub use misuse::{Misuse, parsed};

/// Whether JSON was asked for, also on a command line that is wrong otherwise.
pub fn wants_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}
