//! A participant's place in one round: the stages of the shipped agent, with the secrets of each.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::Bundle;
use syndic_round::message::{Context, Kind};
use syndic_round::participant::{Advertised, Bound, Certified, Invited, Joined, Received};
use syndic_round::{Cohort, Digest, ParticipantId, Rejection, RoundPlan, Signed};

use crate::engine::{Engine, Held, Key, Opener, Place};
use crate::journal::{Journal, Opening};
use crate::misbehaviour::Misbehaviour;
use crate::oracle;
use crate::participant::{Said, Undone};

/// A place in a round; all of it is lost in a crash.
pub(crate) struct Seat {
    pub(crate) plan: RoundPlan,
    /// What makes the question the same question in whatever round it is asked (rule 11).
    pub(crate) fingerprint: Digest,
    pub(crate) said: BTreeMap<Kind, Said>,
    me: ParticipantId,
    engine: Engine,
    stage: Stage,
}

/// How far this participant is, with what it may use.
enum Stage {
    Advertised(Advertised, Opener),
    Dealt(Joined, Opener, Key),
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
    /// Phase A.
    pub(crate) fn advertise(
        engine: Engine,
        invited: Invited,
        plan: RoundPlan,
        fingerprint: Digest,
        me: ParticipantId,
        hands: &mut Hands<'_>,
    ) -> (Self, Message) {
        let (opener, public) = engine.opener(hands.rng);
        let mut nonce = [0; 32];
        hands.rng.fill_bytes(&mut nonce);
        let (advertised, signed) = invited.advertise(public, nonce, hands.key);
        let stage = Stage::Advertised(advertised, opener);
        (Self { plan, fingerprint, said: BTreeMap::new(), me, engine, stage }, (signed, Vec::new()))
    }

    /// What signatures are bound to, once the cohort is known.
    pub(crate) fn context(&self) -> Option<Context> {
        Some(match &self.stage {
            Stage::Advertised(..) | Stage::Done => return None,
            Stage::Dealt(joined, ..) => joined.cohort().context(),
            Stage::Bound(state, ..) | Stage::Submitted(state, _) => state.cohort().context(),
            Stage::Certified(state, _) => state.cohort().context(),
        })
    }

    /// Phase B.
    pub(crate) fn deal(&mut self, adverts: &[Signed], hands: &mut Hands<'_>) -> Result<Message, Undone> {
        let Stage::Advertised(advertised, opener) = self.take() else { return Err(out_of_turn()) };
        let joined = advertised.join(adverts.to_vec())?;
        let spoiled: Vec<_> = joined.cohort().ids().iter().copied().filter(|id| *id != self.me).collect();
        let spoiled = &spoiled[..spoiled.len().min(Misbehaviour::spoiled_shares(hands.ways))];
        let spoil = |to: ParticipantId, share: &mut Vec<u8>| {
            if spoiled.contains(&to) {
                share[0] ^= 1;
            }
        };
        let (key, (public, sealed)) = self.engine.deal(&self.place(joined.cohort()), hands.rng, spoil)?;
        let signed = joined.deal(public, &sealed, hands.key);
        self.stage = Stage::Dealt(joined, opener, key);
        Ok((signed, Bundle::encode(&sealed)))
    }

    /// Phase C.
    pub(crate) fn acknowledge(
        &mut self,
        shares: &[(Signed, Vec<u8>)],
        hands: &mut Hands<'_>,
    ) -> Result<Message, Undone> {
        let Stage::Dealt(joined, opener, key) = self.take() else { return Err(out_of_turn()) };
        let received = |(public, sealed): &(Signed, Vec<u8>)| Received {
            public: public.clone(),
            sealed: sealed.clone(),
        };
        let received: Vec<_> = shares.iter().map(received).collect();
        joined.check_dealers(&received)?;
        let mut held = self.engine.no_shares();
        let mut verdicts = Vec::with_capacity(received.len());
        for share in &received {
            let (dealer, part) = (share.public.from, joined.check_share(share)?);
            let good = opener.take(&self.place(joined.cohort()), dealer, &part, &share.sealed, &mut held);
            verdicts.push((&share.public, good && !Misbehaviour::complains_of(hands.ways, dealer)));
        }
        let (state, signed) = joined.acknowledge(&verdicts, hands.key);
        self.stage = Stage::Bound(state.bind(self.plan.clone().into())?, held, key);
        Ok((signed, Vec::new()))
    }

    /// Phase D.
    pub(crate) fn submit(&mut self, acks: &[Signed], hands: &mut Hands<'_>) -> Result<Message, Undone> {
        let Stage::Bound(mut state, held, key) = self.take() else { return Err(out_of_turn()) };
        let eligible = state.may_submit(acks.to_vec())?;
        hands.journal.bind(self.plan.terms.number, self.plan.id, self.fingerprint)?;
        let update = oracle::contribution(self.me, &self.plan).clip();
        let update = update.quantise(&self.plan.coding(), hands.rng);
        let key = match hands.ways.contains(&Misbehaviour::KeyMismatch) {
            true => self.engine.foreign_key(hands.rng),
            false => key,
        };
        let update = key.encrypt(state.cohort(), update, hands.rng);
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
        if hands.ways.contains(&Misbehaviour::WrongReveal) {
            sum[0] ^= 1;
        }
        Ok((certified.reveal(&certificate, sum, hands.key), Vec::new()))
    }

    fn place<'a>(&'a self, cohort: &'a Cohort) -> Place<'a> {
        Place { plan: &self.plan, cohort, me: self.me }
    }

    /// Takes the stage out; what is left takes no further part.
    fn take(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Done)
    }
}

/// The coordinator asked for something that this participant's stage does not allow.
fn out_of_turn() -> Undone {
    Rejection::Early.into()
}
