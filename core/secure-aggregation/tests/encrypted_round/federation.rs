//! A federation in one process: real keys, signatures, cohort and certificates, nothing in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use syndic_round::coordinator::{Bundle, Input, Opening, Round, Upload};
use syndic_round::message::{
    Ack, Advertise, Certify, Context, Dealing, Header, Payload, Reveal, Signed, Verdict,
};
use syndic_round::{
    Block, Certificate, Cohort, Contribution, Deadlines, Digest, EndorsedRoster, JobId, Layout, Member,
    ParameterSet, ParticipantId, PreparationTerms, Protection, Quantised, Rejection, Roster, RoundId,
    RoundPlan, SealedRoster, Sum, SurvivorSet, Timestamp,
};
use syndic_secure_aggregation::{
    Aggregate, EncryptedUpdate, KemPublic, KemSecret, KeyShare, KeyShareSum, Masks, OneTimeKey, SealContext,
    Sharing, SharingContext, reconstruct, unmask,
};

/// A federation whose participants have shared their keys and are about to encrypt.
pub(crate) struct Federation {
    pub(crate) plan: RoundPlan,
    pub(crate) cohort: Cohort,
    pub(crate) masks: Masks,
    /// What each holder opened: the shares of every dealer.
    pub(crate) held: BTreeMap<ParticipantId, BTreeMap<ParticipantId, KeyShare>>,
    pub(crate) keys: BTreeMap<ParticipantId, OneTimeKey>,
    pub(crate) rng: ChaCha20Rng,
    /// What each dealer said, with the measures of its sealed shares.
    dealt: Vec<(Signed, Bundle)>,
    roster: SealedRoster,
    signing: BTreeMap<ParticipantId, SigningKey>,
}

impl Federation {
    /// `n` participants whose vectors have `values` entries of steps -1000..=1000, keys shared.
    pub(crate) fn new(set: ParameterSet, n: u16, values: u32, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        // Ids with gaps, since ids are never reused.
        let ids: Vec<_> = (0..n).map(|k| ParticipantId::new(3 * k + 2).unwrap()).collect();
        let mut bytes = [0; 32];
        let mut signing_key = || {
            rng.fill_bytes(&mut bytes);
            SigningKey::from_bytes(&bytes)
        };
        let signing: BTreeMap<_, _> = ids.iter().map(|&id| (id, signing_key())).collect();
        let roster = roster(&signing);
        let plan = plan(set, &ids, values, roster.digest());

        let secrets: BTreeMap<_, _> = ids.iter().map(|&id| (id, KemSecret::generate(&mut rng))).collect();
        let context = Context { ctx0: plan.context(), h1: None };
        let advertise = |&id: &ParticipantId| {
            let kem_key = secrets[&id].public().to_bytes();
            Advertise { id, kem_key, nonce: [id.get() as u8; 32] }.sign(context, &signing[&id])
        };
        let cohort = Cohort::assemble(&plan.terms, &roster, ids.iter().map(advertise).collect()).unwrap();
        let masks = Masks::new(&cohort.h1());
        let keys = ids.iter().map(|&id| (id, OneTimeKey::generate(&mut rng))).collect();
        let (held, dealt) = (BTreeMap::new(), Vec::new());
        let mut federation = Self { plan, cohort, masks, held, keys, rng, dealt, roster, signing };
        federation.share_keys(&secrets);
        federation
    }

    fn share_keys(&mut self, secrets: &BTreeMap<ParticipantId, KemSecret>) {
        let h1 = self.cohort.h1();
        let (cohort, threshold) = (self.cohort.ids().to_vec(), self.threshold());
        for (&sender, key) in &self.keys {
            let context = SharingContext { dealer: sender, h1, cohort: &cohort, threshold };
            let Sharing { public: part, shares } = key.share(&context, &mut self.rng).unwrap();
            let mut bundle = Vec::new();
            for (recipient, share) in shares {
                let sharing = context;
                let context = SealContext { sender, recipient, h1 };
                let public = KemPublic::from_bytes(self.cohort.kem_key(recipient).unwrap()).unwrap();
                let sealed = public.seal(&share.to_bytes(), &context, &mut self.rng);
                let opened = secrets[&recipient].open(&sealed, &context).unwrap();
                let share = KeyShare::from_bytes(&opened, self.cohort.len()).unwrap();
                share.verify(recipient, &part, &sharing).unwrap();
                self.held.entry(recipient).or_default().insert(sender, share);
                bundle.push((recipient, sealed));
            }
            let shares = bundle.iter().map(|(to, sealed)| (*to, Digest::of(sealed))).collect();
            let dealing = Dealing { id: sender, shares, public: part };
            let signed = dealing.sign(self.cohort.context(), &self.signing[&sender]);
            self.dealt.push((signed, Bundle::measure(&Bundle::encode(&bundle)).unwrap()));
        }
    }

