//! Members of a small federation, with keys from seeds and real one-time keys, shares and ciphertexts.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rand::SeedableRng;
use rand::rngs::StdRng;
use syndic_coordinator::driver::Coordinator;
use syndic_learning::job::Terms;
use syndic_learning::{Job, JobRun, Program, Question, Role, Table, TableBuilder};
use syndic_round::coordinator::{Bundle, Dealt, Duty, Input, Upload};
use syndic_round::message::PublicPart;
use syndic_round::participant::{Accepted, Advertised, Bound, Certified, Invited, Joined, Received};
use syndic_round::{
    Approver, Cohort, Digest, EndorsedRoster, Member as Listed, ParticipantId, Place, PreparationTerms,
    Roster, RoundPlan, SealedRoster,
};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, KeyShare, KeyShareSum, Masks, OneTimeKey, SealContext, Sharing, SharingContext,
};

/// A job of one training round whose phases wait for everybody, or for an hour.
pub(crate) const JOB: &str = include_str!("small.toml");

/// The coordinator's ledger key.
pub(crate) fn ledger_key() -> SigningKey {
    key(0)
}

/// The roster of participants 1 to `n`, sealed by all of them.
pub(crate) fn sealed_roster(n: u16) -> SealedRoster {
    let listed = |number| Listed {
        id: id(number),
        name: format!("bank-{number}"),
        signing_key: key(number).verifying_key().to_bytes(),
    };
    let roster = Roster {
        federation: "test-federation".into(),
        members: (1..=n).map(listed).collect(),
        coordinator_key: ledger_key().verifying_key().to_bytes(),
        approvers: vec![Approver { name: APPROVER.into(), key: approver_key().verifying_key().to_bytes() }],
    };
    let endorsements = (1..=n).map(|number| roster.endorse(id(number), &key(number))).collect();
    EndorsedRoster { roster, endorsements }.verify().unwrap()
}

/// Who approves what becomes of models.
pub(crate) const APPROVER: &str = "model-risk";

pub(crate) fn approver_key() -> SigningKey {
    key(1_000)
}

pub(crate) fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).unwrap()
}

fn key(number: u16) -> SigningKey {
    SigningKey::from_bytes(&Digest::of(format!("key {number}").as_bytes()).0)
}

/// One member and how far it is in the round.
pub(crate) struct Member {
    pub(crate) id: ParticipantId,
    roster: Arc<SealedRoster>,
    pub(crate) key: SigningKey,
    table: Table,
    rng: StdRng,
    stage: Stage,
}

enum Stage {
    Waiting,
    Advertised(Advertised, KemSecret),
    Dealt(Joined, KemSecret, OneTimeKey),
    Bound(Bound, Shares, OneTimeKey),
    Submitted(Bound, Shares),
    Certified(Certified, Shares),
    Done,
}

type Shares = BTreeMap<ParticipantId, KeyShare>;

impl Member {
    pub(crate) fn new(number: u16, roster: Arc<SealedRoster>) -> Self {
        let contract = Job::from_toml(JOB).unwrap().contract;
        let mut table = TableBuilder::new(&contract, &["age", "label"]).unwrap();
        for row in 0..20_u64 {
            let age = (20 + 2 * row + u64::from(number)).to_string();
            table.push(row, &[&age, if row % 3 == 0 { "1" } else { "0" }], Role::Train);
        }
        Self {
            id: id(number),
            roster,
            key: key(number),
            table: table.finish().unwrap(),
            rng: StdRng::seed_from_u64(number.into()),
            stage: Stage::Waiting,
        }
    }

    /// The advertisement of a one-time key, a good one or any bytes in its place.
    pub(crate) fn advertise(&mut self, plan: &RoundPlan, in_its_place: Option<Vec<u8>>) -> Input {
        let kem = KemSecret::generate(&mut self.rng);
        let bytes = in_its_place.unwrap_or_else(|| kem.public().to_bytes());
        let (next, signed) = self.invited(plan).advertise(bytes, [self.id.get() as u8; 32], &self.key);
        self.stage = Stage::Advertised(next, kem);
        Input::Advertise(signed)
    }

    /// The reveal that `duty` asks for, with any bytes in the place of the sum of shares. Its place in the
    /// round stays as it was.
    pub(crate) fn reveal_instead(&self, duty: &Duty, plan: &RoundPlan, bytes: Vec<u8>) -> Input {
        use syndic_round::message::{Context, Payload, Reveal};
        let (Duty::Reveal(certificate), Stage::Certified(..)) = (duty, &self.stage) else {
            panic!("participant {} owes no reveal", self.id)
        };
        let headers = certificate.survivors().headers();
        let context = Context { ctx0: plan.context(), h1: Some(headers[0].h1) };
        let survivors = certificate.survivors().digest();
        let reveal = Reveal { id: self.id, survivors, share_sum: bytes };
        Input::Reveal(reveal.sign(context, &self.key))
    }

    /// Its no to the round of `plan`, for the reason of this code.
    pub(crate) fn decline(&self, plan: &RoundPlan, code: &str) -> Input {
        self.decline_at(&plan.terms, plan.id.into(), code)
    }

    /// Its no to what is in this place.
    pub(crate) fn decline_at(&self, terms: &PreparationTerms, place: Place, code: &str) -> Input {
        Input::Decline(Invited::decline(terms, place, self.id, code, &self.key))
    }

