//! Which dealers may submit, by the signed acknowledgements of those who hold their shares (phase C).

use alloc::vec::Vec;

use crate::cohort::Cohort;
use crate::digest::Digest;
use crate::ids::ParticipantId;
use crate::message::{Ack, Signed, Verified};
use crate::protection::Protection;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::verifier::Verifier;

/// The acknowledgements of a cohort, verified: at most one of each member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acks {
    signed: Vec<Signed>,
    acks: Vec<Ack>,
}

impl Acks {
    /// Verifies acknowledgements as they were relayed, in increasing order of their senders.
    ///
    /// # Errors
    /// [`Rejection`] for a bad signature, a foreign or repeated sender, or verdicts out of order.
    pub fn verify(signed: Vec<Signed>, cohort: &Cohort, roster: &SealedRoster) -> Result<Self, Rejection> {
        let verify = |message| verify_ack(message, cohort, Verifier::of(roster));
        Self::of(cohort, signed.iter().map(verify).collect::<Result<_, _>>()?)
    }

    /// The same, of acknowledgements whose signatures were verified before.
    pub(crate) fn of(cohort: &Cohort, verified: Vec<Verified<Ack>>) -> Result<Self, Rejection> {
        for ack in &verified {
            check_ack(ack.bound_to(cohort.context())?, cohort)?;
        }
        let (signed, acks): (Vec<_>, Vec<_>) = verified.into_iter().map(Verified::into_parts).unzip();
        if !acks.windows(2).all(|pair| pair[0].id < pair[1].id) {
            return Err(Rejection::List("acknowledgements"));
        }
        Ok(Self { signed, acks })
    }

    /// The signed acknowledgements.
    pub fn signed(&self) -> &[Signed] {
        &self.signed
    }

    /// Checks that `dealer`, whose public part has the digest `dealing`, may submit: at least t good
    /// verdicts that agree on the public part, and at most min(c, n - t) bad ones.
    ///
    /// # Errors
    /// [`Rejection::NotEligible`].
    pub fn check(
        &self,
        dealer: ParticipantId,
        dealing: Digest,
        protection: &Protection,
    ) -> Result<(), Rejection> {
        let verdicts = || self.acks.iter().flat_map(|ack| &ack.verdicts).filter(|v| v.dealer == dealer);
        let good = verdicts().filter(|v| v.ok && v.dealing == dealing).count();
        let bad = verdicts().filter(|v| !v.ok).count();
        let enough = good >= usize::from(protection.threshold());
        if enough && bad <= usize::from(protection.tolerated_complaints()) {
            Ok(())
        } else {
            Err(Rejection::NotEligible(dealer))
        }
    }

    /// How many members acknowledged good shares of all of `dealers`, and so can reveal for them.
    pub fn holders_of(&self, dealers: &[ParticipantId]) -> usize {
        let holds = |ack: &&Ack| {
            dealers.iter().all(|dealer| ack.verdicts.iter().any(|v| v.dealer == *dealer && v.ok))
        };
        self.acks.iter().filter(holds).count()
    }

    /// Bad verdicts over `dealer`.
    pub fn complaints(&self, dealer: ParticipantId) -> usize {
        self.acks.iter().flat_map(|ack| &ack.verdicts).filter(|v| v.dealer == dealer && !v.ok).count()
    }
}

/// Verifies one acknowledgement: signature, membership, and verdicts in the order of dealers.
pub(crate) fn verify_ack(
    signed: &Signed,
    cohort: &Cohort,
    verifier: Verifier<'_>,
) -> Result<Verified<Ack>, Rejection> {
    let verified = signed.verified::<Ack>(cohort.context(), verifier)?;
    check_ack(verified.payload(), cohort)?;
    Ok(verified)
}

fn check_ack(ack: &Ack, cohort: &Cohort) -> Result<(), Rejection> {
    cohort.slot_of(ack.id)?;
    for verdict in &ack.verdicts {
        cohort.slot_of(verdict.dealer)?;
    }
    if ack.verdicts.windows(2).all(|pair| pair[0].dealer < pair[1].dealer) {
        Ok(())
    } else {
        Err(Rejection::List("verdicts"))
    }
}
