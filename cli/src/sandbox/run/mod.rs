//! The federation itself: one coordinator and a participant for each site, as tasks that meet only over
//! loopback TCP with mutual TLS.

mod founding;
mod institution;

use std::sync::Arc;
use std::time::Duration;

use syndic_coordinator::driver::{Coordinator, CoordinatorError, Parts};
use syndic_coordinator::engine::Over;
use syndic_coordinator::event::{Event, Phase, Told};
use syndic_coordinator::instance::{Instance, Software};
use syndic_coordinator::serve::serve;
use syndic_coordinator::store::{FolderBlobs, FolderCosignatures, SqliteLog};
use syndic_learning::ProgramError;
use syndic_participant::agent::{Agent, Ended};
use syndic_round::JobId;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{broadcast, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use self::institution::{Institution, Life};
use super::claim::interrupted;
use super::describe::Described;
use super::{Finished, Run};
use crate::result::LedgerHead;
use crate::view::{Notice, Observer};
use crate::{Error, Result};

/// What is done to every agent, given its institution's name, before it takes part.
pub type Outfit = Arc<dyn Fn(&str, Agent) -> Agent + Send + Sync>;

/// Runs the job to its outcome.
///
/// # Errors
/// When the job is abandoned, or disk or network fail.
pub async fn run(run: Run<'_>, observer: &mut Observer) -> Result<Finished> {
    run_outfitted(run, Arc::new(|_, agent| agent), observer).await
}

/// The same with agents as `outfit` returns them: so a test looks over their shoulders.
///
/// # Errors
/// As [`run`].
pub async fn run_outfitted(run: Run<'_>, outfit: Outfit, observer: &mut Observer) -> Result<Finished> {
    let held = held(&run, &outfit, observer).await?;
    finish(&run, held).await
}

/// Runs a job that describes rows to its document.
///
/// # Errors
/// As [`run`].
pub async fn describe(run: Run<'_>, observer: &mut Observer) -> Result<Described> {
    let outfit: Outfit = Arc::new(|_, agent| agent);
    let Held { coordinator, job, over, left } = held(&run, &outfit, observer).await?;
    let head = coordinator.export_ledger(&run.ledger).await.map_err(|error| failed(&error))?;
    match over? {
        Over::Abandoned(reason) | Over::Stopped(reason) => Err(abandoned(reason)),
        Over::Completed(_) | Over::Compared(_) | Over::Described(_) => {
            let document = coordinator.statistics(&job).await.map_err(|error| failed(&error))?;
            let Some(document) = document else {
                let message = "the job is complete but its statistics are not there";
                return Err(Error::world("sandbox.no-statistics", message));
            };
            let provenance = coordinator.provenance(&job, &head).await;
            let warnings =
                provenance.get("warnings").and_then(|told| serde_json::from_value(told.clone()).ok());
            let ledger = ledger_head(&coordinator, head)?;
            Ok(Described { document, ledger, clipped: left.clipped, warnings: warnings.unwrap_or_default() })
        }
    }
}

/// A federation whose job is over.
struct Held {
    coordinator: Coordinator,
    job: JobId,
    over: Result<Over>,
    left: Left,
}

/// Holds the federation until its job is over.
async fn held(run: &Run<'_>, outfit: &Outfit, observer: &mut Observer) -> Result<Held> {
    let founded = founding::found(run, outfit).await?;
    observer.notice(&Notice::Listening { address: founded.address.clone() });
    let blobs = FolderBlobs::open(&run.state.join("coordinator")).await.map_err(stored)?;
    let log = SqliteLog::open(&run.state.join("coordinator/ledger.sqlite")).await.map_err(stored)?;
    let cosignatures = run.state.join("coordinator/cosignatures");
    let cosignatures = FolderCosignatures::open(&cosignatures).await.map_err(stored)?;
    let software = tokio::task::spawn_blocking(Software::running).await.map_err(lost)?;
    let coordinator = Coordinator::open(Parts {
        roster: founded.roster,
        ledger_key: founded.ledger_key,
        log: Box::new(log),
        blobs: Box::new(blobs),
        cosignatures: Box::new(cosignatures),
        verified: run.state.join("coordinator/verified.note"),
        replica: None,
        gather: GATHER,
        most_jobs_at_once: 1,
        instance: Instance::new(software, None),
    })
    .await
    .map_err(|error| failed(&error))?;
    let (told, mut events) = unbounded_channel();
    tokio::spawn(forward(coordinator.events(), told));
    let job = coordinator.agree(run.job_text).await.map_err(|error| failed(&error))?;

    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(coordinator.clone(), founded.incoming, async {
        // Dropping the sender stops the port as well.
        let _ = stopped.await;
    }));
    let mut federation = Federation::start(founded.institutions, run);
    let driving = tokio::spawn({
        let (coordinator, job) = (coordinator.clone(), job.clone());
        async move { coordinator.drive(&job).await }
    });
    let over = federation.watch(driving, &mut events, observer).await;
    let encrypt_ns_per_parameter = federation.farewell(&coordinator, &job).await;
    drop(stop);
    // The port is closed; what the transport still has to say changes nothing.
    let _ = serving.await;
    let left =
        Left { encrypt_ns_per_parameter, clipped: federation.clipped(), stopped: federation.victim_name() };
    Ok(Held { coordinator, job, over, left })
}

