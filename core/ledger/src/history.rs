//! The state folded from entries: what has happened, and whether one more entry may follow.
//!
//! The coordinator asks before it appends and the auditor asks while it replays, so what was written is what
//! verifies. A refused entry changes nothing.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use serde_json::Value;

use crate::schema::{self, ROUND_ABANDONED, ROUND_CLOSED, ROUND_OPENED};
use crate::{Entry, EntryError, Hash, SchemaError, Timestamp, Tree, leaf_hash};

/// A log so far, as far as its rules need it: the tree, the chains by subject, the rounds.
#[derive(Debug, Clone, Default)]
pub struct History {
    tree: Tree,
    ids: BTreeSet<Key>,
    threads: BTreeMap<Key, Thread>,
    types: BTreeMap<String, u64>,
    span: Option<(Timestamp, Timestamp)>,
    rounds: Rounds,
}

/// How many rounds (each attempt counts) stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Opened and not yet ended.
    pub open: u64,
    /// Ended with a result.
    pub closed: u64,
    /// Ended without one, on record.
    pub abandoned: u64,
    /// Those closed whose vectors were shared themselves and where a single wrong reveal would have been noticed.
    pub shared_checked: u64,
    /// Those closed where it would not have been.
    pub shared_unchecked: u64,
}

/// An entry that is one by itself: canonical, and saying what its type must. Whether it may follow those before it is for
/// [`History::follow`] to say; so entries can be read side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formed {
    leaf: Hash,
    entry: Entry,
    keys: Keys,
}

/// An entry that may follow, found so by [`History::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its place in the log, counted from 0.
    pub index: u64,
    /// The leaf hash of its bytes.
    pub leaf: Hash,
    /// The entry itself.
    pub entry: Entry,
    keys: Keys,
}

/// By what an entry is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keys {
    id: Key,
    subject: Option<Key>,
}

/// Half the digest of an id or a subject: it tells them apart, keeps a million of them small, and is compared at once.
type Key = u128;

/// Why an entry may not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The entry does not say what its type must.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Another entry has this id.
    #[error("the id `{0}` is taken by an earlier entry")]
    RepeatedId(String),
    /// `round_prev` is not the leaf hash of the previous entry of the subject.
    #[error("round_prev does not name the previous entry of `{subject}`")]
    Chain {
        /// The subject; empty for an entry without one, which links nothing.
        subject: String,
        /// The leaf hash that belongs there; `None` for the first entry of its subject.
        expected: Option<Hash>,
    },
    /// The first entry of a round is another than `syndic.round.opened`.
    #[error("`{0}` is not open: its first entry must open it")]
    RoundNotOpened(String),
    /// A round is opened whose subject has entries already, an opening or others.
    #[error("`{0}` has entries already: only its first can open it")]
    RoundReopened(String),
    /// A round was closed or abandoned; nothing follows.
    #[error("`{0}` has ended: nothing may follow its end")]
    RoundEnded(String),
    /// The log has grown since the entry was checked.
    #[error("the entry was checked for index {checked} but the log has {size} entries")]
    Stale {
        /// The index that the entry was meant for.
        checked: u64,
        /// The present size.
        size: u64,
    },
}

impl Fault {
    /// A stable name of the fault, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Entry(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::RepeatedId(_) => "ledger.entry-repeated-id",
            Self::Chain { .. } => "ledger.chain-broken",
            Self::RoundNotOpened(_) => "ledger.round-not-opened",
            Self::RoundReopened(_) => "ledger.round-reopened",
            Self::RoundEnded(_) => "ledger.round-ended",
            Self::Stale { .. } => "ledger.entry-stale",
        }
    }
}

