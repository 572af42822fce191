//! Voids: the proof that an attempt can never be opened, so that its question may be asked again (rule 11).

use alloc::vec::Vec;

use crate::cohort::at_least;
use crate::ids::{ParticipantId, RoundId};
use crate::message::{Context, Signed, Verified, Void};
use crate::protection::Protection;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::verifier::Verifier;

/// An attempt that t institutions promised never to reveal in.
///
/// Opening takes reveals of t - c honest members, and each honest member either reveals or promises not to. So an
/// attempt that is void is never opened, nor an opened one void, exactly when 2t > n + c.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    round: RoundId,
    signatures: Vec<Signed>,
}

impl Voided {
    /// The proof that `round`, whose signatures are bound to `context`, is void: promises of at least t distinct
    /// institutions among the `admitted`, in increasing order of ids.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn verify(
        round: RoundId,
        context: Context,
        protection: &Protection,
        admitted: &[ParticipantId],
        roster: &SealedRoster,
        signatures: Vec<Signed>,
    ) -> Result<Self, Rejection> {
        let verify = |signed: &Signed| {
            let verified = verify_void(signed, round, context, Verifier::of(roster))?;
            is_admitted(signed.from, admitted)?;
            Ok(verified)
        };
        let verified = signatures.iter().map(verify).collect::<Result<_, Rejection>>()?;
        Self::of(round, context, protection, admitted, verified)
    }

    /// The same, of promises whose signatures were verified before.
    pub(crate) fn of(
        round: RoundId,
        context: Context,
        protection: &Protection,
        admitted: &[ParticipantId],
        verified: Vec<Verified<Void>>,
    ) -> Result<Self, Rejection> {
        for void in &verified {
            let void = void.bound_to(context)?;
            is_of(void, round)?;
            is_admitted(void.id, admitted)?;
        }
        let signatures: Vec<_> = verified.into_iter().map(|void| void.into_parts().0).collect();
        if !signatures.windows(2).all(|pair| pair[0].from < pair[1].from) {
            return Err(Rejection::List("voids"));
        }
        at_least("voids", signatures.len(), protection.threshold())?;
        Ok(Self { round, signatures })
    }

    /// The attempt.
    pub fn round(&self) -> RoundId {
        self.round
    }

    /// The promises, in increasing order of ids.
    pub fn signatures(&self) -> &[Signed] {
        &self.signatures
    }
}

/// Verifies one promise.
pub(crate) fn verify_void(
    signed: &Signed,
    round: RoundId,
    context: Context,
    verifier: Verifier<'_>,
) -> Result<Verified<Void>, Rejection> {
    let verified = signed.verified::<Void>(context, verifier)?;
    is_of(verified.payload(), round)?;
    Ok(verified)
}

fn is_of(void: &Void, round: RoundId) -> Result<(), Rejection> {
    if void.round == round { Ok(()) } else { Err(Rejection::Mismatch("round")) }
}

fn is_admitted(id: ParticipantId, admitted: &[ParticipantId]) -> Result<(), Rejection> {
    if admitted.binary_search(&id).is_ok() { Ok(()) } else { Err(Rejection::NotInCohort(id)) }
}