/// What is known of the participants once they are gone.
struct Left {
    encrypt_ns_per_parameter: f64,
    clipped: u64,
    stopped: Option<String>,
}

async fn finish(run: &Run<'_>, held: Held) -> Result<Finished> {
    let Held { coordinator, job, over, left } = held;
    let head = coordinator.export_ledger(&run.ledger).await.map_err(|error| failed(&error))?;
    match over? {
        Over::Abandoned(reason) | Over::Stopped(reason) => Err(abandoned(reason)),
        // The sandbox refuses jobs that compare released models, and has its own way with those that describe rows.
        Over::Completed(_) | Over::Compared(_) | Over::Described(_) => {
            let outcome = coordinator.outcome(&job).await.map(Arc::unwrap_or_clone);
            let Some(outcome) = outcome else {
                return Err(Error::world(
                    "sandbox.no-model",
                    "the job is complete but its model is not there",
                ));
            };
            let provenance = coordinator.provenance(&job, &head).await;
            let ledger = ledger_head(&coordinator, head)?;
            let Left { encrypt_ns_per_parameter, clipped, stopped } = left;
            Ok(Finished { outcome, provenance, ledger, encrypt_ns_per_parameter, clipped, stopped })
        }
    }
}

fn ledger_head(coordinator: &Coordinator, (size, root): (u64, String)) -> Result<LedgerHead> {
    let key = coordinator.verifier_key().map_err(|error| failed(&error))?.to_string();
    Ok(LedgerHead { size, root, key })
}

/// A job without an outcome: by the code and the remedy of the program that could not go on, where that is why.
fn abandoned(reason: String) -> Error {
    let named = ProgramError::named_in(&reason).map(|(code, help)| (code.to_owned(), help));
    match named {
        Some((code, help)) => Error::abandoned(code, reason).help(help),
        None => Error::abandoned("job.abandoned", reason)
            .help("the ledger in the folder of the run says what happened in each round"),
    }
}

/// The participants while the job runs.
struct Federation {
    running: JoinSet<Life>,
    /// The institution that dies on purpose, in which encrypted round.
    victim: Option<Victim>,
    lives: Vec<Life>,
}

struct Victim {
    name: String,
    training_round: u32,
    encrypted_round: u32,
    waiting: Option<Institution>,
    is_back: bool,
}

impl Federation {
    fn start(institutions: Vec<Institution>, run: &Run<'_>) -> Self {
        let victim = run.stop_one.then(|| {
            let position = (run.seed % institutions.len() as u64) as usize;
            // Statistics come first. Training and evaluation follow in turn, or training alone, which may then end
            // long before its last round. A first tree has a round for its bins and one for its root at least.
            let (training_round, encrypted_round) = if run.job.trees().is_some() {
                (1, 3)
            } else if run.job.measures_every_round() {
                let training_round = run.job.rounds.count.div_ceil(4);
                (training_round, 2 * training_round)
            } else {
                let training_round = run.job.rounds.count.min(EARLY_ROUND);
                (training_round, 1 + training_round)
            };
            Victim {
                name: institutions[position].name.clone(),
                training_round,
                encrypted_round,
                waiting: None,
                is_back: false,
            }
        });
        let mut running = JoinSet::new();
        for institution in institutions {
            let dies_in = victim.as_ref().filter(|victim| victim.name == institution.name);
            running.spawn(institution.live(dies_in.map(|victim| victim.encrypted_round)));
        }
        Self { running, victim, lives: Vec::new() }
    }

