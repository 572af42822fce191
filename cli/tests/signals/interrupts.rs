//! SIGINT and SIGTERM end a run at any moment, and nothing of it is left.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::{send, within};

/// Starts `syndic` with both outputs piped.
fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(arguments)
        .env_remove("CARGO")
        .env_remove("SYNDIC_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The run ends because of the signal, says so, and keeps nothing.
fn ends(signal: &str, run: Child, out: &Path) {
    let process = run.id();
    send(signal, process);
    let Some(output) = within(move || run.wait_with_output().unwrap()) else {
        send("KILL", process);
        panic!("{signal} was ignored");
    };
    let Output { status, stderr, .. } = output;
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{signal}: {stderr}");
    let error: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(error["error"]["code"], "run.interrupted");
    assert_eq!(error["error"]["help"], "run it again; nothing of it was kept");
    assert!(!out.exists(), "{signal}: {:?}", fs::read_dir(out).unwrap().collect::<Vec<_>>());
}

#[test]
fn a_federation_at_work_is_interrupted_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let mut run = start(&["demo", "--json", "--out", out.to_str().unwrap()]);
        let process = run.id();
        let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
        let opened = within(move || {
            let found = lines.find(|line| line.as_ref().unwrap().contains("round-opened"));
            (found, lines)
        });
        let Some((Some(_), _lines)) = opened else {
            send("KILL", process);
            panic!("no round was opened");
        };
        // Keys and databases are there, or this test would show nothing.
        assert!(out.join(".syndic.unfinished/state/coordinator").exists());
        ends(signal, run, &out);
    }
}

#[test]
fn a_run_that_waits_for_its_table_is_interrupted_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let (out, table) = (folder.path().join("out"), folder.path().join("table.csv"));
        assert!(Command::new("mkfifo").arg(&table).status().unwrap().success());
        let job = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/job.toml");
        let mut arguments = vec!["sandbox", "--json", "--job", job.to_str().unwrap()];
        arguments.extend(["--table", table.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        arguments.extend(["--site-column", "site", "--fold-column", "fold", "--test-fold", "0"]);
        let run = start(&arguments);
        let process = run.id();
        // Opening succeeds when the other side has opened it too: the load has begun. It never ends.
        let Some(mut writer) = within(move || OpenOptions::new().write(true).open(table).unwrap()) else {
            send("KILL", process);
            panic!("the table was never opened");
        };
        writer.write_all(b"age,site,fold\n30,north,1\n").unwrap();
        assert!(out.join(".syndic.unfinished").exists());
        ends(signal, run, &out);
    }
}
