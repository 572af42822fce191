//! The coordinator's state: the fold of its ledger, and nothing else.
//!
//! Every change is decided first, as facts; the driver makes the facts durable; only then do they count.
//! [`Engine::apply`] is the one way in which a fact counts, at work and in replay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syndic_learning::job::{Terms, TermsError};
use syndic_learning::{Job, JobRun, Next, Outcome, Program, ProgramError, Question, RoundMetrics};
use syndic_round::coordinator::{Abandoned, Closed, Input, Opened, Phase, Round, Step};
use syndic_round::message::Kind;
use syndic_round::{
    Digest, JobId, ParticipantId, PlanError, Rejection, RoundId, RoundPlan, SealedRoster, Sum, Timestamp,
    Voided,
};
use syndic_secure_aggregation::chunk_bytes;
use thiserror::Error;

use crate::fact::Fact;

/// Attempts at one round before its job is abandoned.
pub const MOST_ATTEMPTS: u32 = 10;

/// What the ledger says, folded.
pub struct Engine {
    roster: Arc<SealedRoster>,
    job: Option<JobState>,
}

/// A job under way or over.
pub struct JobState {
    /// Job.
    pub id: JobId,
    /// The parsed job.
    pub job: Job,
    /// The terms of every round.
    pub terms: Terms,
    run: JobRun,
    pending: Next<Question, Outcome>,
    round: Option<Open>,
    /// Number of the round in progress or next to open, from 1.
    number: u32,
    attempts: u32,
    preparation: u64,
    /// Why rounds were abandoned, for people.
    abandoned: BTreeMap<RoundId, String>,
    /// Who said what twice in the round in progress, as far as it is on record.
    equivocated: BTreeSet<(ParticipantId, Kind)>,
    /// Void attempts at the question that is pending.
    voided: Vec<Voided>,
    /// Rounds with a result, for the spot check.
    closed: BTreeMap<RoundId, ClosedRound>,
    /// Why the last attempt was abandoned, and whether its sum may have been opened.
    last_abandoned: Option<(String, bool)>,
    over: Option<Over>,
}

/// A round that has not ended.
#[derive(Clone)]
pub struct Open {
    /// The state machine.
    pub round: Round,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What is asked, for people.
    pub kind: &'static str,
}

/// What the spot check needs of a round with a result.
#[derive(Clone, Debug)]
pub struct ClosedRound {
    /// What was published.
    pub opened: Opened,
    /// The blobs of the survivors' uploads, in the order of ids.
    pub uploads: Vec<Digest>,
    /// Bytes of a chunk.
    pub chunk_bytes: usize,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// With a model: its digest.
    Completed(Digest),
    /// Without one: why.
    Abandoned(String),
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

