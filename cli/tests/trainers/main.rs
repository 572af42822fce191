//! Federations whose local half external trainers do: over real loopback TLS, each institution with a trainer on a socket of
//! its own, those of examples/external-trainer in Python or scripted ones that misbehave.
//!
//! `cargo xtask test` installs what the Python trainer needs in a virtual environment below `target/`. Where it is not, the
//! tests that need it say so and pass.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../crashes/federation.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod federation;
mod misbehaving;
mod python;
mod run;
#[path = "../../../participant/tests/trainer/scripted.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod scripted;

use std::process::Command;

#[test]
fn the_sandbox_has_no_trainers_and_says_so() {
    let examples = run::examples();
    let folder = tempfile::tempdir().unwrap();
    let (job, out) = (examples.join("external-trainer/job.toml"), folder.path().join("out"));
    let table = examples.join("bank-marketing/bank_marketing.csv.gz");
    let ran = Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(["sandbox", "--site-column", "site", "--fold-column", "fold", "--test-fold", "0"])
        .args(["--job".as_ref(), job.as_os_str(), "--table".as_ref(), table.as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("error[sandbox.external-trainer]") && told.contains("help: "), "{told}");
    assert!(!out.exists());
}
