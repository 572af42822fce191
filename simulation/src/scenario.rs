//! What a run consists of: size, network and crashes, written by hand or drawn from a seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::ParameterSet;
use syndic_round::message::Kind;

/// A run. Equal scenarios give equal reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Source of every choice and every key.
    pub seed: u64,
    /// Institutions, 3 or more; threshold and colluders are the defaults for as many.
    pub participants: u16,
    /// Parameter set.
    pub parameter_set: ParameterSet,
    /// Rounds, one after another.
    pub rounds: u32,
    /// The network.
    pub network: Network,
    /// Crashes of participants.
    pub participants_crash: Vec<ParticipantCrash>,
    /// Crashes of the coordinator.
    pub coordinator_crashes: CoordinatorCrash,
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

/// A participant that crashes as it says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantCrash {
    /// Its id.
    pub participant: u16,
    /// The round, from 1.
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

impl Scenario {
    /// One round of `participants` in which nothing goes wrong.
    pub fn calm(seed: u64, participants: u16) -> Self {
        Self {
            seed,
            participants,
            parameter_set: ParameterSet::S32,
            rounds: 1,
            network: Network { lost: 0, duplicated: 0, delay: 20 },
            participants_crash: Vec::new(),
            coordinator_crashes: CoordinatorCrash::Never,
        }
    }

    /// A scenario drawn from `seed`: small federations, two or three rounds, some of everything that can fail.
    pub fn sample(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let participants = rng.random_range(3..=7);
        let rounds = rng.random_range(2..=3);
        let crashes = rng.random_range(0..=3);
        Self {
            seed,
            participants,
            parameter_set: ParameterSet::ALL[rng.random_range(0..3)],
            rounds,
            network: Network {
                lost: [0, 50, 200][rng.random_range(0..3)],
                duplicated: [0, 100, 400][rng.random_range(0..3)],
                delay: [1, 40, 150][rng.random_range(0..3)],
            },
            participants_crash: (0..crashes).map(|_| participant_crash(rng, participants, rounds)).collect(),
            coordinator_crashes: match rng.random_range(0..4) {
                0 => CoordinatorCrash::AfterEveryAppend,
                1 => CoordinatorCrash::Once(rng.random_range(0..60), moment(rng)),
                _ => CoordinatorCrash::Never,
            },
        }
    }
}

fn participant_crash(rng: &mut ChaCha20Rng, participants: u16, rounds: u32) -> ParticipantCrash {
    ParticipantCrash {
        participant: rng.random_range(1..=participants),
        round: rng.random_range(1..=rounds),
        kind: KINDS[rng.random_range(0..KINDS.len())],
        moment: moment(rng),
        back_after: rng.random_bool(0.6).then(|| rng.random_range(0..4_000)),
    }
}

fn moment(rng: &mut ChaCha20Rng) -> Moment {
    if rng.random_bool(0.5) { Moment::Before } else { Moment::After }
}

const KINDS: [Kind; 6] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal];
