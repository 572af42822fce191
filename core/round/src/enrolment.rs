//! What an institution and the operator hand each other before the first round: a signing request one way,
//! a bundle the other. Neither holds a secret.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::Digest;
use crate::hex_bytes;
use crate::ids::ParticipantId;
use crate::roster::is_name;

/// What an institution sends to the operator: its two public keys and the proof that it holds both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningRequest {
    /// [`SigningRequest::SCHEMA`].
    pub schema: String,
    /// The institution's name, by the rule of [`is_name`].
    pub name: String,
    /// The Ed25519 key that it will sign its messages with.
    #[serde(with = "hex_bytes")]
    pub signing_key: [u8; 32],
    /// PKCS #10 request for its TLS key, in PEM, signed with that key.
    pub csr_pem: String,
    /// Ed25519 of `signing_key` over name and request, which ties the two keys together.
    #[serde(with = "hex_bytes")]
    pub proof: [u8; 64],
}

/// What the operator gives to one institution after certifying it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`Bundle::SCHEMA`].
    pub schema: String,
    /// The federation's name.
    pub federation: String,
    /// The id that the institution was given.
    pub participant: ParticipantId,
    /// Its name.
    pub name: String,
    /// Where the coordinator listens; the first that answers is used.
    pub coordinator: Vec<Address>,
    /// The Ed25519 key that the coordinator signs ledger checkpoints and receipts with.
    #[serde(with = "hex_bytes")]
    pub coordinator_key: [u8; 32],
    /// Certificate of the federation's authority, in PEM.
    pub authority_pem: String,
    /// The institution's own certificate, in PEM.
    pub certificate_pem: String,
}

/// Who a certificate speaks for, as the URI in its subject alternative name says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberIdentity {
    /// The federation's name.
    pub federation: String,
    /// The member's id.
    pub id: ParticipantId,
    /// The member's name.
    pub name: String,
}

/// A host and a port, written `host:port`; an IPv6 host in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// DNS name in lower case, or IP address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a signing request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// Another kind of file, or a version from the future.
    #[error("the file is a `{0}`, not a `syndic.signing-request/1`")]
    Schema(String),
    /// A name outside the rule.
    #[error("the name `{0}` is not 1 to 64 characters of a-z, 0-9, `-` and `_`")]
    Name(String),
    /// No Ed25519 point, or a weak one.
    #[error("the signing key of `{0}` is not a valid Ed25519 key")]
    Key(String),
    /// Altered on the way, or made by somebody who does not hold the signing key.
    #[error("the request of `{0}` is not signed by the signing key that it names")]
    Proof(String),
}

impl RequestError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Schema(_) => "request.schema",
            Self::Name(_) => "request.name",
            Self::Key(_) => "request.key",
            Self::Proof(_) => "request.proof",
        }
    }
}

impl SigningRequest {
    /// The schema of this version.
    pub const SCHEMA: &str = "syndic.signing-request/1";

    /// The request of `name` for the TLS key of `csr_pem`, proved with its signing key.
    pub fn new(name: &str, csr_pem: String, key: &SigningKey) -> Self {
        let proof = key.sign(&statement(name, &csr_pem)).to_bytes();
        let signing_key = key.verifying_key().to_bytes();
        Self { schema: Self::SCHEMA.to_owned(), name: name.to_owned(), signing_key, csr_pem, proof }
    }

    /// Checks schema, name, key and proof; the inner request's own signature is for the authority to check.
    ///
    /// # Errors
    /// [`RequestError`] names the first thing wrong.
    pub fn verify(&self) -> Result<(), RequestError> {
        if self.schema != Self::SCHEMA {
            return Err(RequestError::Schema(self.schema.clone()));
        }
        if !is_name(&self.name) {
            return Err(RequestError::Name(self.name.clone()));
        }
        let key = VerifyingKey::from_bytes(&self.signing_key).ok().filter(|key| !key.is_weak());
        let key = key.ok_or_else(|| RequestError::Key(self.name.clone()))?;
        key.verify_strict(&statement(&self.name, &self.csr_pem), &Signature::from_bytes(&self.proof))
            .map_err(|_| RequestError::Proof(self.name.clone()))
    }
}

impl Bundle {
    /// The schema of this version.
    pub const SCHEMA: &str = "syndic.bundle/1";
}

impl MemberIdentity {
    /// `syndic://<federation>/participant/<id>/<name>`.
    pub fn to_uri(&self) -> String {
        format!("syndic://{}/participant/{}/{}", self.federation, self.id, self.name)
    }

