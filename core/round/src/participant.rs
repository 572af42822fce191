//! A participant's half of a round: what it checks before each thing it signs.
//!
//! `Invited -> Advertised -> Joined -> Acknowledged`, which is a preparation, then `Bound -> Certified`, which is the
//! round that consumes it; each by value, so that no stage can be skipped or come twice. Two messages are signed
//! within a stage, the public part of the shares and the header; that each is said once, across restarts too, is the
//! business of the agent's journal, as is all durability. Keys, shares and masks are secure aggregation's.

use alloc::sync::Arc;
use alloc::vec::Vec;

use ed25519_dalek::SigningKey;

use crate::admission::Admission;
use crate::carrier::Carrier;
use crate::cohort::Cohort;
use crate::dealing::verify_dealing;
use crate::digest::Digest;
use crate::eligibility::Acks;
use crate::ids::{JobId, ParticipantId, Place};
use crate::message::{
    Ack, Advertise, Certify, Context, Dealing, Decline, Header, Payload, PublicPart, Reveal, Signed, Verdict,
    Void,
};
use crate::plan::RoundPlan;
use crate::protection::Protection;
use crate::rejection::Rejection;
use crate::roster::SealedRoster;
use crate::survivors::{Certificate, SurvivorSet};
use crate::terms::{Deadlines, PreparationTerms};
use crate::verifier::Verifier;

/// What this participant accepted when it accepted the job. Terms that say otherwise are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The job.
    pub job: JobId,
    /// Digest of the job as it was agreed.
    pub agreement: Digest,
    /// Who may open what.
    pub protection: Protection,
    /// Whom its rounds admit.
    pub admission: Admission,
    /// How long phases may take.
    pub deadlines: Deadlines,
}

/// Has checked the terms of a preparation.
pub struct Invited(Seat);

/// Has advertised a one-time key.
pub struct Advertised {
    seat: Seat,
    own: Signed,
}

/// Knows the cohort.
pub struct Joined {
    seat: Seat,
    cohort: Arc<Cohort>,
}

/// Has acknowledged the shares it holds: its part of the preparation is done.
pub struct Acknowledged {
    seat: Seat,
    cohort: Arc<Cohort>,
    /// Dealers whose shares this participant holds, with the digest of their public parts.
    held: Vec<(ParticipantId, Digest)>,
}

/// Uses its preparation for one round; may submit once eligible, and help to open one survivor set.
pub struct Bound {
    prepared: Acknowledged,
    plan: Arc<RoundPlan>,
    /// Root of the upload, once submitted.
    submitted: Option<Digest>,
}

/// Has signed the one survivor set that it will reveal for.
pub struct Certified {
    bound: Bound,
    survivors: SurvivorSet,
}

/// A survivor set that this participant has checked against what it knows itself.
pub struct CheckedSurvivors(SurvivorSet);

/// Leave to submit one update: enough members hold good shares of this participant's key.
pub struct Eligible(());

/// A dealer's share for this participant, as it was relayed.
pub struct Received {
    /// The dealer's signed public part.
    pub public: Signed,
    /// The sealed share.
    pub sealed: Vec<u8>,
}

struct Seat {
    terms: Arc<PreparationTerms>,
    roster: Arc<SealedRoster>,
    me: ParticipantId,
}

