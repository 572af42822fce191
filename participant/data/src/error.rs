//! Why a query gives no rows. No message holds a value of a row, and none a column's name that is not in the query.

use std::path::PathBuf;

use thiserror::Error;

use crate::FetchError;

/// Why a query gives no rows.
#[derive(Clone, Debug, Error)]
pub enum QueryError {
    /// A file or folder cannot be opened or read.
    #[error("cannot read {path} of source `{source}`: {reason}")]
    Unreadable {
        /// The source.
        r#source: String,
        /// File or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No file has the source's format or fits its pattern.
    #[error("no file of source `{source}` is at {path}")]
    NoFiles {
        /// The source.
        r#source: String,
        /// Folder or pattern.
        path: PathBuf,
    },
    /// A file is not what its format says.
    #[error("{path} of source `{source}` {what}")]
    Malformed {
        /// The source.
        r#source: String,
        /// File.
        path: PathBuf,
        /// What is wrong, with the line where there are lines.
        what: String,
    },
    /// A line of a CSV file has another number of cells than the header.
    #[error("line {line} of {path} of source `{source}` does not have the {cells} cells of the header")]
    RowWidth {
        /// The source.
        r#source: String,
        /// File.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Cells in the header.
        cells: usize,
    },
    /// The files were written to while they were read.
    #[error("the files of source `{0}` changed while they were read")]
    Changed(String),
    /// The rows of a source that is elsewhere do not arrive.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The text is no SQL.
    #[error("the query is no SQL{0}")]
    Syntax(String),
    /// Something else than one SELECT.
    #[error("the query is not one SELECT")]
    NotSelect,
    /// It reads from something that is no source.
    #[error("the query reads from `{0}`, which is none of [data.sources]")]
    UnknownSource(String),
    /// It names a column that no source has.
    #[error("the query names a column `{0}` that its sources do not have")]
    UnknownColumn(String),
    /// It calls a function whose answer is another one each time.
    #[error("the query calls `{0}`, which gives another answer each time")]
    NotRepeatable(String),
    /// It cannot be planned.
    #[error("the query cannot be planned{0}")]
    Plan(String),
    /// A column of its result has a type that is neither number, text nor yes or no.
    #[error("column {position} of the query's result has the type {kind}")]
    ColumnType {
        /// Counted from 1.
        position: usize,
        /// Its type.
        kind: String,
    },
    /// It needs more memory than it may have.
    #[error("the query needs more than the {0} MB of memory that it may use")]
    Memory(u64),
    /// A value could not be converted or computed with.
    #[error("the query met a value that it could not convert or compute with")]
    Value,
    /// The result of an operation on whole numbers does not fit their type.
    #[error("the query computes a whole number that its type does not hold")]
    Overflow,
    /// A file broke off, or is not what its own description says.
    #[error("a Parquet file of the query's sources is damaged")]
    Damaged,
    /// The program was built without DataFusion.
    #[error("this program was built without SQL")]
    NoSql,
    /// The session could not be set up.
    #[error("the query engine does not start: {0}")]
    Engine(String),
}

impl QueryError {
    #[cfg(feature = "sql")]
    pub(crate) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine(error.to_string())
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "data.unreadable",
            Self::NoFiles { .. } => "data.source-empty",
            Self::Malformed { .. } => "data.source-malformed",
            Self::RowWidth { .. } => "data.row-width",
            Self::Changed(_) => "data.source-changed",
            Self::Fetch(error) => error.code(),
            Self::Syntax(_) => "data.query-syntax",
            Self::NotSelect => "data.query-not-select",
            Self::UnknownSource(_) => "data.source-unknown",
            Self::UnknownColumn(_) => "data.query-column",
            Self::NotRepeatable(_) => "data.query-not-repeatable",
            Self::Plan(_) => "data.query-plan",
            Self::ColumnType { .. } => "data.column-type",
            Self::Memory(_) => "data.query-memory",
            Self::Value => "data.query-value",
            Self::Overflow => "data.query-overflow",
            Self::Damaged => "data.source-damaged",
            Self::NoSql => "data.no-sql",
            Self::Engine(_) => "data.query-engine",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check that it exists and may be read by this service's user",
            Self::NoFiles { .. } => {
                "correct `path` or `url`: a file, a folder whose files end as the format says, or a name with * in it"
            }
            Self::Malformed { .. } => "write the file again, or correct `format` of its source",
            Self::RowWidth { .. } => {
                "give every row as many cells as the header has; look for unquoted separators"
            }
            Self::Changed(_) => {
                "write new files under another name and rename them when they are complete; the rows are read again"
            }
            Self::Fetch(error) => error.help(),
            Self::Syntax(_) => "correct `query` in participant.toml; docs/data.md has examples",
            Self::NotSelect => "write one SELECT over the sources: it reads, and writes or sets nothing",
            Self::UnknownSource(_) => {
                "name the file as a source in [data.sources], and read from it by that name"
            }
            Self::UnknownColumn(_) => {
                "correct the name, or write it in double quotes: without, capital letters do not count"
            }
            Self::NotRepeatable(_) => {
                "write a fixed value instead: the rows must be the same whenever the job reads them"
            }
            Self::Plan(_) => {
                "correct `query` in participant.toml; columns of CSV are text, so CAST them to compute"
            }
            Self::ColumnType { .. } => "CAST it to a number or to VARCHAR in the SELECT",
            Self::Memory(_) => "raise `memory_mb`, or sort, join and group fewer rows and columns",
            Self::Value => {
                "use TRY_CAST and NULLIF: what they cannot convert becomes an empty cell, which is reported with its row"
            }
            Self::Overflow => "CAST an operand to DOUBLE, or an INT to BIGINT, before it is computed with",
            Self::Damaged => "write the files again; another program that reads them tells which it is",
            Self::NoSql => "use `syndic-participant` as it is released, or build it with the feature `sql`",
            Self::Engine(_) => "check that the state folder can be written",
        }
    }
}
