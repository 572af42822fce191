//! The agent as a service: opens what it needs, takes part, and stops when it is told to.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use syndic_data::sweep_scratch;
use syndic_participant::agent::{Agent, Parts};
use syndic_participant::config::Until;
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::Journal;
use syndic_participant::models::Models;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{Failure, JOURNAL, MODELS, SCRATCH, load, load_policy, time};

/// Takes part until the job is over, or until it is told to stop.
pub(super) async fn run(config: &Path, json: bool) -> Result<(), Failure> {
    syndic_terminal::logging::start(json);

    let config = load(config)?;
    let policy = load_policy(&config)?;
    let enrolment = Enrolment::load(&config.enrolment)?;
    // The journal makes its folder, durably.
    let journal = Journal::open(&config.state.join(JOURNAL)).await?;
    let private = std::fs::set_permissions(&config.state, Permissions::from_mode(0o700));
    private.map_err(|error| Failure {
        code: "journal.io".into(),
        message: format!("cannot protect {}: {error}", config.state.display()),
        help: "name a folder that this user may write as `state` in the configuration".into(),
        exit: 3,
    })?;
    info!(openings = journal.boot(), "the journal is open; a count seen before means an older copy");
    warn_of_expiry(&enrolment);
    let scratch = config.state.join(SCRATCH);
    sweep(&scratch)?;
    let source = config.data.source(&scratch);
    let agent = Agent::new(Parts { enrolment, policy, source, journal, training_seed: None })?;
    let agent = agent.renewed_from(config.enrolment).with_trainer(config.trainer);
    let agent = agent.with_models(Models::at(config.state.join(MODELS)));
    match config.until {
        Until::JobOver => Ok(agent.run().await?),
        Until::Stopped => tokio::select! {
            ended = agent.serve() => Ok(ended?),
            // If we stop here what was written down and not sent is said after the next start, or declined.
            signal = told_to_stop() => {
                info!(signal = signal?, "stopped; the journal is kept");
                Ok(())
            }
        },
    }
}

/// Removes what somebody that was killed left of a query: it holds rows.
fn sweep(scratch: &Path) -> Result<(), Failure> {
    sweep_scratch(scratch).map_err(|error| Failure {
        code: "data.scratch".into(),
        message: format!("cannot remove what is in {}: {error}", scratch.display()),
        help: "remove it: a query that was interrupted has left rows there".into(),
        exit: 3,
    })
}

/// SIGTERM or SIGINT.
async fn told_to_stop() -> Result<&'static str, Failure> {
    let failed = |error: std::io::Error| Failure {
        code: "daemon.signals".into(),
        message: format!("cannot listen for signals: {error}"),
        help: "start the agent again".into(),
        exit: 3,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

fn warn_of_expiry(enrolment: &Enrolment) {
    let expires = enrolment.certificate_expires_at().0;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(expires).saturating_sub(now);
    if left < RENEWAL {
        let until = time(expires);
        warn!(
            until,
            "ask the operator for a new certificate and run `renew` with it: this one holds until then"
        );
    }
}

/// How long before its end a certificate is called to mind.
const RENEWAL: Duration = Duration::from_secs(30 * 86_400);
