//! What must hold of vectors that are shared themselves, and has no counterpart where they are encrypted: what is shared is
//! the answer, so it counts from the moment of sharing; and a sum that nobody can check is marked.

use std::collections::BTreeSet;

use syndic_round::coordinator::{Input, Opened};
use syndic_round::message::{Header, Payload};
use syndic_round::{Carrier, Digest, ParticipantId, PreparationTerms, RoundId, RoundPlan, Signed};

use crate::federation::Federation;
use crate::recording::Recorded;
use crate::report::Violation;

/// A vector that a participant has shared itself.
pub(crate) struct Exposed<'a> {
    /// The terms by which it was shared.
    pub(crate) terms: &'a PreparationTerms,
    /// The plan that it answers, and the fingerprint of its question.
    pub(crate) plan: Option<(&'a RoundPlan, Digest)>,
    /// What the preparation is bound to.
    pub(crate) bound: Option<(RoundId, Digest)>,
}

/// A participant has shared this vector itself, if one.
pub(crate) fn shared_as_accepted(
    federation: &Federation,
    who: ParticipantId,
    exposed: Option<&Exposed<'_>>,
) -> Result<(), Violation> {
    let Some(Exposed { terms, plan, bound }) = exposed else { return Ok(()) };
    let hold = |holds: bool, how: &str| {
        let detail = || format!("participant {who} shares its vector {how}");
        hold("shared_as_accepted", holds, detail)
    };
    hold(plan.is_some(), "ahead of any round")?;
    let Some((plan, question)) = plan else { return Ok(()) };
    let job = federation.job(&plan.terms.job);
    let accepted = &job.accepted;
    hold(**terms == plan.terms, "by other terms than those of its plan")?;
    let is_accepted = terms.job == accepted.job
        && terms.agreement == accepted.agreement
        && terms.protection == accepted.protection
        && terms.admitted == accepted.admission.institutions();
    hold(is_accepted, "by terms that it has not accepted")?;
    let is_shared = [plan.carrier, job.carrier_of(&plan.layout)] == [Carrier::Shares; 2];
    hold(is_shared, "where the job has it encrypted")?;
    hold(*bound == Some((plan.id, *question)), "before it is bound to its attempt and question")
}

/// A round with shared vectors was closed. Whether its sum must be exact: it must, unless more reveals are wrong than
/// agree beyond the threshold, and then it does not count as checked, or several liars agreed.
pub(crate) fn opened(
    plan: &RoundPlan,
    facts: &[Recorded],
    opened: &Opened,
    lies: &BTreeSet<Digest>,
) -> Result<bool, Violation> {
    let t = usize::from(plan.terms.protection.threshold());
    let reveals = Reveals::before_opening(facts, t);
    let revealed = reveals.signed.len();
    let waited = reveals.waited || reveals.cohort.iter().all(|id| reveals.is_done(*id));
    hold("one_reveal_more", revealed > t || waited, || {
        format!("{revealed} reveals of {:?} open it, and nobody else is waited for", reveals.cohort)
    })?;
    let named = &opened.wrong_reveals;
    let surplus = revealed.saturating_sub(named.len() + t);
    hold("wrong_reveal_shows", opened.checked == (surplus > 0), || {
        format!("checked is {}, and {surplus} reveals agree beyond {t}", opened.checked)
    })?;
    let is_wrong = |signed: &&&Signed| lies.contains(&signed.digest()) && !named.contains(&signed.from);
    let wrong: Vec<_> = reveals.signed.iter().filter(is_wrong).map(|signed| signed.from).collect();
    hold("wrong_reveal_shows", wrong.is_empty() || wrong.len() > surplus, || {
        format!("the wrong reveals of {wrong:?} pass, though {surplus} agree beyond {t}")
    })?;
    Ok(wrong.is_empty())
}

