//! This participant's place in one round: the stage it has reached, the secrets of that stage, and what it
//! has said, to be said again when an answer was lost.
//!
//! Secrets live in memory only and are wiped when the seat is dropped or passes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use syndic_proto::convert::{PlaceRef, RoundRef};
use syndic_round::message::{Kind, PublicPart};
use syndic_round::participant::{Acknowledged, Advertised, Bound, Certified, Joined};
use syndic_round::vector::Quantiser;
use syndic_round::{Certificate, Digest, ParticipantId, Place, PreparationTerms, RoundPlan, Signed};
use syndic_secure_aggregation::{
    KemSecret, KeyShare, KeyShareSum, MalformedShare, OneTimeKey, SealContext, Share, ShareMissing,
    SharingContext, SmallVector, Subject, VectorShape, VectorShare, VectorShareSum,
};
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tracing::warn;

use super::error::Declined;

/// The places that a participant has in a job at a time: in a round, and in the preparation of the next.
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
    /// Its own secret, and what it will hold of all others'.
    Dealt(Joined, KemSecret, Secret, Shares),
    Ready(Acknowledged, Shares, Secret),
    /// Bound to a round, or of no further use.
    Gone,
}

/// What this participant has shared.
pub(super) enum Secret {
    /// A one-time key, still to be used.
    Key(Box<OneTimeKey>),
    /// Its update itself, which is gone.
    Update,
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
    Bound(Holding, Secret),
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

/// Shares by dealer: of keys, or of updates that were shared themselves.
pub(super) enum Shares {
    Keys(BTreeMap<ParticipantId, KeyShare>),
    Vectors(VectorShape, BTreeMap<ParticipantId, VectorShare>),
}

/// The local work of the round.
pub(super) enum Training {
    /// Under way.
    Running(JoinSet<Result<Answer, Declined>>),
    /// The answer, not yet encrypted or shared.
    Finished(Result<Answer, Declined>),
    /// Encrypted or shared, and gone.
    Gone,
}

/// What the local work comes to.
pub(super) enum Answer {
    /// Ring coefficients, to be encrypted.
    Coefficients(Box<Quantiser>),
    /// Elements, to be shared themselves.
    Elements(SmallVector),
}

/// A message as it went out.
pub(super) struct Said {
    pub(super) signed: Signed,
    /// Sealed shares. An encrypted update lies beside the journal.
    pub(super) attached: Vec<u8>,
    /// Whether the journal has it that this leaves now: what was just written down, until it is said.
    pub(super) is_leaving: bool,
}

impl Said {
    /// All that is sent of it, in order.
    pub(super) fn bytes(&self) -> Vec<u8> {
        [self.signed.to_bytes(), self.attached.clone()].concat()
    }
}

impl Preparing {
    /// Takes the keys out, so that they can be consumed; what is left takes no further part.
    pub(super) fn take_keys(&mut self) -> Keys {
        std::mem::replace(&mut self.keys, Keys::Gone)
    }
}

impl Shares {
    /// None yet, of what a plan's vector is shared as; of keys ahead of any plan.
    pub(super) fn none(shape: Option<VectorShape>) -> Self {
        match shape {
            Some(shape) => Self::Vectors(shape, BTreeMap::new()),
            None => Self::Keys(BTreeMap::new()),
        }
    }

    /// Opens a sealed share and verifies it against what its dealer published; it is held if it is good.
    pub(super) fn take(
        &mut self,
        kem: &KemSecret,
        sealed: &[u8],
        seal: &SealContext,
        public: &PublicPart,
        context: &SharingContext<'_>,
    ) {
        let dealer = context.dealer;
        let Ok(bytes) = kem.open(sealed, seal) else {
            warn!(%dealer, "a share does not open; complaining");
            return;
        };
        let bad = match self {
            Self::Keys(held) => {
                let share = KeyShare::from_bytes(&bytes, context.cohort.len());
                good(share, seal.recipient, public, context).map(|share| drop(held.insert(dealer, share)))
            }
            Self::Vectors(shape, held) => {
                let share = VectorShare::from_bytes(&bytes, shape);
                good(share, seal.recipient, public, context).map(|share| drop(held.insert(dealer, share)))
            }
        };
        if let Err(code) = bad {
            warn!(%dealer, code, "complaining of a share");
        }
    }

    pub(super) fn holds(&self, dealer: &ParticipantId) -> bool {
        match self {
            Self::Keys(held) => held.contains_key(dealer),
            Self::Vectors(_, held) => held.contains_key(dealer),
        }
    }

