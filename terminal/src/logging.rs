//! A daemon's log, on standard error.

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

/// Starts the log, for people or as JSON lines. `RUST_LOG` chooses levels (`debug`, or `tonic=warn,info`);
/// without it, or where it cannot be read, everything from `info` up is told.
pub fn start(json: bool) {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let levels = chosen.unwrap_or_else(|| Targets::new().with_default(Level::INFO));
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if json {
        registry().with(lines.json()).with(levels).init();
    } else {
        registry().with(lines).with(levels).init();
    }
}
