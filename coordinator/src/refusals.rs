//! What members were refused: counted as it comes, and on record together, so that nobody floods the ledger.
//!
//! Counted are refusals of callers who proved whose they are. Those of strangers are in the log output and in the counts of
//! `/ready` only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syndic_round::{ParticipantId, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock;
use crate::fact::{Refusal, Refused};

/// Refusals that are not on record yet. Clones share them.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    counted: Mutex<BTreeMap<ParticipantId, Counted>>,
    news: Notify,
}

/// Those of one member.
#[derive(Default)]
struct Counted {
    of: BTreeMap<String, Count>,
    /// When some of it were put on record last.
    told: Option<Instant>,
}

struct Count {
    times: u64,
    since: Timestamp,
}

impl Refusals {
    /// A member was refused something, with this code.
    pub(crate) fn note(&self, who: ParticipantId, code: &str) {
        let mut counted = self.lock();
        let of = &mut counted.entry(who).or_default().of;
        let code = if of.len() < KINDS || of.contains_key(code) { code } else { OTHER };
        of.entry(code.into()).or_insert_with(|| Count { times: 0, since: clock::now() }).times += 1;
        drop(counted);
        self.0.news.notify_one();
    }

    /// What may go on record at `now`; what does not, because some of its member did within the last minute, stays.
    pub(crate) fn due(&self, now: Instant) -> Vec<Refused> {
        self.take(now, |told| told.is_none_or(|told| now.duration_since(told) >= BETWEEN))
    }

    /// Takes all of them.
    pub fn all(&self) -> Vec<Refused> {
        self.take(Instant::now(), |_| true)
    }

    /// Counts again what could not be put on record.
    pub(crate) fn again(&self, refused: Vec<Refused>) {
        let mut counted = self.lock();
        for Refused { participant, refusals } in refused {
            let of = &mut counted.entry(participant).or_default().of;
            for Refusal { code, count, since } in refusals {
                let known = of.entry(code).or_insert_with(|| Count { times: 0, since });
                known.times += count;
                known.since = known.since.min(since);
            }
        }
    }

    /// Waits until something is due.
    pub(crate) async fn until_due(&self) {
        loop {
            let due = async {
                match self.next(Instant::now()) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                () = self.0.news.notified() => {}
            }
        }
    }

    /// When something is due next, at `now` at the earliest; none where there is nothing.
    fn next(&self, now: Instant) -> Option<Instant> {
        let counted = self.lock();
        let waiting = counted.values().filter(|counted| !counted.of.is_empty());
        waiting.map(|counted| counted.told.map_or(now, |told| now.max(told + BETWEEN))).min()
    }

    fn take(&self, now: Instant, is_due: impl Fn(Option<Instant>) -> bool) -> Vec<Refused> {
        let mut counted = self.lock();
        let due = counted.iter_mut().filter(|(_, counted)| !counted.of.is_empty() && is_due(counted.told));
        due.map(|(participant, counted)| {
            counted.told = Some(now);
            let of = std::mem::take(&mut counted.of).into_iter();
            let refusals = of.map(|(code, Count { times, since })| Refusal { code, count: times, since });
            Refused { participant: *participant, refusals: refusals.collect() }
        })
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, Counted>> {
        self.0.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of one member at most one entry is written in this time.
const BETWEEN: Duration = Duration::from_secs(60);
/// Codes that are told apart in one entry; further ones are counted together.
const KINDS: usize = 16;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).expect("a participant's number is from 1")
    }

    fn counts(refused: &[Refused]) -> Vec<(u16, Vec<(&str, u64)>)> {
        refused
            .iter()
            .map(|one| {
                let refusals = one.refusals.iter().map(|it| (it.code.as_str(), it.count)).collect();
                (one.participant.get(), refusals)
            })
            .collect()
    }

    #[test]
    fn the_first_is_due_at_once_and_what_follows_together_after_a_minute() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.next(start), None);
        refusals.note(id(1), "rate.limited");
        assert_eq!(refusals.next(start), Some(start));
        assert_eq!(counts(&refusals.due(start)), [(1, vec![("rate.limited", 1)])]);

        for _ in 0..1_000 {
            refusals.note(id(1), "rate.limited");
        }
        refusals.note(id(1), "round.mismatch");
        assert!(refusals.due(start).is_empty());
        refusals.note(id(2), "round.malformed");
        let due = refusals.due(start);
        assert_eq!(counts(&due), [(2, vec![("round.malformed", 1)])], "another has its own minute");
        assert_eq!(refusals.next(start), Some(start + BETWEEN));
        let due = refusals.due(start + BETWEEN);
        assert_eq!(counts(&due), [(1, vec![("rate.limited", 1_000), ("round.mismatch", 1)])]);
        assert!(refusals.all().is_empty());
    }

    #[test]
    fn what_could_not_be_stored_is_counted_again_since_when_it_began() {
        let refusals = Refusals::default();
        refusals.note(id(1), "round.mismatch");
        let taken = refusals.all();
        let since = taken[0].refusals[0].since;
        refusals.note(id(1), "round.mismatch");
        refusals.again(taken);
        let all = refusals.all();
        assert_eq!((counts(&all), all[0].refusals[0].since), (vec![(1, vec![("round.mismatch", 2)])], since));
    }

    #[test]
    fn no_more_kinds_are_told_apart_than_fit_an_entry() {
        let refusals = Refusals::default();
        for kind in 0..100 {
            refusals.note(id(1), &format!("kind.{kind}"));
        }
        let all = refusals.all();
        assert_eq!(all[0].refusals.len(), KINDS + 1);
        assert_eq!(all[0].refusals.iter().map(|it| it.count).sum::<u64>(), 100);
    }
}
