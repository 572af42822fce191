//! The published ledger, as a reviewer gets it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use syndic_coordinator::fact::Fact;
use syndic_ledger::{Entry, tiles};
use syndic_round::ParticipantId;
use syndic_round::coordinator::Input;

use super::founding::Hosts;
use super::process::succeed;

/// Verifies the published ledger against the key that the operator shows; the summary.
pub(crate) fn verified(hosts: &Hosts) -> Value {
    let roster = hosts.operator(&["roster"]);
    let key = roster.lines().find_map(|line| line.strip_prefix("ledger key")).unwrap().trim();
    let folder = folder(hosts);
    let arguments = ["ledger", "verify", folder.to_str().unwrap(), "--key", key, "--json"];
    let summary: Value =
        serde_json::from_str(&succeed("syndic", hosts.host("operator").as_path(), &arguments)).unwrap();
    assert_eq!(summary["pinned"], true);
    summary
}

/// How many entries of a type there are.
pub(crate) fn count(summary: &Value, kind: &str) -> u64 {
    summary["types"][kind].as_u64().unwrap_or(0)
}

/// Who declined rounds, with the message that says why.
pub(crate) fn declines(hosts: &Hosts) -> Vec<(ParticipantId, Vec<u8>)> {
    let facts = facts(hosts).into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::Heard { input: Input::Decline(signed), .. } => Some((signed.from, signed.payload.to_vec())),
            _ => None,
        })
        .collect()
}

/// The sets of participants whose sums were opened, in order.
pub(crate) fn survivors(hosts: &Hosts) -> Vec<Vec<ParticipantId>> {
    let facts = facts(hosts).into_iter();
    facts
        .filter_map(|fact| match fact {
            Fact::Heard { input: Input::Opened(_), survivors, .. } => Some(survivors),
            _ => None,
        })
        .collect()
}

/// All entries of the published ledger.
pub(crate) fn facts(hosts: &Hosts) -> Vec<Fact> {
    let folder = folder(hosts);
    let checkpoint = std::fs::read_to_string(folder.join(tiles::CHECKPOINT)).unwrap();
    let size: usize = checkpoint.lines().nth(1).unwrap().parse().unwrap();
    (0..size.div_ceil(tiles::WIDTH))
        .flat_map(|number| {
            let width = tiles::WIDTH.min(size - number * tiles::WIDTH);
            bundle(&folder.join(tiles::entries_path(number as u64, width)))
        })
        .zip(0..)
        .map(|(bytes, index)| Fact::from_entry(index, &Entry::parse(&bytes).unwrap()).unwrap())
        .collect()
}

/// Entries, each behind its length in 16 bits.
fn bundle(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let (mut entries, mut rest) = (Vec::new(), &bytes[..]);
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (entry, after) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        rest = after;
    }
    entries
}

fn folder(hosts: &Hosts) -> PathBuf {
    hosts.host("operator").join("publish/ledger")
}
