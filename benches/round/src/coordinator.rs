//! The coordinator's side: decide, append, swap, as the shipped driver does, and the opening of the sum by either engine.

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_coordinator::driver::{Ready, open_sum};
use syndic_coordinator::fact::{Beside, Fact};
use syndic_coordinator::store::{Blobs, FolderBlobs, Log, SqliteLog};
use syndic_ledger::{Checkpoint, Entry, History, Leaves, ShownEntry};
use syndic_proto::status::rejected;
use syndic_round::coordinator::{Input, Opened, Opening, Phase, RingOpened, Round, Step};
use syndic_round::{RING_DIMENSION, RoundPlan, SealedRoster};
use syndic_secure_aggregation::Aggregate;
use syndic_simulation::engine::{Engine, OpenedRound};
use tokio::sync::{Mutex, watch};
use tonic::Status;
use uuid::Uuid;

use crate::federation::{QUESTION, now};
use crate::moment::Moment;
use crate::{Failure, Played};

/// One federation's coordinator, for one round. Clones share it.
#[derive(Clone)]
pub(crate) struct Coordinator(Arc<Inner>);

pub(crate) struct Inner {
    engine: Engine,
    pub(crate) roster: Arc<SealedRoster>,
    pub(crate) ledger_key: SigningKey,
    log: SqliteLog,
    pub(crate) blobs: FolderBlobs,
    pub(crate) state: Mutex<State>,
    /// Counts changes of the state.
    pub(crate) changed: watch::Sender<u64>,
}

/// The round, and the ledger as far as it is durable.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) round: Option<Round>,
    history: History,
    leaves: Leaves,
    /// The entry that froze the survivor set, and its index.
    frozen: Option<(u64, Vec<u8>)>,
    /// When everybody had acknowledged.
    prepared_at: Option<Moment>,
}

impl std::ops::Deref for Coordinator {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Coordinator {
    /// A coordinator with an empty ledger in `folder`.
    pub(crate) async fn open(
        engine: Engine,
        roster: Arc<SealedRoster>,
        ledger_key: SigningKey,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let (log, blobs) =
            (SqliteLog::open(&folder.join("log.sqlite")).await?, FolderBlobs::open(folder).await?);
        let (state, changed) = (Mutex::default(), watch::Sender::new(0));
        Ok(Self(Arc::new(Inner { engine, roster, ledger_key, log, blobs, state, changed })))
    }

    /// Opens the round, and sees it through.
    pub(crate) async fn play(&self, plan: RoundPlan) -> Result<Played, Failure> {
        let mut changed = self.changed.subscribe();
        let opened_at = Moment::now();
        self.blobs.put(QUESTION).await?;
        let round = Round::open(plan.clone(), self.roster.clone(), now())?;
        let fact = Fact::RoundOpened {
            plan: Box::new(plan.clone()),
            kind: "bench".into(),
            training_round: None,
            absent: Vec::new(),
            excused: Vec::new(),
            lot: None,
        };
        let mut state = self.state.lock().await;
        self.append(&mut state, &[fact]).await?;
        state.round = Some(round);
        drop(state);
        self.tick();
        let opening = loop {
            changed.borrow_and_update();
            let state = self.state.lock().await;
            match state.round.as_ref().map(Round::phase) {
                Some(Phase::Opening(opening)) => break opening.clone(),
                Some(Phase::Abandoned(reason)) => return Err(reason.clone().into()),
                _ => {}
            }
            drop(state);
            changed.changed().await?;
        };
        let (opened, steps) = self.open_sum(&plan, &opening).await?;
        self.hear(Input::Opened(opened)).await?;
        let prepared_at = self.state.lock().await.prepared_at.ok_or("updates came before shares")?;
        let (preparation, rest) = (prepared_at.since(opened_at), Moment::now().since(prepared_at));
        Ok(Played { steps, preparation, rest })
    }

    /// Takes one input of the round: decided, stored, then counted. Answers whether it was new.
    pub(crate) async fn hear(&self, input: Input) -> Result<bool, Status> {
        let mut state = self.state.lock().await;
        let before = state.round.as_ref().ok_or_else(|| Status::unavailable("no round is open"))?;
        let Step { next, changed } = before.step(now(), &input).map_err(|error| rejected(&error))?;
        if !changed {
            return Ok(false);
        }
        let (job, round) = (next.plan().terms.job.clone(), next.plan().id);
        let survivors = match next.phase() {
            Phase::Closed(closed) => closed.survivors.ids().to_vec(),
            _ => Vec::new(),
        };
        let mut facts = vec![Fact::Heard {
            job: job.clone(),
            place: round.into(),
            input,
            survivors,
            beside: Beside::default(),
        }];
        let prepared = matches!((before.phase(), next.phase()), (Phase::Preparing(_), Phase::Collecting(_)));
        if let (Phase::Collecting(_), Phase::Certifying(frozen)) = (before.phase(), next.phase()) {
            let (survivors, digest) = (frozen.survivors().ids().to_vec(), frozen.survivors().digest());
            facts.push(Fact::RoundFrozen { job, round, survivors, digest, missing: Vec::new() });
        }
        let stored = self.append(&mut state, &facts).await;
        stored.map_err(|error| Status::unavailable(error.to_string()))?;
        state.round = Some(next);
        if prepared {
            state.prepared_at = Some(Moment::now());
        }
        drop(state);
        self.tick();
        Ok(true)
    }

