//! A participant's side: check, sign, journal, send, in this order, as the shipped agent does.

use std::path::PathBuf;
use std::sync::Arc;

use ed25519_dalek::{SigningKey, VerifyingKey};
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use syndic_ledger::{ShownEntry, VerifierKey};
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::{Journal, Opening, Sent};
use syndic_proto::convert::{Duty, Owed, RoundRef};
use syndic_proto::status::code_of;
use syndic_proto::v1;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_round::coordinator::Bundle;
use syndic_round::message::Kind;
use syndic_round::participant::{Advertised, Bound, Certified, Invited, Joined, Received};
use syndic_round::receipt::{self, Receipt};
use syndic_round::{Contribution, Digest, RoundPlan, SealedRoster, Signed, Timestamp};
use syndic_simulation::engine::{Engine, Held, Key, Member, Opener};
use tokio::sync::Barrier;
use tonic::Response;
use tonic::transport::{Channel, Endpoint};

use crate::federation::{accepted, now};
use crate::{Failure, upload};

/// Connects, waits until all have, and does what is owed until the round is closed.
pub(crate) async fn take_part(
    engine: Engine,
    enrolment: Enrolment,
    roster: Arc<SealedRoster>,
    answer: Contribution,
    folder: PathBuf,
    connected: Arc<Barrier>,
) -> Result<(), Failure> {
    let connector = enrolment.connectors()?.into_iter().next().ok_or("the bundle names a coordinator")?;
    let endpoint = Endpoint::from(connector.endpoint_uri());
    let mut calls = CoordinationClient::new(endpoint.connect_with_connector(connector).await?);
    let mut duties = calls.duties(v1::DutiesRequest::default()).await?.into_inner();
    let journal = Journal::open(&folder.join("journal.sqlite")).await?;
    let rng = ChaCha20Rng::try_from_rng(&mut SysRng)?;
    let mut participant =
        Participant { engine, enrolment, roster, journal, calls, rng, answer: Some(answer) };
    connected.wait().await;
    let mut stage = Stage::Connected;
    while let Some(duty) = duties.message().await? {
        let Duty { ledger, plan, owed, .. } = Duty::try_from(duty)?;
        if matches!(owed, Owed::Over(_)) {
            break;
        }
        stage = participant.perform(stage, &RoundPlan::from_bytes(&plan)?, owed, ledger).await?;
    }
    Ok(())
}

pub(crate) struct Participant {
    engine: Engine,
    enrolment: Enrolment,
    roster: Arc<SealedRoster>,
    pub(crate) journal: Journal,
    pub(crate) calls: CoordinationClient<Channel>,
    rng: ChaCha20Rng,
    answer: Option<Contribution>,
}

/// How far it is, with what it may use.
enum Stage {
    Connected,
    Advertised(Advertised, Opener),
    Dealt(Joined, Opener, Key),
    Bound(Bound, Held, Key),
    Submitted(Bound, Held),
    Certified(Certified, Held),
    Done,
}

impl Participant {
    async fn perform(
        &mut self,
        stage: Stage,
        plan: &RoundPlan,
        owed: Owed,
        ledger: Option<ShownEntry>,
    ) -> Result<Stage, Failure> {
        Ok(match (stage, owed) {
            (Stage::Connected, Owed::Advertise) => self.advertise(plan).await?,
            (Stage::Advertised(advertised, opener), Owed::Deal(adverts)) => {
                self.deal(plan, advertised.join(adverts)?, opener).await?
            }
            (Stage::Dealt(joined, opener, key), Owed::Acknowledge(received)) => {
                self.acknowledge(plan, joined, &opener, key, received).await?
            }
            (Stage::Bound(state, held, key), Owed::Submit(acks)) => {
                self.submit(plan, state, held, key, acks).await?
            }
            (Stage::Submitted(state, held), Owed::Certify(headers)) => {
                self.certify(plan, state, held, headers, ledger).await?
            }
            (Stage::Certified(state, held), Owed::Reveal(signatures)) => {
                self.reveal(plan, state, &held, signatures).await?
            }
            _ => return Err("asked out of turn".into()),
        })
    }

