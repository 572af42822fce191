//! How a participant connects, as an entry: whenever it is not as it is on record already.

use serde_json::{Value, json};
use syndic_round::{Digest, ParticipantId};

/// How a participant is connected. The connection is what the coordinator sees; the software is the participant's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Who.
    pub participant: ParticipantId,
    /// SHA-256 of the certificate that it proved to have the key of.
    pub certificate: Digest,
    /// That certificate's serial number in hexadecimal, by which a revocation list names it.
    pub serial: String,
    /// The version of TLS.
    pub tls: String,
    /// The group of the key exchange.
    pub group: String,
    /// The version of its software, as it says.
    pub version: String,
    /// SHA-256 of its program, where it says so.
    pub binary: Option<Digest>,
}

impl Connected {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { participant, certificate, serial, tls, group, version, binary } = self;
        let data = json!({
            "participant": participant,
            "certificate": certificate.to_string(),
            "serial": serial,
            "tls": tls,
            "group": group,
            "version": version,
            "binary": binary.map(|digest| digest.to_string()),
        });
        (CONNECTED, Some(format!("participant/{participant}")), data)
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let text = |key: &str| data.get(key)?.as_str().map(String::from);
        Some(Self {
            participant: serde_json::from_value(data.get("participant")?.clone()).ok()?,
            certificate: Digest::from_hex(data.get("certificate")?.as_str()?)?,
            serial: text("serial")?,
            tls: text("tls")?,
            group: text("group")?,
            version: text("version")?,
            binary: match data.get("binary")? {
                Value::Null => None,
                digest => Some(Digest::from_hex(digest.as_str()?)?),
            },
        })
    }
}

pub(super) const CONNECTED: &str = "syndic.participant.connected";
