//! Attending to one job: its duties are done one after the other, as they come.

use std::sync::PoisonError;

use syndic_ledger::Entry;
use syndic_proto::convert::{Duty, Owed, PlaceRef, RoundRef};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{Carrier, JobId, Place, PreparationTerms, RoundPlan};
use tracing::{debug, warn};

use super::error::{Declined, Undone};
use super::link::Link;
use super::lost::{Lost, is_lost, is_past, told, told_code};
use super::queue::Duties;
use super::round::Beside;
use super::seat::{Seat, Seats, Training};
use super::{Agent, AgentError, leaving};
use crate::shown::printable;

/// A duty, and what came of looking at the entry of the ledger that is shown with it.
pub(super) struct Handed {
    pub(super) duty: Duty,
    pub(super) believed: Option<Result<Entry, Undone>>,
}

/// How attending to a job ended.
pub(super) enum Attended {
    /// It is over; the reason where it has no outcome.
    JobOver(Option<String>),
    /// The connection ended.
    Interrupted,
    /// The participant was made to die.
    Died,
}

impl Agent {
    /// A duty with what comes of looking at the entry of the ledger that is shown with it. Each proof goes on from the one
    /// shown before, of whatever job: duties are looked at in the order in which they come.
    pub(super) async fn handed(&self, duty: Duty) -> Handed {
        let believed = match &duty.ledger {
            Some(shown) => Some(self.believe(shown).await),
            None => None,
        };
        Handed { duty, believed }
    }

    /// Does the duties of one job, until it is over or no more come.
    pub(super) async fn attend(
        &self,
        mut link: Link,
        seats: &mut Seats,
        mut duties: Duties,
        dies: &(dyn Fn(&RoundRef, &Owed) -> bool + Sync),
    ) -> Result<Attended, Lost> {
        let mut awaiting_training: Option<Duty> = None;
        loop {
            let Handed { duty, believed } = tokio::select! {
                handed = duties.next() => match handed {
                    Some(handed) => handed,
                    None => return Ok(Attended::Interrupted),
                },
                () = trained(&mut seats.round), if awaiting_training.is_some() => {
                    let Some(awaited) = awaiting_training.take() else { continue };
                    // With local work no entry is shown.
                    Handed { duty: awaited, believed: None }
                }
            };
            let PlaceRef { job, place } = duty.at.clone();
            let Place::Round(id) = place else {
                self.attend_ahead(&mut link, seats, duty).await?;
                continue;
            };
            let round = RoundRef { job, id };
            if dies(&round, &duty.owed) {
                return Ok(Attended::Died);
            }
            let is_mine = seats.round.as_ref().is_none_or(|seat| seat.round == round);
            if matches!(duty.owed, Owed::Over(_)) && is_mine || matches!(duty.owed, Owed::JobOver(_)) {
                // Their rounds are over; their keys are long gone.
                let forgotten = self.journal.spool().forget(round.job.as_str());
                forgotten.map_err(|error| Lost::Forever(error.into()))?;
            }
            match duty.owed {
                Owed::JobOver(reason) => {
                    self.take_leave(&mut link, duty.ledger.as_ref(), believed).await?;
                    self.forget(&round.job);
                    return Ok(Attended::JobOver(reason.map(|reason| printable(&reason))));
                }
                Owed::Over(_) if !is_mine => {}
                Owed::Over(abandoned) => {
                    awaiting_training = None;
                    // Of vectors that were shared themselves there is no aggregate to check.
                    let has_aggregate =
                        seats.round.take().is_none_or(|seat| seat.plan.carrier == Carrier::Ring);
                    if abandoned.is_none() && has_aggregate {
                        self.now_and_then_check(&mut link, &round).await?;
                    }
                }
                _ => {
                    let Some(plan) = plan_of(&duty, &round) else {
                        warn!(round = %round.id, "the coordinator names a duty without the plan of its round");
                        self.pace.slow_down().await;
                        seats.round = None;
                        continue;
                    };
                    // Who may not submit can still help to open the others' sum.
                    if matches!(duty.owed, Owed::Submit(_) | Owed::Certify(_)) {
                        let taken_up = self.take_up(&mut link, seats, &round, &plan).await;
                        if !self.settled(&mut link, seats, &duty.at, &plan.terms, taken_up).await? {
                            continue;
                        }
                    }
                    let shares_update = plan.carrier == Carrier::Shares && matches!(duty.owed, Owed::Deal(_));
                    let needs_answer = matches!(duty.owed, Owed::Submit(_)) || shares_update;
                    // While the local work goes on, later duties of the round are done in its stead.
                    if needs_answer && is_training(&seats.round, &round) {
                        awaiting_training = Some(duty);
                        continue;
                    }
                    awaiting_training = None;
                    let Duty { voided, ledger, at, owed, .. } = duty;
                    let (beside, certifies) = (Beside { voided, believed }, matches!(owed, Owed::Certify(_)));
                    let done = self.perform(&mut link, seats, &round, &plan, owed, beside).await;
                    let is_done = self.settled(&mut link, seats, &at, &plan.terms, done).await?;
                    // The round does not wait for this.
                    if let (true, true, Some(shown)) = (is_done, certifies, &ledger) {
                        self.bear_witness(&mut link, shown).await;
                    }
                }
            }
        }
    }

