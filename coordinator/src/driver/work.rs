//! What the coordinator itself owes a job, by the state alone: open a round, wait, open the sum, end the job.

use std::time::Duration;

use serde_json::{Map, Value, json};
use syndic_learning::promotion::Figures;
use syndic_learning::{
    DriftFigures, Ending, Findings, Metrics, Next, Outcome, RoundMetrics, StatisticsFigures,
};
use syndic_round::coordinator::{Input, Opening, Round};
use syndic_round::{
    JobId, ParticipantId, Place, PreparationTerms, RING_DIMENSION, Rejection, RoundPlan, Timestamp,
};
use syndic_secure_aggregation::Unopened;
use tokio::time::{Instant, sleep_until};

use super::driving::Driven;
use super::opening::{Ready, open_sum};
use super::presence::MadeAhead;
use super::{Coordinator, CoordinatorError, State};
use crate::clock;
use crate::engine::JobState;
use crate::event::Event;
use crate::fact::{Fact, JobDrift};
use crate::store::{Lease, Tenure};

enum Work {
    /// Nothing until something changes.
    Nothing,
    /// Open the next round, once participants are there.
    OpenRound,
    /// Begin a preparation ahead of the next round.
    Prepare,
    /// Wait for a phase's deadline.
    Wait(Place, Timestamp),
    /// Open the sum.
    OpenSum(Box<RoundPlan>, Box<Opening>),
    /// Release the model.
    Release(Box<Outcome>),
    /// Put on record what a comparison found.
    Conclude(Box<Findings>),
    /// Put on record which document describes the rows.
    Describe(Box<StatisticsFigures>),
    /// End the job without a model.
    Abandon(String),
    /// The job is over.
    Over,
    /// Nothing new is begun any more.
    Drained,
    /// An append failed: nothing more is decided here.
    Stopped,
}

