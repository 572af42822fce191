//! A participant's journal as the shipped one keeps it, rule by rule, in memory and for one job.
//!
//! A test holds it against the shipped journal over random calls: equal answers, equal codes.

use std::collections::BTreeMap;

use syndic_round::message::{Context, Kind};
use syndic_round::{Digest, RoundId, Signed};

/// What an institution wrote down. A copy of it is a snapshot, which an operator may restore.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    /// Preparations claimed, and what each is bound to.
    preparations: BTreeMap<u64, Option<(RoundId, Digest)>>,
    /// Digest of what was said, and the message unless it was wiped.
    messages: BTreeMap<(u64, Kind), (Digest, Option<Signed>)>,
    openings: BTreeMap<Digest, Opening>,
}

/// An attempt in which this participant revealed, or was about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) round: RoundId,
    pub(crate) context: Context,
}

/// What the journal forbids, by the shipped journal's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forbidden(pub(crate) &'static str);

impl Journal {
    /// Begins a preparation, newer than any before.
    pub(crate) fn claim_preparation(&mut self, number: u64) -> Result<(), Forbidden> {
        let newest = self.preparations.last_key_value().map_or(0, |(newest, _)| *newest);
        if number <= newest {
            return Err(Forbidden("journal.preparation-old"));
        }
        self.preparations.insert(number, None);
        Ok(())
    }

    /// Binds a preparation to one attempt and question, and wipes the lower ones that are not bound.
    pub(crate) fn bind(&mut self, number: u64, round: RoundId, question: Digest) -> Result<(), Forbidden> {
        match self.preparations.get(&number) {
            None => return Err(Forbidden("journal.preparation-unknown")),
            Some(Some(to)) if *to == (round, question) => return Ok(()),
            Some(Some(_)) => return Err(Forbidden("journal.bound-otherwise")),
            Some(None) if self.is_wiped(number) => return Err(Forbidden("journal.preparation-wiped")),
            Some(None) => {}
        }
        if self.preparations.values().flatten().any(|(to, _)| *to == round) {
            return Err(Forbidden("journal.attempt-bound"));
        }
        self.preparations.insert(number, Some((round, question)));
        let unbound: Vec<_> =
            self.preparations.range(..number).filter(|(_, to)| to.is_none()).map(|(n, _)| *n).collect();
        let wiped = |(preparation, _): &(u64, Kind)| unbound.contains(preparation);
        self.messages.iter_mut().filter(|(key, _)| wiped(key)).for_each(|(_, said)| said.1 = None);
        Ok(())
    }

    /// What a preparation is bound to.
    pub(crate) fn bound(&self, number: u64) -> Option<(RoundId, Digest)> {
        *self.preparations.get(&number)?
    }

    /// Writes a message down before anybody hears of it.
    pub(crate) fn record_message(&mut self, number: u64, kind: Kind, said: &Signed) -> Result<(), Forbidden> {
        let digest = Digest::of(&said.to_bytes());
        match self.messages.get(&(number, kind)) {
            Some((earlier, _)) if *earlier == digest => return Ok(()),
            Some(_) => return Err(Forbidden("journal.already-said")),
            None => self.may_say(number, kind)?,
        }
        self.messages.insert((number, kind), (digest, Some(said.clone())));
        Ok(())
    }

    /// What was said, unless it was wiped.
    pub(crate) fn message(&self, number: u64, kind: Kind) -> Option<&Signed> {
        self.messages.get(&(number, kind))?.1.as_ref()
    }

    /// Writes down that this participant is about to reveal for a question, in this attempt.
    pub(crate) fn open_question(
        &mut self,
        question: Digest,
        opening: Opening,
        is_void: impl FnOnce(&Opening) -> bool,
    ) -> Result<(), Forbidden> {
        match self.openings.get(&question) {
            Some(earlier) if earlier.round == opening.round => return Ok(()),
            Some(earlier) if !is_void(earlier) => return Err(Forbidden("journal.already-opened")),
            _ => {}
        }
        self.openings.insert(question, opening);
        Ok(())
    }

    /// The question that was opened in this attempt, if one was.
    pub(crate) fn opening_in(&self, round: RoundId) -> Option<&Opening> {
        self.openings.values().find(|opening| opening.round == round)
    }