    pub(crate) fn ids(&self) -> Vec<ParticipantId> {
        self.cohort.ids().to_vec()
    }

    pub(crate) fn threshold(&self) -> u16 {
        self.plan.terms.protection.threshold()
    }

    pub(crate) fn set(&self) -> ParameterSet {
        self.plan.terms.protection.parameter_set()
    }

    /// A participant's vector of whole steps, quantised.
    pub(crate) fn quantised(&mut self, steps: &[i64]) -> Quantised {
        let values = steps.iter().map(|&step| step as f64).collect();
        let contribution = Contribution::new(self.plan.layout.clone(), values).unwrap();
        contribution.clip().quantise(&self.plan.coding(), &mut self.rng)
    }

    /// Encrypts the vectors of `steps` under the keys of their participants, which are gone then.
    pub(crate) fn encrypt(
        &mut self,
        steps: &BTreeMap<ParticipantId, Vec<i64>>,
    ) -> BTreeMap<ParticipantId, EncryptedUpdate> {
        let encrypt = |(&id, steps): (&ParticipantId, &Vec<i64>)| {
            let update = self.quantised(steps);
            let key = self.keys.remove(&id).unwrap();
            (id, key.encrypt(update, &self.masks, &mut self.rng))
        };
        steps.iter().map(encrypt).collect()
    }

    pub(crate) fn empty_aggregate(&self) -> Aggregate {
        Aggregate::new(self.set(), self.plan.coefficients() / syndic_round::RING_DIMENSION)
    }

    /// The survivor set `ids`, of their signed headers.
    pub(crate) fn survivors(
        &self,
        updates: &BTreeMap<ParticipantId, EncryptedUpdate>,
        ids: &[ParticipantId],
    ) -> SurvivorSet {
        self.try_survivors(updates, ids).unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) fn try_survivors(
        &self,
        updates: &BTreeMap<ParticipantId, EncryptedUpdate>,
        ids: &[ParticipantId],
    ) -> Result<SurvivorSet, Rejection> {
        let of = |&id: &ParticipantId| (id, updates[&id].chunk_count(), updates[&id].root());
        self.survivors_of(ids.iter().map(of))
    }

    /// The same, of those who uploaded so many chunks with these roots.
    pub(crate) fn survivors_of(
        &self,
        uploads: impl Iterator<Item = (ParticipantId, usize, Digest)>,
    ) -> Result<SurvivorSet, Rejection> {
        let signed = uploads.map(|(id, chunks, root)| self.header(id, chunks as u32, root)).collect();
        SurvivorSet::from_headers(&self.plan, &self.cohort, &self.roster, signed)
    }

    fn header(&self, id: ParticipantId, chunks: u32, root: Digest) -> Signed {
        let header = Header {
            id,
            h1: self.cohort.h1(),
            preparation: self.plan.terms.number,
            round: self.plan.id,
            plan: self.plan.digest(),
            chunks,
            root,
        };
        header.sign(self.cohort.context(), &self.signing[&id])
    }

    /// What the coordinator opens the sum of everybody's `uploads` with, after a round in which everybody said what it
    /// owed and the first t members revealed.
    pub(crate) fn opening(&self, uploads: &BTreeMap<ParticipantId, Upload>) -> Opening {
        let mut round = Round::open(self.plan.clone(), Arc::new(self.roster.clone()), Timestamp(0)).unwrap();
        let mut hear = |input| round = round.step(Timestamp(0), &input).unwrap().next;
        let (context, ids) = (self.cohort.context(), self.ids());
        self.cohort.adverts().iter().for_each(|advert| hear(Input::Advertise(advert.clone())));
        self.dealt.iter().for_each(|(dealing, bundle)| hear(Input::Deal(dealing.clone(), bundle.clone())));
        let good = |(dealing, _): &(Signed, Bundle)| Verdict {
            dealer: dealing.from,
            dealing: dealing.digest(),
            ok: true,
        };
        for &id in &ids {
            let ack = Ack { id, verdicts: self.dealt.iter().map(good).collect() };
            hear(Input::Acknowledge(ack.sign(context, &self.signing[&id])));
        }
        for (&id, upload) in uploads {
            hear(Input::Submit(self.header(id, upload.chunks, upload.root), *upload));
        }
        let survivors = self
            .survivors_of(uploads.iter().map(|(&id, upload)| (id, upload.chunks as usize, upload.root)))
            .unwrap();
        for &id in &ids {
            let certify = Certify { id, survivors: survivors.digest() };
            hear(Input::Certify(certify.sign(context, &self.signing[&id])));
        }
        let revealers = &ids[..usize::from(self.threshold())];
        for (id, sum) in self.reveal(&self.certify(&survivors), revealers) {
            let reveal = Reveal { id, survivors: survivors.digest(), share_sum: sum.to_bytes() };
            hear(Input::Reveal(reveal.sign(context, &self.signing[&id])));
        }
        round.command().expect("everything was said").clone()
    }

