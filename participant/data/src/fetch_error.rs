//! Why the rows of a source do not arrive that is not on this host. No message holds a password, a key or a value of a row; what a
//! server says in its own words is not passed on, since it may quote one.

use std::path::PathBuf;

use thiserror::Error;

/// Why rows do not arrive.
#[derive(Clone, Debug, Error)]
pub enum FetchError {
    /// The address cannot be used.
    #[error("source `{source}` cannot be read: {reason}")]
    Address {
        /// The source.
        r#source: String,
        /// Why.
        reason: &'static str,
    },
    /// The file with a password or with keys cannot be used.
    #[error("cannot use {path} of source `{source}`: {reason}")]
    Secret {
        /// The source.
        r#source: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nobody answers there, or not to the end.
    #[error("source `{source}` does not arrive from {place}: {reason}")]
    Unreachable {
        /// The source.
        r#source: String,
        /// The server.
        place: String,
        /// Why.
        reason: String,
    },
    /// The server does not let us.
    #[error("{place} does not let source `{source}` be read: {reason}")]
    Denied {
        /// The source.
        r#source: String,
        /// The server.
        place: String,
        /// Why.
        reason: String,
    },
    /// PostgreSQL does not answer the source's query.
    #[error("PostgreSQL refuses the query of source `{source}`: {reason}")]
    Query {
        /// The source.
        r#source: String,
        /// Why, by its code.
        reason: String,
    },
    /// A column has a type that is neither number, text, time nor yes or no.
    #[error("column `{column}` of source `{source}` has the type {kind}")]
    ColumnType {
        /// The source.
        r#source: String,
        /// The column.
        column: String,
        /// Its type.
        kind: String,
    },
    /// A number has more digits than can be computed with, or is beyond the range of those that can.
    #[error(
        "row {row} of source `{source}` has a number of more than 15 digits, or too large or small, in column `{column}`"
    )]
    Digits {
        /// The source.
        r#source: String,
        /// The column.
        column: String,
        /// Counted from 1.
        row: u64,
    },
    /// There is more of it than may be copied.
    #[error("source `{source}` has more than the {max_mb} MB that may be copied")]
    TooLarge {
        /// The source.
        r#source: String,
        /// The most megabytes.
        max_mb: u64,
    },
}

impl FetchError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "data.source-address",
            Self::Secret { .. } => "data.source-credentials",
            Self::Unreachable { .. } => "data.source-unreachable",
            Self::Denied { .. } => "data.source-denied",
            Self::Query { .. } => "data.source-query",
            Self::ColumnType { .. } => "data.source-column-type",
            Self::Digits { .. } => "data.source-digits",
            Self::TooLarge { .. } => "data.source-too-large",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Address { .. } => "correct the source in participant.toml",
            Self::Secret { .. } => {
                "name a file of the form that docs/data.md says and that this service may read; one with a password or keys closed to others: \
                 chmod 600"
            }
            Self::Unreachable { .. } => {
                "check that the server runs and that this host reaches it; the rows are read again when they are asked for"
            }
            Self::Denied { .. } => {
                "check user, password or keys, and that they may read what the source names"
            }
            Self::Query { .. } => "try the source's `query` with psql, as the same user",
            Self::ColumnType { .. } => "cast it in the source's `query`, as in `tags::text`, or leave it out",
            Self::Digits { .. } => {
                "cast it in the source's `query`: `::bigint` or `::text` keeps all digits, `::float8` rounds"
            }
            Self::TooLarge { .. } => {
                "select less, or raise `max_mb` of the source: it is disk space in `state`"
            }
        }
    }

    /// Whether it is no mistake of the configuration but of the world around.
    pub fn is_of_the_world(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Unreachable { .. } | Self::Denied { .. })
    }
}
