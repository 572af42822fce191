//! Which processes wrote the entries of a job: each start of a coordinator is on record with its version and configuration.

use std::collections::BTreeMap;

use serde::Serialize;
use syndic_coordinator::fact::{Fact, Started, incarnation};
use syndic_ledger::{Entry, Timestamp};
use syndic_round::Digest;

/// A process that wrote entries of the job. All but the times and the number of entries is its own word.
#[derive(Debug, Serialize)]
pub struct CoordinatorFacts {
    /// Its number among all that were started on the ledger, from 1.
    pub incarnation: u64,
    /// Unlike that of any other process.
    pub instance: String,
    /// The version of its software.
    pub version: String,
    /// The commit that it was built from, where that is known.
    pub commit: Option<String>,
    /// SHA-256 of the program's file.
    pub binary: Option<Digest>,
    /// SHA-256 of its configuration.
    pub configuration: Option<Digest>,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended; none where the ledger does not say that it ended in order.
    pub stopped: Option<Timestamp>,
    /// How many of the job's entries are its own.
    pub entries: u64,
}

/// All that were started, as far as entries were read.
#[derive(Default)]
pub(super) struct Coordinators(BTreeMap<u64, CoordinatorFacts>);

impl Coordinators {
    /// Takes in the next entry, of a coordinator or of the job.
    pub(super) fn take(&mut self, index: u64, entry: &Entry) {
        let of_job = entry.data["job"].is_string();
        if of_job && let Some(writer) = incarnation(&entry.source).and_then(|it| self.0.get_mut(&it)) {
            writer.entries += 1;
        }
        match Fact::from_entry(index, entry) {
            Ok(Fact::CoordinatorStarted(started)) => {
                self.0.insert(started.incarnation, CoordinatorFacts::of(*started, entry.time));
            }
            Ok(Fact::CoordinatorStopped(stopped)) => {
                if let Some(known) = self.0.get_mut(&stopped.incarnation) {
                    known.stopped = Some(entry.time);
                }
            }
            _ => {}
        }
    }

    /// Those that wrote entries of the job, in the order of their starts.
    pub(super) fn end(self) -> Vec<CoordinatorFacts> {
        self.0.into_values().filter(|it| it.entries > 0).collect()
    }
}

impl CoordinatorFacts {
    fn of(Started { incarnation, instance }: Started, started: Timestamp) -> Self {
        let software = instance.software;
        Self {
            incarnation,
            instance: instance.id,
            version: software.version,
            commit: software.commit,
            binary: software.binary,
            configuration: instance.configuration,
            started,
            stopped: None,
            entries: 0,
        }
    }
}
