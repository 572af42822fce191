//! The audit of a ledger: every round is played again from its entries, by the code that played it, with the roster alone.
//!
//! What participants signed is verified with their keys, which the coordinator does not have; what the coordinator decided
//! must follow from it. Of a sum that was opened, what the ledger holds is computed again: the sum of keys, or the sum of
//! shared vectors itself, and who revealed wrongly. Ciphertexts and models are not in a ledger, and so not looked at.

mod concluded;
mod error;
mod kept;
mod places;
mod playing;
mod reopened;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use syndic_learning::job::Terms;
use syndic_ledger::Entry;
use syndic_round::coordinator::{Ahead, Input, Phase, Standing, Step};
use syndic_round::message::{Context, Kind};
use syndic_round::{
    Carrier, Cohort, EndorsedRoster, JobId, ParticipantId, Place, RosterError, RoundId, SealedRoster, Signed,
    Timestamp,
};

use crate::engine::{Attendance, Open, TRAIN};
use crate::fact::{Admitted, Fact};
use crate::missing::Missing;
use crate::phases::{PhaseTime, PhaseTimes};
use crate::registry::Registry;
pub use error::AuditError;
use error::holds;
use kept::Kept;
use places::Places;
use playing::Playing;
use reopened::opened_again;

/// The sealed roster's file beside an exported ledger, whose first entry has its digest.
pub const ROSTER: &str = "roster.json";

/// The rounds of a ledger, as far as its entries were read.
pub struct Audit {
    roster: Arc<SealedRoster>,
    /// Jobs that are agreed and not over.
    jobs: BTreeMap<JobId, Playing>,
    /// What is known of the retention of all jobs.
    kept: Kept,
    /// How often a coordinator was started.
    incarnations: u64,
    /// Whom the coordinator lets in.
    admitted: Option<Admitted>,
    /// What became of the models that jobs released.
    registry: Registry,
    found: Audited,
}

/// What was found to be as the ledger says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Rounds that were played again to the end that the ledger names; each attempt counts.
    pub rounds: u64,
    /// Messages of participants whose signatures were verified.
    pub messages: u64,
    /// Sums of keys that were restored again from what participants revealed.
    pub key_sums: u64,
    /// Sums of vectors that were opened again from what participants revealed.
    pub vector_sums: u64,
}

impl Audit {
    /// Nothing was read yet. The roster is that of [`ROSTER`], with the signatures of its members.
    ///
    /// # Errors
    /// [`RosterError`] where a member has not signed it.
    pub fn new(roster: EndorsedRoster) -> Result<Self, RosterError> {
        let roster = Arc::new(roster.verify()?);
        let (jobs, kept, found) = (BTreeMap::new(), Kept::default(), Audited::default());
        let registry = Registry::default();
        Ok(Self { roster, jobs, kept, incarnations: 0, admitted: None, registry, found })
    }

    /// What was found so far.
    pub fn found(&self) -> Audited {
        self.found
    }

