//! The agent of one institution: it connects, does what it owes, and declines what it must not do.
//!
//! Everything that is checked is checked here, on the institution's own host, against what the institution
//! itself holds: its pinned roster, its policy, its data, its journal.

mod approval;
mod error;
mod ledger;
mod link;
mod lost;
mod pace;
mod preparing;
mod renewed;
mod round;
mod saying;
mod seat;
mod spot_check;
mod upload;

use std::path::PathBuf;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::RngExt;
use rand::rngs::SysRng;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, UnwrapErr};
use syndic_proto::convert::{Duty, Owed, PlaceRef, RoundRef};
use syndic_round::message::Kind;
use syndic_round::participant::Invited;
use syndic_round::{
    Carrier, Digest, JobId, ParticipantId, Place, PreparationTerms, Rejection, RoundPlan, SealedRoster,
    Timestamp,
};
use tokio::sync::Mutex;
use tracing::{debug, info, warn};

pub use error::AgentError;
pub use spot_check::{Finding, SpotChecked, spot_check};
pub use upload::encrypt_into_file;

use crate::data::Source;
use crate::enrol::Enrolment;
use crate::journal::{Journal, Sent};
use crate::policy::Policy;
use crate::shown::printable;
use approval::{Approved, Latest};
use error::{Declined, Undone};
use link::Link;
use lost::{Lost, is_lost, is_past, told, told_code};
use renewed::Shown;
use round::Beside;
use seat::{Seat, Seats, Training};

/// What an agent is made of.
pub struct Parts {
    /// Keys, certificate and pinned roster.
    pub enrolment: Enrolment,
    /// What this institution takes part in.
    pub policy: Policy,
    /// Its rows.
    pub source: Source,
    /// What it has said and opened.
    pub journal: Journal,
    /// Makes the order of local training repeatable. Keys, masks and noise are never seeded.
    pub training_seed: Option<u64>,
}

/// One institution's agent.
pub struct Agent {
    id: ParticipantId,
    enrolment: Enrolment,
    roster: Arc<SealedRoster>,
    shown: Shown,
    policy: Policy,
    source: Source,
    journal: Journal,
    training_seed: Option<u64>,
    accepted: Mutex<Latest<Approved>>,
    /// Held by the local work that is under way.
    working: Arc<Mutex<()>>,
    encryption: StdMutex<Encryption>,
    /// The survivors that this participant signed last, and of which job.
    last_survivors: StdMutex<Option<(JobId, Vec<ParticipantId>)>>,
    #[cfg(feature = "tap")]
    observer: Option<Arc<dyn Observer>>,
}

/// Sees a participant's answers in the clear: tests only, never in a shipped binary.
#[cfg(feature = "tap")]
pub trait Observer: Send + Sync {
    /// The ring coefficients that are about to be encrypted.
    fn answered(&self, round: &RoundRef, coefficients: &[i64]);

    /// The shares of the one-time key, each before it is sealed for its recipient.
    fn shared(&self, at: &PlaceRef, shares: &[(ParticipantId, syndic_secure_aggregation::KeyShare)]) {
        let _ = (at, shares);
    }
}

/// How an agent's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The job has its outcome.
    JobOver,
    /// It was made to die.
    Died,
}

/// What encryption has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// Coefficients encrypted, padding included.
    pub coefficients: u64,
    /// Nanoseconds that it took.
    pub nanos: u64,
}

impl Agent {
    /// An agent, after its start-up self-test.
    ///
    /// # Errors
    /// [`AgentError::SelfTest`], or an unusable certificate.
    pub fn new(parts: Parts) -> Result<Self, AgentError> {
        syndic_secure_aggregation::self_test()?;
        let Parts { enrolment, policy, source, journal, training_seed } = parts;
        Ok(Self {
            id: enrolment.id(),
            roster: Arc::new(enrolment.roster().clone()),
            shown: Shown::new(enrolment.connectors()?),
            enrolment,
            policy,
            source,
            journal,
            training_seed,
            accepted: Mutex::new(Latest::none()),
            working: Arc::default(),
            encryption: StdMutex::default(),
            last_survivors: StdMutex::default(),
            #[cfg(feature = "tap")]
            observer: None,
        })
    }

    /// The same, taking up what `syndic-participant renew` puts in `folder` whenever it connects.
    pub fn renewed_from(self, folder: PathBuf) -> Self {
        Self { shown: self.shown.renewed_from(folder), ..self }
    }

    /// The same, showing `tap` what leaves before TLS and `observer` every answer in the clear.
    #[cfg(feature = "tap")]
    pub fn observed(mut self, tap: Arc<dyn crate::tls::Tap>, observer: Arc<dyn Observer>) -> Self {
        self.shown = self.shown.map(|to| to.with_tap(tap.clone()));
        self.observer = Some(observer);
        self
    }

    /// What encryption has cost so far.
    pub fn encryption(&self) -> Encryption {
        *self.encryption.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part until the job is over, connecting again whenever the connection is lost.
    ///
    /// # Errors
    /// [`AgentError`] for what trying again does not mend.
    pub async fn run(&self) -> Result<(), AgentError> {
        self.run_until(|_, _| false).await.map(drop)
    }

    /// The same, but stops dead as soon as `dies` says so of a duty: nothing more is sent, and what was in
    /// memory is lost, as in a power cut. So does the sandbox show what becomes of a round.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_until(&self, dies: impl Fn(&RoundRef, &Owed) -> bool) -> Result<Ended, AgentError> {
        let mut seats = Seats::default();
        let mut patience = SHORTEST_WAIT;
        let mut met = false;
        loop {
            match self.connected(&mut seats, &mut patience, &mut met, &dies).await {
                Ok(ended) => return Ok(ended),
                // Who has met the coordinator once does not give up because somebody else answers in its place.
                Err(Lost::Forever(AgentError::Connect(error))) if met && !error.is_revoked() => {
                    warn!(participant = self.enrolment.name(), %error, "the coordinator is not itself");
                    patience = LONGEST_WAIT;
                }
                Err(Lost::Forever(error)) => return Err(error),
                Err(Lost::ForNow(reason)) => {
                    info!(participant = self.enrolment.name(), %reason, again_in = ?patience, "not connected");
                }
            }
            // Those whom one coordinator lost do not all come back at one moment.
            tokio::time::sleep(patience.mul_f64(system_randomness().random_range(0.5..1.0))).await;
            patience = (patience * 2).min(LONGEST_WAIT);
        }
    }

