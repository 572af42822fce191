//! The coordinator's state: the fold of its ledger, and nothing else.
//!
//! Every change is decided first, as facts; the driver makes the facts durable; only then do they count.
//! [`Engine::apply`] is the one way in which a fact counts, at work and in replay.

mod attendance;
mod connections;
mod draft;
mod duties;
mod job;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use syndic_learning::job::{Terms, TermsError};
use syndic_learning::{DriftRecord, Next, Program, ProgramError};
use syndic_round::coordinator::{Abandoned, Input, Phase, Preparation, Round};
use syndic_round::{
    Digest, JobId, ParticipantId, Place, PlanError, Rejection, RoundId, SealedRoster, Signatures, Sum,
    Timestamp,
};
use thiserror::Error;

use crate::fact::{Admitted, Cause, Connected, Fact};
use crate::registry::{Registry, RegistryError};
pub use attendance::Attendance;
use connections::Connections;
pub use draft::{Decided, Draft};
pub use job::{ClosedRound, Ended, JobState, MOST_ATTEMPTS, Open, Over};

/// What the ledger says, folded.
pub struct Engine {
    roster: Arc<SealedRoster>,
    /// Jobs that are not over.
    jobs: BTreeMap<JobId, JobState>,
    ended: BTreeMap<JobId, Ended>,
    /// Jobs that ended last, oldest first, whose outcomes are held.
    latest: VecDeque<JobId>,
    /// Jobs agreed so far.
    agreed: u64,
    /// How often a coordinator was started on this ledger.
    incarnations: u64,
    connections: Connections,
    /// Whom the coordinator lets in, as it is on record.
    admitted: Option<Admitted>,
    /// Serial numbers of the certificates that are on record as revoked.
    revoked: BTreeSet<String>,
    /// Blobs that closed rounds published: transcripts, and sums of keys.
    published: BTreeSet<Digest>,
    /// What became of the models that jobs released.
    registry: Registry,
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
    /// A job is agreed whose id another has, or had.
    #[error("job `{0}` is agreed twice")]
    AgreedTwice(JobId),
    /// A change of a model's stage that must have been refused.
    #[error("a recorded change of a model's stage is refused in replay: {0}")]
    Registry(#[from] RegistryError),
    /// A fact about a job or round that is not there.
    #[error("an entry is about a job or round that is not there")]
    Astray,
}

impl Engine {
    /// The state before any fact.
    pub fn new(roster: Arc<SealedRoster>) -> Self {
        Self {
            roster,
            jobs: BTreeMap::new(),
            ended: BTreeMap::new(),
            latest: VecDeque::new(),
            agreed: 0,
            incarnations: 0,
            connections: Connections::default(),
            admitted: None,
            revoked: BTreeSet::new(),
            published: BTreeSet::new(),
            registry: Registry::default(),
        }
    }

    /// The roster.
    pub fn roster(&self) -> &Arc<SealedRoster> {
        &self.roster
    }

    /// What became of the models that jobs released.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How often a coordinator was started on this ledger.
    pub fn incarnations(&self) -> u64 {
        self.incarnations
    }

    /// Whether it is to go on record that a participant is connected so.
    pub fn is_news(&self, now: Timestamp, connected: &Connected) -> bool {
        self.connections.is_news(now, connected)
    }

    /// Whom the coordinator lets in, where it is on record, and the serial numbers of certificates that are on record as
    /// revoked.
    pub fn admission(&self) -> (Option<&Admitted>, &BTreeSet<String>) {
        (self.admitted.as_ref(), &self.revoked)
    }

    /// A job that is not over.
    pub fn job(&self, id: &JobId) -> Option<&JobState> {
        self.jobs.get(id)
    }

    /// All jobs that are not over.
    pub fn jobs(&self) -> impl Iterator<Item = &JobState> {
        self.jobs.values()
    }

    /// What is left of a job that is over.
    pub fn ended(&self, id: &JobId) -> Option<&Ended> {
        self.ended.get(id)
    }

    /// All jobs that are over, with their ids.
    pub fn all_ended(&self) -> impl Iterator<Item = (&JobId, &Ended)> {
        self.ended.iter()
    }

    /// The job that ended last.
    pub fn last_ended(&self) -> Option<&JobId> {
        self.latest.back()
    }

    /// SHA-256 of the file that a job was agreed with.
    pub fn agreement(&self, id: &JobId) -> Option<Digest> {
        let live = self.jobs.get(id).map(|job| job.terms.agreement);
        live.or_else(|| self.ended.get(id).map(|ended| ended.agreement))
    }

