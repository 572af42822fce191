//! What entries tell beside an input: when phases ended, and how often an upload was begun.

use serde_json::Value;

use super::with;
use crate::phases::PhaseTime;

/// What an entry tells beside an input, for whoever reads it: nothing is decided by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// When the phases of a round that is closed began and ended; empty where an older version did not say so.
    pub phases: Vec<PhaseTime>,
    /// How often the upload of an update was begun until it came whole, as far as the coordinator that took it knows.
    pub begun: Option<u32>,
}

impl Beside {
    pub(super) fn read(data: &Value) -> Option<Self> {
        let begun = match data.get("uploads_begun") {
            None => None,
            Some(count) => Some(u32::try_from(count.as_u64()?).ok()?),
        };
        Some(Self { phases: phases(data)?, begun })
    }
}

/// Entries of older versions say nothing of phases.
pub(super) fn phases(data: &Value) -> Option<Vec<PhaseTime>> {
    let Some(phases) = data.get("phases") else { return Some(Vec::new()) };
    phases.as_array()?.iter().map(PhaseTime::from_json).collect()
}

pub(super) fn with_phases(data: Value, phases: &[PhaseTime]) -> Value {
    match phases {
        [] => data,
        phases => with(data, "phases", phases.iter().copied().map(PhaseTime::to_json).collect()),
    }
}
