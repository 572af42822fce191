//! Scenarios drawn from seeds.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_round::message::Kind;
use syndic_round::{ParameterSet, Protection};

use crate::misbehaviour::Misbehaviour;
use crate::scenario::{
    CALM_GATHER, ClockJump, CoordinatorCrash, Dishonest, Moment, Network, ParticipantCrash, Partition,
    Scenario, Shared, TornBlob,
};

impl Scenario {
    /// A scenario drawn from `seed`: small federations, two or three rounds, some of everything that can fail.
    pub fn sample(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let participants = SIZES[rng.random_range(0..SIZES.len())];
        let rounds = rng.random_range(2..=3);
        let parameter_set = ParameterSet::ALL[rng.random_range(0..3)];
        let crashes = rng.random_range(0..=3);
        let partitions = rng.random_range(0..=2) / 2;
        let jumps = rng.random_range(0..=3) / 3;
        let scenario = Self {
            parameter_set,
            rounds,
            network: Network {
                lost: [0, 50, 200][rng.random_range(0..3)],
                duplicated: [0, 100, 400][rng.random_range(0..3)],
                delay: [1, 40, 150][rng.random_range(0..3)],
            },
            participants_crash: (0..crashes).map(|_| participant_crash(rng, participants, rounds)).collect(),
            coordinator_crashes: match rng.random_range(0..24) {
                0 => CoordinatorCrash::AfterEveryAppend,
                1..8 => CoordinatorCrash::Once(rng.random_range(0..60), moment(rng)),
                _ => CoordinatorCrash::Never,
            },
            partitions: (0..partitions).map(|_| partition(rng, participants)).collect(),
            clock_jumps: (0..jumps).map(|_| clock_jump(rng)).collect(),
            torn_blob: rng.random_bool(0.15).then(|| TornBlob {
                blob: rng.random_range(1..=3 * u32::from(participants)),
                mended_after: rng.random_range(0..2_000),
            }),
            dishonest: dishonest(rng, participants, parameter_set),
            ahead: rng.random_bool(0.6),
            gather: [0, 500, CALM_GATHER][rng.random_range(0..3)],
            ..Self::calm(seed, participants)
        };
        match rng.random_range(0..8) {
            0 => scenario.sharing(Shared::Everything, rng),
            1 => scenario.sharing(Shared::EveryOther, rng),
            _ => scenario,
        }
    }

    /// The same where these vectors are shared themselves, and who reveals wrongly does it so that it may pass.
    fn sharing(mut self, shared: Shared, rng: &mut ChaCha20Rng) -> Self {
        self.shared = shared;
        for Dishonest { how, .. } in &mut self.dishonest {
            if *how == Misbehaviour::WrongReveal || rng.random_bool(0.3) {
                *how = Misbehaviour::ShiftedReveal { without: rng.random_range(0..=self.participants) };
            }
        }
        self
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

fn partition(rng: &mut ChaCha20Rng, participants: u16) -> Partition {
    Partition {
        participants: (1..=participants).filter(|_| rng.random_bool(0.4)).collect(),
        from: rng.random_range(0..2_000),
        lasts: rng.random_range(100..4_000),
    }
}

fn clock_jump(rng: &mut ChaCha20Rng) -> ClockJump {
    ClockJump { at: rng.random_range(0..2_000), by: rng.random_range(-5_000..5_000) }
}

/// One in three federations has dishonest members, as many at most as its plans tolerate.
fn dishonest(rng: &mut ChaCha20Rng, participants: u16, set: ParameterSet) -> Vec<Dishonest> {
    let protection = Protection::default_for(set, participants).expect("every set serves so few");
    let most = protection.colluding();
    if most == 0 || !rng.random_bool(0.33) {
        return Vec::new();
    }
    let count = rng.random_range(1..=most);
    let first = rng.random_range(0..participants);
    (0..count)
        .map(|k| Dishonest { participant: (first + k) % participants + 1, how: way(rng, participants) })
        .collect()
}

fn way(rng: &mut ChaCha20Rng, participants: u16) -> Misbehaviour {
    let kind = KINDS[rng.random_range(0..KINDS.len())];
    match rng.random_range(0..6) {
        0 => Misbehaviour::BadShares { holders: rng.random_range(1..participants) },
        1 => Misbehaviour::FalseComplaint { of: rng.random_range(1..=participants) },
        2 => Misbehaviour::WrongReveal,
        3 => Misbehaviour::KeyMismatch,
        4 => Misbehaviour::Equivocates(kind),
        _ => Misbehaviour::Silent { from: kind },
    }
}

/// Small federations are the fastest and break the soonest.
const SIZES: [u16; 9] = [3, 3, 4, 4, 4, 5, 5, 6, 7];

const KINDS: [Kind; 6] =
    [Kind::Advertise, Kind::Dealing, Kind::Ack, Kind::Header, Kind::Certify, Kind::Reveal];