    /// Does what is owed as an honest participant does it; stores what is attached to the message.
    pub(crate) async fn play(&mut self, coordinator: &Coordinator, plan: &RoundPlan, duty: Duty) -> Input {
        let stage = std::mem::replace(&mut self.stage, Stage::Done);
        let (stage, input) = match (stage, duty) {
            (_, Duty::Advertise) => return self.advertise(plan, None),
            (Stage::Advertised(advertised, kem), Duty::Deal(cohort)) => {
                let joined = advertised.join(cohort.adverts().to_vec()).unwrap();
                let key = OneTimeKey::generate(&mut self.rng);
                let (public, sealed) = self.seal(&key, &cohort, plan.terms.protection.threshold());
                let encoding = Bundle::encode(&sealed);
                coordinator.blobs().put(&encoding).await.unwrap();
                let signed = joined.deal(public, &sealed, &self.key);
                let bundle = Bundle::measure(&encoding).unwrap();
                (Stage::Dealt(joined, kem, key), Input::Deal(signed, bundle))
            }
            (Stage::Dealt(joined, kem, key), Duty::Acknowledge(cohort, dealt)) => {
                let shares = self.open(coordinator, &joined, &kem, &cohort, &dealt).await;
                let verdicts: Vec<_> = dealt.iter().map(|dealt| (&dealt.public, true)).collect();
                let (next, signed) = joined.acknowledge(&verdicts, &self.key);
                (
                    Stage::Bound(next.bind(Arc::new(plan.clone())).unwrap(), shares, key),
                    Input::Acknowledge(signed),
                )
            }
            (Stage::Bound(mut next, shares, key), Duty::Submit(acks)) => {
                let eligible = next.may_submit(acks).unwrap();
                let question = coordinator.blobs().read(plan.question).await.unwrap();
                let question = Question::from_bytes(&question).unwrap();
                let answer = JobRun::answer(&question, &self.table, &mut self.rng).unwrap();
                let quantised = answer.clip().quantise(&plan.coding(), &mut self.rng);
                let masks = Masks::new(&next.cohort().h1());
                let update = key.encrypt(quantised, &masks, &mut self.rng);
                let blob = coordinator.blobs().put(update.bytes()).await.unwrap();
                let chunks = update.chunk_count() as u32;
                let upload = Upload { root: update.root(), chunks, blob, bytes: update.bytes().len() as u64 };
                let signed = next.submit(eligible, update.root(), &self.key);
                (Stage::Submitted(next, shares), Input::Submit(signed, upload))
            }
            (Stage::Submitted(submitted, shares), Duty::Certify(survivors)) => {
                let checked = submitted.check_survivors(survivors.signed().to_vec()).unwrap();
                let (next, signed) = submitted.certify(checked, &self.key);
                (Stage::Certified(next, shares), Input::Certify(signed))
            }
            (Stage::Certified(certified, shares), Duty::Reveal(certificate)) => {
                let certificate = certified.check(certificate.signatures().to_vec()).unwrap();
                let sum = KeyShareSum::of(&shares, &certificate).unwrap();
                (Stage::Done, Input::Reveal(certified.reveal(&certificate, sum.to_bytes(), &self.key)))
            }
            _ => panic!("participant {} is not so far as it should be", self.id),
        };
        self.stage = stage;
        input
    }

    fn invited(&self, plan: &RoundPlan) -> Invited {
        let (_, terms) = Terms::of(JOB, self.roster.roster()).unwrap();
        let Terms { agreement, protection, admission, .. } = terms;
        let accepted = Accepted {
            job: plan.terms.job.clone(),
            agreement,
            protection,
            admission,
            deadlines: plan.terms.deadlines,
        };
        Invited::check(plan.terms.clone(), &accepted, self.roster.clone(), self.id).unwrap()
    }

    fn seal(
        &mut self,
        key: &OneTimeKey,
        cohort: &Cohort,
        threshold: u16,
    ) -> (PublicPart, Vec<(ParticipantId, Vec<u8>)>) {
        let context = SharingContext { dealer: self.id, h1: cohort.h1(), cohort: cohort.ids(), threshold };
        let Sharing { public, shares } = key.share(&context, &mut self.rng).unwrap();
        let seal = |(recipient, share): (ParticipantId, KeyShare)| {
            let public = KemPublic::from_bytes(cohort.kem_key(recipient).unwrap()).unwrap();
            let context = SealContext { sender: self.id, recipient, h1: cohort.h1() };
            (recipient, public.seal(&share.to_bytes(), &context, &mut self.rng))
        };
        (public, shares.into_iter().map(seal).collect())
    }

    async fn open(
        &self,
        coordinator: &Coordinator,
        joined: &Joined,
        kem: &KemSecret,
        cohort: &Cohort,
        dealt: &[Dealt],
    ) -> Shares {
        let mut shares = Shares::new();
        for Dealt { public, blob } in dealt {
            let bundle = Bundle::open(&coordinator.blobs().read(*blob).await.unwrap()).unwrap();
            let (_, sealed) = bundle.into_iter().find(|(to, _)| *to == self.id).unwrap();
            let received = Received { public: public.clone(), sealed };
            joined.check_share(&received).unwrap();
            let context = SealContext { sender: public.from, recipient: self.id, h1: cohort.h1() };
            let share = kem.open(&received.sealed, &context).unwrap();
            shares.insert(public.from, KeyShare::from_bytes(&share, cohort.len()).unwrap());
        }
        shares
    }
}
