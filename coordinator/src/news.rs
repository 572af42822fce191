//! What a participant is not told yet, by the state as it stands at one moment.

use std::collections::{BTreeMap, BTreeSet};

use syndic_round::coordinator::Duty;
use syndic_round::{JobId, ParticipantId, PreparationTerms, RoundId, RoundPlan, Voided};

use crate::engine::{Engine, Over};

/// What was told last, so that only changes are told.
#[derive(Debug)]
pub struct Told {
    jobs: BTreeMap<JobId, OfJob>,
    /// Changes of models' stages that it knows of; none where it does not want to.
    staged: Option<u64>,
}

/// What was told last of a job.
#[derive(Debug, Default)]
struct OfJob {
    /// Of the round in progress.
    round: Last,
    /// Of the preparation made ahead: its number, and the duty.
    ahead: Option<(u64, u8)>,
    /// Whether it is noted that the caller was told of the job's end.
    is_dismissed: bool,
}

/// What was told last of the round in progress.
#[derive(Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    /// Round, duty, and how many reveals were wanted after fewer had opened nothing: a signature or a reveal that came
    /// while the sum was being opened was too late, and is asked for again once it is wanted after all.
    Duty(RoundId, u8, Option<usize>),
    RoundOver,
    JobOver,
}

/// Something to tell.
#[derive(Clone, Debug)]
pub enum News {
    /// A round is over of which it was told; why, where it was abandoned.
    RoundOver(JobId, RoundId, Option<String>),
    /// A job is over; why, where it came to nothing.
    JobOver(JobId, Option<String>),
    /// A duty in the round in progress.
    OfRound {
        /// The round's plan.
        plan: Box<RoundPlan>,
        /// The duty.
        duty: Duty,
        /// Earlier attempts at the question that are void.
        voided: Vec<Voided>,
        /// How many reveals are wanted, where fewer opened nothing.
        wanted: Option<usize>,
    },
    /// A duty in the preparation that is made ahead.
    Ahead(Box<PreparationTerms>, Duty),
    /// The model of a job came to another stage, the last of so many changes.
    Staged(JobId, u64),
}

impl Told {
    /// Nothing was told yet to whom has something of the jobs in `held`.
    pub fn nothing(held: BTreeSet<JobId>) -> Self {
        Self { jobs: held.into_iter().map(|job| (job, OfJob::default())).collect(), staged: None }
    }

    /// The same to somebody who wants to know of the models that there are, or does not.
    pub fn with_models(self, wanted: bool) -> Self {
        Self { staged: wanted.then_some(0), ..self }
    }

    /// What to tell `caller` next, of any job but those that are `put_off`. Of each job, the round in progress comes first: a
    /// participant gives up the keys that it holds for those of the next preparation, and a round that it was not told of may
    /// want them.
    pub fn news(
        &mut self,
        engine: &Engine,
        caller: ParticipantId,
        put_off: &BTreeSet<JobId>,
    ) -> Option<News> {
        let held = self.jobs.iter().filter(|(_, told)| told.round != Last::JobOver);
        let held = held.map(|(job, _)| job.clone()).collect();
        let jobs = engine.concerning(&held).into_iter().filter(|job| !put_off.contains(job));
        let of_jobs = jobs.into_iter().find_map(|job| self.of(&job).news(engine, caller, job));
        // A round never waits for the models.
        of_jobs.or_else(|| {
            let (changes, last) = engine.registry().all_changes();
            let job = last.filter(|job| !put_off.contains(job))?;
            self.staged.is_some_and(|known| known < changes).then(|| News::Staged(job.clone(), changes))
        })
    }

    /// Notes that this was told.
    pub fn note(&mut self, news: &News) {
        if let News::Staged(_, changes) = news {
            self.staged = self.staged.map(|_| *changes);
            return;
        }
        let told = self.of(news.job());
        match news {
            News::Staged(..) => {}
            News::RoundOver(..) => told.round = Last::RoundOver,
            News::JobOver(..) => told.round = Last::JobOver,
            News::OfRound { plan, duty, wanted, .. } => {
                told.round = Last::Duty(plan.id, ordinal(duty), *wanted);
            }
            News::Ahead(terms, duty) => told.ahead = Some((terms.number, ordinal(duty))),
        }
    }

    /// A job of whose end it was told and which is not noted as dismissed yet; from now on it is. Of one such job it is known
    /// that it was told, that it is not told again.
    pub fn dismissed(&mut self) -> Option<JobId> {
        let is_over = |told: &OfJob| told.round == Last::JobOver && !told.is_dismissed;
        let job = self.jobs.iter().find(|(_, told)| is_over(told)).map(|(job, _)| job.clone())?;
        self.jobs.retain(|other, told| *other == job || told.round != Last::JobOver);
        self.of(&job).is_dismissed = true;
        Some(job)
    }

    fn of(&mut self, job: &JobId) -> &mut OfJob {
        self.jobs.entry(job.clone()).or_default()
    }
}

impl News {
    /// The job that it is about.
    pub fn job(&self) -> &JobId {
        match self {
            Self::RoundOver(job, ..) | Self::JobOver(job, _) | Self::Staged(job, _) => job,
            Self::OfRound { plan, .. } => &plan.terms.job,
            Self::Ahead(terms, _) => &terms.job,
        }
    }
}

impl OfJob {
    fn news(&self, engine: &Engine, caller: ParticipantId, job: JobId) -> Option<News> {
        if let Last::Duty(round, ..) = self.round
            && engine.current_round(&job) != Some(round)
        {
            let reason = engine.why_abandoned(&job, round).map(String::from);
            return Some(News::RoundOver(job, round, reason));
        }
        if let Some(end) = engine.over(&job) {
            let reason = match end {
                Over::Completed(_) | Over::Compared(_) | Over::Described(_) => None,
                Over::Abandoned(reason) => Some(reason.clone()),
                Over::Stopped(reason) => Some(format!("it was stopped: {reason}")),
            };
            return (self.round != Last::JobOver).then_some(News::JobOver(job, reason));
        }
        if let Some((plan, duty, voided)) = engine.duty_of(&job, caller) {
            let wanted = engine.reveals_wanted_again(&job);
            if self.round != Last::Duty(plan.id, ordinal(&duty), wanted) {
                let plan = Box::new(plan.clone());
                return Some(News::OfRound { plan, duty, voided: voided.to_vec(), wanted });
            }
        }
        let (ahead, duty) = engine.duty_ahead(&job, caller)?;
        let terms = ahead.terms();
        let is_news = self.ahead != Some((terms.number, ordinal(&duty)));
        is_news.then(|| News::Ahead(Box::new(terms.clone()), duty))
    }
}

fn ordinal(duty: &Duty) -> u8 {
    match duty {
        Duty::Advertise => 0,
        Duty::Deal(_) => 1,
        Duty::Acknowledge(..) => 2,
        Duty::Submit(_) => 3,
        Duty::Certify(_) => 4,
        Duty::Reveal(_) => 5,
        Duty::Void(_) => 6,
    }
}
