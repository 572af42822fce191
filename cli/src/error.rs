//! What a person is told when something goes wrong: what, where, and what to do next.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use syndic_terminal::{Misuse, file};
use thiserror::Error;

use crate::words::plain_lines;

/// An error for the person at the terminal, with a stable code and a remedy.
///
/// Rendered on standard error as in `error[data.column-missing]: ...`, or as one JSON object.
#[derive(Debug, Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Told>);

/// Results of everything that a command does.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose turn it is after an error. These are the exit codes of `syndic`; they do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 1: the job or a round was abandoned, or rows have drifted.
    Abandoned = 1,
    /// 2: the command line, a file or the data is wrong.
    Input = 2,
    /// 3: the world: disk, network, time.
    World = 3,
    /// 4: a verification failed.
    Unverified = 4,
}

#[derive(Debug, Serialize)]
struct Told {
    code: String,
    message: String,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Lines of the source with a caret, for people only.
    #[serde(skip)]
    excerpt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<Told>,
    exit: u8,
}

impl Error {
    /// An error of this kind, with a stable `code` such as `data.column-missing`.
    pub fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            code: code.into(),
            message: message.into(),
            place: None,
            excerpt: None,
            help: None,
            also: Vec::new(),
            exit: exit as u8,
        }))
    }

    /// The command line, a file or the data is wrong.
    pub fn input(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Exit::Input, code, message)
    }

    /// The world is not as needed: disk, network, time.
    pub fn world(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Exit::World, code, message)
    }

    /// The job or a round ended without a result.
    pub fn abandoned(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Exit::Abandoned, code, message)
    }

    /// A file could not be read.
    pub fn unreadable(path: &Path, cause: &std::io::Error) -> Self {
        let exit = if file::exit_code(cause) == 2 { Exit::Input } else { Exit::World };
        Self::new(exit, file::UNREADABLE, format!("the file cannot be read: {}", plain(cause)))
            .place(path.display().to_string())
            .help("check the path and that you may read it")
    }

    /// A file or folder could not be written.
    pub fn unwritable(path: &Path, cause: &std::io::Error) -> Self {
        Self::world("file.unwritable", format!("this cannot be written: {}", plain(cause)))
            .place(path.display().to_string())
            .help("choose another place, free some space, or ask for the right to write there")
    }

    /// A command line that clap does not understand, with all that it says about it.
    pub fn misused(error: &clap::Error) -> Self {
        let Misuse { code, message, help } = Misuse::of(error, "syndic");
        Self::input(code, message).help(help)
    }

    /// Says where: a file, a line, an option.
    pub fn place(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    /// Says what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Shows the lines of the source that are meant.
    pub fn excerpt(mut self, excerpt: impl Into<String>) -> Self {
        self.0.excerpt = Some(excerpt.into());
        self
    }

    /// Adds further errors found in the same pass.
    pub fn also(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        for Self(mut other) in others {
            let nested = std::mem::take(&mut other.also);
            self.0.also.push(*other);
            self.0.also.extend(nested);
        }
        self
    }

    /// The stable machine-readable code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The process's exit code, 1 to 4.
    pub fn exit(&self) -> u8 {
        self.0.exit
    }

    /// For people: the error, its place, the remedy; further errors below.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for told in std::iter::once(&*self.0).chain(&self.0.also) {
            told.render(&mut text);
        }
        text
    }

    /// For programs: one JSON object on one line.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            error: &'a Told,
        }
        serde_json::to_string(&Line { error: &self.0 }).expect("strings and numbers serialise")
    }

    /// Writes the error to standard error and gives the exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        let text = if json { self.to_json() + "\n" } else { self.render() };
        // Standard error is the last resort: where it is closed there is nobody left to tell.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        ExitCode::from(self.exit())
    }
}

impl Told {
    fn render(&self, text: &mut String) {
        let _ = writeln!(text, "error[{}]: {}", self.code, indented(&self.message));
        if let Some(place) = &self.place {
            let _ = writeln!(text, "  in: {}", indented(place));
        }
        if let Some(excerpt) = &self.excerpt {
            let _ = writeln!(text, "{excerpt}");
        }
        if let Some(help) = &self.help {
            let _ = writeln!(text, "  help: {}", indented(help));
        }
    }
}

/// Continuation lines stay under the first, and nothing in them fakes others: a message may hold what a ledger or a file says.
fn indented(text: &str) -> String {
    plain_lines(text.trim_end()).replace('\n', "\n        ")
}

/// The cause in lower case and without Rust's `(os error 13)`.
fn plain(cause: &std::io::Error) -> String {
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_column() -> Error {
        Error::input("data.column-missing", "the table has no column `limit_bal`")
            .place("data.csv, header")
            .help("add it to the SELECT")
    }

    #[test]
    fn an_error_says_what_where_and_what_to_do() {
        assert_eq!(
            missing_column().render(),
            "error[data.column-missing]: the table has no column `limit_bal`\n  in: data.csv, header\n  \
             help: add it to the SELECT\n"
        );
    }

    #[test]
    fn an_error_for_programs_is_one_json_object_with_its_exit_code() {
        let error = missing_column().also([Error::world("disk.full", "no space")]);
        let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["error"]["code"], "data.column-missing");
        assert_eq!(json["error"]["in"], "data.csv, header");
        assert_eq!(json["error"]["exit"], 2);
        assert_eq!(json["error"]["also"][0]["code"], "disk.full");
        assert!(!error.to_json().contains('\n'));
    }

    fn misused(line: &str) -> serde_json::Value {
        use clap::Parser;
        let error = crate::args::Cli::try_parse_from(line.split(' ')).unwrap_err();
        let json: serde_json::Value = serde_json::from_str(&Error::misused(&error).to_json()).unwrap();
        assert_eq!(json["error"]["exit"], 2);
        json["error"].clone()
    }

    #[test]
    fn a_wrong_command_line_is_told_in_full() {
        let missing = misused("syndic sandbox --json --table t.csv --fold-column f --test-fold 0");
        assert_eq!(missing["code"], "options.missing");
        let message = missing["message"].as_str().unwrap();
        assert!(message.contains("--job <FILE> --site-column <COLUMN> --out <DIR>"), "{message}");
        assert!(missing["help"].as_str().unwrap().contains("Usage: syndic sandbox"), "{missing}");

        let unknown = misused("syndic demo --json --round 3");
        assert_eq!(unknown["code"], "options.unknown");
        assert_eq!(unknown["message"], "unexpected argument '--round' found");
        assert!(unknown["help"].as_str().unwrap().contains("'--rounds'"), "{unknown}");

        let invalid = misused("syndic demo --json --rounds 0");
        assert_eq!(invalid["code"], "options.invalid");
        assert!(invalid["message"].as_str().unwrap().contains("0 is not in 1..=10000"), "{invalid}");
        assert_eq!(misused("syndic job")["code"], "options.missing");
    }

    #[test]
    fn the_first_error_decides_the_exit_code() {
        let error = Error::abandoned("job.abandoned", "too few").also([missing_column()]);
        assert_eq!(error.exit(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_bad_input_and_one_that_resists_is_the_world() {
        let path = Path::new("x.toml");
        let absent = Error::unreadable(path, &std::io::Error::from(std::io::ErrorKind::NotFound));
        let denied = Error::unreadable(path, &std::io::Error::from_raw_os_error(13));
        assert_eq!((absent.exit(), denied.exit()), (2, 3));
        assert!(!denied.render().contains("os error"));
    }
}
