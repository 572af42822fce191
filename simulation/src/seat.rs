//! A participant within one round: the state machine of `syndic-round` with the keys and shares of KSA/1.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use syndic_round::coordinator::{Bundle, Duty};
use syndic_round::message::PublicPart;
use syndic_round::participant::{Accepted, Acknowledged, Advertised, Certified, Invited, Joined, Received};
use syndic_round::{Cohort, ParticipantId, Rejection, RoundId, RoundPlan, Signed};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, KeyShare, KeyShareSum, Masks, OneTimeKey, SealContext, Sharing, SharingContext,
};

use crate::federation::Federation;
use crate::oracle;
use crate::participant::Offer;

/// A participant in a round; all of it is lost in a crash.
pub(crate) struct Seat {
    plan: RoundPlan,
    me: ParticipantId,
    stage: Stage,
}

/// What has been said so far, and the secrets that what follows needs.
enum Stage {
    Invited(Invited),
    Advertised(Advertised, KemSecret),
    Joined(Joined, KemSecret, OneTimeKey),
    Acknowledged(Acknowledged, Held, OneTimeKey),
    Submitted(Acknowledged, Held),
    Certified(Certified, Held),
    Over,
}

type Held = BTreeMap<ParticipantId, KeyShare>;

/// What a dealer publishes, and the share sealed for each member.
type Dealt = (PublicPart, Vec<(ParticipantId, Vec<u8>)>);

/// A signed message and what travels beside it.
type Message = (Signed, Vec<u8>);

impl Seat {
    /// Checks the plan against what was accepted.
    pub(crate) fn take(
        federation: &Federation,
        plan: &RoundPlan,
        me: ParticipantId,
    ) -> Result<Self, Rejection> {
        let accepted = Accepted {
            job: plan.job.clone(),
            agreement: federation.agreement(),
            protection: federation.protection,
            admitted: federation.ids(),
            deadlines: plan.deadlines,
        };
        let invited = Invited::check(plan.clone(), &accepted, federation.roster.clone(), me)?;
        Ok(Self { plan: plan.clone(), me, stage: Stage::Invited(invited) })
    }

    pub(crate) fn round(&self) -> RoundId {
        self.plan.id
    }

    /// Does what is owed; nothing where the offer is for a stage that this participant has passed or missed.
    ///
    /// # Errors
    /// The [`Rejection`] with which it refuses.
    pub(crate) fn play(
        &mut self,
        offer: &Offer,
        key: &SigningKey,
        rng: &mut ChaCha20Rng,
    ) -> Result<Option<Message>, Rejection> {
        let stage = std::mem::replace(&mut self.stage, Stage::Over);
        let (next, message) = match (stage, &offer.duty) {
            (Stage::Invited(invited), Duty::Advertise) => {
                let kem = KemSecret::generate(rng);
                let mut nonce = [0; 32];
                rng.fill_bytes(&mut nonce);
                let (next, signed) = invited.advertise(kem.public().to_bytes(), nonce, key);
                (Stage::Advertised(next, kem), Some((signed, Vec::new())))
            }
            (Stage::Advertised(advertised, kem), Duty::Deal(cohort)) => {
                let joined = advertised.join(cohort.adverts().to_vec())?;
                let one_time = OneTimeKey::generate(rng);
                let (public, sealed) = self.seal_shares(joined.cohort(), &one_time, rng)?;
                let signed = joined.deal(public, &sealed, key);
                (Stage::Joined(joined, kem, one_time), Some((signed, Bundle::encode(&sealed))))
            }
            (Stage::Joined(joined, kem, one_time), Duty::Acknowledge(..)) => {
                let held = self.open_shares(&joined, &kem, &offer.shares)?;
                let verdicts: Vec<_> = offer.shares.iter().map(|(public, _)| (public, true)).collect();
                let (next, signed) = joined.acknowledge(&verdicts, key);
                (Stage::Acknowledged(next, held, one_time), Some((signed, Vec::new())))
            }
            (Stage::Acknowledged(mut state, held, one_time), Duty::Submit(acks)) => {
                let eligible = state.may_submit(acks.clone())?;
                let update =
                    oracle::contribution(self.me, &self.plan).clip().quantise(&self.plan.coding(), rng);
                let masks = Masks::new(&state.cohort().h1());
                let update = one_time.encrypt(update, &masks, rng);
                let signed = state.submit(eligible, update.root(), key);
                (Stage::Submitted(state, held), Some((signed, update.into_bytes())))
            }
            // Too late with its own update, it still helps to open the others' sum; its key is wiped.
            (
                Stage::Submitted(state, held) | Stage::Acknowledged(state, held, _),
                Duty::Certify(survivors),
            ) => {
                let checked = state.check_survivors(survivors.signed().to_vec())?;
                let (next, signed) = state.certify(checked, key);
                (Stage::Certified(next, held), Some((signed, Vec::new())))
            }
            (Stage::Certified(state, held), Duty::Reveal(certificate)) => {
                let certificate = state.check(certificate.signatures().to_vec())?;
                let sum = KeyShareSum::of(&held, &certificate).map_err(|_| Rejection::Malformed)?;
                (Stage::Over, Some((state.reveal(&certificate, sum.to_bytes(), key), Vec::new())))
            }
            (stage, _) => (stage, None),
        };
        self.stage = next;
        Ok(message)
    }

    fn seal_shares(
        &self,
        cohort: &Cohort,
        one_time: &OneTimeKey,
        rng: &mut ChaCha20Rng,
    ) -> Result<Dealt, Rejection> {
        let context = self.sharing(self.me, cohort);
        let Sharing { public, shares } = one_time.share(&context, rng).map_err(|_| Rejection::Malformed)?;
        let mut sealed = Vec::with_capacity(shares.len());
        for (to, share) in shares {
            let public = KemPublic::from_bytes(cohort.kem_key(to)?).map_err(|_| Rejection::Malformed)?;
            let context = SealContext { sender: self.me, recipient: to, h1: cohort.h1() };
            sealed.push((to, public.seal(&share.to_bytes(), &context, rng)));
        }
        Ok((public, sealed))
    }

    fn sharing<'a>(&self, dealer: ParticipantId, cohort: &'a Cohort) -> SharingContext<'a> {
        let threshold = self.plan.protection.threshold();
        SharingContext { dealer, h1: cohort.h1(), cohort: cohort.ids(), threshold }
    }

    fn open_shares(
        &self,
        joined: &Joined,
        kem: &KemSecret,
        shares: &[(Signed, Vec<u8>)],
    ) -> Result<Held, Rejection> {
        let cohort = joined.cohort();
        let mut held = Held::new();
        for (public, sealed) in shares {
            let part = joined.check_share(&Received { public: public.clone(), sealed: sealed.clone() })?;
            let context = SealContext { sender: public.from, recipient: self.me, h1: cohort.h1() };
            let share = kem.open(sealed, &context).map_err(|_| Rejection::Malformed)?;
            let share = KeyShare::from_bytes(&share, cohort.len()).map_err(|_| Rejection::Malformed)?;
            let sharing = self.sharing(public.from, cohort);
            share.verify(self.me, &part, &sharing).map_err(|_| Rejection::Malformed)?;
            held.insert(public.from, share);
        }
        Ok(held)
    }
}