impl Formed {
    /// Reads an entry from its bytes.
    ///
    /// # Errors
    /// The first rule that they break by themselves.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        Self::read_hashed(bytes, leaf_hash(bytes))
    }

    /// Reads an entry again, from bytes that [`Formed::read`] has taken before: what they are is not checked once more.
    ///
    /// # Errors
    /// [`Fault::Entry`] where nothing can be read in them.
    pub fn read_again(bytes: &[u8]) -> Result<Self, Fault> {
        Ok(Self::of(Entry::parse_again(bytes)?, leaf_hash(bytes)))
    }

    /// The same, of bytes that have this leaf hash.
    pub(crate) fn read_hashed(bytes: &[u8], leaf: Hash) -> Result<Self, Fault> {
        let entry = Entry::parse(bytes)?;
        schema::check(&entry)?;
        Ok(Self::of(entry, leaf))
    }

    fn of(entry: Entry, leaf: Hash) -> Self {
        let keys = Keys { id: key(&entry.id), subject: entry.subject.as_deref().map(key) };
        Self { leaf, entry, keys }
    }

    /// Lets go of data that a history does not ask for, where whoever reads them has done so.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        if self.entry.kind != ROUND_CLOSED {
            self.entry.data = Value::Null;
        }
        self
    }

    /// The entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl History {
    /// The log without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an entry about to be appended the `round_prev` that its subject demands.
    #[must_use]
    pub fn link(&self, entry: Entry) -> Entry {
        self.link_after(&[], entry)
    }

    /// The same for an entry that follows `ahead`, which were checked and not yet taken in.
    #[must_use]
    pub fn link_after(&self, ahead: &[Accepted], entry: Entry) -> Entry {
        let round_prev = entry.subject.as_deref().and_then(|subject| self.head_after(ahead, subject));
        Entry { round_prev, ..entry }
    }

    /// Whether these bytes may be the next entry; changes nothing.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn check(&self, bytes: &[u8]) -> Result<Accepted, Fault> {
        self.check_after(&[], bytes)
    }

    /// Whether these bytes may follow `ahead`, which were checked one after the other and not yet taken in; changes
    /// nothing.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn check_after(&self, ahead: &[Accepted], bytes: &[u8]) -> Result<Accepted, Fault> {
        self.follow_after(ahead, Formed::read(bytes)?)
    }

    /// Whether an entry that was read may be the next; changes nothing.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn follow(&self, formed: Formed) -> Result<Accepted, Fault> {
        self.follow_after(&[], formed)
    }

    fn follow_after(&self, ahead: &[Accepted], formed: Formed) -> Result<Accepted, Fault> {
        let Formed { leaf, entry, keys } = formed;
        let repeats = ahead.iter().any(|earlier| earlier.keys.id == keys.id);
        if repeats || self.ids.contains(&keys.id) {
            return Err(Fault::RepeatedId(entry.id));
        }
        let thread = keys.subject.and_then(|subject| self.threads.get(&subject));
        let (mut head, mut stage) = (thread.map(|thread| thread.head), thread.map(|thread| thread.stage));
        for earlier in ahead.iter().filter(|earlier| earlier.keys.subject == keys.subject) {
            head = keys.subject.map(|_| earlier.leaf);
            stage = Some(Stage::after(stage, &earlier.entry)?);
        }
        if entry.round_prev != head {
            return Err(Fault::Chain { subject: entry.subject.unwrap_or_default(), expected: head });
        }
        Stage::after(stage, &entry)?;
        let index = self.size() + ahead.len() as u64;
        Ok(Accepted { index, leaf, entry, keys })
    }

    /// Takes in a checked entry, once its bytes are durable.
    ///
    /// # Errors
    /// [`Fault::Stale`] when other entries were taken in since the check.
    pub fn record(&mut self, accepted: &Accepted) -> Result<(), Fault> {
        let Accepted { index, leaf, entry, keys } = accepted;
        if *index != self.size() {
            return Err(Fault::Stale { checked: *index, size: self.size() });
        }
        if let Some(subject) = keys.subject {
            let before = self.threads.get(&subject).map(|thread| thread.stage);
            let stage = Stage::after(before, entry)?;
            self.rounds.count(before, stage, &entry.data);
            self.threads.insert(subject, Thread { head: *leaf, stage });
        }
        self.tree.append(*leaf);
        self.ids.insert(keys.id);
        match self.types.get_mut(&entry.kind) {
            Some(count) => *count += 1,
            None => drop(self.types.insert(entry.kind.clone(), 1)),
        }
        self.span = Some((self.span.map_or(entry.time, |(first, _)| first), entry.time));
        Ok(())
    }

    /// Checks and takes in the next entry of a log that is durable already: replay.
    ///
    /// # Errors
    /// The first rule that the entry breaks; the history is then as it was.
    pub fn accept(&mut self, bytes: &[u8]) -> Result<Accepted, Fault> {
        self.take(Formed::read(bytes)?)
    }

    /// The same for one that was read.
    pub(crate) fn take(&mut self, formed: Formed) -> Result<Accepted, Fault> {
        let accepted = self.follow(formed)?;
        self.record(&accepted)?;
        Ok(accepted)
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The Merkle tree over the entries.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The leaf hash of the last entry of a subject.
    #[must_use]
    pub fn head(&self, subject: &str) -> Option<Hash> {
        self.threads.get(&key(subject)).map(|thread| thread.head)
    }

    fn head_after(&self, ahead: &[Accepted], subject: &str) -> Option<Hash> {
        let latest = ahead.iter().rev().find(|earlier| earlier.entry.subject.as_deref() == Some(subject));
        latest.map(|earlier| earlier.leaf).or_else(|| self.head(subject))
    }

    /// The number of entries of each type.
    #[must_use]
    pub const fn types(&self) -> &BTreeMap<String, u64> {
        &self.types
    }

    /// The times that the first and the last entry bear.
    #[must_use]
    pub const fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// How many rounds are open, closed and abandoned.
    #[must_use]
    pub const fn rounds(&self) -> Rounds {
        self.rounds
    }
}

