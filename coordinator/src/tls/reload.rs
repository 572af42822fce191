//! The files that a running coordinator goes by, read again when they change: its own certificate, the list of what was
//! revoked, and the list of what is allowed.
//!
//! A certificate that cannot be used changes nothing: the one before it stays in use. A list that cannot be relied on lets
//! nobody new in until it is mended, since those whom it was to keep out might come; who is inside was judged by the list
//! before it, and stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use syndic_round::Timestamp;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::terms::{Admission, Suspended, Terms};
use super::{ListenError, read_fingerprints};
use crate::authority::{RevocationError, RevocationList, Validity};
use crate::clock;
use crate::federation::{CoordinatorIdentity, FederationError, REVOKED, changing_files, load_revocations};

/// The terms of a port, kept up with the files in the federation's folder.
pub struct Door {
    federation: PathBuf,
    allowed: Option<PathBuf>,
    identity: CoordinatorIdentity,
    terms: watch::Sender<Arc<Terms>>,
    /// Of the files as they were read last.
    stamps: Vec<Option<Stamp>>,
}

/// Why a coordinator cannot say on what terms it lets anybody in.
#[derive(Debug, Error)]
pub enum DoorError {
    /// The federation's folder.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The certificate is over, or not yet valid: no participant would talk to the coordinator.
    #[error("the coordinator's certificate in {0} is not valid now")]
    CertificateExpired(String),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] ListenError),
    /// The lists cannot be relied on.
    #[error(transparent)]
    Suspended(#[from] Suspended),
    /// The folder is of another federation, or has another key, than when the coordinator was started.
    #[error(
        "the folder {0} holds another federation, or another ledger key, than when the coordinator was started"
    )]
    Other(String),
}

/// What changes of a file when it is written or replaced.
type Stamp = (u64, i64, i64, u64);

impl Door {
    /// Reads the federation's folder, and the list of allowed fingerprints if there is to be one.
    ///
    /// # Errors
    /// [`DoorError`].
    pub fn open(federation: &Path, allowed: Option<&Path>) -> Result<Self, DoorError> {
        let identity = load_valid(federation)?;
        let admission = Admission {
            revocations: read_revocations(federation, &identity, None)?,
            allowed: allowed.map(read_allowed).transpose()?,
        };
        let terms = Terms::new(&identity, admission)?;
        terms.require_open(clock::now())?;
        let (terms, _) = watch::channel(Arc::new(terms));
        let (federation, allowed) = (federation.to_owned(), allowed.map(Path::to_owned));
        let mut door = Self { federation, allowed, identity, terms, stamps: Vec::new() };
        door.stamps = door.stamps_now();
        let list = door.terms.borrow().admission().revocations.clone();
        if let Some(list) = list {
            info!(number = list.number, revoked = list.len(), "certificates were revoked before");
            warn_of_end(&list);
        }
        Ok(door)
    }

    /// Who the coordinator is.
    pub fn identity(&self) -> &CoordinatorIdentity {
        &self.identity
    }

    /// The terms, as they are replaced.
    pub fn terms(&self) -> watch::Receiver<Arc<Terms>> {
        self.terms.subscribe()
    }

    /// Reads the files again at each SIGHUP, and whenever they have changed; never ends. From this call on, and not only once it
    /// is polled, a SIGHUP no longer ends the process.
    pub fn keep_up(self) -> impl Future<Output = ()> {
        let hangups = signal(SignalKind::hangup()).ok();
        self.watch(hangups)
    }

    async fn watch(mut self, mut hangups: Option<Signal>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let asked = async {
                let asked = match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => None,
                };
                if asked.is_none() {
                    std::future::pending().await
                }
            };
            tokio::select! {
                () = asked => self.read_again(),
                _ = look.tick() => {
                    // Before they are read: what changes meanwhile is seen the next time.
                    let stamps = self.stamps_now();
                    if stamps != self.stamps {
                        self.stamps = stamps;
                        self.read_again();
                    }
                }
            }
        }
    }

    /// Reads the files again, and puts what they say in the place of what they said.
    pub fn read_again(&mut self) {
        self.stamps = self.stamps_now();
        match self.load_same() {
            Ok(identity) if identity.certificate() != self.identity.certificate() => {
                self.identity = identity;
                let until = self.identity.certificate_validity().until.0;
                info!(until_ms = until, "the coordinator's new certificate is in use from now on");
            }
            Ok(_) => {}
            Err(error) => {
                error!(code = error.code(), %error, "the coordinator's new certificate cannot be used; the one before it stays in use");
            }
        }
        let before = self.terms.borrow().clone();
        let replaced = self.read_lists(before.admission()).and_then(|admission| {
            let terms = Terms::new(&self.identity, admission);
            // Its parts were checked when they were loaded.
            let terms = terms.map_err(|error| Suspended::Allowed(error.to_string()))?;
            terms.require_open(clock::now())?;
            Ok(terms)
        });
        let terms = replaced.unwrap_or_else(|reason| {
            error!(code = reason.code(), %reason, help = reason.help(), "nobody new is let in until this is mended");
            before.suspended(reason)
        });
        if let Some(list) = &terms.admission().revocations {
            info!(number = list.number, revoked = list.len(), "the list of revoked certificates is in force");
            warn_of_end(list);
        }
        self.terms.send_replace(Arc::new(terms));
    }

    fn load_same(&self) -> Result<CoordinatorIdentity, DoorError> {
        let identity = load_valid(&self.federation)?;
        let is_same = identity.federation() == self.identity.federation()
            && identity.authority() == self.identity.authority()
            && identity.ledger_key().verifying_key() == self.identity.ledger_key().verifying_key();
        is_same.then_some(identity).ok_or_else(|| DoorError::Other(self.federation.display().to_string()))
    }

    fn read_lists(&self, before: &Admission) -> Result<Admission, Suspended> {
        Ok(Admission {
            revocations: read_revocations(&self.federation, &self.identity, before.revocations.as_ref())?,
            allowed: self.allowed.as_deref().map(read_allowed).transpose()?,
        })
    }

    fn stamps_now(&self) -> Vec<Option<Stamp>> {
        let files = changing_files(&self.federation).into_iter().chain(self.allowed.clone());
        let stamp = |file: PathBuf| {
            let is = fs::metadata(file).ok()?;
            Some((is.ino(), is.mtime(), is.mtime_nsec(), is.len()))
        };
        files.map(stamp).collect()
    }
}

