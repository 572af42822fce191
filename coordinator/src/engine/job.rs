//! A job as its ledger makes it: what it asks now, and how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use syndic_learning::job::Terms;
use syndic_learning::{
    Ending, Findings, Job, JobRun, Next, Outcome, Program, ProgramError, Question, RoundMetrics,
    StatisticsFigures,
};
use syndic_round::coordinator::{Ahead, Closed, Opened, Phase, Preparation, Prepared, Round, Standing};
use syndic_round::message::Kind;
use syndic_round::{
    Carrier, Digest, JobId, Layout, ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, SealedRoster,
    Sum, Timestamp, Voided, question_fingerprint,
};
use syndic_secure_aggregation::chunk_bytes;

use super::{Attendance, FoldError};
use crate::fact::{Priority, due};
use crate::missing::Missing;
use crate::phases::PhaseTimes;

/// Attempts at one round before its job is abandoned.
pub const MOST_ATTEMPTS: u32 = 10;

/// A job that is not over.
pub struct JobState {
    /// Job.
    pub id: JobId,
    /// Its place in the order of agreement.
    pub order: u64,
    /// When it was agreed.
    pub(super) agreed_at: Timestamp,
    pub(super) priority: Priority,
    /// Why it is paused, if it is.
    pub(super) paused: Option<String>,
    /// The parsed job.
    pub job: Job,
    /// The terms of every round.
    pub terms: Terms,
    pub(super) run: JobRun,
    pub(super) pending: Next<Question, Ending>,
    pub(super) round: Option<Open>,
    /// Number of the round in progress or next to open, from 1.
    pub(super) number: u32,
    pub(super) attempts: u32,
    /// What is prepared ahead of the next round.
    pub(super) ahead: Ahead,
    /// Why rounds were abandoned, for people.
    pub(super) abandoned: BTreeMap<RoundId, String>,
    /// Who said what twice in which preparation made ahead of the next round, as far as it is on record.
    pub(super) equivocated_ahead: BTreeSet<(u64, ParticipantId, Kind)>,
    /// Void attempts at the question that is pending.
    pub(super) voided: Vec<Voided>,
    pub(super) attendance: Attendance,
    /// The last round with a result, for the spot check; those before it are read from the ledger again.
    pub(super) last_closed: Option<(RoundId, ClosedRound)>,
    /// Why the last attempt was abandoned, and whether its sum may have been opened.
    pub(super) last_abandoned: Option<(String, bool)>,
}

/// A round that has not ended.
#[derive(Clone)]
pub struct Open {
    /// The state machine.
    pub round: Round,
    /// When it opened.
    pub opened_at: Timestamp,
    /// What is asked, for people.
    pub kind: &'static str,
    /// Who was admitted and not connected when it opened.
    pub absent: Vec<ParticipantId>,
    /// Who said what twice, as far as it is on record.
    pub equivocated: BTreeSet<(ParticipantId, Kind)>,
    /// Who is not in the survivor set, once that is frozen.
    pub missing: Vec<Missing>,
    /// When its phases began and ended.
    pub phases: PhaseTimes,
}

/// What the spot check needs of a round with a result.
#[derive(Clone, Debug)]
pub struct ClosedRound {
    /// What was published.
    pub opened: Opened,
    /// The blobs of the survivors' uploads, in the order of ids.
    pub uploads: Vec<Digest>,
    /// Bytes of a chunk.
    pub chunk_bytes: usize,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// With a model: its digest.
    Completed(Digest),
    /// With what was found about released models, as it is on record.
    Compared(Arc<Findings>),
    /// With a description of rows: the digest of its document.
    Described(Digest),
    /// Without one, because it could not go on: why.
    Abandoned(String),
    /// Without one, because somebody who may run jobs stopped it: why.
    Stopped(String),
}

