//! The shape of the source: files that a person can hold in mind, manifests that keep the workspace's lints, and
//! constructions that must not appear.

use crate::gate::Failure;
use crate::sources::{self, Source};

/// Checks every Rust file, manifest and document of the workspace.
pub(crate) fn check() -> Result<String, Failure> {
    let sources = sources::with_extensions(&["rs", "toml", "md"])?;
    let findings = sources.iter().flat_map(findings_in).collect();
    let passed = format!("{} files, none of Rust over {LONGEST_FILE} lines", sources.len());
    Failure::unless_empty(
        findings,
        passed,
        "split a long file by reason to change; the others say why themselves",
    )
}

fn findings_in(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = source.text.lines().count();
    if lines > LONGEST_FILE && source.path.ends_with(".rs") {
        findings.push(format!("{}: {lines} lines, at most {LONGEST_FILE}", source.path));
    }
    if source.path.ends_with("/Cargo.toml") && !source.text.contains(INHERITED) {
        findings.push(format!("{}: it leaves the workspace's lints, `unsafe_code` among them", source.path));
    }
    // This file has to name what it forbids.
    if source.path == "xtask/src/shape.rs" {
        return findings;
    }
    let in_rust: &[(&str, &str)] = if source.path.ends_with(".rs") { &FORBIDDEN_IN_RUST } else { &[] };
    for (number, line) in source.text.lines().enumerate() {
        for (word, reason) in in_rust.iter().chain(&UNFINISHED) {
            if line.contains(word) {
                findings.push(format!("{}:{}: `{word}`: {reason}", source.path, number + 1));
            }
        }
    }
    findings
}

const LONGEST_FILE: usize = 500;

/// What the manifest of every member says.
const INHERITED: &str = "[lints]\nworkspace = true\n";

const FORBIDDEN_IN_RUST: [(&str, &str); 3] = [
    (
        "generate_new_binary",
        "keys are Gaussian; the sum of binary keys gives them away (docs/protocol.md, \"Keys\")",
    ),
    ("danger_accept_invalid", "certificates are always verified"),
    ("todo!(", "finish it, or leave it out"),
];

/// Marks that somebody meant to come back to, in any file.
const UNFINISHED: [(&str, &str); 2] = [
    ("PLACEHOLDER", "say what it is"),
    ("MEASURE:", "measure it and write the number, or leave the sentence out"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "core/x/src/lib.rs".into(), text: text.into() }
    }

    #[test]
    fn a_file_of_501_lines_is_too_long() {
        assert_eq!(findings_in(&source(&"\n".repeat(500))), Vec::<String>::new());
        assert_eq!(findings_in(&source(&"\n".repeat(501))).len(), 1);
    }

    #[test]
    fn a_member_that_leaves_the_workspaces_lints_is_found() {
        let manifest = |path: &str, text: &str| findings_in(&Source { path: path.into(), text: text.into() });
        assert_eq!(manifest("core/x/Cargo.toml", "[lints]\nworkspace = true\n"), Vec::<String>::new());
        assert_eq!(manifest("core/x/Cargo.toml", "[package]\n").len(), 1);
        assert_eq!(manifest("Cargo.toml", "[workspace]\n"), Vec::<String>::new(), "the root gives them");
    }

    #[test]
    fn an_unmeasured_figure_is_found_in_a_document() {
        let text = "It takes MEASURE: seconds, and `generate_new_binary` is spoken of.\n";
        let document = Source { path: "README.md".into(), text: text.into() };
        assert_eq!(findings_in(&document).len(), 1);
    }

    #[test]
    fn a_binary_key_is_found_with_its_line() {
        let findings =
            findings_in(&source("//! x\nlet key = GlweSecretKey::generate_new_binary(d, n, g);\n"));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("core/x/src/lib.rs:2: `generate_new_binary`"), "{findings:?}");
    }
}
