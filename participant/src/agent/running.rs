//! Running: one connection after the other, and on each the duties of every job handed to who attends to that job.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use rand::RngExt;
use syndic_learning::job::Protected;
use syndic_proto::convert::{Duty, Owed, RoundRef};
use syndic_proto::v1;
use syndic_round::JobId;
use tonic::Streaming;
use tracing::{info, warn};

use super::attending::{Attended, Handed};
use super::link::Link;
use super::lost::Lost;
use super::queue::{Queue, queue};
use super::seat::Seats;
use super::{Agent, AgentError, Ended, system_randomness};
use crate::shown::printable;

/// When an agent ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Once the jobs that it takes part in are over.
    JobOver,
    /// Never: another job may come.
    Stopped,
}

impl Agent {
    /// Takes part until the jobs are over that it takes part in, connecting again whenever the connection is lost.
    ///
    /// # Errors
    /// [`AgentError`] for what trying again does not mend; [`AgentError::JobAbandoned`] where one of the jobs has no outcome.
    pub async fn run(&self) -> Result<(), AgentError> {
        self.run_until(|_, _| false).await.map(drop)
    }

    /// Takes part in one job after the other, and in several at once, for ever.
    ///
    /// # Errors
    /// [`AgentError`] for what trying again does not mend.
    pub async fn serve(&self) -> Result<(), AgentError> {
        self.take_part(Until::Stopped, &|_, _| false).await.map(drop)
    }

    /// As [`Self::run`], but stops dead as soon as `dies` says so of a duty: nothing more is sent, and what was in
    /// memory is lost, as in a power cut. So does the sandbox show what becomes of a round.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_until(
        &self,
        dies: impl Fn(&RoundRef, &Owed) -> bool + Sync,
    ) -> Result<Ended, AgentError> {
        self.take_part(Until::JobOver, &dies).await
    }

    /// Boxed, so that its code is compiled here and not anew in every program that runs an agent.
    fn take_part<'a>(
        &'a self,
        until: Until,
        dies: &'a Dies<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<Ended, AgentError>> + Send + 'a>> {
        Box::pin(async move {
            for unit in Protected::ALL {
                if let Some(budget) = self.policy.privacy.budget_of(unit) {
                    self.journal.open_account(unit, budget.carried()).await?;
                }
            }
            let mut jobs = Jobs { seats: BTreeMap::new(), until, abandoned: None };
            let mut patience = SHORTEST_WAIT;
            let (mut met, mut garbled) = (false, 0);
            loop {
                match self.connected(&mut jobs, &mut patience, &mut met, dies).await {
                    Ok(Ended::Died) => return Ok(Ended::Died),
                    Ok(Ended::JobOver) => {
                        return match jobs.abandoned {
                            Some(reason) => Err(AgentError::JobAbandoned(reason)),
                            None => Ok(Ended::JobOver),
                        };
                    }
                    // Who has met the coordinator once does not give up because somebody else answers in its place.
                    Err(Lost::Forever(AgentError::Connect(error))) if met && !error.is_revoked() => {
                        warn!(participant = self.enrolment.name(), %error, "the coordinator is not itself");
                        patience = LONGEST_WAIT;
                    }
                    // A network that garbles a handshake need not be one that leads to somebody else.
                    Err(Lost::Forever(AgentError::Connect(error)))
                        if error.may_be_garbled() && garbled < MOST_GARBLED =>
                    {
                        warn!(participant = self.enrolment.name(), %error, again_in = ?patience, "not connected");
                        garbled += 1;
                    }
                    Err(Lost::Forever(error)) => return Err(error),
                    Err(Lost::ForNow(reason)) => {
                        info!(participant = self.enrolment.name(), %reason, again_in = ?patience, "not connected");
                    }
                }
                // Those whom one coordinator lost do not all come back at one moment.
                tokio::time::sleep(patience.mul_f64(system_randomness().random_range(0.5..1.0))).await;
                patience = (patience * 2).min(LONGEST_WAIT);
            }
        })
    }

    /// One connection, until it ends.
    async fn connected(
        &self,
        jobs: &mut Jobs,
        patience: &mut Duration,
        met: &mut bool,
        dies: &Dies<'_>,
    ) -> Result<Ended, Lost> {
        let connectors = self.shown.connectors(&self.enrolment);
        let mut link = Link::connect(&connectors).await.map_err(Lost::of_connect)?;
        let (federation, roster) = (self.enrolment.federation(), self.roster.digest());
        let seen = self.ledger_size().await.map_err(|error| Lost::Forever(error.into()))?;
        let shown = link.hello(federation, roster, seen).await.map_err(Lost::of_hello)?;
        let seen = self.recognise(&shown).await?;
        let mut duties = link.duties(seen, jobs.held(), self.takes_models()).await.map_err(Lost::of_call)?;
        *patience = SHORTEST_WAIT;
        *met = true;
        info!(participant = self.enrolment.name(), "connected");
        let mut desk = Desk { agent: self, link, dies, queues: BTreeMap::new(), attending: Vec::new() };
        let ended = desk.work(jobs, &mut duties).await;
        if !matches!(ended, Ok(_) | Err(Lost::Forever(_))) {
            // What is being said may still arrive; secrets are not lost with a connection.
            desk.wind_up(jobs).await?;
        }
        ended
    }
}

