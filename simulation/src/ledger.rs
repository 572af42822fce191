//! The coordinator's ledger: entries that are durable once appended, and the history folded from them.

use syndic_ledger::{Entry, History, Timestamp as LedgerTime, schema};
use syndic_round::{Place, PreparationTerms, Timestamp};

use crate::recording::{Fact, Recorded, read, subject, write};

/// Entries on a disk that never fails, and nothing else: what a crash leaves.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    entries: Vec<Vec<u8>>,
}

/// A disk with the history of what is on it.
pub(crate) struct Ledger {
    disk: Disk,
    history: History,
    /// Index of the entry that opened the last round.
    opened: usize,
    /// Index and number of the last preparation that was begun ahead.
    begun: Option<(usize, u64)>,
    asked: usize,
}

impl Ledger {
    /// Replays a disk through the one rule that writing and verifying share.
    pub(crate) fn replay(disk: Disk) -> Self {
        let entries = disk.entries.len();
        let mut ledger = Self { disk, history: History::new(), opened: 0, begun: None, asked: 0 };
        for index in 0..entries {
            let bytes = &ledger.disk.entries[index];
            let entry =
                ledger.history.accept(bytes).expect("only entries that may follow were appended").entry;
            match entry.kind.as_str() {
                schema::ROUND_OPENED | schema::PREPARATION_OPENED => {
                    let (_, recorded) = read(&entry).expect("it was written by `write`");
                    ledger.note(index, &recorded);
                }
                _ => {}
            }
        }
        ledger
    }

    /// What a crash leaves.
    pub(crate) fn into_disk(self) -> Disk {
        self.disk
    }

    /// Appends what happened to a round, or to a preparation made ahead, with these terms; all of it or, where we crash
    /// before, none.
    pub(crate) fn append(
        &mut self,
        now: Timestamp,
        terms: &PreparationTerms,
        place: Place,
        facts: &[Recorded],
    ) {
        for recorded in facts {
            let (kind, data) = write(&terms.job, place, recorded);
            let entry = self.history.link(Entry {
                id: format!("entry-{}", self.size()),
                source: format!("coordinator/{}", terms.federation),
                kind,
                time: LedgerTime::from_unix_ms(now.0).expect("runs take minutes, not millennia"),
                subject: Some(subject(&terms.job, place)),
                schema: schema::VERSION.into(),
                round_prev: None,
                data,
            });
            let bytes = entry.to_canonical().expect("facts are small objects without fractions");
            let accepted = self.history.check(&bytes).expect("the round accepted it, so it may follow");
            // If we crash here the input never happened; its sender will say it again.
            self.disk.entries.push(bytes);
            self.note(self.disk.entries.len() - 1, recorded);
            // If we crash here replay takes the entry in.
            self.history.record(&accepted).expect("nothing was appended since the check");
        }
    }

    /// Notes where replay has to begin.
    fn note(&mut self, index: usize, recorded: &Recorded) {
        match recorded {
            Recorded::Begun(terms, _) => self.begun = Some((index, terms.number)),
            Recorded::Opened(plan, _) => {
                self.opened = index;
                if plan.id.attempt == 1 {
                    let of_this = self.begun.filter(|(_, number)| *number == plan.terms.number);
                    self.asked = of_this.map_or(index, |(begun, _)| begun);
                }
            }
            Recorded::Ready(_) | Recorded::Input(..) | Recorded::Abandoned(_) => {}
        }
    }

    /// How many entries there are.
    pub(crate) fn size(&self) -> u64 {
        self.history.size()
    }

    /// Root of the tree over the entries, in hexadecimal.
    pub(crate) fn root(&self) -> String {
        self.history.tree().root().to_string()
    }

    /// Index of the entry that opened the first attempt at the last question, or that began the preparation which this
    /// attempt consumed.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// What is on record about the last round, in order; its opening first.
    pub(crate) fn last_round(&self) -> impl Iterator<Item = Recorded> {
        let of_rounds = |fact: Fact| matches!(fact.place, Place::Round(_)).then_some(fact.what);
        self.since_opened().filter_map(of_rounds)
    }

    /// The facts on record since the last round was opened.
    pub(crate) fn since_opened(&self) -> impl Iterator<Item = Fact> {
        self.facts_from(self.opened)
    }

    /// The facts on record from the entry at `index` on.
    pub(crate) fn facts_from(&self, index: usize) -> impl Iterator<Item = Fact> {
        let fact_of = |bytes: &Vec<u8>| {
            let entry = Entry::parse(bytes).expect("it was appended as an entry");
            let (place, what) = read(&entry).expect("it was written by `write`");
            Fact { at: Timestamp(entry.time.unix_ms()), place, what }
        };
        self.disk.entries[index..].iter().map(fact_of)
    }
}
