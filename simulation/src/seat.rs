//! A participant's place in one round: the stages of the shipped agent, with the secrets of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use syndic_round::message::{Context, Kind};
use syndic_round::participant::{Bound, Certified};
use syndic_round::{Carrier, Digest, Rejection, RoundPlan, Signed};
use syndic_secure_aggregation::{SmallVector, VectorShape};

use crate::engine::{Held, Key, Vector};
use crate::journal::{Journal, Opening};
use crate::misbehaviour::Misbehaviour;
use crate::offer::{Owed, Said};
use crate::oracle;
use crate::participant::Undone;
use crate::preparing::{Keys, Preparing};

/// A place in a round; all of it is lost in a crash.
pub(crate) struct Seat {
    pub(crate) plan: Arc<RoundPlan>,
    /// What makes the question the same question in whatever round it is asked (rule 11).
    fingerprint: Digest,
    preparing: Preparing,
    stage: Stage,
    said: BTreeMap<Kind, Said>,
}

/// How far this participant is once its keys are ready, with what it may use.
enum Stage {
    /// Its keys are being prepared in this very round.
    Preparing,
    Bound(Bound, Held, Key),
    Submitted(Bound, Held),
    Certified(Certified, Held),
    Done,
}

/// A signed message and what travels beside it.
pub(crate) type Message = (Signed, Vec<u8>);

/// The journal, the keys and the ways of whoever sits here.
pub(crate) struct Hands<'a> {
    pub(crate) journal: &'a mut Journal,
    pub(crate) key: &'a SigningKey,
    pub(crate) ways: &'a [Misbehaviour],
    pub(crate) rng: &'a mut ChaCha20Rng,
}

impl Seat {
    /// A place in the round of `plan`, with keys that are being prepared or are ready.
    pub(crate) fn new(plan: RoundPlan, fingerprint: Digest, preparing: Preparing) -> Self {
        let (plan, said) = (Arc::new(plan), BTreeMap::new());
        Self { plan, fingerprint, preparing, stage: Stage::Preparing, said }
    }

    /// Whether it is the place in this round, by whatever plan.
    pub(crate) fn is_of(&self, plan: &RoundPlan) -> bool {
        self.plan.id == plan.id && self.plan.terms.job == plan.terms.job
    }

    /// Binds the keys to the round, once they are ready.
    pub(crate) fn bind(&mut self) -> Result<(), Rejection> {
        match self.preparing.take() {
            Keys::Ready(state, held, key) => {
                self.stage = Stage::Bound(state.bind(self.plan.clone())?, held, key);
            }
            keys => self.preparing.put_back(keys),
        }
        Ok(())
    }

    /// What was said, if it was.
    pub(crate) fn said(&self, kind: Kind) -> Option<&Said> {
        if is_keys(kind) { self.preparing.said.get(&kind) } else { self.said.get(&kind) }
    }

    /// Keeps what was said, to be said again.
    pub(crate) fn keep(&mut self, said: Said) {
        let all = if is_keys(said.kind) { &mut self.preparing.said } else { &mut self.said };
        all.insert(said.kind, said);
    }

    /// What signatures are bound to, once the cohort is known.
    pub(crate) fn context(&self) -> Option<Context> {
        match &self.stage {
            Stage::Preparing => self.preparing.context(),
            Stage::Done => None,
            Stage::Bound(state, ..) | Stage::Submitted(state, _) => Some(state.cohort().context()),
            Stage::Certified(state, _) => Some(state.cohort().context()),
        }
    }

    /// What it shares, or is to share, and its terms.
    pub(crate) fn preparing(&self) -> &Preparing {
        &self.preparing
    }

    /// What makes its question the same question wherever it is asked.
    pub(crate) fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Phases B and C.
    pub(crate) fn prepare(&mut self, owed: &Owed, hands: &mut Hands<'_>) -> Result<Message, Undone> {
        let vector = match owed {
            Owed::Deal(_) => self.to_share(hands)?,
            _ => None,
        };
        let message = self.preparing.step(owed, vector, hands)?;
        self.bind()?;
        Ok(message)
    }