impl Invited {
    /// Checks a preparation's terms against the roster and the accepted job. Where rounds admit institutions by lot, whether
    /// these are those that the question draws ([`Admission::of_question`]) is for the caller to check, who knows the question.
    ///
    /// # Errors
    /// [`Rejection`] names the first term that differs (attacks A13, A14, A33).
    pub fn check(
        terms: PreparationTerms,
        accepted: &Accepted,
        roster: Arc<SealedRoster>,
        me: ParticipantId,
    ) -> Result<Self, Rejection> {
        let expected = [
            ("federation", terms.federation == roster.roster().federation),
            ("roster", terms.roster == roster.digest()),
            ("job", terms.job == accepted.job),
            ("agreement", terms.agreement == accepted.agreement),
            ("protection", terms.protection == accepted.protection),
            ("list of admitted institutions", accepted.admission.may_admit(&terms.admitted)),
            ("deadlines", terms.deadlines == accepted.deadlines),
        ];
        if let Some((what, _)) = expected.iter().find(|(_, equal)| !equal) {
            return Err(Rejection::NotAgreed(what));
        }
        terms.check()?;
        if terms.admitted.iter().any(|id| roster.member(*id).is_none()) {
            return Err(Rejection::UnknownSender);
        }
        if terms.admitted.binary_search(&me).is_err() {
            return Err(Rejection::NotInCohort(me));
        }
        Ok(Self(Seat { terms: Arc::new(terms), roster, me }))
    }

    /// The checked terms.
    pub fn terms(&self) -> &Arc<PreparationTerms> {
        &self.0.terms
    }

    /// Phase A. `nonce` is fresh randomness.
    pub fn advertise(self, kem_key: Vec<u8>, nonce: [u8; 32], key: &SigningKey) -> (Advertised, Signed) {
        let own = Advertise { id: self.0.me, kem_key, nonce }.sign(self.0.context(), key);
        (Advertised { seat: self.0, own: own.clone() }, own)
    }

    /// Promises never to reveal in the attempt of `plan`, whose cohort is that of `adverts`. `own` is the advertisement
    /// with which this participant took part in it; none other makes a promise. Whoever calls this has written down that
    /// it has not revealed and never will.
    ///
    /// # Errors
    /// [`Rejection`] where the advertisements are no cohort of the plan, or `own` is not among them.
    pub fn void(
        plan: &RoundPlan,
        roster: &SealedRoster,
        adverts: Vec<Signed>,
        own: &Signed,
        key: &SigningKey,
    ) -> Result<Signed, Rejection> {
        if !adverts.contains(own) {
            return Err(Rejection::OwnMessage("advertisement"));
        }
        let cohort = Cohort::assemble(&plan.terms, roster, adverts)?;
        Ok(Void { id: own.from, round: plan.id }.sign(cohort.context(), key))
    }

    /// Declines the preparation with these terms, or the round that it belongs to, with a reason code.
    pub fn decline(
        terms: &PreparationTerms,
        place: Place,
        me: ParticipantId,
        reason: &str,
        key: &SigningKey,
    ) -> Signed {
        let context = Context { ctx0: terms.context(), h1: None };
        Decline { id: me, round: place.round(), reason: reason.into() }.sign(context, key)
    }
}

impl Advertised {
    /// Checks the cohort: every signature, order, size, and that this participant's own advertisement is in
    /// it unchanged (A10, A11, A33).
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn join(self, adverts: Vec<Signed>) -> Result<Joined, Rejection> {
        if !adverts.contains(&self.own) {
            return Err(Rejection::OwnMessage("advertisement"));
        }
        let cohort = Cohort::assemble(&self.seat.terms, &self.seat.roster, adverts)?;
        Ok(Joined { seat: self.seat, cohort: Arc::new(cohort) })
    }
}

impl Joined {
    /// The checked cohort.
    pub fn cohort(&self) -> &Arc<Cohort> {
        &self.cohort
    }

    /// Phase B: signs the public part, and the shares sealed for each member.
    pub fn deal(&self, public: PublicPart, sealed: &[(ParticipantId, Vec<u8>)], key: &SigningKey) -> Signed {
        let shares = sealed.iter().map(|(to, bytes)| (*to, Digest::of(bytes))).collect();
        Dealing { id: self.seat.me, shares, public }.sign(self.cohort.context(), key)
    }

    /// Checks that shares were relayed in increasing order of dealers, none twice.
    ///
    /// # Errors
    /// [`Rejection::List`].
    pub fn check_dealers(&self, received: &[Received]) -> Result<(), Rejection> {
        let increasing = received.windows(2).all(|pair| pair[0].public.from < pair[1].public.from);
        if increasing { Ok(()) } else { Err(Rejection::List("dealers")) }
    }