    /// What is revealed for a certificate.
    pub(super) fn sum(&self, certificate: &Certificate) -> Result<Vec<u8>, ShareMissing> {
        match self {
            Self::Keys(held) => KeyShareSum::of(held, certificate).map(|sum| sum.to_bytes()),
            Self::Vectors(_, held) => VectorShareSum::of(held, certificate).map(|sum| sum.to_bytes()),
        }
    }
}

impl Seats {
    /// Number of the preparation made ahead whose keys are held; 0 for none.
    pub(super) fn holding(&self) -> u64 {
        self.ahead.as_ref().map_or(0, |ahead| ahead.terms.number)
    }

    /// Gives up the seat in this place, with its secrets. One in another place is none of its business.
    pub(super) fn leave(&mut self, at: &PlaceRef) {
        let PlaceRef { job, place } = at;
        match *place {
            Place::Round(id) => {
                drop(self.round.take_if(|seat| seat.round.job == *job && seat.round.id == id))
            }
            Place::Ahead(number) => {
                drop(self.ahead.take_if(|ahead| ahead.terms.job == *job && ahead.terms.number == number));
            }
        }
    }
}

impl Seat {
    /// Takes the stage out, so that its secrets can be consumed; what is left takes no further part.
    pub(super) fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Done)
    }
}

impl Training {
    /// Begins local work once it is its `turn`: an institution does one at a time. What is under way when nobody waits for it
    /// any more is brought to its end, and what has not had its turn by then is not begun.
    pub(super) fn begin(
        turn: Arc<Mutex<()>>,
        work: impl FnOnce() -> Result<Answer, Declined> + Send + 'static,
    ) -> Self {
        let mut task = JoinSet::new();
        task.spawn(async move {
            let turn = turn.lock_owned().await;
            let work = move || {
                let answer = work();
                drop(turn);
                answer
            };
            joined(spawn_blocking(work).await).and_then(|answer| answer)
        });
        Self::Running(task)
    }

    /// Begins work that waits for another program on this host, and keeps none of this institution's own from its turn. Where
    /// nobody waits for it any more it is given up.
    pub(super) fn begin_outside(
        work: impl Future<Output = Result<Answer, Declined>> + Send + 'static,
    ) -> Self {
        let mut task = JoinSet::new();
        task.spawn(work);
        Self::Running(task)
    }

    /// Waits for the answer. Safe to give up waiting: the work goes on.
    pub(super) async fn finish(&mut self) {
        let Self::Running(task) = self else { return };
        let done = task.join_next().await;
        *self = Self::Finished(done.map_or(Err(Declined::Restarted), joined).and_then(|answer| answer));
    }
}

/// A share that its dealer committed to and that lies on its polynomials; otherwise the code of what is wrong.
fn good<S: Subject>(
    share: Result<Share<S>, MalformedShare>,
    me: ParticipantId,
    public: &PublicPart,
    context: &SharingContext<'_>,
) -> Result<Share<S>, &'static str> {
    let share = share.map_err(|error| error.code())?;
    share.verify(me, public, context).map_err(|error| error.code())?;
    Ok(share)
}

/// The result of work on another thread. A panic there is one here; work that was not done at all is that of an agent
/// that is being stopped.
pub(super) fn joined<T>(work: Result<T, JoinError>) -> Result<T, Declined> {
    work.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Declined::Restarted,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn local_work_waits_for_its_turn_and_is_not_begun_when_nobody_wants_it_any_more() {
        let (turn, (begun, begins)) = (Arc::new(Mutex::new(())), mpsc::channel());
        let (let_go, held) = mpsc::channel::<()>();
        let work = |number: u32, holds: Option<mpsc::Receiver<()>>| {
            let begun = begun.clone();
            Training::begin(turn.clone(), move || {
                begun.send(number).unwrap();
                holds.map(|held| held.recv());
                Err(Declined::NotOnRecord)
            })
        };
        let first = work(1, Some(held));
        let begins = spawn_blocking(move || {
            assert_eq!(begins.recv().unwrap(), 1);
            begins
        });
        let begins = begins.await.unwrap();
        let (second, mut third) = (work(2, None), work(3, None));
        drop((first, second));
        let_go.send(()).unwrap();
        third.finish().await;
        assert!(matches!(third, Training::Finished(Err(Declined::NotOnRecord))));
        assert_eq!(begins.try_iter().collect::<Vec<_>>(), [3]);
    }
}
