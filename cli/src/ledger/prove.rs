//! `syndic ledger prove`, and what `syndic ledger verify` makes of the file: one entry's proof, for whoever has nothing else.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use syndic_ledger::{BundleError, Leaves, TlogProof};

use super::folder::Folder;
use super::reading::Chosen;
use super::trust::{Trust, unaccepted};
use crate::words::{plain, plain_lines};
use crate::{Error, Exit, Result};

/// What a proof shows.
#[derive(Debug, Serialize)]
pub struct Proved {
    /// The ledger's name.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The entry's place, from 0.
    pub index: u64,
    /// The witnesses that signed the checkpoint, as the policy names them.
    pub witnesses: Vec<String>,
    /// The entry.
    pub entry: Value,
}

/// The proof that the entry at `index` is in the ledger in the folder `path`, which is verified on the way.
///
/// # Errors
/// The first thing wrong with the ledger, with exit code 4; an index that is none of it, with exit code 2.
pub fn prove(path: &Path, index: u64, trust: &Trust) -> Result<TlogProof> {
    let folder = Folder::open(path)?;
    let (checkpoint, mut leaves) = (folder.checkpoint()?, Leaves::new());
    let chosen = Chosen::from(folder, trust, |accepted| {
        leaves.append(accepted.leaf);
        accepted.index == index
    })?;
    let entry = chosen.told().next().transpose()?.map(|told| told.bytes.into_bytes());
    let size = chosen.verified.summary.size;
    match (entry, leaves.inclusion_proof(index, size)) {
        (Some(entry), Ok(inclusion)) => Ok(TlogProof { extra: Some(entry), index, inclusion, checkpoint }),
        _ => Err(no_entry(size)),
    }
}

/// Checks the proof in the file `path`.
///
/// # Errors
/// What does not hold, with exit code 4; a file that is no proof, or nobody to believe, with exit code 2.
pub fn check(path: &Path, trust: &Trust) -> Result<Proved> {
    let Some(policy) = trust.policy() else {
        return Err(Error::input("ledger.no-key", "a proof takes somebody's word for the ledger's head")
            .place(path.display().to_string())
            .help("name the ledger's key with --key, or a policy with --policy"));
    };
    let text = std::fs::read_to_string(path).map_err(|error| Error::unreadable(path, &error))?;
    let place = path.display().to_string();
    let no_proof = |code: &str, why: String| {
        Error::input(code, why).place(place.clone()).help("`syndic ledger prove` writes such files")
    };
    let proof: TlogProof =
        text.parse().map_err(|error: BundleError| no_proof(error.code(), error.to_string()))?;
    let entry = proof.extra.clone();
    let entry = entry
        .ok_or_else(|| no_proof("ledger.bundle-without-entry", "the proof has no entry with it".into()))?;
    let witnessed = proof.verify(&entry, &policy).map_err(|error| match error {
        BundleError::Policy(error) => unaccepted(place.clone(), &error),
        other => Error::new(Exit::Unverified, other.code(), other.to_string())
            .place(place.clone())
            .help("the entry or the proof was altered; ask for it again"),
    })?;
    let entry = serde_json::from_slice(&entry)
        .map_err(|error| no_proof("ledger.entry-not-json", error.to_string()))?;
    Ok(Proved {
        origin: witnessed.checkpoint.origin().into(),
        size: witnessed.checkpoint.size(),
        index: proof.index,
        witnesses: witnessed.witnesses.into_iter().map(|(name, _)| name).collect(),
        entry,
    })
}

/// What a proof shows, for programs: one JSON object on one line.
pub fn to_json(proved: &Proved) -> String {
    serde_json::to_string(proved).expect("strings and numbers serialise")
}

/// An index beyond the ledger's end.
pub(super) fn no_entry(size: u64) -> Error {
    Error::input("ledger.no-entry", format!("the ledger has {size} entries, counted from 0"))
        .place("INDEX")
        .help("`syndic ledger verify` says how many there are")
}

/// What a proof shows, for people.
pub fn render(proved: &Proved) -> String {
    let Proved { origin, size, index, witnesses, entry } = proved;
    let by = if witnesses.is_empty() { String::new() } else { format!(", seen by {}", witnesses.join(", ")) };
    let entry = serde_json::to_string_pretty(entry).unwrap_or_default();
    let (entry, origin, by) = (plain_lines(&entry), plain(origin), plain(&by));
    format!("{entry}\n\nverified: this is entry {index} of {origin}, which had {size} entries{by}\n")
}
