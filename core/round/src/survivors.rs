//! The survivor set: whose updates are in the sum, and the certificate without which nobody reveals.
//!
//! Both can be made only here, and only by checks; [`crate::Sum`]s are opened for nothing less.

use alloc::vec::Vec;

use crate::codec::Writer;
use crate::cohort::{Cohort, at_least};
use crate::digest::Digest;
use crate::ids::ParticipantId;
use crate::message::{Certify, Header, Signed, Verified};
use crate::plan::RoundPlan;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::verifier::Verifier;

/// The survivors of a round, each with its signed upload header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurvivorSet {
    ids: Vec<ParticipantId>,
    signed: Vec<Signed>,
    headers: Vec<Header>,
    digest: Digest,
}

/// A survivor set that at least t members of the cohort signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    survivors: SurvivorSet,
    signatures: Vec<Signed>,
}

impl SurvivorSet {
    /// The survivor set of these upload headers: every one is verified and must name this cohort,
    /// preparation, round and plan (rule 7); ids strictly increase; there are at least max(t, u_min).
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn from_headers(
        plan: &RoundPlan,
        cohort: &Cohort,
        roster: &SealedRoster,
        signed: Vec<Signed>,
    ) -> Result<Self, Rejection> {
        let verify = |message| verify_header(message, plan, cohort, Verifier::of(roster));
        Self::of(plan, cohort, signed.iter().map(verify).collect::<Result<_, _>>()?)
    }

    /// The same, of headers whose signatures were verified before.
    pub(crate) fn of(
        plan: &RoundPlan,
        cohort: &Cohort,
        verified: Vec<Verified<Header>>,
    ) -> Result<Self, Rejection> {
        let plan_digest = plan.digest();
        for header in &verified {
            check_header(header.bound_to(cohort.context())?, plan, plan_digest, cohort)?;
        }
        let (signed, headers): (Vec<_>, Vec<_>) = verified.into_iter().map(Verified::into_parts).unzip();
        let ids: Vec<_> = headers.iter().map(|header| header.id).collect();
        if !ids.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Rejection::List("survivors"));
        }
        at_least("survivors", ids.len(), plan.terms.protection.min_survivors())?;
        let list = Writer::new().list(signed.iter(), |w, message| w.bytes(&message.to_bytes())).finish();
        let digest = Digest::of_parts("KSA/1 survivors", &[cohort.h1().as_bytes(), &list]);
        Ok(Self { ids, signed, headers, digest })
    }

    /// Ids in increasing order.
    pub fn ids(&self) -> &[ParticipantId] {
        &self.ids
    }

    /// How many survivors.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true: a survivor set has at least t members. Here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether `id` survived.
    pub fn contains(&self, id: ParticipantId) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// The verified headers, in order.
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The headers as they were signed, in order.
    pub fn signed(&self) -> &[Signed] {
        &self.signed
    }

    /// The digest that members sign: H1 and the complete list of signed headers.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Certificate {
    /// A certificate of `survivors`: signatures of at least t distinct members of the cohort over exactly
    /// this set, in increasing order of signers (rule 3).
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn verify(
        plan: &RoundPlan,
        cohort: &Cohort,
        roster: &SealedRoster,
        survivors: SurvivorSet,
        signatures: Vec<Signed>,
    ) -> Result<Self, Rejection> {
        let verify = |signed| verify_certify(signed, cohort, Verifier::of(roster), &survivors);
        let verified = signatures.iter().map(verify).collect::<Result<_, _>>()?;
        Self::of(plan, cohort, survivors, verified)
    }

    /// The same, of signatures that were verified before.
    pub(crate) fn of(
        plan: &RoundPlan,
        cohort: &Cohort,
        survivors: SurvivorSet,
        verified: Vec<Verified<Certify>>,
    ) -> Result<Self, Rejection> {
        for certify in &verified {
            check_certify(certify.bound_to(cohort.context())?, cohort, &survivors)?;
        }
        let signatures: Vec<_> = verified.into_iter().map(|certify| certify.into_parts().0).collect();
        if !signatures.windows(2).all(|pair| pair[0].from < pair[1].from) {
            return Err(Rejection::List("signers"));
        }
        at_least("signatures", signatures.len(), plan.terms.protection.threshold())?;
        Ok(Self { survivors, signatures })
    }

    /// The survivor set.
    pub fn survivors(&self) -> &SurvivorSet {
        &self.survivors
    }

    /// The signatures, in increasing order of signers.
    pub fn signatures(&self) -> &[Signed] {
        &self.signatures
    }
}

/// The one institution by which two sets, in increasing order, differ; none where they differ by none or more.
///
/// The difference of two sums over such sets is what that one sent, as far as the others sent the same (arXiv 2106.03328).
pub fn differ_by_one(before: &[ParticipantId], after: &[ParticipantId]) -> Option<ParticipantId> {
    let only = |one: &[ParticipantId], other: &[ParticipantId]| -> Vec<ParticipantId> {
        one.iter().filter(|id| !other.contains(id)).copied().collect()
    };
    match (only(before, after).as_slice(), only(after, before).as_slice()) {
        ([lone], []) | ([], [lone]) => Some(*lone),
        _ => None,
    }
}

/// Verifies one upload header against the round.
pub(crate) fn verify_header(
    signed: &Signed,
    plan: &RoundPlan,
    cohort: &Cohort,
    verifier: Verifier<'_>,
) -> Result<Verified<Header>, Rejection> {
    let verified = signed.verified::<Header>(cohort.context(), verifier)?;
    check_header(verified.payload(), plan, plan.digest(), cohort)?;
    Ok(verified)
}

fn check_header(
    header: &Header,
    plan: &RoundPlan,
    plan_digest: Digest,
    cohort: &Cohort,
) -> Result<(), Rejection> {
    cohort.slot_of(header.id)?;
    let expected = [
        ("cohort", header.h1 == cohort.h1()),
        ("preparation", header.preparation == plan.terms.number),
        ("round", header.round == plan.id),
        ("plan or question", header.plan == plan_digest),
        ("vector length", header.chunks as usize == plan.chunks()),
    ];
    match expected.iter().find(|(_, equal)| !equal) {
        Some((what, _)) => Err(Rejection::Mismatch(what)),
        None => Ok(()),
    }
}

/// Verifies one signature over `survivors`.
pub(crate) fn verify_certify(
    signed: &Signed,
    cohort: &Cohort,
    verifier: Verifier<'_>,
    survivors: &SurvivorSet,
) -> Result<Verified<Certify>, Rejection> {
    let verified = signed.verified::<Certify>(cohort.context(), verifier)?;
    check_certify(verified.payload(), cohort, survivors)?;
    Ok(verified)
}

fn check_certify(certify: &Certify, cohort: &Cohort, survivors: &SurvivorSet) -> Result<(), Rejection> {
    cohort.slot_of(certify.id)?;
    if certify.survivors == survivors.digest() { Ok(()) } else { Err(Rejection::Mismatch("survivor set")) }
}