    /// Checks that a dealer in the cohort signed exactly this sealed share for this participant (A15, A36), and
    /// returns what the share in it is to be verified by.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn check_share(&self, received: &Received) -> Result<PublicPart, Rejection> {
        let dealing = verify_dealing(
            &received.public,
            &self.seat.terms,
            &self.cohort,
            Verifier::of(&self.seat.roster),
        )?;
        let mine = (self.seat.me, Digest::of(&received.sealed));
        if dealing.shares.contains(&mine) {
            Ok(dealing.public)
        } else {
            Err(Rejection::Mismatch("sealed share"))
        }
    }

    /// Phase C: signs a verdict over every dealer; `true` where the share is stored and good.
    pub fn acknowledge(self, verdicts: &[(&Signed, bool)], key: &SigningKey) -> (Acknowledged, Signed) {
        let verdict = |(public, ok): &(&Signed, bool)| Verdict {
            dealer: public.from,
            dealing: public.digest(),
            ok: *ok,
        };
        let verdicts: Vec<Verdict> = verdicts.iter().map(verdict).collect();
        let held = verdicts.iter().filter(|v| v.ok).map(|v| (v.dealer, v.dealing)).collect();
        let signed = Ack { id: self.seat.me, verdicts }.sign(self.cohort.context(), key);
        (Acknowledged { seat: self.seat, cohort: self.cohort, held }, signed)
    }
}

impl Acknowledged {
    /// The terms of the preparation.
    pub fn terms(&self) -> &Arc<PreparationTerms> {
        &self.seat.terms
    }

    /// The cohort.
    pub fn cohort(&self) -> &Arc<Cohort> {
        &self.cohort
    }

    /// Uses the preparation for the round with this plan, and for no other (rule 5). That its question is one of the
    /// job, and that this is the plan's only round, is for the caller to check.
    ///
    /// # Errors
    /// [`Rejection`] where the plan breaks a rule, or its terms are not those of this preparation.
    pub fn bind(self, plan: Arc<RoundPlan>) -> Result<Bound, Rejection> {
        if plan.terms != *self.seat.terms {
            return Err(Rejection::Mismatch("preparation"));
        }
        plan.check()?;
        Ok(Bound { prepared: self, plan, submitted: None })
    }
}

impl Bound {
    /// The plan.
    pub fn plan(&self) -> &Arc<RoundPlan> {
        &self.plan
    }

    /// The cohort.
    pub fn cohort(&self) -> &Arc<Cohort> {
        &self.prepared.cohort
    }

    /// Checks that enough members hold good shares of this participant's key, so that it may submit.
    ///
    /// # Errors
    /// [`Rejection::NotEligible`], or a bad acknowledgement.
    pub fn may_submit(&self, acks: Vec<Signed>) -> Result<Eligible, Rejection> {
        let Acknowledged { seat, cohort, held } = &self.prepared;
        let acks = Acks::verify(acks, cohort, &seat.roster)?;
        let own = held.iter().find(|(dealer, _)| *dealer == seat.me);
        let (_, dealing) = own.ok_or(Rejection::NotEligible(seat.me))?;
        acks.check(seat.me, *dealing, &seat.terms.protection)?;
        Ok(Eligible(()))
    }

    /// Phase D of an update that was shared itself: signs a header over the public part of the sharing.
    ///
    /// # Errors
    /// [`Rejection::NotEligible`] where this participant dealt nothing.
    pub fn submit_shared(&mut self, eligible: Eligible, key: &SigningKey) -> Result<Signed, Rejection> {
        let me = self.prepared.seat.me;
        let own = self.prepared.held.iter().find(|(dealer, _)| *dealer == me);
        let (_, dealing) = *own.ok_or(Rejection::NotEligible(me))?;
        Ok(self.submit(eligible, dealing, key))
    }

