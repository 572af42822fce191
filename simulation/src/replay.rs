//! The round that the ledger alone leads to.

use std::sync::Arc;

use syndic_round::coordinator::{Input, Round};
use syndic_round::{SealedRoster, Timestamp};

use crate::ledger::Ledger;
use crate::recording::Recorded;

/// A round as the ledger's facts make it.
pub(crate) struct Standing {
    pub(crate) round: Round,
    /// Whether its end is on record.
    pub(crate) ended: bool,
}

/// A reader of the ledger that keeps the round which the entries read so far lead to.
pub(crate) struct Replay {
    roster: Arc<SealedRoster>,
    read: usize,
    standing: Option<Standing>,
}

impl Replay {
    /// A reader that begins with the entry at `index`, the first or one that opens a round.
    pub(crate) fn from(index: usize, roster: Arc<SealedRoster>) -> Self {
        Self { roster, read: index, standing: None }
    }

    /// Reads what was appended since.
    pub(crate) fn follow(&mut self, ledger: &Ledger) -> Option<&Standing> {
        for (at, fact) in ledger.facts_from(self.read) {
            self.read += 1;
            self.standing = self.after(at, fact);
        }
        self.standing.as_ref()
    }

    /// The last round.
    pub(crate) fn into_standing(self) -> Option<Standing> {
        self.standing
    }

    fn after(&mut self, at: Timestamp, fact: Recorded) -> Option<Standing> {
        match fact {
            Recorded::Opened(plan) => {
                let round = Round::open(*plan, self.roster.clone(), at).expect("it was opened before");
                Some(Standing { round, ended: false })
            }
            Recorded::Abandoned(_) => {
                self.standing.take().map(|standing| Standing { ended: true, ..standing })
            }
            Recorded::Input(input, _) => {
                let step = self.standing.as_ref()?.round.step(at, &input).expect("it was accepted before");
                Some(Standing { round: step.next, ended: matches!(input, Input::Opened(_)) })
            }
        }
    }
}
