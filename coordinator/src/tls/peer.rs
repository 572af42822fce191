//! Who is at the other end of a connection.

use crate::authority::serial_number;
use rustls::pki_types::CertificateDer;
use rustls::{ProtocolVersion, ServerConnection};
use syndic_round::enrolment::MemberIdentity;
use syndic_round::{Digest, ParticipantId};
use x509_parser::extensions::GeneralName;

/// The participant that a verified certificate speaks for. In the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Its id in the roster.
    pub id: ParticipantId,
    /// Its name in the roster.
    pub name: String,
    /// The federation that certified it.
    pub federation: String,
    /// SHA-256 of the certificate in DER.
    pub certificate_fingerprint: Digest,
    /// The certificate's serial number, in hexadecimal.
    pub serial: String,
    /// How its connection is protected; none before there is one.
    pub channel: Option<Channel>,
}

/// How a connection is protected, in the names of the TLS registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The version of TLS: `TLS 1.3`.
    pub version: String,
    /// The group of the key exchange: `X25519MLKEM768`.
    pub group: String,
}

impl Channel {
    /// That of a connection whose handshake is done.
    pub(super) fn of(session: &ServerConnection) -> Option<Self> {
        let version = match session.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLS 1.3".into(),
            other => format!("{other:?}"),
        };
        let group = format!("{:?}", session.negotiated_key_exchange_group()?.name());
        Some(Self { version, group })
    }
}

impl PeerIdentity {
    /// The identity in `certificate`, whose chain the caller has verified: exactly one URI of the form
    /// `syndic://<federation>/participant/<id>/<name>` and no other name.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
            return None;
        };
        let MemberIdentity { federation, id, name } = MemberIdentity::from_uri(uri)?;
        let certificate_fingerprint = Digest::of(certificate);
        let serial = serial_number(parsed.raw_serial());
        Some(Self { id, name, federation, certificate_fingerprint, serial, channel: None })
    }
}