/// What is left of a job that is over.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its place in the order of agreement.
    pub order: u64,
    /// What it was in the end.
    pub priority: Priority,
    /// SHA-256 of its file.
    pub agreement: Digest,
    /// How it ended.
    pub over: Over,
    /// Training rounds that it took, or was to take where it did not complete.
    pub training_rounds: u32,
    /// When it ended.
    pub ended_at: Timestamp,
    /// For how many days after that its updates are kept, where its file says so.
    pub updates_days: Option<u32>,
    /// Whether they are erased.
    pub is_erased: bool,
    /// Who is in its sums.
    pub attendance: Attendance,
    /// The attempt that was abandoned last, and why.
    pub abandoned: Option<(RoundId, String)>,
    /// What it came to, for who writes it out; none where there is no outcome, or it was written out long ago.
    pub outcome: Option<Arc<Outcome>>,
    /// What it found of rows, likewise.
    pub described: Option<Arc<StatisticsFigures>>,
}

impl Ended {
    /// When its updates are to be erased; none where its file does not say so, or they are.
    pub fn erase_at(&self) -> Option<Timestamp> {
        let days = self.updates_days.filter(|_| !self.is_erased)?;
        Some(due(self.ended_at, days))
    }
}

impl Open {
    /// A round that opens now, while `absent` are not connected.
    pub(crate) fn now(
        round: Round,
        opened_at: Timestamp,
        kind: &'static str,
        absent: Vec<ParticipantId>,
    ) -> Self {
        let phases = PhaseTimes::begun(&round, opened_at);
        Self { round, opened_at, kind, absent, equivocated: BTreeSet::new(), missing: Vec::new(), phases }
    }

    /// Whether it is on record that this participant said something twice in it.
    pub fn has_equivocated(&self, who: ParticipantId) -> bool {
        self.equivocated.iter().any(|(id, _)| *id == who)
    }

    /// Puts `next` in the place of the round; whom its survivor set leaves out is known from when it is frozen on.
    pub(crate) fn advance(&mut self, next: Round, now: Timestamp) {
        if let (Phase::Collecting(_), Phase::Certifying(frozen)) = (self.round.phase(), next.phase()) {
            self.missing = Missing::in_set(self, &next, frozen.survivors().ids());
        }
        self.phases.advance(&next, now);
        self.round = next;
    }
}

impl JobState {
    /// A job that was just agreed.
    pub(super) fn agreed(
        id: JobId,
        (job, terms): (Job, Terms),
        order: u64,
        (agreed_at, priority): (Timestamp, Priority),
    ) -> Result<Self, FoldError> {
        let mut run = JobRun::new(&job);
        let pending = run.next(None)?;
        Ok(Self {
            id,
            order,
            agreed_at,
            priority,
            paused: None,
            job,
            terms,
            run,
            pending,
            round: None,
            number: 1,
            attempts: 0,
            ahead: Ahead::default(),
            abandoned: BTreeMap::new(),
            equivocated_ahead: BTreeSet::new(),
            voided: Vec::new(),
            attendance: Attendance::default(),
            last_closed: None,
            last_abandoned: None,
        })
    }

    /// The job is over: what is left of it. What was prepared for a round that will not be is of no use.
    pub(super) fn end(mut self, now: Timestamp, over: Over) -> Ended {
        let abandoned = self.abandoned.pop_last();
        let training_rounds = match over {
            Over::Completed(_) | Over::Compared(_) | Over::Described(_) => self.run.trained_rounds(),
            Over::Abandoned(_) | Over::Stopped(_) => self.job.rounds.count,
        };
        let (outcome, described) = match self.pending {
            Next::Done(Ending::Described(figures)) => (None, Some(Arc::new(*figures))),
            Next::Done(ending) => (ending.into_released().map(Arc::new), None),
            Next::Ask(_) => (None, None),
        };
        Ended {
            order: self.order,
            priority: self.priority,
            agreement: self.terms.agreement,
            outcome: outcome.filter(|_| matches!(over, Over::Completed(_))),
            described: described.filter(|_| matches!(over, Over::Described(_))),
            attendance: self.attendance,
            abandoned,
            over,
            training_rounds,
            ended_at: now,
            updates_days: self.job.retention.map(|retention| retention.updates_days),
            is_erased: false,
        }
    }

