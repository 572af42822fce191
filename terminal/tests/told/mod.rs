//! What a program says when a command fails, as people and scripts read it: shared by the tests of all of them.

use std::process::{Command, Output};

use serde_json::Value;

/// A program, called in an empty folder.
pub(crate) struct Program(pub(crate) &'static str);

impl Program {
    pub(crate) fn called(&self, arguments: &[&str]) -> Output {
        let folder = tempfile::tempdir().unwrap();
        Command::new(self.0).current_dir(folder.path()).args(arguments).output().unwrap()
    }

    /// The error as JSON, which is all that stands on standard error.
    pub(crate) fn error(&self, arguments: &[&str]) -> Value {
        let output = self.called(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
        let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        assert_eq!(output.status.code().map(i64::from), told["error"]["exit"].as_i64(), "{text}");
        assert!(told["error"]["help"].as_str().is_some_and(|help| !help.is_empty()), "{text}");
        told["error"].clone()
    }

    /// Each of these commands reads a file first that is not there, and says so in the same way, to people and to scripts.
    pub(crate) fn misses_a_file(&self, commands: &[&[&str]]) {
        for arguments in commands {
            let error = self.error(arguments);
            let found = (&error["code"], &error["exit"]);
            assert_eq!(found, (&"file.unreadable".into(), &2.into()), "{arguments:?}: {error}");

            let people = String::from_utf8(self.called(arguments).stderr).unwrap();
            let first = format!("error[file.unreadable]: {}\n  help: ", error["message"].as_str().unwrap());
            assert!(people.starts_with(&first), "{arguments:?}: {people}");
        }
    }

    /// Each of these command lines is wrong: the code, and what the message names.
    pub(crate) fn is_misused(&self, lines: &[(&[&str], &str, &str)]) {
        for (arguments, code, part) in lines {
            let error = self.error(arguments);
            assert_eq!(
                (&error["code"], &error["exit"]),
                (&(*code).into(), &2.into()),
                "{arguments:?}: {error}"
            );
            assert!(error["message"].as_str().unwrap().contains(part), "{arguments:?}: {error}");
        }
    }
}