    /// Reads the next entry of the ledger, whose place is `index`.
    ///
    /// # Errors
    /// [`AuditError`] where it does not follow; then nothing after it is to be believed.
    pub fn take(&mut self, index: u64, entry: &Entry) -> Result<(), AuditError> {
        if !entry.kind.starts_with(syndic_ledger::schema::PREFIX) {
            return Ok(());
        }
        let (now, fact) = (Timestamp(entry.time.unix_ms()), Fact::from_entry(index, entry)?);
        let roster = self.roster.clone();
        let plan = |error| AuditError::Plan { index, error };
        match fact {
            Fact::RosterSealed { digest, .. } => holds(index, "the roster", digest == roster.digest()),
            Fact::CoordinatorStarted(started) => {
                self.incarnations += 1;
                holds(index, "how often a coordinator was started", started.incarnation == self.incarnations)
            }
            Fact::CoordinatorStopped(stopped) => {
                let was_started = (1..=self.incarnations).contains(&stopped.incarnation);
                holds(index, "how often a coordinator was started", was_started)
            }
            Fact::Connected(connected) => {
                holds(index, "who is a member", roster.member(connected.participant).is_some())
            }
            Fact::Refused(refused) => {
                holds(index, "who is a member", roster.member(refused.participant).is_some())
            }
            Fact::AdmissionChanged(changed) => {
                let follows = changed.before == self.admitted;
                self.admitted = Some(changed.now);
                holds(index, "who was let in before", follows)
            }
            Fact::JobAgreed { job, file, .. } => {
                self.kept.agreed(&job, &file);
                let (agreed, terms) = Terms::of(&file, self.roster.roster())
                    .map_err(|_| AuditError::Differs { index, what: "the job file" })?;
                self.registry.agreed(&job, &agreed);
                let (ahead, attendance) = (Ahead::default(), Attendance::default());
                let places = Places::of(agreed);
                let playing = Playing { terms, places, round: None, ahead, attendance };
                holds(index, "which jobs there are", self.jobs.insert(job, playing).is_none())
            }
            Fact::JobCompleted { job, attendance, model, figures, .. } => {
                self.kept.ended(&job, now);
                self.registry.completed(&job, model, figures.as_ref());
                let ended = self.jobs.remove(&job).filter(|job| job.round.is_none());
                let ended = ended.ok_or(AuditError::Differs { index, what: "the end of a job" })?;
                // What a program made of the sums is not played again: it takes the sums themselves.
                let is_so = attendance.is_none_or(|told| told == ended.attendance);
                holds(index, "the end of a job", ended.places.trains())?;
                holds(index, "who is in the sums of a job", is_so)
            }
            Fact::JobCompared(compared) => self.compared((index, now), &compared),
            Fact::JobDescribed(described) => self.described((index, now), &described),
            Fact::ModelStaged(staged) => {
                let taken = self.registry.take(&staged, &roster);
                taken.map_err(|error| AuditError::Stage { index, error })
            }
            Fact::JobAbandoned { job, .. } | Fact::JobStopped { job, .. } => {
                self.kept.ended(&job, now);
                self.registry.ended(&job);
                let ended = self.jobs.remove(&job);
                holds(index, "the end of a job", ended.is_some_and(|job| job.round.is_none()))
            }
            Fact::UpdatesErased(erased) => {
                holds(index, "what is erased of a job", self.kept.may_erase(&erased, now))
            }
            Fact::JobPaused { job, .. }
            | Fact::JobResumed { job, .. }
            | Fact::JobPrioritised { job, .. }
            | Fact::JobProgress { job, .. } => self.job(index, &job).map(drop),
            Fact::JobDrift(drift) => {
                let places = &mut self.job(index, &drift.job)?.places;
                holds(index, "how far rows have drifted", places.drifted(*drift))
            }
            Fact::PreparationOpened { terms, excused } => {
                let job = self.job(index, &terms.job)?;
                holds(index, "the terms of the job", job.agreed_ahead(&terms))?;
                let ahead = &mut job.ahead;
                holds(index, "preparations", ahead.may_begin() && terms.number > ahead.last())?;
                holds(index, "who is excused", excused.iter().all(|id| terms.admitted.contains(id)))?;
                ahead.begin(*terms, &excused, roster, now).map_err(plan)
            }
            Fact::PreparationReady { job, number, eligible } => {
                let is_so =
                    self.job(index, &job)?.ahead.preparation().is_some_and(|ahead| match ahead.standing() {
                        Standing::Ready(made) => {
                            ahead.terms().number == number && made.eligible() == eligible
                        }
                        _ => false,
                    });
                holds(index, "who is eligible", is_so)
            }
            Fact::PreparationAbandoned { job, number, .. } => {
                let ahead = &self.job(index, &job)?.ahead;
                let is_so = ahead.preparation().is_none() && ahead.last() == number;
                holds(index, "the end of a preparation", is_so)
            }
            Fact::RoundOpened { plan: opened, absent, excused, kind, training_round, lot } => {
                let job = self.job(index, &opened.terms.job)?;
                let is_agreed = job.agreed_to(&opened, (&kind, training_round), lot.as_deref());
                holds(index, "the terms of the job, and who is admitted", is_agreed)?;
                holds(index, "rounds in progress", job.round.is_none())?;
                let is_open = job.places.open(&opened, &kind, training_round);
                holds(index, "which round is next, and which sums there are", is_open)?;
                holds(index, "who is excused", excused.iter().all(|id| absent.contains(id)))?;
                let round = job.ahead.open(*opened, &excused, roster, now).map_err(plan)?;
                let kind = if kind == TRAIN { TRAIN } else { "" };
                job.round = Some(Open::now(round, now, kind, absent));
                Ok(())
            }
            Fact::Heard { job, place: Place::Round(id), input, survivors, beside } => {
                self.heard(index, now, (&job, id), &input, (&survivors, &beside.phases))
            }
            Fact::Heard { job, place: Place::Ahead(number), input, .. } => {
                self.heard_ahead(index, now, (&job, number), &input)
            }
            Fact::RoundFrozen { job, round, survivors, digest, missing } => {
                let open = self.in_progress(&job, round);
                let is_so = open.is_some_and(|open| match open.round.phase() {
                    Phase::Certifying(frozen) => {
                        frozen.survivors().ids() == survivors && frozen.survivors().digest() == digest
                    }
                    _ => false,
                });
                holds(index, "the survivor set", is_so)?;
                holds(index, "who is missing", open.is_some_and(|open| open.missing == missing))
            }
            Fact::RoundAbandoned { job, round, missing, phases, .. } => {
                let open = self.in_progress(&job, round);
                let is_so = open.is_some_and(|open| matches!(open.round.phase(), Phase::Abandoned(_)));
                holds(index, "the end of a round", is_so)?;
                holds(index, "who is missing", open.is_some_and(|open| open.missing == missing))?;
                holds(index, "its phases", open.is_some_and(|open| are(&phases, &open.phases, now)))?;
                self.job(index, &job)?.round = None;
                self.found.rounds += 1;
                Ok(())
            }
            Fact::Equivocated { job, place, kind, message } => {
                holds(index, "two messages of one", self.is_signed(&job, place, kind, &message))?;
                self.found.messages += 1;
                if let (Place::Round(_), Some(open)) = (place, &mut self.job(index, &job)?.round) {
                    open.equivocated.insert((message.from, kind));
                }
                Ok(())
            }
        }
    }