/// The entries of one subject, reduced to the last one's leaf hash and what may follow it.
#[derive(Debug, Clone, Copy)]
struct Thread {
    head: Hash,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not a round.
    Plain,
    Open,
    Closed,
    Abandoned,
}

impl Stage {
    /// The stage of the entry's subject once the entry is in, `before` being `None` for its first.
    fn after(before: Option<Self>, entry: &Entry) -> Result<Self, Fault> {
        let subject = || entry.subject.clone().unwrap_or_default();
        match (before, entry.kind.as_str()) {
            (Some(Self::Closed | Self::Abandoned), _) => Err(Fault::RoundEnded(subject())),
            (None, ROUND_OPENED) => Ok(Self::Open),
            (Some(_), ROUND_OPENED) => Err(Fault::RoundReopened(subject())),
            (Some(Self::Open), ROUND_CLOSED) => Ok(Self::Closed),
            (Some(Self::Open), ROUND_ABANDONED) => Ok(Self::Abandoned),
            (None | Some(Self::Plain), kind) if schema::is_round(kind) => {
                Err(Fault::RoundNotOpened(subject()))
            }
            (before, _) => Ok(before.unwrap_or(Self::Plain)),
        }
    }
}

impl Rounds {
    fn count(&mut self, before: Option<Stage>, after: Stage, data: &Value) {
        if before == Some(after) {
            return;
        }
        match after {
            Stage::Plain => {}
            Stage::Open => self.open += 1,
            Stage::Closed => {
                (self.open, self.closed) = (self.open - 1, self.closed + 1);
                self.count_sum(data);
            }
            Stage::Abandoned => (self.open, self.abandoned) = (self.open - 1, self.abandoned + 1),
        }
    }

    /// A sum without a sum of keys is one of vectors that were shared themselves. Whatever is not said to be checked is
    /// counted as not, so that no entry hides one.
    fn count_sum(&mut self, data: &Value) {
        match (data["checked"] == true, data["key_sum"].is_null()) {
            (false, _) => self.shared_unchecked += 1,
            (true, true) => self.shared_checked += 1,
            (true, false) => {}
        }
    }
}

fn key(text: &str) -> Key {
    let digest = Hash::of(&[text.as_bytes()]);
    Key::from_be_bytes(*digest.as_bytes().first_chunk().expect("a digest has more than 16 bytes"))
}