    /// Lets go of what is known of a job that is over.
    fn forget(&self, job: &JobId) {
        self.accepted.remove(|approved| approved.terms.job == *job);
        self.last_survivors.lock().unwrap_or_else(PoisonError::into_inner).remove(job);
    }

    /// Does a duty of a preparation that is made ahead.
    async fn attend_ahead(&self, link: &mut Link, seats: &mut Seats, duty: Duty) -> Result<(), Lost> {
        let Duty { at, plan, owed, .. } = duty;
        let terms = match PreparationTerms::from_bytes(&plan) {
            Ok(terms) if terms.job == at.job && Place::Ahead(terms.number) == at.place => terms,
            _ => {
                warn!(place = %at.place, "the coordinator names a duty without the terms of its preparation");
                self.pace.slow_down().await;
                return Ok(());
            }
        };
        let done = self.perform_ahead(link, seats, &at, &terms, owed).await;
        self.settled(link, seats, &at, &terms, done).await.map(drop)
    }

    /// Whether a duty was done; says no where this participant must not do it.
    async fn settled(
        &self,
        link: &mut Link,
        seats: &mut Seats,
        at: &PlaceRef,
        terms: &PreparationTerms,
        done: Result<(), Undone>,
    ) -> Result<bool, Lost> {
        let place = at.place;
        let reason = match done {
            Ok(()) => return Ok(true),
            Err(Undone::Call(status)) if is_past(&status) => {
                debug!(%place, reason = told(&status), "it has gone on without this message");
                return Ok(false);
            }
            Err(Undone::Call(status)) if is_lost(&status) => return Err(Lost::of_call(*status)),
            Err(Undone::Journal(error)) => return Err(Lost::Forever(error.into())),
            Err(Undone::Call(status)) => {
                warn!(%place, code = told_code(&status), reason = told(&status), "refused");
                Declined::Refused
            }
            Err(Undone::Declined(reason)) => {
                warn!(%place, code = reason.code(), reason = reason.shown(), "declining");
                reason
            }
        };
        seats.leave(at);
        self.pace.slow_down().await;
        self.decline(link, at, terms, &reason).await?;
        match reason {
            Declined::Ledger(unbelieved) if unbelieved.is_for_good() => {
                Err(Lost::Forever(AgentError::Ledger(unbelieved)))
            }
            // The coordinator goes on from what it showed, and this participant from what it kept: a new connection begins
            // with the latter.
            Declined::Ledger(_) | Declined::NotOnRecord => Err(Lost::ForNow(reason.shown())),
            _ => Ok(false),
        }
    }

    async fn decline(
        &self,
        link: &mut Link,
        at: &PlaceRef,
        terms: &PreparationTerms,
        reason: &Declined,
    ) -> Result<(), Lost> {
        let key = self.enrolment.keys().signing_key();
        let signed = Invited::decline(terms, at.place, self.id, reason.code(), key);
        let sent = leaving(at, Kind::Decline, &signed.to_bytes());
        self.journal.sent(&sent).await.map_err(|error| Lost::Forever(error.into()))?;
        match link.say(at, Kind::Decline, &signed, &[]).await {
            Err(status) if is_lost(&status) => Err(Lost::of_call(status)),
            Err(_) | Ok(_) => Ok(()),
        }
    }
}

/// Resolves when the local work of the seat is done.
async fn trained(seat: &mut Option<Seat>) {
    if let Some(seat) = seat {
        seat.training.finish().await;
    }
}

fn is_training(seat: &Option<Seat>, of: &RoundRef) -> bool {
    seat.as_ref().is_some_and(|seat| seat.round == *of && matches!(seat.training, Training::Running(_)))
}

/// The plan that a duty brings, if it is that of its round.
fn plan_of(duty: &Duty, round: &RoundRef) -> Option<RoundPlan> {
    let plan = RoundPlan::from_bytes(&duty.plan).ok()?;
    (plan.terms.job == round.job && plan.id == round.id).then_some(plan)
}