impl Coordinator {
    /// Does what the coordinator owes a job, until it is over or nothing new is begun any more: of several replicas, as
    /// long as the job's lease is held.
    pub(super) async fn drive_under(
        &self,
        job: &JobId,
        tenure: Option<&Tenure>,
    ) -> Result<Driven, CoordinatorError> {
        let mut changed = self.changes();
        let mut due_since = Instant::now();
        loop {
            changed.borrow_and_update();
            let lease = match tenure {
                Some(tenure) => Some(tenure.lease().await),
                None => None,
            };
            let lease = lease.as_ref();
            let (work, starts_by) = self.work(job).await;
            if !matches!(work, Work::OpenRound) {
                due_since = Instant::now();
            }
            let wait = match work {
                Work::Over => return Ok(Driven::Over),
                Work::Drained => return Ok(Driven::Drained),
                Work::Stopped => return Err(CoordinatorError::Stopped),
                Work::Nothing => None,
                Work::OpenRound => match self.gathered(job, due_since).await {
                    Gathered::Yes => {
                        self.unless_overtaken(self.open_round(job, lease).await).await?;
                        continue;
                    }
                    Gathered::Until(at) => Some(at),
                    Gathered::No => None,
                },
                Work::Prepare => {
                    self.unless_overtaken(self.prepare(job, lease).await).await?;
                    continue;
                }
                Work::Wait(place, at) => {
                    let left = until(at);
                    if left.is_zero() {
                        unless_over(self.wake(job, place, lease).await)?;
                        continue;
                    }
                    Some(Instant::now() + left)
                }
                Work::OpenSum(plan, opening) => {
                    unless_over(self.open_sum(job, &plan, &opening, lease).await)?;
                    continue;
                }
                Work::Release(outcome) => {
                    self.unless_overtaken(self.release(job, &outcome, lease).await).await?;
                    continue;
                }
                Work::Conclude(found) => {
                    self.unless_overtaken(self.conclude(job, &found, lease).await).await?;
                    continue;
                }
                Work::Describe(figures) => {
                    self.unless_overtaken(self.describe(job, &figures, lease).await).await?;
                    continue;
                }
                Work::Abandon(reason) => {
                    self.unless_overtaken(self.abandon(job, reason, lease).await).await?;
                    continue;
                }
            };
            let idle = Instant::now() + IDLE;
            let mut deadline = wait.map_or(idle, |at| at.min(idle));
            if let Some(by) = starts_by {
                deadline = deadline.min(Instant::now() + until(by));
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Where another replica was faster there is another look, at what is stored by now.
    async fn unless_overtaken(&self, done: Result<(), CoordinatorError>) -> Result<(), CoordinatorError> {
        match done {
            Err(error) if self.inner.was_overtaken(&error) => self.catch_up().await,
            done => done,
        }
    }

    /// Ends a phase whose time is over.
    async fn wake(&self, job: &JobId, place: Place, lease: Option<&Lease>) -> Result<bool, CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        self.inner.hear(&mut state, job, place, Input::Wake, None, lease).await
    }

    /// What is owed now, and by when the job is to have started, if that is still to come.
    async fn work(&self, id: &JobId) -> (Work, Option<Timestamp>) {
        let state = self.inner.state.lock().await;
        (self.work_of(&state, id), state.engine.job(id).and_then(JobState::starts_by))
    }

    fn work_of(&self, state: &State, id: &JobId) -> Work {
        if state.stopped {
            return Work::Stopped;
        }
        let Some(job) = state.engine.job(id) else { return Work::Over };
        if self.is_draining() {
            return Work::Drained;
        }
        if let Some(open) = job.round() {
            let goes_on = job.paused().is_none() && open.round.command().is_none();
            if goes_on && job.wants_ahead() && self.enough_are_connected(job) {
                return Work::Prepare;
            }
            return earliest(of_round(&open.round), of_ahead(job));
        }
        let may_open = state
            .engine
            .under_way(self.inner.most_jobs_at_once, |job| self.enough_are_connected(job))
            .contains(&id);
        let dead_end = job.dead_end().or_else(|| self.missed_its_start(state, job, may_open));
        match (job.pending(), dead_end) {
            (_, Some(reason)) => Work::Abandon(reason),
            (Next::Done(Ending::Released(outcome)), None) => Work::Release(outcome.clone()),
            (Next::Done(Ending::Compared(found)), None) => Work::Conclude(found.clone()),
            (Next::Done(Ending::Described(figures)), None) => Work::Describe(figures.clone()),
            (Next::Ask(_), None) if !may_open => of_ahead(job).unwrap_or(Work::Nothing),
            // A preparation that is under way is waited for: another would take as long. Unless it is of no use.
            (Next::Ask(_), None) if job.asks_for_shares() => Work::OpenRound,
            (Next::Ask(_), None) => of_ahead(job).unwrap_or(Work::OpenRound),
        }
    }

    /// Whether as many are connected as a round needs. As long as they are not, nobody is late: after an outage all get their
    /// time to come.
    pub(super) fn enough_are_connected(&self, job: &JobState) -> bool {
        let (mut present, now) = (self.inner.lock_present(), Instant::now());
        let admitted = job.admitted();
        let absent = present.absences(&admitted, now).len();
        let are_enough = admitted.len() - absent >= usize::from(job.terms.protection.threshold());
        if !are_enough {
            present.miss_anew(&admitted, now);
        }
        are_enough
    }

    /// A round opens when all admitted institutions are connected, or enough of them and the others have had their time to
    /// come: since they left, or since there were too few, and not anew for every round. Who comes and goes keeps no round for
    /// longer than that.
    async fn gathered(&self, job: &JobId, due_since: Instant) -> Gathered {
        let (admitted, threshold) = {
            let state = self.inner.state.lock().await;
            let Some(job) = state.engine.job(job) else { return Gathered::No };
            (job.admitted(), usize::from(job.terms.protection.threshold()))
        };
        let now = Instant::now();
        let absences = self.inner.lock_present().absences(&admitted, now);
        let latest = absences.iter().map(|(_, since)| *since).max();
        let until = latest.map(|latest| latest.min(due_since) + self.inner.gather);
        match until {
            None => Gathered::Yes,
            Some(_) if admitted.len() - absences.len() < threshold => Gathered::No,
            Some(until) if now >= until => Gathered::Yes,
            Some(until) => Gathered::Until(until),
        }
    }

    /// Begins a preparation ahead of the next round.
    async fn prepare(&self, job: &JobId, lease: Option<&Lease>) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        let wants = state.engine.job(job).filter(|job| job.wants_ahead() && job.paused().is_none());
        let Some(job) = wants else { return Ok(()) };
        let terms = Box::new(job.next_terms(state.engine.roster()));
        let excused = self.excused(&terms.admitted);
        let fact = Fact::PreparationOpened { terms, excused };
        // If we crash here nothing was begun; after it the preparation is on record, and goes on after the next start.
        self.inner.record(&mut state, clock::now(), std::slice::from_ref(&fact), None, lease).await
    }

    /// The terms of the preparation that was made ahead, where it serves: the next vector is to be encrypted, and those who
    /// are there are those it was made for.
    fn terms_ahead(&self, job: &JobState) -> Option<PreparationTerms> {
        let (ahead, prepared) = (job.ahead()?, job.ready()?);
        if job.asks_for_shares() {
            return None;
        }
        let terms = ahead.terms();
        let made = MadeAhead {
            job: &job.id,
            number: terms.number,
            begun: ahead.begun_at(),
            admitted: &terms.admitted,
            eligible: prepared.eligible(),
            declined: ahead.declined(),
            min_survivors: terms.protection.min_survivors(),
        };
        self.inner.lock_present().is_served_by(&made).then(|| terms.clone())
    }

    async fn open_round(&self, id: &JobId, lease: Option<&Lease>) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        // Paused, stopped or overtaken by another job since it was looked at: there is another look.
        let may_open = state
            .engine
            .under_way(self.inner.most_jobs_at_once, |job| self.enough_are_connected(job))
            .contains(&id);
        let Some(job) = state.engine.job(id).filter(|job| may_open && job.round().is_none()) else {
            return Ok(());
        };
        let Next::Ask(question) = job.pending() else { return Ok(()) };
        let terms = self.terms_ahead(job).unwrap_or_else(|| job.next_terms(state.engine.roster()));
        let (plan, bytes) = job.plan(question, terms)?;
        let (kind, training_round) = (question.kind(), question.training_round());
        // If we crash here the question is stored but not asked; the same bytes are stored again.
        self.inner.blobs.put(&bytes).await?;
        let opened = Event::RoundOpened {
            id: plan.id,
            kind,
            training_round,
            values: plan.layout.len(),
            padded: plan.chunks() * RING_DIMENSION,
            carrier: plan.carrier,
        };
        let absent = self.absent(&plan.terms.admitted);
        let excused = self.excused(&absent);
        let plan = Box::new(plan);
        let fact =
            Fact::RoundOpened { plan, kind: kind.into(), training_round, absent, excused, lot: job.lot() };
        self.inner.record(&mut state, clock::now(), std::slice::from_ref(&fact), None, lease).await?;
        self.inner.tell_opened(&mut state, id, opened);
        Ok(())
    }