    /// The certificate of `survivors`, signed by all of the cohort.
    pub(crate) fn certify(&self, survivors: &SurvivorSet) -> Certificate {
        let sign = |id: ParticipantId| {
            Certify { id, survivors: survivors.digest() }.sign(self.cohort.context(), &self.signing[&id])
        };
        let signatures = self.ids().into_iter().map(sign).collect();
        Certificate::verify(&self.plan, &self.cohort, &self.roster, survivors.clone(), signatures).unwrap()
    }

    /// What `revealers` reveal for `certificate`, after a trip over the wire.
    pub(crate) fn reveal(
        &self,
        certificate: &Certificate,
        revealers: &[ParticipantId],
    ) -> Vec<(ParticipantId, KeyShareSum)> {
        let reveal = |&id: &ParticipantId| {
            let sum = KeyShareSum::of(&self.held[&id], certificate).unwrap();
            (id, KeyShareSum::from_bytes(&sum.to_bytes(), self.cohort.len()).unwrap())
        };
        revealers.iter().map(reveal).collect()
    }

    /// Folds, certifies, reveals (by `revealers`), unmasks and decodes.
    pub(crate) fn open(
        &self,
        updates: &BTreeMap<ParticipantId, EncryptedUpdate>,
        survivors: &[ParticipantId],
        revealers: &[ParticipantId],
    ) -> Sum {
        let mut aggregate = self.empty_aggregate();
        survivors.iter().for_each(|&id| aggregate.fold(id, updates[&id].bytes()).unwrap());
        let survivors = self.survivors(updates, survivors);
        let reveals = self.reveal(&self.certify(&survivors), revealers);
        let restored = reconstruct(&reveals, self.threshold(), self.cohort.len(), &survivors).unwrap();
        let coefficients = unmask(&aggregate, &survivors, &restored.keys, &self.masks).unwrap();
        self.decode(&survivors, &coefficients).unwrap()
    }

    pub(crate) fn decode(
        &self,
        survivors: &SurvivorSet,
        coefficients: &[i64],
    ) -> Result<Sum, syndic_round::vector::SumError> {
        Sum::decode(self.plan.layout.clone(), &self.plan.coding(), survivors.len() as u16, coefficients)
    }
}

fn roster(signing: &BTreeMap<ParticipantId, SigningKey>) -> SealedRoster {
    let member = |(&id, key): (&ParticipantId, &SigningKey)| {
        let signing_key = key.verifying_key().to_bytes();
        Member { id, name: format!("site-{id}"), signing_key }
    };
    let members = signing.iter().map(member).collect();
    let roster =
        Roster { federation: "test".into(), members, coordinator_key: [9; 32], approvers: Vec::new() };
    let endorsements = signing.iter().map(|(&id, key)| roster.endorse(id, key)).collect();
    EndorsedRoster { roster, endorsements }.verify().unwrap()
}

/// A plan for `ids`, whose vectors have `values` entries of steps -1000..=1000.
pub(crate) fn plan(set: ParameterSet, ids: &[ParticipantId], values: u32, roster: Digest) -> RoundPlan {
    let block = Block { name: "values".into(), len: values, bound: 1000.0, resolution: 1.0 };
    let plan = RoundPlan {
        terms: PreparationTerms {
            federation: "test".into(),
            roster,
            job: JobId::new("sum").unwrap(),
            agreement: Digest::of(b"agreement"),
            number: 1,
            protection: Protection::default_for(set, ids.len() as u16).unwrap(),
            admitted: ids.to_vec(),
            deadlines: Deadlines { advertise: 1, share: 1, collect: 1, certify: 1, reveal: 1 },
        },
        id: RoundId { round: 1, attempt: 1 },
        question: Digest::of(b"question"),
        layout: Layout::new(vec![block]).unwrap(),
        carrier: Default::default(),
    };
    plan.check().unwrap();
    plan
}
