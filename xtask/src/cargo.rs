//! The gates that are cargo's own: formatting, lints, documentation, build and tests.

use std::process::Command;

use crate::gate::Failure;
use crate::sources;

/// `cargo fmt --check`.
pub(crate) fn fmt() -> Result<String, Failure> {
    run(&["fmt", "--all", "--", "--check"], &[])
        .map_err(|()| Failure::new("run `cargo fmt --all`, look at the change, and commit it"))
}

/// Clippy over libraries, binaries, tests and benches.
pub(crate) fn lint() -> Result<String, Failure> {
    let arguments = [
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    run(&arguments, &[])
        .map_err(|()| Failure::new("mend what clippy names above; `cargo xtask lint` repeats it"))
}

/// The API documentation, without that of dependencies.
pub(crate) fn docs() -> Result<String, Failure> {
    let arguments = ["doc", "--release", "--no-deps", "--workspace", "--locked", "--quiet"];
    run(&arguments, &[("RUSTDOCFLAGS", "-D warnings")]).map_err(|()| {
        Failure::new("mend the documentation comments named above; `cargo xtask docs` repeats it")
    })
}

/// All binaries, which some tests start as processes.
pub(crate) fn build() -> Result<String, Failure> {
    run(&["build", "--release", "--bins", "--workspace", "--locked"], &[])
        .map_err(|()| Failure::new("mend the errors above; `cargo build --release --workspace` repeats it"))
}

/// All unit, integration and documentation tests.
pub(crate) fn test() -> Result<String, Failure> {
    run(&["test", "--release", "--workspace", "--locked"], &[]).map_err(|()| {
        Failure::new(
            "the names of the failed tests stand above; `cargo test --release -p CRATE NAME` repeats one",
        )
    })
}

/// The members of the workspace as `cargo metadata` describes them.
pub(crate) fn metadata() -> Result<serde_json::Value, Failure> {
    parsed(&output(&["metadata", "--format-version", "1", "--no-deps"])?)
}

/// The members and all that they depend on, on the platforms that binaries are built for.
pub(crate) fn metadata_with_dependencies(platforms: &[String]) -> Result<serde_json::Value, Failure> {
    let platforms = platforms.iter().flat_map(|platform| ["--filter-platform", platform]);
    let arguments: Vec<&str> =
        ["metadata", "--format-version", "1", "--locked"].into_iter().chain(platforms).collect();
    parsed(&output(&arguments)?)
}

fn parsed(text: &str) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("`cargo metadata` printed no JSON: {error}")))
}

/// What `cargo tree` prints for these arguments, a line each, at the root of the workspace.
pub(crate) fn tree(arguments: &[&str]) -> Result<Vec<String>, Failure> {
    let arguments: Vec<&str> =
        ["tree", "--locked", "--prefix", "none"].iter().chain(arguments).copied().collect();
    Ok(output(&arguments)?.lines().map(str::to_owned).collect())
}

fn output(arguments: &[&str]) -> Result<String, Failure> {
    let output = cargo()
        .args(arguments)
        .output()
        .map_err(|error| Failure::new(format!("cargo did not start: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure {
        findings: vec![String::from_utf8_lossy(&output.stderr).into_owned()],
        help: "if the registry is out of reach, run `cargo fetch --locked` once where it is not".into(),
    })
}

/// Runs cargo, showing how.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, ()> {
    let line = format!("cargo {}", arguments.join(" "));
    println!("$ {line}");
    let status = cargo().args(arguments).envs(environment.iter().copied()).status();
    match status {
        Ok(status) if status.success() => Ok(line),
        _ => Err(()),
    }
}

/// The cargo that runs this, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(sources::root());
    command
}
