//! Phase B, coordinator's half: sealed key shares come in, one bundle of each dealer.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::course::Course;
use super::phase::too_few;
use super::preparing::Onward;
use super::{Acknowledging, Duty, Preparing};
use crate::codec::{Malformed, Reader, Writer};
use crate::cohort::Cohort;
use crate::dealing::verify_dealing;
use crate::digest::Digest;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::Signed;
use crate::rejection::Rejection;

/// Awaits the key shares of the cohort.
#[derive(Clone, Debug)]
pub struct Sharing {
    pub(super) closes_at: Timestamp,
    pub(super) cohort: Arc<Cohort>,
    dealt: BTreeMap<ParticipantId, Dealt>,
}

/// A dealer's sealed shares as they are stored: one blob, and the digest of each share in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// (recipient, SHA-256 of the sealed share), in the order of ids.
    pub shares: Vec<(ParticipantId, Digest)>,
    /// The stored blob.
    pub blob: Digest,
    /// Its length.
    pub bytes: u64,
}

/// What one dealer handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// The signed public part.
    pub public: Signed,
    /// The blob of sealed shares, a [`Bundle`] in its encoding.
    pub blob: Digest,
}

impl Bundle {
    /// Bytes that a sealed share has at most: 514 elements, a salt and the seal take 5,280, of a key and of a vector alike.
    /// What is longer is nobody's share, and would keep its recipient from receiving the others'.
    pub const LARGEST_SEALED: usize = 6 << 10;

    /// Measures a bundle's encoding.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn measure(encoding: &[u8]) -> Result<Self, Malformed> {
        let shares = Self::open(encoding)?;
        let shares = shares.iter().map(|(to, sealed)| (*to, Digest::of(sealed))).collect();
        Ok(Self { shares, blob: Digest::of(encoding), bytes: encoding.len() as u64 })
    }

    /// The one encoding of sealed shares.
    pub fn encode(shares: &[(ParticipantId, Vec<u8>)]) -> Vec<u8> {
        Writer::new().list(shares.iter(), |w, (to, sealed)| w.id(*to).bytes(sealed)).finish()
    }

    /// The sealed shares in an encoding.
    ///
    /// # Errors
    /// [`Malformed`], also where one is longer than [`Self::LARGEST_SEALED`].
    pub fn open(encoding: &[u8]) -> Result<Vec<(ParticipantId, Vec<u8>)>, Malformed> {
        let mut r = Reader::new(encoding);
        let shares = r.list(|r| {
            let (to, sealed) = (r.id()?, r.bytes()?);
            if sealed.len() <= Self::LARGEST_SEALED { Ok((to, sealed.to_vec())) } else { Err(Malformed) }
        })?;
        r.finish()?;
        Ok(shares)
    }
}

impl Sharing {
    pub(super) fn new(cohort: Arc<Cohort>, closes_at: Timestamp) -> Self {
        Self { closes_at, cohort, dealt: BTreeMap::new() }
    }

    pub(super) fn awaits(&self, id: ParticipantId) -> bool {
        self.cohort.slot_of(id).is_ok() && !self.dealt.contains_key(&id)
    }

    pub(super) fn duty(&self) -> Duty {
        Duty::Deal(self.cohort.clone())
    }

    pub(super) fn deal(
        &self,
        course: &Course,
        now: Timestamp,
        signed: &Signed,
        bundle: &Bundle,
    ) -> Result<Self, Rejection> {
        if now >= self.closes_at {
            return Err(Rejection::Late);
        }
        let dealing = verify_dealing(signed, course.terms(), &self.cohort, course.verifier())?;
        if dealing.shares != bundle.shares {
            return Err(Rejection::Mismatch("bundle of sealed shares"));
        }
        let mut next = self.clone();
        next.dealt.insert(dealing.id, Dealt { public: signed.clone(), blob: bundle.blob });
        Ok(next)
    }

    pub(super) fn close(&self, course: &Course, now: Timestamp) -> Onward {
        let needed = course.protection().threshold();
        if self.dealt.len() < usize::from(needed) {
            return Onward::Abandoned(too_few("participants shared their key", self.dealt.len(), needed));
        }
        let closes_at = now.plus_millis(course.terms().deadlines.share);
        let dealt = self.dealt.values().cloned().collect();
        let next = Acknowledging::new(self.cohort.clone(), dealt, closes_at);
        Onward::Preparing(Preparing::Acknowledging(next))
    }
}
