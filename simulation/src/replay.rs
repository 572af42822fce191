//! What the ledger alone leads to: the round, and the preparation made ahead of the next.

use std::sync::Arc;

use syndic_round::coordinator::{Abandoned, Ahead, Input, Phase, Round, Step};
use syndic_round::{Carrier, ParticipantId, Place, PlanError, RoundPlan, SealedRoster, Timestamp, Voided};

use crate::ledger::Ledger;
use crate::recording::{Fact, Recorded};

/// The coordinator's state, as the shipped engine folds it for one job.
#[derive(Default)]
pub(crate) struct State {
    /// The last round.
    pub(crate) standing: Option<Standing>,
    /// What is prepared ahead of the next.
    pub(crate) ahead: Ahead,
}

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

impl State {
    /// The round that has not ended.
    pub(crate) fn in_progress(&self) -> Option<&Round> {
        self.standing.as_ref().filter(|standing| !standing.ended).map(|standing| &standing.round)
    }

    /// Whether a preparation is to be made ahead now, if another question may follow: while a round collects updates or is
    /// being opened. Where its vectors are shared themselves, those of the next will be too, most likely.
    pub(crate) fn wants_ahead(&self) -> bool {
        let is_past_sharing = |round: &Round| {
            round.plan().carrier == Carrier::Ring
                && matches!(round.phase(), Phase::Collecting(_) | Phase::Certifying(_) | Phase::Revealing(_))
        };
        self.in_progress().is_some_and(is_past_sharing) && self.ahead.may_begin()
    }

    /// A round was opened.
    pub(crate) fn open(
        &mut self,
        plan: RoundPlan,
        excused: &[ParticipantId],
        roster: &Arc<SealedRoster>,
        now: Timestamp,
    ) -> Result<(), PlanError> {
        let round = self.ahead.open(plan, excused, roster.clone(), now)?;
        self.standing = Some(Standing::opened(round, self.standing.take()));
        Ok(())
    }

    /// The round accepted an input.
    pub(crate) fn advance(&mut self, step: Step, input: &Input) {
        self.standing = self.standing.take().map(|standing| standing.after(step, input));
    }

    /// The end of a round without a result is on record.
    pub(crate) fn end(&mut self) {
        self.standing.iter_mut().for_each(|standing| standing.ended = true);
    }

    /// All of it that a ledger leads to, to be compared.
    pub(crate) fn words(&self) -> String {
        let round = self.standing.as_ref().map(|standing| &standing.round);
        format!("{round:?}, {:?}", self.ahead)
    }
}

impl Standing {
    /// A round that has just opened, after `before`.
    fn opened(round: Round, before: Option<Self>) -> Self {
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
    fn after(self, step: Step, input: &Input) -> Self {
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

/// A reader of the ledger that keeps what the entries read so far lead to.
pub(crate) struct Replay {
    roster: Arc<SealedRoster>,
    read: usize,
    state: State,
}

impl Replay {
    /// A reader that begins with the entry at `index`: the first, or one that [`Ledger::asked`] names.
    pub(crate) fn from(index: usize, roster: Arc<SealedRoster>) -> Self {
        Self { roster, read: index, state: State::default() }
    }

    /// Reads what was appended since.
    pub(crate) fn follow(&mut self, ledger: &Ledger) -> &State {
        for fact in ledger.facts_from(self.read) {
            self.read += 1;
            self.take(fact);
        }
        &self.state
    }

    /// What all that was read leads to.
    pub(crate) fn into_state(self) -> State {
        self.state
    }

    fn take(&mut self, Fact { at, place, what }: Fact) {
        match (place, what) {
            (_, Recorded::Begun(terms, excused)) => {
                self.state
                    .ahead
                    .begin(*terms, &excused, self.roster.clone(), at)
                    .expect("it was begun before");
            }
            (_, Recorded::Opened(plan, excused)) => {
                self.state.open(*plan, &excused, &self.roster, at).expect("it was opened before");
            }
            (Place::Round(_), Recorded::Abandoned(_)) => self.state.end(),
            (Place::Round(_), Recorded::Input(input, _)) => {
                // A reader that began with a preparation knows nothing of the round before.
                let Some(standing) = &self.state.standing else { return };
                let step = standing.round.step(at, &input).expect("it was accepted before");
                self.state.advance(step, &input);
            }
            (Place::Ahead(_), Recorded::Input(input, _)) => {
                let ahead = self.state.ahead.preparation().expect("it was begun before");
                let (next, _) = ahead.step(at, &input).expect("it was accepted before");
                self.state.ahead.advance(next);
            }
            // These follow from the inputs.
            (_, Recorded::Ready(_)) | (Place::Ahead(_), Recorded::Abandoned(_)) => {}
        }
    }
}
