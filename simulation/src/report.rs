//! What a run led to.

use std::fmt;

use syndic_round::RoundId;

use crate::operation::Operation;

/// What a run led to, and everything that happened on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The attempts that ended, in order.
    pub rounds: Vec<RoundEnd>,
    /// The invariant that broke, if any; the run stopped there.
    pub violation: Option<Violation>,
    /// (milliseconds since the start, what happened).
    pub operations: Vec<(u64, Operation)>,
    /// Entries in the ledger.
    pub ledger_size: u64,
    /// Root of the ledger, in hexadecimal.
    pub ledger_root: String,
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundEnd {
    /// Round and attempt.
    pub round: RoundId,
    /// Whose updates are in the sum; empty when it was abandoned.
    pub survivors: Vec<u16>,
    /// Why it was abandoned, if it was.
    pub abandoned: Option<String>,
    /// The integers of the sum; empty when it was abandoned.
    pub sum: Vec<i64>,
    /// Whose reveals were wrong, and were corrected.
    pub wrong_reveals: Vec<u16>,
    /// Whether its vectors were shared themselves.
    pub shared: bool,
    /// Whether a single wrong reveal would have been noticed; never where it was abandoned.
    pub checked: bool,
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// One of [`crate::INVARIANTS`].
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

impl Report {
    /// The last attempt at each question, in order.
    pub fn questions(&self) -> Vec<&RoundEnd> {
        let is_last = |position: usize| {
            let next = self.rounds.get(position + 1);
            next.is_none_or(|next| next.round.round != self.rounds[position].round.round)
        };
        self.rounds
            .iter()
            .enumerate()
            .filter(|(position, _)| is_last(*position))
            .map(|(_, end)| end)
            .collect()
    }

    /// How many operations are as `wanted` says.
    pub fn count(&self, wanted: impl Fn(&Operation) -> bool) -> usize {
        self.operations.iter().filter(|(_, operation)| wanted(operation)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, operation) in &self.operations {
            writeln!(f, "{at:>7} ms  {operation}")?;
        }
        match &self.violation {
            Some(Violation { invariant, detail }) => writeln!(f, "broken: {invariant}: {detail}"),
            None => writeln!(f, "every invariant held"),
        }
    }
}
