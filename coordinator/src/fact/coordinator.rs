//! When coordinators were started on a ledger, of which version, and when they ended, as entries.

use serde_json::{Value, json};
use syndic_round::Digest;

use crate::instance::{Instance, Software};

/// A coordinator was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// How often one had been started on this ledger, this time included.
    pub incarnation: u64,
    /// Which process it is, and what runs in it.
    pub instance: Instance,
}

/// A coordinator ended in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The number that it had when it was started.
    pub incarnation: u64,
    /// Why, in a word or two.
    pub reason: String,
}

/// The number of the coordinator's start that an entry's `source` names; none in entries of versions that named none.
pub fn incarnation(source: &str) -> Option<u64> {
    source.strip_prefix("coordinator/")?.rsplit_once('/')?.1.parse().ok()
}

impl Started {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { incarnation, instance: Instance { id, software, configuration } } = self;
        let data = json!({
            "instance": id,
            "incarnation": incarnation,
            "version": software.version,
            "commit": software.commit,
            "binary": software.binary.map(|digest| digest.to_string()),
            "configuration": configuration.map(|digest| digest.to_string()),
        });
        (STARTED, Some(SUBJECT.into()), data)
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let text = |key: &str| data.get(key)?.as_str().map(String::from);
        // None inside where it is on record that it is not known.
        let digest = |key: &str| match data.get(key)? {
            Value::Null => Some(None),
            digest => Digest::from_hex(digest.as_str()?).map(Some),
        };
        let software =
            Software { version: text("version")?, commit: text("commit"), binary: digest("binary")? };
        let instance = Instance { id: text("instance")?, software, configuration: digest("configuration")? };
        Some(Self { incarnation: data.get("incarnation")?.as_u64()?, instance })
    }
}

impl Stopped {
    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { incarnation, reason } = self;
        (STOPPED, Some(SUBJECT.into()), json!({ "incarnation": incarnation, "reason": reason }))
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let reason = data.get("reason")?.as_str()?.into();
        Some(Self { incarnation: data.get("incarnation")?.as_u64()?, reason })
    }
}

pub(super) const STARTED: &str = "syndic.coordinator.started";
pub(super) const STOPPED: &str = "syndic.coordinator.stopped";
/// What such entries are about, so that each names the one before it.
const SUBJECT: &str = "coordinator";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_the_start_of_the_coordinator_that_wrote_it() {
        assert_eq!(incarnation("coordinator/credit/3"), Some(3));
        assert_eq!(incarnation("coordinator/credit"), None, "as older versions wrote it");
        assert_eq!(incarnation("coordinator/credit/x"), None);
        assert_eq!(incarnation("somebody/credit/3"), None);
    }
}
