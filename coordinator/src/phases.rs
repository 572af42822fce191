//! When the phases of a round began and ended, against their deadlines: on record with its end.

use serde_json::{Value, json};
use syndic_round::Timestamp;
use syndic_round::coordinator::Round;

use crate::event::Phase;

/// A phase that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseTime {
    /// Which.
    pub phase: Phase,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// When it would have ended at the latest; after a restart of the coordinator, counted from there.
    pub deadline: Timestamp,
}

/// The phases of a round so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseTimes {
    over: Vec<PhaseTime>,
    /// The one that goes on: when it began, and its deadline.
    now: Option<(Phase, Timestamp, Timestamp)>,
}

impl PhaseTimes {
    /// Of a round that is in the phase in which it opened.
    pub(crate) fn begun(round: &Round, now: Timestamp) -> Self {
        let mut times = Self::default();
        times.advance(round, now);
        times
    }

    /// Takes in what stands after an input.
    pub(crate) fn advance(&mut self, next: &Round, now: Timestamp) {
        let going_on = Phase::of(next.phase()).zip(next.wake_at());
        match (&mut self.now, going_on) {
            (Some((phase, _, deadline)), Some((next, later))) if *phase == next => *deadline = later,
            (_, going_on) => {
                self.over = self.until(now);
                self.now = going_on.map(|(phase, deadline)| (phase, now, deadline));
            }
        }
    }

    /// All phases of a round that ends now.
    pub(crate) fn until(&self, now: Timestamp) -> Vec<PhaseTime> {
        let last = self.now.map(|(phase, began, deadline)| PhaseTime { phase, began, ended: now, deadline });
        self.over.iter().copied().chain(last).collect()
    }
}

impl PhaseTime {
    pub(crate) fn to_json(self) -> Value {
        // A deadline may lie after the last moment that entries can name.
        let text = |at: Timestamp| {
            syndic_ledger::Timestamp::from_unix_ms(at.0).unwrap_or(syndic_ledger::Timestamp::MAX)
        };
        let Self { phase, began, ended, deadline } = self;
        json!({ "phase": phase.name(), "began": text(began), "ended": text(ended), "deadline": text(deadline) })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key)?.as_str();
        let time = |key: &str| {
            let time: syndic_ledger::Timestamp = text(key)?.parse().ok()?;
            Some(Timestamp(time.unix_ms()))
        };
        let phase = Phase::ALL.into_iter().find(|phase| Some(phase.name()) == text("phase"))?;
        Some(Self { phase, began: time("began")?, ended: time("ended")?, deadline: time("deadline")? })
    }
}