impl DoorError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Federation(error) => error.code(),
            Self::CertificateExpired(_) => "tls.certificate-expired",
            Self::Certificate(error) => error.code(),
            Self::Suspended(error) => error.code(),
            Self::Other(_) => "federation.other",
        }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Federation(error) => error.help().into(),
            Self::CertificateExpired(dir) => format!(
                "check this host's clock; `syndic-coordinator renew --federation {dir}` makes a new certificate \
                 where the authority's key is"
            ),
            Self::Certificate(error) => error.help(),
            Self::Suspended(error) => error.help().into(),
            Self::Other(_) => {
                "restore the folder, or stop the coordinator and start it with the other one".into()
            }
        }
    }

    /// Whether the host is at fault, its disk or its clock for instance, and no file or argument.
    pub fn is_of_the_world(&self) -> bool {
        match self {
            Self::Federation(error) => error.is_of_the_world(),
            Self::CertificateExpired(_)
            | Self::Suspended(Suspended::Revocations(
                RevocationError::Expired(_) | RevocationError::Early(_),
            )) => true,
            Self::Certificate(_) | Self::Suspended(_) | Self::Other(_) => false,
        }
    }
}

/// The coordinator's part of the folder, if its certificate is valid now; warns of one that is soon over.
fn load_valid(federation: &Path) -> Result<CoordinatorIdentity, DoorError> {
    let identity = CoordinatorIdentity::load(federation)?;
    let (now, Validity { from, until }) = (clock::now(), identity.certificate_validity());
    if now < from || now >= until {
        return Err(DoorError::CertificateExpired(federation.display().to_string()));
    }
    if let Some(days) = soon_over(now, until) {
        warn!(
            days,
            "the coordinator's certificate is soon over; make a new one with `syndic-coordinator renew`"
        );
    }
    Ok(identity)
}

/// The list in the folder. Where there was one before, it does not go away, and none older takes its place.
fn read_revocations(
    federation: &Path,
    identity: &CoordinatorIdentity,
    before: Option<&RevocationList>,
) -> Result<Option<RevocationList>, Suspended> {
    let list = load_revocations(federation, identity.authority()).map_err(|error| match error {
        FederationError::Revocation(error) => error,
        other => RevocationError::Unreadable(other.to_string()),
    })?;
    let Some(list) = list else {
        let gone = || RevocationError::Gone(federation.join(REVOKED).display().to_string());
        return before.map_or(Ok(None), |_| Err(gone().into()));
    };
    match before {
        Some(before) if list.number < before.number => {
            Err(RevocationError::Older { found: list.number, known: before.number }.into())
        }
        _ => Ok(Some(list)),
    }
}

fn read_allowed(path: &Path) -> Result<std::collections::BTreeSet<syndic_round::Digest>, Suspended> {
    let unusable = |reason: String| {
        Suspended::Allowed(format!(
            "the list of allowed fingerprints {} cannot be used: {reason}",
            path.display()
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    read_fingerprints(&text).map_err(unusable)
}

fn warn_of_end(list: &RevocationList) {
    if let Some(days) = soon_over(clock::now(), list.until) {
        warn!(
            days,
            "the list of revoked certificates is soon over, and then nobody new is let in; sign it anew with \
             `syndic-coordinator revoke`"
        );
    }
}

/// The days left, where they are few.
fn soon_over(now: Timestamp, until: Timestamp) -> Option<u64> {
    let days = until.0.saturating_sub(now.0) / 86_400_000;
    (days < DAYS_OF_WARNING).then_some(days)
}

/// How many days before a certificate or list is over the operator hears of it.
const DAYS_OF_WARNING: u64 = 30;
/// How often is looked whether files have changed.
const LOOK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use syndic_round::enrolment::Address;

    use super::*;
    use crate::federation::Federation;
    use crate::renewal::renew;

    #[tokio::test]
    async fn a_file_that_changes_is_noticed_without_anybody_asking() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("federation");
        let here = Address::new("127.0.0.1").unwrap();
        let rng = &mut StdRng::seed_from_u64(1);
        Federation::create("credit", vec![here], clock::now(), rng).unwrap().write(&folder).unwrap();
        let door = Door::open(&folder, None).unwrap();
        let (mut terms, before) = (door.terms(), door.identity().certificate().clone());
        let keeping = tokio::spawn(door.keep_up());

        renew(&folder, 90).unwrap();

        terms.changed().await.unwrap();
        assert_ne!(CoordinatorIdentity::load(&folder).unwrap().certificate(), &before);
        keeping.abort();
    }
}