    async fn advertise(&mut self, plan: &RoundPlan) -> Result<Stage, Failure> {
        let invited = Invited::check(
            plan.terms.clone(),
            &accepted(&plan.terms),
            self.roster.clone(),
            self.enrolment.id(),
        )?;
        self.journal.claim_preparation(plan.terms.job.as_str(), plan.terms.number).await?;
        let (opener, public) = self.engine.opener(&mut self.rng);
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        let (advertised, signed) = invited.advertise(public, nonce, self.key());
        self.say(plan, Kind::Advertise, &signed, Vec::new()).await?;
        Ok(Stage::Advertised(advertised, opener))
    }

    async fn deal(&mut self, plan: &RoundPlan, joined: Joined, opener: Opener) -> Result<Stage, Failure> {
        let member = Member { terms: &plan.terms, cohort: joined.cohort(), me: self.enrolment.id() };
        let (key, (public, sealed)) = self.engine.deal(&member, None, &mut self.rng, |_, _| {})?;
        let signed = joined.deal(public, &sealed, self.key());
        self.say(plan, Kind::Dealing, &signed, Bundle::encode(&sealed)).await?;
        Ok(Stage::Dealt(joined, opener, key))
    }

    async fn acknowledge(
        &mut self,
        plan: &RoundPlan,
        joined: Joined,
        opener: &Opener,
        key: Key,
        received: Vec<Received>,
    ) -> Result<Stage, Failure> {
        joined.check_dealers(&received)?;
        let member = Member { terms: &plan.terms, cohort: joined.cohort(), me: self.enrolment.id() };
        let (mut held, mut verdicts) = (self.engine.no_shares(&key), Vec::new());
        for share in &received {
            let public = joined.check_share(share)?;
            let good = opener.take(&member, share.public.from, &public, &share.sealed, &mut held);
            verdicts.push((&share.public, good));
        }
        let (state, signed) = joined.acknowledge(&verdicts, self.key());
        self.say(plan, Kind::Ack, &signed, Vec::new()).await?;
        Ok(Stage::Bound(state.bind(Arc::new(plan.clone()))?, held, key))
    }

    /// Encodes and encrypts. The dither of the encoder is that of every engine, so that sums are.
    async fn submit(
        &mut self,
        plan: &RoundPlan,
        mut state: Bound,
        held: Held,
        key: Key,
        acks: Vec<Signed>,
    ) -> Result<Stage, Failure> {
        let eligible = state.may_submit(acks)?;
        self.bind(plan).await?;
        let answer = self.answer.take().ok_or("a round has one answer")?;
        let mut dither = ChaCha20Rng::seed_from_u64(self.enrolment.id().get().into());
        let mut rng = ChaCha20Rng::from_rng(&mut self.rng);
        let (coding, cohort) = (plan.coding(), state.cohort().clone());
        let spool = self.journal.spool();
        spool.forget(plan.terms.job.as_str())?;
        let file = spool.begin(plan.terms.job.as_str(), plan.terms.number)?;
        let written = tokio::task::spawn_blocking(move || {
            upload::write(key, answer.clip(), &coding, &cohort, (&mut dither, &mut rng), file)
        });
        let header = state.submit(eligible, written.await??, self.key());
        self.upload(plan, &header).await?;
        Ok(Stage::Submitted(state, held))
    }

    async fn certify(
        &mut self,
        plan: &RoundPlan,
        state: Bound,
        held: Held,
        headers: Vec<Signed>,
        ledger: Option<ShownEntry>,
    ) -> Result<Stage, Failure> {
        let shown = ledger.ok_or("the survivor set is not on record")?;
        let roster = self.roster.roster();
        let key =
            VerifierKey::new(&roster.ledger_origin(), VerifyingKey::from_bytes(&roster.coordinator_key)?)?;
        let (checkpoint, entry) = shown.verify(&key, None)?;
        let federation = self.enrolment.federation();
        self.journal.keep_checkpoint(federation, shown.checkpoint.as_bytes(), checkpoint.size()).await?;
        let survivors = state.check_survivors(headers)?;
        if entry.data["digest"] != survivors.digest().to_string() {
            return Err("another survivor set is on record".into());
        }
        self.bind(plan).await?;
        let (certified, signed) = state.certify(survivors, self.key());
        self.say(plan, Kind::Certify, &signed, Vec::new()).await?;
        Ok(Stage::Certified(certified, held))
    }