    /// The jobs that may open rounds while at most `most` are under way at once, first those that have a round in progress,
    /// then those that were begun before; among equals by priority, then in the order of agreement. Without a round in
    /// progress a job that is paused is none of them, nor one that `can_gather` nobody for the next: it keeps no other waiting.
    pub fn under_way(&self, most: usize, can_gather: impl Fn(&JobState) -> bool) -> Vec<&JobId> {
        let goes_on = |job: &&JobState| {
            let asks = matches!(job.pending, Next::Ask(_));
            job.round.is_some() || job.paused.is_none() && (!asks || can_gather(job))
        };
        let mut jobs: Vec<&JobState> = self.jobs.values().filter(goes_on).collect();
        jobs.sort_by_key(|job| {
            (Reverse(job.round.is_some()), Reverse(job.has_begun()), Reverse(job.priority), job.order)
        });
        jobs.truncate(most);
        jobs.into_iter().map(|job| &job.id).collect()
    }

    /// What must be said beside the outcome of a job, over or not: who is missing in how many of its sums,
    /// whether training ended before it was done, what is odd about a scorecard, and what has drifted.
    pub fn warnings(&self, job: &JobId) -> Vec<String> {
        let (live, ended) = (self.jobs.get(job), self.ended.get(job));
        let attendance = live.map(|job| &job.attendance).or_else(|| ended.map(|ended| &ended.attendance));
        let missing = attendance.map(|attendance| attendance.warnings(|id| self.name(id)));
        let outcome = ended.and_then(|ended| ended.outcome.as_ref());
        let cut_off = outcome.filter(|outcome| outcome.fit.as_ref().is_some_and(|fit| !fit.converged));
        let cut_off = cut_off.map(|outcome| {
            let rounds = match outcome.released_round {
                1 => "its only round".into(),
                rounds => format!("its {rounds} rounds"),
            };
            format!("training did not come to a minimum in {rounds}: allow more, or a penalty `l2`")
        });
        let scorecard = outcome.and_then(|outcome| outcome.model.scorecard());
        let odd = scorecard.map(|scorecard| scorecard.table().warnings());
        let drift =
            outcome.and_then(|outcome| outcome.drift.as_ref()).and_then(|drift| drift.warning("test rows"));
        let since = ended.and_then(|ended| match &ended.over {
            Over::Compared(found) => found.rows().and_then(DriftRecord::warning),
            _ => None,
        });
        let of_rows = drift.into_iter().chain(since);
        missing.into_iter().flatten().chain(cut_off).chain(odd.into_iter().flatten()).chain(of_rows).collect()
    }

    fn name(&self, id: ParticipantId) -> String {
        self.roster.member(id).map_or_else(String::new, |member| member.name.clone())
    }

    /// Whether a closed round published this blob.
    pub fn publishes(&self, digest: Digest) -> bool {
        self.published.contains(&digest)
    }

    /// The round in progress, if `id` names it.
    pub fn open_round(&self, job: &JobId, id: RoundId) -> Option<&Open> {
        self.jobs.get(job)?.round.as_ref().filter(|open| open.round.plan().id == id)
    }

    /// The preparation made ahead, if this is its number.
    pub fn ahead(&self, job: &JobId, number: u64) -> Option<&Preparation> {
        self.jobs.get(job)?.ahead.preparation().filter(|ahead| ahead.terms().number == number)
    }

    /// What stands in one place, to decide on inputs there.
    pub fn draft<'a>(&'a self, job: &'a JobId, place: Place) -> Draft<'a> {
        Draft::of(self, job, place)
    }

    /// The facts that stop a job, a round in progress with it; none where no such job is under way.
    pub fn decide_stop(&self, now: Timestamp, job: &JobId, cause: Cause) -> Option<Vec<Fact>> {
        let state = self.jobs.get(job)?;
        let mut facts = Vec::new();
        if let Some(open) = &state.round {
            let stop = Input::Stop(cause.reason.clone());
            let stopped = self.draft(job, open.round.plan().id.into()).decide(now, stop);
            // A round in progress takes a stop in every phase.
            facts = stopped.ok()??.facts;
        }
        facts.push(Fact::JobStopped { job: job.clone(), cause });
        Some(facts)
    }

