//! Programs from PyPI that some tests run, in a virtual environment below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gate::Failure;
use crate::sources;

/// `moto` is the S3 server that the store of blobs is tested against, `dp-accounting` what epsilons are compared with, `grpcio` what
/// an external trainer in Python speaks by, and `onnxruntime` runs exported models; the others fit what a federation fits.
const PACKAGES: [&str; 8] = [
    "moto[server]==5.2.5",
    "dp-accounting==0.6.0",
    "onnxruntime==1.32.0",
    "scikit-learn==1.9.1",
    "lightgbm==4.7.0",
    "statsmodels==0.15.0",
    "grpcio==1.85.3",
    "grpcio-tools==1.85.1",
];

/// Makes the environment where there is none of these packages; otherwise says loudly which tests will do without.
pub(crate) fn check() -> Result<String, Failure> {
    ready(&sources::root().join("target/python"), "python3")
}

fn ready(folder: &Path, python: &str) -> Result<String, Failure> {
    let wanted = PACKAGES.join("\n");
    // Written last: what stopped half way is begun again.
    let mark = folder.join("packages.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|made| made == wanted) {
        return Ok(format!("{} in {} as before", PACKAGES.join(", "), folder.display()));
    }
    let made = run(Command::new(python).args(["-m", "venv", "--clear"]).arg(folder))
        .and_then(|()| run(pip(folder).args(["install", "--quiet"]).args(PACKAGES)));
    if let Err(why) = made {
        eprintln!("  *** SKIPPED: {why} ***");
        eprintln!(
            "  *** Without {} the tests that need them say that they were skipped. ***",
            PACKAGES.join(", ")
        );
        return Ok(format!("SKIPPED, {why}"));
    }
    std::fs::write(&mark, wanted)
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", mark.display())))?;
    Ok(format!("installed {} in {}", PACKAGES.join(", "), folder.display()))
}

fn pip(folder: &Path) -> Command {
    let program: PathBuf = folder.join("bin/pip");
    let mut pip = Command::new(program);
    pip.arg("--disable-pip-version-check");
    pip
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            Err(format!("`{program}`: {}", told.lines().last().unwrap_or("it failed and said nothing")))
        }
        Err(error) => Err(format!("`{program}` did not start: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_python_the_gate_says_that_it_was_skipped() {
        let folder = std::env::temp_dir().join(format!("syndic-xtask-{}", std::process::id()));
        let remark = ready(&folder, "a-python-that-is-nowhere").unwrap();
        assert!(remark.starts_with("SKIPPED"), "{remark}");
        assert!(!folder.exists());
    }

    #[test]
    fn what_was_made_before_is_not_made_again() {
        let folder = std::env::temp_dir().join(format!("syndic-xtask-made-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("packages.txt"), PACKAGES.join("\n")).unwrap();
        let remark = ready(&folder, "a-python-that-is-nowhere").unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(remark.ends_with("as before"), "{remark}");
    }
}
