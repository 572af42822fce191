//! Doing the duties of a round: check, sign, journal, send, in this order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use syndic_learning::{JobTable, Model, Question};
use syndic_ledger::Entry;
use syndic_proto::convert::{Owed, PlaceRef, RoundRef};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::survivors::differ_by_one;
use syndic_round::{
    Carrier, Contribution, Digest, ParticipantId, Rejection, RoundId, RoundPlan, Signed, Voided,
};
use syndic_secure_aggregation::{Masks, SmallVector, VectorShape};
use tracing::warn;

use super::error::{Declined, Undone};
use super::link::Link;
use super::outside::Outside;
use super::seat::{Answer, Holding, Keys, Preparing, Seat, Seats, Secret, Stage, Training, joined};
use super::upload::encrypt_into_file;
use super::{Agent, kind_of, leaving, out_of_turn};
use crate::journal::Opening;

impl Agent {
    /// Does one duty of a round, or says again what was said for it.
    pub(super) async fn perform(
        &self,
        link: &mut Link,
        seats: &mut Seats,
        round: &RoundRef,
        plan: &RoundPlan,
        owed: Owed,
        beside: Beside,
    ) -> Result<(), Undone> {
        let Beside { voided, believed } = beside;
        let on_record = match owed {
            Owed::Certify(_) => Some(Self::on_record(round, believed)?),
            _ => None,
        };
        if let Owed::Void(adverts) = owed {
            return self.void(link, seats, round, plan, adverts).await;
        }
        let Some(current) = seats.round.as_mut().filter(|seat| seat.round == *round) else {
            return match owed {
                Owed::Advertise => self.advertise(link, seats, round, plan).await,
                _ => {
                    self.pace.slow_down().await;
                    self.say_from_journal(link, round, plan, kind_of(&owed)).await
                }
            };
        };
        // One plan for a round: another one under its number is a lie.
        if *current.plan != *plan {
            return Err(Declined::Coordinator(Rejection::Mismatch("plan or question")).into());
        }
        let kind = kind_of(&owed);
        let at = PlaceRef::from(round.clone());
        let is_keys = matches!(kind, Some(Kind::Advertise | Kind::Dealing | Kind::Ack));
        let said = if is_keys { &current.preparing.said } else { &current.said };
        if kind.is_some_and(|kind| said.contains_key(&kind)) {
            self.pace.slow_down().await;
        } else {
            match owed {
                Owed::Deal(_) | Owed::Acknowledge(_) => {
                    let vector = match owed {
                        Owed::Deal(_) => self.to_share(current).await?,
                        _ => None,
                    };
                    self.prepare(&mut current.preparing, &at, owed, vector).await?;
                    current.bind()?;
                }
                Owed::Submit(acks) => {
                    self.encrypt(current, acks).await?;
                    self.pace.came_to_something();
                }
                Owed::Certify(headers) => self.certify(current, headers, on_record).await?,
                Owed::Reveal(signatures) => self.reveal(current, signatures, &voided).await?,
                Owed::Void(_) | Owed::Advertise | Owed::Over(_) | Owed::JobOver(_) | Owed::ModelStaged => {
                    return Ok(());
                }
            }
        }
        let said = if is_keys { &mut current.preparing.said } else { &mut current.said };
        self.say(link, &at, said, kind).await
    }

    /// Phase A of a round that makes its own preparation, and the beginning of the local work.
    async fn advertise(
        &self,
        link: &mut Link,
        seats: &mut Seats,
        round: &RoundRef,
        plan: &RoundPlan,
    ) -> Result<(), Undone> {
        // Whatever round was in progress is over, its secrets with it, and so is what was prepared for this one.
        (seats.round, seats.ahead) = (None, None);
        self.pace.slow_down().await;
        let accepted = self.accepted(link, &plan.terms).await?;
        let invited = Invited::check(plan.terms.clone(), &accepted.terms, self.roster.clone(), self.id)?;
        let question = self.question(link, plan).await?;
        let at = PlaceRef::from(round.clone());
        let preparing = self.begin_keys(&at, invited).await?;
        let taken = seats.round.insert(self.sit(plan, round, question, preparing).await?);
        self.say(link, &at, &mut taken.preparing.said, Some(Kind::Advertise)).await
    }