    /// Lets a durable fact count. `sum` is the opened sum where the fact closes a round; what somebody signed is verified by
    /// its signature, unless that was done before.
    ///
    /// # Errors
    /// [`FoldError`] when the fact does not fit the state.
    pub fn apply(
        &mut self,
        now: Timestamp,
        fact: &Fact,
        sum: Option<&Sum>,
        signatures: Signatures,
    ) -> Result<(), FoldError> {
        match fact {
            Fact::RosterSealed { digest, .. } => {
                let same = *digest == self.roster.digest();
                same.then_some(()).ok_or(FoldError::OtherRoster)
            }
            Fact::CoordinatorStarted(started) => {
                let follows = started.incarnation == self.incarnations + 1;
                self.incarnations = started.incarnation;
                follows.then_some(()).ok_or(FoldError::Astray)
            }
            Fact::Connected(connected) => {
                self.connections.take(now, connected);
                self.roster.member(connected.participant).map(drop).ok_or(FoldError::Astray)
            }
            Fact::AdmissionChanged(changed) => {
                self.admitted = Some(changed.now.clone());
                self.revoked.extend(changed.newly_revoked.iter().map(|one| one.serial.clone()));
                Ok(())
            }
            Fact::JobAgreed { job, file, priority, .. } => {
                if self.agreement(job).is_some() {
                    return Err(FoldError::AgreedTwice(job.clone()));
                }
                let agreed = Terms::of(file, self.roster.roster())?;
                self.registry.agreed(job, &agreed.0);
                self.agreed += 1;
                let state = JobState::agreed(job.clone(), agreed, self.agreed, (now, *priority))?;
                self.jobs.insert(job.clone(), state);
                Ok(())
            }
            Fact::JobPaused { job, cause } => {
                self.job_mut(job)?.paused = Some(cause.reason.clone());
                Ok(())
            }
            Fact::JobResumed { job, .. } => {
                self.job_mut(job)?.paused = None;
                Ok(())
            }
            Fact::JobPrioritised { job, priority, .. } => {
                self.job_mut(job)?.priority = *priority;
                Ok(())
            }
            Fact::PreparationOpened { terms, excused } => {
                let roster = self.roster.clone();
                let state = self.job_mut(&terms.job)?;
                let admission = &state.terms.admission;
                if admission.is_by_lot() || terms.admitted != admission.institutions() {
                    return Err(FoldError::Astray);
                }
                Ok(state.ahead.begin((**terms).clone(), excused, roster, now)?)
            }
            // Its kind and training round follow from the question.
            Fact::RoundOpened { plan, absent, excused, lot, .. } => {
                let roster = self.roster.clone();
                let state = self.job_mut(&plan.terms.job)?;
                let Next::Ask(question) = &state.pending else { return Err(FoldError::Astray) };
                if plan.terms.admitted != state.admitted() || *lot != state.lot() {
                    return Err(FoldError::Astray);
                }
                let kind = question.kind();
                let round = state.ahead.open((**plan).clone(), excused, roster, now)?;
                state.attempts = plan.id.attempt;
                state.equivocated_ahead.clear();
                state.round = Some(Open::now(round, now, kind, absent.clone()));
                Ok(())
            }
            Fact::Heard { job, place: Place::Round(id), input, .. } => {
                let open = self.job_mut(job)?.round.as_mut().filter(|open| open.round.plan().id == *id);
                let next = open.ok_or(FoldError::Astray)?.round.replay(now, input, signatures)?.next;
                self.advance(now, job, After::Round(Box::new(next)), sum)
            }
            Fact::Heard { job, place: Place::Ahead(number), input, .. } => {
                let ahead = self.job_mut(job)?.ahead.preparation_mut();
                let ahead = ahead.filter(|ahead| ahead.terms().number == *number);
                let (next, _) = ahead.ok_or(FoldError::Astray)?.replay(now, input, signatures)?;
                self.advance(now, job, After::Ahead(next), sum)
            }
            Fact::Equivocated { job, place, kind, message } => {
                let state = self.job_mut(job)?;
                match (place, &mut state.round) {
                    (Place::Round(_), Some(open)) => drop(open.equivocated.insert((message.from, *kind))),
                    (Place::Round(_), None) => return Err(FoldError::Astray),
                    (Place::Ahead(number), _) => {
                        state.equivocated_ahead.insert((*number, message.from, *kind));
                    }
                }
                Ok(())
            }
            Fact::JobCompleted { job, model, figures, .. } => {
                self.registry.completed(job, *model, figures.as_ref());
                self.end(now, job, Over::Completed(*model))
            }
            Fact::JobCompared(compared) => {
                self.registry.ended(&compared.job);
                let found = Arc::new(compared.found.clone());
                self.end(now, &compared.job, Over::Compared(found))
            }
            Fact::JobDescribed(described) => {
                self.registry.ended(&described.job);
                self.end(now, &described.job, Over::Described(described.document))
            }
            Fact::ModelStaged(staged) => Ok(self.registry.take(staged, &self.roster)?),
            Fact::JobAbandoned { job, reason } => self.end(now, job, Over::Abandoned(reason.clone())),
            Fact::JobStopped { job, cause } => self.end(now, job, Over::Stopped(cause.reason.clone())),
            Fact::UpdatesErased(erased) => {
                let ended = self.ended.get_mut(&erased.job).ok_or(FoldError::Astray)?;
                (!std::mem::replace(&mut ended.is_erased, true)).then_some(()).ok_or(FoldError::Astray)
            }
            // These follow from the inputs; they are there for whoever reads the ledger.
            Fact::PreparationReady { .. }
            | Fact::PreparationAbandoned { .. }
            | Fact::RoundFrozen { .. }
            | Fact::RoundAbandoned { .. }
            | Fact::JobProgress { .. }
            | Fact::JobDrift(_)
            | Fact::Refused(_)
            | Fact::CoordinatorStopped(_) => Ok(()),
        }
    }