    /// Decides on an input to a round: the facts to record, and the round after them.
    ///
    /// # Errors
    /// [`Rejection`]; then nothing has changed.
    pub fn decide(
        &self,
        now: Timestamp,
        job: &JobId,
        id: RoundId,
        input: Input,
    ) -> Result<Option<(Vec<Fact>, Round)>, Rejection> {
        let open = self.open_round(job, id).ok_or(Rejection::Over)?;
        let Step { next, changed } = open.round.step(now, &input)?;
        if !changed {
            return Ok(None);
        }
        let survivors = match next.phase() {
            Phase::Closed(closed) => closed.survivors.ids().to_vec(),
            _ => Vec::new(),
        };
        let mut facts = vec![Fact::Heard { job: job.clone(), round: id, input, survivors }];
        if let (Phase::Collecting(_), Phase::Certifying(frozen)) = (open.round.phase(), next.phase()) {
            let (survivors, digest) = (frozen.survivors().ids().to_vec(), frozen.survivors().digest());
            facts.push(Fact::RoundFrozen { job: job.clone(), round: id, survivors, digest });
        }
        if let Phase::Abandoned(reason) = next.phase() {
            let reason = self.told(&next, reason);
            facts.push(Fact::RoundAbandoned { job: job.clone(), round: id, reason });
        }
        Ok(Some((facts, next)))
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
            // Its kind and training round follow from the question.
            Fact::RoundOpened { plan, .. } => {
                let roster = self.roster.clone();
                let state = self.job_mut(&plan.job)?;
                let Next::Ask(question) = &state.pending else { return Err(FoldError::Astray) };
                let kind = question.kind();
                let round = Round::open((**plan).clone(), roster, now)?;
                state.preparation = plan.preparation;
                state.attempts = plan.id.attempt;
                state.equivocated.clear();
                state.round = Some(Open { round, opened_at: now, kind });
                Ok(())
            }
            Fact::Heard { job, round, input, .. } => {
                let open = self.open_round(job, *round).ok_or(FoldError::Astray)?;
                let next = open.round.step(now, input)?.next;
                self.advance(job, next, sum)
            }
            Fact::Equivocated { job, kind, message, .. } => {
                self.job_mut(job)?.equivocated.insert((message.from, *kind));
                Ok(())
            }
            Fact::JobCompleted { job, model, .. } => {
                self.job_mut(job)?.over = Some(Over::Completed(*model));
                Ok(())
            }
            Fact::JobAbandoned { job, reason } => {
                self.job_mut(job)?.over = Some(Over::Abandoned(reason.clone()));
                Ok(())
            }
            // These follow from the inputs; they are there for whoever reads the ledger.
            Fact::RoundFrozen { .. } | Fact::RoundAbandoned { .. } | Fact::JobProgress { .. } => Ok(()),
        }
    }

    /// Puts a round after a durable input in the place of the round before it.
    ///
    /// # Errors
    /// [`FoldError`] when the program refuses the sum.
    pub fn advance(&mut self, job: &JobId, next: Round, sum: Option<&Sum>) -> Result<(), FoldError> {
        let abandoned = match next.phase() {
            Phase::Abandoned(reason) => Some(self.told(&next, reason)),
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

    /// Why a round was abandoned, with who declined it and why.
    fn told(&self, round: &Round, reason: &Abandoned) -> String {
        let name = |id| self.roster.member(id).map_or_else(String::new, |member| member.name.clone());
        let declined = round.declined().iter().map(|(id, code)| format!("{} ({code})", name(*id)));
        match declined.collect::<Vec<_>>().join(", ") {
            nobody if nobody.is_empty() => reason.to_string(),
            declined => format!("{reason}; declined by {declined}"),
        }
    }

    fn agree(&mut self, job: &JobId, file: &str) -> Result<(), FoldError> {
        let (parsed, terms) = Terms::of(file, self.roster.roster())?;
        let mut run = JobRun::new(&parsed);
        let pending = run.next(None)?;
        self.job = Some(JobState {
            id: job.clone(),
            job: parsed,
            terms,
            run,
            pending,
            round: None,
            number: 1,
            attempts: 0,
            preparation: 0,
            abandoned: BTreeMap::new(),
            equivocated: BTreeSet::new(),
            voided: Vec::new(),
            closed: BTreeMap::new(),
            last_abandoned: None,
            over: None,
        });
        Ok(())
    }

    fn job_mut(&mut self, job: &JobId) -> Result<&mut JobState, FoldError> {
        self.job.as_mut().filter(|state| state.id == *job).ok_or(FoldError::Astray)
    }
}

impl ClosedRound {
    fn of(opening: &Round, closed: &Closed) -> Result<Self, FoldError> {
        let Phase::Opening(phase) = opening.phase() else { return Err(FoldError::Astray) };
        let uploads = phase.submissions().iter().map(|submission| submission.upload.blob).collect();
        let chunk_bytes = chunk_bytes(opening.plan().protection.parameter_set());
        Ok(Self { opened: closed.opened.clone(), uploads, chunk_bytes })
    }
}

impl JobState {
    /// Whether it is on record that this participant said this twice in the round in progress.
    pub fn has_equivocated(&self, who: ParticipantId, kind: Kind) -> bool {
        self.equivocated.contains(&(who, kind))
    }

    /// Void attempts at the question that is pending.
    pub fn voided(&self) -> &[Voided] {
        &self.voided
    }

    /// Whether a closed round published this blob: its transcript or its sum of keys.
    pub fn publishes(&self, digest: Digest) -> bool {
        let published =
            |closed: &ClosedRound| closed.opened.transcript == digest || closed.opened.key_sum == digest;
        self.closed.values().any(published)
    }

    /// A round with a result.
    pub fn closed(&self, id: RoundId) -> Option<&ClosedRound> {
        self.closed.get(&id)
    }

    /// The round in progress.
    pub fn round(&self) -> Option<&Open> {
        self.round.as_ref()
    }

    /// What the program wants now.
    pub fn pending(&self) -> &Next<Question, Outcome> {
        &self.pending
    }

    /// How the job ended, if it did.
    pub fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// What the program would want, and its metrics, after `sum`: a look ahead that changes nothing, so that
    /// a sum which the program refuses is known before anything is recorded.
    ///
    /// # Errors
    /// [`ProgramError`] when the program refuses the sum.
    pub fn after(&self, sum: &Sum) -> Result<(Next<Question, Outcome>, Vec<RoundMetrics>), ProgramError> {
        let mut run = self.run.clone();
        let next = run.next(Some(sum))?;
        Ok((next, run.metrics()[self.run.metrics().len()..].to_vec()))
    }

    /// The plan of the next attempt at `question`.
    ///
    /// # Errors
    /// [`ProgramError`] when the question has no layout or encoding.
    pub fn plan(
        &self,
        question: &Question,
        roster: &SealedRoster,
    ) -> Result<(RoundPlan, Vec<u8>), ProgramError> {
        let bytes = question.to_bytes()?;
        let plan = RoundPlan {
            federation: roster.roster().federation.clone(),
            roster: roster.digest(),
            job: self.id.clone(),
            agreement: self.terms.agreement,
            id: RoundId { round: self.number, attempt: self.attempts + 1 },
            preparation: self.preparation + 1,
            protection: self.terms.protection,
            admitted: self.terms.admitted.clone(),
            question: Digest::of(&bytes),
            layout: question.layout()?,
            deadlines: self.terms.deadlines,
        };
        Ok((plan, bytes))
    }

    /// Why a round was abandoned, for people; none where it was not.
    pub fn why_abandoned(&self, id: RoundId) -> Option<&str> {
        self.abandoned.get(&id).map(String::as_str)
    }

    /// Training rounds that the job asks for.
    pub fn training_rounds(&self) -> u32 {
        self.job.rounds.count
    }

    /// Why the job cannot go on, if it cannot: the round was tried as often as is allowed, or its sum may
    /// have been opened, so that whoever revealed will not answer the question again (rule 11).
    pub fn dead_end(&self) -> Option<String> {
        let (reason, may_have_opened) = self.last_abandoned.as_ref()?;
        let asked = match &self.pending {
            Next::Ask(question) => question.slot(),
            Next::Done(_) => return None,
        };
        if *may_have_opened {
            return Some(format!("`{asked}` cannot be asked again once revealing began: {reason}"));
        }
        let exhausted = self.attempts >= MOST_ATTEMPTS;
        exhausted.then(|| format!("`{asked}` was asked {MOST_ATTEMPTS} times without a sum: {reason}"))
    }
}
