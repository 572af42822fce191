//! What `syndic-coordinator` says when a command fails: for people, and with `--json` for programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../terminal/tests/told/mod.rs"]
mod told;

use told::Program;

const COORDINATOR: Program = Program(env!("CARGO_BIN_EXE_syndic-coordinator"));

#[test]
fn every_command_that_prints_json_prints_its_error_as_json() {
    COORDINATOR.misses_a_file(&[
        &["run", "--config", "absent.toml"],
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
    ]);
}

#[test]
fn a_wrong_command_line_is_json_too() {
    COORDINATOR.is_misused(&[
        (&["job", "list"], "options.missing", "--config <CONFIG>"),
        (&["fsck", "--confg", "a.toml"], "options.unknown", "'--confg'"),
        (&["job", "priority", "a", "101", "--config", "a"], "options.invalid", "101 is not in 0..=100"),
        (&["configuration"], "options.unknown", "'--json'"),
    ]);
    let asked = COORDINATOR.called(&["fsck", "--json", "--help"]);
    assert!(asked.status.success() && asked.stderr.is_empty(), "{asked:?}");
}
