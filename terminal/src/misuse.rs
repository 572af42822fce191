//! A command line that is wrong.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::Ended;

/// What is wrong with a command line, with all that clap says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// `options.unknown`, `options.missing` or `options.invalid`.
    pub code: &'static str,
    /// What is wrong; it names every option that is meant.
    pub message: String,
    /// Tips, the usage, and where to read more.
    pub help: String,
}

impl Misuse {
    /// Of a call of `program`.
    pub fn of(error: &clap::Error, program: &str) -> Self {
        let code = match error.kind() {
            ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => "options.unknown",
            ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => "options.missing",
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                let (message, help) = ("a command is missing".into(), format!("see `{program} --help`"));
                return Self { code: "options.missing", message, help };
            }
            _ => "options.invalid",
        };
        let text = error.to_string();
        // What is wrong comes first; then tips, the usage, and where to read more.
        let mut paragraphs = text.split("\n\n").map(|paragraph| {
            let lines: Vec<&str> = paragraph.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            lines.join(" ")
        });
        let message = paragraphs.next().unwrap_or_default();
        let help: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
        let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
        Self { code, message, help: help.join("; ") }
    }
}

/// The arguments of this process; or the exit code where there is nothing more to do, because help or the version was asked
/// for and is printed, or the command line is wrong and that is told.
///
/// # Errors
/// The exit code of the process: 0, or 2 for a wrong command line.
pub fn parsed<Arguments: Parser>() -> Result<Arguments, ExitCode> {
    Arguments::try_parse().map_err(|error| {
        let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if !wanted && crate::wants_json() {
            let Misuse { code, message, help } = Misuse::of(&error, Arguments::command().get_name());
            return Ended { code: code.into(), message, help, exit: 2 }.report();
        }
        // Where the terminal is gone there is nobody to tell.
        let _ = error.print();
        ExitCode::from(if wanted { 0 } else { 2 })
    })
}
