//! The agent of one institution: it connects, does what it owes, and declines what it must not do.
//!
//! Everything that is checked is checked here, on the institution's own host, against what the institution
//! itself holds: its pinned roster, its policy, its data, its journal.

mod approval;
mod attending;
mod comparing;
mod delivery;
mod error;
mod files;
mod ledger;
mod link;
mod lost;
mod outside;
mod pace;
mod preparing;
mod queue;
mod renewed;
mod round;
mod running;
mod saying;
mod seat;
mod spot_check;
mod upload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::rngs::SysRng;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, UnwrapErr};
#[cfg(feature = "tap")]
use syndic_proto::convert::RoundRef;
use syndic_proto::convert::{Owed, PlaceRef};
use syndic_round::message::Kind;
use syndic_round::{Digest, JobId, ParticipantId, Rejection, RoundPlan, SealedRoster, Timestamp};
use tokio::sync::Mutex;

pub use error::{AgentError, Unbelieved};
pub use spot_check::{Finding, SpotChecked, spot_check};
pub use upload::encrypt_into_file;

use crate::data::Source;
use crate::enrol::Enrolment;
use crate::journal::{Journal, Sent};
use crate::models::Models;
use crate::policy::{Denied, Policy};
use crate::trainer::{Trainer, TrainerConfig};
use approval::Approved;
use error::{Declined, Undone};
use files::{Files, Latest};
use pace::Pace;
use renewed::Shown;

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
    trainer: Option<Trainer>,
    models: Option<Models>,
    accepted: Files<Approved>,
    denied: StdMutex<Latest<Denied>>,
    /// Held by the local work that is under way.
    working: Arc<Mutex<()>>,
    encryption: StdMutex<Encryption>,
    /// Values that were clipped to their plans' bounds so far, of answers without noise.
    clipped: Arc<AtomicU64>,
    /// The survivors that this participant signed last, of each job that is not over.
    last_survivors: StdMutex<BTreeMap<JobId, Vec<ParticipantId>>>,
    pace: Pace,
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
    /// All jobs that it took part in have their outcomes.
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
            trainer: None,
            models: None,
            accepted: Files::none(),
            denied: StdMutex::new(Latest::none()),
            working: Arc::default(),
            encryption: StdMutex::default(),
            clipped: Arc::default(),
            last_survivors: StdMutex::default(),
            pace: Pace::default(),
            #[cfg(feature = "tap")]
            observer: None,
        })
    }

    /// The same, taking up what `syndic-participant renew` puts in `folder` whenever it connects.
    pub fn renewed_from(self, folder: PathBuf) -> Self {
        Self { shown: self.shown.renewed_from(folder), ..self }
    }

    /// The same, taking released models into this folder.
    pub fn with_models(self, models: Models) -> Self {
        Self { models: Some(models), ..self }
    }

    /// The same with the external trainer that its configuration names, if it names one.
    pub fn with_trainer(self, config: Option<TrainerConfig>) -> Self {
        self.beside(config.map(Trainer::new))
    }

    /// The same with a trainer that other agents may have too, which is then asked one thing at a time by all of them.
    pub fn beside(self, trainer: Option<Trainer>) -> Self {
        Self { trainer, ..self }
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

    /// How many values were clipped to their plans' bounds so far, of answers without noise.
    pub fn clipped(&self) -> u64 {
        self.clipped.load(Ordering::Relaxed)
    }

    fn count_encryption(&self, more: Encryption) {
        let mut encryption = self.encryption.lock().unwrap_or_else(PoisonError::into_inner);
        encryption.coefficients += more.coefficients;
        encryption.nanos += more.nanos;
    }

    /// Randomness of the local half only: seeded where a repeatable run was asked for and may be had. Noise that can be drawn
    /// again protects nobody.
    fn local_randomness(&self, plan: &RoundPlan, is_seeded: bool) -> ChaCha20Rng {
        match self.training_seed.filter(|_| is_seeded) {
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

fn kind_of(owed: &Owed) -> Option<Kind> {
    match owed {
        Owed::Advertise => Some(Kind::Advertise),
        Owed::Deal(_) => Some(Kind::Dealing),
        Owed::Acknowledge(_) => Some(Kind::Ack),
        Owed::Submit(_) => Some(Kind::Header),
        Owed::Certify(_) => Some(Kind::Certify),
        Owed::Reveal(_) => Some(Kind::Reveal),
        Owed::Void(_) => Some(Kind::Void),
        Owed::Over(_) | Owed::JobOver(_) | Owed::ModelStaged => None,
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
