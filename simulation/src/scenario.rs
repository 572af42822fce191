//! What a run consists of: size, network, crashes and dishonest participants, written by hand or drawn from a seed.

use syndic_round::ParameterSet;
use syndic_round::message::Kind;

use crate::engine::Engine;
use crate::misbehaviour::Misbehaviour;

/// A run. Equal scenarios give equal reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Source of every choice and every key.
    pub seed: u64,
    /// How often the round in memory is compared with the one that the ledger leads to.
    pub replayed: Replayed,
    /// What protects updates.
    pub engine: Engine,
    /// Institutions, 3 or more; threshold and colluders are the defaults for as many.
    pub participants: u16,
    /// Parameter set.
    pub parameter_set: ParameterSet,
    /// Questions, one after another, each asked in one round: again, in further attempts, while that is allowed.
    pub rounds: u32,
    /// Which vectors are shared themselves.
    pub shared: Shared,
    /// Whether the coordinator makes the preparation of the next round while one collects updates, as the shipped one does.
    pub ahead: bool,
    /// How many milliseconds somebody must have been away before a round or preparation opens that does not wait for it.
    pub gather: u64,
    /// The network.
    pub network: Network,
    /// Crashes of participants.
    pub participants_crash: Vec<ParticipantCrash>,
    /// Crashes of the coordinator.
    pub coordinator_crashes: CoordinatorCrash,
    /// Participants cut off from the coordinator for a while.
    pub partitions: Vec<Partition>,
    /// Jumps of the coordinator's clock.
    pub clock_jumps: Vec<ClockJump>,
    /// A blob that the coordinator's disk damages.
    pub torn_blob: Option<TornBlob>,
    /// Dishonest participants; no more of them than the plan tolerates, if sums are to come out.
    pub dishonest: Vec<Dishonest>,
}

/// Which vectors of a job are small, and shared themselves in the place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// None: the job has all encrypted.
    Nothing,
    /// Those of all questions.
    Everything,
    /// Those of the first question, the third and so on; the others have vectors that are too long.
    EveryOther,
}

/// When `replay_is_identity` and `rejection_is_noop` are checked in full, which takes most of a run's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// After every step.
    AfterEveryStep,
    /// When an attempt ends, and the ledger's size after every step: for sweeps over many seeds.
    AtEnds,
}

/// How messages travel, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Of a thousand messages, how many are lost.
    pub lost: u32,
    /// Of a thousand messages, how many arrive once more, much later.
    pub duplicated: u32,
    /// The longest that a message takes, in milliseconds; shorter ones overtake it.
    pub delay: u64,
}

/// A participant that crashes as it says something, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantCrash {
    /// Its id.
    pub participant: u16,
    /// The round, from 1. What is said in a preparation made ahead counts to the round after the one in progress.
    pub round: u32,
    /// The message.
    pub kind: Kind,
    /// Before or after the message is written down.
    pub moment: Moment,
    /// When it is back, in milliseconds; never without.
    pub back_after: Option<u64>,
}

/// On which side of a durable step a crash falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was written.
    Before,
    /// It was written, and nobody has heard of it.
    After,
}

/// When the coordinator crashes; it is back at once, with what the ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorCrash {
    /// Never.
    Never,
    /// At the append of the entry with this index, once.
    Once(u64, Moment),
    /// After every append.
    AfterEveryAppend,
}

/// Participants that nothing reaches, and of whom nothing arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Their ids.
    pub participants: Vec<u16>,
    /// From when, in milliseconds since the start.
    pub from: u64,
    /// For how many milliseconds.
    pub lasts: u64,
}

/// A jump of the coordinator's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJump {
    /// When, in milliseconds since the start.
    pub at: u64,
    /// By how many milliseconds, forward or backward.
    pub by: i64,
}

/// A blob that was damaged on the coordinator's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornBlob {
    /// Which of those received, from 1.
    pub blob: u32,
    /// When its operator has mended it, in milliseconds after it was noticed.
    pub mended_after: u64,
}

/// A dishonest participant, with an honest coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dishonest {
    /// Its id.
    pub participant: u16,
    /// What it does.
    pub how: Misbehaviour,
}

impl Scenario {
    /// One round of `participants` in which nothing goes wrong.
    pub fn calm(seed: u64, participants: u16) -> Self {
        Self {
            seed,
            replayed: Replayed::AfterEveryStep,
            engine: Engine::Encrypted,
            participants,
            parameter_set: ParameterSet::S32,
            rounds: 1,
            shared: Shared::Nothing,
            ahead: false,
            gather: CALM_GATHER,
            network: Network { lost: 0, duplicated: 0, delay: CALM_DELAY },
            participants_crash: Vec::new(),
            coordinator_crashes: CoordinatorCrash::Never,
            partitions: Vec::new(),
            clock_jumps: Vec::new(),
            torn_blob: None,
            dishonest: Vec::new(),
        }
    }
}

/// For longer than a phase.
pub(crate) const CALM_GATHER: u64 = 5_000;
/// The longest that a message takes where nothing goes wrong, in milliseconds.
pub(crate) const CALM_DELAY: u64 = 20;
