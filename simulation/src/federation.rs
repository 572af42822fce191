//! The members, their keys, and the plans of their rounds.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_round::participant::Accepted;
use syndic_round::vector::small_vector_elements;
use syndic_round::{
    Admission, Carrier, Deadlines, Digest, EndorsedRoster, JobId, Layout, Member, ParameterSet,
    ParticipantId, PreparationTerms, Protection, Roster, RoundId, RoundPlan, SealedRoster, Timestamp,
    question_fingerprint,
};

use crate::oracle;
use crate::scenario::Shared;

/// When every run begins.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);

/// A federation made from a seed, and the jobs that all of it accepted.
pub(crate) struct Federation {
    pub(crate) roster: Arc<SealedRoster>,
    /// Those of its first job.
    pub(crate) protection: Protection,
    jobs: Vec<Job>,
    keys: Vec<SigningKey>,
    /// The coordinator's.
    ledger_key: SigningKey,
    seed: u64,
}

/// A job as all accepted it.
pub(crate) struct Job {
    pub(crate) accepted: Accepted,
    /// Which of its vectors are shared themselves.
    pub(crate) shared: Shared,
}

impl Federation {
    /// A federation of `n` with one job, whose protection is the default for as many.
    pub(crate) fn of(seed: u64, n: u16, parameter_set: ParameterSet, shared: Shared) -> Self {
        let key = |number: u16| {
            let label = format!("key {number} of federation {seed}");
            SigningKey::from_bytes(Digest::of(label.as_bytes()).as_bytes())
        };
        let keys: Vec<_> = (1..=n).map(key).collect();
        let member = |(number, key): (u16, &SigningKey)| Member {
            id: id(number),
            name: format!("institution-{number}"),
            signing_key: key.verifying_key().to_bytes(),
        };
        let roster = Roster {
            federation: "simulated".into(),
            members: (1..=n).zip(&keys).map(member).collect(),
            coordinator_key: key(0).verifying_key().to_bytes(),
            approvers: Vec::new(),
        };
        let endorsements = (1..=n).zip(&keys).map(|(number, key)| roster.endorse(id(number), key)).collect();
        let roster = EndorsedRoster { roster, endorsements }.verify().expect("every member endorsed it");
        let protection =
            Protection::default_for(parameter_set, n).expect("scenarios have a size that the set serves");
        let accepted = Accepted {
            job: JobId::new(JOB).expect("the name keeps the rule"),
            agreement: Digest::of(b"the simulated job"),
            protection,
            admission: Admission::of_all((1..=n).map(id).collect()),
            deadlines: DEADLINES,
        };
        let jobs = vec![Job { accepted, shared }];
        Self { roster: Arc::new(roster), protection, jobs, keys, ledger_key: key(0), seed }
    }

    /// The members' ids, in order.
    pub(crate) fn ids(&self) -> Vec<ParticipantId> {
        self.roster.roster().members.iter().map(|member| member.id).collect()
    }

    /// The key of `id`.
    pub(crate) fn key(&self, id: ParticipantId) -> &SigningKey {
        &self.keys[usize::from(id.get()) - 1]
    }

    /// The key that signs heads of the ledger.
    pub(crate) fn ledger_key(&self) -> SigningKey {
        self.ledger_key.clone()
    }

    /// With a second job, which all accepted, too: its vectors are encrypted, and less protects them.
    pub(crate) fn with_lax_job(mut self) -> Self {
        let Job { accepted: strict, .. } = &self.jobs[0];
        let (set, n) = (strict.protection.parameter_set(), strict.protection.admitted());
        let (admitted, t) = (strict.admission.institutions()[usize::from(n - LAX)..].to_vec(), LAX - 1);
        let accepted = Accepted {
            job: JobId::new(LAX_JOB).expect("the name keeps the rule"),
            agreement: Digest::of(b"the lax job"),
            protection: Protection::new(set, LAX, t, 0, t).expect("two of three, none of whom colludes"),
            admission: Admission::of_all(admitted),
            deadlines: DEADLINES,
        };
        self.jobs.push(Job { accepted, shared: Shared::Nothing });
        self
    }

    /// With one more job, which all accepted, too: each place in it is asked of some of the members, drawn by lot.
    pub(crate) fn with_job_by_lot(mut self) -> Self {
        let set = self.protection.parameter_set();
        let accepted = Accepted {
            job: JobId::new(JOB_BY_LOT).expect("the name keeps the rule"),
            agreement: Digest::of(b"the job by lot"),
            protection: Protection::new(set, DRAWN, 3, 1, 3).expect("three of four, one of whom colludes"),
            admission: Admission::by_lot(self.ids(), DRAWN),
            deadlines: DEADLINES,
        };
        self.jobs.push(Job { accepted, shared: Shared::Nothing });
        self
    }

