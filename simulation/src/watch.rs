//! The invariants, by the names that design and documentation give them.

use std::collections::BTreeMap;

use syndic_round::coordinator::Input;
use syndic_round::message::{Certify, Kind, Payload, Reveal};
use syndic_round::{Digest, ParticipantId, RoundId, RoundPlan, Sum, Timestamp};

use crate::federation::{LONGEST_PHASE, LONGEST_ROUND};
use crate::oracle;
use crate::participant::Said;
use crate::recording::Recorded;
use crate::report::Violation;

/// What must hold after every step.
///
/// - `one_survivor_set`: an attempt has one survivor set, for whoever sees, signs or opens it.
/// - `no_double_reveal`: a participant reveals for one set, in the same bytes however often.
/// - `one_message_of_a_kind`: so it is with all its messages, across restarts.
/// - `threshold_before_sum`: a sum is opened only with t signatures and t reveals on record before it, over at least
///   max(t, u_min) survivors.
/// - `counted_once`: every survivor's update is in the sum once, nobody else's at all.
/// - `sum_is_exact`: the sum is the integer sum of the survivors' vectors.
/// - `rejection_is_noop`: a rejected input leaves round and ledger as they were.
/// - `replay_is_identity`: the ledger alone leads to the round in memory.
/// - `rounds_end`: with or without a result, by its deadlines.
/// - `nobody_honest_refused`: since nobody lies, nobody refuses an offer.
pub const INVARIANTS: [&str; 10] = [
    "one_survivor_set",
    "no_double_reveal",
    "one_message_of_a_kind",
    "threshold_before_sum",
    "counted_once",
    "sum_is_exact",
    "rejection_is_noop",
    "replay_is_identity",
    "rounds_end",
    "nobody_honest_refused",
];

/// What was seen so far, as far as later sights must agree with it.
#[derive(Default)]
pub(crate) struct Watch {
    survivor_sets: BTreeMap<RoundId, Digest>,
    said: BTreeMap<(ParticipantId, RoundId, Kind), Said>,
}

type Verdict = Result<(), Violation>;

impl Watch {
    /// Somebody sees this survivor set.
    pub(crate) fn survivor_set(&mut self, round: RoundId, digest: Digest) -> Verdict {
        let first = *self.survivor_sets.entry(round).or_insert(digest);
        hold("one_survivor_set", first == digest, || format!("round {round} has {first} and {digest}"))
    }

    /// A participant says something, whether or not it arrives.
    pub(crate) fn said(&mut self, said: &Said) -> Verdict {
        let (from, round, kind) = (said.signed.from, said.round, said.kind);
        let signed_for = match kind {
            Kind::Certify => Certify::decode(&said.signed.payload).ok().map(|certify| certify.survivors),
            Kind::Reveal => Reveal::decode(&said.signed.payload).ok().map(|reveal| reveal.survivors),
            _ => None,
        };
        let first = self.said.entry((from, round, kind)).or_insert_with(|| said.clone());
        let name = if kind == Kind::Reveal { "no_double_reveal" } else { "one_message_of_a_kind" };
        hold(name, first == said, || format!("participant {from} says {} twice in {round}", kind.name()))?;
        signed_for.map_or(Ok(()), |digest| self.survivor_set(round, digest))
    }

    /// The round was closed: `facts` are those on record about it.
    pub(crate) fn closed(
        &self,
        plan: &RoundPlan,
        facts: &[(Timestamp, Recorded)],
        survivors: &[ParticipantId],
        sum: Option<&Sum>,
    ) -> Verdict {
        let opened = |(_, fact): &(_, Recorded)| matches!(fact, Recorded::Input(Input::Opened(_), _));
        let before: Vec<_> = facts.iter().take_while(|fact| !opened(fact)).map(|(_, fact)| fact).collect();
        let signed = |fact: &&&Recorded| matches!(fact, Recorded::Input(Input::Certify(_), _));
        let revealed = |fact: &&&Recorded| matches!(fact, Recorded::Input(Input::Reveal(_), _));
        let (signed, revealed) =
            (before.iter().filter(signed).count(), before.iter().filter(revealed).count());
        let (t, u_min) =
            (usize::from(plan.protection.threshold()), usize::from(plan.protection.min_survivors()));
        let enough = signed >= t && revealed >= t && survivors.len() >= t.max(u_min);
        hold("threshold_before_sum", enough, || {
            format!("{signed} signatures and {revealed} reveals for {} survivors, t = {t}", survivors.len())
        })?;
        let steps = sum.map_or(&[][..], Sum::steps);
        let counted = oracle::counted(steps, plan);
        let once = plan.admitted.iter().map(|id| Some(i64::from(survivors.contains(id))));
        hold("counted_once", once.eq(counted.iter().copied()), || format!("counted {counted:?}"))?;
        let expected = oracle::expected_sum(survivors, plan);
        hold("sum_is_exact", steps == expected, || format!("{steps:?} instead of {expected:?}"))
    }