    fn job(&mut self, index: u64, job: &JobId) -> Result<&mut Playing, AuditError> {
        self.jobs.get_mut(job).ok_or(AuditError::Differs { index, what: "which jobs there are" })
    }

    fn in_progress(&self, job: &JobId, id: RoundId) -> Option<&Open> {
        self.jobs.get(job)?.round.as_ref().filter(|open| open.round.plan().id == id)
    }

    fn heard(
        &mut self,
        index: u64,
        now: Timestamp,
        (job, id): (&JobId, RoundId),
        input: &Input,
        (survivors, phases): (&[ParticipantId], &[PhaseTime]),
    ) -> Result<(), AuditError> {
        let round = self.in_progress(job, id).map(|open| &open.round);
        let round = round.ok_or(AuditError::Differs { index, what: "the round in progress" })?;
        let reopened = match (round.phase(), input) {
            (Phase::Opening(opening), Input::Opened(opened)) => {
                Some(opened_again(index, round.plan(), opening, opened)?)
            }
            _ => None,
        };
        let step = round.step(now, input);
        let Step { next, changed } = step.map_err(|rejection| AuditError::Rejected { index, rejection })?;
        holds(index, "what changed the round", changed)?;
        self.found.messages += u64::from(input.message().is_some());
        let playing = self.job(index, job)?;
        let Phase::Closed(closed) = next.phase() else {
            if let Some(open) = &mut playing.round {
                if let Phase::Abandoned(reason) = next.phase() {
                    open.missing = Missing::at_end(open, &next, reason);
                }
                open.advance(next, now);
            }
            return Ok(());
        };
        holds(index, "the survivors", closed.survivors.ids() == survivors)?;
        if let Some(open) = playing.round.take() {
            holds(index, "its phases", are(phases, &open.phases, now))?;
            let undrawn = playing.undrawn(open.round.plan());
            playing.attendance.count(open.kind == TRAIN, &open.missing, &undrawn);
            playing.places.close();
        }
        match reopened {
            Some(Carrier::Ring) => self.found.key_sums += 1,
            Some(Carrier::Shares) => self.found.vector_sums += 1,
            None => {}
        }
        self.found.rounds += 1;
        Ok(())
    }

    fn heard_ahead(
        &mut self,
        index: u64,
        now: Timestamp,
        (job, number): (&JobId, u64),
        input: &Input,
    ) -> Result<(), AuditError> {
        let all = &mut self.job(index, job)?.ahead;
        let ahead = all.preparation().filter(|ahead| ahead.terms().number == number);
        let ahead = ahead.ok_or(AuditError::Differs { index, what: "the preparation in progress" })?;
        let step = ahead.step(now, input);
        let (next, changed) = step.map_err(|rejection| AuditError::Rejected { index, rejection })?;
        holds(index, "what changed the preparation", changed)?;
        all.advance(next);
        self.found.messages += u64::from(input.message().is_some());
        Ok(())
    }

    /// Whether this is a message of this kind that its sender signed there.
    fn is_signed(&self, job: &JobId, place: Place, kind: Kind, message: &Signed) -> bool {
        let contexts = match place {
            Place::Round(id) => self
                .in_progress(job, id)
                .map(|open| (open.round.plan().context(), open.round.phase().cohort().map(Cohort::context))),
            Place::Ahead(number) => {
                let ahead = self.jobs.get(job).and_then(|job| job.ahead.preparation());
                let ahead = ahead.filter(|ahead| ahead.terms().number == number);
                ahead.map(|ahead| {
                    let cohort = match ahead.standing() {
                        Standing::Preparing(preparing) => preparing.cohort(),
                        Standing::Ready(made) => Some(made.cohort()),
                        Standing::Abandoned(_) => None,
                    };
                    (ahead.terms().context(), cohort.map(Cohort::context))
                })
            }
        };
        let Some((ctx0, cohort)) = contexts else { return false };
        let context = match kind {
            Kind::Advertise | Kind::Decline => Some(Context { ctx0, h1: None }),
            _ => cohort,
        };
        context.is_some_and(|context| message.is_genuine(kind, context, &self.roster))
    }
}

/// Whether these are the phases of a round that ends now. Entries of older versions say nothing of them.
fn are(told: &[PhaseTime], phases: &PhaseTimes, now: Timestamp) -> bool {
    told.is_empty() || told == phases.until(now)
}