    /// The job with this name, as all accepted it; the first where it is the name of none.
    pub(crate) fn job(&self, name: &JobId) -> &Job {
        self.jobs.iter().find(|job| job.accepted.job == *name).unwrap_or(&self.jobs[0])
    }

    /// The bytes of the question asked in place `slot` of the program. Only a lying coordinator asks another `variant`
    /// than the first there.
    pub(crate) fn question(&self, slot: u32, variant: u32) -> Vec<u8> {
        format!("train/{slot};variant {variant} of {}", self.seed).into_bytes()
    }

    /// The fingerprint of every question asked in place `slot` of the first job.
    pub(crate) fn fingerprint(&self, slot: u32) -> Digest {
        self.plan(RoundId { round: 1, attempt: 1 }, 1).question_fingerprint(&format!("train/{slot}"))
    }

    /// The plan of an attempt of the first job, whose question is that in the place of its round.
    pub(crate) fn plan(&self, id: RoundId, preparation: u64) -> RoundPlan {
        self.plan_of(0, id, preparation, id.round, 0)
    }

    /// The plan of an attempt of the job at `index`, with any of its questions.
    pub(crate) fn plan_of(
        &self,
        index: usize,
        id: RoundId,
        preparation: u64,
        slot: u32,
        variant: u32,
    ) -> RoundPlan {
        let job = &self.jobs[index];
        let Accepted { job: name, agreement, protection, admission, deadlines } = job.accepted.clone();
        let layout = job.layout(slot);
        let fingerprint = question_fingerprint(&name, &format!("train/{slot}"));
        RoundPlan {
            terms: PreparationTerms {
                federation: self.roster.roster().federation.clone(),
                roster: self.roster.digest(),
                job: name,
                agreement,
                number: preparation,
                protection,
                admitted: admission.of_question(agreement, fingerprint),
                deadlines,
            },
            id,
            question: Digest::of(&self.question(slot, variant)),
            carrier: job.carrier_of(&layout),
            layout,
        }
    }
}

impl Job {
    /// The layout of the answers to the questions in place `slot`.
    pub(crate) fn layout(&self, slot: u32) -> Layout {
        let is_long = self.shared == Shared::EveryOther && slot.is_multiple_of(2);
        oracle::layout(self.accepted.admission.institutions(), is_long)
    }

    /// What carries a vector of this layout to its sum, as the shipped job says it.
    pub(crate) fn carrier_of(&self, layout: &Layout) -> Carrier {
        let is_small = || small_vector_elements(layout, self.accepted.protection.admitted()).is_some();
        if self.shared != Shared::Nothing && is_small() { Carrier::Shares } else { Carrier::Ring }
    }
}

/// The place in the program that a question's bytes name.
pub(crate) fn slot_of(question: &[u8]) -> Option<&str> {
    std::str::from_utf8(question).ok()?.split_once(';').map(|(slot, _)| slot)
}

/// The same, as a number.
pub(crate) fn slot_number(question: &[u8]) -> Option<u32> {
    slot_of(question)?.strip_prefix("train/")?.parse().ok()
}

/// The longest that a round takes if nobody restarts the coordinator, in milliseconds: once revealing has
/// begun, it waits ten times as long as the plan says, and again after a reveal that turned out to be wrong.
pub(crate) const LONGEST_ROUND: u64 =
    DEADLINES.advertise + 2 * DEADLINES.share + DEADLINES.collect + DEADLINES.certify + 20 * DEADLINES.reveal;

/// The longest that a preparation takes if nobody restarts the coordinator, in milliseconds.
pub(crate) const LONGEST_PREPARATION: u64 = DEADLINES.advertise + 2 * DEADLINES.share;

/// The longest phase, which a restart lets begin anew.
pub(crate) const LONGEST_PHASE: u64 = DEADLINES.collect;

const DEADLINES: Deadlines =
    Deadlines { advertise: 1_500, share: 1_500, collect: 2_500, certify: 1_500, reveal: 2_000 };

/// The first job's name.
const JOB: &str = "simulated-job";

/// The second job's name.
const LAX_JOB: &str = "lax-job";

/// The name of the one that draws.
const JOB_BY_LOT: &str = "job-by-lot";

/// How many it draws.
const DRAWN: u16 = 4;

/// Institutions admitted to the second job, the last ones: two of them open what is shared there.
const LAX: u16 = 3;

fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("members are numbered from 1")
}
