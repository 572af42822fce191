//! Tests of queries, in one program: each that is linked has all of DataFusion in it. Peak memory is measured in a program of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod mapping;
mod parquet_files;
mod queries;
mod sources;
