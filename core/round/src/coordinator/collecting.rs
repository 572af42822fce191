//! Phase D, coordinator's half: complete uploads are counted, then the survivor set is frozen, once.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::phase::too_few;
use super::{Certifying, Duty, Phase, Prepared, Round, Upload};
use crate::carrier::Carrier;
use crate::cohort::Cohort;
use crate::ids::{ParticipantId, Timestamp};
use crate::message::{Header, Signed, Verified};
use crate::rejection::Rejection;
use crate::survivors::{SurvivorSet, verify_header};

/// Awaits the updates of the eligible.
#[derive(Clone, Debug)]
pub struct Collecting {
    pub(super) closes_at: Timestamp,
    prepared: Prepared,
    submitted: BTreeMap<ParticipantId, Submitted>,
}

/// An update that is in.
#[derive(Clone, Debug)]
struct Submitted {
    header: Verified<Header>,
    upload: Upload,
}

/// An update that counts: its signed header and the stored ciphertext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The signed header.
    pub header: Signed,
    /// The ciphertext as it was received.
    pub upload: Upload,
}

impl Collecting {
    pub(super) fn new(prepared: Prepared, closes_at: Timestamp) -> Self {
        Self { closes_at, prepared, submitted: BTreeMap::new() }
    }

    pub(super) fn cohort(&self) -> &Cohort {
        &self.prepared.cohort
    }

    pub(super) fn awaits(&self, id: ParticipantId) -> bool {
        self.prepared.eligible.binary_search(&id).is_ok() && !self.submitted.contains_key(&id)
    }

    pub(super) fn duty(&self) -> Duty {
        Duty::Submit(self.prepared.acks.signed().to_vec())
    }

    pub(super) fn submit(
        &self,
        round: &Round,
        now: Timestamp,
        signed: &Signed,
        upload: &Upload,
    ) -> Result<Phase, Rejection> {
        let verified = self.header(round, now, signed)?;
        let header = verified.payload();
        if header.root != upload.root || header.chunks != upload.chunks {
            return Err(Rejection::Mismatch("ciphertext"));
        }
        let mut next = self.clone();
        next.submitted.insert(header.id, Submitted { header: verified, upload: *upload });
        Ok(Phase::Collecting(next))
    }

    /// Verifies a header by itself, before its upload is there.
    pub(super) fn header(
        &self,
        round: &Round,
        now: Timestamp,
        signed: &Signed,
    ) -> Result<Verified<Header>, Rejection> {
        if now >= self.closes_at {
            return Err(Rejection::Late);
        }
        let header = verify_header(signed, round.plan(), self.cohort(), round.verifier())?;
        let Ok(position) = self.prepared.eligible.binary_search(&signed.from) else {
            return Err(Rejection::NotEligible(signed.from));
        };
        // An update that was shared itself is what its header is about.
        let root = header.payload().root;
        if round.plan().carrier == Carrier::Shares && root != self.prepared.dealings[position] {
            return Err(Rejection::Mismatch("public part of a dealer"));
        }
        Ok(header)
    }

    pub(super) fn close(&self, round: &Round, now: Timestamp) -> Phase {
        let needed = round.protection().min_survivors();
        let survivors = self.revealable(round.protection().threshold());
        let headers = survivors.iter().map(|submitted| submitted.header.clone()).collect();
        match SurvivorSet::of(round.plan(), self.cohort(), headers) {
            Ok(set) => {
                let survivors = survivors.into_iter().map(Submission::from).collect();
                let closes_at = now.plus_millis(round.plan().terms.deadlines.certify);
                Phase::Certifying(Certifying::new(
                    self.prepared.cohort.clone(),
                    Arc::new(set),
                    survivors,
                    closes_at,
                ))
            }
            // Every header was verified when it came in, so the set can only be too small.
            Err(_) => Phase::Abandoned(too_few("participants submitted an update", survivors.len(), needed)),
        }
    }

    /// The submissions whose keys at least `threshold` members can reveal together: while they are fewer,
    /// the dealer with the most complaints goes, the highest id among equals.
    fn revealable(&self, threshold: u16) -> Vec<Submitted> {
        let mut survivors = self.submitted.clone();
        loop {
            let ids: Vec<_> = survivors.keys().copied().collect();
            if ids.is_empty() || self.prepared.acks.holders_of(&ids) >= usize::from(threshold) {
                return survivors.into_values().collect();
            }
            if let Some(worst) = ids.iter().max_by_key(|id| (self.prepared.acks.complaints(**id), **id)) {
                survivors.remove(worst);
            }
        }
    }
}

impl From<Submitted> for Submission {
    fn from(Submitted { header, upload }: Submitted) -> Self {
        Self { header: header.signed().clone(), upload }
    }
}
