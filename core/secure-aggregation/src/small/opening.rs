//! From enough reveals to the sum of small vectors.

use syndic_round::coordinator::Opening;
use syndic_round::vector::SumError;
use syndic_round::{ParticipantId, RoundPlan, Sum};
use thiserror::Error;

use super::shape::VectorShape;
use super::{VectorShareSum, steps};
use crate::opening::Unopened;
use crate::reveal::{ReconstructError, restore};

/// The sum of small vectors, with what else is published of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenedVector {
    /// The sum: its canaries, bounds and padding are right.
    pub sum: Sum,
    /// Whose reveals were wrong, and were corrected, in the order of ids.
    pub wrong_reveals: Vec<ParticipantId>,
    /// How many reveals beyond the threshold agree. Sum and names are right unless more members than this lied together.
    pub surplus: usize,
}

/// Why reveals open no sum of small vectors.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VectorError {
    /// The reveals restore nothing.
    #[error(transparent)]
    Reveals(#[from] ReconstructError),
    /// What they restore is no sum of the survivors' vectors.
    #[error("{error}")]
    Sum {
        /// What is wrong with it.
        error: SumError,
        /// Whether there are more reveals than the threshold, and all agree: then it is not the reveals, unless several
        /// colluded.
        all_agree: bool,
    },
}

impl OpenedVector {
    /// Whether a single liar would have been noticed. Exactly t reveals agree with each other whatever they say, and one
    /// of them can shift one chosen sum past the canaries: then the result is unchecked, and to be marked so.
    pub fn is_checked(&self) -> bool {
        self.surplus > 0
    }
}

impl VectorShape {
    /// Opens the sum of the vectors of `survivors` participants from what at least t members of the cohort revealed. Anybody
    /// can who holds the signed reveals.
    ///
    /// With more reveals than t, as many wrong ones as half of the surplus are corrected and named.
    ///
    /// # Errors
    /// [`VectorError`].
    pub fn open(
        &self,
        reveals: &[(ParticipantId, VectorShareSum)],
        survivors: u16,
    ) -> Result<OpenedVector, VectorError> {
        let (elements, wrong_reveals) = restore(reveals, self.threshold(), self.elements())?;
        let surplus = reveals.len() - wrong_reveals.len() - usize::from(self.threshold());
        let all_agree = surplus > 0 && wrong_reveals.is_empty();
        let sum = self.decode(&elements, survivors).map_err(|error| VectorError::Sum { error, all_agree })?;
        Ok(OpenedVector { sum, wrong_reveals, surplus })
    }

    fn decode(&self, elements: &[u64], survivors: u16) -> Result<Sum, SumError> {
        let sums = self.unpack(elements, survivors).ok_or(SumError::Padding)?;
        Sum::decode(self.layout().clone(), self.coding(), survivors, &steps::split(self, &sums))
    }
}

/// Opens the sum of the certified survivors' small vectors.
///
/// # Errors
/// [`Unopened`].
pub fn open_vector(plan: &RoundPlan, opening: &Opening) -> Result<OpenedVector, Unopened> {
    let shape = VectorShape::of(plan)
        .ok_or_else(|| Unopened::Refused("the vector of this plan is not a small one".into()))?;
    let mut reveals = Vec::with_capacity(opening.reveals().len());
    for (id, bytes) in opening.reveals() {
        // What cannot be read should have been refused when it came.
        let sum = VectorShareSum::from_bytes(bytes, &shape)
            .map_err(|error| Unopened::Refused(error.to_string()))?;
        reveals.push((id, sum));
    }
    Ok(shape.open(&reveals, opening.certificate().survivors().len() as u16)?)
}

impl VectorError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reveals(error) => error.code(),
            Self::Sum { .. } => "reveals.no-sum",
        }
    }
}

