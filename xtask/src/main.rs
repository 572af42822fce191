//! The quality gates: `cargo xtask test` runs all of them, each subcommand runs one.
//!
//! They need Rust, git and the package registries, nothing else; the second implementation of the protocol needs a
//! Python, and the independent auditors of the ledger Go and openssl: without them those alone are skipped. Everything is built with `--release`, so that one cold build serves the
//! demo and the tests.

mod cargo;
mod fuzz;
mod gate;
mod layers;
mod licences;
mod links;
mod purity;
mod python;
mod quality;
mod shape;
mod soak;
mod sources;
mod spdx;
mod toolchain;
mod tools;
mod vectors;
mod vocabulary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::gate::Gate;

/// Checks Syndic's source: each gate alone, or all of them in order.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every gate, then the build and all tests; stops at the first failure
    Test,
    /// The long campaigns that the tests only sample: simulated rounds, crashes and chaos, fuzzing
    Soak(soak::Campaign),
    /// Coverage-guided fuzzing of every decoder and of the coordinator's state machine
    Fuzz(fuzz::Campaign),
    /// What the programs reach on real tables, against bars; writes docs/quality.md
    Quality(quality::Campaign),
    /// Formatting
    Fmt,
    /// Clippy, warnings denied
    Lint,
    /// API documentation, warnings denied
    Docs,
    /// Which crate may depend on what
    Purity,
    /// The words of CONTRIBUTING.md, in public names and documents
    Vocabulary,
    /// Links between documents
    Links,
    /// File lengths, inherited lints, and constructions that must not appear
    Shape,
    /// The Rust that `rust-version` and the README ask for, against every dependency's
    Toolchain,
    /// Licences, bans and sources of deny.toml
    Licences,
    /// Programs of others that some tests run: those that are missing are installed where that is allowed
    Tools,
    /// Programs from PyPI that some tests run, in a virtual environment below `target/`
    Python,
    /// The test vectors and the tables of docs/parameters.md, derived anew in Python
    Vectors,
}

fn main() -> ExitCode {
    let gates: &[Gate] = match Arguments::parse().command {
        Command::Test => &ALL,
        Command::Soak(campaign) => return gate::run_one("soak", || soak::run(&campaign)),
        Command::Fuzz(campaign) => return gate::run_one("fuzzing", || fuzz::run(&campaign)),
        Command::Quality(campaign) => return gate::run_one("quality", || quality::run(&campaign)),
        Command::Fmt => &[FMT],
        Command::Lint => &[LINT],
        Command::Docs => &[DOCS],
        Command::Purity => &[PURITY],
        Command::Vocabulary => &[VOCABULARY],
        Command::Links => &[LINKS],
        Command::Shape => &[SHAPE],
        Command::Toolchain => &[TOOLCHAIN],
        Command::Licences => &[LICENCES],
        Command::Tools => &[TOOLS],
        Command::Python => &[PYTHON],
        Command::Vectors => &[VECTORS],
    };
    gate::run(gates)
}

const FMT: Gate = Gate { title: "formatting", check: cargo::fmt };
const LINT: Gate = Gate { title: "clippy", check: cargo::lint };
const DOCS: Gate = Gate { title: "API documentation", check: cargo::docs };
const PURITY: Gate = Gate { title: "purity of the layers", check: purity::check };
const VOCABULARY: Gate = Gate { title: "vocabulary", check: vocabulary::check };
const LINKS: Gate = Gate { title: "links between documents", check: links::check };
const SHAPE: Gate = Gate { title: "shape of the source", check: shape::check };
const TOOLCHAIN: Gate = Gate { title: "oldest Rust", check: toolchain::check };
const LICENCES: Gate = Gate { title: "licences, bans and sources", check: licences::check };
const TOOLS: Gate = Gate { title: "programs of others", check: tools::check };
const PYTHON: Gate = Gate { title: "programs from PyPI", check: python::check };
const VECTORS: Gate = Gate { title: "test vectors, a second time", check: vectors::check };
const BUILD: Gate = Gate { title: "build", check: cargo::build };
const TESTS: Gate = Gate { title: "tests", check: cargo::test };

/// The cheap gates come first: a slip in a name is known within seconds.
const ALL: [Gate; 14] = [
    FMT, PURITY, VOCABULARY, LINKS, SHAPE, TOOLCHAIN, LICENCES, TOOLS, PYTHON, VECTORS, LINT, DOCS, BUILD,
    TESTS,
];
