//! How the members were connected while a job ran.

use std::collections::BTreeMap;

use serde::Serialize;
use syndic_coordinator::fact::{Connected, Fact};
use syndic_ledger::{Entry, Timestamp};
use syndic_round::Digest;

/// How a member was connected from some moment on, until the next of its connections.
#[derive(Debug, Serialize)]
pub struct ConnectionFacts {
    /// From when on.
    pub since: Timestamp,
    /// SHA-256 of the certificate that it proved to have the key of.
    pub certificate: Digest,
    /// The version of TLS.
    pub tls: String,
    /// The group of the key exchange.
    pub group: String,
    /// The version of its software: its own word.
    pub version: String,
    /// SHA-256 of its program, where it says so: its own word.
    pub binary: Option<Digest>,
}

/// Those of all members, as far as entries were read.
#[derive(Default)]
pub(super) struct Connections {
    of: BTreeMap<u64, Vec<ConnectionFacts>>,
    is_over: bool,
}

impl Connections {
    /// Takes in the next entry.
    pub(super) fn take(&mut self, index: u64, entry: &Entry) {
        if self.is_over {
            return;
        }
        match entry.kind.as_str() {
            // Of what was before, only how everybody was connected at this moment is of the job.
            "syndic.job.agreed" => {
                for connections in self.of.values_mut() {
                    connections.drain(..connections.len() - 1);
                }
            }
            "syndic.job.completed" | "syndic.job.abandoned" | "syndic.job.stopped" => self.is_over = true,
            _ => {}
        }
        if let Ok(Fact::Connected(connected)) = Fact::from_entry(index, entry) {
            let Connected { participant, certificate, tls, group, version, binary, .. } = *connected;
            let of = self.of.entry(participant.get().into()).or_default();
            of.push(ConnectionFacts { since: entry.time, certificate, tls, group, version, binary });
        }
    }

    /// Those of one member.
    pub(super) fn of(&mut self, id: u64) -> Vec<ConnectionFacts> {
        self.of.remove(&id).unwrap_or_default()
    }
}
