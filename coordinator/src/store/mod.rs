//! Where the coordinator keeps what must outlive it: one trait per promise, an embedded implementation of each, and one
//! for a federation that has outgrown a single host.
//!
//! | promise | trait | embedded | grown |
//! |---|---|---|---|
//! | append if the head is what I saw; read a range | [`Log`] | [`SqliteLog`]: one SQLite file, write-ahead log, synchronous FULL | [`PostgresLog`]: a schema in PostgreSQL |
//! | one holder at a time, each with a later epoch | [`Leases`] | the same | the same |
//! | complete or absent under its SHA-256 name | [`Blobs`] | [`FolderBlobs`]: one file per blob | [`ObjectBlobs`]: an object per blob in an S3-compatible store |
//! | the newest word of each witness | [`Cosignatures`] | [`FolderCosignatures`]: one file per witness | [`PostgresLog`] |
//!
//! The log is the only truth: no table beside it holds state, a round is the fold of its entries. A blob
//! that no entry names has no meaning and may be removed. Everything is durable when the call returns, so
//! that whoever was answered can rely on it. Leases are kept with the log, so that an append looks at the lease that it
//! is made under in the transaction that appends.
//!
//! [`export`] writes a log as a folder that anyone can verify without this software.

mod begun;
mod blobs;
pub mod config;
#[cfg(test)]
mod conformance;
mod cosignatures;
mod durable;
mod error;
pub mod export;
mod folder;
mod leases;
mod log;
pub mod migration;
mod object;
mod opening;
mod postgres;
mod replica;
#[cfg(test)]
#[path = "../../tests/servers/mod.rs"]
mod servers;
mod sqlite;
mod standing;
mod tenure;
mod unfinished;

pub use begun::{Begun, Held, NotAName, Resumed, UploadName};
pub use blobs::{BlobReader, BlobWriter, Blobs, CHUNK_BYTES, StoredBlob};
pub(crate) use blobs::{all_aside, all_stored};
pub use cosignatures::{Cosignature, Cosignatures, FolderCosignatures};
pub use durable::{create_folder, write_file};
pub use error::StoreError;
pub use folder::FolderBlobs;
pub use leases::{Holding, Lease, Leases, Stirs};
pub use log::Log;
pub use object::{BadBucket, ObjectBlobs, S3Address, S3Credentials};
pub use opening::{Hold, Store};
pub use postgres::{BadAddress, PostgresAddress, PostgresLog};
pub use replica::Replica;
pub use sqlite::SqliteLog;
pub use standing::{Movable, Standing};
pub use tenure::{FolderLock, HeldLog, Tenure};
