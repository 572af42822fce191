//! What a gate is, and how gates run: in order, under a heading each, until one fails.

use std::process::ExitCode;
use std::time::Instant;

/// One check of the source.
pub(crate) struct Gate {
    /// The heading it runs under.
    pub(crate) title: &'static str,
    /// The check: a closing remark when it passes.
    pub(crate) check: fn() -> Result<String, Failure>,
}

/// Why a gate failed, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What was found, a line each; empty when a tool has printed it already.
    pub(crate) findings: Vec<String>,
    /// What to do next.
    pub(crate) help: String,
}

impl Failure {
    /// A failure with nothing to list.
    pub(crate) fn new(help: impl Into<String>) -> Self {
        Self { findings: Vec::new(), help: help.into() }
    }

    /// Success when nothing was found.
    pub(crate) fn unless_empty(findings: Vec<String>, passed: String, help: &str) -> Result<String, Self> {
        if findings.is_empty() { Ok(passed) } else { Err(Self { findings, help: help.to_owned() }) }
    }
}

/// Runs the gates until one fails.
pub(crate) fn run(gates: &[Gate]) -> ExitCode {
    for (position, gate) in gates.iter().enumerate() {
        println!("\n== {} of {}: {}", position + 1, gates.len(), gate.title);
        let started = Instant::now();
        if !concluded(gate.title, started, (gate.check)()) {
            return ExitCode::FAILURE;
        }
    }
    if gates.len() > 1 {
        println!("\nAll {} gates passed.", gates.len());
    }
    ExitCode::SUCCESS
}

/// Runs one check that has arguments of its own, with the same words at its end.
pub(crate) fn run_one(title: &str, check: impl FnOnce() -> Result<String, Failure>) -> ExitCode {
    let started = Instant::now();
    if concluded(title, started, check()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn concluded(title: &str, started: Instant, outcome: Result<String, Failure>) -> bool {
    match outcome {
        Ok(remark) => println!("ok   {title} ({:.0} s): {remark}", started.elapsed().as_secs_f64()),
        Err(failure) => {
            for finding in &failure.findings {
                eprintln!("  {finding}");
            }
            eprintln!("FAILED {title}");
            eprintln!("  help: {}", failure.help);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_make_a_failure_and_none_make_a_pass() {
        assert_eq!(Failure::unless_empty(Vec::new(), "fine".into(), "mend it"), Ok("fine".into()));
        let failed = Failure::unless_empty(vec!["a".into()], "fine".into(), "mend it").unwrap_err();
        assert_eq!(failed, Failure { findings: vec!["a".into()], help: "mend it".into() });
    }
}
