//! On what terms connections are let in, and stay: what the door goes by at this moment.
//!
//! Terms are never changed but replaced, through a `watch` channel: a handshake begins under those of the moment, and who is
//! inside is judged again whenever they are replaced.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use syndic_round::{Digest, Timestamp};
use thiserror::Error;

use super::{ListenError, configuration_under};
use crate::authority::{RevocationError, RevocationList, Revoked};
use crate::fact::{Admitted, Allowed, Revocations, RevokedCertificate};
use crate::federation::CoordinatorIdentity;

/// The coordinator's own certificate, and whom it admits.
pub struct Terms {
    pub(super) config: Arc<ServerConfig>,
    admission: Arc<Admission>,
    suspended: Option<Suspended>,
}

/// Whom of those that the authority certified the coordinator admits.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Certificates that were taken back, where there is a list.
    pub revocations: Option<RevocationList>,
    /// The only certificates that are admitted, by fingerprint, where there is such a list.
    pub allowed: Option<BTreeSet<Digest>>,
}

/// Why a certificate that the authority gave out is not admitted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Excluded {
    /// It was taken back.
    #[error("the certificate was revoked: {}", .0.reason)]
    Revoked(Revoked),
    /// It is not on the list of those that are allowed.
    #[error("the certificate's fingerprint is not in the list of those that are allowed")]
    NotAllowed,
}

/// Why nobody at all is let in until somebody mends it: without knowing who must not come in, nobody may.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Suspended {
    /// The list of what was revoked.
    #[error(transparent)]
    Revocations(#[from] RevocationError),
    /// The list of what is allowed.
    #[error("{0}")]
    Allowed(String),
}

impl Terms {
    /// The terms under which `identity` is shown and `admission` decides.
    ///
    /// # Errors
    /// [`ListenError::Certificate`].
    pub fn new(identity: &CoordinatorIdentity, admission: Admission) -> Result<Self, ListenError> {
        let admission = Arc::new(admission);
        Ok(Self { config: configuration_under(identity, admission.clone())?, admission, suspended: None })
    }

    /// The same, but that nobody new is let in.
    pub(super) fn suspended(&self, reason: Suspended) -> Self {
        let (config, admission) = (self.config.clone(), self.admission.clone());
        Self { config, admission, suspended: Some(reason) }
    }

    /// Whether anybody at all is let in at `now`.
    ///
    /// # Errors
    /// [`Suspended`].
    pub fn require_open(&self, now: Timestamp) -> Result<(), Suspended> {
        if let Some(reason) = &self.suspended {
            return Err(reason.clone());
        }
        let list = self.admission.revocations.as_ref();
        Ok(list.map_or(Ok(()), |list| list.require_current(now))?)
    }

    /// The lists behind them, as the ledger names them.
    pub(crate) fn on_record(&self) -> Admitted {
        let Admission { revocations, allowed } = &*self.admission;
        let revocations = revocations.as_ref().map(|list| Revocations {
            number: list.number,
            until: list.until,
            revoked: list.len() as u64,
        });
        let allowed = allowed.as_ref().map(|list| {
            let lines: String = list.iter().map(|fingerprint| format!("{fingerprint}\n")).collect();
            Allowed { digest: Digest::of(lines.as_bytes()), fingerprints: list.len() as u64 }
        });
        let suspended = self.suspended.as_ref().map(|reason| reason.code().into());
        Admitted { revocations, allowed, suspended }
    }

    /// The certificates that were taken back.
    pub(crate) fn revoked(&self) -> impl Iterator<Item = RevokedCertificate> {
        let all = self.admission.revocations.iter().flat_map(RevocationList::iter);
        all.map(|(serial, Revoked { at, reason })| RevokedCertificate {
            serial,
            at,
            reason: reason.name().into(),
        })
    }

    /// Whom these terms admit.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }
}

impl Admission {
    /// Whether `certificate`, which the authority gave out, is admitted.
    ///
    /// # Errors
    /// [`Excluded`].
    pub fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Excluded> {
        if let Some(revoked) = self.revocations.as_ref().and_then(|list| list.revoked(certificate)) {
            return Err(Excluded::Revoked(revoked));
        }
        match &self.allowed {
            Some(allowed) if !allowed.contains(&Digest::of(certificate)) => Err(Excluded::NotAllowed),
            _ => Ok(()),
        }
    }
}

impl Excluded {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Revoked(_) => "tls.certificate-revoked",
            Self::NotAllowed => "tls.not-allowed",
        }
    }
}

impl Suspended {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Revocations(error) => error.code(),
            Self::Allowed(_) => "allowed.unreadable",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Revocations(error) => error.help(),
            Self::Allowed(_) => {
                "put the file that `allow_fingerprints` names in order: one SHA-256 fingerprint a line, in hexadecimal"
            }
        }
    }
}
