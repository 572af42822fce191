//! Where an institution's rows come from: a CSV file, gzipped or not, checked against the job's contract.

mod csv_file;

use std::path::PathBuf;
use std::sync::Arc;

use syndic_learning::{Contract, DataFinding, DataReport, Table};
use thiserror::Error;

/// A source of rows.
#[derive(Clone)]
pub enum Source {
    /// A file of this host.
    File(FileSource),
    /// Rows that are in memory already.
    Loaded(Arc<Table>),
}

/// A CSV file and how to read it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// The file; `.gz` is decompressed while it is read.
    pub file: PathBuf,
    /// Which rows are put aside to measure models on; without it all rows are trained on.
    pub split: Option<Split>,
    /// Reads only rows with one of these values in a column.
    pub only: Option<Only>,
}

/// Rows put aside, by the values of one column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The column.
    pub column: String,
    /// Values of rows that only test the model.
    pub test: Vec<String>,
    /// Values of rows that choose among models.
    #[serde(default)]
    pub validation: Vec<String>,
}

/// A filter on rows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The column.
    pub column: String,
    /// Rows with one of these values are read.
    pub values: Vec<String>,
}

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

impl Source {
    /// The rows, checked against `contract`.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn load(&self, contract: &Contract) -> Result<Arc<Table>, SourceError> {
        match self {
            Self::File(source) => source.load(contract).map(Arc::new),
            Self::Loaded(table) if table.contract() == contract => Ok(table.clone()),
            Self::Loaded(table) => Err(SourceError::OtherContract(table.contract().id())),
        }
    }
}