    fn may_say(&self, number: u64, kind: Kind) -> Result<(), Forbidden> {
        let excluded_by = match kind {
            Kind::Void => Some(Kind::Reveal),
            Kind::Header | Kind::Certify | Kind::Reveal => Some(Kind::Void),
            Kind::Decline => return Ok(()),
            Kind::Advertise | Kind::Dealing | Kind::Ack => None,
        };
        if excluded_by.is_some_and(|other| self.messages.contains_key(&(number, other))) {
            return Err(Forbidden("journal.excluded"));
        }
        let uses_the_key = matches!(kind, Kind::Header | Kind::Certify | Kind::Reveal);
        match self.preparations.get(&number) {
            None => Err(Forbidden("journal.preparation-unknown")),
            Some(Some(_)) => Ok(()),
            Some(None) if self.is_wiped(number) => Err(Forbidden("journal.preparation-wiped")),
            Some(None) if uses_the_key => Err(Forbidden("journal.unbound")),
            Some(None) => Ok(()),
        }
    }

    /// Whether a higher preparation is bound.
    fn is_wiped(&self, number: u64) -> bool {
        self.preparations.range(number + 1..).any(|(_, to)| to.is_some())
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;
    use syndic_participant::journal as shipped;
    use syndic_round::ParticipantId;

    use super::*;

    const KINDS: [Kind; 8] = [
        Kind::Advertise,
        Kind::Dealing,
        Kind::Ack,
        Kind::Header,
        Kind::Certify,
        Kind::Reveal,
        Kind::Void,
        Kind::Decline,
    ];

    fn outcome<T>(result: Result<T, shipped::JournalError>) -> Result<(), Forbidden> {
        result.map(drop).map_err(|error| Forbidden(error.code()))
    }

    /// Random calls with few distinct arguments, so that all of them meet what was written before.
    async fn compare(seed: u64, folder: &std::path::Path) -> usize {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let path = folder.join(format!("{seed}.sqlite"));
        let (mut model, journal) = (Journal::default(), shipped::Journal::open(&path).await.unwrap());
        let mut refused = 0;
        for _ in 0..60 {
            let number = rng.random_range(1..6);
            let round = RoundId { round: rng.random_range(1..3), attempt: rng.random_range(1..3) };
            let question = Digest::of(&[rng.random_range(0..2_u8)]);
            let (ours, theirs) = match rng.random_range(0..6) {
                0 => {
                    let theirs = journal.claim_preparation("job", number).await;
                    (model.claim_preparation(number), outcome(theirs))
                }
                1 => {
                    let theirs = journal.bind("job", number, round, question).await;
                    (model.bind(number, round, question), outcome(theirs))
                }
                2 => {
                    let void = rng.random_bool(0.5);
                    let context =
                        Context { ctx0: question, h1: Some(Digest::of(&[rng.random_range(0..2_u8)])) };
                    let opening = shipped::Opening { round, context };
                    let theirs = journal.open_question(question, "job", &opening, |_| void).await;
                    (model.open_question(question, Opening { round, context }, |_| void), outcome(theirs))
                }
                _ => {
                    let kind = KINDS[rng.random_range(0..KINDS.len())];
                    let from = ParticipantId::new(1).unwrap();
                    let payload = vec![rng.random_range(0..2)];
                    let said = Signed { from, payload, signature: [0; 64] };
                    let theirs = journal.record_message("job", number, kind.into(), &said.to_bytes()).await;
                    (model.record_message(number, kind, &said), outcome(theirs))
                }
            };
            assert_eq!(ours, theirs, "seed {seed}");
            refused += usize::from(ours.is_err());
            for kind in KINDS {
                let theirs = journal.message("job", number, kind.into()).await.unwrap();
                assert_eq!(model.message(number, kind).map(Signed::to_bytes), theirs, "seed {seed}");
            }
        }
        refused
    }

    #[tokio::test]
    async fn it_answers_as_the_shipped_journal_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut refused = 0;
        for seed in 0..25 {
            refused += compare(seed, folder.path()).await;
        }
        assert!(refused > 200, "only {refused} calls were refused, so the comparison says little");
    }
}