/// `who` signs for the set of these headers, and has acknowledged these sharings as good.
pub(crate) fn own_sharing(
    who: ParticipantId,
    headers: &[Signed],
    acknowledged: Option<&BTreeSet<(ParticipantId, Digest)>>,
) -> Result<(), Violation> {
    let is_held = |signed: &&Signed| {
        let header = Header::decode(&signed.payload);
        header.is_ok_and(|header| acknowledged.is_some_and(|held| held.contains(&(header.id, header.root))))
    };
    let other = headers.iter().find(|signed| !is_held(signed)).map(|signed| signed.from);
    hold("own_sharing", other.is_none(), || {
        format!("{who} signs for a sharing of {other:?} that it does not hold")
    })
}

/// What is on record before a sum was opened.
#[derive(Default)]
struct Reveals<'a> {
    cohort: BTreeSet<ParticipantId>,
    declined: BTreeSet<ParticipantId>,
    signed: Vec<&'a Signed>,
    /// Whether a deadline passed after as many reveals as it takes.
    waited: bool,
}

impl<'a> Reveals<'a> {
    fn before_opening(facts: &'a [Recorded], threshold: usize) -> Self {
        let mut reveals = Self::default();
        for fact in facts {
            match fact {
                Recorded::Input(Input::Opened(_), _) => break,
                Recorded::Input(Input::Advertise(signed), _) => drop(reveals.cohort.insert(signed.from)),
                Recorded::Input(Input::Decline(signed), _) => drop(reveals.declined.insert(signed.from)),
                Recorded::Input(Input::Reveal(signed), _) => reveals.signed.push(signed),
                Recorded::Input(Input::Wake, _) => reveals.waited |= reveals.signed.len() >= threshold,
                _ => {}
            }
        }
        reveals
    }

    /// Whether nothing more is to be expected of `id`.
    fn is_done(&self, id: ParticipantId) -> bool {
        self.declined.contains(&id) || self.signed.iter().any(|signed| signed.from == id)
    }
}

