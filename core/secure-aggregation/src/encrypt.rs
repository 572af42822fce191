//! Encryption of an update under a one-time key, which it consumes.

use std::convert::Infallible;

use rand_core::CryptoRng;
use rayon::prelude::*;
use syndic_round::vector::Coefficients;
use syndic_round::{Digest, ParameterSet, RING_DIMENSION};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::key::OneTimeKey;
use crate::masks::Masks;
use crate::merkle;
use crate::noise::NoiseSource;
use crate::product::{KeyMultiplier, Workspace};
use crate::wire;

/// An update as it travels: chunks of 2048 coefficients, of each the top p bits.
///
/// Nobody can open it alone. Chunk j holds b_j = a_j s + Delta m_j + e_j, where a_j is the public mask, s the
/// key, Delta = 2^(64 - mu), m_j the update and e_j the Gaussian error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedUpdate {
    set: ParameterSet,
    bytes: Vec<u8>,
    root: Digest,
}

/// Bytes that are no encrypted update.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("an encrypted update of {set} is whole chunks of {chunk} bytes, not {found} bytes", set = .set.name())]
pub struct NoWholeChunks {
    set: ParameterSet,
    chunk: usize,
    found: usize,
}

impl OneTimeKey {
    /// Encrypts `update` under this key and the masks of its preparation, in the parameter set that it was
    /// quantised for.
    ///
    /// Key and update are consumed and wiped: one key, one update, since two uploads under one key give their
    /// difference away. `rng` seeds the errors. Chunks are encrypted in parallel; the result does not depend
    /// on how many threads there are.
    pub fn encrypt(
        self,
        update: impl Coefficients,
        masks: &Masks,
        rng: &mut impl CryptoRng,
    ) -> EncryptedUpdate {
        let set = update.coding().parameter_set();
        let mut bytes = Vec::with_capacity(update.chunk_count() * wire::chunk_bytes(set));
        let Ok(root) = self.encrypt_into(update, masks, rng, |chunks| {
            bytes.extend_from_slice(chunks);
            Ok::<_, Infallible>(())
        });
        EncryptedUpdate { set, bytes, root }
    }

    /// [`Self::encrypt`] piece by piece: hands whole chunks in their order to `sink`, as many at a time as fit into a
    /// megabyte, and gives the Merkle root over all of them. The ciphertext is never held as a whole, nor are the
    /// coefficients where `update` is a [`syndic_round::vector::Quantiser`].
    ///
    /// # Errors
    /// What `sink` said. The key is gone all the same, and what was handed over is no update.
    pub fn encrypt_into<E>(
        self,
        update: impl Coefficients,
        masks: &Masks,
        rng: &mut impl CryptoRng,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Digest, E> {
        let set = update.coding().parameter_set();
        let encryptor = Encryptor::new(&self, masks, set);
        let noise = NoiseSource::draw(rng);
        let chunk_bytes = wire::chunk_bytes(set);
        let mut leaves = vec![Digest([0; 32]); update.chunk_count()];
        let mut bytes = vec![0; BATCH.min(leaves.len()) * chunk_bytes];
        for (batch, leaves) in leaves.chunks_mut(BATCH).enumerate() {
            let bytes = &mut bytes[..leaves.len() * chunk_bytes];
            bytes.par_chunks_mut(chunk_bytes).zip(leaves).enumerate().for_each_init(
                || (Bench::new(), Box::new(Zeroizing::new([0; RING_DIMENSION]))),
                |(bench, messages), (position, (bytes, leaf))| {
                    let index = batch * BATCH + position;
                    update.fill(index, messages);
                    encryptor.noiseless(index, &messages[..], bench);
                    noise.add_to(&mut bench.body[..], index, set);
                    wire::truncate(&bench.body[..], bytes, set);
                    *leaf = merkle::leaf(bytes);
                },
            );
            sink(bytes)?;
        }
        Ok(merkle::root(&leaves))
    }
}

/// Chunks encrypted, or unmasked, at a time: enough to keep many threads busy, and below a megabyte.
pub(crate) const BATCH: usize = 64;

impl EncryptedUpdate {
    /// The update whose [`Self::bytes`] these are, to send again what was stored.
    ///
    /// # Errors
    /// [`NoWholeChunks`] when the length is not that of whole chunks.
    pub fn from_bytes(set: ParameterSet, bytes: Vec<u8>) -> Result<Self, NoWholeChunks> {
        let (chunk, found) = (wire::chunk_bytes(set), bytes.len());
        if found == 0 || !found.is_multiple_of(chunk) {
            return Err(NoWholeChunks { set, chunk, found });
        }
        let root = chunks_root(&bytes, set);
        Ok(Self { set, bytes, root })
    }

    /// The parameter set.
    pub fn parameter_set(&self) -> ParameterSet {
        self.set
    }

    /// All chunks in order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All chunks in order, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> usize {
        self.bytes.len() / wire::chunk_bytes(self.set)
    }

    /// Chunk `index`, from zero; none beyond the last.
    pub fn chunk(&self, index: usize) -> Option<&[u8]> {
        self.bytes.chunks_exact(wire::chunk_bytes(self.set)).nth(index)
    }

    /// The Merkle root over the chunks, for the signed header.
    pub fn root(&self) -> Digest {
        self.root
    }
}

impl NoWholeChunks {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "update.no-whole-chunks"
    }
}

/// Bytes of one chunk on the wire under `set`.
pub const fn chunk_bytes(set: ParameterSet) -> usize {
    wire::chunk_bytes(set)
}

/// The Merkle root over the chunks that make up `bytes`.
pub(crate) fn chunks_root(bytes: &[u8], set: ParameterSet) -> Digest {
    merkle::root(&chunks_leaves(bytes, set))
}

/// The Merkle leaves of the chunks that make up `bytes`.
pub(crate) fn chunks_leaves(bytes: &[u8], set: ParameterSet) -> Vec<Digest> {
    bytes.par_chunks(wire::chunk_bytes(set)).map(merkle::leaf).collect()
}

/// A key at work.
pub(crate) struct Encryptor<'a> {
    multiplier: KeyMultiplier,
    masks: &'a Masks,
    set: ParameterSet,
}

/// What one thread needs to encrypt chunks; the body is secret until the error is in it. Wiped on drop.
pub(crate) struct Bench {
    mask: Box<[u64; RING_DIMENSION]>,
    pub(crate) body: Box<Zeroizing<[u64; RING_DIMENSION]>>,
    workspace: Workspace,
}

impl<'a> Encryptor<'a> {
    pub(crate) fn new(key: &OneTimeKey, masks: &'a Masks, set: ParameterSet) -> Self {
        let mut coefficients = Zeroizing::new([0; RING_DIMENSION]);
        coefficients.iter_mut().zip(key.coefficients()).for_each(|(wide, &s)| *wide = i32::from(s));
        Self { multiplier: KeyMultiplier::new(&coefficients, &mut Workspace::new()), masks, set }
    }

    /// Leaves a s + Delta m for chunk `index` in the body of `bench`.
    pub(crate) fn noiseless(&self, index: usize, messages: &[i64], bench: &mut Bench) {
        let scale = 64 - self.set.sum_bits();
        for (body, &message) in bench.body.iter_mut().zip(messages) {
            *body = (message as u64) << scale;
        }
        self.masks.fill(index, &mut bench.mask);
        self.multiplier.add_product(&bench.mask, &mut bench.body, &mut bench.workspace);
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            mask: Box::new([0; RING_DIMENSION]),
            body: Box::new(Zeroizing::new([0; RING_DIMENSION])),
            workspace: Workspace::new(),
        }
    }
}
