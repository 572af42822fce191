//! The coordinator's ledger: entries that are durable once appended, and the history folded from them.

use syndic_ledger::{Entry, History, Timestamp as LedgerTime, schema};
use syndic_round::{RoundPlan, Timestamp};

use crate::recording::{Recorded, read, write};

/// Entries on a disk that never fails, and nothing else: what a crash leaves.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    entries: Vec<Vec<u8>>,
}

/// A disk with the history of what is on it.
pub(crate) struct Ledger {
    disk: Disk,
    history: History,
    opened: usize,
    asked: usize,
    attempts: u64,
}

impl Ledger {
    /// Replays a disk through the one rule that writing and verifying share.
    pub(crate) fn replay(disk: Disk) -> Self {
        let mut ledger = Self { disk, history: History::new(), opened: 0, asked: 0, attempts: 0 };
        for (index, entry) in ledger.disk.entries.iter().enumerate() {
            let accepted = ledger.history.accept(entry).expect("only entries that may follow were appended");
            if accepted.entry.kind == schema::ROUND_OPENED {
                ledger.opened = index;
                ledger.attempts += 1;
                if accepted.entry.data["attempt"] == 1 {
                    ledger.asked = index;
                }
            }
        }
        ledger
    }

    /// What a crash leaves.
    pub(crate) fn into_disk(self) -> Disk {
        self.disk
    }

    /// Appends a fact about the round of `plan`.
    pub(crate) fn append(&mut self, now: Timestamp, plan: &RoundPlan, fact: &Recorded) {
        let (kind, data) = write(plan, fact);
        let (round, attempt) = (u64::from(plan.id.round), u64::from(plan.id.attempt));
        let entry = self.history.link(Entry {
            id: format!("entry-{}", self.size()),
            source: format!("coordinator/{}", plan.terms.federation),
            kind: kind.into(),
            time: LedgerTime::from_unix_ms(now.0).expect("runs take minutes, not millennia"),
            subject: Some(syndic_ledger::round_subject(plan.terms.job.as_str(), round, attempt)),
            schema: schema::VERSION.into(),
            round_prev: None,
            data,
        });
        let bytes = entry.to_canonical().expect("facts are small objects without fractions");
        let accepted = self.history.check(&bytes).expect("the round accepted it, so it may follow");
        // If we crash here the input never happened; its sender will say it again.
        self.disk.entries.push(bytes);
        if matches!(fact, Recorded::Opened(_)) {
            self.opened = self.disk.entries.len() - 1;
            self.attempts += 1;
            if plan.id.attempt == 1 {
                self.asked = self.opened;
            }
        }
        // If we crash here replay takes the entry in.
        self.history.record(&accepted).expect("nothing was appended since the check");
    }

    /// How many entries there are.
    pub(crate) fn size(&self) -> u64 {
        self.history.size()
    }

    /// Root of the tree over the entries, in hexadecimal.
    pub(crate) fn root(&self) -> String {
        self.history.tree().root().to_string()
    }

    /// Index of the entry that opened the first attempt at the last question.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// How many attempts were opened.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// The facts on record about the last round, in order, with their times; its opening first.
    pub(crate) fn last_round(&self) -> impl Iterator<Item = (Timestamp, Recorded)> {
        self.facts_from(self.opened)
    }

    /// The facts on record from the entry at `index` on, with their times.
    pub(crate) fn facts_from(&self, index: usize) -> impl Iterator<Item = (Timestamp, Recorded)> {
        let fact_of = |bytes: &Vec<u8>| {
            let entry = Entry::parse(bytes).expect("it was appended as an entry");
            let fact = read(&entry).expect("it was written by `write`");
            (Timestamp(entry.time.unix_ms()), fact)
        };
        self.disk.entries[index..].iter().map(fact_of)
    }
}
