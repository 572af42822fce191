//! An honest federation with its plans and keys, to make samples of: real signatures, dummy key bytes.

use std::sync::{Arc, LazyLock};

use ed25519_dalek::SigningKey;
use syndic_round::coordinator::{Bundle, Dealt, Upload};
use syndic_round::message::{
    Ack, Advertise, Certify, Context, Dealing, Header, Payload, PublicPart, Reveal, Verdict,
};
use syndic_round::{
    Block, Carrier, Certificate, Cohort, Deadlines, Digest, EndorsedRoster, JobId, Layout, Member,
    ParameterSet, ParticipantId, PreparationTerms, Protection, RING_DIMENSION, Roster, RoundId, RoundPlan,
    SealedRoster, Signed, SurvivorSet,
};

/// Seven institutions.
pub(crate) struct Federation {
    pub(crate) roster: Arc<SealedRoster>,
    keys: Vec<SigningKey>,
}

/// The one federation that all targets share.
pub(crate) static FEDERATION: LazyLock<Federation> = LazyLock::new(Federation::new);

/// Institutions in a plan, as a rule; four of them open a sum.
pub(crate) const N: u16 = 5;

/// Institutions in the federation; five of them open a sum, and seven tell one wrong reveal.
pub(crate) const ALL: u16 = 7;

impl Federation {
    fn new() -> Self {
        let key = |number: u16| SigningKey::from_bytes(&Digest::of(&number.to_be_bytes()).0);
        let keys: Vec<_> = (1..=ALL).map(key).collect();
        let member = |(number, key): (u16, &SigningKey)| Member {
            id: id(number),
            name: format!("bank-{number}"),
            signing_key: key.verifying_key().to_bytes(),
        };
        let roster = Roster {
            federation: "federation".into(),
            members: (1..).zip(&keys).map(member).collect(),
            coordinator_key: key(0).verifying_key().to_bytes(),
            approvers: Vec::new(),
        };
        let endorsements = (1..).zip(&keys).map(|(number, key)| roster.endorse(id(number), key)).collect();
        let sealed = EndorsedRoster { roster, endorsements }.verify().expect("every member endorsed");
        Self { roster: Arc::new(sealed), keys }
    }

    pub(crate) fn key(&self, id: ParticipantId) -> &SigningKey {
        &self.keys[usize::from(id.get()) - 1]
    }

    /// A plan of the first [`N`] for three chunks.
    pub(crate) fn plan(&self, attempt: u32) -> RoundPlan {
        self.plan_of(attempt, N)
    }

    /// The same of the first `n`.
    pub(crate) fn plan_of(&self, attempt: u32, n: u16) -> RoundPlan {
        let plan = RoundPlan {
            terms: PreparationTerms {
                federation: self.roster.roster().federation.clone(),
                roster: self.roster.digest(),
                job: JobId::new("job").expect("a job id"),
                agreement: Digest::of(b"agreement"),
                number: attempt.into(),
                protection: Protection::default_for(ParameterSet::S24, n).expect("terms that are allowed"),
                admitted: (1..=n).map(id).collect(),
                deadlines: Deadlines { advertise: 10, share: 10, collect: 10, certify: 10, reveal: 10 },
            },
            id: RoundId { round: 1, attempt },
            question: Digest::of(b"question"),
            carrier: Carrier::Ring,
            layout: Layout::new(vec![Block {
                name: "values".into(),
                len: 5_000,
                bound: 100.0,
                resolution: 1.0,
            }])
            .expect("a sound layout"),
        };
        plan.check().expect("a sound plan");
        plan
    }

    pub(crate) fn sign(&self, message: &impl Payload, context: Context) -> Signed {
        message.sign(context, self.key(message.sender()))
    }

    pub(crate) fn advertise(&self, plan: &RoundPlan, id: ParticipantId) -> Signed {
        let advertise = Advertise { id, kem_key: vec![7; 1_216], nonce: [id.get() as u8; 32] };
        self.sign(&advertise, Context { ctx0: plan.context(), h1: None })
    }

