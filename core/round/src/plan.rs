//! The fixed terms of a round. A plan that breaks a rule of the protocol cannot be read from bytes, opened as a
//! round or accepted by a participant: all three go through [`RoundPlan::checked`].

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{Malformed, Reader, Writer};
use crate::digest::Digest;
use crate::ids::{JobId, ParticipantId, RoundId};
use crate::layout::{Block, Layout};
use crate::parameters::ParameterSet;
use crate::protection::{PlanError, Protection};
use crate::vector::Coding;

/// Version of the protocol, part of every signature.
pub const PROTOCOL: &str = "KSA/1";

/// How long each phase may take, in milliseconds from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Advertising one-time keys.
    pub advertise: u64,
    /// Sharing keys; acknowledging the shares has as long again.
    pub share: u64,
    /// Submitting updates, training included.
    pub collect: u64,
    /// Signing the survivor set.
    pub certify: u64,
    /// Revealing sums of shares.
    pub reveal: u64,
}

/// The fixed terms of one attempt at one round.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundPlan {
    /// Federation.
    pub federation: String,
    /// Digest of its roster.
    pub roster: Digest,
    /// Job.
    pub job: JobId,
    /// Digest of the job as it was agreed.
    pub agreement: Digest,
    /// Round and attempt.
    pub id: RoundId,
    /// Number of the preparation that this attempt consumes; strictly increasing within the job.
    pub preparation: u64,
    /// Who may open what.
    pub protection: Protection,
    /// The institutions admitted to the job, in the order of ids.
    pub admitted: Vec<ParticipantId>,
    /// SHA-256 of the question's bytes.
    pub question: Digest,
    /// What the entries of the vector are.
    pub layout: Layout,
    /// How long phases may take.
    pub deadlines: Deadlines,
}

impl RoundPlan {
    /// Checks the terms that [`Protection`] and [`Layout`] do not check themselves.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken.
    pub fn checked(self) -> Result<Self, PlanError> {
        let Deadlines { advertise, share, collect, certify, reveal } = self.deadlines;
        if [advertise, share, collect, certify, reveal].contains(&0) {
            return Err(PlanError::Deadline);
        }
        if self.id.round == 0 || self.id.attempt == 0 || self.preparation == 0 {
            return Err(PlanError::Number);
        }
        let increasing = self.admitted.windows(2).all(|pair| pair[0] < pair[1]);
        if !increasing || self.admitted.len() != usize::from(self.protection.admitted()) {
            return Err(PlanError::Admitted);
        }
        Ok(self)
    }

    /// How values become coefficients.
    pub fn coding(&self) -> Coding {
        Coding::new(self.protection.parameter_set(), self.protection.admitted())
    }

    /// Coefficients that each participant submits.
    pub fn coefficients(&self) -> usize {
        self.coding().padded(&self.layout)
    }

    /// ctx0: what every signature of this preparation is bound to (docs/protocol.md, "The round").
    pub fn context(&self) -> Digest {
        let numbers = Writer::new()
            .u64(self.preparation)
            .u16(self.protection.admitted())
            .u16(self.protection.threshold())
            .u16(self.protection.colluding())
            .u16(self.protection.min_survivors());
        Digest::of_parts(
            "KSA/1 ctx0",
            &[
                PROTOCOL.as_bytes(),
                self.federation.as_bytes(),
                self.roster.as_bytes(),
                self.job.as_str().as_bytes(),
                &numbers.finish(),
                self.protection.parameter_set().name().as_bytes(),
            ],
        )
    }

    /// The digest that contributors sign: all of these terms, the question's bytes among them.
    pub fn digest(&self) -> Digest {
        Digest::of_parts("KSA/1 plan", &[&self.to_bytes()])
    }

    /// What makes two questions the same question, in whatever round and words they are asked: the job, and
    /// the place that the question has in its program (`slot`, `statistics` or `train/3` for instance). A
    /// program asks once for each place, so this is stricter than rule 11 demands.
    pub fn question_fingerprint(&self, slot: &str) -> Digest {
        Digest::of_parts("KSA/1 question", &[self.job.as_str().as_bytes(), slot.as_bytes()])
    }

    /// The plan in its one encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Deadlines { advertise, share, collect, certify, reveal } = self.deadlines;
        Writer::new()
            .bytes(PROTOCOL.as_bytes())
            .bytes(self.federation.as_bytes())
            .fixed(self.roster.as_bytes())
            .bytes(self.job.as_str().as_bytes())
            .fixed(self.agreement.as_bytes())
            .u32(self.id.round)
            .u32(self.id.attempt)
            .u64(self.preparation)
            .bytes(self.protection.parameter_set().name().as_bytes())
            .u16(self.protection.threshold())
            .u16(self.protection.colluding())
            .u16(self.protection.min_survivors())
            .list(self.admitted.iter(), |w, id| w.id(*id))
            .fixed(self.question.as_bytes())
            .list(self.layout.blocks().iter(), |w, block| {
                let w = w.bytes(block.name.as_bytes()).u32(block.len);
                w.u64(block.bound.to_bits()).u64(block.resolution.to_bits())
            })
            .list([advertise, share, collect, certify, reveal].iter(), |w, millis| w.u64(*millis))
            .finish()
    }

    /// The plan with this encoding.
    ///
    /// # Errors
    /// [`PlanError::Malformed`], or the rule that the plan breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let mut r = Reader::new(bytes);
        let plan = Self::read(&mut r)?;
        r.finish()?;
        plan.checked()
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, PlanError> {
        if r.bytes()? != PROTOCOL.as_bytes() {
            return Err(PlanError::Malformed);
        }
        let federation = text(r)?;
        let roster = r.digest()?;
        let job = JobId::new(&text(r)?).ok_or(Malformed)?;
        let agreement = r.digest()?;
        let id = RoundId { round: r.u32()?, attempt: r.u32()? };
        let preparation = r.u64()?;
        let parameter_set = ParameterSet::from_name(&text(r)?).ok_or(Malformed)?;
        let (threshold, colluding, min_survivors) = (r.u16()?, r.u16()?, r.u16()?);
        let admitted = r.list(Reader::id)?;
        let n = u16::try_from(admitted.len()).map_err(|_| Malformed)?;
        let protection = Protection::new(parameter_set, n, threshold, colluding, min_survivors)?;
        let question = r.digest()?;
        let blocks = r.list(|r| {
            let name = text(r)?;
            let len = r.u32()?;
            let (bound, resolution) = (f64::from_bits(r.u64()?), f64::from_bits(r.u64()?));
            Ok(Block { name, len, bound, resolution })
        })?;
        let layout = Layout::new(blocks).map_err(|_| Malformed)?;
        let deadlines = match r.list(Reader::u64)?[..] {
            [advertise, share, collect, certify, reveal] => {
                Deadlines { advertise, share, collect, certify, reveal }
            }
            _ => return Err(PlanError::Malformed),
        };
        Ok(Self {
            federation,
            roster,
            job,
            agreement,
            id,
            preparation,
            protection,
            admitted,
            question,
            layout,
            deadlines,
        })
    }
}

fn text(r: &mut Reader<'_>) -> Result<String, Malformed> {
    core::str::from_utf8(r.bytes()?).map(String::from).map_err(|_| Malformed)
}
