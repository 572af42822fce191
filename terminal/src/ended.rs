//! The error that a command ends with.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

/// The error that a command ends with: what a person reads, and what a script looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The stable code, `config.malformed` for instance.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: String,
    /// The exit code of the process.
    pub exit: u8,
}

impl Ended {
    /// Writes it to standard error, as JSON where `--json` is on the command line, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let text = if crate::wants_json() { self.to_json() } else { self.to_text() };
        // Where nobody listens to standard error, the exit code still tells.
        let _ = writeln!(std::io::stderr(), "{text}");
        ExitCode::from(self.exit)
    }

    fn to_text(&self) -> String {
        format!("error[{}]: {}\n  help: {}", self.code, self.message, self.help)
    }

    /// One line.
    fn to_json(&self) -> String {
        let Self { code, message, help, exit } = self;
        json!({ "error": { "code": code, "message": message, "help": help, "exit": exit } }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_two_lines_for_people_and_one_for_programs() {
        let (code, message) = ("data.empty".to_owned(), "no rows\nin \"x\"".to_owned());
        let ended = Ended { code, message, help: "give some".into(), exit: 2 };
        assert_eq!(ended.to_text(), "error[data.empty]: no rows\nin \"x\"\n  help: give some");
        let line = ended.to_json();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!((&told["error"]["code"], &told["error"]["exit"]), (&"data.empty".into(), &2.into()));
        assert_eq!(told["error"]["message"], "no rows\nin \"x\"");
    }
}
