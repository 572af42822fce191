//! Doing the duties of a round: check, sign, journal, send, in this order.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use ed25519_dalek::VerifyingKey;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use syndic_learning::{JobRun, Program, Question};
use syndic_ledger::ShownEntry;
use syndic_proto::convert::{Owed, RoundRef};
use syndic_round::coordinator::Bundle;
use syndic_round::message::Kind;
use syndic_round::participant::{Invited, Received};
use syndic_round::receipt::{Receipt, Received as Receipted};
use syndic_round::survivors::differ_by_one;
use syndic_round::{Digest, ParticipantId, Quantised, Rejection, RoundId, RoundPlan, Signed, Voided};
use syndic_secure_aggregation::{
    KemPublic, KemSecret, KeyShare, KeyShareSum, Masks, OneTimeKey, SealContext, Sharing, SharingContext,
};
use tonic::Status;
use tracing::warn;

use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::{Holding, Said, Seat, Shares, Stage, Training, joined};
use super::{Agent, leaving, system_randomness};
use crate::journal::Opening;

impl Agent {
    /// Does one duty of a round, or says again what was said for it.
    pub(super) async fn perform(
        &self,
        link: &mut Link,
        seat: &mut Option<Seat>,
        round: &RoundRef,
        plan: &RoundPlan,
        owed: Owed,
        beside: Beside,
    ) -> Result<(), Undone> {
        let Beside { voided, ledger } = beside;
        // Also where the signature is only said again: the next proof goes on from this one.
        let on_record = match owed {
            Owed::Certify(_) => Some(self.on_record(round, ledger).await?),
            _ => None,
        };
        if let Owed::Void(adverts) = owed {
            return self.void(link, seat, round, plan, adverts).await;
        }
        let Some(current) = seat.as_mut().filter(|seat| seat.round == *round) else {
            return match owed {
                Owed::Advertise => self.advertise(link, seat, round, plan).await,
                _ => self.say_from_journal(link, round, plan, kind_of(&owed)).await,
            };
        };
        // One plan for a round: another one under its number is a lie.
        if *current.plan != *plan {
            return Err(Declined::Coordinator(Rejection::Mismatch("plan or question")).into());
        }
        let kind = kind_of(&owed);
        if !kind.is_some_and(|kind| current.said.contains_key(&kind)) {
            match owed {
                Owed::Deal(adverts) => self.deal(current, adverts).await?,
                Owed::Acknowledge(received) => self.acknowledge(current, received).await?,
                Owed::Submit(acks) => self.encrypt(current, acks).await?,
                Owed::Certify(headers) => self.certify(current, headers, on_record).await?,
                Owed::Reveal(signatures) => self.reveal(current, signatures, &voided).await?,
                Owed::Void(_) | Owed::Advertise | Owed::Over(_) | Owed::JobOver(_) => return Ok(()),
            }
        }
        self.say_again(link, current, kind).await
    }

    /// After a restart the secrets of the round are gone, but what was written down about the survivor set can
    /// still be said, in the same bytes; anything else is declined.
    async fn say_from_journal(
        &self,
        link: &mut Link,
        round: &RoundRef,
        plan: &RoundPlan,
        kind: Option<Kind>,
    ) -> Result<(), Undone> {
        let Some(kind @ (Kind::Certify | Kind::Reveal)) = kind else {
            return Err(Declined::Restarted.into());
        };
        let written = self.journal.message(plan.job.as_str(), plan.preparation, kind.into()).await?;
        let signed = written.and_then(|bytes| Signed::from_bytes(&bytes).ok()).ok_or(Declined::Restarted)?;
        self.journal.sent(&leaving(round, kind, &signed.to_bytes())).await?;
        let receipt = link.say(round, kind, &signed, &[]).await?;
        self.check_receipt(round, kind, &signed, &receipt)
    }