    /// One connection, until it ends.
    async fn connected(
        &self,
        seats: &mut Seats,
        patience: &mut Duration,
        met: &mut bool,
        dies: &impl Fn(&RoundRef, &Owed) -> bool,
    ) -> Result<Ended, Lost> {
        let mut link =
            Link::connect(&self.shown.connectors(&self.enrolment)).await.map_err(Lost::of_connect)?;
        let (federation, roster) = (self.enrolment.federation(), self.roster.digest());
        link.hello(federation, roster).await.map_err(Lost::of_hello)?;
        let seen = self.ledger_size().await.map_err(|error| Lost::Forever(error.into()))?;
        let mut duties = link.duties(seen, seats.holding()).await.map_err(Lost::of_call)?;
        *patience = SHORTEST_WAIT;
        *met = true;
        info!(participant = self.enrolment.name(), "connected");
        let mut awaiting_training: Option<Duty> = None;
        loop {
            let duty = tokio::select! {
                duty = duties.message() => {
                    let duty = duty.map_err(Lost::of_call)?.ok_or_else(Lost::closed)?;
                    Duty::try_from(duty).map_err(|error| Lost::ForNow(printable(&error.to_string())))?
                }
                () = trained(&mut seats.round), if awaiting_training.is_some() => {
                    let Some(awaited) = awaiting_training.take() else { continue };
                    awaited
                }
            };
            let PlaceRef { job, place } = duty.at.clone();
            let Place::Round(id) = place else {
                self.attend_ahead(&mut link, seats, duty).await?;
                continue;
            };
            let round = RoundRef { job, id };
            if dies(&round, &duty.owed) {
                return Ok(Ended::Died);
            }
            let is_mine = seats.round.as_ref().is_none_or(|seat| seat.round == round);
            if matches!(duty.owed, Owed::Over(_)) && is_mine || matches!(duty.owed, Owed::JobOver(_)) {
                // Their rounds are over; their keys are long gone.
                self.journal.spool().forget().map_err(|error| Lost::Forever(error.into()))?;
            }
            if matches!(duty.owed, Owed::JobOver(_)) {
                self.take_leave(&mut link, duty.ledger.as_ref()).await?;
            }
            match duty.owed {
                Owed::JobOver(None) => {
                    info!(participant = self.enrolment.name(), job = %round.job, "the job is complete");
                    return Ok(Ended::JobOver);
                }
                Owed::JobOver(Some(reason)) => {
                    return Err(Lost::Forever(AgentError::JobAbandoned(printable(&reason))));
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
                        seats.pace.slow_down().await;
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
                    let (beside, certifies) = (Beside { voided, ledger }, matches!(owed, Owed::Certify(_)));
                    let done = self.perform(&mut link, seats, &round, &plan, owed, &beside).await;
                    let is_done = self.settled(&mut link, seats, &at, &plan.terms, done).await?;
                    // The round does not wait for this.
                    if let (true, true, Some(shown)) = (is_done, certifies, &beside.ledger) {
                        self.bear_witness(&mut link, shown).await;
                    }
                }
            }
        }
    }

    /// Does a duty of a preparation that is made ahead.
    async fn attend_ahead(&self, link: &mut Link, seats: &mut Seats, duty: Duty) -> Result<(), Lost> {
        let Duty { at, plan, owed, .. } = duty;
        let terms = match PreparationTerms::from_bytes(&plan) {
            Ok(terms) if terms.job == at.job && Place::Ahead(terms.number) == at.place => terms,
            _ => {
                warn!(place = %at.place, "the coordinator names a duty without the terms of its preparation");
                seats.pace.slow_down().await;
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
        seats.pace.slow_down().await;
        self.decline(link, at, terms, &reason).await?;
        Ok(false)
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

    fn count_encryption(&self, more: Encryption) {
        let mut encryption = self.encryption.lock().unwrap_or_else(PoisonError::into_inner);
        encryption.coefficients += more.coefficients;
        encryption.nanos += more.nanos;
    }

    /// Randomness of the local half only: seeded where a repeatable run was asked for.
    fn local_randomness(&self, plan: &RoundPlan) -> ChaCha20Rng {
        match self.training_seed {
            Some(seed) => {
                let id = self.id.get().to_be_bytes();
                let parts: [&[u8]; 3] = [&seed.to_be_bytes(), &id, plan.question.as_bytes()];
                ChaCha20Rng::from_seed(Digest::of_parts("syndic training seed", &parts).0)
            }
            None => {
                let mut seed = [0; 32];
                system_randomness().fill_bytes(&mut seed);
                ChaCha20Rng::from_seed(seed)
            }
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

/// The operating system's randomness, for keys, shares and noise: it keeps no state that would need wiping.
fn system_randomness() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// What the journal says of bytes that are about to leave.
fn leaving(at: &PlaceRef, kind: Kind, bytes: &[u8]) -> Sent {
    Sent {
        job: at.job.to_string(),
        place: at.place,
        what: kind.name().into(),
        bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
        at_ms: now().0,
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Between attempts to connect, doubling up to the longest.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