    pub(crate) fn cohort(&self, plan: &RoundPlan) -> Cohort {
        let adverts = plan.terms.admitted.iter().map(|id| self.advertise(plan, *id)).collect();
        Cohort::assemble(&plan.terms, &self.roster, adverts).expect("an honest cohort")
    }

    /// A public part of the right shape, and its bundle.
    pub(crate) fn deal(&self, plan: &RoundPlan, cohort: &Cohort, id: ParticipantId) -> (Signed, Bundle) {
        let sealed: Vec<_> = cohort.ids().iter().map(|to| (*to, vec![id.get() as u8; 3])).collect();
        let bundle = Bundle::measure(&Bundle::encode(&sealed)).expect("an encoding of ours");
        let terms = usize::from(plan.terms.protection.threshold());
        let commitments = cohort.ids().iter().map(|id| Digest::of(&id.get().to_be_bytes())).collect();
        let public = PublicPart { commitments, checks: [vec![1; terms], vec![2; terms]] };
        let dealing = Dealing { id, shares: bundle.shares.clone(), public };
        (self.sign(&dealing, cohort.context()), bundle)
    }

    /// Verdicts over all dealers; a complaint of the dealer with number `complaint`.
    pub(crate) fn acknowledge(
        &self,
        cohort: &Cohort,
        dealt: &[Dealt],
        id: ParticipantId,
        complaint: u16,
    ) -> Signed {
        let verdict = |dealt: &Dealt| Verdict {
            dealer: dealt.public.from,
            dealing: dealt.public.digest(),
            ok: dealt.public.from.get() != complaint,
        };
        self.sign(&Ack { id, verdicts: dealt.iter().map(verdict).collect() }, cohort.context())
    }

    /// The header of an upload with Merkle root `root`.
    pub(crate) fn header(
        &self,
        plan: &RoundPlan,
        cohort: &Cohort,
        id: ParticipantId,
        root: Digest,
    ) -> Signed {
        let header = Header {
            id,
            h1: cohort.h1(),
            preparation: plan.terms.number,
            round: plan.id,
            plan: plan.digest(),
            chunks: chunks_of(plan),
            root,
        };
        self.sign(&header, cohort.context())
    }

    pub(crate) fn survivors(
        &self,
        plan: &RoundPlan,
        cohort: &Cohort,
        roots: &[(ParticipantId, Digest)],
    ) -> SurvivorSet {
        let headers = roots.iter().map(|(id, root)| self.header(plan, cohort, *id, *root)).collect();
        SurvivorSet::from_headers(plan, cohort, &self.roster, headers).expect("honest headers")
    }

    pub(crate) fn certify(&self, cohort: &Cohort, survivors: Digest, id: ParticipantId) -> Signed {
        self.sign(&Certify { id, survivors }, cohort.context())
    }

    pub(crate) fn certificate(
        &self,
        plan: &RoundPlan,
        cohort: &Cohort,
        survivors: SurvivorSet,
    ) -> Certificate {
        let digest = survivors.digest();
        let signatures = cohort.ids().iter().map(|id| self.certify(cohort, digest, *id)).collect();
        Certificate::verify(plan, cohort, &self.roster, survivors, signatures).expect("all of them signed")
    }

    pub(crate) fn reveal(&self, cohort: &Cohort, survivors: Digest, id: ParticipantId, len: usize) -> Signed {
        let share_sum = vec![id.get() as u8; len];
        self.sign(&Reveal { id, survivors, share_sum }, cohort.context())
    }
}

/// The participant with this number.
pub(crate) fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("participants are numbered from 1")
}

/// An upload of the length that `plan` asks for.
pub(crate) fn upload_of(plan: &RoundPlan, id: ParticipantId) -> Upload {
    let named = |what: &[u8]| Digest::of(&[what, &id.get().to_be_bytes()].concat());
    Upload { root: named(b"root"), chunks: chunks_of(plan), blob: named(b"blob"), bytes: 1 }
}

pub(crate) fn chunks_of(plan: &RoundPlan) -> u32 {
    (plan.coefficients() / RING_DIMENSION) as u32
}