    /// The vector, where it is shared itself.
    fn to_share(&self, hands: &mut Hands<'_>) -> Result<Option<Vector>, Undone> {
        let is_shared = self.plan.carrier == Carrier::Shares;
        let Some(shape) = VectorShape::of(&self.plan).filter(|_| is_shared) else { return Ok(None) };
        if *self.preparing.terms != self.plan.terms {
            return Err(Rejection::Mismatch("preparation").into());
        }
        // If we crash here the preparation is bound and its update is lost: the attempt is declined, never answered with
        // other shares.
        hands.journal.bind(self.plan.terms.number, self.plan.id, self.fingerprint)?;
        let answer = oracle::contribution(self.preparing.me, &self.plan).clip();
        let vector = SmallVector::encode(&shape, answer, hands.rng);
        Ok(Some((shape, vector)))
    }

    /// Phase D.
    pub(crate) fn submit(&mut self, acks: &[Signed], hands: &mut Hands<'_>) -> Result<Message, Undone> {
        let Stage::Bound(mut state, held, key) = self.take() else { return Err(out_of_turn()) };
        let eligible = state.may_submit(acks.to_vec())?;
        if let Key::Vector(_) = key {
            let signed = match hands.ways.contains(&Misbehaviour::KeyMismatch) {
                true => state.submit(eligible, Digest::of(b"another sharing"), hands.key),
                false => state.submit_shared(eligible, hands.key)?,
            };
            self.stage = Stage::Submitted(state, held);
            return Ok((signed, Vec::new()));
        }
        hands.journal.bind(self.plan.terms.number, self.plan.id, self.fingerprint)?;
        let update = oracle::contribution(self.preparing.me, &self.plan).clip();
        let update = update.quantise(&self.plan.coding(), hands.rng);
        let key = match hands.ways.contains(&Misbehaviour::KeyMismatch) {
            true => key.foreign(hands.rng),
            false => key,
        };
        let update = key.encrypt(state.cohort(), update, hands.rng)?;
        let signed = state.submit(eligible, update.root(), hands.key);
        self.stage = Stage::Submitted(state, held);
        Ok((signed, update.into_bytes()))
    }

    /// Phase E.
    pub(crate) fn certify(&mut self, headers: &[Signed], hands: &mut Hands<'_>) -> Result<Message, Undone> {
        let (state, held) = match self.take() {
            Stage::Submitted(state, held) => (state, held),
            // Too late with its own update, it can still help to open the others' sum; its key is wiped.
            Stage::Bound(state, held, _key) => (state, held),
            _ => return Err(out_of_turn()),
        };
        let survivors = state.check_survivors(headers.to_vec())?;
        hands.journal.bind(self.plan.terms.number, self.plan.id, self.fingerprint)?;
        let (certified, signed) = state.certify(survivors, hands.key);
        self.stage = Stage::Certified(certified, held);
        Ok((signed, Vec::new()))
    }

    /// Phase F: in one attempt at a question, ever, that is not void.
    pub(crate) fn reveal(
        &mut self,
        signatures: &[Signed],
        is_void: impl FnOnce(&Opening) -> bool,
        hands: &mut Hands<'_>,
    ) -> Result<Message, Undone> {
        let Stage::Certified(certified, held) = self.take() else { return Err(out_of_turn()) };
        let certificate = certified.check(signatures.to_vec())?;
        let opening = Opening { round: self.plan.id, context: certified.cohort().context() };
        // If we crash here the question counts as opened although nothing was revealed.
        hands.journal.open_question(self.fingerprint, opening, is_void)?;
        let mut sum = held.reveal(&certificate)?;
        Misbehaviour::falsify(hands.ways, &mut sum, &self.plan, certified.cohort().ids(), self.preparing.me);
        Ok((certified.reveal(&certificate, sum, hands.key), Vec::new()))
    }

    /// Takes the stage out; what is left takes no further part.
    fn take(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Done)
    }
}

/// The coordinator asked for something that this participant's stage does not allow.
pub(crate) fn out_of_turn() -> Undone {
    Rejection::Early.into()
}

/// Whether it is said in a preparation.
fn is_keys(kind: Kind) -> bool {
    matches!(kind, Kind::Advertise | Kind::Dealing | Kind::Ack)
}