    /// Phase A, and the beginning of the local work.
    async fn advertise(
        &self,
        link: &mut Link,
        seat: &mut Option<Seat>,
        round: &RoundRef,
        plan: &RoundPlan,
    ) -> Result<(), Undone> {
        // Whatever round was in progress is over, its secrets with it.
        *seat = None;
        let accepted = self.accepted(link, plan).await?;
        let invited = Invited::check(plan.clone(), &accepted.terms, self.roster.clone(), self.id)?;
        let plan = invited.plan().clone();
        let bytes = link.fetch(plan.question).await?;
        let question = Question::from_bytes(&bytes).map_err(Declined::from)?;
        question.approved_by(&accepted.job).map_err(Declined::from)?;
        if question.layout().map_err(Declined::from)? != plan.layout {
            return Err(Declined::Coordinator(Rejection::NotAgreed("layout")).into());
        }
        self.journal.claim_preparation(plan.job.as_str(), plan.preparation).await?;

        let mut rng = system_randomness();
        let kem = KemSecret::generate(&mut rng);
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let key = self.enrolment.keys().signing_key();
        let (advertised, signed) = invited.advertise(kem.public().to_bytes(), nonce, key);

        let slot = question.slot();
        let table = accepted.table.clone();
        let mut local = self.local_randomness(&plan);
        let coding = plan.coding();
        let work = move || answer(&question, &table, &coding, &mut local);
        let mut taken = Seat {
            round: round.clone(),
            fingerprint: plan.question_fingerprint(&slot),
            plan,
            stage: Stage::Advertised(advertised, kem),
            training: Training::Running(tokio::task::spawn_blocking(work)),
            said: Default::default(),
        };
        self.write_down(&mut taken, Kind::Advertise, signed, Vec::new()).await?;
        let taken = seat.insert(taken);
        self.say_again(link, taken, Some(Kind::Advertise)).await
    }

    /// Phase B: the key is made here and shared at once.
    async fn deal(&self, seat: &mut Seat, adverts: Vec<Signed>) -> Result<(), Undone> {
        let Stage::Advertised(advertised, kem) = seat.take_stage() else { return Err(out_of_turn()) };
        let joined = advertised.join(adverts)?;
        let cohort = joined.cohort().clone();
        let mut rng = system_randomness();
        let key = Box::new(OneTimeKey::generate(&mut rng));
        let threshold = seat.plan.protection.threshold();
        let context = SharingContext { dealer: self.id, h1: cohort.h1(), cohort: cohort.ids(), threshold };
        let Sharing { public, shares } = key.share(&context, &mut rng).map_err(Declined::from)?;
        #[cfg(feature = "tap")]
        if let Some(observer) = &self.observer {
            observer.shared(&seat.round, &shares);
        }
        let mut sealed = Vec::with_capacity(shares.len());
        for (recipient, share) in &shares {
            let public = KemPublic::from_bytes(cohort.kem_key(*recipient)?).map_err(Declined::from)?;
            let context = SealContext { sender: self.id, recipient: *recipient, h1: cohort.h1() };
            sealed.push((*recipient, public.seal(&share.to_bytes(), &context, &mut rng)));
        }
        let signed = joined.deal(public, &sealed, self.enrolment.keys().signing_key());
        self.write_down(seat, Kind::Dealing, signed, Bundle::encode(&sealed)).await?;
        seat.stage = Stage::Dealt(joined, kem, key);
        Ok(())
    }