impl From<VectorError> for Unopened {
    /// One more reveal may tell which of them is wrong, unless they all agree.
    fn from(error: VectorError) -> Self {
        let reason = error.to_string();
        match error {
            VectorError::Reveals(ReconstructError::Inconsistent)
            | VectorError::Sum { all_agree: false, .. } => Self::MoreReveals(reason),
            VectorError::Reveals(_) | VectorError::Sum { .. } => Self::Refused(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sharing::Polynomials;
    use crate::small::VectorShare;
    use crate::small::tests::{ids, plan};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    /// Canaries of 4 bits and three values of 14 bits in one element, four values in the other.
    fn shape() -> VectorShape {
        VectorShape::of(&plan(5, &[(7, 1_000.0)])).unwrap()
    }

    const STEPS: [i64; 11] = [1, 0, 0, 0, 7, -1_000, 1_000, 0, 0, 0, 5];

    /// What `revealers` of five reveal of one dealer's `elements`, of which any four restore them.
    fn reveals(elements: &[u64], revealers: usize) -> Vec<(ParticipantId, VectorShareSum)> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let polynomials = Polynomials::draw(elements, 4, &mut rng);
        let reveal = |id| {
            let share: VectorShare = polynomials.share_of(id, &mut rng);
            (id, VectorShareSum::read(&crate::sharing::to_bytes(share.elements()), elements.len()).unwrap())
        };
        ids(5).into_iter().take(revealers).map(reveal).collect()
    }

    /// What comes of four and of five reveals of the vector with these bits flipped.
    fn opened_with(flipped: &[(usize, u64)]) -> [Result<OpenedVector, VectorError>; 2] {
        let mut elements = shape().pack(&STEPS);
        flipped.iter().for_each(|&(element, bits)| elements[element] ^= bits);
        [4, 5].map(|revealers| shape().open(&reveals(&elements, revealers), 1))
    }

    #[test]
    fn a_vector_opens_with_a_threshold_of_reveals_and_is_checked_by_more() {
        for (opened, surplus) in opened_with(&[]).into_iter().zip([0, 1]) {
            let opened = opened.unwrap();
            assert_eq!((opened.sum.steps(), opened.sum.survivors()), (&STEPS[4..], 1));
            assert_eq!((opened.surplus, opened.is_checked()), (surplus, surplus > 0));
            assert!(opened.wrong_reveals.is_empty());
        }
    }

    #[test]
    fn a20_a_sum_that_no_survivors_can_have_sent_is_refused_and_one_more_reveal_asked_for_until_enough_agree()
    {
        let overflow = SumError::Overflow { block: "block-0".into() };
        for (flipped, expected) in [
            // The count of survivors, a zero, a value of 1,007 steps where 1,000 is the bound, a bit of no digit.
            ((0, 3), SumError::Canary(0)),
            ((0, 1 << 8), SumError::Canary(2)),
            ((0, 2_000 << 16 ^ 1_007 << 16 ^ 7 << 16), overflow.clone()),
            ((1, 1 << 13), overflow),
            ((1, 1 << 56), SumError::Padding),
            ((1, 1 << 60), SumError::Padding),
        ] {
            let [of_four, of_five] = opened_with(&[flipped]).map(Result::unwrap_err);
            assert_eq!(of_four, VectorError::Sum { error: expected.clone(), all_agree: false });
            assert_eq!(of_five, VectorError::Sum { error: expected, all_agree: true });
            assert!(matches!(of_four.into(), Unopened::MoreReveals(_)));
            assert!(matches!(of_five.into(), Unopened::Refused(_)));
        }
    }

    #[test]
    fn reveals_that_restore_nothing_say_why() {
        let elements = shape().pack(&STEPS);
        let all = reveals(&elements, 5);
        let error = |reveals: &[_]| shape().open(reveals, 1).unwrap_err();
        assert_eq!(error(&all[..3]), ReconstructError::TooFew { threshold: 4, found: 3 }.into());
        let twice = [&all[..], &all[..1]].concat();
        assert_eq!(error(&twice), ReconstructError::Duplicate(ids(1)[0]).into());
        let short = VectorShareSum::read(&[0; 8], 1).unwrap();
        let with_short = [&all[..4], &[(ids(5)[4], short)]].concat();
        assert_eq!(error(&with_short), ReconstructError::Length(ids(5)[4]).into());
        let wrong = VectorShareSum::read(&[7; 16], 2).unwrap();
        let with_wrong = [&all[..4], &[(ids(5)[4], wrong)]].concat();
        assert_eq!(error(&with_wrong), ReconstructError::Inconsistent.into());
        assert!(matches!(error(&with_wrong).into(), Unopened::MoreReveals(_)));
        assert!(matches!(error(&twice).into(), Unopened::Refused(_)));
    }
}