    /// Shows what happens until the job is over and its last event was shown.
    async fn watch(
        &mut self,
        mut driving: JoinHandle<Driven>,
        events: &mut UnboundedReceiver<Event>,
        observer: &mut Observer,
    ) -> Result<Over> {
        let mut driven = None;
        loop {
            tokio::select! {
                biased;
                event = events.recv() => {
                    let event = event.ok_or_else(|| Error::world("sandbox.events-lost", "the view fell behind"))?;
                    self.on_event(&event, observer);
                    let is_last = matches!(
                        event,
                        Event::JobCompleted { .. } | Event::JobAbandoned { .. } | Event::JobStopped { .. }
                    );
                    if let (true, Some(over)) = (is_last, driven.take()) {
                        return Ok(over);
                    }
                    if is_last {
                        return settled((&mut driving).await);
                    }
                }
                Some(life) = self.running.join_next() => {
                    if let Err(error) = self.on_end(life, observer) {
                        driving.abort();
                        return Err(error);
                    }
                }
                over = &mut driving, if driven.is_none() => driven = Some(settled(over)?),
            }
        }
    }

    fn on_event(&mut self, event: &Event, observer: &mut Observer) {
        observer.event(event);
        let Some(victim) = &mut self.victim else { return };
        match event {
            // The round is over without it: it may come back.
            Event::RoundClosed { id, .. } | Event::RoundAbandoned { id, .. }
                if id.round == victim.encrypted_round =>
            {
                if let Some(institution) = victim.waiting.take() {
                    self.running.spawn(institution.live(None));
                }
            }
            Event::Connection { participant, connected: true }
                if *participant == victim.name && !victim.is_back && self.lives.len() == 1 =>
            {
                victim.is_back = true;
                observer.notice(&Notice::Returned { participant: victim.name.clone() });
            }
            _ => {}
        }
    }

    fn on_end(&mut self, life: std::result::Result<Life, JoinError>, observer: &mut Observer) -> Result<()> {
        let life = match life {
            Ok(life) => life,
            Err(stopped) => return Err(lost(stopped)),
        };
        match (&life.end, &mut self.victim) {
            (Ok(Ended::Died), Some(victim)) => {
                observer.notice(&Notice::Stopping {
                    participant: victim.name.clone(),
                    training_round: victim.training_round,
                    after: Phase::Acknowledge,
                });
                victim.waiting = Some(life.institution.clone());
                self.lives.push(life);
                Ok(())
            }
            (Err(error), _) => Err(Error::new(error.exit, error.code.clone(), error.message.clone())
                .place(life.institution.name.clone())
                .help(error.help.clone())),
            (Ok(_), _) => {
                self.lives.push(life);
                Ok(())
            }
        }
    }

    /// Lets everybody hear of the job's end. Returns what a coefficient took to encrypt, in nanoseconds.
    async fn farewell(&mut self, coordinator: &Coordinator, job: &JobId) -> f64 {
        coordinator.all_gone(job, FAREWELL).await;
        let rest = async {
            while let Some(life) = self.running.join_next().await {
                self.lives.extend(life.ok());
            }
        };
        let _ = tokio::time::timeout(FAREWELL, rest).await;
        let total = |of: fn(&Life) -> u64| self.lives.iter().map(of).sum::<u64>() as f64;
        total(|life| life.encryption.nanos) / total(|life| life.encryption.coefficients).max(1.0)
    }

    /// Values of answers that were clipped.
    fn clipped(&self) -> u64 {
        self.lives.iter().map(|life| life.clipped).sum()
    }

    fn victim_name(&self) -> Option<String> {
        let died = |life: &Life| matches!(life.end, Ok(Ended::Died));
        self.lives.iter().find(|life| died(life)).map(|life| life.institution.name.clone())
    }
}

/// Every event reaches the view: round counts and sizes of the result come from them.
async fn forward(mut from: broadcast::Receiver<Told>, to: UnboundedSender<Event>) {
    while let Ok(Told { event, .. }) = from.recv().await {
        if to.send(event).is_err() {
            return;
        }
    }
}

/// What the coordinator's driver has come to.
type Driven = std::result::Result<Over, CoordinatorError>;

fn settled(driven: std::result::Result<Driven, JoinError>) -> Result<Over> {
    match driven {
        Ok(over) => over.map_err(|error| failed(&error)),
        Err(stopped) => Err(lost(stopped)),
    }
}

/// A task that panicked takes the run with it; one that was stopped was stopped by a signal.
fn lost(stopped: JoinError) -> Error {
    match stopped.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => interrupted(),
    }
}

fn stored(error: syndic_coordinator::store::StoreError) -> Error {
    let help = error.help().unwrap_or("check the disk").to_owned();
    Error::world(error.code(), error.to_string()).help(help)
}

fn failed(error: &CoordinatorError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}

/// On one machine everybody comes, however slowly, so that the same seed gives the same model.
const GATHER: Duration = Duration::from_secs(60);
/// A training round that every solver comes to.
const EARLY_ROUND: u32 = 2;
/// How long participants have to hear of the job's end.
const FAREWELL: Duration = Duration::from_secs(5);