    /// Where the survivor set is in the ledger, for somebody who has seen nothing of it.
    pub(crate) fn shown_frozen(&self, state: &State) -> Result<ShownEntry, Failure> {
        let (index, entry) = state.frozen.clone().ok_or("no survivor set is frozen")?;
        let size = state.history.size();
        let checkpoint = Checkpoint::of(&self.roster.roster().ledger_origin(), state.history.tree())?;
        Ok(ShownEntry {
            checkpoint: checkpoint.sign(&self.ledger_key)?,
            older: 0,
            older_root: state.leaves.root(0)?,
            consistency: state.leaves.consistency_proof(0, size)?,
            index,
            entry,
            inclusion: state.leaves.inclusion_proof(index, size)?,
        })
    }

    /// Opens and stores the sum: as shipped, or with the plain engine.
    async fn open_sum(&self, plan: &RoundPlan, opening: &Opening) -> Result<(Opened, Vec<i64>), Failure> {
        if self.engine == Engine::Plain {
            return self.open_plain(plan, opening).await;
        }
        let opened = open_sum(plan, opening, &self.blobs).await?;
        let Ready { sum, stored } = opened.map_err(|unopened| format!("{unopened:?}"))?;
        Ok((stored, sum.steps().to_vec()))
    }

    /// Folds the stored updates, each read whole, and stores the same as is stored of an encrypted sum.
    async fn open_plain(&self, plan: &RoundPlan, opening: &Opening) -> Result<(Opened, Vec<i64>), Failure> {
        let (set, chunks) = (plan.terms.protection.parameter_set(), plan.coefficients() / RING_DIMENSION);
        let mut aggregate = Aggregate::new(set, chunks);
        for submission in opening.submissions() {
            let update = self.blobs.read(submission.upload.blob).await?;
            aggregate.fold(submission.header.from, &update)?;
        }
        let transcript = opening.transcript(plan).to_bytes();
        let (engine, plan, opening) = (self.engine, plan.clone(), opening.clone());
        let opened = tokio::task::spawn_blocking(move || {
            engine.open(&plan, &opening, &aggregate).map(|opened| (opened, aggregate))
        });
        let (OpenedRound { sum, key_sum, wrong_reveals }, aggregate) =
            opened.await?.map_err(|unopened| format!("{unopened:?}"))?;
        let ring = RingOpened {
            key_sum: self.blobs.put(&key_sum).await?,
            aggregate: self.blobs.put(aggregate.bytes()).await?,
            aggregate_root: aggregate.root(),
        };
        let stored = Opened {
            sum: self.blobs.put(&sum.to_bytes()).await?,
            ring: Some(ring),
            transcript: self.blobs.put(&transcript).await?,
            wrong_reveals,
            checked: true,
        };
        Ok((stored, sum.steps().to_vec()))
    }

    /// Makes facts durable.
    async fn append(&self, state: &mut State, facts: &[Fact]) -> Result<(), Failure> {
        let (mut accepted, mut batch) = (Vec::new(), Vec::new());
        for fact in facts {
            let entry = state.history.link_after(&accepted, self.entry(fact)?);
            let bytes = entry.to_canonical()?;
            accepted.push(state.history.check_after(&accepted, &bytes)?);
            batch.push(bytes);
        }
        self.log.append(state.history.size(), &batch).await?;
        for ((accepted, bytes), fact) in accepted.iter().zip(batch).zip(facts) {
            state.history.record(accepted)?;
            state.leaves.append(accepted.leaf);
            if matches!(fact, Fact::RoundFrozen { .. }) {
                state.frozen = Some((accepted.index, bytes));
            }
        }
        Ok(())
    }

    fn entry(&self, fact: &Fact) -> Result<Entry, Failure> {
        let (kind, subject, data) = fact.to_parts();
        Ok(Entry {
            id: Uuid::now_v7().to_string(),
            source: format!("coordinator/{}", self.roster.roster().federation),
            kind: kind.into(),
            time: syndic_ledger::Timestamp::from_unix_ms(now().0)?,
            subject,
            schema: "1".into(),
            round_prev: None,
            data,
        })
    }

    fn tick(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
