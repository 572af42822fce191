//! The daemon: configuration, store, port, and the driver, put together.

use std::path::Path;
use std::time::Duration;

use syndic_learning::Outcome;
use syndic_learning::job::Terms;
use thiserror::Error;
use tracing::info;

use crate::config::{Config, ConfigError};
use crate::drain::Termination;
use crate::driver::{Coordinator, CoordinatorError, Parts};
use crate::engine::Over;
use crate::federation::{FederationError, load_sealed_roster};
use crate::health::Health;
use crate::serve::{ServeError, serve_within};
use crate::service::Service;
use crate::store::config::StoreConfig;
use crate::store::{FolderCosignatures, Store, create_folder, write_file};
use crate::tls::{self, Door, DoorError, Incoming, ListenError};

/// Why the daemon stops.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The federation's folder.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// On what terms to let anybody in.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Its roster is not sealed yet.
    #[error("the roster in {0} is not sealed")]
    Unsealed(String),
    /// The job file cannot be read.
    #[error("cannot read the job file {path}: {source}")]
    JobFile {
        /// File.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store or the ledger.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// The transport.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// A second signal, while what was under way was ending.
    #[error("ended by a second signal before everybody was done")]
    Interrupted,
    /// The port was closed while the job went on.
    #[error("the coordinator's port was closed before the job was over")]
    PortClosed,
    /// The job ended without an outcome.
    #[error("job `{job}` was abandoned: {reason}")]
    Abandoned {
        /// Job.
        job: String,
        /// Why.
        reason: String,
    },
}

impl DaemonError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Federation(error) => error.code(),
            Self::Door(error) => error.code(),
            Self::Unsealed(_) => "roster.unsealed",
            Self::JobFile { .. } => "job.unreadable",
            Self::Listen(error) => error.code(),
            Self::Coordinator(error) => error.code(),
            Self::Serve(_) | Self::PortClosed => "net.failed",
            Self::Signals(_) => "signals.unavailable",
            Self::Interrupted => "run.interrupted",
            Self::Abandoned { .. } => "job.abandoned",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Config(error) => error.help().into(),
            Self::Federation(error) => error.help().into(),
            Self::Door(error) => error.help(),
            Self::Unsealed(_) => {
                "let every member run `syndic-participant endorse`, then run `syndic federation seal`".into()
            }
            Self::JobFile { .. } => "name a readable job file as `job` in the configuration".into(),
            Self::Listen(error) => error.help(),
            Self::Coordinator(error) => error.help().into(),
            Self::Serve(_) | Self::PortClosed | Self::Interrupted | Self::Signals(_) => {
                "start the coordinator again; it goes on from its ledger".into()
            }
            Self::Abandoned { .. } => {
                "the ledger says what happened; start again with a new state folder and a job of another id"
                    .into()
            }
        }
    }

    /// The exit code: 1 the job was abandoned, 2 bad input, 3 the world.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Abandoned { .. } | Self::Interrupted => 1,
            Self::Config(ConfigError::Unreadable { source, .. }) | Self::JobFile { source, .. } => {
                if names_no_text(source) {
                    2
                } else {
                    3
                }
            }
            Self::Federation(error) if error.is_of_the_world() => 3,
            Self::Door(error) => {
                if error.is_of_the_world() {
                    3
                } else {
                    2
                }
            }
            Self::Config(ConfigError::Malformed { .. }) | Self::Federation(_) | Self::Unsealed(_) => 2,
            Self::Listen(ListenError::Certificate { .. }) => 2,
            Self::Coordinator(error) if error.is_of_the_files() => 2,
            Self::Listen(_) | Self::Coordinator(_) => 3,
            Self::Serve(_) | Self::PortClosed | Self::Signals(_) => 3,
        }
    }
}

/// Whether whoever named a file to read is at fault, and not the disk: there is none, or it is no text.
fn names_no_text(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidData | InvalidInput)
}

