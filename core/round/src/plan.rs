//! The fixed terms of a round. A plan that breaks a rule of the protocol cannot be read from bytes, opened as a
//! round or accepted by a participant: all three go through [`RoundPlan::check`].

use alloc::vec::Vec;

use crate::codec::{Reader, Writer};
use crate::digest::Digest;
use crate::ids::RoundId;
use crate::layout::{Block, Layout};
use crate::protection::PlanError;
use crate::terms::{Deadlines, Guarded, Parties, PreparationTerms, text};
use crate::vector::Coding;

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
}

impl RoundPlan {
    /// Checks the terms that [`crate::Protection`] and [`Layout`] do not check themselves.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken.
    pub fn check(&self) -> Result<(), PlanError> {
        self.terms.check()?;
        if self.id.round == 0 || self.id.attempt == 0 { Err(PlanError::Number) } else { Ok(()) }
    }

    /// How values become coefficients.
    pub fn coding(&self) -> Coding {
        Coding::new(self.terms.protection.parameter_set(), self.terms.protection.admitted())
    }

    /// Coefficients that each participant submits.
    pub fn coefficients(&self) -> usize {
        self.coding().padded(&self.layout)
    }

    /// ctx0: what every signature of this preparation is bound to (docs/protocol.md, "The round").
    pub fn context(&self) -> Digest {
        self.terms.context()
    }

    /// The digest that contributors sign: all of these terms, the question's bytes among them.
    pub fn digest(&self) -> Digest {
        Digest::of_parts("KSA/1 plan", &[&self.to_bytes()])
    }

    /// What makes two questions the same question, in whatever round and words they are asked: the job, and
    /// the place that the question has in its program (`slot`, `statistics` or `train/3` for instance). A
    /// program asks once for each place, so this is stricter than rule 11 demands.
    pub fn question_fingerprint(&self, slot: &str) -> Digest {
        Digest::of_parts("KSA/1 question", &[self.terms.job.as_str().as_bytes(), slot.as_bytes()])
    }

    /// The plan in its one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let w = self.terms.write_parties(Writer::new()).u32(self.id.round).u32(self.id.attempt);
        let w = self.terms.write_protection(w.u64(self.terms.number)).fixed(self.question.as_bytes());
        let w = w.list(self.layout.blocks().iter(), |w, block| {
            let w = w.bytes(block.name.as_bytes()).u32(block.len);
            w.u64(block.bound.to_bits()).u64(block.resolution.to_bits())
        });
        self.terms.write_deadlines(w).finish()
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
        Ok(Self { terms, id, question, layout })
    }
}