    /// Phase D: signs the header of an upload with Merkle root `root`.
    pub fn submit(&mut self, _: Eligible, root: Digest, key: &SigningKey) -> Signed {
        let plan = &self.plan;
        self.submitted = Some(root);
        let header = Header {
            id: self.prepared.seat.me,
            h1: self.cohort().h1(),
            preparation: plan.terms.number,
            round: plan.id,
            plan: plan.digest(),
            chunks: plan.chunks() as u32,
            root,
        };
        header.sign(self.cohort().context(), key)
    }

    /// Phase E: checks a survivor list (rules 3 and 7): every header is verified against this participant's
    /// own plan and question, its own root is as submitted, and it holds a share of every survivor.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong; nothing is signed.
    pub fn check_survivors(&self, headers: Vec<Signed>) -> Result<CheckedSurvivors, Rejection> {
        let Acknowledged { seat, cohort, held } = &self.prepared;
        let survivors = SurvivorSet::from_headers(&self.plan, cohort, &seat.roster, headers)?;
        let mine = survivors.headers().iter().find(|header| header.id == seat.me);
        if mine.is_some_and(|header| Some(header.root) != self.submitted) {
            return Err(Rejection::OwnMessage("upload"));
        }
        let holds = |id: &ParticipantId| held.iter().any(|(dealer, _)| dealer == id);
        if let Some(dealer) = survivors.ids().iter().find(|id| !holds(id)) {
            return Err(Rejection::NotEligible(*dealer));
        }
        // Of an update that was shared itself, the header must be about the very sharing that is held.
        let is_of_dealing = |header: &Header| held.contains(&(header.id, header.root));
        match self.plan.carrier == Carrier::Shares && !survivors.headers().iter().all(is_of_dealing) {
            true => Err(Rejection::Mismatch("public part of a dealer")),
            false => Ok(CheckedSurvivors(survivors)),
        }
    }

    /// Signs a checked survivor set. From here on this participant helps to open no other.
    pub fn certify(self, survivors: CheckedSurvivors, key: &SigningKey) -> (Certified, Signed) {
        let CheckedSurvivors(survivors) = survivors;
        let certify = Certify { id: self.prepared.seat.me, survivors: survivors.digest() };
        let signed = certify.sign(self.cohort().context(), key);
        (Certified { bound: self, survivors }, signed)
    }
}

impl CheckedSurvivors {
    /// The digest that members sign.
    pub fn digest(&self) -> Digest {
        self.0.digest()
    }

    /// Ids in increasing order.
    pub fn ids(&self) -> &[ParticipantId] {
        self.0.ids()
    }
}

impl Certified {
    /// The cohort.
    pub fn cohort(&self) -> &Arc<Cohort> {
        self.bound.cohort()
    }

    /// The survivor set that this participant signed.
    pub fn survivors(&self) -> &SurvivorSet {
        &self.survivors
    }

    /// Checks a certificate: t members of the cohort signed exactly the set that this participant signed.
    ///
    /// # Errors
    /// [`Rejection`] names the first thing wrong.
    pub fn check(&self, signatures: Vec<Signed>) -> Result<Certificate, Rejection> {
        let Acknowledged { seat, cohort, .. } = &self.bound.prepared;
        let survivors = self.survivors.clone();
        Certificate::verify(&self.bound.plan, cohort, &seat.roster, survivors, signatures)
    }

    /// Phase F: signs the sum of this participant's shares for the certified set. Takes the participant
    /// away: it reveals once.
    ///
    /// # Panics
    /// When `certificate` is not over the set that this participant signed, which [`Self::check`] rules out:
    /// rather no reveal than one for a second set.
    pub fn reveal(self, certificate: &Certificate, share_sum: Vec<u8>, key: &SigningKey) -> Signed {
        let survivors = self.survivors.digest();
        assert_eq!(certificate.survivors().digest(), survivors, "the certificate comes from `check`");
        let reveal = Reveal { id: self.bound.prepared.seat.me, survivors, share_sum };
        reveal.sign(self.cohort().context(), key)
    }
}

impl Seat {
    fn context(&self) -> Context {
        Context { ctx0: self.terms.context(), h1: None }
    }
}
