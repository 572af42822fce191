//! Phases A to C: one-time keys are made, shared and acknowledged, in a round or ahead of any.

use std::collections::BTreeMap;

use rand_core::Rng;
use syndic_proto::convert::{Owed, PlaceRef};
use syndic_round::coordinator::Bundle;
use syndic_round::message::Kind;
use syndic_round::participant::{Invited, Received};
use syndic_round::{Cohort, ParticipantId, PreparationTerms, Rejection, Signed};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, OneTimeKey, SealContext, Share, Sharing, SharingContext, SmallVector, Subject,
    VectorShape,
};

use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::{Keys, Preparing, Seats, Secret, Shares};
use super::{Agent, kind_of, out_of_turn, system_randomness};

impl Agent {
    /// Does a duty of a preparation that is made ahead of any round.
    pub(super) async fn perform_ahead(
        &self,
        link: &mut Link,
        seats: &mut Seats,
        at: &PlaceRef,
        terms: &PreparationTerms,
        owed: Owed,
    ) -> Result<(), Undone> {
        let kind = kind_of(&owed);
        let current = match seats.ahead.as_mut().filter(|ahead| ahead.terms.number == terms.number) {
            Some(current) => current,
            None if matches!(owed, Owed::Advertise) => {
                // Whatever was prepared before is of no use any more, and its secrets go with it.
                seats.ahead = None;
                self.pace.slow_down().await;
                let accepted = self.accepted(link, terms).await?;
                let invited = Invited::check(terms.clone(), &accepted.terms, self.roster.clone(), self.id)?;
                seats.ahead.insert(self.begin_keys(at, invited).await?)
            }
            None => return Err(Declined::Restarted.into()),
        };
        if *current.terms != *terms {
            return Err(Declined::Coordinator(Rejection::Mismatch("preparation")).into());
        }
        if kind.is_some_and(|kind| current.said.contains_key(&kind)) {
            self.pace.slow_down().await;
        } else {
            self.prepare(current, at, owed, None).await?;
        }
        self.say(link, at, &mut current.said, kind).await
    }

    /// Phase A.
    pub(super) async fn begin_keys(&self, at: &PlaceRef, invited: Invited) -> Result<Preparing, Undone> {
        let terms = invited.terms().clone();
        self.journal.claim_preparation(terms.job.as_str(), terms.number).await?;
        let mut rng = system_randomness();
        let kem = KemSecret::generate(&mut rng);
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let key = self.enrolment.keys().signing_key();
        let (advertised, signed) = invited.advertise(kem.public().to_bytes(), nonce, key);
        let mut taken = Preparing { terms, keys: Keys::Advertised(advertised, kem), said: BTreeMap::new() };
        self.write_down_keys(&mut taken, at, Kind::Advertise, signed, Vec::new()).await?;
        Ok(taken)
    }

    /// Phases B and C. `vector` is the update where it is shared itself.
    pub(super) async fn prepare(
        &self,
        taken: &mut Preparing,
        at: &PlaceRef,
        owed: Owed,
        vector: Option<(VectorShape, SmallVector)>,
    ) -> Result<(), Undone> {
        match owed {
            Owed::Deal(adverts) => self.deal(taken, at, adverts, vector).await,
            Owed::Acknowledge(received) => self.acknowledge(taken, at, received).await,
            _ => Err(out_of_turn()),
        }
    }

    /// Phase B: a key is made here and shared at once, or the update itself is.
    async fn deal(
        &self,
        taken: &mut Preparing,
        at: &PlaceRef,
        adverts: Vec<Signed>,
        vector: Option<(VectorShape, SmallVector)>,
    ) -> Result<(), Undone> {
        let Keys::Advertised(advertised, kem) = taken.take_keys() else { return Err(out_of_turn()) };
        let joined = advertised.join(adverts)?;
        let cohort = joined.cohort().clone();
        let mut rng = system_randomness();
        let threshold = taken.terms.protection.threshold();
        let context = SharingContext { dealer: self.id, h1: cohort.h1(), cohort: cohort.ids(), threshold };
        let (public, sealed, secret, held) = match vector {
            Some((shape, vector)) => {
                let Sharing { public, shares } = vector.share(&context, &mut rng).map_err(Declined::from)?;
                (public, self.seal(&cohort, &shares)?, Secret::Update, Shares::none(Some(shape)))
            }
            None => {
                let key = Box::new(OneTimeKey::generate(&mut rng));
                let Sharing { public, shares } = key.share(&context, &mut rng).map_err(Declined::from)?;
                #[cfg(feature = "tap")]
                if let Some(observer) = &self.observer {
                    observer.shared(at, &shares);
                }
                (public, self.seal(&cohort, &shares)?, Secret::Key(key), Shares::none(None))
            }
        };
        let signed = joined.deal(public, &sealed, self.enrolment.keys().signing_key());
        self.write_down_keys(taken, at, Kind::Dealing, signed, Bundle::encode(&sealed)).await?;
        taken.keys = Keys::Dealt(joined, kem, secret, held);
        Ok(())
    }

    /// Each share sealed for its recipient.
    fn seal<S: Subject>(
        &self,
        cohort: &Cohort,
        shares: &[(ParticipantId, Share<S>)],
    ) -> Result<Vec<(ParticipantId, Vec<u8>)>, Undone> {
        let mut rng = system_randomness();
        let mut sealed = Vec::with_capacity(shares.len());
        for (recipient, share) in shares {
            let public = KemPublic::from_bytes(cohort.kem_key(*recipient)?).map_err(Declined::from)?;
            let context = SealContext { sender: self.id, recipient: *recipient, h1: cohort.h1() };
            sealed.push((*recipient, public.seal(&share.to_bytes(), &context, &mut rng)));
        }
        Ok(sealed)
    }

    /// Phase C: every share is opened and verified against what its dealer published.
    async fn acknowledge(
        &self,
        taken: &mut Preparing,
        at: &PlaceRef,
        received: Vec<Received>,
    ) -> Result<(), Undone> {
        let Keys::Dealt(joined, kem, secret, mut shares) = taken.take_keys() else {
            return Err(out_of_turn());
        };
        let cohort = joined.cohort().clone();
        joined.check_dealers(&received)?;
        let threshold = taken.terms.protection.threshold();
        for share in &received {
            let dealer = share.public.from;
            let seal = SealContext { sender: dealer, recipient: self.id, h1: cohort.h1() };
            // A share that nobody signed is the coordinator's doing; one that does not open is its dealer's.
            let public = joined.check_share(share)?;
            let context = SharingContext { dealer, h1: cohort.h1(), cohort: cohort.ids(), threshold };
            shares.take(&kem, &share.sealed, &seal, &public, &context);
        }
        let held = |share: &Received| shares.holds(&share.public.from);
        let verdicts: Vec<_> = received.iter().map(|share| (&share.public, held(share))).collect();
        let (state, signed) = joined.acknowledge(&verdicts, self.enrolment.keys().signing_key());
        self.write_down_keys(taken, at, Kind::Ack, signed, Vec::new()).await?;
        taken.keys = Keys::Ready(state, shares, secret);
        Ok(())
    }

    async fn write_down_keys(
        &self,
        taken: &mut Preparing,
        at: &PlaceRef,
        kind: Kind,
        signed: Signed,
        attached: Vec<u8>,
    ) -> Result<(), Undone> {
        self.write_down(at, taken.terms.number, &mut taken.said, kind, (signed, attached)).await
    }
}
