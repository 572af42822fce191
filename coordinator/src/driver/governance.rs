//! What people who may run jobs do to them, and what they see of them. Each act is on record before it counts.

use syndic_learning::job::Terms;
use syndic_learning::program::drift::released::Departs;
use syndic_learning::{Job, ModelCard, Next};
use syndic_proto::control::{JobStanding, JobStatus};
use syndic_round::{Digest, JobId, Stage};

use super::{Coordinator, CoordinatorError, Inner, State};
use crate::engine::{Ended, Engine, JobState, Over};
use crate::event::{Event, Phase};
use crate::fact::{Cause, Fact, Priority};
use crate::registry::{NotComparable, Registered, RegistryError};

impl Coordinator {
    /// Agrees the job of the configuration. The file is recorded verbatim; its digest binds every round. The same job again
    /// is fine.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn agree(&self, file: &str) -> Result<JobId, CoordinatorError> {
        self.submit(file, Priority::default(), CONFIGURATION).await.map(|(id, _)| id)
    }

    /// Agrees a job that `by` hands in. The same file again is fine and changes nothing; then the answer is false.
    ///
    /// # Errors
    /// [`CoordinatorError::Job`] when the file is refused, [`CoordinatorError::OtherJob`] when a job of its id is on record
    /// with another file, [`CoordinatorError::Registry`] when it compares models that participants do not have, or rows with other
    /// bins than those of the model's card.
    pub async fn submit(
        &self,
        file: &str,
        priority: Priority,
        by: &str,
    ) -> Result<(JobId, bool), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        let (job, terms) = Terms::of(file, state.engine.roster().roster())?;
        let id = job.identity.id.clone();
        if state.engine.agreement(&id).is_none() {
            self.can_be_compared(&state, &job).await?;
            // If we crash here the job file is stored but not agreed; whoever hands it in does so again.
            self.inner.blobs.put(file.as_bytes()).await?;
        }
        let fact = Fact::JobAgreed { job: id.clone(), file: file.into(), priority, by: by.into() };
        let agree = |state: &State, _| match state.engine.agreement(&id) {
            Some(known) if known == terms.agreement => Ok(Vec::new()),
            Some(_) => Err(CoordinatorError::OtherJob(id.clone())),
            None => Ok(vec![fact.clone()]),
        };
        // If we crash here nothing was agreed; after it the job is on record, and runs after the next start.
        let is_new = !self.inner.decided(&mut state, None, agree).await?.is_empty();
        if is_new {
            self.inner.tell_started(&state, &id);
        }
        Ok((id, is_new))
    }

    /// Checks that participants have what a job needs that trains nothing.
    async fn can_be_compared(&self, state: &State, job: &Job) -> Result<(), CoordinatorError> {
        let registry = state.engine.registry();
        let comparable =
            |models: &[Digest]| registry.comparable(models, &job.contract).map_err(RegistryError::from);
        if let Some(terms) = job.comparison() {
            comparable(&terms.models)?;
        }
        let Some(terms) = job.released_drift() else { return Ok(()) };
        comparable(&[terms.model])?;
        let mut why = None;
        // Two jobs may have released the same weights, under two cards: it suffices that one of them has these bins, of those that
        // participants have.
        let is_had = |one: &Registered| {
            one.model == terms.model && matches!(one.stage, Stage::Shadow | Stage::Champion)
        };
        for card in registry.models().filter(|(_, one)| is_had(one)).filter_map(|(_, one)| one.card) {
            let card = self.inner.blobs.read(card).await?;
            let card: Option<ModelCard> = serde_json::from_slice(&card).ok();
            match card.map_or(Err(Departs::NoReference), |card| terms.is_of(&card)) {
                Ok(()) => return Ok(()),
                Err(departs) => why = Some(departs),
            }
        }
        let departs = why.unwrap_or(Departs::NoReference);
        Err(RegistryError::from(NotComparable::from(departs)).into())
    }

    /// Opens no further round of a job until it is resumed; one in progress goes on. A job that is paused stays so.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`], [`CoordinatorError::JobOver`].
    pub async fn pause(&self, job: &JobId, cause: Cause) -> Result<(), CoordinatorError> {
        let event = Event::JobPaused { job: job.to_string(), reason: cause.reason.clone() };
        let fact = Fact::JobPaused { job: job.clone(), cause };
        self.inner.act(job, fact, event, |live| live.paused().is_none()).await
    }

    /// Lets a paused job go on. One that is not paused goes on.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`], [`CoordinatorError::JobOver`].
    pub async fn resume(&self, job: &JobId, cause: Cause) -> Result<(), CoordinatorError> {
        let event = Event::JobResumed { job: job.to_string(), reason: cause.reason.clone() };
        let fact = Fact::JobResumed { job: job.clone(), cause };
        self.inner.act(job, fact, event, |live| live.paused().is_some()).await
    }

    /// Makes a job more urgent, or less.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`], [`CoordinatorError::JobOver`].
    pub async fn prioritise(
        &self,
        job: &JobId,
        priority: Priority,
        cause: Cause,
    ) -> Result<(), CoordinatorError> {
        let event = Event::JobPrioritised { job: job.to_string(), priority };
        let fact = Fact::JobPrioritised { job: job.clone(), priority, cause };
        self.inner.act(job, fact, event, |live| live.priority() != priority).await
    }

    /// Ends a job for good, the round in progress with it. One that was stopped before stays so.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`]; [`CoordinatorError::JobOver`] where it ended otherwise.
    pub async fn stop(&self, job: &JobId, cause: Cause) -> Result<(), CoordinatorError> {
        let reason = cause.reason.clone();
        let stop = |state: &State, now| {
            if let Some(Ended { over: Over::Stopped(_), .. }) = state.engine.ended(job) {
                return Ok(Vec::new());
            }
            state.live(job)?;
            let facts = state.engine.decide_stop(now, job, cause.clone());
            facts.ok_or_else(|| CoordinatorError::NoSuchJob(job.clone()))
        };
        let mut state = self.inner.state.lock().await;
        // If we crash here the job goes on; after it the round is abandoned and the job over, both or neither.
        let facts = self.inner.decided(&mut state, None, stop).await?;
        if facts.is_empty() {
            return Ok(());
        }
        for fact in facts {
            if let Fact::RoundAbandoned { round, reason, .. } = fact {
                self.inner.tell(job, Event::RoundAbandoned { id: round, reason });
            }
        }
        self.inner.tell(job, Event::JobStopped { job: job.to_string(), reason });
        Ok(())
    }

    /// One job.
    ///
    /// # Errors
    /// [`CoordinatorError::NoSuchJob`].
    pub async fn status(&self, job: &JobId) -> Result<JobStatus, CoordinatorError> {
        let all = self.list().await;
        let found = all.into_iter().find(|status| status.job == *job);
        found.ok_or_else(|| CoordinatorError::NoSuchJob(job.clone()))
    }

    /// All jobs, in the order of agreement.
    pub async fn list(&self) -> Vec<JobStatus> {
        let mut state = self.inner.state.lock().await;
        // Where the ledger cannot be read, its trouble is known and what was read before is shown.
        let _ = self.inner.catch_up(&mut state).await;
        let can_gather = |job: &JobState| self.enough_are_connected(job);
        let under_way = state.engine.under_way(self.inner.most_jobs_at_once, can_gather);
        let mut all: Vec<JobStatus> =
            state.engine.all_ended().map(|(id, ended)| over(&state, id, ended)).collect();
        all.extend(
            state.engine.jobs().map(|job| self.live(&state.engine, job, under_way.contains(&&job.id))),
        );
        all.sort_by_key(|status| status.order);
        all
    }

    fn live(&self, engine: &Engine, job: &JobState, is_under_way: bool) -> JobStatus {
        let present = self.inner.lock_present();
        let admitted = job.admitted();
        let connected = admitted.iter().filter(|id| present.is_connected(**id)).count();
        drop(present);
        let threshold = usize::from(job.terms.protection.threshold());
        let is_waiting =
            job.round().is_none() && connected < threshold && matches!(job.pending(), Next::Ask(_));
        let (standing, reason) = match (job.paused(), job.round()) {
            (Some(reason), Some(_)) => (JobStanding::Pausing, Some(reason.to_owned())),
            (Some(reason), None) => (JobStanding::Paused, Some(reason.to_owned())),
            (None, _) if is_waiting => {
                let needed =
                    format!("{connected} of the {threshold} institutions that are needed are connected");
                (JobStanding::Running, Some(needed))
            }
            (None, _) if !is_under_way => {
                let most = self.inner.most_jobs_at_once;
                (JobStanding::Queued, Some(format!("{most} other jobs are under way")))
            }
            (None, _) => (JobStanding::Running, job.last_reason().map(String::from)),
        };
        let name = |id| engine.roster().member(id).map_or_else(String::new, |member| member.name.clone());
        let missing = job.round().map_or_else(Vec::new, |open| {
            let carrier = open.round.plan().carrier;
            open.missing
                .iter()
                .map(|missing| format!("{} {}", name(missing.participant), missing.reason(carrier)))
                .collect()
        });
        JobStatus {
            job: job.id.clone(),
            standing,
            reason,
            priority: job.priority().get(),
            order: job.order,
            agreement: job.terms.agreement.to_string(),
            round: job.round().map(|open| open.round.plan().id),
            phase: job
                .round()
                .and_then(|open| Phase::of(open.round.phase()))
                .map(|phase| phase.name().into()),
            training_round: job.training_round(),
            training_rounds: job.training_rounds(),
            admitted: admitted.len() as u32,
            connected: connected as u32,
            missing,
            warnings: engine.warnings(&job.id),
            model: None,
            trouble: self.job_trouble(),
            waiting_for: if is_waiting { self.not_connected(engine, job) } else { Vec::new() },
            starts_by_ms: job.starts_by().map(|by| by.0),
            erase_at_ms: None,
            erased_by_entry: None,
        }
    }
}

