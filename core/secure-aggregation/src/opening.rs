//! From enough reveals and the aggregate to the sum of a round: restore the keys, take them off, check, decode.

use std::fmt::Display;

use syndic_round::coordinator::Opening;
use syndic_round::{ParticipantId, RoundPlan, Sum};

use crate::aggregate::Aggregate;
use crate::masks::Masks;
use crate::reveal::{KeyShareSum, KeySum, ReconstructError, Restored, reconstruct};
use crate::unmask::{UnmaskError, unmask};

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
    let (cohort, survivors) = (opening.cohort(), opening.certificate().survivors());
    let threshold = plan.protection.threshold();
    let mut reveals = Vec::with_capacity(opening.reveals().len());
    for (id, bytes) in opening.reveals() {
        // What cannot be read should have been refused when it came.
        reveals.push((id, KeyShareSum::from_bytes(bytes, cohort.len()).map_err(refused)?));
    }
    // Exactly t reveals agree with each other whatever they say. More of them, agreeing, are right.
    let surplus = reveals.len() > usize::from(threshold);
    let restored = reconstruct(&reveals, threshold, cohort.len(), survivors);
    let Restored { keys, wrong } = restored.map_err(|error| match error {
        ReconstructError::Inconsistent => Unopened::MoreReveals(error.to_string()),
        ReconstructError::Implausible if !surplus => Unopened::MoreReveals(error.to_string()),
        _ => refused(error),
    })?;
    let unmasked = unmask(aggregate, survivors, &keys, &Masks::new(&cohort.h1()));
    let coefficients = unmasked.map_err(|error| match error {
        UnmaskError::Residual if !surplus => Unopened::MoreReveals(error.to_string()),
        _ => refused(error),
    })?;
    let sum = Sum::decode(plan.layout.clone(), &plan.coding(), survivors.len() as u16, &coefficients);
    Ok(OpenedSum { sum: sum.map_err(refused)?, keys, wrong_reveals: wrong })
}

fn refused(error: impl Display) -> Unopened {
    Unopened::Refused(error.to_string())
}
