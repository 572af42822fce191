//! Every invariant, after each event.

use syndic_round::coordinator::{Input, Phase, Standing as Ahead};
use syndic_round::{Carrier, Place, RoundId, Sum};

use super::World;
use crate::federation::LONGEST_PHASE;
use crate::operation::Operation;
use crate::recording::{Fact, Recorded};
use crate::report::{RoundEnd, Violation};
use crate::scenario::Replayed;
use crate::watch::Frozen;

impl World<'_> {
    /// Reads on in the ledger, and compares.
    pub(super) fn replay(&mut self) -> Result<(), Violation> {
        self.standing = self.state();
        if self.scenario.replayed == Replayed::AtEnds {
            return Ok(());
        }
        let replayed = self.replay.follow(self.coordinator.ledger()).words();
        self.watch.replayed(&self.standing.0, &replayed)
    }

    /// What must hold whatever has just happened.
    pub(super) fn look(&mut self) -> Result<(), Violation> {
        self.look_ahead()?;
        let Some(standing) = &self.coordinator.state().standing else { return Ok(()) };
        let (round, id) = (&standing.round, standing.round.plan().id);
        let terms = &round.plan().terms;
        self.watch.serves(terms.number, id)?;
        let goes_on = round.wake_at().is_some();
        let duty_of = |who| round.duty_of(who);
        self.watch.waits(id.into(), round.declined(), &terms.admitted, goes_on, duty_of)?;
        if let Some(survivors) = self.coordinator.survivor_set() {
            let frozen = || Frozen {
                digest: survivors.digest(),
                ids: survivors.ids().to_vec(),
                question: self.federation.fingerprint(id.round),
            };
            self.watch.survivor_set(id, survivors.digest(), frozen)?;
        }
        if self.ended.last().is_some_and(|end| end.round == id) {
            return Ok(());
        }
        let millis = self.now.0 - self.opened_at.0;
        self.watch.lasts(id, millis, || self.extra())?;
        match &self.coordinator.state().standing {
            Some(standing) if standing.ended => self.end(id),
            _ => Ok(()),
        }
    }

    /// What must hold of the preparation made ahead.
    fn look_ahead(&self) -> Result<(), Violation> {
        let Some(ahead) = self.coordinator.state().ahead.preparation() else { return Ok(()) };
        let (terms, goes_on) = (ahead.terms(), matches!(ahead.standing(), Ahead::Preparing(_)));
        let place = Place::Ahead(terms.number);
        let duty_of = |id| ahead.duty_of(id);
        self.watch.waits(place, ahead.declined(), &terms.admitted, goes_on, duty_of)?;
        let millis = if goes_on { self.now.0 - self.begun_at.0 } else { 0 };
        self.watch.prepares(terms.number, millis, || self.extra())
    }

    fn end(&mut self, id: RoundId) -> Result<(), Violation> {
        let words = self.coordinator.state().words();
        self.watch.replayed(&words, &self.replay.follow(self.coordinator.ledger()).words())?;
        let Some(standing) = &self.coordinator.state().standing else { return Ok(()) };
        let (round, again) = (&standing.round, standing.may_be_tried_again());
        let (end, outcome) = match round.phase() {
            Phase::Closed(closed) => {
                let (plan, survivors) = (round.plan(), closed.survivors.ids());
                let sum = self.coordinator.sum(plan, closed.opened.sum);
                let facts: Vec<_> = self.coordinator.ledger().last_round().collect();
                self.watch.closed(plan, &facts, survivors, sum.as_ref(), &closed.opened)?;
                let wrong = &closed.opened.wrong_reveals;
                self.watch.blamed(wrong, || format!("wrong reveals of {wrong:?}"))?;
                let survivors: Vec<u16> = survivors.iter().map(|id| id.get()).collect();
                let wrong_reveals = wrong.iter().map(|id| id.get()).collect();
                let outcome = format!("the sum of {survivors:?}");
                let sum = sum.as_ref().map_or(&[][..], Sum::steps).to_vec();
                let (shared, checked) = (plan.carrier == Carrier::Shares, closed.opened.checked);
                let outcome = if checked { outcome } else { format!("{outcome}, unchecked") };
                let abandoned = None;
                (RoundEnd { round: id, survivors, abandoned, sum, wrong_reveals, shared, checked }, outcome)
            }
            Phase::Abandoned(reason) => {
                let abandoned = Some(reason.to_string());
                let outcome = format!("abandoned, {reason}");
                let (survivors, sum, wrong_reveals) = Default::default();
                let (shared, checked) = (round.plan().carrier == Carrier::Shares, false);
                (RoundEnd { round: id, survivors, abandoned, sum, wrong_reveals, shared, checked }, outcome)
            }
            _ => return Ok(()),
        };
        self.next = match again && id.attempt < MOST_ATTEMPTS {
            true => RoundId { attempt: id.attempt + 1, ..id },
            false => {
                // Step by step or from where the question was first asked at once, the ledger leads to the same.
                self.watch.replayed(&words, &self.coordinator.replayed().words())?;
                self.done += 1;
                RoundId { round: id.round + 1, attempt: 1 }
            }
        };
        self.log(Operation::Ended { round: id, outcome });
        self.ended.push(end);
        Ok(())
    }

    /// What the coordinator's crashes and its clock may add to the length of the current round, in milliseconds.
    fn extra(&self) -> u64 {
        let is_resumed = |fact: &Fact| matches!(fact.what, Recorded::Input(Input::Resume, _));
        let resumed = self.coordinator.ledger().since_opened().filter(is_resumed).count() as u64;
        let mending = self.scenario.torn_blob.map_or(0, |torn| torn.mended_after);
        let jumps: u64 = self.scenario.clock_jumps.iter().map(|jump| jump.by.unsigned_abs()).sum();
        resumed * LONGEST_PHASE + mending + jumps
    }

    pub(super) fn state(&self) -> (String, u64) {
        let words = match self.scenario.replayed {
            Replayed::AfterEveryStep => self.coordinator.state().words(),
            Replayed::AtEnds => String::new(),
        };
        (words, self.coordinator.ledger().size())
    }
}

/// Attempts at a question before it is given up; a real coordinator has more patience.
const MOST_ATTEMPTS: u32 = 4;
