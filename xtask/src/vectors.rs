//! The second implementation: Python derives every test vector anew, where there is a Python.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::gate::Failure;
use crate::sources;

/// Runs `verify.py` beside the vectors; without a Python it says loudly that it did not.
pub(crate) fn check() -> Result<String, Failure> {
    verify("python3")
}

fn verify(python: &str) -> Result<String, Failure> {
    let Some(version) = version_of(python) else {
        return Ok(skipped(&format!("there is no `{python}` here")));
    };
    if version < OLDEST {
        let (major, minor) = OLDEST;
        return Ok(skipped(&format!("`{python}` is older than {major}.{minor}")));
    }
    let script: PathBuf = [sources::root(), SCRIPT.as_ref()].iter().collect();
    // Without -B it would leave compiled files in the source.
    let output = Command::new(python).arg("-B").arg(script).output();
    let output = output.map_err(|error| Failure::new(format!("`{python}` did not start: {error}")))?;
    let remark = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let findings = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    if output.status.success() && !remark.is_empty() {
        return Ok(remark);
    }
    let help = "the shipped code, the README of the vectors and verify.py must say the same; mend whichever is wrong";
    Err(Failure { findings, help: help.to_owned() })
}

/// Major and minor version of `python`; none where it does not run.
fn version_of(python: &str) -> Option<(u32, u32)> {
    let output: io::Result<_> = Command::new(python).arg("--version").output();
    let output = output.ok().filter(|output| output.status.success())?;
    parsed(&String::from_utf8_lossy(&output.stdout))
}

/// `Python 3.11.7` is 3.11.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix("Python ")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn skipped(why: &str) -> String {
    eprintln!("  *** SKIPPED: {why}, so no second implementation has derived the test vectors. ***");
    eprintln!("  *** Install Python {}.{} or newer, and run `cargo xtask vectors`. ***", OLDEST.0, OLDEST.1);
    format!("SKIPPED, {why}")
}

const SCRIPT: &str = "core/secure-aggregation/test_vectors/verify.py";

/// Dictionaries are merged with `|=` since then.
const OLDEST: (u32, u32) = (3, 9);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_python_the_gate_says_that_it_was_skipped() {
        let remark = verify("a-python-that-is-nowhere").unwrap();
        assert!(remark.starts_with("SKIPPED"), "{remark}");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parsed("Python 3.11.7\n"), Some((3, 11)));
        assert!(parsed("Python 3.8.10").unwrap() < OLDEST);
        assert!(parsed("Python 3.10.0").unwrap() > OLDEST);
        assert_eq!(parsed("Pythonic"), None);
    }

    #[test]
    fn the_script_is_where_the_gate_looks() {
        assert!(sources::root().join(SCRIPT).is_file());
    }
}
