//! What `syndic-participant` says when a command fails: for people, and with `--json` for programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../../../terminal/tests/told/mod.rs"]
mod told;

use told::Program;

const PARTICIPANT: Program = Program(env!("CARGO_BIN_EXE_syndic-participant"));

#[test]
fn every_command_that_prints_json_prints_its_error_as_json() {
    PARTICIPANT.misses_a_file(&[
        &["run", "--config", "absent.toml"],
        &["data", "check", "--config", "absent.toml", "--job", "absent.toml"],
        &["policy", "check", "--config", "absent.toml", "--job", "absent.toml"],
        &["policy", "check", "--policy", "absent.toml", "--institutions", "5", "--job", "absent.toml"],
        &["spot-check", "--config", "absent.toml", "--job", "a", "--round", "1"],
        &["journal", "--config", "absent.toml"],
        &["budget", "--config", "absent.toml"],
        &["models", "--config", "absent.toml"],
        &["checkpoint", "--config", "absent.toml"],
    ]);
}

#[test]
fn a_wrong_command_line_is_json_too() {
    PARTICIPANT.is_misused(&[
        (&["journal"], "options.missing", "--config <CONFIG>"),
        (&["journal", "--confg", "a.toml"], "options.unknown", "'--confg'"),
        (&["spot-check", "--config", "a", "--job", "a", "--round", "one"], "options.invalid", "'one'"),
        (&["policy"], "options.unknown", "'--json'"),
    ]);
    let asked = PARTICIPANT.called(&["journal", "--json", "--help"]);
    assert!(asked.status.success() && asked.stderr.is_empty(), "{asked:?}");
}
