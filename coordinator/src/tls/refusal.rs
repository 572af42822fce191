//! Why a connection was turned away, for the operator's log.

use std::io;
use std::time::Duration;

use rustls::{CertificateError, OtherError, PeerIncompatible};
use thiserror::Error;

use super::terms::{Excluded, Suspended};

/// Why a handshake came to nothing. The peer learns no more than its TLS alert.
#[derive(Debug, Error)]
pub enum Refusal {
    /// It showed no certificate.
    #[error("no certificate was presented")]
    NoCertificate,
    /// Its certificate is over, or not yet valid.
    #[error("the certificate is not valid at this time: {0}")]
    Expired(CertificateError),
    /// Another authority issued its certificate, or it was forged.
    #[error("the certificate was not issued by this federation's authority: {0}")]
    Untrusted(CertificateError),
    /// The certificate is genuine but speaks for no participant of this federation.
    #[error("the certificate does not name a participant of this federation")]
    NotAMember,
    /// It offers no TLS 1.3.
    #[error("TLS 1.3 was not offered: {0:?}")]
    OldProtocol(PeerIncompatible),
    /// It does not offer X25519MLKEM768.
    #[error("post-quantum key exchange X25519MLKEM768 was not offered: {0:?}")]
    NoPostQuantum(PeerIncompatible),
    /// It does not speak HTTP/2.
    #[error("ALPN `h2` was not offered")]
    NoHttp2,
    /// Its certificate was taken back.
    #[error("the certificate was revoked")]
    Revoked,
    /// Its certificate is not among those that are allowed.
    #[error("the certificate's fingerprint is not in the list of those that are allowed")]
    NotAllowed,
    /// Nobody at all is let in now.
    #[error("nobody is let in: {0}")]
    Suspended(Suspended),
    /// Its address has as many connections as one address may have.
    #[error("this address has as many connections as one may have")]
    TooManyOfAddress,
    /// It has as many connections as one member may have.
    #[error("this member has as many connections as one may have")]
    TooManyOfMember,
    /// There are as many connections as the coordinator takes.
    #[error("there are as many connections as the coordinator takes")]
    Full,
    /// Newer ones came, and it had not proved whose it is.
    #[error("it had not proved whose it is when others needed its place")]
    GaveWay,
    /// It took too long.
    #[error("the handshake was not completed within {0:?}")]
    TooSlow(Duration),
    /// It went away, or spoke something else than TLS.
    #[error("the handshake was broken off: {0}")]
    BrokenOff(io::Error),
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate => "tls.no-certificate",
            Self::Expired(_) => "tls.certificate-expired",
            Self::Untrusted(_) => "tls.untrusted-participant",
            Self::NotAMember => "tls.not-a-member",
            Self::OldProtocol(_) => "tls.old-protocol",
            Self::NoPostQuantum(_) => "tls.no-post-quantum",
            Self::NoHttp2 => "tls.no-http2",
            Self::Revoked => "tls.certificate-revoked",
            Self::NotAllowed => "tls.not-allowed",
            Self::Suspended(reason) => reason.code(),
            Self::TooManyOfAddress => "net.too-many-of-address",
            Self::TooManyOfMember => "net.too-many-of-member",
            Self::Full => "net.full",
            Self::GaveWay => "net.gave-way",
            Self::TooSlow(_) => "tls.too-slow",
            Self::BrokenOff(_) => "tls.broken-off",
        }
    }
}

impl From<Excluded> for Refusal {
    fn from(excluded: Excluded) -> Self {
        match excluded {
            Excluded::Revoked(_) => Self::Revoked,
            Excluded::NotAllowed => Self::NotAllowed,
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        use rustls::Error;
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
        match tls {
            Some(Error::NoCertificatesPresented) => Self::NoCertificate,
            Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                Self::NotAMember
            }
            Some(Error::InvalidCertificate(
                reason @ (CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }),
            )) => Self::Expired(reason),
            Some(Error::InvalidCertificate(CertificateError::Revoked)) => Self::Revoked,
            Some(Error::InvalidCertificate(CertificateError::Other(OtherError(reason))))
                if reason.is::<Excluded>() =>
            {
                Self::NotAllowed
            }
            Some(Error::InvalidCertificate(reason)) => Self::Untrusted(reason),
            Some(Error::PeerIncompatible(
                reason @ (PeerIncompatible::NoKxGroupsInCommon
                | PeerIncompatible::NamedGroupsExtensionRequired
                | PeerIncompatible::KeyShareExtensionRequired),
            )) => Self::NoPostQuantum(reason),
            Some(Error::PeerIncompatible(
                reason @ (PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig),
            )) => Self::OldProtocol(reason),
            Some(Error::NoApplicationProtocol) => Self::NoHttp2,
            _ => Self::BrokenOff(error),
        }
    }
}
