//! How participants are connected, as it is on record.

use std::collections::{BTreeMap, VecDeque};

use syndic_round::{ParticipantId, Timestamp};

use crate::fact::Connected;

/// What is on record of each participant.
#[derive(Debug, Default)]
pub(super) struct Connections(BTreeMap<ParticipantId, Known>);

#[derive(Debug)]
struct Known {
    last: Connected,
    /// When entries of it were written last, at most [`MOST`] of them.
    times: VecDeque<Timestamp>,
}

impl Connections {
    pub(super) fn take(&mut self, now: Timestamp, connected: &Connected) {
        let known = self.0.entry(connected.participant);
        let known =
            known.or_insert_with(|| Known { last: connected.clone(), times: VecDeque::with_capacity(MOST) });
        known.last = connected.clone();
        if known.times.len() == MOST {
            known.times.pop_front();
        }
        known.times.push_back(now);
    }

    /// Whether this is to go on record: it is not what is there already, and nobody fills the ledger by being now this and now
    /// that.
    pub(super) fn is_news(&self, now: Timestamp, connected: &Connected) -> bool {
        let Some(known) = self.0.get(&connected.participant) else { return true };
        let is_full = known.times.len() == MOST
            && known.times.front().is_some_and(|oldest| now.0.saturating_sub(oldest.0) < WITHIN_MILLIS);
        known.last != *connected && !is_full
    }
}

/// So many entries of one participant are written
const MOST: usize = 10;
/// within ten minutes.
const WITHIN_MILLIS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use syndic_round::Digest;

    use super::*;

    fn connected(version: &str) -> Connected {
        Connected {
            participant: ParticipantId::new(1).expect("a participant's number is from 1"),
            certificate: Digest::of(b"certificate"),
            serial: "07".into(),
            tls: "TLS 1.3".into(),
            group: "X25519MLKEM768".into(),
            version: version.into(),
            binary: None,
        }
    }

    #[test]
    fn only_what_changed_is_news() {
        let mut known = Connections::default();
        let start = Timestamp(1_000);
        assert!(known.is_news(start, &connected("1")));
        known.take(start, &connected("1"));
        assert!(!known.is_news(start, &connected("1")), "it connects again");
        assert!(known.is_news(start, &connected("2")));
    }

    #[test]
    fn who_changes_all_the_time_is_written_down_ten_times_in_ten_minutes() {
        let mut known = Connections::default();
        let mut written = 0;
        for second in 0..3_600_u64 {
            let (now, one) = (Timestamp(second * 1_000), connected(&second.to_string()));
            if known.is_news(now, &one) {
                known.take(now, &one);
                written += 1;
            }
        }
        assert_eq!(written, 60);
        assert!(known.is_news(Timestamp(4_200_000), &connected("last")), "what it is in the end is written");
    }
}