fn hold(invariant: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, detail: detail() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Shared;
    use syndic_round::{JobId, ParameterSet, Protection};

    const ROUND: RoundId = RoundId { round: 1, attempt: 1 };

    fn broken<T>(verdict: Result<T, Violation>) -> &'static str {
        verdict.err().map_or("nothing", |violation| violation.invariant)
    }

    fn federation(shared: Shared) -> Federation {
        Federation::of(1, 4, ParameterSet::S32, shared).with_lax_job()
    }

    fn signed(from: u16, payload: &[u8]) -> Signed {
        let from = ParticipantId::new(from).expect("numbered from 1");
        Signed { from, payload: payload.into(), signature: [0; 64] }
    }

    #[test]
    fn a_vector_that_is_shared_ahead_by_other_terms_unasked_or_unbound_is_seen() {
        let federation = federation(Shared::Everything);
        let plan = federation.plan(ROUND, 1);
        let (terms, question) = (plan.terms.clone(), Digest::of(b"asked"));
        let bound = Some((ROUND, question));
        let who = terms.admitted[3];
        let verdict = |terms: &PreparationTerms, plan: Option<&RoundPlan>, bound| {
            let plan = plan.map(|plan| (plan, question));
            broken(shared_as_accepted(&federation, who, Some(&Exposed { terms, plan, bound })))
        };
        let seen = "shared_as_accepted";
        assert_eq!(verdict(&terms, Some(&plan), bound), "nothing");
        assert_eq!(verdict(&terms, None, bound), seen);
        assert_eq!(verdict(&terms, Some(&plan), None), seen);
        assert_eq!(verdict(&terms, Some(&plan), Some((ROUND, Digest::of(b"another")))), seen);
        let lax = federation.plan_of(1, ROUND, 1, 1, 0);
        assert_eq!(verdict(&lax.terms, Some(&plan), bound), seen, "the cohort of another job");
        assert_eq!(verdict(&lax.terms, Some(&lax), bound), seen, "a job that has its vectors encrypted");
        let with = |terms: PreparationTerms| RoundPlan { terms, ..plan.clone() };
        let weaker = Protection::new(ParameterSet::S32, 4, 3, 0, 3).expect("it keeps the rules");
        let unknown = JobId::new("unknown").expect("the name keeps the rule");
        for terms in [
            PreparationTerms { protection: weaker, ..terms.clone() },
            PreparationTerms { job: unknown, ..terms.clone() },
            PreparationTerms { agreement: Digest::of(b"another"), ..terms.clone() },
        ] {
            assert_eq!(verdict(&terms, Some(&with(terms.clone())), bound), seen, "{terms:?}");
        }
        let ring = RoundPlan { carrier: Carrier::Ring, ..plan.clone() };
        assert_eq!(verdict(&terms, Some(&ring), bound), seen);
        assert_eq!(broken(shared_as_accepted(&federation, who, None)), "nothing");
    }

    /// What is found of four members, t = 3, when these reveal, those decline, and a deadline passes or does not.
    fn closing(reveals: &[u16], declined: &[u16], waited: bool, how: &Opened, lie: u16) -> &'static str {
        let input = |input| Recorded::Input(input, Vec::new());
        let mut facts: Vec<_> = (1..=4).map(|id| input(Input::Advertise(signed(id, b"key")))).collect();
        facts.push(input(Input::Wake));
        facts.extend(declined.iter().map(|id| input(Input::Decline(signed(*id, b"no")))));
        facts.extend(reveals.iter().map(|id| input(Input::Reveal(signed(*id, &id.to_be_bytes())))));
        facts.extend(waited.then(|| input(Input::Wake)));
        facts.push(input(Input::Opened(how.clone())));
        let lies = BTreeSet::from([signed(lie, &lie.to_be_bytes()).digest()]);
        let plan = federation(Shared::Everything).plan(ROUND, 1);
        match opened(&plan, &facts, how, &lies) {
            Ok(true) => "exact",
            Ok(false) => "maybe shifted",
            Err(violation) => violation.invariant,
        }
    }

    #[test]
    fn a_sum_that_is_opened_too_soon_or_passes_for_checked_is_seen() {
        let stored = Digest::of(b"stored");
        let wrong_reveals = Vec::new();
        let checked = Opened { sum: stored, ring: None, transcript: stored, wrong_reveals, checked: true };
        let unchecked = Opened { checked: false, ..checked.clone() };
        assert_eq!(closing(&[1, 2, 3, 4], &[], false, &checked, 9), "exact");
        assert_eq!(closing(&[1, 2, 3], &[], true, &unchecked, 9), "exact");
        assert_eq!(closing(&[1, 2, 3], &[4], false, &unchecked, 9), "exact");
        assert_eq!(closing(&[1, 2, 3], &[], false, &unchecked, 9), "one_reveal_more");
        assert_eq!(closing(&[1, 2, 3], &[], true, &checked, 9), "wrong_reveal_shows");
        assert_eq!(closing(&[1, 2, 3, 4], &[], false, &unchecked, 9), "wrong_reveal_shows");
        assert_eq!(closing(&[1, 2, 3], &[], true, &unchecked, 2), "maybe shifted");
        assert_eq!(closing(&[1, 2, 3, 4], &[], false, &checked, 2), "wrong_reveal_shows");
        let named = Opened { wrong_reveals: vec![signed(2, b"").from], ..unchecked };
        assert_eq!(closing(&[1, 2, 3, 4], &[], false, &named, 2), "exact");
    }

    #[test]
    fn a_set_of_another_sharing_is_seen() {
        let federation = federation(Shared::Everything);
        let plan = federation.plan(ROUND, 1);
        let id = plan.terms.admitted[1];
        let root = Digest::of(b"the sharing");
        let (h1, preparation, round, plan) = (root, 1, ROUND, plan.digest());
        let header = Header { id, h1, preparation, round, plan, chunks: 0, root }.encode();
        let headers = [Signed { from: id, ..signed(2, &header) }];
        let held = |sharing: &[u8]| BTreeSet::from([(id, Digest::of(sharing))]);
        assert_eq!(broken(own_sharing(id, &headers, Some(&held(b"the sharing")))), "nothing");
        assert_eq!(broken(own_sharing(id, &headers, Some(&held(b"another")))), "own_sharing");
        assert_eq!(broken(own_sharing(id, &headers, None)), "own_sharing");
    }
}