    /// Phase C: every share is opened and verified against what its dealer published.
    async fn acknowledge(&self, seat: &mut Seat, received: Vec<Received>) -> Result<(), Undone> {
        let Stage::Dealt(joined, kem, key) = seat.take_stage() else { return Err(out_of_turn()) };
        let cohort = joined.cohort().clone();
        joined.check_dealers(&received)?;
        let (mut shares, threshold) = (Shares::new(), seat.plan.protection.threshold());
        for share in &received {
            let dealer = share.public.from;
            let context = SealContext { sender: dealer, recipient: self.id, h1: cohort.h1() };
            // A share that nobody signed is the coordinator's doing; one that does not open is its dealer's.
            let public = joined.check_share(share)?;
            let sharing = SharingContext { dealer, h1: cohort.h1(), cohort: cohort.ids(), threshold };
            match open(&kem, &share.sealed, &context, cohort.len()) {
                Some(opened) => match opened.verify(self.id, &public, &sharing) {
                    Ok(()) => {
                        shares.insert(dealer, opened);
                    }
                    Err(error) => {
                        warn!(%dealer, round = %seat.round.id, code = error.code(), %error, "complaining of a key share");
                    }
                },
                None => warn!(%dealer, round = %seat.round.id, "a key share does not open; complaining"),
            }
        }
        let held = |dealer: &ParticipantId| shares.contains_key(dealer);
        let verdicts: Vec<_> =
            received.iter().map(|share| (&share.public, held(&share.public.from))).collect();
        let (state, signed) = joined.acknowledge(&verdicts, self.enrolment.keys().signing_key());
        self.write_down(seat, Kind::Ack, signed, Vec::new()).await?;
        seat.stage = Stage::Acknowledged(Holding { state, shares }, key);
        Ok(())
    }

    /// Phase D: the one-time key encrypts the one answer and is gone. Called when the answer is ready.
    async fn encrypt(&self, seat: &mut Seat, acks: Vec<Signed>) -> Result<(), Undone> {
        let Stage::Acknowledged(mut holding, key) = seat.take_stage() else { return Err(out_of_turn()) };
        let quantised = finished(std::mem::replace(&mut seat.training, Training::Gone)).await?;
        let eligible = holding.state.may_submit(acks)?;
        let plan = &seat.plan;
        // If we crash here the preparation is bound and its key is lost: the attempt is declined, never
        // answered with another key.
        self.journal.bind(plan.job.as_str(), plan.preparation, plan.id, seat.fingerprint).await?;
        #[cfg(feature = "tap")]
        if let Some(observer) = &self.observer {
            observer.answered(&seat.round, quantised.coefficients());
        }
        let masks = Masks::new(&holding.state.cohort().h1());
        let coefficients = quantised.coefficients().len() as u64;
        let work = move || {
            let began = Instant::now();
            let update = key.encrypt(quantised, &masks, &mut system_randomness());
            (update, began.elapsed().as_nanos() as u64)
        };
        let (update, nanos) = joined(tokio::task::spawn_blocking(work).await)?;
        self.count_encryption(coefficients, nanos);
        let header = holding.state.submit(eligible, update.root(), self.enrolment.keys().signing_key());
        self.write_down(seat, Kind::Header, header, update.into_bytes()).await?;
        seat.stage = Stage::Submitted(holding);
        Ok(())
    }

    /// Phase E: after this, this participant helps to open no other set.
    async fn certify(
        &self,
        seat: &mut Seat,
        headers: Vec<Signed>,
        on_record: Option<Digest>,
    ) -> Result<(), Undone> {
        let holding = match seat.take_stage() {
            Stage::Submitted(holding) => holding,
            // Too late with its own update, it can still help to open the others' sum; its key is wiped.
            Stage::Acknowledged(holding, _key) => holding,
            _ => return Err(out_of_turn()),
        };
        let survivors = holding.state.check_survivors(headers)?;
        if on_record != Some(survivors.digest()) {
            return Err(Declined::NotOnRecord.into());
        }
        self.compare_with_last(&seat.plan, survivors.ids());
        let plan = &seat.plan;
        self.journal.bind(plan.job.as_str(), plan.preparation, plan.id, seat.fingerprint).await?;
        let (certified, signed) = holding.state.certify(survivors, self.enrolment.keys().signing_key());
        self.write_down(seat, Kind::Certify, signed, Vec::new()).await?;
        seat.stage = Stage::Certified(certified, holding.shares);
        Ok(())
    }

