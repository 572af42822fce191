//! The cohort of a round: who advertised, in the order of ids, and H1 over what they signed.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::ids::{ParticipantId, Slot};
use crate::message::{Advertise, Context, Signed, Verified};
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::terms::PreparationTerms;
use crate::verifier::Verifier;

/// The participants of one round, each with its verified advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    ids: Vec<ParticipantId>,
    adverts: Vec<Signed>,
    kem_keys: Vec<Vec<u8>>,
    context: Context,
    h1: Digest,
}

impl Cohort {
    /// The cohort of these advertisements: every signature is checked, ids strictly increase within the
    /// admitted, and there are t to n of them.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn assemble(
        terms: &PreparationTerms,
        roster: &SealedRoster,
        adverts: Vec<Signed>,
    ) -> Result<Self, Rejection> {
        let context = Context { ctx0: terms.context(), h1: None };
        let verify = |signed: &Signed| signed.verified(context, Verifier::of(roster));
        Self::of(terms, adverts.iter().map(verify).collect::<Result<_, _>>()?)
    }

    /// The same, of advertisements whose signatures were verified before.
    pub(crate) fn of(
        terms: &PreparationTerms,
        verified: Vec<Verified<Advertise>>,
    ) -> Result<Self, Rejection> {
        let context = Context { ctx0: terms.context(), h1: None };
        for advert in &verified {
            advert.bound_to(context)?;
        }
        let (adverts, kem_keys): (Vec<Signed>, Vec<_>) =
            verified.into_iter().map(Verified::into_parts).map(|(signed, it)| (signed, it.kem_key)).unzip();
        let ids: Vec<_> = adverts.iter().map(|signed| signed.from).collect();
        if !ids.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(Rejection::List("cohort"));
        }
        if let Some(&stranger) = ids.iter().find(|id| terms.admitted.binary_search(id).is_err()) {
            return Err(Rejection::NotInCohort(stranger));
        }
        at_least("participants in the cohort", ids.len(), terms.protection.threshold())?;
        let parts: Vec<Vec<u8>> = adverts.iter().map(Signed::to_bytes).collect();
        let parts: Vec<&[u8]> = core::iter::once(context.ctx0.as_bytes().as_slice())
            .chain(parts.iter().map(Vec::as_slice))
            .collect();
        let h1 = Digest::of_parts("KSA/1 H1", &parts);
        Ok(Self { ids, adverts, kem_keys, context: Context { h1: Some(h1), ..context }, h1 })
    }

    /// Ids in increasing order.
    pub fn ids(&self) -> &[ParticipantId] {
        &self.ids
    }

    /// How many participants.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Never true: a cohort has at least t participants. Here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// H1: the hash of ctx0 and every signed advertisement, from which the masks follow (rule 6).
    pub fn h1(&self) -> Digest {
        self.h1
    }

    /// What signatures of this round are bound to.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The signed advertisements, in order.
    pub fn adverts(&self) -> &[Signed] {
        &self.adverts
    }

    /// The position of `id`.
    ///
    /// # Errors
    /// [`Rejection::NotInCohort`].
    pub fn slot_of(&self, id: ParticipantId) -> Result<Slot, Rejection> {
        self.ids.binary_search(&id).map(|k| Slot(k as u16)).map_err(|_| Rejection::NotInCohort(id))
    }

    /// The one-time KEM key of `id`.
    ///
    /// # Errors
    /// [`Rejection::NotInCohort`].
    pub fn kem_key(&self, id: ParticipantId) -> Result<&[u8], Rejection> {
        self.slot_of(id).map(|slot| self.kem_keys[usize::from(slot.0)].as_slice())
    }
}

pub(crate) fn at_least(what: &'static str, found: usize, needed: u16) -> Result<(), Rejection> {
    let found = u16::try_from(found).unwrap_or(u16::MAX);
    if found >= needed { Ok(()) } else { Err(Rejection::TooFew { what, found, needed }) }
}
