//! Why there is no table. Names rows by their number, never by value.

use std::path::PathBuf;

use syndic_data::QueryError;
use syndic_learning::{DataFinding, DataReport};
use thiserror::Error;

/// Why there is no table. Names rows by their line in the file, or their number in the query's result, never by value.
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
    /// The configuration has no query for the job's contract.
    #[error("[data.contracts] has no query for contract {0}")]
    NoQuery(String),
    /// The query gives no rows.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The query does not return what the contract requires.
    #[error("the query returns no column {} that contract {contract} requires", listed(.columns))]
    NotReturned {
        /// The columns that are missing.
        columns: Vec<String>,
        /// The contract's id.
        contract: String,
    },
    /// The query does not return a column that its own section of the configuration names.
    #[error("the query returns no column `{0}`, which the configuration names for its split or consent")]
    NotReturnedRule(String),
    /// The rows take more memory than the configuration grants them.
    #[error("the first {rows} rows of the query take more than the {table_mb} MB that they may")]
    TooLarge {
        /// Rows until then.
        rows: u64,
        /// The most megabytes.
        table_mb: u64,
    },
    /// The file is no table of comma-separated values.
    #[error("{path} is separated by {separator}, not by commas")]
    OtherSeparator {
        /// File.
        path: PathBuf,
        /// What stands between its columns.
        separator: &'static str,
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
            Self::NoColumn { .. } | Self::NotReturned { .. } | Self::NotReturnedRule(_) => {
                "data.column-missing"
            }
            Self::ColumnRepeated { .. } => "data.column-repeated",
            Self::NoQuery(_) => "data.no-query",
            Self::TooLarge { .. } => "data.too-large",
            Self::OtherSeparator { .. } => "data.separator",
            Self::Query(error) => error.code(),
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
            Self::NoQuery(contract) => {
                format!("add [data.contracts.\"{contract}\"] with a `query` to participant.toml")
            }
            Self::Query(error) => error.help().into(),
            Self::TooLarge { .. } => {
                "select fewer rows, or raise `table_mb`: docs/data.md says how much memory rows take".into()
            }
            Self::OtherSeparator { .. } => "write it with commas between the columns, and a point in numbers".into(),
            Self::NotReturned { columns, .. } => {
                let column = columns.first().map_or("", String::as_str);
                format!("add it to the SELECT, or map it: `SELECT own_column AS {column}, ...`")
            }
            Self::NotReturnedRule(_) => "add it to the SELECT, or correct the name in participant.toml".into(),
            Self::Report(report) => {
                report.findings.first().map(DataFinding::help).unwrap_or_default().to_string()
            }
            Self::OtherContract(_) => "read the rows again under the job's contract".into(),
        }
    }
}

fn listed(columns: &[String]) -> String {
    let quoted: Vec<_> = columns.iter().map(|column| format!("`{column}`")).collect();
    quoted.join(", ")
}
