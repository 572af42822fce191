//! The daemon: configuration, store, port, and the driver, put together.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use syndic_learning::Outcome;
use syndic_learning::job::Terms;
use thiserror::Error;
use tracing::{info, warn};

use crate::authority::Validity;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::driver::{Coordinator, CoordinatorError, Parts};
use crate::engine::Over;
use crate::federation::{CoordinatorIdentity, FederationError, load_sealed_roster};
use crate::serve::{ServeError, serve};
use crate::store::{FolderBlobs, SqliteLog, StoreError, create_folder, write_file};
use crate::tls::{self, Limits, ListenError};

/// Why the daemon stops.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The federation's folder.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The coordinator's certificate is over, or not yet valid: no participant would talk to it.
    #[error("the coordinator's certificate in {0} is not valid now")]
    CertificateExpired(String),
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
            Self::CertificateExpired(_) => "tls.certificate-expired",
            Self::Unsealed(_) => "roster.unsealed",
            Self::JobFile { .. } => "job.unreadable",
            Self::Listen(error) => error.code(),
            Self::Coordinator(error) => error.code(),
            Self::Serve(_) | Self::PortClosed => "net.failed",
            Self::Abandoned { .. } => "job.abandoned",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Config(error) => error.help().into(),
            Self::Federation(error) => error.help().into(),
            Self::CertificateExpired(dir) => format!(
                "check this host's clock; `syndic-coordinator renew --federation {dir}` makes a new certificate \
                 where the authority's key is"
            ),
            Self::Unsealed(_) => {
                "let every member run `syndic-participant endorse`, then run `syndic federation seal`".into()
            }
            Self::JobFile { .. } => "name a readable job file as `job` in the configuration".into(),
            Self::Listen(error) => error.help(),
            Self::Coordinator(error) => error.help().into(),
            Self::Serve(_) | Self::PortClosed => {
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
            Self::Abandoned { .. } => 1,
            Self::Config(ConfigError::Unreadable { source, .. }) | Self::JobFile { source, .. } => {
                if names_no_text(source) {
                    2
                } else {
                    3
                }
            }
            Self::Federation(error) if error.is_of_the_world() => 3,
            Self::Config(ConfigError::Malformed { .. }) | Self::Federation(_) | Self::Unsealed(_) => 2,
            Self::Listen(ListenError::Certificate { .. }) => 2,
            Self::Coordinator(error) if error.is_of_the_files() => 2,
            Self::CertificateExpired(_) | Self::Listen(_) | Self::Coordinator(_) => 3,
            Self::Serve(_) | Self::PortClosed => 3,
        }
    }
}

/// Whether whoever named a file to read is at fault, and not the disk: there is none, or it is no text.
fn names_no_text(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidData | InvalidInput)
}

/// Runs the coordinator that the file at `path` describes until its job is over.
///
/// # Errors
/// [`DaemonError`].
pub async fn run(path: &Path) -> Result<(), DaemonError> {
    let config = Config::load(path)?;
    let job = std::fs::read_to_string(&config.job)
        .map_err(|source| DaemonError::JobFile { path: config.job.display().to_string(), source })?;
    let identity = CoordinatorIdentity::load(&config.federation)?;
    require_valid(&identity, &config.federation)?;
    let roster = load_sealed_roster(&config.federation)?
        .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
    // A job that cannot run here is refused before there is a ledger.
    Terms::of(&job, roster.roster()).map_err(CoordinatorError::Job)?;
    let listener = tls::bind(config.listen).await?;
    // No job runs whose result has no place.
    create_folder(&config.publish).await.map_err(CoordinatorError::Store)?;
    let incoming = tls::accept(listener, &identity, Limits::default())?;
    let listening = incoming.local_address();

    let store = async {
        let blobs = FolderBlobs::open(&config.state).await?;
        private(&config.state)?;
        let log = SqliteLog::open(&config.state.join("ledger.sqlite")).await?;
        Ok::<_, StoreError>((log, blobs))
    };
    let (log, blobs) = store.await.map_err(CoordinatorError::Store)?;
    let parts = Parts {
        roster,
        ledger_key: identity.ledger_key().clone(),
        log: Box::new(log),
        blobs: Box::new(blobs),
        gather: Duration::from_secs(config.gather_seconds),
    };
    let coordinator = Coordinator::open(parts).await?;
    let job = coordinator.agree(&job).await?;
    info!(%job, listening = ?listening, "ready");

    let serving = serve(coordinator.clone(), incoming, std::future::pending());
    let over = tokio::select! {
        served = serving => {
            served?;
            return Err(DaemonError::PortClosed);
        }
        over = finish(&coordinator, &config) => over?,
    };
    match over {
        Over::Completed(model) => {
            info!(%job, %model, publish = %config.publish.display(), "the job is complete");
            Ok(())
        }
        Over::Abandoned(reason) => Err(DaemonError::Abandoned { job: job.to_string(), reason }),
    }
}

/// Refuses a certificate that is not valid now, and warns of one that is soon over.
fn require_valid(identity: &CoordinatorIdentity, dir: &Path) -> Result<(), DaemonError> {
    let (now, Validity { from, until }) = (clock::now(), identity.certificate_validity());
    if now < from || now >= until {
        return Err(DaemonError::CertificateExpired(dir.display().to_string()));
    }
    let days = (until.0 - now.0) / 86_400_000;
    if days < DAYS_OF_WARNING {
        warn!(
            days,
            "the coordinator's certificate is soon over; make a new one with `syndic-coordinator renew`"
        );
    }
    Ok(())
}

/// Lets nobody but this user enter the folder of ledger and blobs. The store has made it, durably, before.
fn private(folder: &Path) -> Result<(), StoreError> {
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))
        .map_err(|source| StoreError::Io { what: format!("cannot protect {}", folder.display()), source })
}

/// Drives the job to its end, publishes, and gives participants a moment to hear of it.
async fn finish(coordinator: &Coordinator, config: &Config) -> Result<Over, DaemonError> {
    let (_, over) = coordinator.drive().await?;
    publish(coordinator, &config.publish).await?;
    coordinator.all_gone(FAREWELL).await;
    Ok(over)
}

/// Writes the ledger, and the model if there is one, for reviewers.
///
/// # Errors
/// [`CoordinatorError`].
pub async fn publish(coordinator: &Coordinator, folder: &Path) -> Result<(u64, String), CoordinatorError> {
    let head = coordinator.export_ledger(&folder.join("ledger")).await?;
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

/// How long participants have to hear of the job's end before the port closes: twice what they wait at most
/// before they connect again.
const FAREWELL: Duration = Duration::from_secs(10);
/// How many days before the certificate is over the operator hears of it.
const DAYS_OF_WARNING: u64 = 30;

#[cfg(test)]
mod tests;
