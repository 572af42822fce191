//! The coordinator's blobs: bytes by their digest, read back as they were stored or not at all.

use std::collections::BTreeMap;

use syndic_round::Digest;

use crate::scenario::TornBlob;

/// Stored blobs, of which one may be damaged on the disk.
#[derive(Default)]
pub(crate) struct Blobs {
    stored: BTreeMap<Digest, Vec<u8>>,
    received: u32,
    torn: Option<TornBlob>,
    damaged: Option<Digest>,
}

/// A blob that no longer has the digest it is named by.
pub(crate) struct Torn;

impl Blobs {
    pub(crate) fn new(torn: Option<TornBlob>) -> Self {
        Self { torn, ..Self::default() }
    }

    /// Stores what the coordinator made itself.
    pub(crate) fn put(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.stored.insert(digest, bytes);
        digest
    }

    /// Stores what a participant sent: shares or an update. The one whose turn it is is torn as it is written.
    pub(crate) fn receive(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        if self.stored.contains_key(&digest) {
            return digest;
        }
        self.stored.insert(digest, bytes);
        self.received += 1;
        if self.torn.is_some_and(|torn| torn.blob == self.received) {
            self.damaged = Some(digest);
            self.stored.entry(digest).and_modify(|bytes| bytes[TORN_AT] ^= 1);
        }
        digest
    }

    /// The blob, verified.
    pub(crate) fn read(&self, digest: Digest) -> Result<&[u8], Torn> {
        let bytes = self.stored.get(&digest).expect("what is on record is stored");
        if Digest::of(bytes) == digest { Ok(bytes) } else { Err(Torn) }
    }

    /// The operator puts the damaged blob back from a copy.
    pub(crate) fn mend(&mut self) {
        if let Some(bytes) = self.damaged.take().and_then(|digest| self.stored.get_mut(&digest)) {
            bytes[TORN_AT] ^= 1;
        }
    }
}

/// Past the canaries, so that nothing but the digest tells of the damage.
const TORN_AT: usize = 100;