    /// Takes up a round whose preparation was made ahead: the question is checked, the keys are bound to it, and the
    /// local work begins. Nothing to do where the round is taken up already.
    pub(super) async fn take_up(
        &self,
        link: &mut Link,
        seats: &mut Seats,
        round: &RoundRef,
        plan: &RoundPlan,
    ) -> Result<(), Undone> {
        if seats.round.as_ref().is_some_and(|seat| seat.round == *round) {
            return Ok(());
        }
        let serves = |ahead: &mut Preparing| ahead.terms.number == plan.terms.number;
        let Some(ahead) = seats.ahead.as_ref().filter(|ahead| ahead.terms.number == plan.terms.number) else {
            return Ok(());
        };
        // Only keys are prepared ahead, and only under the terms that were checked then; what is shared under any other
        // terms would be open to whoever those let in.
        if *ahead.terms != plan.terms || plan.carrier != Carrier::Ring {
            return Err(Declined::Coordinator(Rejection::Mismatch("preparation")).into());
        }
        // Who was away while they were acknowledged has nothing to take up, and the coordinator has not lied.
        let Keys::Ready(..) = ahead.keys else { return Err(out_of_turn()) };
        // The keys are taken once nothing can fail any more: a connection that is lost must not cost them.
        let question = self.question(link, plan).await?;
        let Some(preparing) = seats.ahead.take_if(serves) else { return Ok(()) };
        let mut seat = self.sit(plan, round, question, preparing).await?;
        seat.bind()?;
        seats.round = Some(seat);
        Ok(())
    }

    /// The question of a plan, once it was fetched and found to be one of the accepted job.
    async fn question(&self, link: &mut Link, plan: &RoundPlan) -> Result<Question, Undone> {
        let accepted = self.accepted(link, &plan.terms).await?;
        let bytes = link.fetch(plan.question).await?;
        let question = Question::from_bytes(&bytes).map_err(Declined::from)?;
        question.approved_by(&accepted.job).map_err(Declined::from)?;
        if question.layout().map_err(Declined::from)? != plan.layout {
            return Err(Declined::Coordinator(Rejection::NotAgreed("layout")).into());
        }
        let lot = plan.question_fingerprint(&question.lot());
        if plan.terms.admitted != accepted.terms.admission.of_question(plan.terms.agreement, lot) {
            return Err(Declined::Coordinator(Rejection::NotAgreed("institutions drawn by lot")).into());
        }
        if plan.carrier != accepted.job.carrier_of(&plan.layout, plan.terms.protection.admitted()) {
            return Err(Declined::Coordinator(Rejection::NotAgreed("way of small vectors")).into());
        }
        Ok(question)
    }

    /// A seat in a round, with the local work begun.
    async fn sit(
        &self,
        plan: &RoundPlan,
        round: &RoundRef,
        question: Question,
        preparing: Preparing,
    ) -> Result<Seat, Undone> {
        let Some(approved) = self.accepted.get(plan.terms.agreement) else {
            return Err(out_of_turn());
        };
        let fingerprint = plan.question_fingerprint(&question.slot());
        let is_seeded = !question.adds_noise();
        let models = self.compared(&approved.job).await?;
        let (mut local, plan) = (self.local_randomness(plan, is_seeded), Arc::new(plan.clone()));
        let training = if question.for_trainer().is_some() {
            let (trainer, participant) = (self.trainer.clone(), self.enrolment.name().to_owned());
            let clipped = self.clipped.clone();
            let outside = Outside { trainer, approved, question, plan: plan.clone(), participant, clipped };
            Training::begin_outside(outside.answer(local))
        } else {
            let (plan, table) = (plan.clone(), approved.table.clone());
            let clipped = if is_seeded { self.clipped.clone() } else { Arc::default() };
            // Why rows give no answer says something exact of them, which must not be told in a job with noise.
            let told = if question.adds_noise() { Declined::without_detail } else { std::convert::identity };
            let work = move || {
                answer((&question, models.as_slice()), &table, &plan, &mut local, &clipped).map_err(told)
            };
            Training::begin(self.working.clone(), work)
        };
        Ok(Seat {
            round: round.clone(),
            plan,
            fingerprint,
            preparing,
            stage: Stage::Preparing,
            training,
            said: BTreeMap::new(),
        })
    }

