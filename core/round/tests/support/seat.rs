//! One participant at the table: the real state machine, dummy bytes where keys and ciphertexts belong.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_round::coordinator::{Bundle, Dealt, Duty, Input, Upload};
use syndic_round::message::{Header, Payload, PublicPart};
use syndic_round::participant::{Advertised, Bound, Certified, Invited, Joined, Received};
use syndic_round::{Carrier, Cohort, Digest, ParticipantId, Rejection, RoundPlan, SealedRoster};

use super::{Federation, accepted};

/// A participant and how far it is.
pub struct Seat {
    me: ParticipantId,
    key: SigningKey,
    plan: RoundPlan,
    roster: Arc<SealedRoster>,
    threshold: u16,
    stage: Stage,
}

/// The states of `syndic_round::participant`; `Gone` after a refusal or the reveal.
enum Stage {
    Invited(Invited),
    Advertised(Advertised),
    Joined(Joined),
    Bound(Bound),
    Certified(Certified),
    Gone,
}

/// Bundles of sealed shares by digest, as the coordinator keeps them.
pub type Blobs = BTreeMap<Digest, Vec<u8>>;

impl Seat {
    /// `me`, having checked the plan.
    pub fn of(federation: &Federation, plan: &RoundPlan, me: ParticipantId) -> Self {
        let roster: Arc<SealedRoster> = federation.roster.clone();
        let invited = Invited::check(plan.terms.clone(), &accepted(plan), roster.clone(), me)
            .expect("the plan is as accepted");
        let (key, threshold) = (federation.key(me).clone(), plan.terms.protection.threshold());
        Self { me, key, plan: plan.clone(), roster, threshold, stage: Stage::Invited(invited) }
    }

    /// Does what is owed. On a refusal the participant leaves the table.
    pub fn play(&mut self, duty: &Duty, blobs: &mut Blobs) -> Result<Input, Rejection> {
        let (stage, input) = match (std::mem::replace(&mut self.stage, Stage::Gone), duty) {
            (Stage::Invited(invited), Duty::Advertise) => {
                let (next, signed) = invited.advertise(vec![7; 1_216], [self.me.get() as u8; 32], &self.key);
                (Stage::Advertised(next), Input::Advertise(signed))
            }
            (Stage::Advertised(advertised), Duty::Deal(cohort)) => {
                let joined = advertised.join(cohort.adverts().to_vec())?;
                let sealed: Vec<_> = cohort.ids().iter().map(|to| (*to, self.dummy_share(*to))).collect();
                let encoding = Bundle::encode(&sealed);
                let bundle = Bundle::measure(&encoding)?;
                blobs.insert(bundle.blob, encoding);
                let signed =
                    joined.deal(dummy_public_part(joined.cohort(), self.threshold), &sealed, &self.key);
                (Stage::Joined(joined), Input::Deal(signed, bundle))
            }
            (Stage::Joined(joined), Duty::Acknowledge(_, dealt)) => {
                let mut verdicts = Vec::new();
                for dealer in dealt {
                    joined.check_share(&received(self.me, dealer, blobs)?)?;
                    verdicts.push((&dealer.public, true));
                }
                let (next, signed) = joined.acknowledge(&verdicts, &self.key);
                (Stage::Bound(next.bind(self.plan.clone().into())?), Input::Acknowledge(signed))
            }
            (Stage::Bound(mut bound), Duty::Submit(acks)) => {
                let eligible = bound.may_submit(acks.clone())?;
                let (signed, upload) = match bound.plan().carrier {
                    Carrier::Ring => {
                        let upload = upload_of(self.me, bound.plan());
                        (bound.submit(eligible, upload.root, &self.key), upload)
                    }
                    Carrier::Shares => {
                        let signed = bound.submit_shared(eligible, &self.key)?;
                        let root = Header::decode(&signed.payload)?.root;
                        (signed, Upload::of_shares(root))
                    }
                };
                (Stage::Bound(bound), Input::Submit(signed, upload))
            }
            (Stage::Bound(bound), Duty::Certify(survivors)) => {
                let checked = bound.check_survivors(survivors.signed().to_vec())?;
                let (next, signed) = bound.certify(checked, &self.key);
                (Stage::Certified(next), Input::Certify(signed))
            }
            (Stage::Certified(certified), Duty::Reveal(certificate)) => {
                let certificate = certified.check(certificate.signatures().to_vec())?;
                let signed = certified.reveal(&certificate, vec![self.me.get() as u8; 8], &self.key);
                (Stage::Gone, Input::Reveal(signed))
            }
            (_, Duty::Void(cohort)) => {
                let adverts = cohort.adverts().to_vec();
                let own =
                    adverts.iter().find(|advert| advert.from == self.me).cloned().expect("it takes part");
                let signed = Invited::void(&self.plan, &self.roster, adverts, &own, &self.key)?;
                (Stage::Gone, Input::Void(signed))
            }
            _ => panic!("participant {} is not so far as it should be", self.me),
        };
        self.stage = stage;
        Ok(input)
    }

    /// The state that checks shares and signs verdicts.
    pub fn into_joined(self) -> Joined {
        match self.stage {
            Stage::Joined(joined) => joined,
            _ => panic!("participant {} has not just shared its key", self.me),
        }
    }

    /// The state that checks survivor sets.
    pub fn into_bound(self) -> Bound {
        match self.stage {
            Stage::Bound(bound) => bound,
            _ => panic!("participant {} has not just acknowledged or submitted", self.me),
        }
    }

    /// The state that checks certificates.
    pub fn into_certified(self) -> Certified {
        match self.stage {
            Stage::Certified(certified) => certified,
            _ => panic!("participant {} has not just certified", self.me),
        }
    }

    fn dummy_share(&self, to: ParticipantId) -> Vec<u8> {
        format!("from {} to {to}", self.me).into_bytes()
    }
}

/// A public part of the right shape.
pub fn dummy_public_part(cohort: &Cohort, threshold: u16) -> PublicPart {
    let commitments = cohort.ids().iter().map(|id| Digest::of(&id.get().to_be_bytes())).collect();
    PublicPart { commitments, checks: [vec![1; threshold.into()], vec![2; threshold.into()]] }
}

/// What `dealt` holds for `me`.
pub fn received(me: ParticipantId, dealt: &Dealt, blobs: &Blobs) -> Result<Received, Rejection> {
    let shares = Bundle::open(&blobs[&dealt.blob])?;
    let sealed = shares.into_iter().find_map(|(to, sealed)| (to == me).then_some(sealed));
    Ok(Received { public: dealt.public.clone(), sealed: sealed.ok_or(Rejection::Malformed)? })
}

/// A stored ciphertext of the length that `plan` asks for.
pub fn upload_of(me: ParticipantId, plan: &RoundPlan) -> Upload {
    let named = |what: &str| Digest::of(format!("{what} of {me}").as_bytes());
    let coefficients = plan.coefficients();
    Upload {
        root: named("root"),
        chunks: (coefficients / syndic_round::RING_DIMENSION) as u32,
        blob: named("blob"),
        bytes: 4 * coefficients as u64,
    }
}
