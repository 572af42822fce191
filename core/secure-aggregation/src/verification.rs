//! What a holder checks of a share: that it is the one its dealer committed to, and that all shares lie on
//! polynomials of degree below the threshold, so that any `threshold` of them restore one and the same key or vector.
//!
//! The dealer cannot know the challenges before it has committed to all shares. Shares that lie on no such
//! polynomials pass one check with probability at most L / p, below 2^-51, whatever the dealer does; two checks
//! keep that out of reach of a dealer that tries many commitments (Schwartz, JACM 27(4), 1980).

use syndic_round::message::{CHECKS, PublicPart};
use syndic_round::{Digest, ParticipantId};
use thiserror::Error;

use crate::correction::evaluate;
use crate::field;
use crate::sharing::{Share, SharingContext, combined};
use crate::subject::Subject;

/// Why a share is not what its dealer published. Its holder complains of the dealer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadShare {
    /// The public part is not one for this cohort and threshold.
    #[error("the dealer's public part is not one for this cohort and threshold")]
    PublicPart,
    /// The holder is not in the cohort.
    #[error("participant {0} holds no share, not being in the cohort")]
    Holder(ParticipantId),
    /// The share is another than the dealer committed to.
    #[error("the share is not the one that its dealer committed to")]
    Commitment,
    /// The share is off the dealer's polynomials.
    #[error("the share does not lie on its dealer's polynomials")]
    Polynomial,
}

impl<S: Subject> Share<S> {
    /// Checks the share of `holder` against what its dealer published.
    ///
    /// # Errors
    /// [`BadShare`].
    pub fn verify(
        &self,
        holder: ParticipantId,
        public: &PublicPart,
        context: &SharingContext<'_>,
    ) -> Result<(), BadShare> {
        check_public_part(public, context)?;
        let slot = context.cohort.binary_search(&holder).map_err(|_| BadShare::Holder(holder))?;
        if public.commitments[slot] != commitment(context, holder, self) {
            return Err(BadShare::Commitment);
        }
        let x = u64::from(holder.get());
        let challenges = challenges::<S>(context, &public.commitments);
        let lies_on = |k: usize| combined(&self.values, k, challenges[k]) == evaluate(&public.checks[k], x);
        if (0..CHECKS).all(lies_on) { Ok(()) } else { Err(BadShare::Polynomial) }
    }
}

/// Checks that a public part has a commitment for each member of the cohort, and check polynomials of canonical
/// elements with as many terms as the threshold says.
///
/// # Errors
/// [`BadShare::PublicPart`].
fn check_public_part(public: &PublicPart, context: &SharingContext<'_>) -> Result<(), BadShare> {
    let terms = usize::from(context.threshold);
    let canonical = |check: &Vec<u64>| check.len() == terms && check.iter().all(|&term| term < field::P);
    let whole = public.commitments.len() == context.cohort.len() && public.checks.iter().all(canonical);
    if whole { Ok(()) } else { Err(BadShare::PublicPart) }
}

/// SHA-256 of the share of `holder` and everything it belongs to; the salt in the share hides it.
pub(crate) fn commitment<S: Subject>(
    context: &SharingContext<'_>,
    holder: ParticipantId,
    share: &Share<S>,
) -> Digest {
    let ids = [context.dealer, holder].map(|id| id.get().to_be_bytes());
    Digest::of_parts(S::COMMITMENT, &[context.h1.as_bytes(), ids.as_flattened(), &share.to_bytes()])
}

/// One element of F_p for each check polynomial, known only once all shares are committed to.
pub(crate) fn challenges<S: Subject>(context: &SharingContext<'_>, commitments: &[Digest]) -> [u64; CHECKS] {
    let all: Vec<u8> = commitments.iter().flat_map(|commitment| *commitment.as_bytes()).collect();
    let dealer = context.dealer.get().to_be_bytes();
    std::array::from_fn(|k| {
        let parts = [context.h1.as_bytes().as_slice(), &dealer, &[k as u8 + 1], &all];
        field::from_digest(&Digest::of_parts(S::CHALLENGE, &parts))
    })
}

impl BadShare {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicPart => "share.public-part",
            Self::Holder(_) => "share.holder",
            Self::Commitment => "share.commitment",
            Self::Polynomial => "share.polynomial",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::OneTimeKey;
    use crate::sharing::{KeyShare, Sharing};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).unwrap()
    }

    fn cohort() -> Vec<ParticipantId> {
        [2, 5, 8, 11, 14].map(id).into()
    }

    fn context(cohort: &[ParticipantId]) -> SharingContext<'_> {
        SharingContext { dealer: id(5), h1: Digest::of(b"h1"), cohort, threshold: 4 }
    }

    fn shared(cohort: &[ParticipantId]) -> Sharing {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        OneTimeKey::generate(&mut rng).share(&context(cohort), &mut rng).unwrap()
    }

    #[test]
    fn every_share_of_an_honest_dealer_is_good_after_a_trip_over_the_wire() {
        let cohort = cohort();
        let sharing = shared(&cohort);
        for (holder, share) in &sharing.shares {
            let bytes = share.to_bytes();
            let share = KeyShare::from_bytes(&bytes, cohort.len()).unwrap();
            assert_eq!(share.verify(*holder, &sharing.public, &context(&cohort)), Ok(()));
        }
    }

    #[test]
    fn a_share_is_good_for_its_holder_dealer_and_preparation_only() {
        let cohort = cohort();
        let sharing = shared(&cohort);
        let (holder, share) = &sharing.shares[0];
        let right = context(&cohort);
        assert_eq!(share.verify(id(8), &sharing.public, &right), Err(BadShare::Commitment));
        assert_eq!(share.verify(id(3), &sharing.public, &right), Err(BadShare::Holder(id(3))));
        let wrong =
            [SharingContext { dealer: id(8), ..right }, SharingContext { h1: Digest::of(b"2"), ..right }];
        for context in wrong {
            assert_eq!(share.verify(*holder, &sharing.public, &context), Err(BadShare::Commitment));
        }
        let higher = SharingContext { threshold: 5, ..right };
        assert_eq!(share.verify(*holder, &sharing.public, &higher), Err(BadShare::PublicPart));
    }

    #[test]
    fn polynomials_of_a_higher_degree_cannot_be_published() {
        let cohort = cohort();
        let right = context(&cohort);
        let mut sharing = shared(&cohort);
        sharing.public.checks[1].push(1);
        assert_eq!(check_public_part(&sharing.public, &right), Err(BadShare::PublicPart));
        sharing.public.checks[1].truncate(4);
        sharing.public.checks[1][0] = field::P;
        assert_eq!(check_public_part(&sharing.public, &right), Err(BadShare::PublicPart));
        sharing.public.checks[1][0] = 0;
        sharing.public.commitments.pop();
        assert_eq!(check_public_part(&sharing.public, &right), Err(BadShare::PublicPart));
    }
}
