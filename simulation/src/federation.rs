//! The members, their keys, and the plans of their rounds.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_round::participant::Accepted;
use syndic_round::{
    Deadlines, Digest, EndorsedRoster, JobId, Member, ParameterSet, ParticipantId, PreparationTerms,
    Protection, Roster, RoundId, RoundPlan, SealedRoster, Timestamp,
};

use crate::oracle;

/// When every run begins.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);

/// A federation made from a seed, and the one job that it runs.
pub(crate) struct Federation {
    pub(crate) roster: Arc<SealedRoster>,
    pub(crate) protection: Protection,
    keys: Vec<SigningKey>,
    seed: u64,
}

impl Federation {
    /// A federation of `n`, with the protection that is the default for as many.
    pub(crate) fn of(seed: u64, n: u16, parameter_set: ParameterSet) -> Self {
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
        };
        let endorsements = (1..=n).zip(&keys).map(|(number, key)| roster.endorse(id(number), key)).collect();
        let roster = EndorsedRoster { roster, endorsements }.verify().expect("every member endorsed it");
        let protection =
            Protection::default_for(parameter_set, n).expect("scenarios have a size that the set serves");
        Self { roster: Arc::new(roster), protection, keys, seed }
    }

    /// The members' ids, in order.
    pub(crate) fn ids(&self) -> Vec<ParticipantId> {
        self.roster.roster().members.iter().map(|member| member.id).collect()
    }

    /// The key of `id`.
    pub(crate) fn key(&self, id: ParticipantId) -> &SigningKey {
        &self.keys[usize::from(id.get()) - 1]
    }

    /// The job as all accepted it.
    pub(crate) fn accepted(&self) -> Accepted {
        Accepted {
            job: JobId::new(JOB).expect("the name keeps the rule"),
            agreement: Digest::of(b"the simulated job"),
            protection: self.protection,
            admitted: self.ids(),
            deadlines: DEADLINES,
        }
    }

    /// The bytes of the question asked in place `slot` of the program. Only a lying coordinator asks another `variant`
    /// than the first there.
    pub(crate) fn question(&self, slot: u32, variant: u32) -> Vec<u8> {
        format!("train/{slot};variant {variant} of {}", self.seed).into_bytes()
    }

    /// The fingerprint of every question asked in place `slot`.
    pub(crate) fn fingerprint(&self, slot: u32) -> Digest {
        self.plan(RoundId { round: 1, attempt: 1 }, 1).question_fingerprint(&format!("train/{slot}"))
    }

    /// The plan of an attempt, whose question is that in the place of its round.
    pub(crate) fn plan(&self, id: RoundId, preparation: u64) -> RoundPlan {
        let Accepted { job, agreement, protection, admitted, deadlines } = self.accepted();
        RoundPlan {
            terms: PreparationTerms {
                federation: self.roster.roster().federation.clone(),
                roster: self.roster.digest(),
                job,
                agreement,
                number: preparation,
                protection,
                admitted,
                deadlines,
            },
            id,
            question: Digest::of(&self.question(id.round, 0)),
            layout: oracle::layout(protection.admitted()),
            carrier: Default::default(),
        }
    }
}

/// The place in the program that a question's bytes name.
pub(crate) fn slot_of(question: &[u8]) -> Option<&str> {
    std::str::from_utf8(question).ok()?.split_once(';').map(|(slot, _)| slot)
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

/// The job's name.
const JOB: &str = "simulated-job";

fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("members are numbered from 1")
}
