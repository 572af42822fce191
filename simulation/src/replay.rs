//! The round that the ledger alone leads to.

use std::sync::Arc;

use syndic_round::coordinator::{Abandoned, Input, Phase, Round, Step};
use syndic_round::{SealedRoster, Timestamp, Voided};

use crate::ledger::Ledger;
use crate::recording::Recorded;

/// A round as the ledger's facts make it.
pub(crate) struct Standing {
    pub(crate) round: Round,
    /// Whether its end is on record.
    pub(crate) ended: bool,
    /// Earlier attempts at its question that are void.
    pub(crate) voided: Vec<Voided>,
    /// Whether somebody may have revealed.
    pub(crate) began_revealing: bool,
}

impl Standing {
    /// A round that has just opened, after `before`.
    pub(crate) fn opened(round: Round, before: Option<Self>) -> Self {
        let mut voided = Vec::new();
        if let Some(before) = before.filter(|before| before.round.plan().id.round == round.plan().id.round) {
            voided = before.voided;
            if let Phase::Abandoned(Abandoned::Voided(void)) = before.round.phase() {
                voided.push(void.clone());
            }
        }
        Self { round, ended: false, voided, began_revealing: false }
    }

    /// The round after an input.
    pub(crate) fn after(self, step: Step, input: &Input) -> Self {
        let revealing = matches!(self.round.phase(), Phase::Revealing(_) | Phase::Opening(_));
        Self {
            round: step.next,
            ended: matches!(input, Input::Opened(_)),
            began_revealing: self.began_revealing || revealing,
            ..self
        }
    }

    /// Whether the question may be asked again: the attempt was abandoned before anybody can have revealed, or is void.
    pub(crate) fn may_be_tried_again(&self) -> bool {
        match self.round.phase() {
            Phase::Abandoned(Abandoned::Voided(_)) => true,
            Phase::Abandoned(_) => !self.began_revealing,
            _ => false,
        }
    }
}

/// A reader of the ledger that keeps the round which the entries read so far lead to.
pub(crate) struct Replay {
    roster: Arc<SealedRoster>,
    read: usize,
    standing: Option<Standing>,
}

impl Replay {
    /// A reader that begins with the entry at `index`, the first or one that opens the first attempt at a question.
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
                Some(Standing::opened(round, self.standing.take()))
            }
            Recorded::Abandoned(_) => {
                self.standing.take().map(|standing| Standing { ended: true, ..standing })
            }
            Recorded::Input(input, _) => {
                let standing = self.standing.take()?;
                let step = standing.round.step(at, &input).expect("it was accepted before");
                Some(standing.after(step, &input))
            }
        }
    }
}