    /// The identity written as `uri`, if it is exactly what [`MemberIdentity::to_uri`] writes.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let mut parts = uri.strip_prefix("syndic://")?.splitn(4, '/');
        let federation = parts.next().filter(|name| is_name(name))?;
        parts.next().filter(|role| *role == "participant")?;
        let id = parts.next()?.parse().ok().and_then(ParticipantId::new)?;
        let name = parts.next().filter(|name| is_name(name))?;
        let identity = Self { federation: federation.to_owned(), id, name: name.to_owned() };
        (identity.to_uri() == uri).then_some(identity)
    }
}

impl Address {
    /// The port where none is written.
    pub const DEFAULT_PORT: u16 = 7443;

    /// The address written as `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address; none where the
    /// host is neither an IP address nor a DNS name, or the port is not 1 to 65,535.
    pub fn new(text: &str) -> Option<Self> {
        if let Ok(host) = text.parse::<Ipv6Addr>() {
            return Some(Self { host: host.to_string(), port: Self::DEFAULT_PORT });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                (host.parse::<Ipv6Addr>().ok()?.to_string(), after)
            }
            None => {
                let (host, after) = text.split_at(text.find(':').unwrap_or(text.len()));
                (host.to_ascii_lowercase(), after)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
            None if port.is_empty() => Self::DEFAULT_PORT,
            None => return None,
        };
        (host.parse::<IpAddr>().is_ok() || is_dns_name(&host)).then_some(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("an address is a DNS name or an IP address with an optional `:port`")
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// RFC 1123 section 2.1: labels of letters, digits and inner hyphens. All digits would be a mistyped IPv4
/// address, so the last label must hold a letter.
fn is_dns_name(host: &str) -> bool {
    let label = |label: &str| {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(label) && last.bytes().any(|byte| byte.is_ascii_lowercase())
}

fn statement(name: &str, csr_pem: &str) -> Vec<u8> {
    let digest = Digest::of_parts("syndic signing request", &[name.as_bytes(), csr_pem.as_bytes()]);
    [b"syndic signing request 1 ".as_slice(), digest.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_tied_to_its_signing_key_name_and_content() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let request = SigningRequest::new("bank_a", "-----BEGIN".to_owned(), &key);
        assert_eq!(request.verify(), Ok(()));

        let renamed = SigningRequest { name: "bank_b".to_owned(), ..request.clone() };
        assert_eq!(renamed.verify(), Err(RequestError::Proof("bank_b".to_owned())));
        let altered = SigningRequest { csr_pem: "-----BEGIN x".to_owned(), ..request.clone() };
        assert_eq!(altered.verify(), Err(RequestError::Proof("bank_a".to_owned())));
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        let stolen = SigningRequest { signing_key: other, ..request };
        assert_eq!(stolen.verify(), Err(RequestError::Proof("bank_a".to_owned())));
    }

    #[test]
    fn only_the_exact_uri_names_a_member() {
        let id = ParticipantId::new(12).unwrap();
        let identity = MemberIdentity { federation: "credit".to_owned(), id, name: "bank_a".to_owned() };
        let uri = identity.to_uri();
        assert_eq!(uri, "syndic://credit/participant/12/bank_a");
        assert_eq!(MemberIdentity::from_uri(&uri), Some(identity));
        for wrong in [
            "https://credit/participant/12/bank_a",
            "syndic://credit/coordinator/12/bank_a",
            "syndic://credit/participant/0/bank_a",
            "syndic://credit/participant/012/bank_a",
            "syndic://credit/participant/+12/bank_a",
            "syndic://credit/participant/12/bank_a/",
            "syndic://credit/participant/12/Bank",
            "syndic://credit/participant/12",
        ] {
            assert_eq!(MemberIdentity::from_uri(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, expected) in [
            ("localhost", "localhost:7443"),
            ("Hub.Example.org:443", "hub.example.org:443"),
            ("10.0.0.7", "10.0.0.7:7443"),
            ("::1", "[::1]:7443"),
            ("[2001:db8::1]:9000", "[2001:db8::1]:9000"),
        ] {
            let address = Address::new(text).unwrap_or_else(|| panic!("{text} is an address"));
            assert_eq!(address.to_string(), expected);
            assert_eq!(Address::new(expected), Some(address));
        }
        for wrong in
            ["", ":443", "host:0", "host:65536", "10.0.0.256", "a b", "-a", "https://a", "[::1", "a:b:c"]
        {
            assert_eq!(Address::new(wrong), None, "{wrong}");
        }
    }
}
