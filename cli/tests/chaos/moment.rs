//! When something happens: while a message of a round is on its way.

use crate::process::{Line, Process};

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

    /// Waits for it. A round that was prepared ahead has fewer messages: its end is the last moment then.
    pub(crate) fn comes(self, coordinator: &mut Process) {
        let has_closed = |line: &Line| line.text("message").starts_with("round closed");
        for _ in 0..self.messages {
            let is_next = |line: &Line| line.round() == self.round && (line.is("heard") || has_closed(line));
            if has_closed(&coordinator.wait_for("a message", is_next)) {
                return;
            }
        }
    }
}

/// Of the job.
const ROUNDS: u32 = 3;
/// Of a round: four institutions advertise, deal, submit, sign and reveal.
const MESSAGES: usize = 20;
