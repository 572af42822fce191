//! The byte encoding of everything that is signed: fixed-width big-endian integers and length-prefixed
//! bytes, one encoding for each value, so that what was verified is what is decoded.

use alloc::vec::Vec;

use thiserror::Error;

use crate::digest::Digest;
use crate::ids::ParticipantId;

/// Writes a payload.
#[derive(Default)]
pub struct Writer(Vec<u8>);

/// Reads a payload; every read checks that the bytes are there.
pub struct Reader<'a>(&'a [u8]);

/// Bytes that are not a payload of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the payload is malformed")]
pub struct Malformed;

impl Writer {
    /// An empty payload.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty payload that is expected to grow to so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends a 16-bit integer.
    pub fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Appends a 32-bit integer.
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Appends a 64-bit integer.
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Appends a participant id.
    pub fn id(self, id: ParticipantId) -> Self {
        self.u16(id.get())
    }

    /// Appends bytes of a length that the format fixes.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// Appends the length of `bytes` as 32 bits, then `bytes`.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).expect("payload fields are far below 4 GiB")).fixed(bytes)
    }

    /// Appends the number of `items` as 32 bits, then each as `write` does.
    pub fn list<T>(self, items: impl ExactSizeIterator<Item = T>, write: impl Fn(Self, T) -> Self) -> Self {
        let counted =
            self.u32(u32::try_from(items.len()).expect("lists have at most as many items as members"));
        items.fold(counted, write)
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> Reader<'a> {
    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `payload` from its start.
    pub fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    /// A 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// A participant id; zero is malformed.
    pub fn id(&mut self) -> Result<ParticipantId, Malformed> {
        ParticipantId::new(self.u16()?).ok_or(Malformed)
    }

    /// A digest.
    pub fn digest(&mut self) -> Result<Digest, Malformed> {
        self.array().map(Digest)
    }

    /// An array of a fixed length.
    pub fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// Length-prefixed bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Length-prefixed bytes of a length that the format allows.
    pub fn bytes_where(&mut self, allowed: impl Fn(usize) -> bool) -> Result<&'a [u8], Malformed> {
        self.bytes().and_then(|bytes| if allowed(bytes.len()) { Ok(bytes) } else { Err(Malformed) })
    }

    /// A counted list; allocates no more than the payload can hold.
    pub fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
        let count = self.u32()? as usize;
        if count > self.0.len() {
            return Err(Malformed);
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// Succeeds at the end of the payload; trailing bytes are malformed.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
