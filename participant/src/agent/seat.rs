//! This participant's place in one round: the stage it has reached, the secrets of that stage, and what it
//! has said, to be said again when an answer was lost.
//!
//! Secrets live in memory only and are wiped when the seat is dropped or passes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use syndic_proto::convert::RoundRef;
use syndic_round::message::Kind;
use syndic_round::participant::{Acknowledged, Advertised, Bound, Certified, Joined};
use syndic_round::{Digest, ParticipantId, PreparationTerms, Quantised, RoundPlan, Signed};
use syndic_secure_aggregation::{KemSecret, KeyShare, OneTimeKey};
use tokio::task::{JoinError, JoinHandle};

use super::error::Declined;

/// The places that a participant has at a time: in a round, and in the preparation of the next.
#[derive(Default)]
pub(super) struct Seats {
    pub(super) round: Option<Seat>,
    pub(super) ahead: Option<Preparing>,
}

/// A place in a preparation.
pub(super) struct Preparing {
    pub(super) terms: Arc<PreparationTerms>,
    pub(super) keys: Keys,
    pub(super) said: BTreeMap<Kind, Said>,
}

/// How far this participant is with its keys, and what it may use.
pub(super) enum Keys {
    Advertised(Advertised, KemSecret),
    Dealt(Joined, KemSecret, Box<OneTimeKey>),
    Ready(Acknowledged, Shares, Box<OneTimeKey>),
    /// Bound to a round, or of no further use.
    Gone,
}

/// A place in a round.
pub(super) struct Seat {
    pub(super) round: RoundRef,
    pub(super) plan: Arc<RoundPlan>,
    /// What makes the question the same question wherever it is asked (rule 11).
    pub(super) fingerprint: Digest,
    pub(super) preparing: Preparing,
    pub(super) stage: Stage,
    pub(super) training: Training,
    pub(super) said: BTreeMap<Kind, Said>,
}

/// How far this participant is once its keys are ready, with what it may use.
pub(super) enum Stage {
    /// Its keys are being prepared in this very round.
    Preparing,
    Bound(Holding, Box<OneTimeKey>),
    Submitted(Holding),
    Certified(Certified, Shares),
    /// Has revealed, or takes no further part.
    Done,
}

/// Bound to the round, with the shares that it holds.
pub(super) struct Holding {
    pub(super) state: Bound,
    pub(super) shares: Shares,
}

/// Key shares by dealer.
pub(super) type Shares = BTreeMap<ParticipantId, KeyShare>;

/// The local work of the round.
pub(super) enum Training {
    /// Under way.
    Running(JoinHandle<Result<Quantised, Declined>>),
    /// The answer, not yet encrypted.
    Finished(Result<Quantised, Declined>),
    /// Encrypted and gone.
    Gone,
}

/// A message as it went out.
pub(super) struct Said {
    pub(super) signed: Signed,
    /// Sealed shares, or the encrypted update.
    pub(super) attached: Vec<u8>,
}

impl Preparing {
    /// Takes the keys out, so that they can be consumed; what is left takes no further part.
    pub(super) fn take_keys(&mut self) -> Keys {
        std::mem::replace(&mut self.keys, Keys::Gone)
    }
}

impl Seats {
    /// Number of the preparation made ahead whose keys are held; 0 for none.
    pub(super) fn holding(&self) -> u64 {
        self.ahead.as_ref().map_or(0, |ahead| ahead.terms.number)
    }
}

impl Seat {
    /// Takes the stage out, so that its secrets can be consumed; what is left takes no further part.
    pub(super) fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Done)
    }
}

impl Training {
    /// Waits for the answer. Safe to give up waiting: the work goes on.
    pub(super) async fn finish(&mut self) {
        let Self::Running(task) = self else { return };
        *self = Self::Finished(joined(task.await).and_then(|answer| answer));
    }
}

/// The result of work on another thread. A panic there is one here; work that was not done at all is that of an agent
/// that is being stopped.
pub(super) fn joined<T>(work: Result<T, JoinError>) -> Result<T, Declined> {
    work.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Declined::Restarted,
    })
}
