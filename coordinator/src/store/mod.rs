//! Where the coordinator keeps what must outlive it: one trait per promise, and the embedded implementation.
//!
//! | promise | trait | embedded |
//! |---|---|---|
//! | append if the head is what I saw; read a range | [`Log`] | [`SqliteLog`]: one SQLite file, write-ahead log, synchronous FULL |
//! | complete or absent under its SHA-256 name | [`Blobs`] | [`FolderBlobs`]: one file per blob |
//!
//! The log is the only truth: no table beside it holds state, a round is the fold of its entries. A blob
//! that no entry names has no meaning and may be removed. Everything is durable when the call returns, so
//! that whoever was answered can rely on it.
//!
//! [`export`] writes a log as a folder that anyone can verify without this software.

mod blobs;
#[cfg(test)]
mod conformance;
mod durable;
mod error;
pub mod export;
mod folder;
mod log;
mod sqlite;

pub use blobs::{BlobReader, BlobWriter, Blobs, CHUNK_BYTES};
pub use durable::{create_folder, write_file};
pub use error::StoreError;
pub use folder::FolderBlobs;
pub use log::Log;
pub use sqlite::SqliteLog;