/// Runs the coordinator that the file at `path` describes until its job is over, or until it is told to stop.
///
/// # Errors
/// [`DaemonError`].
pub async fn run(path: &Path) -> Result<(), DaemonError> {
    let config = Config::load(path)?;
    let job = std::fs::read_to_string(&config.job)
        .map_err(|source| DaemonError::JobFile { path: config.job.display().to_string(), source })?;
    let door = Door::open(&config.federation, config.allow_fingerprints.as_deref())?;
    let roster = load_sealed_roster(&config.federation)?
        .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
    // A job that cannot run here is refused before there is a ledger.
    Terms::of(&job, roster.roster()).map_err(CoordinatorError::Job)?;
    let listener = tls::bind(config.listen).await?;
    // No job runs whose result has no place.
    create_folder(&config.publish).await.map_err(CoordinatorError::Store)?;
    let incoming = Incoming::new(listener, door.terms(), config.limits.clone());
    let listening = incoming.local_address();
    let longest = Duration::from_secs(config.limits.drain_seconds.into());
    let (draining, second) = Termination::listen().map_err(DaemonError::Signals)?.watch(longest);
    let (health, started) = Health::new(door.terms(), incoming.counter(), draining.clone());
    if let Some(address) = config.health {
        health.listen(address).await?;
    }

    let servers = config.store.as_ref().map(StoreConfig::servers).transpose();
    let servers = servers.map_err(FederationError::from)?;
    let federation = &roster.roster().federation;
    let store = tokio::select! {
        opened = Store::open(&config.state, servers.as_ref(), federation) => opened,
        () = draining.clone().begun() => return Ok(()),
    };
    let Store { log, blobs, hold } = store.map_err(CoordinatorError::Store)?;
    // In the folder with either store: one that is lost is a witness fewer, no more.
    let cosignatures = FolderCosignatures::open(&config.state.join("cosignatures")).await;
    let parts = Parts {
        roster,
        ledger_key: door.identity().ledger_key().clone(),
        log,
        blobs,
        cosignatures: Box::new(cosignatures.map_err(CoordinatorError::Store)?),
        gather: Duration::from_secs(config.gather_seconds),
    };
    let coordinator = tokio::select! {
        opened = Coordinator::open(parts) => opened?,
        () = draining.clone().begun() => return Ok(()),
    };
    let job = coordinator.agree(&job).await?;
    started.serves();
    info!(%job, listening = ?listening, "ready");

    tokio::spawn(door.keep_up());
    let service = Service::new(coordinator.clone());
    let serving = serve_within(&config.limits, service, incoming, draining.clone().begun());
    let over = tokio::select! {
        served = serving => {
            served?;
            if draining.has_begun() {
                // If we crash here, or at any moment before, the ledger is what the next start goes on from.
                info!(%job, "stopped before the job was over; it goes on when the coordinator is started again");
                hold.release().await;
                return Ok(());
            }
            return Err(DaemonError::PortClosed);
        }
        _ = second => return Err(DaemonError::Interrupted),
        lost = hold.lost() => return Err(CoordinatorError::Store(lost).into()),
        over = finish(&coordinator, &config) => over?,
    };
    hold.release().await;
    match over {
        Over::Completed(model) => {
            info!(%job, %model, publish = %config.publish.display(), "the job is complete");
            Ok(())
        }
        Over::Abandoned(reason) => Err(DaemonError::Abandoned { job: job.to_string(), reason }),
    }
}

/// Drives the job to its end, publishes, and gives participants a moment to hear of it.
async fn finish(coordinator: &Coordinator, config: &Config) -> Result<Over, DaemonError> {
    let (_, over) = coordinator.drive().await?;
    let (size, _) = publish(coordinator, &config.publish).await?;
    coordinator.all_gone(FAREWELL).await;
    // If we crash here the ledger is published with fewer cosignatures; the next start publishes it again with all of them.
    coordinator.publish_cosigned(&config.publish.join(LEDGER), size).await?;
    Ok(over)
}

/// Writes the ledger, and the model if there is one, for reviewers.
///
/// # Errors
/// [`CoordinatorError`].
pub async fn publish(coordinator: &Coordinator, folder: &Path) -> Result<(u64, String), CoordinatorError> {
    let head = coordinator.export_ledger(&folder.join(LEDGER)).await?;
    if let Some(Outcome { model, .. }) = coordinator.outcome().await {
        let weights = model.to_safetensors()?;
        let card = model.card(&weights, coordinator.provenance(&head).await);
        let card =
            serde_json::to_vec_pretty(&card).map_err(|error| CoordinatorError::Ledger(error.to_string()))?;
        let written = [("model.safetensors", weights), ("model.json", card)];
        for (name, bytes) in written {
            write_file(&folder.join(name), &bytes).await?;
        }
    }
    Ok(head)
}

/// The ledger's folder among what is published.
const LEDGER: &str = "ledger";
/// How long participants have to hear of the job's end before the port closes: twice what they wait at most
/// before they connect again.
const FAREWELL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
