//! An institution's own tables, and the SQL that maps them to a contract.
//!
//! A [`Query`] is one `SELECT` over named [`Source`]s, run by DataFusion on one thread and in bounded memory; its rows stream
//! to whoever takes them, numbered from 1. Sources are files of this host, objects of an S3-compatible store, or what PostgreSQL
//! answers. What was read is told by [`SourceFiles`]: every file with the digest of its content. No error holds a value of a row
//! or a secret.
//!
//! The only crate that sees DataFusion, Arrow and Parquet, and only with the feature `sql`: without it a query is refused.

#[cfg(feature = "sql")]
mod checked;
#[cfg(feature = "sql")]
mod checked_sums;
mod csv_lines;
#[cfg(feature = "sql")]
mod csv_table;
#[cfg(feature = "sql")]
mod engine;
mod error;
mod fetch_error;
mod files;
#[cfg(feature = "sql")]
mod input;
#[cfg(feature = "sql")]
mod parquet_table;
mod query;
#[cfg(feature = "sql")]
mod remote;
#[cfg(feature = "sql")]
mod rows;
mod scratch;
mod source;
#[cfg(feature = "sql")]
mod statement;

pub use csv_lines::{CsvLines, other_separator};
pub use error::QueryError;
pub use fetch_error::FetchError;
pub use files::{FileDigest, Format, SourceFiles};
pub use query::{Query, ReadError, Rows};
pub use scratch::sweep_scratch;
pub use source::{Database, Files, Objects, Origin, Source};