    /// Whether it is on record that this participant said this twice there.
    pub fn has_equivocated(&self, place: Place, who: ParticipantId, kind: Kind) -> bool {
        match place {
            Place::Round(_) => {
                self.round.as_ref().is_some_and(|open| open.equivocated.contains(&(who, kind)))
            }
            Place::Ahead(number) => self.equivocated_ahead.contains(&(number, who, kind)),
        }
    }

    /// How urgent it is.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Why it is paused, if it is.
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// Whether a round of it was ever opened.
    pub fn has_begun(&self) -> bool {
        self.round.is_some() || self.number > 1 || self.attempts > 0
    }

    /// How many seconds after its agreement it must have begun, where its file says so.
    pub fn start_seconds(&self) -> Option<u32> {
        self.job.rounds.deadlines.start_seconds
    }

    /// When it must have begun, where its file says so; none once it has.
    pub fn starts_by(&self) -> Option<Timestamp> {
        let seconds = self.start_seconds().filter(|_| !self.has_begun())?;
        Some(Timestamp(self.agreed_at.0.saturating_add(u64::from(seconds) * 1000)))
    }

    /// Number of the round in progress or next to open, and of attempts at it so far.
    pub fn position(&self) -> (u32, u32) {
        (self.number, self.attempts)
    }

    /// Training rounds whose models were measured or are known otherwise: those that the program has sums of.
    pub fn training_round(&self) -> Option<u32> {
        match &self.pending {
            Next::Ask(question) => question.training_round(),
            Next::Done(_) => Some(self.run.trained_rounds()),
        }
    }

    /// The preparation made ahead of the next round, under way or ready.
    pub fn ahead(&self) -> Option<&Preparation> {
        self.ahead.preparation()
    }

    /// The preparation made ahead, once it is ready.
    pub fn ready(&self) -> Option<&Prepared> {
        match self.ahead()?.standing() {
            Standing::Ready(prepared) => Some(prepared),
            Standing::Preparing(_) | Standing::Abandoned(_) => None,
        }
    }

    /// Whether a preparation is to be made ahead now: while a round collects updates or is being opened, and a vector
    /// follows it that is to be encrypted. Beside a round whose own vector is shared none is made, nor where the next round's
    /// institutions are drawn by lot: for what, is known with its question.
    pub fn wants_ahead(&self) -> bool {
        let is_past_sharing = self.round.as_ref().is_some_and(|open| {
            open.round.plan().carrier == Carrier::Ring && !matches!(open.round.phase(), Phase::Preparing(_))
        });
        let is_of_use = || {
            let next = self.run.next_layout();
            next.is_some_and(|layout| self.carrier_of(&layout) == Carrier::Ring)
        };
        is_past_sharing && !self.terms.admission.is_by_lot() && self.ahead.may_begin() && is_of_use()
    }

    /// Whether the vector of the question that is pending is to be shared itself.
    pub fn asks_for_shares(&self) -> bool {
        let Next::Ask(question) = &self.pending else { return false };
        question.layout().is_ok_and(|layout| self.carrier_of(&layout) == Carrier::Shares)
    }

    fn carrier_of(&self, layout: &Layout) -> Carrier {
        self.job.carrier_of(layout, self.terms.protection.admitted())
    }

    /// Whom the next attempt admits.
    pub fn admitted(&self) -> Vec<ParticipantId> {
        let admission = &self.terms.admission;
        match &self.pending {
            Next::Ask(question) => {
                admission.of_question(self.terms.agreement, question_fingerprint(&self.id, &question.lot()))
            }
            Next::Done(_) => admission.institutions().to_vec(),
        }
    }

    /// What decided by lot whom the next attempt admits; none where it admits all.
    pub fn lot(&self) -> Option<String> {
        match &self.pending {
            Next::Ask(question) if self.terms.admission.is_by_lot() => Some(question.lot()),
            Next::Ask(_) | Next::Done(_) => None,
        }
    }

    /// The terms of the next preparation.
    pub fn next_terms(&self, roster: &SealedRoster) -> PreparationTerms {
        PreparationTerms {
            federation: roster.roster().federation.clone(),
            roster: roster.digest(),
            job: self.id.clone(),
            agreement: self.terms.agreement,
            number: self.ahead.last() + 1,
            protection: self.terms.protection,
            admitted: self.admitted(),
            deadlines: self.terms.deadlines,
        }
    }