    /// Phase F: in one attempt at a question, ever, that is not void.
    async fn reveal(
        &self,
        seat: &mut Seat,
        signatures: Vec<Signed>,
        voided: &VoidedAttempts,
    ) -> Result<(), Undone> {
        let Stage::Certified(certified, shares) = seat.take_stage() else { return Err(out_of_turn()) };
        let certificate = certified.check(signatures)?;
        let plan = &seat.plan;
        // If we crash here the question counts as opened although nothing was revealed: too careful, never
        // the other way round.
        let opening = Opening { round: plan.id, context: certified.cohort().context() };
        let is_void = |earlier: &Opening| self.is_void(plan, earlier, voided);
        self.journal.open_question(seat.fingerprint, plan.job.as_str(), &opening, is_void).await?;
        let sum = KeyShareSum::of(&shares, &certificate).map_err(Declined::from)?;
        let signed = certified.reveal(&certificate, sum.to_bytes(), self.enrolment.keys().signing_key());
        self.write_down(seat, Kind::Reveal, signed, Vec::new()).await
    }

    /// Warns where two consecutive sums are over sets that differ by one institution: their difference says something of
    /// that one, which encryption cannot hide (rule 10).
    fn compare_with_last(&self, plan: &RoundPlan, survivors: &[ParticipantId]) {
        let mut last = self.last_survivors.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (plan.job.clone(), survivors.to_vec());
        if let Some((job, before)) = last.replace(now)
            && job == plan.job
            && let Some(lone) = differ_by_one(&before, survivors)
        {
            let participant = self.enrolment.name();
            warn!(
                participant, round = %plan.id, differs_by = %lone,
                "two consecutive survivor sets differ by one institution; the difference of their sums says something of it"
            );
        }
    }

    /// Whether enough members promised never to open the earlier attempt.
    fn is_void(&self, plan: &RoundPlan, earlier: &Opening, voided: &VoidedAttempts) -> bool {
        let Opening { round, context } = *earlier;
        let (protection, admitted, roster) = (&plan.protection, &plan.admitted, &self.roster);
        let is_proof = |promises: &Vec<Signed>| {
            Voided::verify(round, context, protection, admitted, roster, promises.clone()).is_ok()
        };
        voided.iter().any(|(id, promises)| *id == round && is_proof(promises))
    }

    /// Promises never to reveal in an attempt, which can then never be opened. Works after a restart too: what it takes
    /// is the journal.
    async fn void(
        &self,
        link: &mut Link,
        seat: &mut Option<Seat>,
        round: &RoundRef,
        plan: &RoundPlan,
        adverts: Vec<Signed>,
    ) -> Result<(), Undone> {
        let accepted = self.accepted(link, plan).await?;
        Invited::check(plan.clone(), &accepted.terms, self.roster.clone(), self.id)?;
        let (job, preparation) = (plan.job.as_str(), plan.preparation);
        let own = self.journal.message(job, preparation, Kind::Advertise.into()).await?;
        let own = own.and_then(|bytes| Signed::from_bytes(&bytes).ok()).ok_or(Declined::Restarted)?;
        let key = self.enrolment.keys().signing_key();
        let signed = Invited::void(plan, &self.roster, adverts, &own, key)?;
        // If we crash here nothing was promised, and the next start is asked again. After it no reveal of this
        // preparation can be written any more, so none can be sent.
        self.journal.record_message(job, preparation, Kind::Void.into(), &signed.to_bytes()).await?;
        // The shares of the attempt go with its seat.
        if seat.as_ref().is_some_and(|seat| seat.plan.preparation == preparation && seat.plan.job == plan.job)
        {
            *seat = None;
        }
        self.journal.sent(&leaving(round, Kind::Void, &signed.to_bytes())).await?;
        let receipt = link.say(round, Kind::Void, &signed, &[]).await?;
        self.check_receipt(round, Kind::Void, &signed, &receipt)
    }

    /// Makes a message durable before anybody hears of it (rule 4).
    async fn write_down(
        &self,
        seat: &mut Seat,
        kind: Kind,
        signed: Signed,
        attached: Vec<u8>,
    ) -> Result<(), Undone> {
        let plan = &seat.plan;
        // If we crash here the message is written down but not sent; its secrets are gone, so the attempt is
        // declined after the restart and no second message of its kind can be written.
        let bytes = signed.to_bytes();
        self.journal.record_message(plan.job.as_str(), plan.preparation, kind.into(), &bytes).await?;
        seat.said.insert(kind, Said { signed, attached });
        Ok(())
    }

