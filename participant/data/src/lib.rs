//! An institution's own files, and the SQL that maps them to a contract.
//!
//! A [`Query`] is one `SELECT` over named [`Source`]s, run by DataFusion on one thread and in bounded memory; its rows stream
//! to whoever takes them, numbered from 1. What was read is told by [`SourceFiles`]: every file with the digest of its content.
//! No error holds a value of a row.
//!
//! The only crate that sees DataFusion, Arrow and Parquet, and only with the feature `sql`: without it a query is refused.

mod csv_lines;
#[cfg(feature = "sql")]
mod csv_table;
#[cfg(feature = "sql")]
mod engine;
mod error;
mod files;
#[cfg(feature = "sql")]
mod parquet_table;
mod query;
#[cfg(feature = "sql")]
mod rows;
#[cfg(feature = "sql")]
mod statement;

pub use csv_lines::{CsvLines, other_separator};
pub use error::QueryError;
pub use files::{FileDigest, Format, Source, SourceFiles};
pub use query::{Query, ReadError, Rows};
