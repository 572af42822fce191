//! The ledger of a federation: an append-only, signed, verifiable log of everything that had an effect.
//!
//! An auditor needs this crate and nothing else. It is pure: no files, sockets, clocks or randomness; bytes
//! come in as arguments and go out as values.
//!
//! | module | what it is |
//! |---|---|
//! | [`entry`] | one fact as one canonical JSON object (RFC 8785) with CloudEvents names |
//! | [`time`] | RFC 3339 UTC milliseconds to and from a Unix count |
//! | [`schema`] | the entry types and the `data` keys that each requires |
//! | [`history`] | the state folded from entries; decides whether one more entry may follow |
//! | [`hash`], [`tree`], [`proof`] | RFC 6962 hashes, compact tree, inclusion and consistency proofs |
//! | [`note`], [`checkpoint`] | C2SP signed notes and the signed head of the log |
//! | [`mod@cosignature`], [`policy`] | what witnesses sign of a head, and how many of them have to |
//! | [`growth`] | whether a log continues an earlier head of it |
//! | [`fork`] | two signed heads of which neither continues the other, as evidence |
//! | [`bundle`] | one entry's proof in a file, for whoever has nothing else |
//! | [`tiles`] | the files of a log in the C2SP tlog-tiles layout |
//! | [`mod@verify`] | the offline check of such files, from signature to the last round |
//!
//! Writing and verifying share one rule: a ledger is valid exactly when [`History::accept`] takes its entries
//! one after another and the resulting root is the one that was signed.
//!
//! ```
//! # use std::{collections::BTreeMap, error::Error};
//! use syndic_ledger::{Checkpoint, Entry, History, SourceError, TileSource, Timestamp, VerifierKey, tiles, verify};
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
//! let mut history = History::new();
//! let entry = history.link(Entry {
//!     id: "01917f3c-0000-7000-8000-000000000001".into(),
//!     source: "coordinator/1".into(),
//!     kind: "syndic.job.agreed".into(),
//!     time: Timestamp::from_unix_ms(1_785_585_600_123)?,
//!     subject: Some("job/7f".into()),
//!     schema: "1".into(),
//!     round_prev: None,
//!     data: serde_json::json!({"job": "7f"}),
//! });
//! let bytes = entry.to_canonical()?;
//! let checked = history.check(&bytes)?; // ask
//! // ... make `bytes` durable ...
//! history.record(&checked)?; // then let it count
//!
//! let origin = "coordinator.example/federation";
//! let mut files = BTreeMap::new();
//! for file in tiles::files([bytes.as_slice()])? {
//!     files.insert(file.path, file.bytes);
//! }
//! files.insert("checkpoint".into(), Checkpoint::of(origin, history.tree())?.sign(&key)?.into_bytes());
//!
//! struct Folder(BTreeMap<String, Vec<u8>>);
//! impl TileSource for Folder {
//!     fn read(&self, path: &str) -> Result<Vec<u8>, SourceError> {
//!         self.0.get(path).cloned().ok_or(SourceError::Missing)
//!     }
//! }
//! let pinned = VerifierKey::new(origin, key.verifying_key())?;
//! assert_eq!(verify(&Folder(files), Some(&pinned))?.size, 1);
//! # Ok(())
//! # }
//! ```
#![no_std]

extern crate alloc;

pub mod bundle;
mod canonical;
pub mod checkpoint;
pub mod cosignature;
pub mod entry;
pub mod fork;
pub mod growth;
pub mod hash;
pub mod history;
pub mod leaves;
pub mod note;
pub mod policy;
pub mod proof;
pub mod schema;
pub mod shown;
pub mod tiles;
pub mod time;
pub mod tree;
pub mod verify;

pub use bundle::{BundleError, TlogProof};
pub use canonical::{CanonicalError, canonical};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::{CosignerKey, cosign, cosignature, cosigned_at, with_cosignature};
pub use entry::{Entry, EntryError};
pub use fork::{Convicted, Fork, ForkError, Past};
pub use growth::{Growth, GrowthError};
pub use hash::{Hash, leaf_hash, node_hash};
pub use history::{Accepted, Fault, Formed, History};
pub use leaves::Leaves;
pub use note::{NoteError, NoteKey, VerifierKey};
pub use policy::{Policy, PolicyError, Witnessed};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use schema::{SchemaError, preparation_subject, round_subject};
pub use shown::{ShownEntry, ShownError};
pub use tiles::{SourceError, TileFile, TileSource};
pub use time::{TimeError, Timestamp};
pub use tree::Tree;
pub use verify::{Summary, VerifyError, verify, verify_each};
