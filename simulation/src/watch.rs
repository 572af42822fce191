//! Who watches the invariants: what was seen so far, and what may be seen after it.

use std::collections::{BTreeMap, BTreeSet};

use syndic_round::coordinator::{Duty, Input, Opened};
use syndic_round::message::{Ack, Certify, Header, Kind, Payload, Reveal};
use syndic_round::{Carrier, Digest, ParticipantId, Place, Protection, RoundId, RoundPlan, Sum};

use crate::federation::{LONGEST_PREPARATION, LONGEST_ROUND};
use crate::knowledge::{Knowledge, Revealed};
use crate::offer::Said;
use crate::oracle;
use crate::recording::Recorded;
use crate::report::Violation;
use crate::shared;

/// What was seen so far, as far as later sights must agree with it.
pub(crate) struct Watch {
    dishonest: BTreeSet<ParticipantId>,
    survivor_sets: BTreeMap<RoundId, Frozen>,
    said: BTreeMap<(ParticipantId, u64, Kind), Said>,
    /// The attempt that each preparation serves.
    served: BTreeMap<u64, RoundId>,
    /// Reveals that are not the sum of their sender's shares.
    lies: BTreeSet<Digest>,
    knowledge: Knowledge,
}

/// A survivor set that somebody saw.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) digest: Digest,
    pub(crate) ids: Vec<ParticipantId>,
    /// Fingerprint of the question.
    pub(crate) question: Digest,
}

type Verdict = Result<(), Violation>;

impl Watch {
    /// A watch over a federation in which these are dishonest.
    pub(crate) fn new(protection: Protection, dishonest: BTreeSet<ParticipantId>) -> Self {
        let knowledge = Knowledge::new(protection, dishonest.clone());
        Self {
            dishonest,
            survivor_sets: BTreeMap::new(),
            said: BTreeMap::new(),
            served: BTreeMap::new(),
            lies: BTreeSet::new(),
            knowledge,
        }
    }

    /// Somebody sees this survivor set.
    pub(crate) fn survivor_set(
        &mut self,
        round: RoundId,
        digest: Digest,
        frozen: impl FnOnce() -> Frozen,
    ) -> Verdict {
        let first = self.survivor_sets.entry(round).or_insert_with(frozen).digest;
        hold("one_survivor_set", first == digest, || format!("round {round} has {first} and {digest}"))
    }

    /// A participant says something, whether or not it arrives. The dishonest say what they like.
    pub(crate) fn said(&mut self, said: &Said) -> Verdict {
        let (from, place, kind) = (said.from(), said.place, said.kind);
        if self.dishonest.contains(&from) {
            return Ok(());
        }
        let (preparation, round) = (said.preparation, place.round());
        let first = self.said.entry((from, preparation, kind)).or_insert_with(|| said.clone());
        let name = if kind == Kind::Reveal { "no_double_reveal" } else { "one_message_of_a_kind" };
        // After a restart a message is said again without what travelled beside it.
        let same = first.signed == said.signed;
        hold(name, same, || format!("participant {from} says {} twice in {place}", kind.name()))?;
        if matches!(kind, Kind::Header | Kind::Certify | Kind::Reveal) {
            self.serves(preparation, round)?;
        }
        let payload = &said.signed.payload;
        match kind {
            Kind::Ack => self.complains(from, payload),
            Kind::Header => {
                if let Ok(Header { h1, plan, .. }) = Header::decode(payload) {
                    self.knowledge.uploaded(h1, from, plan);
                }
                Ok(())
            }
            Kind::Certify => {
                let certify = Certify::decode(payload).map(|certify| certify.survivors);
                self.signs(from, round, certify.ok()).map(drop)
            }
            Kind::Reveal => {
                let reveal = Reveal::decode(payload).map(|reveal| reveal.survivors);
                let frozen = self.signs(from, round, reveal.ok())?;
                // A cohort has one survivor set with an honest coordinator, so the set stands for it.
                let h1 = frozen.digest;
                let survivors = &frozen.ids;
                self.knowledge.revealed(&Revealed { by: from, h1, survivors, question: frozen.question })
            }
            _ => Ok(()),
        }
    }

