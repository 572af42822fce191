//! What Python derives a second time, where there is a Python: every test vector, and the tables of the parameters.

use std::io;
use std::process::Command;

use crate::gate::Failure;
use crate::sources;

/// Runs both scripts; without a Python it says loudly that it did not.
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
    let remarks = SCRIPTS.iter().map(|script| run(python, script)).collect::<Result<Vec<_>, _>>()?;
    Ok(remarks.join("; "))
}

/// Runs one script with its arguments, from the root of the sources.
fn run(python: &str, script: &[&str]) -> Result<String, Failure> {
    // Without -B it would leave compiled files in the source.
    let output = Command::new(python).arg("-B").args(script).current_dir(sources::root()).output();
    let output = output.map_err(|error| Failure::new(format!("`{python}` did not start: {error}")))?;
    let remark = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let findings = String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect();
    if output.status.success() && !remark.is_empty() {
        return Ok(remark);
    }
    let help = "the shipped code, the documents and the scripts must say the same; mend whichever is wrong";
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

const SCRIPTS: [&[&str]; 2] = [
    &["core/secure-aggregation/test_vectors/verify.py"],
    &["core/secure-aggregation/parameters/parameters.py", "--check", "docs/parameters.md"],
];

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
    fn the_scripts_are_where_the_gate_looks() {
        assert!(
            SCRIPTS
                .iter()
                .flat_map(|script| script.first())
                .all(|script| sources::root().join(script).is_file())
        );
    }
}