    /// Phase B of an update that is shared itself: the answer, once it is ready. None where keys are shared.
    async fn to_share(&self, seat: &mut Seat) -> Result<Option<(VectorShape, SmallVector)>, Undone> {
        let Some(shape) = shape_of(&seat.plan) else { return Ok(None) };
        let plan = &seat.plan;
        if *seat.preparing.terms != plan.terms {
            return Err(Declined::Coordinator(Rejection::Mismatch("preparation")).into());
        }
        // If we crash here the preparation is bound and its update is lost: the attempt is declined, never answered with
        // other shares.
        self.journal.bind(plan.terms.job.as_str(), plan.terms.number, plan.id, seat.fingerprint).await?;
        match finished(std::mem::replace(&mut seat.training, Training::Gone)).await? {
            Answer::Elements(vector) => Ok(Some((shape, vector))),
            Answer::Coefficients(_) => Err(out_of_turn()),
        }
    }

    /// Phase D of an update that is shared itself: a header over the sharing, and nothing behind it.
    async fn submit_shared(
        &self,
        seat: &mut Seat,
        mut holding: Holding,
        acks: Vec<Signed>,
    ) -> Result<(), Undone> {
        let eligible = holding.state.may_submit(acks)?;
        let header = holding.state.submit_shared(eligible, self.enrolment.keys().signing_key())?;
        self.write_down_in(seat, Kind::Header, header, Vec::new()).await?;
        seat.stage = Stage::Submitted(holding);
        Ok(())
    }

    /// Phase D: the one-time key encrypts the one answer and is gone. Called when the answer is ready.
    async fn encrypt(&self, seat: &mut Seat, acks: Vec<Signed>) -> Result<(), Undone> {
        let (mut holding, key) = match seat.take_stage() {
            Stage::Bound(holding, Secret::Key(key)) => (holding, key),
            Stage::Bound(holding, Secret::Update) => return self.submit_shared(seat, holding, acks).await,
            _ => return Err(out_of_turn()),
        };
        let answer = finished(std::mem::replace(&mut seat.training, Training::Gone)).await?;
        let Answer::Coefficients(answer) = answer else { return Err(out_of_turn()) };
        let eligible = holding.state.may_submit(acks)?;
        let plan = &seat.plan;
        // If we crash here the preparation is bound and its key is lost: the attempt is declined, never
        // answered with another key.
        self.journal.bind(plan.terms.job.as_str(), plan.terms.number, plan.id, seat.fingerprint).await?;
        #[cfg(feature = "tap")]
        if let Some(observer) = &self.observer {
            observer.answered(&seat.round, &super::upload::all_of(&*answer));
        }
        let (job, preparation) = (plan.terms.job.as_str(), plan.terms.number);
        self.journal.spool().forget(job)?;
        let masks = Masks::new(&holding.state.cohort().h1());
        let file = self.journal.spool().begin(job, preparation)?;
        let work = move || encrypt_into_file(*key, *answer, &masks, file);
        let (root, cost) = joined(tokio::task::spawn_blocking(work).await)??;
        self.count_encryption(cost);
        let header = holding.state.submit(eligible, root, self.enrolment.keys().signing_key());
        // If we crash here the update is stored but its header is not: nothing claims the file, and the attempt is
        // declined. From the next line on both can be said again, also after a restart.
        self.write_down_in(seat, Kind::Header, header, Vec::new()).await?;
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
            Stage::Bound(holding, _key) => holding,
            _ => return Err(out_of_turn()),
        };
        let survivors = holding.state.check_survivors(headers)?;
        if on_record != Some(survivors.digest()) {
            return Err(Declined::NotOnRecord.into());
        }
        self.compare_with_last(&seat.plan, survivors.ids());
        let plan = &seat.plan;
        self.journal.bind(plan.terms.job.as_str(), plan.terms.number, plan.id, seat.fingerprint).await?;
        let (certified, signed) = holding.state.certify(survivors, self.enrolment.keys().signing_key());
        self.write_down_in(seat, Kind::Certify, signed, Vec::new()).await?;
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
        self.journal.open_question(seat.fingerprint, plan.terms.job.as_str(), &opening, is_void).await?;
        let sum = shares.sum(&certificate).map_err(Declined::from)?;
        let signed = certified.reveal(&certificate, sum, self.enrolment.keys().signing_key());
        self.write_down_in(seat, Kind::Reveal, signed, Vec::new()).await
    }

    /// Warns where two consecutive sums are over sets that differ by one institution: their difference says something of
    /// that one, which encryption cannot hide (rule 10).
    fn compare_with_last(&self, plan: &RoundPlan, survivors: &[ParticipantId]) {
        let mut last = self.last_survivors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = last.insert(plan.terms.job.clone(), survivors.to_vec())
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
        let (protection, admitted, roster) = (&plan.terms.protection, &plan.terms.admitted, &self.roster);
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
        seats: &mut Seats,
        round: &RoundRef,
        plan: &RoundPlan,
        adverts: Vec<Signed>,
    ) -> Result<(), Undone> {
        self.pace.slow_down().await;
        let accepted = self.accepted(link, &plan.terms).await?;
        Invited::check(plan.terms.clone(), &accepted.terms, self.roster.clone(), self.id)?;
        let (job, preparation) = (plan.terms.job.as_str(), plan.terms.number);
        let own = self.journal.message(job, preparation, Kind::Advertise.into()).await?;
        let own = own.and_then(|bytes| Signed::from_bytes(&bytes).ok()).ok_or(Declined::Restarted)?;
        let key = self.enrolment.keys().signing_key();
        let signed = Invited::void(plan, &self.roster, adverts, &own, key)?;
        // If we crash here nothing was promised, and the next start is asked again. After it no reveal of this
        // preparation can be written any more, so none can be sent.
        let at = PlaceRef::from(round.clone());
        let (bytes, kind) = (signed.to_bytes(), Kind::Void);
        let leaving = leaving(&at, kind, &bytes);
        self.journal.record_leaving(job, preparation, kind.into(), &bytes, &leaving).await?;
        // The shares of the attempt go with its seat.
        seats
            .round
            .take_if(|seat| seat.plan.terms.number == preparation && seat.plan.terms.job == plan.terms.job);
        let receipt = link.say(&at, kind, &signed, &[]).await?;
        self.check_receipt(&at, kind, &signed, &receipt)
    }
}