    /// Who has been absent for so long that nobody waits for it.
    fn excused(&self, ids: &[ParticipantId]) -> Vec<ParticipantId> {
        let now = Instant::now();
        let absences = self.inner.lock_present().absences(ids, now).into_iter();
        absences.filter(|(_, since)| *since + self.inner.gather <= now).map(|(id, _)| id).collect()
    }

    pub(super) fn absent(&self, admitted: &[ParticipantId]) -> Vec<ParticipantId> {
        let present = self.inner.lock_present();
        admitted.iter().copied().filter(|id| !present.is_connected(*id)).collect()
    }

    async fn open_sum(
        &self,
        job: &JobId,
        plan: &RoundPlan,
        opening: &Opening,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let opened = open_sum(plan, opening, self.blobs()).await?;
        let mut state = self.inner.state.lock().await;
        let ahead = opened.and_then(|Ready { sum, stored }| match look_ahead(&state, job, &sum) {
            Ok(ahead) => Ok((sum, stored, ahead)),
            Err(reason) => Err(Unopened::Refused(reason)),
        });
        let refused = match ahead {
            Ok((sum, stored, Ahead { metrics, drift })) => {
                // If we crash here the sum is stored but the round is open; it is opened again, to the same sum.
                let stored = Input::Opened(stored);
                self.inner.hear(&mut state, job, plan.id.into(), stored, Some(&sum), lease).await?;
                self.progress(&mut state, job, &metrics, lease).await?;
                if let Some(drift) = drift {
                    // If we crash here the figures are not written out: they follow from the sums, and are in the card.
                    let fact = Fact::JobDrift(Box::new(JobDrift::of(job, &drift)));
                    self.inner.decided(&mut state, lease, |_, _| Ok(vec![fact.clone()])).await?;
                }
                return Ok(());
            }
            Err(Unopened::MoreReveals(reason)) => Input::MoreReveals(reason),
            Err(Unopened::Refused(reason)) => Input::SumRefused(reason),
        };
        self.inner.hear(&mut state, job, plan.id.into(), refused, None, lease).await?;
        Ok(())
    }

    async fn progress(
        &self,
        state: &mut State,
        job: &JobId,
        metrics: &[RoundMetrics],
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        for measured in metrics {
            let training_round = measured.training_round;
            let rows = [("test", measured.test), ("validation", measured.validation)];
            let rows: Vec<(&str, Metrics)> =
                rows.into_iter().filter_map(|(rows, m)| Some((rows, m?))).collect();
            let text: Map<String, Value> =
                rows.iter().map(|(rows, m)| ((*rows).into(), as_text(m))).collect();
            let fact = Fact::JobProgress { job: job.clone(), training_round, metrics: Value::Object(text) };
            // If we crash here the round is closed but its metrics are not written out: they follow from the
            // sums, so nothing is lost but the convenience of reading them in the ledger.
            self.inner.decided(state, lease, |_, _| Ok(vec![fact.clone()])).await?;
            for (rows, Metrics { roc_auc, pr_auc, log_loss, .. }) in rows {
                let (Some(roc_auc), Some(pr_auc)) = (roc_auc, pr_auc) else { continue };
                self.inner.tell(job, Event::Metrics { training_round, rows, roc_auc, pr_auc, log_loss });
            }
        }
        Ok(())
    }