    /// An input was rejected: round and ledger size before and after.
    pub(crate) fn rejected(&self, before: &(String, u64), after: &(String, u64)) -> Verdict {
        hold("rejection_is_noop", before == after, || format!("{before:?} became {after:?}"))
    }

    /// The round in memory and the one that the ledger leads to, in words.
    pub(crate) fn replayed(&self, live: &str, replayed: &str) -> Verdict {
        hold("replay_is_identity", live == replayed, || format!("{replayed} instead of {live}"))
    }

    /// A round has lasted `millis` so far, and its phases began anew `resumed` times.
    pub(crate) fn lasts(&self, round: RoundId, millis: u64, resumed: impl FnOnce() -> u64) -> Verdict {
        let longest = LONGEST_ROUND + SLACK;
        let in_time = millis <= longest || millis <= longest + resumed() * LONGEST_PHASE;
        hold("rounds_end", in_time, || format!("round {round} has lasted {millis} ms"))
    }

    /// A participant refuses an offer.
    pub(crate) fn refused(&self, id: ParticipantId, reason: &str) -> Violation {
        Violation { invariant: "nobody_honest_refused", detail: format!("participant {id}: {reason}") }
    }
}

fn hold(invariant: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { invariant, detail: detail() }) }
}

/// The coordinator looks at its clock only so often.
const SLACK: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::{Federation, START};
    use crate::scenario::Scenario;
    use syndic_round::Signed;
    use syndic_round::coordinator::{Opened, Round};

    fn broken(verdict: Verdict) -> &'static str {
        verdict.err().map_or("nothing", |violation| violation.invariant)
    }

    fn federation() -> Federation {
        Federation::of(&Scenario::calm(1, 4))
    }

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).expect("numbered from 1")
    }

    fn said(kind: Kind, payload: Vec<u8>) -> Said {
        let round = RoundId { round: 1, attempt: 1 };
        Said {
            round,
            kind,
            signed: Signed { from: id(2), payload, signature: [0; 64] },
            attached: Vec::new(),
        }
    }

    fn reveal(set: &[u8]) -> Said {
        let reveal = Reveal { id: id(2), survivors: Digest::of(set), share_sum: Vec::new() };
        said(Kind::Reveal, reveal.encode())
    }

    /// What closing says about a sum over `survivors` after this many signatures and reveals.
    fn closing(signed: usize, revealed: usize, survivors: &[u16], steps: &[i64]) -> &'static str {
        let plan = federation().plan(1);
        let message = reveal(b"the set").signed;
        let certify = Recorded::Input(Input::Certify(message.clone()), Vec::new());
        let stored = Digest::of(b"stored");
        let opened = Opened {
            sum: stored,
            key_sum: stored,
            aggregate: stored,
            aggregate_root: stored,
            transcript: stored,
            wrong_reveals: Vec::new(),
        };
        let opens = Recorded::Input(Input::Opened(opened), Vec::new());
        let mut facts = vec![(START, certify); signed];
        facts.resize(signed + revealed, (START, Recorded::Input(Input::Reveal(message), Vec::new())));
        facts.push((START, opens));
        let bytes: Vec<u8> =
            [survivors.len() as i64].iter().chain(steps).flat_map(|word| word.to_le_bytes()).collect();
        let sum = Sum::from_bytes(plan.layout.clone(), &bytes);
        let survivors: Vec<_> = survivors.iter().map(|number| id(*number)).collect();
        broken(Watch::default().closed(&plan, &facts, &survivors, sum.as_ref()))
    }

    fn steps(survivors: &[u16]) -> Vec<i64> {
        let survivors: Vec<_> = survivors.iter().map(|number| id(*number)).collect();
        oracle::expected_sum(&survivors, &federation().plan(1))
    }

    #[test]
    fn every_invariant_is_seen_to_break() {
        let mut watch = Watch::default();
        let round = RoundId { round: 1, attempt: 1 };
        assert_eq!(broken(watch.survivor_set(round, Digest::of(b"the set"))), "nothing");
        assert_eq!(broken(watch.survivor_set(round, Digest::of(b"another"))), "one_survivor_set");
        assert_eq!(broken(watch.said(&reveal(b"the set"))), "nothing");
        assert_eq!(broken(watch.said(&reveal(b"the set"))), "nothing");
        assert_eq!(broken(watch.said(&reveal(b"another"))), "no_double_reveal");
        assert_eq!(
            broken(Watch::default().said(&reveal(b"another")).and(watch.said(&said(Kind::Ack, vec![1])))),
            "nothing"
        );
        assert_eq!(broken(watch.said(&said(Kind::Ack, vec![2]))), "one_message_of_a_kind");
        let before = (String::from("so"), 3);
        assert_eq!(broken(watch.rejected(&before, &before.clone())), "nothing");
        assert_eq!(broken(watch.rejected(&before, &(before.0.clone(), 4))), "rejection_is_noop");
        assert_eq!(broken(watch.lasts(round, LONGEST_ROUND, || 0)), "nothing");
        assert_eq!(broken(watch.lasts(round, 2 * LONGEST_ROUND, || 0)), "rounds_end");
        assert_eq!(broken(watch.lasts(round, 2 * LONGEST_ROUND, || 12)), "nothing");
        assert_eq!(watch.refused(id(1), "why").invariant, "nobody_honest_refused");
    }

    #[test]
    fn a_reveal_for_a_set_that_nobody_was_shown_breaks_the_one_survivor_set() {
        let mut watch = Watch::default();
        let round = RoundId { round: 1, attempt: 1 };
        assert_eq!(broken(watch.survivor_set(round, Digest::of(b"the set"))), "nothing");
        assert_eq!(broken(watch.said(&reveal(b"another"))), "one_survivor_set");
    }

    #[test]
    fn a_round_that_the_ledger_does_not_lead_to_is_seen() {
        let federation = federation();
        let open = |at| Round::open(federation.plan(1), federation.roster.clone(), at).expect("it is sound");
        let words = |round: Round| format!("{round:?}");
        let (live, later) = (words(open(START)), words(open(START.plus_millis(1))));
        let watch = Watch::default();
        assert_eq!(broken(watch.replayed(&live, &words(open(START)))), "nothing");
        assert_eq!(broken(watch.replayed(&live, &later)), "replay_is_identity");
    }

    #[test]
    fn a_sum_opened_too_early_or_wrong_in_any_way_is_seen() {
        let all = [1, 2, 3, 4];
        assert_eq!(closing(3, 3, &all, &steps(&all)), "nothing");
        assert_eq!(closing(2, 3, &all, &steps(&all)), "threshold_before_sum");
        assert_eq!(closing(3, 2, &all, &steps(&all)), "threshold_before_sum");
        assert_eq!(closing(3, 3, &[1, 2], &steps(&[1, 2])), "threshold_before_sum");
        assert_eq!(closing(3, 3, &all, &steps(&[1, 2, 3])), "counted_once");
        assert_eq!(closing(3, 3, &all, &steps(&[1, 2, 3, 4, 4])), "counted_once");
        assert_eq!(closing(3, 3, &[1, 2, 3], &steps(&all)), "counted_once");
        let mut off_by_one = steps(&all);
        *off_by_one.last_mut().expect("it has entries") += 1;
        assert_eq!(closing(3, 3, &all, &off_by_one), "sum_is_exact");
        assert_eq!(closing(3, 3, &all, &[]), "counted_once");
    }
}
