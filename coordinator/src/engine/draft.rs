//! Deciding: what inputs lead to where they are said, one after the other, before any of it is durable.

use std::borrow::Cow;

use syndic_round::coordinator::{Input, Phase, Preparation, Round, Standing, Step};
use syndic_round::{JobId, Place, Rejection, RoundId, Timestamp};

use super::{After, Engine, Open};
use crate::fact::{Beside, Fact};
use crate::missing::Missing;

/// What will stand in one place once everything that was decided on this is durable. The engine has changed in nothing.
pub struct Draft<'a> {
    engine: &'a Engine,
    job: &'a JobId,
    at: At<'a>,
}

/// What stands in a place.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum At<'a> {
    Round(Cow<'a, Open>),
    Ahead(Cow<'a, Preparation>),
    /// Nothing any more, or yet.
    Over,
}

/// What an input leads to.
#[derive(Clone, Debug)]
pub struct Decided {
    /// To be recorded.
    pub facts: Vec<Fact>,
    /// What stands once that is durable.
    pub after: After,
}

impl<'a> Draft<'a> {
    pub(super) fn of(engine: &'a Engine, job: &'a JobId, place: Place) -> Self {
        let at = match place {
            Place::Round(id) => engine.open_round(job, id).map(|open| At::Round(Cow::Borrowed(open))),
            Place::Ahead(number) => engine.ahead(job, number).map(|ahead| At::Ahead(Cow::Borrowed(ahead))),
        };
        Self { engine, job, at: at.unwrap_or(At::Over) }
    }

    /// The round in progress, where this is one's place.
    pub fn open(&self) -> Option<&Open> {
        match &self.at {
            At::Round(open) => Some(open),
            At::Ahead(_) | At::Over => None,
        }
    }

    /// Decides on an input: what to record, and what stands after it. None where it changes nothing. Whatever is decided next
    /// follows on it, once it is [taken](Self::take).
    ///
    /// # Errors
    /// [`Rejection`]; then nothing has changed.
    pub fn decide(&self, now: Timestamp, input: Input) -> Result<Option<Decided>, Rejection> {
        match &self.at {
            At::Round(open) => self.decide_round(now, open, input),
            At::Ahead(ahead) => self.decide_ahead(now, ahead, input),
            At::Over => Err(Rejection::Over),
        }
    }

    /// Goes on from what stands after an input.
    pub fn take(&mut self, now: Timestamp, after: After) {
        match (&mut self.at, after) {
            (At::Round(open), After::Round(next)) if !is_over(&next) => open.to_mut().advance(*next, now),
            (At::Ahead(ahead), After::Ahead(next)) if !is_nothing(&next) => *ahead.to_mut() = next,
            _ => self.at = At::Over,
        }
    }

    fn decide_round(&self, now: Timestamp, open: &Open, input: Input) -> Result<Option<Decided>, Rejection> {
        let Step { next, changed } = open.round.step(now, &input)?;
        if !changed {
            return Ok(None);
        }
        let id: RoundId = open.round.plan().id;
        let survivors = match next.phase() {
            Phase::Closed(closed) => closed.survivors.ids().to_vec(),
            _ => Vec::new(),
        };
        let mut beside = Beside::default();
        if matches!(next.phase(), Phase::Closed(_)) {
            beside.phases = open.phases.until(now);
        }
        let job = || self.job.clone();
        let mut facts = vec![Fact::Heard { job: job(), place: id.into(), input, survivors, beside }];
        if let (Phase::Collecting(_), Phase::Certifying(frozen)) = (open.round.phase(), next.phase()) {
            let (survivors, digest) = (frozen.survivors().ids().to_vec(), frozen.survivors().digest());
            let missing = Missing::in_set(open, &next, &survivors);
            facts.push(Fact::RoundFrozen { job: job(), round: id, survivors, digest, missing });
        }
        if let Phase::Abandoned(reason) = next.phase() {
            let missing = Missing::at_end(open, &next, reason);
            let reason = self.engine.told(next.declined(), reason);
            let phases = open.phases.until(now);
            facts.push(Fact::RoundAbandoned { job: job(), round: id, reason, missing, phases });
        }
        Ok(Some(Decided { facts, after: After::Round(Box::new(next)) }))
    }

    fn decide_ahead(
        &self,
        now: Timestamp,
        ahead: &Preparation,
        input: Input,
    ) -> Result<Option<Decided>, Rejection> {
        let (next, changed) = ahead.step(now, &input)?;
        if !changed {
            return Ok(None);
        }
        let number = ahead.terms().number;
        let (job, place) = (|| self.job.clone(), Place::Ahead(number));
        let (survivors, beside) = (Vec::new(), Beside::default());
        let mut facts = vec![Fact::Heard { job: job(), place, input, survivors, beside }];
        match (ahead.standing(), next.standing()) {
            (Standing::Preparing(_), Standing::Ready(prepared)) => {
                let eligible = prepared.eligible().to_vec();
                facts.push(Fact::PreparationReady { job: job(), number, eligible });
            }
            (_, Standing::Abandoned(reason)) => {
                let reason = self.engine.told(next.declined(), reason);
                facts.push(Fact::PreparationAbandoned { job: job(), number, reason });
            }
            _ => {}
        }
        Ok(Some(Decided { facts, after: After::Ahead(next) }))
    }
}

/// Whether a preparation has come to nothing.
fn is_nothing(ahead: &Preparation) -> bool {
    matches!(ahead.standing(), Standing::Abandoned(_))
}

/// Whether a round has ended.
fn is_over(round: &Round) -> bool {
    matches!(round.phase(), Phase::Closed(_) | Phase::Abandoned(_))
}
