//! The coordinator's state: the fold of its ledger, and nothing else.
//!
//! Every change is decided first, as facts; the driver makes the facts durable; only then do they count.
//! [`Engine::apply`] is the one way in which a fact counts, at work and in replay.

mod job;

use std::collections::BTreeMap;
use std::sync::Arc;

use syndic_learning::job::{Terms, TermsError};
use syndic_learning::{Next, Program, ProgramError};
use syndic_round::coordinator::{Abandoned, Input, Phase, Preparation, Round, Standing, Step};
use syndic_round::{
    JobId, ParticipantId, Place, PlanError, Rejection, RoundId, SealedRoster, Sum, Timestamp,
};
use thiserror::Error;

use crate::fact::Fact;
pub use job::{ClosedRound, JobState, MOST_ATTEMPTS, Open, Over};

/// What the ledger says, folded.
pub struct Engine {
    roster: Arc<SealedRoster>,
    job: Option<JobState>,
}

/// What a step leads to, once it is durable.
#[derive(Clone, Debug)]
pub enum After {
    /// A round.
    Round(Box<Round>),
    /// A preparation made ahead.
    Ahead(Preparation),
}

/// Why facts do not fit the state: the ledger was written by another version, or a bug.
#[derive(Debug, Error)]
pub enum FoldError {
    /// The ledger is of another federation, or of another roster.
    #[error("the ledger belongs to another federation or roster")]
    OtherRoster,
    /// The job file of an entry cannot be used.
    #[error("the job file in the ledger is refused: {0}")]
    Job(#[from] TermsError),
    /// An input that was accepted is rejected in replay.
    #[error("a recorded input is rejected in replay: {0}")]
    Rejected(#[from] Rejection),
    /// A recorded plan is refused in replay.
    #[error("a recorded plan is refused in replay: {0}")]
    Plan(#[from] PlanError),
    /// A sum that the program took is refused in replay.
    #[error("a recorded sum is refused in replay: {0}")]
    Program(#[from] ProgramError),
    /// A fact about a job or round that is not there.
    #[error("an entry is about a job or round that is not there")]
    Astray,
}

impl Engine {
    /// The state before any fact.
    pub fn new(roster: Arc<SealedRoster>) -> Self {
        Self { roster, job: None }
    }

    /// The roster.
    pub fn roster(&self) -> &Arc<SealedRoster> {
        &self.roster
    }

    /// The job, if one was agreed.
    pub fn job(&self) -> Option<&JobState> {
        self.job.as_ref()
    }

    /// The round in progress, if `id` names it.
    pub fn open_round(&self, job: &JobId, id: RoundId) -> Option<&Open> {
        let state = self.job.as_ref().filter(|state| state.id == *job)?;
        state.round.as_ref().filter(|open| open.round.plan().id == id)
    }

    /// The preparation made ahead, if this is its number.
    pub fn ahead(&self, job: &JobId, number: u64) -> Option<&Preparation> {
        let state = self.job.as_ref().filter(|state| state.id == *job)?;
        state.ahead.preparation().filter(|ahead| ahead.terms().number == number)
    }

    /// Decides on an input: the facts to record, and what stands after them. None where it changes nothing.
    ///
    /// # Errors
    /// [`Rejection`]; then nothing has changed.
    pub fn decide(
        &self,
        now: Timestamp,
        job: &JobId,
        place: Place,
        input: Input,
    ) -> Result<Option<(Vec<Fact>, After)>, Rejection> {
        match place {
            Place::Round(id) => self.decide_round(now, job, id, input),
            Place::Ahead(number) => self.decide_ahead(now, job, number, input),
        }
    }

    fn decide_round(
        &self,
        now: Timestamp,
        job: &JobId,
        id: RoundId,
        input: Input,
    ) -> Result<Option<(Vec<Fact>, After)>, Rejection> {
        let open = self.open_round(job, id).ok_or(Rejection::Over)?;
        let Step { next, changed } = open.round.step(now, &input)?;
        if !changed {
            return Ok(None);
        }
        let survivors = match next.phase() {
            Phase::Closed(closed) => closed.survivors.ids().to_vec(),
            _ => Vec::new(),
        };
        let mut facts = vec![Fact::Heard { job: job.clone(), place: id.into(), input, survivors }];
        if let (Phase::Collecting(_), Phase::Certifying(frozen)) = (open.round.phase(), next.phase()) {
            let (survivors, digest) = (frozen.survivors().ids().to_vec(), frozen.survivors().digest());
            facts.push(Fact::RoundFrozen { job: job.clone(), round: id, survivors, digest });
        }
        if let Phase::Abandoned(reason) = next.phase() {
            let reason = self.told(next.declined(), reason);
            facts.push(Fact::RoundAbandoned { job: job.clone(), round: id, reason });
        }
        Ok(Some((facts, After::Round(Box::new(next)))))
    }

    fn decide_ahead(
        &self,
        now: Timestamp,
        job: &JobId,
        number: u64,
        input: Input,
    ) -> Result<Option<(Vec<Fact>, After)>, Rejection> {
        let ahead = self.ahead(job, number).ok_or(Rejection::Over)?;
        let (next, changed) = ahead.step(now, &input)?;
        if !changed {
            return Ok(None);
        }
        let place = Place::Ahead(number);
        let mut facts = vec![Fact::Heard { job: job.clone(), place, input, survivors: Vec::new() }];
        match (ahead.standing(), next.standing()) {
            (Standing::Preparing(_), Standing::Ready(prepared)) => {
                let eligible = prepared.eligible().to_vec();
                facts.push(Fact::PreparationReady { job: job.clone(), number, eligible });
            }
            (_, Standing::Abandoned(reason)) => {
                let reason = self.told(next.declined(), reason);
                facts.push(Fact::PreparationAbandoned { job: job.clone(), number, reason });
            }
            _ => {}
        }
        Ok(Some((facts, After::Ahead(next))))
    }

    /// Lets a durable fact count. `sum` is the opened sum where the fact closes a round.
    ///
    /// # Errors
    /// [`FoldError`] when the fact does not fit the state.
    pub fn apply(&mut self, now: Timestamp, fact: &Fact, sum: Option<&Sum>) -> Result<(), FoldError> {
        match fact {
            Fact::RosterSealed { digest, .. } => {
                let same = *digest == self.roster.digest();
                same.then_some(()).ok_or(FoldError::OtherRoster)
            }
            Fact::JobAgreed { job, file } => self.agree(job, file),
            Fact::PreparationOpened { terms } => {
                let roster = self.roster.clone();
                let state = self.job_mut(&terms.job)?;
                Ok(state.ahead.begin((**terms).clone(), roster, now)?)
            }
            // Its kind and training round follow from the question.
            Fact::RoundOpened { plan, .. } => {
                let roster = self.roster.clone();
                let state = self.job_mut(&plan.terms.job)?;
                let Next::Ask(question) = &state.pending else { return Err(FoldError::Astray) };
                let kind = question.kind();
                let round = state.ahead.open((**plan).clone(), roster, now)?;
                state.attempts = plan.id.attempt;
                state.equivocated.clear();
                state.round = Some(Open { round, opened_at: now, kind });
                Ok(())
            }
            Fact::Heard { job, place: Place::Round(id), input, .. } => {
                let open = self.open_round(job, *id).ok_or(FoldError::Astray)?;
                let next = open.round.step(now, input)?.next;
                self.advance(job, After::Round(Box::new(next)), sum)
            }
            Fact::Heard { job, place: Place::Ahead(number), input, .. } => {
                let ahead = self.ahead(job, *number).ok_or(FoldError::Astray)?;
                let (next, _) = ahead.step(now, input)?;
                self.advance(job, After::Ahead(next), sum)
            }
            Fact::Equivocated { job, place, kind, message } => {
                self.job_mut(job)?.equivocated.insert((*place, message.from, *kind));
                Ok(())
            }
            Fact::JobCompleted { job, model, .. } => {
                self.job_mut(job)?.end(Over::Completed(*model));
                Ok(())
            }
            Fact::JobAbandoned { job, reason } => {
                self.job_mut(job)?.end(Over::Abandoned(reason.clone()));
                Ok(())
            }
            // These follow from the inputs; they are there for whoever reads the ledger.
            Fact::PreparationReady { .. }
            | Fact::PreparationAbandoned { .. }
            | Fact::RoundFrozen { .. }
            | Fact::RoundAbandoned { .. }
            | Fact::JobProgress { .. } => Ok(()),
        }
    }

    /// Puts what stands after a durable input in the place of what stood before it.
    ///
    /// # Errors
    /// [`FoldError`] when the program refuses the sum.
    pub fn advance(&mut self, job: &JobId, after: After, sum: Option<&Sum>) -> Result<(), FoldError> {
        match after {
            After::Round(next) => self.advance_round(job, *next, sum),
            After::Ahead(next) => {
                self.job_mut(job)?.ahead.advance(next);
                Ok(())
            }
        }
    }

    fn advance_round(&mut self, job: &JobId, next: Round, sum: Option<&Sum>) -> Result<(), FoldError> {
        let abandoned = match next.phase() {
            Phase::Abandoned(reason) => Some(self.told(next.declined(), reason)),
            _ => None,
        };
        let state = self.job_mut(job)?;
        match next.phase() {
            Phase::Closed(closed) => {
                state.pending = state.run.next(Some(sum.ok_or(FoldError::Astray)?))?;
                state.number += 1;
                state.attempts = 0;
                state.last_abandoned = None;
                state.voided.clear();
                let before = state.round.take().ok_or(FoldError::Astray)?;
                state.closed.insert(before.round.plan().id, ClosedRound::of(&before.round, closed)?);
            }
            Phase::Abandoned(reason) => {
                let before = state.round.take().ok_or(FoldError::Astray)?;
                let began = matches!(before.round.phase(), Phase::Revealing(_) | Phase::Opening(_));
                let may_have_opened = match reason {
                    Abandoned::Voided(voided) => {
                        state.voided.push(voided.clone());
                        false
                    }
                    _ => began,
                };
                let reason = abandoned.unwrap_or_default();
                state.abandoned.insert(before.round.plan().id, reason.clone());
                state.last_abandoned = Some((reason, may_have_opened));
            }
            _ => state.round.as_mut().ok_or(FoldError::Astray)?.round = next,
        }
        Ok(())
    }

    /// Why a round or preparation was abandoned, with who declined it and why.
    fn told(&self, declined: &BTreeMap<ParticipantId, String>, reason: &Abandoned) -> String {
        let name = |id| self.roster.member(id).map_or_else(String::new, |member| member.name.clone());
        let declined = declined.iter().map(|(id, code)| format!("{} ({code})", name(*id)));
        match declined.collect::<Vec<_>>().join(", ") {
            nobody if nobody.is_empty() => reason.to_string(),
            declined => format!("{reason}; declined by {declined}"),
        }
    }

    fn agree(&mut self, job: &JobId, file: &str) -> Result<(), FoldError> {
        let (parsed, terms) = Terms::of(file, self.roster.roster())?;
        self.job = Some(JobState::agreed(job.clone(), parsed, terms)?);
        Ok(())
    }

    fn job_mut(&mut self, job: &JobId) -> Result<&mut JobState, FoldError> {
        self.job.as_mut().filter(|state| state.id == *job).ok_or(FoldError::Astray)
    }
}
