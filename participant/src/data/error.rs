//! Why there is no table. Names rows by their number, never by value.

use std::path::PathBuf;

use syndic_learning::{DataFinding, DataReport};
use thiserror::Error;

/// Why there is no table. Names rows by their line in the file, never by value.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file was written to while it was read.
    #[error("{0} changed while it was read")]
    Changed(PathBuf),
    /// A column that the configuration names is not in the file.
    #[error("none of the {found} columns of {path} is `{column}`, which the configuration names")]
    NoColumn {
        /// File.
        path: PathBuf,
        /// The column, as the configuration names it. Those of the file are not told: where the header is
        /// missing they would be somebody's row.
        column: String,
        /// How many columns the file has.
        found: usize,
    },
    /// A column that the configuration names is in the file more than once.
    #[error("{path} has two columns `{column}`, which the configuration names")]
    ColumnRepeated {
        /// File.
        path: PathBuf,
        /// Column.
        column: String,
    },
    /// The rows break the contract.
    #[error(transparent)]
    Report(#[from] DataReport),
    /// Rows in memory were read under another contract.
    #[error("the rows were read under contract `{0}`, the job has another")]
    OtherContract(String),
}

impl SourceError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "data.unreadable",
            Self::Changed(_) => "data.source-changed",
            Self::NoColumn { .. } => "data.column-missing",
            Self::ColumnRepeated { .. } => "data.column-repeated",
            Self::Report(report) => report.findings.first().map_or("data.refused", DataFinding::code),
            Self::OtherContract(_) => "data.other-contract",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "check that the file exists and may be read by this service's user".into()
            }
            Self::Changed(_) => {
                "write a new file under another name and rename it when it is complete; the rows are read again".into()
            }
            Self::NoColumn { .. } => {
                "correct [data] in participant.toml, or the file, whose first line must name its columns"
                    .into()
            }
            Self::ColumnRepeated { .. } => "rename or drop one of them".into(),
            Self::Report(report) => {
                report.findings.first().map(DataFinding::help).unwrap_or_default().to_string()
            }
            Self::OtherContract(_) => "read the rows again under the job's contract".into(),
        }
    }
}