    /// Void attempts at the question that is pending.
    pub fn voided(&self) -> &[Voided] {
        &self.voided
    }

    /// The last round with a result, if it is this one.
    pub fn last_closed(&self, id: RoundId) -> Option<&ClosedRound> {
        self.last_closed.as_ref().filter(|(last, _)| *last == id).map(|(_, closed)| closed)
    }

    /// Who is in its sums so far.
    pub fn attendance(&self) -> &Attendance {
        &self.attendance
    }

    /// The round in progress.
    pub fn round(&self) -> Option<&Open> {
        self.round.as_ref()
    }

    /// What the program wants now.
    pub fn pending(&self) -> &Next<Question, Ending> {
        &self.pending
    }

    /// What the program would want, and its metrics, after `sum`: a look ahead that changes nothing, so that
    /// a sum which the program refuses is known before anything is recorded.
    ///
    /// # Errors
    /// [`ProgramError`] when the program refuses the sum.
    pub fn after(&self, sum: &Sum) -> Result<(Next<Question, Ending>, Vec<RoundMetrics>), ProgramError> {
        let mut run = self.run.clone();
        let next = run.next(Some(sum))?;
        Ok((next, run.metrics()[self.run.metrics().len()..].to_vec()))
    }

    /// How the models of its training rounds did so far.
    pub fn metrics(&self) -> &[RoundMetrics] {
        self.run.metrics()
    }

    /// The plan of the next attempt at `question`, with the preparation that has these terms.
    ///
    /// # Errors
    /// [`ProgramError`] when the question has no layout or encoding.
    pub fn plan(
        &self,
        question: &Question,
        terms: PreparationTerms,
    ) -> Result<(RoundPlan, Vec<u8>), ProgramError> {
        let bytes = question.to_bytes()?;
        let layout = question.layout()?;
        let plan = RoundPlan {
            carrier: self.carrier_of(&layout),
            terms,
            id: RoundId { round: self.number, attempt: self.attempts + 1 },
            question: Digest::of(&bytes),
            layout,
        };
        Ok((plan, bytes))
    }

    /// Why the last attempt at the question that is pending was abandoned, for people; none where none was.
    pub fn last_reason(&self) -> Option<&str> {
        self.last_abandoned.as_ref().map(|(reason, _)| reason.as_str())
    }

    /// Why a round was abandoned, for people; none where it was not.
    pub fn why_abandoned(&self, id: RoundId) -> Option<&str> {
        self.abandoned.get(&id).map(String::as_str)
    }

    /// The most training rounds that the job asks for.
    pub fn training_rounds(&self) -> u32 {
        self.job.rounds.count
    }

    /// Why the job cannot go on, if it cannot: the round was tried as often as is allowed, or its sum may
    /// have been opened, so that whoever revealed will not answer the question again (rule 11).
    pub fn dead_end(&self) -> Option<String> {
        let (reason, may_have_opened) = self.last_abandoned.as_ref()?;
        let asked = match &self.pending {
            Next::Ask(question) => question.slot(),
            Next::Done(_) => return None,
        };
        if *may_have_opened {
            return Some(format!("`{asked}` cannot be asked again once revealing began: {reason}"));
        }
        let exhausted = self.attempts >= MOST_ATTEMPTS;
        exhausted.then(|| format!("`{asked}` was asked {MOST_ATTEMPTS} times without a sum: {reason}"))
    }
}

impl ClosedRound {
    pub(super) fn of(opening: &Round, closed: &Closed) -> Result<Self, FoldError> {
        let Phase::Opening(phase) = opening.phase() else { return Err(FoldError::Astray) };
        let uploads = phase.submissions().iter().map(|submission| submission.upload.blob).collect();
        let chunk_bytes = chunk_bytes(opening.plan().terms.protection.parameter_set());
        Ok(Self { opened: closed.opened.clone(), uploads, chunk_bytes })
    }
}
