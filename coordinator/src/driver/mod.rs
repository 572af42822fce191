//! Step, append, swap, answer, perform: the shell around the [`Engine`].
//!
//! Every input is decided under one lock, appended to the log, and only then counts and is answered. What
//! the coordinator itself owes follows from the state alone, so [`Coordinator::drive`] after a crash goes on
//! where the ledger ends.

mod admitting;
mod appending;
mod closed;
mod concluded;
mod connecting;
mod described;
mod driving;
mod erasing;
mod error;
mod governance;
mod hearing;
mod incarnation;
mod judging;
mod offering;
mod opening;
mod presence;
mod publishing;
mod record;
mod recovery;
mod registering;
mod replay;
mod spot_check;
mod sweeping;
mod telling;
mod together;
mod verified;
mod waiting;
mod watched;
mod witnessing;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use syndic_learning::{Findings, Outcome};
use syndic_round::coordinator::Phase;
use syndic_round::message::{Kind, Signed};
use syndic_round::receipt::{Receipt, Received};
use syndic_round::{Digest, EndorsedRoster, JobId, Place, RoundId, SealedRoster};
use tokio::sync::{Mutex, broadcast, watch};
use tokio::task::JoinHandle;

pub use error::CoordinatorError;
use incarnation::Incarnation;
pub use opening::{Ready, open_sum};
use presence::Presence;
pub use presence::{Attached, Holding};
use recovery::Condition;
pub use recovery::Trouble;
pub use registering::{Listed, Recorded};
use replay::Stored;
use verified::VerifiedNote;
use watched::WatchedBlobs;

use crate::boxed::Boxed;
use crate::clock;
use crate::engine::{Ended, Engine, Over};
use crate::event::Told;
use crate::fact::Fact;
use crate::instance::Instance;
use crate::store::{Blobs, Cosignatures, Log, Replica};

/// One federation's coordinator. Clones share it.
#[derive(Clone)]
pub struct Coordinator {
    inner: Arc<Inner>,
}

/// What a coordinator is made of.
pub struct Parts {
    /// The roster that all members signed.
    pub roster: SealedRoster,
    /// Signs checkpoints; its public half is in the roster.
    pub ledger_key: SigningKey,
    /// The ledger's entries.
    pub log: Box<dyn Log>,
    /// Ciphertexts, sealed shares, questions, sums, models.
    pub blobs: Box<dyn Blobs>,
    /// What witnesses have signed of the ledger's head.
    pub cosignatures: Box<dyn Cosignatures>,
    /// The file in which the coordinator notes how much of the ledger it has verified, so that a start need not verify that
    /// again.
    pub verified: PathBuf,
    /// This process among several that run the federation; none where it runs it alone.
    pub replica: Option<Arc<Replica>>,
    /// How long a round waits for institutions that are not connected, once enough are; who has been away for longer is waited
    /// for by nobody.
    pub gather: Duration,
    /// How many jobs are under way at once; others wait.
    pub most_jobs_at_once: usize,
    /// Which process this is, for the record.
    pub instance: Instance,
}

struct Inner {
    roster: Arc<SealedRoster>,
    federation: String,
    /// The origin line of the ledger's checkpoints.
    origin: String,
    ledger_key: SigningKey,
    log: Arc<dyn Log>,
    blobs: Arc<dyn Blobs>,
    replica: Option<Arc<Replica>>,
    gather: Duration,
    most_jobs_at_once: usize,
    /// Which process this is, and which of those that were started on the ledger.
    incarnation: Incarnation,
    /// Set once nothing new is to be begun any more.
    draining: AtomicBool,
    state: Mutex<State>,
    /// What waits to be heard.
    unheard: hearing::Unheard,
    /// How much of the ledger is verified, for the next start.
    verified: VerifiedNote,
    /// Whether the store takes things.
    condition: Condition,
    /// Counts changes of the state or of who is connected.
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Told>,
    present: StdMutex<Presence>,
    /// Held while chunks are read for a spot check.
    spot_checks: Mutex<()>,
    /// Held while something is swept or erased.
    sweeping: Mutex<()>,
    witnesses: Mutex<witnessing::Witnesses>,
}

struct State {
    engine: Engine,
    record: record::Record,
    /// Of jobs that are not over.
    tallies: BTreeMap<JobId, telling::Tally>,
    /// Set when an append failed: whether it is stored is unknown, so nothing more is decided here until it is known.
    stopped: bool,
}

