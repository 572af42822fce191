//! What a coordinator keeps of its rounds: the entries of its log, and the blobs that they name.

use std::collections::BTreeMap;
use std::path::Path;

use syndic_coordinator::fact::Fact;
use syndic_coordinator::missing::Missing;
use syndic_coordinator::store::{Blobs, FolderBlobs, Log, SqliteLog};
use syndic_ledger::Entry;
use syndic_round::coordinator::{Input, Upload};
use syndic_round::{EndorsedRoster, ParticipantId, Place, RoundPlan, Sum};

/// A coordinator's own store.
pub(crate) struct Kept {
    pub(crate) entries: Vec<Entry>,
    pub(crate) rounds: Vec<Round>,
    /// The members' ids by name.
    pub(crate) ids: BTreeMap<String, ParticipantId>,
}

impl Kept {
    /// How many entries the published ledger has: up to the one with which the job ended.
    pub(crate) fn published(&self) -> u64 {
        let ends = ["syndic.job.completed", "syndic.job.abandoned", "syndic.job.stopped"];
        self.entries.iter().rposition(|entry| ends.contains(&&*entry.kind)).unwrap() as u64 + 1
    }
}

/// An encrypted round, from the coordinator's side.
pub(crate) struct Round {
    pub(crate) plan: RoundPlan,
    pub(crate) kind: String,
    pub(crate) question: Vec<u8>,
    pub(crate) uploads: Vec<(ParticipantId, Upload, Vec<u8>)>,
    /// Who was missing when its survivor set was frozen.
    pub(crate) missing: Vec<Missing>,
    /// The stored sum and whose updates are in it, once it is closed.
    pub(crate) closed: Option<(Vec<u8>, Vec<ParticipantId>)>,
}

impl Round {
    /// The sum that was stored, and the one of the survivors' coefficients in the clear; none unless the round
    /// is closed.
    pub(crate) fn sums<'a>(&self, answer: impl Fn(ParticipantId) -> &'a [i64]) -> Option<(Sum, Sum)> {
        let (bytes, survivors) = self.closed.as_ref()?;
        let Self { plan, .. } = self;
        let mut plain = vec![0; plan.coefficients()];
        for survivor in survivors {
            plain.iter_mut().zip(answer(*survivor)).for_each(|(sum, coefficient)| *sum += coefficient);
        }
        let count = u16::try_from(survivors.len()).unwrap();
        let expected = Sum::decode(plan.layout.clone(), &plan.coding(), count, &plain).unwrap();
        Some((Sum::from_bytes(plan.layout.clone(), bytes).unwrap(), expected))
    }
}

/// Reads the store in the folder `store`, which nobody else writes now.
pub(crate) async fn kept(store: &Path) -> Kept {
    let log = SqliteLog::open(&store.join("ledger.sqlite")).await.unwrap();
    let blobs = FolderBlobs::open(store).await.unwrap();
    let size = log.size().await.unwrap();
    let entries: Vec<Entry> =
        log.read(0, size).await.unwrap().iter().map(|bytes| Entry::parse(bytes).unwrap()).collect();
    let mut rounds: Vec<Round> = Vec::new();
    let mut ids = BTreeMap::new();
    for (index, entry) in (0..).zip(&entries) {
        match Fact::from_entry(index, entry).unwrap() {
            Fact::RosterSealed { blob, .. } => {
                let sealed: EndorsedRoster =
                    serde_json::from_slice(&blobs.read(blob).await.unwrap()).unwrap();
                ids.extend(sealed.roster.members.into_iter().map(|member| (member.name, member.id)));
            }
            Fact::RoundOpened { plan, kind, .. } => {
                let question = blobs.read(plan.question).await.unwrap();
                let (uploads, missing) = (Vec::new(), Vec::new());
                rounds.push(Round { plan: *plan, kind, question, uploads, missing, closed: None });
            }
            Fact::RoundFrozen { round: id, missing, .. } => {
                rounds.iter_mut().find(|round| round.plan.id == id).unwrap().missing = missing;
            }
            Fact::Heard { place: Place::Round(id), input, survivors, .. } => {
                let round = rounds.iter_mut().find(|round| round.plan.id == id).unwrap();
                match input {
                    Input::Submit(signed, upload) => {
                        // Behind the header of a vector that was shared itself nothing travels.
                        let ciphertext = match upload.chunks {
                            0 => Vec::new(),
                            _ => blobs.read(upload.blob).await.unwrap(),
                        };
                        round.uploads.push((signed.from, upload, ciphertext));
                    }
                    Input::Opened(opened) => {
                        round.closed = Some((blobs.read(opened.sum).await.unwrap(), survivors));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Kept { entries, rounds, ids }
}
