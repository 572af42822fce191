//! A participant's keys for one attempt, made before anything is asked, or its vector shared in their place: the stages of
//! a preparation, with the secrets of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use syndic_round::coordinator::Bundle;
use syndic_round::message::{Context, Kind};
use syndic_round::participant::{Acknowledged, Advertised, Invited, Joined, Received};
use syndic_round::{ParticipantId, PreparationTerms, Signed};
use syndic_secure_aggregation::VectorShape;

use crate::engine::{Engine, Held, Key, Member, Opener, Vector};
use crate::misbehaviour::Misbehaviour;
use crate::offer::{Owed, Said};
use crate::participant::Undone;
use crate::seat::{Hands, Message, out_of_turn};

/// A place in a preparation; all of it is lost in a crash.
pub(crate) struct Preparing {
    pub(crate) terms: Arc<PreparationTerms>,
    pub(crate) said: BTreeMap<Kind, Said>,
    pub(crate) me: ParticipantId,
    engine: Engine,
    keys: Keys,
}

/// How far this participant is with its keys, and what it may use.
pub(crate) enum Keys {
    Advertised(Advertised, Opener),
    Dealt(Joined, Opener, Key),
    Ready(Acknowledged, Held, Key),
    /// Bound to a round, or of no further use.
    Gone,
}

impl Preparing {
    /// Phase A.
    pub(crate) fn begin(
        engine: Engine,
        invited: Invited,
        me: ParticipantId,
        hands: &mut Hands<'_>,
    ) -> (Self, Message) {
        let terms = invited.terms().clone();
        let (opener, public) = engine.opener(hands.rng);
        let mut nonce = [0; 32];
        hands.rng.fill_bytes(&mut nonce);
        let (advertised, signed) = invited.advertise(public, nonce, hands.key);
        let keys = Keys::Advertised(advertised, opener);
        (Self { terms, said: BTreeMap::new(), me, engine, keys }, (signed, Vec::new()))
    }

    /// What signatures are bound to, once the cohort is known.
    pub(crate) fn context(&self) -> Option<Context> {
        match &self.keys {
            Keys::Advertised(..) | Keys::Gone => None,
            Keys::Dealt(joined, ..) => Some(joined.cohort().context()),
            Keys::Ready(acknowledged, ..) => Some(acknowledged.cohort().context()),
        }
    }

    /// The vector's shape, where one was shared itself in the place of a key.
    pub(crate) fn shared(&self) -> Option<&VectorShape> {
        match &self.keys {
            Keys::Dealt(.., Key::Vector(shape)) | Keys::Ready(.., Key::Vector(shape)) => Some(shape),
            _ => None,
        }
    }

    /// Whether its keys are ready to be bound.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.keys, Keys::Ready(..))
    }

    /// Phases B and C. `vector` is the update where it is shared itself.
    pub(crate) fn step(
        &mut self,
        owed: &Owed,
        vector: Option<Vector>,
        hands: &mut Hands<'_>,
    ) -> Result<Message, Undone> {
        match owed {
            Owed::Deal(adverts) => self.deal(adverts, vector, hands),
            Owed::Acknowledge(shares) => self.acknowledge(shares, hands),
            _ => Err(out_of_turn()),
        }
    }

    fn deal(
        &mut self,
        adverts: &[Signed],
        vector: Option<Vector>,
        hands: &mut Hands<'_>,
    ) -> Result<Message, Undone> {
        let Keys::Advertised(advertised, opener) = self.take() else { return Err(out_of_turn()) };
        let joined = advertised.join(adverts.to_vec())?;
        let spoiled: Vec<_> = joined.cohort().ids().iter().copied().filter(|id| *id != self.me).collect();
        let spoiled = &spoiled[..spoiled.len().min(Misbehaviour::spoiled_shares(hands.ways))];
        let spoil = |to: ParticipantId, share: &mut Vec<u8>| {
            if spoiled.contains(&to) {
                share[0] ^= 1;
            }
        };
        let member = Member { terms: &self.terms, cohort: joined.cohort(), me: self.me };
        let (key, (public, sealed)) = self.engine.deal(&member, vector, hands.rng, spoil)?;
        let signed = joined.deal(public, &sealed, hands.key);
        self.keys = Keys::Dealt(joined, opener, key);
        Ok((signed, Bundle::encode(&sealed)))
    }

    fn acknowledge(
        &mut self,
        shares: &[(Signed, Vec<u8>)],
        hands: &mut Hands<'_>,
    ) -> Result<Message, Undone> {
        let Keys::Dealt(joined, opener, key) = self.take() else { return Err(out_of_turn()) };
        let received = |(public, sealed): &(Signed, Vec<u8>)| Received {
            public: public.clone(),
            sealed: sealed.clone(),
        };
        let received: Vec<_> = shares.iter().map(received).collect();
        joined.check_dealers(&received)?;
        let mut held = self.engine.no_shares(&key);
        let mut verdicts = Vec::with_capacity(received.len());
        let member = Member { terms: &self.terms, cohort: joined.cohort(), me: self.me };
        for share in &received {
            let (dealer, part) = (share.public.from, joined.check_share(share)?);
            let good = opener.take(&member, dealer, &part, &share.sealed, &mut held);
            verdicts.push((&share.public, good && !Misbehaviour::complains_of(hands.ways, dealer)));
        }
        let (state, signed) = joined.acknowledge(&verdicts, hands.key);
        self.keys = Keys::Ready(state, held, key);
        Ok((signed, Vec::new()))
    }

    /// Takes the keys out; what is left takes no further part.
    pub(crate) fn take(&mut self) -> Keys {
        std::mem::replace(&mut self.keys, Keys::Gone)
    }

    /// Puts back what was taken out too early.
    pub(crate) fn put_back(&mut self, keys: Keys) {
        self.keys = keys;
    }
}