    async fn reveal(
        &mut self,
        plan: &RoundPlan,
        certified: Certified,
        held: &Held,
        signatures: Vec<Signed>,
    ) -> Result<Stage, Failure> {
        let certificate = certified.check(signatures)?;
        let opening = Opening { round: plan.id, context: certified.cohort().context() };
        self.journal.open_question(fingerprint(plan), plan.terms.job.as_str(), &opening, |_| false).await?;
        let signed = certified.reveal(&certificate, held.reveal(&certificate)?, self.key());
        self.say(plan, Kind::Reveal, &signed, Vec::new()).await?;
        Ok(Stage::Done)
    }

    async fn bind(&self, plan: &RoundPlan) -> Result<(), Failure> {
        self.journal.bind(plan.terms.job.as_str(), plan.terms.number, plan.id, fingerprint(plan)).await?;
        Ok(())
    }

    /// Writes a message down, sends it, and checks the receipt.
    async fn say(
        &mut self,
        plan: &RoundPlan,
        kind: Kind,
        signed: &Signed,
        bundle: Vec<u8>,
    ) -> Result<(), Failure> {
        let bytes = signed.to_bytes();
        let said = [bytes.as_slice(), &bundle].concat();
        let leaving = leaving(plan, kind, said.len() as u64, Digest::of(&said));
        let (job, number) = (plan.terms.job.as_str(), plan.terms.number);
        self.journal.record_leaving(job, number, kind.into(), &bytes, &leaving).await?;
        let wire = v1::Kind::of(kind).ok_or("an upload header is not said alone")?;
        let round = RoundRef { job: plan.terms.job.clone(), id: plan.id };
        let statement = v1::Statement {
            round: Some((&round).into()),
            kind: wire.into(),
            signed: bytes.into(),
            bundle: bundle.into(),
        };
        match self.calls.say(statement).await {
            // The sum is opened with as many reveals as it takes.
            Err(status) if matches!(code_of(&status), Some("round.late" | "round.over")) => Ok(()),
            answer => self.check(plan, kind, signed, answer?).map(drop),
        }
    }

    pub(crate) async fn write_down(
        &self,
        plan: &RoundPlan,
        kind: Kind,
        signed: &Signed,
    ) -> Result<(), Failure> {
        let (job, number) = (plan.terms.job.as_str(), plan.terms.number);
        self.journal.record_message(job, number, kind.into(), &signed.to_bytes()).await?;
        Ok(())
    }

    /// Writes down that bytes are about to leave.
    pub(crate) async fn leave(
        &self,
        plan: &RoundPlan,
        kind: Kind,
        bytes: u64,
        digest: Digest,
    ) -> Result<(), Failure> {
        self.journal.sent(&leaving(plan, kind, bytes, digest)).await?;
        Ok(())
    }

    /// The receipt, if it is for this message.
    pub(crate) fn check(
        &self,
        plan: &RoundPlan,
        kind: Kind,
        message: &Signed,
        answer: Response<v1::Receipt>,
    ) -> Result<Receipt, Failure> {
        let receipt = read(answer)?;
        let (federation, job, round) = (self.enrolment.federation(), &plan.terms.job, plan.id);
        let what = receipt::Received { federation, job, round, kind, message };
        if !receipt.is_for(&what, &VerifyingKey::from_bytes(&self.roster.roster().coordinator_key)?) {
            return Err("the coordinator's receipt does not verify".into());
        }
        Ok(receipt)
    }

    fn key(&self) -> &SigningKey {
        self.enrolment.keys().signing_key()
    }
}

fn read(answer: Response<v1::Receipt>) -> Result<Receipt, Failure> {
    let v1::Receipt { at_ms, signature, .. } = answer.into_inner();
    Ok(Receipt { at: Timestamp(at_ms), signature: signature.as_ref().try_into()? })
}

fn leaving(plan: &RoundPlan, kind: Kind, bytes: u64, digest: Digest) -> Sent {
    let (job, what) = (plan.terms.job.to_string(), kind.name().into());
    Sent { job, place: plan.id.into(), what, bytes, digest, at_ms: now().0 }
}

fn fingerprint(plan: &RoundPlan) -> Digest {
    plan.question_fingerprint("bench")
}
