//! `syndic model export`.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use syndic_learning::onnx::{self, Exported};

use super::args::{ExportArgs, Format};
use super::released::Released;
use crate::commands::print;
use crate::words::{bytes, listed, plain};
use crate::{Error, Result, new_file};

/// Writes the model in the format, and says what the file takes and gives.
///
/// # Errors
/// A model that cannot be loaded or is not the ledger's; a file that exists or cannot be written.
pub fn run(args: &ExportArgs) -> Result<()> {
    let released = Released::open(&args.release)?;
    let exported = match args.format {
        Format::Onnx => onnx::export(&released.model, &released.card, env!("CARGO_PKG_VERSION")),
    };
    let exported =
        exported.map_err(|error| Error::input(error.code(), error.to_string()).help(error.help()))?;
    new_file::write_with(&args.out, |file| Ok(file.write_all(&exported.bytes)?))?;
    print(&if args.json {
        to_json(args, &released, &exported) + "\n"
    } else {
        render(args, &released, &exported)
    })
}

fn to_json(args: &ExportArgs, released: &Released, exported: &Exported) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        out: String,
        format: &'static str,
        bytes: usize,
        sha256: String,
        program: &'a str,
        contract: String,
        job: Option<&'a str>,
        weights_digest: String,
        ledger_entry: Option<u64>,
        inputs: Vec<Input<'a>>,
        outputs: &'a [String],
    }
    #[derive(Serialize)]
    struct Input<'a> {
        name: &'a str,
        element: &'static str,
    }
    let inputs = exported.inputs.iter().map(|(name, element)| Input { name, element });
    let line = Line {
        out: args.out.display().to_string(),
        format: "onnx",
        bytes: exported.bytes.len(),
        sha256: hex::encode(Sha256::digest(&exported.bytes)),
        program: &released.card.program,
        contract: released.card.contract.id(),
        job: released.job(),
        weights_digest: released.card.weights_digest.to_string(),
        ledger_entry: released.recorded.map(|recorded| recorded.entry),
        inputs: inputs.collect(),
        outputs: &exported.outputs,
    };
    serde_json::to_string(&line).expect("strings and numbers serialise")
}

fn render(args: &ExportArgs, released: &Released, exported: &Exported) -> String {
    let size = bytes(exported.bytes.len() as u64);
    let mut text = format!("wrote {}, {size}\n{}\n", args.out.display(), plain(&released.told()));
    let columns = |wanted: &str| exported.inputs.iter().filter(|(_, element)| *element == wanted).count();
    let _ = writeln!(
        text,
        "takes {} inputs of N x 1: {} tensor(double), {} tensor(string); gives {}",
        exported.inputs.len(),
        columns("double"),
        columns("string"),
        listed(&exported.outputs),
    );
    text
}