impl State {
    /// A job that is not over.
    fn live(&self, job: &JobId) -> Result<&JobState, CoordinatorError> {
        match self.engine.job(job) {
            Some(live) => Ok(live),
            None if self.engine.ended(job).is_some() => Err(CoordinatorError::JobOver(job.clone())),
            None => Err(CoordinatorError::NoSuchJob(job.clone())),
        }
    }
}

impl Inner {
    /// Puts an act on record where `is_due`.
    async fn act(
        &self,
        job: &JobId,
        fact: Fact,
        event: Event,
        is_due: impl Fn(&JobState) -> bool,
    ) -> Result<(), CoordinatorError> {
        let mut state = self.state.lock().await;
        let act = |state: &State, _| Ok(is_due(state.live(job)?).then(|| fact.clone()).into_iter().collect());
        // If we crash here nothing was done; after it the act is on record, and counts after the next start.
        if !self.decided(&mut state, None, act).await?.is_empty() {
            self.tell(job, event);
        }
        Ok(())
    }
}

fn over(state: &State, id: &JobId, ended: &Ended) -> JobStatus {
    let (standing, reason, model) = match &ended.over {
        Over::Completed(model) => (JobStanding::Completed, None, Some(model.to_string())),
        Over::Compared(_) | Over::Described(_) => (JobStanding::Completed, None, None),
        Over::Abandoned(reason) => (JobStanding::Abandoned, Some(reason.clone()), None),
        Over::Stopped(reason) => (JobStanding::Stopped, Some(reason.clone()), None),
    };
    JobStatus {
        job: id.clone(),
        standing,
        reason,
        priority: ended.priority.get(),
        order: ended.order,
        agreement: ended.agreement.to_string(),
        round: None,
        phase: None,
        training_round: None,
        training_rounds: ended.training_rounds,
        admitted: 0,
        connected: 0,
        missing: Vec::new(),
        warnings: state.engine.warnings(id),
        model,
        trouble: None,
        waiting_for: Vec::new(),
        starts_by_ms: None,
        erase_at_ms: ended.erase_at().map(|at| at.0),
        erased_by_entry: state.record.erased(id),
    }
}

/// Who hands in the job that the configuration names.
const CONFIGURATION: &str = "configuration";
