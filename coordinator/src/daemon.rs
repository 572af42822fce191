//! The daemon: configuration, store, ports, and the driver, put together.

mod error;
mod publishing;

use std::path::Path;
use std::time::Duration;

use syndic_learning::job::Terms;
use syndic_round::JobId;
use tokio::task::{JoinError, JoinHandle};
use tracing::info;

use crate::boxed::Boxed;
use crate::config::Config;
use crate::control::Listening;
use crate::drain::{Draining, Termination};
use crate::driver::{Coordinator, CoordinatorError, Parts};
use crate::engine::Over;
use crate::federation::{FederationError, load_sealed_roster};
use crate::health::Health;
use crate::instance::{Instance, Software};
use crate::limits::Limits;
use crate::serve::serve_within;
use crate::service::Service;
use crate::store::config::StoreConfig;
use crate::store::{Store, create_folder};
use crate::tls::{self, Door, Incoming};
pub use error::{APPROVAL, DaemonError, JOB_FILE};
pub use publishing::publish;
use publishing::{Publishing, publish_as_they_end};

/// Runs the coordinator that the file at `path` describes: until its job is over where it names one, and in any case until it
/// is told to stop.
///
/// # Errors
/// [`DaemonError`].
pub fn run(path: &Path) -> Boxed<'_, Result<(), DaemonError>> {
    Box::pin(async move {
        let config = Config::load(path)?;
        let job = config.job.as_deref().map(|job| DaemonError::reading(JOB_FILE, job)).transpose()?;
        let door = Door::open(&config.federation, config.allow_fingerprints.as_deref())?;
        let roster = load_sealed_roster(&config.federation)?
            .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
        if let Some(job) = &job {
            // A job that cannot run here is refused before there is a ledger.
            Terms::of(job, roster.roster()).map_err(CoordinatorError::Job)?;
        }
        let listener = tls::bind(config.listen).await?;
        // No job runs whose result has no place.
        create_folder(&config.publish).await.map_err(CoordinatorError::Store)?;
        let incoming = Incoming::new(listener, door.terms(), config.limits.clone());
        let (listening, refusals, terms) = (incoming.local_address(), incoming.refusals(), door.terms());
        let longest = Duration::from_secs(config.limits.drain_seconds.into());
        let (draining, second) = Termination::listen().map_err(DaemonError::Signals)?.watch(longest);
        let (health, started) = Health::new(door.terms(), incoming.counter(), draining.clone());
        if let Some(address) = config.health {
            health.listen(address).await?;
        }

        let software = tokio::task::spawn_blocking(Software::running);
        let ledger_key = door.identity().ledger_key().clone();
        // Before the wait for a store: who asks for the files to be read again meanwhile means no harm.
        tokio::spawn(door.keep_up());

        let servers = config.store.as_ref().map(StoreConfig::servers).transpose();
        let servers = servers.map_err(FederationError::from)?;
        let federation = &roster.roster().federation;
        let store = tokio::select! {
            opened = Store::open(&config.state, servers.as_ref(), federation) => opened,
            () = draining.clone().begun() => return Ok(()),
        };
        let Store { log, blobs, cosignatures, hold } = store.map_err(CoordinatorError::Store)?;
        let control = Listening::open(&config.state).await?;
        let parts = Parts {
            roster,
            ledger_key,
            log,
            blobs,
            cosignatures,
            verified: config.state.join("verified.note"),
            replica: hold.replica(),
            gather: Duration::from_secs(config.gather_seconds),
            most_jobs_at_once: config.most_jobs_at_once.get(),
            instance: Instance::new(software.await.map_err(panicked)?, Some(config.digest())),
        };
        let coordinator = tokio::select! {
            opened = Coordinator::open(parts) => opened?,
            () = draining.clone().begun() => return Ok(()),
        };
        let admitted = terms.borrow().clone();
        coordinator.note_admission(&admitted).await?;
        let noting = coordinator.clone();
        let noting = tokio::spawn({
            let refusals = refusals.clone();
            async move { tokio::join!(noting.record_admission(terms), noting.record_refusals(&refusals)) }
        });
        let job = match job {
            Some(job) => Some(coordinator.agree(&job).await?),
            None => None,
        };
        let publishing = Publishing::to(&config.publish);
        started.serves(coordinator.trouble(), publishing.trouble());
        info!(job = job.as_ref().map(JobId::as_str), listening = ?listening, "ready");

        let ports = Ports { incoming, control, limits: config.limits.clone() };
        let running = async {
            match job {
                Some(job) => run_one(&coordinator, ports, &draining, &job, &publishing).await,
                None => run_until_told(&coordinator, ports, &draining, &publishing).await,
            }
        };
        let ran = tokio::select! {
            ran = running => ran,
            _ = second => return Err(DaemonError::Interrupted),
            never = coordinator.sweep_daily(config.sweep.older_than()) => match never {},
            lost = hold.lost() => return Err(CoordinatorError::Store(lost).into()),
        };
        // Whoever failed lets the lease lapse.
        if matches!(ran, Ok(()) | Err(DaemonError::Abandoned { .. })) {
            noting.abort();
            coordinator.record_last_refusals(&refusals).await;
            coordinator.record_stop(if draining.has_begun() { TOLD } else { DONE }).await;
            hold.release().await;
        }
        ran
    })
}