    async fn say_again(&self, link: &mut Link, seat: &Seat, kind: Option<Kind>) -> Result<(), Undone> {
        let Some((kind, said)) = kind.and_then(|kind| Some((kind, seat.said.get(&kind)?))) else {
            return Ok(());
        };
        let bytes = [said.signed.to_bytes(), said.attached.clone()].concat();
        self.journal.sent(&leaving(&seat.round, kind, &bytes)).await?;
        let receipt = match kind {
            Kind::Header => link.submit(&seat.round, &said.signed, &said.attached).await?,
            _ => link.say(&seat.round, kind, &said.signed, &said.attached).await?,
        };
        self.check_receipt(&seat.round, kind, &said.signed, &receipt)?;
        if kind == Kind::Header {
            self.journal.keep_receipt(seat.plan.job.as_str(), seat.plan.id, &receipt).await?;
        }
        Ok(())
    }

    /// Without the coordinator's signed word a message counts as not said: the connection begins anew, and so does this.
    fn check_receipt(
        &self,
        round: &RoundRef,
        kind: Kind,
        message: &Signed,
        receipt: &Receipt,
    ) -> Result<(), Undone> {
        let federation = self.enrolment.federation();
        let what = Receipted { federation, job: &round.job, round: round.id, kind, message };
        let key = VerifyingKey::from_bytes(&self.roster.roster().coordinator_key);
        match key {
            Ok(key) if receipt.is_for(&what, &key) => Ok(()),
            _ => Err(Status::unavailable("the coordinator's receipt does not verify").into()),
        }
    }
}

/// What comes beside a duty, to be believed only once it is verified.
pub(super) struct Beside {
    /// Earlier attempts at the question that are said to be void, with the promises.
    pub(super) voided: Vec<(RoundId, Vec<Signed>)>,
    /// Where in the ledger the survivor set is said to be.
    pub(super) ledger: Option<ShownEntry>,
}

/// Attempts that are said to be void, with the promises.
type VoidedAttempts = [(RoundId, Vec<Signed>)];

/// The local half of the program, to integers that cannot overflow the sum.
fn answer(
    question: &Question,
    table: &Arc<syndic_learning::Table>,
    coding: &syndic_round::Coding,
    rng: &mut ChaCha20Rng,
) -> Result<Quantised, Declined> {
    let clipped = JobRun::answer(question, table, rng)?.clip();
    if clipped.clamped() > 0 {
        warn!(
            values = clipped.clamped(),
            question = question.kind(),
            "values were clipped to the plan's bounds"
        );
    }
    Ok(clipped.quantise(coding, rng))
}

/// The finished answer; waits for it where it is not finished.
async fn finished(mut training: Training) -> Result<Quantised, Undone> {
    training.finish().await;
    match training {
        Training::Finished(answer) => Ok(answer?),
        Training::Running(_) | Training::Gone => Err(out_of_turn()),
    }
}

fn open(kem: &KemSecret, sealed: &[u8], context: &SealContext, cohort: usize) -> Option<KeyShare> {
    let bytes = kem.open(sealed, context).ok()?;
    KeyShare::from_bytes(&bytes, cohort).ok()
}

fn kind_of(owed: &Owed) -> Option<Kind> {
    match owed {
        Owed::Advertise => Some(Kind::Advertise),
        Owed::Deal(_) => Some(Kind::Dealing),
        Owed::Acknowledge(_) => Some(Kind::Ack),
        Owed::Submit(_) => Some(Kind::Header),
        Owed::Certify(_) => Some(Kind::Certify),
        Owed::Reveal(_) => Some(Kind::Reveal),
        Owed::Void(_) => Some(Kind::Void),
        Owed::Over(_) | Owed::JobOver(_) => None,
    }
}

/// The coordinator asked for something that this participant's stage does not allow.
fn out_of_turn() -> Undone {
    Declined::Coordinator(Rejection::Early).into()
}