    /// These are said although they are wrong.
    pub(crate) fn lied<'a>(&mut self, wrong: impl Iterator<Item = &'a Said>) {
        self.lies.extend(wrong.map(|said| said.signed.digest()));
    }

    /// Somebody honest signs for this set, which must be the round's.
    fn signs(
        &self,
        from: ParticipantId,
        round: RoundId,
        digest: Option<Digest>,
    ) -> Result<Frozen, Violation> {
        let frozen = self.survivor_sets.get(&round).filter(|frozen| Some(frozen.digest) == digest);
        let detail = || format!("participant {from} signs {digest:?} in round {round}");
        frozen.cloned().ok_or_else(|| Violation { invariant: "one_survivor_set", detail: detail() })
    }

    /// Nobody honest complains of somebody honest.
    fn complains(&self, from: ParticipantId, ack: &[u8]) -> Verdict {
        let verdicts = Ack::decode(ack).map(|ack| ack.verdicts).unwrap_or_default();
        let bad: Vec<_> =
            verdicts.iter().filter(|verdict| !verdict.ok).map(|verdict| verdict.dealer).collect();
        self.blamed(&bad, || format!("participant {from} complains of {bad:?}"))
    }

    /// These are found to have cheated.
    pub(crate) fn blamed(&self, ids: &[ParticipantId], detail: impl FnOnce() -> String) -> Verdict {
        hold("nobody_honest_blamed", ids.iter().all(|id| self.dishonest.contains(id)), detail)
    }

    /// The round was closed: `facts` are those on record about it.
    pub(crate) fn closed(
        &self,
        plan: &RoundPlan,
        facts: &[Recorded],
        survivors: &[ParticipantId],
        sum: Option<&Sum>,
        opened: &Opened,
    ) -> Verdict {
        let opens = |fact: &&Recorded| matches!(fact, Recorded::Input(Input::Opened(_), _));
        let before = || facts.iter().take_while(|fact| !opens(fact));
        let signed = before().filter(|fact| matches!(fact, Recorded::Input(Input::Certify(_), _))).count();
        let revealed = before().filter(|fact| matches!(fact, Recorded::Input(Input::Reveal(_), _))).count();
        let (t, u_min) = (
            usize::from(plan.terms.protection.threshold()),
            usize::from(plan.terms.protection.min_survivors()),
        );
        let enough = signed >= t && revealed >= t && survivors.len() >= t.max(u_min);
        hold("threshold_before_sum", enough, || {
            format!("{signed} signatures and {revealed} reveals for {} survivors, t = {t}", survivors.len())
        })?;
        if plan.carrier == Carrier::Shares && !shared::opened(plan, facts, opened, &self.lies)? {
            return Ok(());
        }
        let steps = sum.map_or(&[][..], Sum::steps);
        let counted = oracle::counted(steps, plan);
        let once = plan.terms.admitted.iter().map(|id| Some(i64::from(survivors.contains(id))));
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

    /// A round has lasted `millis` so far, where it may last `extra` more than one whose coordinator is never restarted.
    pub(crate) fn lasts(&self, round: RoundId, millis: u64, extra: impl FnOnce() -> u64) -> Verdict {
        let longest = LONGEST_ROUND + SLACK;
        let in_time = millis <= longest || millis <= longest + extra();
        hold("rounds_end", in_time, || format!("round {round} has lasted {millis} ms"))
    }

    /// A preparation made ahead has lasted `millis` so far, where it may last `extra` more.
    pub(crate) fn prepares(&self, number: u64, millis: u64, extra: impl FnOnce() -> u64) -> Verdict {
        let longest = LONGEST_PREPARATION + SLACK;
        let in_time = millis <= longest || millis <= longest + extra();
        hold("rounds_end", in_time, || format!("preparation {number} has lasted {millis} ms"))
    }

    /// A preparation serves this attempt.
    pub(crate) fn serves(&mut self, preparation: u64, round: RoundId) -> Verdict {
        let first = *self.served.entry(preparation).or_insert(round);
        hold("one_attempt_per_preparation", first == round, || {
            format!("preparation {preparation} serves {first} and {round}")
        })
    }

    /// Nobody in `declined` is asked for anything but a promise, and what goes on waits for somebody.
    pub(crate) fn waits(
        &self,
        place: Place,
        declined: &BTreeMap<ParticipantId, String>,
        everybody: &[ParticipantId],
        goes_on: bool,
        duty_of: impl Fn(ParticipantId) -> Option<Duty>,
    ) -> Verdict {
        let is_asked = |id: &&ParticipantId| !matches!(duty_of(**id), None | Some(Duty::Void(_)));
        let asked = declined.keys().find(is_asked);
        hold("nobody_gone_waited_for", asked.is_none(), || format!("{place} asks {asked:?}, who declined"))?;
        let idle = goes_on && !everybody.iter().any(|id| duty_of(*id).is_some());
        hold("nobody_gone_waited_for", !idle, || format!("{place} goes on, and nobody owes it anything"))
    }

    /// A participant declines a round.
    pub(crate) fn declined(&self, id: ParticipantId, code: &str) -> Verdict {
        // A dealer's bad share keeps its holder from certifying a set with that dealer.
        let by_cheats = code == "round.not-eligible" && !self.dishonest.is_empty();
        let fine = HONEST_REASONS.contains(&code) || by_cheats || self.dishonest.contains(&id);
        hold("nobody_honest_refused", fine, || format!("participant {id}: {code}"))
    }
}

