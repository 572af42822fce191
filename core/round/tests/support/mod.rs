//! Builders with good defaults, and a table at which both halves of a round play with dummy key bytes.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test crate uses another part of it")]

pub mod seat;
mod table;

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_round::participant::Accepted;
use syndic_round::{
    Admission, Block, Carrier, Deadlines, Digest, EndorsedRoster, JobId, Layout, Member, ParameterSet,
    ParticipantId, PreparationTerms, Protection, Roster, RoundId, RoundPlan, SealedRoster, Timestamp,
};

pub use table::{Table, opened};

/// When every table opens.
pub const START: Timestamp = Timestamp(1_000_000);

/// A roster sealed by all its members, and the keys that sealed it.
pub struct Federation {
    pub roster: Arc<SealedRoster>,
    keys: Vec<SigningKey>,
}

/// A federation of participants 1 to `n`, the same at every call.
pub fn federation_of(n: u16) -> Federation {
    let keys: Vec<_> = (1..=n).map(|number| signing_key("member", number)).collect();
    let members = (1..=n).zip(&keys).map(|(number, key)| Member {
        id: id(number),
        name: format!("bank-{number}"),
        signing_key: key.verifying_key().to_bytes(),
    });
    let roster = Roster {
        federation: "test-federation".into(),
        members: members.collect(),
        coordinator_key: signing_key("coordinator", 0).verifying_key().to_bytes(),
        approvers: Vec::new(),
    };
    let endorsements = (1..=n).zip(&keys).map(|(number, key)| roster.endorse(id(number), key)).collect();
    let sealed = EndorsedRoster { roster, endorsements }.verify().expect("every member endorsed");
    Federation { roster: Arc::new(sealed), keys }
}

impl Federation {
    pub fn key(&self, id: ParticipantId) -> &SigningKey {
        &self.keys[usize::from(id.get()) - 1]
    }
}

/// The participant with this number.
pub fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("tests number participants from 1")
}

/// The participants with these numbers.
pub fn ids(numbers: impl IntoIterator<Item = u16>) -> Vec<ParticipantId> {
    numbers.into_iter().map(id).collect()
}

pub fn signing_key(role: &str, number: u16) -> SigningKey {
    SigningKey::from_bytes(&Digest::of(format!("{role} {number}").as_bytes()).0)
}

/// Terms of a round among all of a federation of five, with the default protection (t = 4, c = 2), unless said
/// otherwise.
pub struct PlanBuilder {
    n: u16,
    min_survivors: Option<u16>,
    pub id: RoundId,
    pub preparation: u64,
    pub question: Digest,
    pub layout: Layout,
    pub carrier: Carrier,
    pub deadlines: Deadlines,
}

/// A plan to be built.
pub fn plan() -> PlanBuilder {
    PlanBuilder {
        n: 5,
        min_survivors: None,
        id: RoundId { round: 1, attempt: 1 },
        preparation: 1,
        question: Digest::of(b"the model"),
        layout: Layout::new(vec![block(8, 100.0, 1.0)]).expect("a sound layout"),
        carrier: Carrier::Ring,
        deadlines: Deadlines {
            advertise: 1_000,
            share: 2_000,
            collect: 60_000,
            certify: 3_000,
            reveal: 4_000,
        },
    }
}

pub fn block(len: u32, bound: f64, resolution: f64) -> Block {
    Block { name: "values".into(), len, bound, resolution }
}

impl PlanBuilder {
    pub fn cohort_of(self, n: u16) -> Self {
        Self { n, ..self }
    }

    pub fn min_survivors(self, u_min: u16) -> Self {
        Self { min_survivors: Some(u_min), ..self }
    }

    pub fn asking(self, question: &[u8]) -> Self {
        Self { question: Digest::of(question), ..self }
    }

    pub fn round(self, round: u32, attempt: u32, preparation: u64) -> Self {
        Self { id: RoundId { round, attempt }, preparation, ..self }
    }

    pub fn sharing_the_vector(self) -> Self {
        Self { carrier: Carrier::Shares, ..self }
    }

    pub fn protection(&self) -> Protection {
        let t = Protection::default_threshold(self.n);
        let c = Protection::largest_colluding(self.n, t);
        Protection::new(ParameterSet::S32, self.n, t, c, self.min_survivors.unwrap_or(t))
            .expect("terms that the protocol allows")
    }

    /// The plan for the first n members of `federation`.
    pub fn build(self, federation: &Federation) -> RoundPlan {
        let protection = self.protection();
        RoundPlan {
            terms: PreparationTerms {
                federation: federation.roster.roster().federation.clone(),
                roster: federation.roster.digest(),
                job: JobId::new("credit-default.1").expect("a job id"),
                agreement: Digest::of(b"the job as agreed"),
                number: self.preparation,
                protection,
                admitted: ids(1..=self.n),
                deadlines: self.deadlines,
            },
            id: self.id,
            question: self.question,
            layout: self.layout,
            carrier: self.carrier,
        }
    }
}

/// What a participant accepted that goes along with `plan`.
pub fn accepted(plan: &RoundPlan) -> Accepted {
    Accepted {
        job: plan.terms.job.clone(),
        agreement: plan.terms.agreement,
        protection: plan.terms.protection,
        admission: Admission::of_all(plan.terms.admitted.clone()),
        deadlines: plan.terms.deadlines,
    }
}
