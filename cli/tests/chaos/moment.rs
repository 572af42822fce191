//! When something happens: while a message of a round is on its way.

use crate::process::Process;

/// After so many messages of a round have been heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Counted from 1.
    pub(crate) round: u32,
    messages: usize,
}

impl Moment {
    /// One or more in each phase of each round.
    pub(crate) fn all() -> Vec<Self> {
        let within = |round| (1..=MESSAGES).step_by(3).map(move |messages| Self { round, messages });
        (1..=ROUNDS).flat_map(within).collect()
    }

    /// Waits for it.
    pub(crate) fn comes(self, coordinator: &mut Process) {
        for _ in 0..self.messages {
            coordinator.wait_for("a message", |line| line.is("heard") && line.round() == self.round);
        }
    }
}

/// Of the job.
const ROUNDS: u32 = 3;
/// Of a round: four institutions advertise, deal, submit, sign and reveal.
const MESSAGES: usize = 20;
