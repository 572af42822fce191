//! Why a participant is not connected: whose fault, and what to do.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use syndic_round::enrolment::Address;
use thiserror::Error;

use crate::shown::printable;

/// Why a connection to the coordinator was not made.
#[derive(Clone, Debug, Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("the coordinator at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// The network's reason.
        reason: String,
    },
    /// Who answers is not the federation's coordinator, or not under this host name.
    #[error("{address} is not the coordinator of this federation: {reason}")]
    UntrustedCoordinator {
        /// Where.
        address: Address,
        /// What is wrong with its certificate.
        reason: String,
    },
    /// The coordinator's certificate, or ours, is over or not yet valid.
    #[error("{}", match ours {
        true => format!("the coordinator at {address} says that this participant's certificate is not valid now"),
        false => format!("the certificate of the coordinator at {address} is not valid now"),
    })]
    CertificateExpired {
        /// Where.
        address: Address,
        /// Whether it is this participant's certificate.
        ours: bool,
    },
    /// The coordinator does not take our certificate.
    #[error("the coordinator at {address} refused this participant's certificate ({alert})")]
    CertificateRefused {
        /// Where.
        address: Address,
        /// The TLS alert that it sent.
        alert: String,
    },
    /// The coordinator says that our certificate was taken back.
    #[error("the coordinator at {address} says that this participant's certificate was revoked")]
    CertificateRevoked {
        /// Where.
        address: Address,
    },
    /// Whoever answers there does not speak as a coordinator does.
    #[error("no secure connection to {address}: {reason}")]
    HandshakeFailed {
        /// Where.
        address: Address,
        /// What the TLS library says.
        reason: String,
    },
    /// Our own certificate, key or authority cannot be used.
    #[error("cannot use this participant's own certificate: {reason}")]
    OwnCertificate {
        /// What the TLS library says.
        reason: String,
    },
}

impl ConnectError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "net.unreachable",
            Self::UntrustedCoordinator { .. } => "tls.untrusted-coordinator",
            Self::CertificateExpired { .. } => "tls.certificate-expired",
            Self::CertificateRefused { .. } => "tls.certificate-refused",
            Self::CertificateRevoked { .. } => "tls.certificate-revoked",
            Self::HandshakeFailed { .. } => "tls.handshake-failed",
            Self::OwnCertificate { .. } => "tls.own-certificate",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check the address in the bundle, that the coordinator runs, and that the firewall lets this host \
                 out to that port; nothing needs to be let in"
            }
            Self::UntrustedCoordinator { .. } => {
                "nothing was sent. Compare the address with the operator; if the host was renamed, the operator \
                 founds the federation with that `--host`; a proxy that opens TLS must not stand in between"
            }
            Self::CertificateExpired { ours: true, .. } => {
                "check this host's clock, then send the same request file to the operator, who certifies it anew \
                 with `syndic federation add-participant`, and run `syndic-participant renew` with the new bundle"
            }
            Self::CertificateExpired { ours: false, .. } => {
                "nothing was sent. Check this host's clock, then tell the operator, who makes a new certificate \
                 with `syndic-coordinator renew`; nothing changes here"
            }
            Self::CertificateRefused { .. } => {
                "the bundle in use is of another federation, was replaced, or is not among those that the operator allows: \
                 run `syndic-participant renew` with the bundle that the operator made last; the operator's log names the \
                 reason"
            }
            Self::CertificateRevoked { .. } => {
                "ask the operator why. Where keys may have been stolen, take no part with them any more; otherwise the operator \
                 certifies the same request file anew, and `syndic-participant renew` puts the new bundle in place"
            }
            Self::HandshakeFailed { .. } => {
                "the other end must speak TLS 1.3 with X25519MLKEM768 and HTTP/2: check that the address is the \
                 coordinator's and that no proxy opens TLS in between"
            }
            Self::OwnCertificate { .. } => {
                "run `syndic-participant renew` with the bundle that the operator made for these keys"
            }
        }
    }

    /// The `ConnectError` behind `error`, such as a [`tonic::transport::Error`] or [`tonic::Status`].
    pub fn behind<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Whether trying again later may help: nobody answered, who is certainly not somebody else.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether a network that alters what passes can be the reason: who answered has not shown who it is.
    pub fn may_be_garbled(&self) -> bool {
        matches!(self, Self::HandshakeFailed { .. })
    }

    pub(super) fn own(error: impl std::fmt::Display) -> Self {
        Self::OwnCertificate { reason: printable(&error.to_string()) }
    }

    /// Whether the coordinator itself has said that it does not want us any more.
    pub fn is_revoked(&self) -> bool {
        matches!(self, Self::CertificateRevoked { .. })
    }

    /// Sorts what TLS reports after the coordinator has proved who it is: nobody in between can have said it.
    pub(super) fn proved(address: &Address, error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match tls {
            Some(TlsError::AlertReceived(AlertDescription::CertificateRevoked)) => {
                Self::CertificateRevoked { address: address.clone() }
            }
            _ => Self::of(address, error),
        }
    }

    /// Sorts what TCP and TLS report.
    pub(super) fn of(address: &Address, error: io::Error) -> Self {
        let address = address.clone();
        let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
            return Self::Unreachable { address, reason: printable(&error.to_string()) };
        };
        match tls {
            TlsError::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::CertificateExpired { address, ours: false },
            TlsError::InvalidCertificate(reason) => {
                // It may quote the names that the other end gives itself.
                Self::UntrustedCoordinator { address, reason: printable(&reason.to_string()) }
            }
            TlsError::AlertReceived(AlertDescription::CertificateExpired) => {
                Self::CertificateExpired { address, ours: true }
            }
            TlsError::AlertReceived(
                alert @ (AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError),
            ) => Self::CertificateRefused { address, alert: format!("{alert:?}") },
            other => Self::HandshakeFailed { address, reason: printable(&other.to_string()) },
        }
    }
}