/// Why a participant declines with an honest coordinator: it has lost its keys, or has missed a phase, or is asked to give
/// up an attempt for which its reveal is lost on the way.
const HONEST_REASONS: [&str; 4] =
    ["participant.restarted", "journal.preparation-old", "round.early", "journal.excluded"];

fn hold(invariant: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { invariant, detail: detail() }) }
}

/// The coordinator looks at its clock only so often.
const SLACK: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::{Federation, START};
    use crate::scenario::Shared;
    use syndic_round::ParameterSet;
    use syndic_round::Signed;
    use syndic_round::coordinator::{RingOpened, Round};
    use syndic_round::message::Verdict;

    fn broken(verdict: super::Verdict) -> &'static str {
        verdict.err().map_or("nothing", |violation| violation.invariant)
    }

    fn federation() -> Federation {
        Federation::of(1, 4, ParameterSet::S32, Shared::Nothing)
    }

    fn id(number: u16) -> ParticipantId {
        ParticipantId::new(number).expect("numbered from 1")
    }

    const ROUND: RoundId = RoundId { round: 1, attempt: 1 };

    /// A watch over four participants of whom the fourth is dishonest.
    fn watch() -> Watch {
        Watch::new(federation().protection, [id(4)].into())
    }

    fn frozen(set: &[u8]) -> Frozen {
        Frozen { digest: Digest::of(set), ids: [1, 2, 3, 4].map(id).into(), question: Digest::of(b"asked") }
    }

    fn said(kind: Kind, payload: Vec<u8>) -> Said {
        Said {
            place: ROUND.into(),
            preparation: 1,
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
        let plan = federation().plan(ROUND, 1);
        let message = reveal(b"the set").signed;
        let certify = Recorded::Input(Input::Certify(message.clone()), Vec::new());
        let stored = Digest::of(b"stored");
        let opened = Opened {
            sum: stored,
            ring: Some(RingOpened { key_sum: stored, aggregate: stored, aggregate_root: stored }),
            checked: true,
            transcript: stored,
            wrong_reveals: Vec::new(),
        };
        let opens = Recorded::Input(Input::Opened(opened.clone()), Vec::new());
        let mut facts = vec![certify; signed];
        facts.resize(signed + revealed, Recorded::Input(Input::Reveal(message), Vec::new()));
        facts.push(opens);
        let bytes: Vec<u8> =
            [survivors.len() as i64].iter().chain(steps).flat_map(|word| word.to_le_bytes()).collect();
        let sum = Sum::from_bytes(plan.layout.clone(), &bytes);
        let survivors: Vec<_> = survivors.iter().map(|number| id(*number)).collect();
        broken(watch().closed(&plan, &facts, &survivors, sum.as_ref(), &opened))
    }

    fn steps(survivors: &[u16]) -> Vec<i64> {
        let survivors: Vec<_> = survivors.iter().map(|number| id(*number)).collect();
        oracle::expected_sum(&survivors, &federation().plan(ROUND, 1))
    }

    #[test]
    fn every_invariant_is_seen_to_break() {
        let mut watch = watch();
        assert_eq!(
            broken(watch.survivor_set(ROUND, Digest::of(b"the set"), || frozen(b"the set"))),
            "nothing"
        );
        assert_eq!(
            broken(watch.survivor_set(ROUND, Digest::of(b"another"), || frozen(b"another"))),
            "one_survivor_set"
        );
        assert_eq!(broken(watch.said(&reveal(b"the set"))), "nothing");
        assert_eq!(broken(watch.said(&reveal(b"the set"))), "nothing");
        assert_eq!(broken(watch.said(&reveal(b"another"))), "no_double_reveal");
        let complaint = |dealer| {
            let verdict = Verdict { dealer: id(dealer), dealing: Digest::of(b"part"), ok: false };
            said(Kind::Ack, Ack { id: id(2), verdicts: vec![verdict] }.encode())
        };
        assert_eq!(broken(watch.said(&complaint(4))), "nothing");
        assert_eq!(broken(watch.said(&complaint(1))), "one_message_of_a_kind");
        watch.said.clear();
        assert_eq!(broken(watch.said(&complaint(1))), "nobody_honest_blamed");
        assert_eq!(broken(watch.blamed(&[id(4)], String::new)), "nothing");
        let before = (String::from("so"), 3);
        assert_eq!(broken(watch.rejected(&before, &before.clone())), "nothing");
        assert_eq!(broken(watch.rejected(&before, &(before.0.clone(), 4))), "rejection_is_noop");
        assert_eq!(broken(watch.lasts(ROUND, LONGEST_ROUND, || 0)), "nothing");
        assert_eq!(broken(watch.lasts(ROUND, 2 * LONGEST_ROUND, || 0)), "rounds_end");
        assert_eq!(broken(watch.lasts(ROUND, 2 * LONGEST_ROUND, || LONGEST_ROUND)), "nothing");
        assert_eq!(broken(watch.prepares(1, LONGEST_PREPARATION, || 0)), "nothing");
        assert_eq!(broken(watch.prepares(1, 2 * LONGEST_PREPARATION, || 0)), "rounds_end");
        assert_eq!(broken(watch.declined(id(1), "participant.restarted")), "nothing");
        assert_eq!(broken(watch.declined(id(1), "round.mismatch")), "nobody_honest_refused");
        assert_eq!(broken(watch.declined(id(4), "round.mismatch")), "nothing");
    }

    #[test]
    fn a_reveal_for_a_set_that_nobody_was_shown_breaks_the_one_survivor_set() {
        let mut watch = watch();
        assert_eq!(
            broken(watch.survivor_set(ROUND, Digest::of(b"the set"), || frozen(b"the set"))),
            "nothing"
        );
        assert_eq!(broken(watch.said(&reveal(b"another"))), "one_survivor_set");
    }

    #[test]
    fn a_preparation_that_serves_two_attempts_is_seen() {
        let again = RoundId { attempt: 2, ..ROUND };
        let mut watch = watch();
        assert_eq!(broken(watch.serves(1, ROUND)), "nothing");
        assert_eq!(broken(watch.serves(1, ROUND)), "nothing");
        assert_eq!(broken(watch.serves(2, again)), "nothing");
        assert_eq!(broken(watch.serves(1, again)), "one_attempt_per_preparation");
        // Nor do the keys of a participant, whatever the coordinator says of them.
        let header = |place: RoundId| Said { place: place.into(), ..said(Kind::Header, Vec::new()) };
        watch.served.clear();
        assert_eq!(broken(watch.said(&header(ROUND))), "nothing");
        assert_eq!(broken(watch.said(&header(again))), "one_attempt_per_preparation");
    }

    #[test]
    fn waiting_for_somebody_who_declined_or_for_nobody_is_seen() {
        let (watch, all) = (watch(), [1, 2, 3, 4].map(id));
        let declined = BTreeMap::from([(id(2), String::from("participant.restarted"))]);
        let waits = |goes_on, owing: &[u16]| {
            let duty_of = |who: ParticipantId| owing.contains(&who.get()).then_some(Duty::Advertise);
            broken(watch.waits(Place::Ahead(1), &declined, &all, goes_on, duty_of))
        };
        assert_eq!(waits(true, &[1, 3]), "nothing");
        assert_eq!(waits(false, &[]), "nothing");
        assert_eq!(waits(true, &[1, 2]), "nobody_gone_waited_for");
        assert_eq!(waits(true, &[]), "nobody_gone_waited_for");
    }

    #[test]
    fn a_round_that_the_ledger_does_not_lead_to_is_seen() {
        let federation = federation();
        let open =
            |at| Round::open(federation.plan(ROUND, 1), federation.roster.clone(), at).expect("it is sound");
        let words = |round: Round| format!("{round:?}");
        let (live, later) = (words(open(START)), words(open(START.plus_millis(1))));
        let watch = watch();
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
