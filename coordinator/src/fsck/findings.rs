//! What a check found, for people and programs.

use std::fmt::{self, Display};

use serde::Serialize;
use syndic_round::Digest;

use crate::audit::Audited;

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Entries in the log.
    pub entries: u64,
    /// The Merkle root over them; none where one cannot be read.
    pub root: Option<String>,
    /// Rounds that are not over.
    pub rounds_open: u64,
    /// What playing the rounds again came to, up to the first entry that does not follow.
    pub audited: Audited,
    /// Blobs that entries name and that are whole.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Blobs that no entry names: left by a crash, and of no use.
    #[serde(serialize_with = "as_text")]
    pub unclaimed: Vec<Digest>,
    /// How many entries the published ledger has, as far as its checkpoint holds; none where nothing is published.
    pub published: Option<u64>,
    /// What is wrong.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub struct Damage {
    /// A stable name of it.
    pub code: String,
    /// Where: an entry, a blob, a file.
    pub place: String,
    /// What, and what it means.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }

    pub(super) fn damaged(&mut self, code: &str, place: &str, message: String, help: &'static str) {
        self.damage.push(Damage { code: code.into(), place: place.into(), message, help });
    }

    /// For programs: one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }
}

impl Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audited { rounds, messages, key_sums, vector_sums } = self.audited;
        writeln!(f, "  entries    {}, root {}", self.entries, self.root.as_deref().unwrap_or("unknown"))?;
        writeln!(f, "  rounds     {rounds} played again, {messages} signatures, {} open", self.rounds_open)?;
        writeln!(f, "  sums       {key_sums} of keys and {vector_sums} of vectors opened again")?;
        writeln!(f, "  blobs      {} whole, {} bytes", self.blobs, self.blob_bytes)?;
        match self.published {
            Some(size) => writeln!(f, "  published  {size} entries")?,
            None => writeln!(f, "  published  nothing that could be compared")?,
        }
        for digest in &self.unclaimed {
            writeln!(f, "  unclaimed  {digest}")?;
        }
        for Damage { code, place, message, help } in &self.damage {
            writeln!(f, "damaged[{code}]: {message}\n  in: {place}\n  help: {help}")?;
        }
        match self.damage.len() {
            0 => writeln!(f, "whole: nothing is missing or damaged"),
            count => writeln!(f, "not whole: {count} things are missing or damaged"),
        }
    }
}

fn as_text<S: serde::Serializer>(digests: &[Digest], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(digests.iter().map(Digest::to_string))
}