/// The jobs that this participant has something of, between connections.
struct Jobs {
    seats: BTreeMap<JobId, Seats>,
    until: Until,
    /// Why the first of those had no outcome that ended without one.
    abandoned: Option<String>,
}

impl Jobs {
    /// Jobs with a seat, and the preparation made ahead whose keys are held. Others are as if they had never been.
    fn held(&mut self) -> BTreeMap<JobId, u64> {
        self.seats.retain(|_, seats| seats.round.is_some() || seats.ahead.is_some());
        self.seats.iter().map(|(job, seats)| (job.clone(), seats.holding())).collect()
    }
}

/// Hands the duties that come over one connection to who attends to their jobs, one after the other in each job.
struct Desk<'a> {
    agent: &'a Agent,
    link: Link,
    dies: &'a Dies<'a>,
    queues: BTreeMap<JobId, Queue>,
    attending: Vec<Attending<'a>>,
}

/// One job's duties being done; then its seats are given back.
type Attending<'a> = Pin<Box<dyn Future<Output = (JobId, Seats, Result<Attended, Lost>)> + Send + 'a>>;

/// Whether a participant stops dead at a duty.
type Dies<'a> = dyn Fn(&RoundRef, &Owed) -> bool + Sync + 'a;

impl Desk<'_> {
    async fn work(&mut self, jobs: &mut Jobs, duties: &mut Streaming<v1::Duty>) -> Result<Ended, Lost> {
        let mut believing: Option<Pin<Box<dyn Future<Output = Handed> + Send + '_>>> = None;
        // A round never waits for a model. What changes while models are taken is looked at once they are.
        let mut taking: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        let mut has_changed = false;
        loop {
            if has_changed && taking.is_none() {
                taking = Some(Box::pin(self.agent.take_models(self.link.clone())));
                has_changed = false;
            }
            tokio::select! {
                (job, seats, attended) = first_of(&mut self.attending) => {
                    self.queues.remove(&job);
                    match attended {
                        Ok(Attended::JobOver(abandoned)) => {
                            if let Some(ended) = self.settle(jobs, &job, abandoned) {
                                return Ok(ended);
                            }
                        }
                        Ok(Attended::Died) => return Ok(Ended::Died),
                        Ok(Attended::Interrupted) => drop(jobs.seats.insert(job, seats)),
                        Err(lost) => {
                            jobs.seats.insert(job, seats);
                            return Err(lost);
                        }
                    }
                }
                duty = duties.message(), if believing.is_none() => {
                    let duty = duty.map_err(Lost::of_call)?.ok_or_else(Lost::closed)?;
                    let duty = Duty::try_from(duty).map_err(|error| Lost::ForNow(printable(&error.to_string())))?;
                    believing = Some(Box::pin(self.agent.handed(duty)));
                }
                // Beside what is attended to, which may hold the journal, and before the next duty is read.
                handed = done(&mut believing) => {
                    if matches!(handed.duty.owed, Owed::ModelStaged) {
                        Agent::heard_of_change(handed.believed)?;
                        has_changed = true;
                        continue;
                    }
                    self.hand(jobs, handed).await;
                }
                () = done(&mut taking) => {}
            }
        }
    }

    /// A job is over. Whether that ends it all.
    fn settle(&self, jobs: &mut Jobs, job: &JobId, abandoned: Option<String>) -> Option<Ended> {
        let participant = self.agent.enrolment.name();
        match &abandoned {
            None => info!(participant, %job, "the job is complete"),
            Some(reason) => warn!(participant, %job, reason, "the job ended without an outcome"),
        }
        if jobs.abandoned.is_none() {
            jobs.abandoned = abandoned;
        }
        let is_all = self.queues.is_empty() && jobs.seats.is_empty();
        (jobs.until == Until::JobOver && is_all).then_some(Ended::JobOver)
    }

    /// Puts a duty into the queue of who attends to its job.
    async fn hand(&mut self, jobs: &mut Jobs, handed: Handed) {
        let job = handed.duty.at.job.clone();
        if !self.queues.contains_key(&job) && !self.attend(jobs, &job).await {
            return;
        }
        let dropped = self.queues.get(&job).map_or(0, |queue| queue.put(handed));
        if dropped > 0 {
            info!(%job, dropped, "the job's oldest duties are let go of: it does not keep up with them");
        }
    }

    /// Has a job attended to, unless there are too many.
    async fn attend(&mut self, jobs: &mut Jobs, job: &JobId) -> bool {
        let seats = match jobs.seats.remove(job) {
            Some(seats) => seats,
            None if self.queues.len() + jobs.seats.len() >= MOST_JOBS => {
                warn!(%job, "the coordinator names more jobs at a time than this participant attends to");
                self.agent.pace.slow_down().await;
                return false;
            }
            None => Seats::default(),
        };
        let (queue, duties) = queue();
        self.queues.insert(job.clone(), queue);
        let (agent, link, dies, job) = (self.agent, self.link.clone(), self.dies, job.clone());
        self.attending.push(Box::pin(async move {
            let mut seats = seats;
            let attended = agent.attend(link, &mut seats, duties, dies).await;
            (job, seats, attended)
        }));
        true
    }

    /// Lets everybody come to an end who attends to a job.
    async fn wind_up(&mut self, jobs: &mut Jobs) -> Result<(), Lost> {
        self.queues.clear();
        while !self.attending.is_empty() {
            let (job, seats, attended) = first_of(&mut self.attending).await;
            match attended {
                Ok(Attended::JobOver(abandoned)) => drop(self.settle(jobs, &job, abandoned)),
                Err(lost @ Lost::Forever(_)) => return Err(lost),
                Ok(Attended::Died | Attended::Interrupted) | Err(Lost::ForNow(_)) => {
                    jobs.seats.insert(job, seats);
                }
            }
        }
        Ok(())
    }
}

/// What this comes to, which then is none any more; never where there is none.
async fn done<T>(one: &mut Option<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> T {
    match one {
        Some(future) => {
            let result = future.await;
            *one = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// What the first of these comes to that comes to its end, which is then none of them any more.
async fn first_of<T>(all: &mut Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> T {
    poll_fn(|context| {
        for position in 0..all.len() {
            if let Poll::Ready(done) = all[position].as_mut().poll(context) {
                drop(all.swap_remove(position));
                return Poll::Ready(done);
            }
        }
        Poll::Pending
    })
    .await
}

/// Between attempts to connect, doubling up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Handshakes that may fail before the first that does not, until it is said that whoever answers is no coordinator: ten seconds and
/// more.
const MOST_GARBLED: usize = 8;
/// Jobs that are attended to at a time: more than a coordinator that means well runs at once.
const MOST_JOBS: usize = 64;
