//! Whom the coordinator lets in, as entries: from when on a revocation counts, and a list of those who are allowed.

use serde_json::{Value, json};
use syndic_round::{Digest, Timestamp};

use super::refused::{read_time, time};

/// Whom the coordinator lets in from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionChanged {
    /// From now on.
    pub now: Admitted,
    /// Until now; none at first.
    pub before: Option<Admitted>,
    /// Certificates that count as revoked from now on, [`MOST`] at most.
    pub newly_revoked: Vec<RevokedCertificate>,
    /// How many further ones there are.
    pub further: u64,
}

/// The lists by which members are let in, as they are named on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The revocation list in force, where there is one.
    pub revocations: Option<Revocations>,
    /// The list of the only certificates that are allowed, where there is one.
    pub allowed: Option<Allowed>,
    /// Why nobody new is let in at all, by its code, where nobody is.
    pub suspended: Option<String>,
}

/// A revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// Its number; the authority signs each once.
    pub number: u64,
    /// Until when it holds.
    pub until: Timestamp,
    /// How many certificates it takes back.
    pub revoked: u64,
}

/// A list of certificates that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// SHA-256 of the fingerprints in order, each in hexadecimal and a newline.
    pub digest: Digest,
    /// How many there are.
    pub fingerprints: u64,
}

/// A certificate that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// When the authority took it back, as it says.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// Certificates that one entry names.
pub const MOST: usize = 256;

impl AdmissionChanged {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { now, before, newly_revoked, further } = self;
        let mut data = now.to_json();
        data["before"] = before.as_ref().map(Admitted::to_json).into();
        data["newly_revoked"] = newly_revoked
            .iter()
            .map(|one| json!({ "serial": one.serial, "at": time(one.at), "reason": one.reason }))
            .collect();
        data["further"] = json!(further);
        (CHANGED, Some(SUBJECT.into()), data)
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let newly_revoked = data.get("newly_revoked")?.as_array()?.iter().map(|one| {
            let text = |key: &str| one.get(key)?.as_str().map(String::from);
            let at = read_time(one.get("at")?)?;
            Some(RevokedCertificate { serial: text("serial")?, at, reason: text("reason")? })
        });
        Some(Self {
            now: Admitted::read(data)?,
            before: match data.get("before")? {
                Value::Null => None,
                before => Some(Admitted::read(before)?),
            },
            newly_revoked: newly_revoked.collect::<Option<_>>()?,
            further: data.get("further")?.as_u64()?,
        })
    }
}

impl Admitted {
    fn to_json(&self) -> Value {
        let revocations = self
            .revocations
            .as_ref()
            .map(|list| json!({ "number": list.number, "until": time(list.until), "revoked": list.revoked }));
        let allowed = self
            .allowed
            .as_ref()
            .map(|list| json!({ "digest": list.digest.to_string(), "fingerprints": list.fingerprints }));
        json!({ "revocations": revocations, "allowed": allowed, "suspended": self.suspended })
    }

    fn read(data: &Value) -> Option<Self> {
        let there = |key: &str| Some(Some(data.get(key)?).filter(|value| !value.is_null()));
        let revocations = |list: &Value| {
            let count = |key: &str| list.get(key)?.as_u64();
            let until = read_time(list.get("until")?)?;
            Some(Revocations { number: count("number")?, until, revoked: count("revoked")? })
        };
        let allowed = |list: &Value| {
            let digest = Digest::from_hex(list.get("digest")?.as_str()?)?;
            Some(Allowed { digest, fingerprints: list.get("fingerprints")?.as_u64()? })
        };
        Some(Self {
            revocations: match there("revocations")? {
                None => None,
                Some(list) => Some(revocations(list)?),
            },
            allowed: match there("allowed")? {
                None => None,
                Some(list) => Some(allowed(list)?),
            },
            suspended: match there("suspended")? {
                None => None,
                Some(code) => Some(code.as_str()?.into()),
            },
        })
    }
}

pub(super) const CHANGED: &str = "syndic.admission.changed";
/// What such entries are about, so that each names the one before it.
const SUBJECT: &str = "admission";