    /// Puts what stands after a durable input in the place of what stood before it.
    ///
    /// # Errors
    /// [`FoldError`] when the program refuses the sum.
    pub fn advance(
        &mut self,
        now: Timestamp,
        job: &JobId,
        after: After,
        sum: Option<&Sum>,
    ) -> Result<(), FoldError> {
        match after {
            After::Round(next) => self.advance_round(now, job, *next, sum),
            After::Ahead(next) => {
                self.job_mut(job)?.ahead.advance(next);
                Ok(())
            }
        }
    }

    fn advance_round(
        &mut self,
        now: Timestamp,
        job: &JobId,
        next: Round,
        sum: Option<&Sum>,
    ) -> Result<(), FoldError> {
        let abandoned = match next.phase() {
            Phase::Abandoned(reason) => Some(self.told(next.declined(), reason)),
            _ => None,
        };
        let state = self.jobs.get_mut(job).ok_or(FoldError::Astray)?;
        match next.phase() {
            Phase::Closed(closed) => {
                state.pending = state.run.next(Some(sum.ok_or(FoldError::Astray)?))?;
                state.number += 1;
                state.attempts = 0;
                state.last_abandoned = None;
                state.voided.clear();
                let before = state.round.take().ok_or(FoldError::Astray)?;
                let undrawn = state.terms.admission.others(&before.round.plan().terms.admitted);
                state.attendance.count(before.kind == TRAIN, &before.missing, &undrawn);
                let key_sum = closed.opened.ring.map(|ring| ring.key_sum);
                self.published.extend(key_sum.into_iter().chain([closed.opened.transcript]));
                state.last_closed = Some((before.round.plan().id, ClosedRound::of(&before.round, closed)?));
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
            _ => state.round.as_mut().ok_or(FoldError::Astray)?.advance(next, now),
        }
        Ok(())
    }

    /// Why a round or preparation was abandoned, with who declined it and why.
    fn told(&self, declined: &BTreeMap<ParticipantId, String>, reason: &Abandoned) -> String {
        let declined = declined.iter().map(|(id, code)| format!("{} ({code})", self.name(*id)));
        match declined.collect::<Vec<_>>().join(", ") {
            nobody if nobody.is_empty() => reason.to_string(),
            declined => format!("{reason}; declined by {declined}"),
        }
    }

    /// A job is over. Of those that ended last the outcomes are held, until they are written out.
    fn end(&mut self, now: Timestamp, job: &JobId, over: Over) -> Result<(), FoldError> {
        self.registry.ended(job);
        let ended = self.jobs.remove(job).ok_or(FoldError::Astray)?.end(now, over);
        self.ended.insert(job.clone(), ended);
        self.latest.push_back(job.clone());
        if self.latest.len() > OUTCOMES
            && let Some(oldest) = self.latest.pop_front()
            && let Some(ended) = self.ended.get_mut(&oldest)
        {
            (ended.outcome, ended.described) = (None, None);
        }
        Ok(())
    }

    fn job_mut(&mut self, job: &JobId) -> Result<&mut JobState, FoldError> {
        self.jobs.get_mut(job).ok_or(FoldError::Astray)
    }
}

/// The kind of questions that ask for local training.
pub(crate) const TRAIN: &str = "train";
/// Outcomes that are held of jobs that are over: each holds a model.
const OUTCOMES: usize = 8;
