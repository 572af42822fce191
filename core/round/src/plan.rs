//! The fixed terms of a round. A plan that breaks a rule of the protocol cannot be read from bytes, opened as a
//! round or accepted by a participant: all three go through [`RoundPlan::check`].

use alloc::vec::Vec;

use crate::carrier::Carrier;
use crate::codec::{Reader, Writer};
use crate::digest::Digest;
use crate::ids::{JobId, RoundId};
use crate::layout::{Block, Layout};
use crate::parameters::RING_DIMENSION;
use crate::protection::PlanError;
use crate::terms::{Deadlines, Guarded, Parties, PreparationTerms, text};
use crate::vector::{Coding, small_vector_elements};

/// Version of the protocol, part of every signature.
pub const PROTOCOL: &str = "KSA/1";

/// The fixed terms of one attempt at one round.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundPlan {
    /// The terms of the preparation that this attempt consumes.
    pub terms: PreparationTerms,
    /// Round and attempt.
    pub id: RoundId,
    /// SHA-256 of the question's bytes.
    pub question: Digest,
    /// What the entries of the vector are.
    pub layout: Layout,
    /// What carries the vector to its sum.
    pub carrier: Carrier,
}

impl RoundPlan {
    /// Checks the terms that [`crate::Protection`] and [`Layout`] do not check themselves.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken.
    pub fn check(&self) -> Result<(), PlanError> {
        self.terms.check()?;
        if self.id.round == 0 || self.id.attempt == 0 {
            return Err(PlanError::Number);
        }
        let is_small = || small_vector_elements(&self.layout, self.terms.protection.admitted()).is_some();
        if self.carrier == Carrier::Shares && !is_small() { Err(PlanError::Carrier) } else { Ok(()) }
    }

    /// How values become coefficients.
    pub fn coding(&self) -> Coding {
        Coding::new(self.terms.protection.parameter_set(), self.terms.protection.admitted())
    }

    /// Coefficients of each participant's vector, padding included.
    pub fn coefficients(&self) -> usize {
        self.coding().padded(&self.layout)
    }

    /// Chunks of ciphertext that each participant uploads; none where the vector is shared itself.
    pub fn chunks(&self) -> usize {
        match self.carrier {
            Carrier::Ring => self.coefficients() / RING_DIMENSION,
            Carrier::Shares => 0,
        }
    }

    /// ctx0: what every signature of this preparation is bound to (docs/protocol.md, "The round").
    pub fn context(&self) -> Digest {
        self.terms.context()
    }

    /// The digest that contributors sign: all of these terms, the question's bytes among them.
    pub fn digest(&self) -> Digest {
        Digest::of_parts("KSA/1 plan", &[&self.to_bytes()])
    }

    /// The fingerprint of the plan's question, which has this place in its job.
    pub fn question_fingerprint(&self, slot: &str) -> Digest {
        question_fingerprint(&self.terms.job, slot)
    }

    /// The plan in its one encoding. One whose vector is shared itself ends with a word that says so.
    pub fn to_bytes(&self) -> Vec<u8> {
        let w = self.terms.write_parties(Writer::new()).u32(self.id.round).u32(self.id.attempt);
        let w = self.terms.write_protection(w.u64(self.terms.number)).fixed(self.question.as_bytes());
        let w = w.list(self.layout.blocks().iter(), |w, block| {
            let w = w.bytes(block.name.as_bytes()).u32(block.len);
            w.u64(block.bound.to_bits()).u64(block.resolution.to_bits())
        });
        let w = self.terms.write_deadlines(w);
        match self.carrier {
            Carrier::Ring => w.finish(),
            Carrier::Shares => w.bytes(SHARED).finish(),
        }
    }

    /// The plan with this encoding.
    ///
    /// # Errors
    /// [`PlanError::Malformed`], or the rule that the plan breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let mut r = Reader::new(bytes);
        let plan = Self::read(&mut r)?;
        r.finish()?;
        plan.check()?;
        Ok(plan)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, PlanError> {
        let parties = Parties::read(r)?;
        let id = RoundId { round: r.u32()?, attempt: r.u32()? };
        let number = r.u64()?;
        let guarded = Guarded::read(r)?;
        let question = r.digest()?;
        let blocks = r.list(|r| {
            let name = text(r)?;
            let len = r.u32()?;
            let (bound, resolution) = (f64::from_bits(r.u64()?), f64::from_bits(r.u64()?));
            Ok(Block { name, len, bound, resolution })
        })?;
        let layout = Layout::new(blocks).map_err(|_| PlanError::Malformed)?;
        let terms = PreparationTerms::of(parties, number, guarded, Deadlines::read(r)?);
        let carrier = match r.is_empty() {
            true => Carrier::Ring,
            false if r.bytes()? == SHARED => Carrier::Shares,
            false => return Err(PlanError::Malformed),
        };
        Ok(Self { terms, id, question, layout, carrier })
    }
}

/// What makes two questions the same question, in whatever round and words they are asked: the job, and
/// the place that the question has in its program (`slot`, `statistics` or `train/3` for instance). A
/// program asks once for each place, so this is stricter than rule 11 demands.
pub fn question_fingerprint(job: &JobId, slot: &str) -> Digest {
    Digest::of_parts("KSA/1 question", &[job.as_str().as_bytes(), slot.as_bytes()])
}

/// The last word of a plan whose vector is shared itself.
const SHARED: &[u8] = b"shares";