    async fn release(
        &self,
        job: &JobId,
        outcome: &Outcome,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        let model = outcome.model.to_safetensors()?;
        // If we crash here the model is stored but not released; the same bytes are stored again.
        let model = self.inner.blobs.put(&model).await?;
        let attendance = state.engine.job(job).map(|job| job.attendance().clone());
        let released_round = outcome.released_round;
        let figures = state.engine.job(job).map(|job| Figures::of(outcome, job.metrics()));
        let figures = figures.filter(|figures| !figures.is_empty());
        let fact = Fact::JobCompleted { job: job.clone(), released_round, model, attendance, figures };
        self.inner.record(&mut state, clock::now(), std::slice::from_ref(&fact), None, lease).await?;
        let rounds = state.engine.ended(job).map_or(0, |ended| ended.training_rounds);
        let warnings = state.engine.warnings(job);
        self.inner.tell(job, Event::JobCompleted { job: job.to_string(), rounds, warnings });
        Ok(())
    }

    pub(super) async fn abandon(
        &self,
        job: &JobId,
        reason: String,
        lease: Option<&Lease>,
    ) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        if state.engine.job(job).is_none() {
            // Stopped since it was looked at.
            return Ok(());
        }
        let fact = Fact::JobAbandoned { job: job.clone(), reason: reason.clone() };
        self.inner.record(&mut state, clock::now(), std::slice::from_ref(&fact), None, lease).await?;
        self.inner.tell(job, Event::JobAbandoned { job: job.to_string(), reason });
        Ok(())
    }
}

/// How long it is until then by the clock; nothing where that is past.
fn until(at: Timestamp) -> Duration {
    Duration::from_millis(at.0.saturating_sub(clock::now().0))
}

enum Gathered {
    Yes,
    Until(Instant),
    No,
}

fn of_round(round: &Round) -> Work {
    match (round.command(), round.wake_at()) {
        (Some(opening), _) => Work::OpenSum(Box::new(round.plan().clone()), Box::new(opening.clone())),
        (None, Some(at)) => Work::Wait(round.plan().id.into(), at),
        (None, None) => Work::Nothing,
    }
}

/// A round that was stopped in the meantime takes nothing any more, and nothing is wrong with that.
fn unless_over<T>(done: Result<T, CoordinatorError>) -> Result<(), CoordinatorError> {
    match done {
        Ok(_) | Err(CoordinatorError::Rejected(Rejection::Over)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waiting for the preparation that is made ahead; none where there is nothing to wait for.
fn of_ahead(job: &JobState) -> Option<Work> {
    let ahead = job.ahead()?;
    ahead.wake_at().map(|at| Work::Wait(Place::Ahead(ahead.terms().number), at))
}

/// What comes first: work now, or the earlier of two deadlines.
fn earliest(round: Work, ahead: Option<Work>) -> Work {
    match (round, ahead) {
        (Work::Wait(_, at), Some(Work::Wait(ahead, first))) if first < at => Work::Wait(ahead, first),
        (Work::Nothing, Some(ahead)) => ahead,
        (round, _) => round,
    }
}

/// What is written out of a sum.
struct Ahead {
    metrics: Vec<RoundMetrics>,
    drift: Option<DriftFigures>,
}

/// What the program finds in `sum`, or why it refuses the sum.
fn look_ahead(state: &State, job: &JobId, sum: &syndic_round::Sum) -> Result<Ahead, String> {
    let job = state.engine.job(job).ok_or("there is no such job")?;
    let (next, metrics) = job.after(sum).map_err(|error| error.recorded())?;
    let drift = match next {
        Next::Done(Ending::Released(outcome)) => outcome.drift,
        Next::Done(Ending::Compared(_) | Ending::Described(_)) | Next::Ask(_) => None,
    };
    Ok(Ahead { metrics, drift })
}

/// The ledger holds no floating-point numbers, so metrics are written out to nine decimals.
fn as_text(metrics: &Metrics) -> Value {
    let text = |value: Option<f64>| value.map(|value| format!("{value:.9}"));
    json!({
        "roc_auc": text(metrics.roc_auc),
        "pr_auc": text(metrics.pr_auc),
        "log_loss": text(Some(metrics.log_loss)),
    })
}

/// A state that changed without a tick would be looked at again after this long; and so is the clock, which may have been set
/// past a deadline.
const IDLE: Duration = Duration::from_secs(5);
