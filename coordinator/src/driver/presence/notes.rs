//! What replicas let one another know of who is connected where.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use syndic_round::{JobId, ParticipantId, Timestamp};
use tokio::time::Instant;

use super::{Connected, Keeping, Presence};

impl Presence {
    /// What other replicas may know of who is connected here.
    pub(in crate::driver) fn note(&self) -> String {
        let here = |(id, it): (&ParticipantId, &Connected)| Here {
            id: id.get(),
            since: it.since.0,
            holding: it.came_with.iter().map(|(job, number)| (job.to_string(), *number)).collect(),
        };
        let here: Vec<Here> = self.connections.iter().map(here).collect();
        serde_json::to_string(&here).expect("numbers and text have a JSON form")
    }

    /// Takes the notes of the other replicas, by their names; says whether that changes anything. A note that cannot be
    /// read is of a version that knows better: then nothing is known of that replica.
    pub(in crate::driver) fn is_elsewhere(&mut self, notes: impl Iterator<Item = (String, String)>) -> bool {
        let mut before = std::mem::take(&mut self.elsewhere);
        let were_elsewhere: BTreeSet<ParticipantId> =
            before.values().flat_map(BTreeMap::keys).copied().collect();
        let mut has_changed = false;
        for (replica, note) in notes {
            let known = before.remove(&replica).unwrap_or_default();
            let now = of_note(&note, &known);
            has_changed |= !now.keys().eq(known.keys())
                || now.iter().zip(&known).any(|((_, now), (_, known))| now.since != known.since);
            self.elsewhere.insert(replica, now);
        }
        let now = Instant::now();
        for id in were_elsewhere {
            if !self.is_connected(id) {
                self.absent_since.insert(id, now);
            }
        }
        for id in self.elsewhere.values().flat_map(BTreeMap::keys) {
            self.absent_since.remove(id);
        }
        has_changed || before.values().any(|gone| !gone.is_empty())
    }
}

/// A connected participant in the note of a replica.
#[derive(Serialize, Deserialize)]
struct Here {
    id: u16,
    since: u64,
    holding: BTreeMap<String, u64>,
}

/// Who a note says is connected there. What has been heard since of those who were known is kept.
fn of_note(note: &str, known: &BTreeMap<ParticipantId, Connected>) -> BTreeMap<ParticipantId, Connected> {
    let here: Vec<Here> = serde_json::from_str(note).unwrap_or_default();
    let connected = |Here { id, since, holding }: Here| {
        let (id, since) = (ParticipantId::new(id)?, Timestamp(since));
        let came_with: BTreeMap<JobId, u64> =
            holding.iter().filter_map(|(job, number)| Some((JobId::new(job)?, *number))).collect();
        let jobs = match known.get(&id) {
            Some(known) if known.since == since => known.jobs.clone(),
            _ => Keeping::of(&came_with),
        };
        Some((id, Connected { connections: 1, since, came_with, jobs }))
    };
    here.into_iter().filter_map(connected).collect()
}
