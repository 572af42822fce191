//! What `syndic-coordinator` says when a command fails: for people, and with `--json` for programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::process::{Command, Output};

use serde_json::Value;

fn called(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_syndic-coordinator"));
    command.current_dir(folder.path()).args(arguments).output().unwrap()
}

/// The one line on standard error, as JSON.
fn told(output: &Output) -> Value {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    assert_eq!(output.status.code(), told["error"]["exit"].as_i64().map(|exit| exit as i32), "{text}");
    assert!(told["error"]["help"].as_str().is_some_and(|help| !help.is_empty()), "{text}");
    told["error"].clone()
}

#[test]
fn every_command_that_prints_json_prints_its_error_as_json() {
    for arguments in [
        &["run", "--config", "absent.toml"][..],
        &["fsck", "--config", "absent.toml"],
        &["sweep", "--config", "absent.toml"],
        &["migrate-store", "--to", "folder", "--config", "absent.toml"],
        &["job", "submit", "absent.toml", "--config", "absent.toml"],
        &["job", "list", "--config", "absent.toml"],
        &["job", "show", "a", "--config", "absent.toml"],
        &["job", "pause", "a", "--config", "absent.toml"],
        &["job", "resume", "a", "--config", "absent.toml"],
        &["job", "stop", "a", "--reason", "b", "--config", "absent.toml"],
        &["job", "erase", "a", "--reason", "b", "--config", "absent.toml"],
        &["job", "priority", "a", "9", "--config", "absent.toml"],
        &["model", "list", "--config", "absent.toml"],
        &["model", "stage", "absent.json", "--config", "absent.toml"],
    ] {
        let error = told(&called(&[arguments, &["--json"]].concat()));
        let found = (&error["code"], &error["exit"]);
        assert_eq!(found, (&"file.unreadable".into(), &2.into()), "{arguments:?}: {error}");

        let people = String::from_utf8(called(arguments).stderr).unwrap();
        let first = format!("error[{}]: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
        assert!(people.starts_with(&first) && people.contains("\n  help: "), "{people}");
    }
}

#[test]
fn a_wrong_command_line_is_json_too() {
    for (arguments, code, part) in [
        (&["job", "list", "--json"][..], "options.missing", "--config <CONFIG>"),
        (&["fsck", "--json", "--confg", "a.toml"], "options.unknown", "'--confg'"),
        (&["job", "priority", "a", "101", "--json", "--config", "a"], "options.invalid", "101 is not in 0..=100"),
        (&["configuration", "--json"], "options.unknown", "'--json'"),
    ] {
        let error = told(&called(arguments));
        assert_eq!((&error["code"], &error["exit"]), (&code.into(), &2.into()), "{arguments:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{arguments:?}: {error}");
    }
    let asked = called(&["fsck", "--json", "--help"]);
    assert!(asked.status.success() && asked.stderr.is_empty(), "{asked:?}");
}