/// What comes beside a duty.
pub(super) struct Beside {
    /// Earlier attempts at the question that are said to be void, with the promises.
    pub(super) voided: Vec<(RoundId, Vec<Signed>)>,
    /// The entry of the ledger that is said to freeze the survivor set.
    pub(super) believed: Option<Result<Entry, Undone>>,
}

/// Attempts that are said to be void, with the promises.
type VoidedAttempts = [(RoundId, Vec<Signed>)];

/// The local half of the program, to integers that cannot overflow the sum.
fn answer(
    (question, models): (&Question, &[Model]),
    table: &Mutex<JobTable>,
    plan: &RoundPlan,
    rng: &mut ChaCha20Rng,
    count: &AtomicU64,
) -> Result<Answer, Declined> {
    // What an answer that panicked left behind is begun anew.
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    let contribution = match question {
        Question::Compare(asked) => asked.answered_by(&table.rows(), models)?,
        Question::DriftSince(asked) => match models {
            [model] => asked.answered_by(&table.rows(), model)?,
            _ => return Err(syndic_learning::ProgramError::NotApproved("model").into()),
        },
        question => table.answer(question, rng)?,
    };
    drop(table);
    Ok(encoded(contribution, question.kind(), plan, rng, count))
}

/// An answer as integers that cannot overflow the sum; `kind` is that of its question. Clipped values are added to `count`.
pub(super) fn encoded(
    contribution: Contribution,
    kind: &str,
    plan: &RoundPlan,
    rng: &mut ChaCha20Rng,
    count: &AtomicU64,
) -> Answer {
    let clipped = contribution.clip();
    if clipped.clamped() > 0 {
        count.fetch_add(clipped.clamped().into(), Ordering::Relaxed);
        warn!(values = clipped.clamped(), question = kind, "values were clipped to the plan's bounds");
    }
    match shape_of(plan) {
        Some(shape) => Answer::Elements(SmallVector::encode(&shape, clipped, rng)),
        None => Answer::Coefficients(Box::new(clipped.quantiser(&plan.coding(), rng))),
    }
}

/// How the plan's vector is shared itself, where it is.
fn shape_of(plan: &RoundPlan) -> Option<VectorShape> {
    VectorShape::of(plan).filter(|_| plan.carrier == Carrier::Shares)
}

/// The finished answer; waits for it where it is not finished.
async fn finished(mut training: Training) -> Result<Answer, Undone> {
    training.finish().await;
    match training {
        Training::Finished(answer) => Ok(answer?),
        Training::Running(_) | Training::Gone => Err(out_of_turn()),
    }
}

impl Seat {
    /// Binds the keys to the round, once they are ready.
    fn bind(&mut self) -> Result<(), Rejection> {
        match self.preparing.take_keys() {
            Keys::Ready(state, shares, key) => {
                let state = state.bind(self.plan.clone())?;
                self.stage = Stage::Bound(Holding { state, shares }, key);
            }
            keys => self.preparing.keys = keys,
        }
        Ok(())
    }
}