/// Where participants connect, and whoever runs jobs.
struct Ports {
    incoming: Incoming,
    control: Listening,
    limits: Limits,
}

impl Ports {
    /// Serves both until the coordinator drains, or one of them fails.
    async fn serve(self, coordinator: Coordinator, draining: Draining) -> Result<(), DaemonError> {
        let (service, begun) = (Service::new(coordinator.clone()), draining.clone().begun());
        let participants =
            async { Ok::<_, DaemonError>(serve_within(&self.limits, service, self.incoming, begun).await?) };
        let control = async { Ok(self.control.serve(coordinator, draining.begun()).await?) };
        tokio::try_join!(participants, control).map(drop)
    }
}

/// Runs until one job is over.
async fn run_one(
    coordinator: &Coordinator,
    ports: Ports,
    draining: &Draining,
    job: &JobId,
    publishing: &Publishing,
) -> Result<(), DaemonError> {
    let finish = async {
        let over = coordinator.through_trouble(|| coordinator.drive(job)).await?;
        let (size, _) = publishing.publish(coordinator, job).await?;
        coordinator.all_gone(job, FAREWELL).await;
        // If we crash here the ledger is published with fewer cosignatures; the next start publishes it again with all of them.
        publishing.publish_cosigned(coordinator, size).await?;
        Ok::<_, DaemonError>(over)
    };
    let over = tokio::select! {
        served = ports.serve(coordinator.clone(), draining.clone()) => {
            served?;
            if draining.has_begun() {
                // If we crash here, or at any moment before, the ledger is what the next start goes on from.
                info!(%job, "stopped before the job was over; it goes on when the coordinator is started again");
                return Ok(());
            }
            return Err(DaemonError::PortClosed);
        }
        over = finish => over?,
    };
    let abandoned = |reason| DaemonError::Abandoned { job: job.to_string(), reason };
    match over {
        Over::Completed(model) => {
            info!(%job, %model, publish = %publishing.folder().display(), "the job is complete");
            Ok(())
        }
        Over::Compared(found) if found.rows().is_some() => {
            info!(%job, publish = %publishing.folder().display(), "the rows are compared");
            Ok(())
        }
        Over::Compared(_) => {
            info!(%job, publish = %publishing.folder().display(), "the models are compared");
            Ok(())
        }
        Over::Described(document) => {
            info!(%job, %document, publish = %publishing.folder().display(), "the rows are described");
            Ok(())
        }
        Over::Abandoned(reason) => Err(abandoned(reason)),
        Over::Stopped(reason) => Err(abandoned(format!("it was stopped: {reason}"))),
    }
}

/// Runs all jobs, those that are handed in too, until told to stop; then opens nothing new, answers what was asked, finishes
/// the sums that are being opened, and ends. Rounds in progress go on after the next start.
async fn run_until_told(
    coordinator: &Coordinator,
    ports: Ports,
    draining: &Draining,
    publishing: &Publishing,
) -> Result<(), DaemonError> {
    let longest = Duration::from_secs(ports.limits.drain_seconds.into());
    let mut serving = tokio::spawn(ports.serve(coordinator.clone(), draining.clone()));
    let driven = coordinator.clone();
    let mut driving = tokio::spawn(async move { driven.through_trouble(|| driven.drive_all()).await });
    tokio::select! {
        () = draining.clone().begun() => {}
        ended = &mut driving => {
            joined(ended)?;
            return Err(CoordinatorError::Stopped.into());
        }
        served = &mut serving => joined(served)?,
        published = publish_as_they_end(coordinator, publishing) => return Ok(published?),
    }
    if !draining.has_begun() {
        return Err(DaemonError::PortClosed);
    }
    coordinator.drain();
    finished(driving, longest).await?;
    if !serving.is_finished() {
        joined(serving.await)?;
    }
    // If we crash here, or at any moment before, the ledger is what the next start goes on from.
    info!("stopped; jobs go on when the coordinator is started again");
    Ok(())
}

/// Waits for what is being driven, but not for ever: a sum that is given up is opened again, to the same sum.
async fn finished(
    mut driving: JoinHandle<Result<(), CoordinatorError>>,
    longest: Duration,
) -> Result<(), DaemonError> {
    match tokio::time::timeout(longest, &mut driving).await {
        Ok(driven) => joined(driven),
        Err(_) => {
            driving.abort();
            Ok(())
        }
    }
}

/// What a task came to; a panic there is one here.
fn joined<T, E: Into<DaemonError>>(task: Result<Result<T, E>, JoinError>) -> Result<T, DaemonError> {
    task.map_err(panicked)?.map_err(Into::into)
}

/// A panic there is one here; else the process is ending.
fn panicked(error: JoinError) -> DaemonError {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => CoordinatorError::Stopped.into(),
    }
}

/// Why it ended, for the record: it was told to.
const TOLD: &str = "told to stop";
/// The job that its configuration names is over.
const DONE: &str = "the job is over";
/// How long participants have to hear of the job's end before the port closes: twice what they wait at most
/// before they connect again.
const FAREWELL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
