//! From enough reveals and the aggregate to the sum of a round: restore the keys, take them off, check, decode.

use std::fmt::Display;

use syndic_round::coordinator::Opening;
use syndic_round::vector::{Decoder, SumError};
use syndic_round::{ParticipantId, RoundPlan, Sum, SurvivorSet};

use crate::aggregate::Aggregate;
use crate::masks::Masks;
use crate::reveal::{KeyShareSum, KeySum, ReconstructError, Restored, reconstruct};
use crate::unmask::{UnmaskError, Unmasker};

/// The sum of a round, with what else is published of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenedSum {
    /// The sum, checked.
    pub sum: Sum,
    /// S, the sum of the survivors' keys.
    pub keys: KeySum,
    /// Whose reveals were wrong, and were corrected.
    pub wrong_reveals: Vec<ParticipantId>,
}

/// Why there is no sum, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// A reveal may be wrong: one more will tell.
    MoreReveals(String),
    /// It counts as opened all the same.
    Refused(String),
}

/// Opens the sum of `aggregate`, in which the updates of exactly the certified survivors are.
///
/// # Errors
/// [`Unopened`].
pub fn open(plan: &RoundPlan, opening: &Opening, aggregate: &Aggregate) -> Result<OpenedSum, Unopened> {
    let mut opener = Opener::begin(plan, opening)?;
    opener.take(aggregate)?;
    opener.finish()
}

/// Opens a sum window by window: of the aggregate it holds nothing, so its memory is that of the decoded sum.
pub struct Opener {
    survivors: SurvivorSet,
    restored: Restored,
    /// Whether there are more reveals than the threshold, and all agree: then they are right, unless several colluded.
    /// Exactly t of them agree with each other whatever they say, and too many wrong ones may be corrected to
    /// something that is wrong too.
    all_agree: bool,
    unmasker: Unmasker,
    masks: Masks,
    decoder: Decoder,
    next_chunk: usize,
}

impl Opener {
    /// Restores the sum of the certified survivors' keys.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn begin(plan: &RoundPlan, opening: &Opening) -> Result<Self, Unopened> {
        let (cohort, survivors) = (opening.cohort(), opening.certificate().survivors());
        let threshold = plan.terms.protection.threshold();
        let mut reveals = Vec::with_capacity(opening.reveals().len());
        for (id, bytes) in opening.reveals() {
            // What cannot be read should have been refused when it came.
            reveals.push((id, KeyShareSum::from_bytes(bytes, cohort.len()).map_err(refused)?));
        }
        let surplus = reveals.len() > usize::from(threshold);
        let restored = reconstruct(&reveals, threshold, cohort.len(), survivors);
        let restored = restored.map_err(|error| match error {
            ReconstructError::Inconsistent | ReconstructError::Implausible => {
                Unopened::MoreReveals(error.to_string())
            }
            _ => refused(error),
        })?;
        Ok(Self {
            unmasker: Unmasker::new(survivors, &restored.keys).map_err(refused)?,
            survivors: survivors.clone(),
            all_agree: surplus && restored.wrong.is_empty(),
            restored,
            masks: Masks::new(&cohort.h1()),
            decoder: Decoder::new(plan.layout.clone(), &plan.coding(), survivors.len() as u16),
            next_chunk: 0,
        })
    }

    /// Takes the next window of the aggregate, in which those chunks of exactly the certified survivors are.
    ///
    /// # Errors
    /// [`Unopened`].
    pub fn take(&mut self, window: &Aggregate) -> Result<(), Unopened> {
        if window.first_chunk() != self.next_chunk {
            return Err(Unopened::Refused(format!("chunk {} comes next", self.next_chunk)));
        }
        let Self { unmasker, masks, decoder, survivors, all_agree, .. } = self;
        let taken = unmasker.unmask(window, survivors, masks, |coefficients| {
            decoder.take(coefficients).map_err(Refusal::Sum)
        });
        self.next_chunk += window.chunk_count();
        taken.map_err(|refusal| match refusal {
            Refusal::Unmask(error @ UnmaskError::Residual) if !*all_agree => {
                Unopened::MoreReveals(error.to_string())
            }
            Refusal::Unmask(error) => refused(error),
            Refusal::Sum(error) => refused(error),
        })
    }

    /// The sum, when all windows were taken.
    ///
    /// # Errors
    /// [`Unopened::Refused`].
    pub fn finish(self) -> Result<OpenedSum, Unopened> {
        let Restored { keys, wrong } = self.restored;
        Ok(OpenedSum { sum: self.decoder.finish().map_err(refused)?, keys, wrong_reveals: wrong })
    }
}

/// Why a window does not open.
enum Refusal {
    Unmask(UnmaskError),
    Sum(SumError),
}

impl From<UnmaskError> for Refusal {
    fn from(error: UnmaskError) -> Self {
        Self::Unmask(error)
    }
}

fn refused(error: impl Display) -> Unopened {
    Unopened::Refused(error.to_string())
}