impl Coordinator {
    /// Opens a coordinator: replays its ledger, or begins one with the roster.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the store fails, or the ledger is not this federation's or not whole.
    pub fn open(parts: Parts) -> Boxed<'static, Result<Self, CoordinatorError>> {
        Box::pin(async move {
            let Parts {
                roster,
                ledger_key,
                log,
                blobs,
                cosignatures,
                verified,
                replica,
                gather,
                most_jobs_at_once,
                instance,
            } = parts;
            let sealed = Arc::new(roster);
            if sealed.roster().coordinator_key != ledger_key.verifying_key().to_bytes() {
                return Err(CoordinatorError::OtherLedgerKey);
            }
            let condition = Condition::good();
            let blobs: Arc<dyn Blobs> = Arc::new(WatchedBlobs { blobs, condition: condition.clone() });
            blobs.sweep_partial().await?;
            let origin = sealed.roster().ledger_origin();
            let verified = VerifiedNote::at(verified, &origin, &instance.software);
            let noted = verified.read(ledger_key.verifying_key()).await;
            let log: Arc<dyn Log> = log.into();
            let stored = Stored { log: &log, blobs: &blobs };
            let (engine, record) = stored.replay(sealed.clone(), noted.as_ref()).await?;
            let witnesses = witnessing::Witnesses::load(cosignatures).await?;
            let federation = sealed.roster().federation.clone();
            let state = State { engine, record, tallies: BTreeMap::new(), stopped: false };
            let coordinator = Self {
                inner: Arc::new(Inner {
                    roster: sealed.clone(),
                    federation,
                    origin,
                    ledger_key,
                    log,
                    blobs,
                    replica: replica.clone(),
                    gather,
                    most_jobs_at_once,
                    incarnation: Incarnation::of(instance),
                    draining: AtomicBool::new(false),
                    state: Mutex::new(state),
                    unheard: hearing::Unheard::default(),
                    verified,
                    condition,
                    changed: watch::Sender::new(0),
                    events: broadcast::Sender::new(4096),
                    present: StdMutex::default(),
                    spot_checks: Mutex::default(),
                    sweeping: Mutex::default(),
                    witnesses: Mutex::new(witnesses),
                }),
            };
            coordinator.begin_or_resume(sealed.endorsed()).await?;
            if let Some(replica) = replica {
                coordinator.keep_together(replica);
            }
            Ok(coordinator)
        })
    }

    /// The sealed roster.
    pub fn roster(&self) -> &SealedRoster {
        &self.inner.roster
    }

    /// Looks at what the ledger says by now, all of it at one moment.
    pub async fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.inner.state.lock().await.engine)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Told> {
        self.inner.events.subscribe()
    }

    /// Ticks whenever there may be new duties.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The blobs.
    pub fn blobs(&self) -> &dyn Blobs {
        &*self.inner.blobs
    }

    /// Jobs that are not over, in no particular order.
    pub async fn jobs(&self) -> Vec<JobId> {
        self.inner.state.lock().await.engine.jobs().map(|job| job.id.clone()).collect()
    }

    /// The receipt of a message that is on record.
    pub fn receipt(&self, job: &JobId, place: Place, kind: Kind, message: &Signed) -> Receipt {
        let (federation, round) = (&*self.inner.federation, place.round());
        let received = Received { federation, job, round, kind, message };
        Receipt::sign(&received, clock::now(), &self.inner.ledger_key)
    }

    /// The bytes that an upload to this round must have, and those of each chunk.
    pub async fn upload_bytes(&self, job: &JobId, id: RoundId) -> Option<(u64, usize)> {
        let state = self.inner.state.lock().await;
        let plan = state.engine.open_round(job, id)?.round.plan();
        let chunk = syndic_secure_aggregation::chunk_bytes(plan.terms.protection.parameter_set());
        Some(((plan.chunks() * chunk) as u64, chunk))
    }

    /// Whether the round awaits updates now.
    pub async fn is_collecting(&self, job: &JobId, id: RoundId) -> bool {
        let state = self.inner.state.lock().await;
        let open = state.engine.open_round(job, id);
        open.is_some_and(|open| matches!(open.round.phase(), Phase::Collecting(_)))
    }

    /// The rounds that await updates now.
    pub async fn collecting(&self) -> Vec<(JobId, RoundId)> {
        let state = self.inner.state.lock().await;
        let open = state.engine.jobs().filter_map(|job| Some((job.id.clone(), &job.round()?.round)));
        let collecting = open.filter(|(_, round)| matches!(round.phase(), Phase::Collecting(_)));
        collecting.map(|(job, round)| (job, round.plan().id)).collect()
    }

    /// How many jobs are under way at once.
    pub fn most_jobs_at_once(&self) -> usize {
        self.inner.most_jobs_at_once
    }

    /// How the job ended, once it has.
    pub async fn over(&self, job: &JobId) -> Option<Over> {
        self.look(|engine| engine.over(job).cloned()).await
    }

    /// The outcome of a completed job; none where it has none, or others have ended since and it was let go.
    pub async fn outcome(&self, job: &JobId) -> Option<Arc<Outcome>> {
        self.inner.state.lock().await.engine.ended(job)?.outcome.clone()
    }

    /// The agreement of a job that trained nothing, and what it found.
    pub async fn findings(&self, job: &JobId) -> Option<(Digest, Arc<Findings>)> {
        let state = self.inner.state.lock().await;
        let ended = state.engine.ended(job)?;
        let Over::Compared(found) = &ended.over else { return None };
        Some((ended.agreement, found.clone()))
    }

    /// Jobs of which there is something to write out: those that were completed last, and all that compared or described.
    pub async fn with_outcomes(&self) -> Vec<JobId> {
        let state = self.inner.state.lock().await;
        let has_one = |ended: &Ended| {
            ended.outcome.is_some() || matches!(ended.over, Over::Compared(_) | Over::Described(_))
        };
        let held = state.engine.all_ended().filter(|(_, ended)| has_one(ended));
        held.map(|(job, _)| job.clone()).collect()
    }

    /// How many jobs are over, of how many of them the updates are erased, and how often a model came to another stage: when it
    /// grows, there is more to publish.
    pub async fn how_many_ended(&self) -> usize {
        let state = self.inner.state.lock().await;
        let (changes, _) = state.engine.registry().all_changes();
        let ended = state.engine.all_ended().map(|(_, ended)| 1 + usize::from(ended.is_erased));
        ended.sum::<usize>() + usize::try_from(changes).unwrap_or(usize::MAX)
    }

    /// Begins nothing new any more: no round, and no preparation. What is said is still heard.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::SeqCst);
        self.inner.tick();
    }

    /// Whether nothing new is begun any more.
    pub(super) fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::SeqCst)
    }

    /// Where a job's model comes from, for its card: federation, job, agreement and the ledger's head.
    pub async fn provenance(&self, job: &JobId, head: &(u64, String)) -> BTreeMap<String, serde_json::Value> {
        let state = self.inner.state.lock().await;
        let (size, root) = head;
        let mut provenance = BTreeMap::from([
            ("federation".into(), self.inner.federation.clone().into()),
            ("ledger_size".into(), (*size).into()),
            ("ledger_root".into(), root.clone().into()),
        ]);
        if let Some(agreement) = state.engine.agreement(job) {
            provenance.insert("job".into(), job.to_string().into());
            provenance.insert("agreement".into(), agreement.to_string().into());
            let warnings = state.engine.warnings(job);
            if !warnings.is_empty() {
                provenance.insert("warnings".into(), warnings.into());
            }
        }
        provenance
    }

    /// An empty ledger begins with the roster; a round that was under way gets its phase's time again, and so does a
    /// preparation.
    async fn begin_or_resume(&self, roster: EndorsedRoster) -> Result<(), CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        if state.record.history().size() == 0 {
            let file = roster_file(&roster)?;
            // If we crash here the roster is stored but the ledger is empty; the next start begins it.
            let blob = self.inner.blobs.put(&file).await?;
            let sealed = Fact::RosterSealed {
                federation: roster.roster.federation.clone(),
                digest: roster.roster.digest(),
                blob,
            };
            let begin = |state: &State, _| {
                let is_empty = state.record.history().size() == 0;
                Ok(is_empty.then(|| sealed.clone()).into_iter().collect())
            };
            self.inner.decided(&mut state, None, begin).await?;
        }
        self.inner.record_start(&mut state).await?;
        self.inner.note_verified(&state);
        self.inner.resume_all(&mut state).await
    }
}

/// What a task came to; a panic there is one here.
async fn joined<T>(task: JoinHandle<Result<T, CoordinatorError>>) -> Result<T, CoordinatorError> {
    match task.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The process is ending.
        Err(_) => Err(CoordinatorError::Stopped),
    }
}

/// The sealed roster's file, whose digest begins the ledger.
fn roster_file(roster: &EndorsedRoster) -> Result<Vec<u8>, CoordinatorError> {
    serde_json::to_vec(roster).map_err(|error| CoordinatorError::Ledger(error.to_string()))
}
