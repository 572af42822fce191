//! The command line of `syndic model ...`, and how a model is named everywhere.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::ledger::args::TrustArgs;
use crate::score::args::OnError;

/// `syndic model ...`
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Write a released model in a format that other programs run
    #[command(after_help = EXPORT)]
    Export(ExportArgs),
    /// Compare rows with those that a model was trained on
    #[command(after_help = DRIFT)]
    Drift(DriftArgs),
}

impl ModelCommand {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        match self {
            Self::Export(args) => args.json,
            Self::Drift(args) => args.json,
        }
    }
}

/// Which model, and by whose word.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Folder with `model.safetensors` and `model.json`, or the first of the two files
    #[arg(long, value_name = "PATH")]
    pub model: PathBuf,
    /// Ledger that must say that its job released this model
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Whom to believe.
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Options of `syndic model export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which model.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// In which format
    #[arg(long)]
    pub format: Format,
    /// File to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `syndic model drift`.
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Which model.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Table: CSV, plain or gzip, with a header line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub table: PathBuf,
    /// What to do about a row that breaks the model's contract
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub on_error: OnError,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Formats that other programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Open Neural Network Exchange
    Onnx,
}

const DRIFT: &str = "Examples:
  syndic model drift --model syndic-demo --table customers.csv
  syndic model drift --model run --ledger run/ledger --key 'NAME+HASH+KEY' --table customers.csv.gz --json

The card of a model whose job has a section [drift] says where the rows were that it was trained on, in bins; the table's rows \
are counted in the same bins. Nothing leaves this machine. Exit code 1 says that a column or the scores have drifted by the \
thresholds of the job.";

const EXPORT: &str = "Examples:
  syndic model export --model syndic-demo --format onnx --out model.onnx
  syndic model export --model run --ledger run/ledger --key 'NAME+HASH+KEY' --format onnx --out model.onnx

The file takes raw rows: an input of N rows and one column for each column of the contract, tensor(double) for numbers \
and tensor(string) for levels. It gives `probability` and `label`; a row that breaks the contract gets NaN and -1.";
