//! What must hold of a round after every step.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

use syndic_round::coordinator::{Abandoned, Duty, Input, Phase, Preparing, Round};
use syndic_round::message::Kind;
use syndic_round::{Digest, ParticipantId, SurvivorSet, Timestamp};

/// What has been seen of a round.
#[derive(Default)]
pub(super) struct Watch {
    rank: u8,
    h1: Option<Digest>,
    survivors: Option<Digest>,
    /// Whose message of each kind was accepted.
    accepted: BTreeMap<Kind, BTreeSet<ParticipantId>>,
    was_opening: bool,
}

impl Watch {
    /// The digest of the survivor set, once it is frozen.
    pub(super) fn survivors(&self) -> Option<Digest> {
        self.survivors
    }

    /// Checks the round after `input` changed it.
    pub(super) fn changed(&mut self, round: &Round, input: &Input, now: Timestamp) {
        if let Some((kind, signed)) = input.message() {
            let fresh = self.accepted.entry(kind).or_default().insert(signed.from);
            assert!(fresh, "{} was heard twice as {}", signed.from, kind.name());
            assert!(round.plan().terms.admitted.contains(&signed.from), "{} is not admitted", signed.from);
        }
        self.check_order(round);
        self.check_sets(round);
        self.check_end(round);
        let over = matches!(round.phase(), Phase::Closed(_) | Phase::Abandoned(_));
        assert_eq!(round.wake_at().is_none(), over || round.command().is_some());
        assert!(!over || round.plan().terms.admitted.iter().all(|id| round.duty_of(*id).is_none()));
        // Whoever wakes the round in time finds a deadline that has not passed, or passes it.
        let _ = round.step(round.wake_at().unwrap_or(now), &Input::Wake).expect("waking is nobody's fault");
    }

    /// Phases follow each other; only opening may go back, for more reveals.
    fn check_order(&mut self, round: &Round) {
        let rank = rank(round.phase());
        let back = self.rank == OPENING && rank + 1 == self.rank;
        assert!(self.rank < END && (rank >= self.rank || back), "{} to {rank}", self.rank);
        self.rank = rank;
        self.was_opening |= round.command().is_some();
        if let Some(cohort) = round.phase().cohort() {
            let h1 = *self.h1.get_or_insert(cohort.h1());
            assert_eq!(h1, cohort.h1(), "the cohort changed");
        }
    }

    /// There is never a second survivor set, whoever is asked about it.
    fn check_sets(&mut self, round: &Round) {
        let mut seen: Vec<SurvivorSet> = Vec::new();
        match round.phase() {
            Phase::Certifying(phase) => seen.push(phase.survivors().clone()),
            Phase::Opening(phase) => seen.push(phase.certificate().survivors().clone()),
            Phase::Closed(closed) => seen.push(closed.survivors.clone()),
            _ => {}
        }
        for id in &round.plan().terms.admitted {
            match round.duty_of(*id) {
                Some(Duty::Certify(set)) => seen.push((*set).clone()),
                Some(Duty::Reveal(certificate)) => seen.push(certificate.survivors().clone()),
                _ => {}
            }
        }
        for set in seen {
            let first = *self.survivors.get_or_insert(set.digest());
            assert_eq!(first, set.digest(), "a second survivor set");
            assert!(set.len() >= round.plan().terms.protection.min_survivors().into(), "too few survivors");
            assert!(
                set.ids().iter().all(|id| self.heard(Kind::Header).contains(id)),
                "a survivor without update"
            );
        }
    }

    fn check_end(&self, round: &Round) {
        let t = usize::from(round.plan().terms.protection.threshold());
        let (reveals, voids) = (self.heard(Kind::Reveal), self.heard(Kind::Void));
        assert!(reveals.is_disjoint(&voids), "somebody reveals and promised not to");
        let enough = self.heard(Kind::Certify).len() >= t && reveals.len() >= t;
        match round.phase() {
            Phase::Opening(opening) => {
                assert!(enough, "opened without t certificates and t reveals");
                assert!(opening.certificate().signatures().len() >= t);
                let senders: BTreeSet<_> = opening.reveals().map(|(id, _)| id).collect();
                assert_eq!(senders, reveals);
                assert_eq!(opening.submissions().len(), opening.certificate().survivors().len());
            }
            Phase::Closed(_) => assert!(enough && self.was_opening, "closed without t and t"),
            Phase::Abandoned(Abandoned::Voided(voided)) => {
                assert!(voids.len() >= t && voided.signatures().len() >= t, "void without t promises");
                assert!(!self.was_opening && reveals.len() < t, "void after it could be opened");
            }
            _ => {}
        }
    }

    fn heard(&self, kind: Kind) -> BTreeSet<ParticipantId> {
        self.accepted.get(&kind).cloned().unwrap_or_default()
    }
}

fn rank(phase: &Phase) -> u8 {
    match phase {
        Phase::Preparing(Preparing::Advertising(_)) => 0,
        Phase::Preparing(Preparing::Sharing(_)) => 1,
        Phase::Preparing(Preparing::Acknowledging(_)) => 2,
        Phase::Collecting(_) => 3,
        Phase::Certifying(_) => 4,
        Phase::Revealing(_) => 5,
        Phase::Opening(_) => OPENING,
        Phase::Closed(_) | Phase::Abandoned(_) => END,
    }
}

const OPENING: u8 = 6;
const END: u8 = 7;

/// A hash over all that a round, or a preparation, shows of itself.
pub(crate) fn fingerprint(shown: &impl fmt::Debug) -> u64 {
    struct Hashed(DefaultHasher);
    impl Write for Hashed {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashed = Hashed(DefaultHasher::new());
    write!(hashed, "{shown:?}").expect("hashing text cannot fail");
    hashed.0.finish()
}
