//! The command line of `syndic score`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::model::args::ReleaseArgs;

/// Options of `syndic score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Which model.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Table: CSV, plain or gzip, with a header line, or Parquet; `-` is CSV on standard input
    #[arg(long, value_name = "FILE")]
    pub table: PathBuf,
    /// File for the scores, which must not exist; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Column that tells rows apart, copied beside each score [default: the row's line in the table]
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// In which form
    #[arg(long, default_value = "csv")]
    pub format: Format,
    /// What to do about a row that breaks the model's contract
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub on_error: OnError,
    /// Measure the scores against the table's label column
    #[arg(long)]
    pub evaluate: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// Print neither progress nor summary
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// In which form scores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header, and a line for each row
    Csv,
    /// A JSON object for each row
    Jsonl,
}

/// What to do about a row that breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// End with an error; a file is then not written
    Stop,
    /// Leave its score empty, and exit with 2 in the end
    Skip,
}

/// What `--help` adds.
pub const EXAMPLES: &str = "Examples:
  syndic score --model syndic-demo --table customers.csv --id customer_id --out scores.csv
  zcat customers.csv.gz | syndic score --model run --table - --format jsonl --on-error skip
  syndic score --model run --ledger run/ledger --key 'NAME+HASH+KEY' --table test.csv --evaluate --out scores.csv

Rows are checked against the contract inside the model; columns that it does not name are not read. Memory does not grow \
with the rows. The summary goes to standard output where the scores go to a file, and else to standard error.";
