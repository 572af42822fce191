//! What a lying coordinator writes in the name of the corrupted.

use rand::Rng;
use syndic_round::message::{Ack, Advertise, Certify, Context, Header, Payload, Reveal, Verdict, Void};
use syndic_round::{Carrier, Digest, Signed, SurvivorSet};
use syndic_secure_aggregation::{SmallVector, VectorShape};

use crate::engine::Member;
use crate::liar::{Ask, Dealing, Liar, id};
use crate::{oracle, shift};

impl Liar {
    /// A one-time key in the name of a corrupted participant, another one at each call.
    pub fn forge_advert(&mut self, ask: &Ask, from: u16) -> Signed {
        let (_, kem_key) = self.engine.opener(&mut self.rng);
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let context = Context { ctx0: ask.plan.context(), h1: None };
        Advertise { id: id(from), kem_key, nonce }.sign(context, self.federation.key(id(from)))
    }

    /// A sharing in the name of a corrupted participant; none where the advertisements are no cohort.
    pub fn forge_dealing(&mut self, ask: &Ask, adverts: &[Signed], from: u16) -> Option<Dealing> {
        let cohort = self.cohort(&ask.plan, adverts)?;
        let member = Member { terms: &ask.plan.terms, cohort: &cohort, me: id(from) };
        let shape = VectorShape::of(&ask.plan).filter(|_| ask.plan.carrier == Carrier::Shares);
        let vector = shape.map(|shape| {
            let answer = oracle::contribution(id(from), &ask.plan).clip();
            let vector = SmallVector::encode(&shape, answer, &mut self.rng);
            (shape, vector)
        });
        let (_, (public, sealed)) = self.engine.deal(&member, vector, &mut self.rng, |_, _| {}).ok()?;
        let shares = sealed.iter().map(|(to, bytes)| (*to, Digest::of(bytes))).collect();
        let dealing = syndic_round::message::Dealing { id: id(from), shares, public };
        let signed = dealing.sign(cohort.context(), self.federation.key(id(from)));
        self.forged.insert((cohort.h1(), id(from)), signed.digest());
        Some((signed, sealed))
    }

    /// Praise for these dealers in the name of a corrupted participant.
    pub fn forge_ack(&self, ask: &Ask, adverts: &[Signed], dealings: &[Dealing], from: u16) -> Signed {
        let verdict =
            |(public, _): &Dealing| Verdict { dealer: public.from, dealing: public.digest(), ok: true };
        let ack = Ack { id: id(from), verdicts: dealings.iter().map(verdict).collect() };
        ack.sign(self.context(&ask.plan, adverts), self.federation.key(id(from)))
    }

    /// The header of an upload, or of the last sharing where that is what carries vectors, in the name of a corrupted participant.
    pub fn forge_header(&self, ask: &Ask, adverts: &[Signed], from: u16) -> Signed {
        let (plan, context) = (&ask.plan, self.context(&ask.plan, adverts));
        let h1 = context.h1.unwrap_or(context.ctx0);
        let upload = Digest::of(b"an update of a corrupted participant");
        let sharing = self.forged.get(&(h1, id(from))).filter(|_| plan.carrier == Carrier::Shares);
        let header = Header {
            id: id(from),
            h1,
            preparation: plan.terms.number,
            round: plan.id,
            plan: plan.digest(),
            chunks: plan.chunks() as u32,
            root: *sharing.unwrap_or(&upload),
        };
        header.sign(context, self.federation.key(id(from)))
    }

    /// A signature over the survivor set of these headers in the name of a corrupted participant; none where they are
    /// no set.
    pub fn forge_certify(
        &self,
        ask: &Ask,
        adverts: &[Signed],
        headers: &[Signed],
        from: u16,
    ) -> Option<Signed> {
        let cohort = self.cohort(&ask.plan, adverts)?;
        let roster = &self.federation.roster;
        let set = SurvivorSet::from_headers(&ask.plan, &cohort, roster, headers.to_vec()).ok()?;
        let certify = Certify { id: id(from), survivors: set.digest() };
        Some(certify.sign(cohort.context(), self.federation.key(id(from))))
    }

    /// What a corrupted participant reveals of shared vectors to shift their last sum by one step, where these, who are one
    /// too few without it, reveal beside it (A38). `honest` are as many as it takes to know what it would have to reveal.
    ///
    /// # Panics
    /// When one of these messages is no reveal.
    pub fn forge_shifted_reveal(
        &self,
        ask: &Ask,
        adverts: &[Signed],
        honest: &[Signed],
        beside: &[Signed],
        from: u16,
    ) -> Signed {
        let read = |signed: &Signed| Reveal::decode(&signed.payload).expect("it is a reveal");
        let known: Vec<_> = honest.iter().map(|signed| (signed.from, read(signed).share_sum)).collect();
        let mut share_sum = shift::reveal_of(id(from), &known);
        let mut revealers: Vec<_> = beside.iter().map(|signed| signed.from).collect();
        revealers.push(id(from));
        shift::shift(&mut share_sum, &ask.plan, &revealers, id(from));
        let reveal = Reveal { id: id(from), share_sum, ..read(&honest[0]) };
        reveal.sign(self.context(&ask.plan, adverts), self.federation.key(id(from)))
    }

    /// A promise in the name of a corrupted participant.
    pub fn forge_void(&self, ask: &Ask, adverts: &[Signed], from: u16) -> Signed {
        let void = Void { id: id(from), round: ask.plan.id };
        void.sign(self.context(&ask.plan, adverts), self.federation.key(id(from)))
    }
}
