//! The members, their keys, and the plans of their rounds.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_round::{
    Deadlines, Digest, EndorsedRoster, JobId, Member, ParticipantId, Protection, Roster, RoundId, RoundPlan,
    SealedRoster, Timestamp,
};

use crate::oracle;
use crate::scenario::Scenario;

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
    /// The federation of a scenario.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let n = scenario.participants;
        let key = |number: u16| {
            let label = format!("key {number} of federation {}", scenario.seed);
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
        let protection = Protection::default_for(scenario.parameter_set, n)
            .expect("scenarios have a size that the set serves");
        Self { roster: Arc::new(roster), protection, keys, seed: scenario.seed }
    }

    /// The members' ids, in order.
    pub(crate) fn ids(&self) -> Vec<ParticipantId> {
        self.roster.roster().members.iter().map(|member| member.id).collect()
    }

    /// The key of `id`.
    pub(crate) fn key(&self, id: ParticipantId) -> &SigningKey {
        &self.keys[usize::from(id.get()) - 1]
    }

    /// The digest of the job as all accepted it.
    pub(crate) fn agreement(&self) -> Digest {
        Digest::of(b"the simulated job")
    }

    /// The plan of a round, each with a question of its own.
    pub(crate) fn plan(&self, round: u32) -> RoundPlan {
        RoundPlan {
            federation: self.roster.roster().federation.clone(),
            roster: self.roster.digest(),
            job: JobId::new(JOB).expect("the name keeps the rule"),
            agreement: self.agreement(),
            id: RoundId { round, attempt: 1 },
            preparation: u64::from(round),
            protection: self.protection,
            admitted: self.ids(),
            question: Digest::of(format!("question {round} of {}", self.seed).as_bytes()),
            layout: oracle::layout(self.protection.admitted()),
            deadlines: DEADLINES,
        }
    }
}

/// The longest that a round takes if nobody restarts the coordinator, in milliseconds: once revealing has
/// begun, it waits ten times as long as the plan says.
pub(crate) const LONGEST_ROUND: u64 =
    DEADLINES.advertise + 2 * DEADLINES.share + DEADLINES.collect + DEADLINES.certify + 10 * DEADLINES.reveal;

/// The longest phase, which a restart lets begin anew.
pub(crate) const LONGEST_PHASE: u64 = DEADLINES.collect;

const DEADLINES: Deadlines =
    Deadlines { advertise: 1_500, share: 1_500, collect: 2_500, certify: 1_500, reveal: 2_000 };

/// The job's name.
pub(crate) const JOB: &str = "simulated-job";

fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).expect("members are numbered from 1")
}
