//! The running encrypted sum.

use std::collections::BTreeSet;

use syndic_round::{Digest, ParameterSet, ParticipantId};
use thiserror::Error;

use crate::encrypt::{chunks_leaves, chunks_root};
use crate::wire;

/// The sum, modulo 2^p, of the updates folded so far, and whose they are.
///
/// As large as one update, whatever the number of participants, or as a window of it. Every participant counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    set: ParameterSet,
    first_chunk: usize,
    bytes: Vec<u8>,
    folded: BTreeSet<ParticipantId>,
}

/// Why an update or an aggregate was not added. The aggregate is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FoldError {
    /// The participant's update is in the sum already.
    #[error("the update of participant {0} is counted already")]
    CountedTwice(ParticipantId),
    /// The update has another length than the round's vectors.
    #[error("the update has {found} bytes where the round has {expected}")]
    Length {
        /// Bytes of every update of this round.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// The two aggregates are of different parameter sets.
    #[error("the aggregates have different parameter sets")]
    ParameterSet,
    /// The two aggregates are of different chunks.
    #[error("the aggregates begin with different chunks")]
    Window,
    /// More updates than the parameter set's guard bits carry.
    #[error("the parameter set adds up at most {0} updates")]
    TooMany(u16),
}

impl Aggregate {
    /// The sum of no updates of `chunk_count` chunks.
    pub fn new(set: ParameterSet, chunk_count: usize) -> Self {
        Self::window(set, 0, chunk_count)
    }

    /// The sum of no updates, of the `chunk_count` chunks from `first_chunk` on only: so that sums of any length can be
    /// made in constant memory.
    pub fn window(set: ParameterSet, first_chunk: usize, chunk_count: usize) -> Self {
        let bytes = vec![0; chunk_count * wire::chunk_bytes(set)];
        Self { set, first_chunk, bytes, folded: BTreeSet::new() }
    }

    /// Adds the update of `from`: the chunks of this window in order, as they travelled.
    ///
    /// # Errors
    /// [`FoldError`] when the participant is counted already or the length is not the round's.
    pub fn fold(&mut self, from: ParticipantId, update: &[u8]) -> Result<(), FoldError> {
        self.admit([from].iter(), update.len())?;
        wire::add(&mut self.bytes, update, self.set);
        self.folded.insert(from);
        Ok(())
    }

    /// Adds the sum of other participants' updates.
    ///
    /// # Errors
    /// [`FoldError`] when a participant is in both, or the two are not of one round.
    pub fn merge(&mut self, other: Self) -> Result<(), FoldError> {
        if other.set != self.set {
            return Err(FoldError::ParameterSet);
        }
        if other.first_chunk != self.first_chunk {
            return Err(FoldError::Window);
        }
        self.admit(other.folded.iter(), other.bytes.len())?;
        wire::add(&mut self.bytes, &other.bytes, self.set);
        self.folded.extend(other.folded);
        Ok(())
    }

    /// Whose updates are in the sum, in the order of ids.
    pub fn folded(&self) -> impl ExactSizeIterator<Item = ParticipantId> {
        self.folded.iter().copied()
    }

    /// The first chunk of the window, zero unless it is one.
    pub fn first_chunk(&self) -> usize {
        self.first_chunk
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> usize {
        self.bytes.len() / wire::chunk_bytes(self.set)
    }

    /// The parameter set.
    pub fn parameter_set(&self) -> ParameterSet {
        self.set
    }

    /// The chunks of the sum in order, packed like those of an update.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The Merkle root over the chunks of the sum.
    pub fn root(&self) -> Digest {
        chunks_root(&self.bytes, self.set)
    }

    /// The Merkle leaves of the chunks of the sum: those of all windows together make up the root.
    pub fn leaves(&self) -> Vec<Digest> {
        chunks_leaves(&self.bytes, self.set)
    }

    fn admit<'a>(
        &self,
        mut new: impl ExactSizeIterator<Item = &'a ParticipantId>,
        found: usize,
    ) -> Result<(), FoldError> {
        let expected = self.bytes.len();
        if found != expected {
            return Err(FoldError::Length { expected, found });
        }
        let most = self.set.largest_cohort();
        if self.folded.len() + new.len() > usize::from(most) {
            return Err(FoldError::TooMany(most));
        }
        match new.find(|id| self.folded.contains(id)) {
            Some(&twice) => Err(FoldError::CountedTwice(twice)),
            None => Ok(()),
        }
    }
}

impl FoldError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CountedTwice(_) => "aggregate.counted-twice",
            Self::Length { .. } => "aggregate.length",
            Self::ParameterSet => "aggregate.parameter-set",
            Self::Window => "aggregate.window",
            Self::TooMany(_) => "aggregate.too-many",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).unwrap()
    }

    /// One chunk whose coefficients all are `coefficient`, modulo 2^p.
    fn update(set: ParameterSet, coefficient: u64) -> Vec<u8> {
        coefficient.to_le_bytes()[..set.bytes_per_coefficient()].repeat(2048)
    }

    #[test]
    fn a_second_update_of_a_participant_is_refused_and_changes_nothing() {
        let set = ParameterSet::S32;
        let mut aggregate = Aggregate::new(set, 1);
        aggregate.fold(id(7), &update(set, 1)).unwrap();
        let before = aggregate.clone();
        assert_eq!(aggregate.fold(id(7), &update(set, 1)), Err(FoldError::CountedTwice(id(7))));
        assert_eq!(aggregate.merge(before.clone()), Err(FoldError::CountedTwice(id(7))));
        assert_eq!(aggregate, before);
    }

    #[test]
    fn another_length_and_another_set_are_refused() {
        let mut aggregate = Aggregate::new(ParameterSet::S32, 2);
        let short = aggregate.fold(id(1), &update(ParameterSet::S32, 1));
        assert_eq!(short, Err(FoldError::Length { expected: 16_384, found: 8_192 }));
        assert_eq!(aggregate.merge(Aggregate::new(ParameterSet::S40, 2)), Err(FoldError::ParameterSet));
        assert_eq!(aggregate.merge(Aggregate::window(ParameterSet::S32, 1, 2)), Err(FoldError::Window));
    }

    #[test]
    fn a_set_never_adds_up_more_than_its_largest_cohort() {
        let set = ParameterSet::S24;
        let mut aggregate = Aggregate::new(set, 1);
        (1..=64).for_each(|number| aggregate.fold(id(number), &update(set, 1)).unwrap());
        assert_eq!(aggregate.fold(id(65), &update(set, 1)), Err(FoldError::TooMany(64)));
    }

    proptest! {
        #[test]
        fn the_sum_wraps_and_does_not_depend_on_order_or_grouping(values: [u64; 4], at in 0..4_usize) {
            for set in ParameterSet::ALL {
                let fold = |ids: &[usize]| {
                    let mut aggregate = Aggregate::new(set, 1);
                    ids.iter().for_each(|&i| aggregate.fold(id(i as u16 + 1), &update(set, values[i])).unwrap());
                    aggregate
                };
                let whole = fold(&[0, 1, 2, 3]);
                let mut merged = fold(&[3, 2, 1, 0][..at]);
                merged.merge(fold(&[3, 2, 1, 0][at..])).unwrap();
                prop_assert_eq!(&merged, &whole);
                prop_assert_eq!(merged.root(), whole.root());
                let sum = values.iter().fold(0, |sum: u64, value| sum.wrapping_add(*value));
                prop_assert_eq!(whole.bytes(), &update(set, sum)[..]);
            }
        }
    }
}
