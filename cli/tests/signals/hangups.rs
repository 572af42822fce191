//! SIGHUP ends a run as SIGTERM does, where nobody asked to ignore it.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use crate::{send, within};

/// Starts a short demo under `shell`, which says what SIGHUP does to it. One institution is stopped in it, so that
/// the signal always comes before the end.
fn demo(shell: &str, out: &Path) -> Child {
    Command::new("sh")
        .args(["-c", shell, env!("CARGO_BIN_EXE_syndic"), "demo", "--json", "--rounds", "3"])
        .args(["--out", out.to_str().unwrap()])
        .env_remove("CARGO")
        .env_remove("SYNDIC_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends SIGHUP in the middle of the federation, and waits for the end: the exit code and standard error.
fn hang_up(mut run: Child) -> (Option<i32>, String) {
    let process = run.id();
    let lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let opened = within(move || until_a_round_opens(lines));
    let Some(Some(lines)) = opened else {
        send("KILL", process);
        panic!("no round was opened");
    };
    send("HUP", process);
    // Whoever does not end must not wait for a reader either.
    thread::spawn(move || lines.count());
    let Some(output) = within(move || run.wait_with_output().unwrap()) else {
        send("KILL", process);
        panic!("the run did not end");
    };
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn until_a_round_opens(mut lines: Lines<BufReader<ChildStdout>>) -> Option<Lines<BufReader<ChildStdout>>> {
    lines.find(|line| line.as_ref().unwrap().contains("round-opened")).map(|_| lines)
}

#[test]
fn a_terminal_that_is_closed_ends_the_run_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever runs the tests may ignore SIGHUP.
    let run = demo("exec env --default-signal=HUP \"$0\" \"$@\"", &folder.path().join("runs/out"));
    let (code, stderr) = hang_up(run);
    assert_eq!(code, Some(1), "{stderr}");
    let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(error["error"]["code"], "run.interrupted");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_run_that_is_to_ignore_hangups_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (code, stderr) = hang_up(demo("trap '' HUP; exec \"$0\" \"$@\"", &out));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(out.join("result.json").exists());
}
