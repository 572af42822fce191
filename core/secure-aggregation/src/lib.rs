//! KSA/1, the encrypted sum: institutions encrypt integer vectors under one-time keys, and only the sum over a
//! certified survivor set can be opened.
//!
//! The order of things, each step a type that the next one takes (docs/protocol.md):
//!
//! 1. [`OneTimeKey::generate`], [`OneTimeKey::share`] among the cohort, each [`KeyShare`] sealed for its holder
//!    ([`KemPublic::seal`]).
//! 2. [`OneTimeKey::encrypt`] consumes the key and the quantised update: an [`EncryptedUpdate`].
//! 3. The coordinator folds updates into an [`Aggregate`].
//! 4. Each survivor reveals one [`KeyShareSum`], for a certified survivor set and never again.
//! 5. [`reconstruct`] restores the [`KeySum`] of the survivors, and [`unmask()`] takes it off the aggregate.
//!
//! Long vectors need not be held: [`OneTimeKey::encrypt_into`] makes chunks one after the other of what a
//! `syndic_round::vector::Quantiser` gives, and an [`Opener`] takes the aggregate in windows.
//!
//! A vector that needs no more room than a key is not encrypted but shared itself: [`VectorShape`].
//!
//! Nobody else can open an update: its key never leaves its participant but in shares, and only the sum of keys
//! is ever restored.
//!
//! No I/O, no clock, no randomness of its own: generators are arguments. Two modules call tfhe (Zama,
//! BSD-3-Clause-Clear; its authors ask for a patent licence for commercial use): `product` uses its Fourier
//! transform, `self_test` its encryption as the reference (`masks` follows its mask generator without
//! calling it).

mod aggregate;
mod correction;
mod encrypt;
mod field;
#[cfg(doctest)]
mod inexpressible;
mod key;
mod keystream;
mod masks;
pub mod merkle;
mod noise;
mod opening;
mod packing;
mod product;
mod reveal;
mod seal;
mod self_test;
mod sharing;
mod small;
mod spot_check;
mod subject;
mod unmask;
#[cfg(test)]
#[path = "../tests/vectors/mod.rs"]
mod vectors;
mod verification;
mod wire;

pub use aggregate::{Aggregate, FoldError};
pub use encrypt::{EncryptedUpdate, NoWholeChunks, chunk_bytes};
pub use key::OneTimeKey;
pub use masks::Masks;
pub use opening::{OpenedSum, Opener, Unopened, open};
pub use reveal::{KeyShareSum, KeySum, ReconstructError, Restored, ShareMissing, ShareSum, reconstruct};
pub use seal::{KemPublic, KemSecret, SealContext, SealError};
pub use self_test::{SelfTestError, self_test};
pub use sharing::{KeyShare, MalformedShare, Share, ShareError, Sharing, SharingContext};
pub use small::{
    OpenedVector, SmallVector, VectorError, VectorShape, VectorShare, VectorShareSum, open_vector,
};
pub use spot_check::{ChunkEvidence, ChunkProof, SpotCheckError, random_chunks};
pub use subject::{OfKey, OfVector, Subject};
pub use unmask::{UnmaskError, unmask};
pub use verification::BadShare;
