//! What was swept, for people and programs.

use std::fmt::{self, Display};

use serde::Serialize;

use super::Rule;
use crate::store::{Begun, StoredBlob};

/// What was swept, or would be.
#[derive(Debug, Default, Serialize)]
pub struct Swept {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The age from which on things were swept, in seconds.
    pub older_than_seconds: u64,
    /// Updates, sealed shares and questions that an entry had erased.
    pub erased: Vec<Gone>,
    /// Blobs that no entry names, and that were set aside.
    pub set_aside: Vec<Gone>,
    /// Blobs that had been set aside before, and that are gone for good.
    pub removed: Vec<Gone>,
    /// Blobs that had been set aside, and that an entry names.
    pub put_back: Vec<Gone>,
    /// What was held of uploads that nobody went on with.
    pub uploads: Vec<Gone>,
    /// Uploads to the store of blobs that processes had begun which are dead; not looked for in a dry run.
    pub leftovers: u64,
    /// Blobs that an entry names, which stay.
    pub named: u64,
    /// Blobs that no entry names yet, which are too young.
    pub young: u64,
    /// Blobs that were set aside less than a day ago.
    pub waiting: u64,
}

/// One thing that was swept, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// How long ago it was stored or set aside.
    pub age_seconds: u64,
}

impl Gone {
    pub(super) fn blob(StoredBlob { digest, length, age }: &StoredBlob) -> Self {
        Self { name: digest.to_string(), bytes: *length, age_seconds: age.as_secs() }
    }

    pub(super) fn upload(Begun { name, length, age }: &Begun) -> Self {
        Self { name: name.to_string(), bytes: *length, age_seconds: age.as_secs() }
    }
}

impl Swept {
    pub(super) fn begin(rule: &Rule) -> Self {
        Self { dry_run: rule.is_dry, older_than_seconds: rule.older_than.as_secs(), ..Self::default() }
    }

    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.lists().iter().all(|(_, list)| list.is_empty()) && self.leftovers == 0
    }

    /// Bytes that are free now, or would be.
    pub fn bytes_removed(&self) -> u64 {
        self.erased.iter().chain(&self.removed).chain(&self.uploads).map(|gone| gone.bytes).sum()
    }

    /// For programs: one JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers serialise")
    }

    fn lists(&self) -> [(&'static str, &[Gone]); 5] {
        [
            ("erased", &self.erased),
            ("set aside", &self.set_aside),
            ("removed", &self.removed),
            ("put back", &self.put_back),
            ("removed upload", &self.uploads),
        ]
    }
}

impl Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, list) in self.lists() {
            for Gone { name, bytes, age_seconds } in list {
                writeln!(f, "  {what:14} {name}, {bytes} bytes, {} days old", age_seconds / 86_400)?;
            }
        }
        let Self { named, young, waiting, leftovers, .. } = self;
        writeln!(
            f,
            "  stay           {named} that entries name, {young} that are young, {waiting} set aside today"
        )?;
        let swept = if self.dry_run { "would be swept" } else { "swept" };
        let [erased, aside, removed, back, uploads] = self.lists().map(|(_, list)| list.len());
        writeln!(
            f,
            "{swept}: {erased} blobs erased, {aside} set aside, {removed} removed, {back} put back; {uploads} uploads and {leftovers} \
             leftovers of dead processes removed; {} bytes freed",
            self.bytes_removed()
        )
    }
}
