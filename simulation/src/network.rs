//! The network and the clock: what is due when, and what is lost, late or doubled on the way.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use syndic_round::{ParticipantId, Timestamp};

use crate::offer::{Offer, Said};
use crate::operation::Operation;
use crate::scenario::Network;

/// Something that happens at an instant.
#[derive(Clone)]
pub(crate) enum Event {
    /// A participant asks what it owes.
    Poll(ParticipantId),
    /// The question arrives at the coordinator.
    Asked(ParticipantId),
    /// The answer arrives at the participant, numbered in the order of answering.
    Offered(ParticipantId, u64, Vec<Offer>),
    /// A participant's message arrives at the coordinator.
    Heard(Box<Said>),
    /// A participant is back after a crash.
    Back(ParticipantId),
    /// A fault that comes with time.
    Happens(Operation),
    /// The coordinator's damaged blob is mended.
    Mended,
    /// The coordinator looks at its clock.
    Tick,
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lost,
    Arrives,
    ArrivesTwice,
}

/// Events in the order of their instants, and of their making among equals.
pub(crate) struct Queue {
    events: BTreeMap<(Timestamp, u64), Event>,
    made: u64,
    network: Network,
    rng: ChaCha20Rng,
}

impl Queue {
    pub(crate) fn new(network: Network, rng: ChaCha20Rng) -> Self {
        Self { events: BTreeMap::new(), made: 0, network, rng }
    }

    /// Lets `event` happen at `at`.
    pub(crate) fn at(&mut self, at: Timestamp, event: Event) {
        self.made += 1;
        self.events.insert((at, self.made), event);
    }

    /// Sends a message at `now` with whatever the network does to it.
    pub(crate) fn send(&mut self, now: Timestamp, event: Event) -> Fate {
        if self.rng.random_range(0..1_000) < self.network.lost {
            return Fate::Lost;
        }
        let delay = self.rng.random_range(0..=self.network.delay);
        self.at(now.plus_millis(delay), event.clone());
        if self.rng.random_range(0..1_000) >= self.network.duplicated {
            return Fate::Arrives;
        }
        // Late enough, at times, to arrive in another phase or another round.
        let delay = delay + self.rng.random_range(0..LATEST_DUPLICATE);
        self.at(now.plus_millis(delay), event);
        Fate::ArrivesTwice
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Option<(Timestamp, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

const LATEST_DUPLICATE: u64 = 3_000;
