//! A coordinator over a real log and real blobs, its members, and a look at what is stored.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syndic_coordinator::driver::{Attached, Coordinator, CoordinatorError, Parts};
use syndic_coordinator::engine::{Engine, Over};
use syndic_coordinator::fact::Fact;
use syndic_coordinator::instance::{Instance, Software};
use syndic_coordinator::store::{Blobs, FolderBlobs, FolderCosignatures, Log, Replica, SqliteLog};
use syndic_ledger::Entry;
use syndic_round::coordinator::{Duty, Input};
use syndic_round::{Digest, JobId, ParticipantId, Place, PreparationTerms, RoundId, RoundPlan, SealedRoster};
use tokio::task::JoinHandle;

use crate::logs::{Gate, Gated};
use crate::members::{JOB, Member, ledger_key, sealed_roster};

/// What outlives a coordinator: its folder, and its members.
pub(crate) struct House {
    folder: tempfile::TempDir,
    roster: SealedRoster,
    pub(crate) members: Vec<Member>,
}

/// A coordinator at work.
pub(crate) struct Running {
    pub(crate) coordinator: Coordinator,
    pub(crate) driving: JoinHandle<Result<Over, CoordinatorError>>,
    _attached: Vec<Attached>,
}

impl House {
    pub(crate) fn of(members: u16) -> Self {
        let roster = sealed_roster(members);
        let shared = Arc::new(roster.clone());
        let members = (1..=members).map(|number| Member::new(number, shared.clone())).collect();
        Self { folder: tempfile::tempdir().unwrap(), roster, members }
    }

    pub(crate) fn roster(&self) -> &SealedRoster {
        &self.roster
    }

    /// The log; also while a coordinator writes it.
    pub(crate) async fn log(&self) -> SqliteLog {
        SqliteLog::open(&self.log_file()).await.unwrap()
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.state().join("ledger.sqlite")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Where a coordinator notes how much of the ledger it has verified.
    pub(crate) fn note(&self) -> PathBuf {
        self.state().join("verified.note")
    }

    /// A coordinator over `log`, if it starts.
    pub(crate) async fn try_coordinator(
        &self,
        log: impl Log + 'static,
    ) -> Result<Coordinator, CoordinatorError> {
        let blobs = FolderBlobs::open(&self.state()).await.unwrap();
        self.try_open(log, blobs, None).await
    }

    /// A coordinator over `log`, without a job as yet.
    pub(crate) async fn coordinator(&self, log: impl Log + 'static) -> Coordinator {
        self.opened(log, None).await
    }

    /// The same over blobs that are not all that they should be.
    pub(crate) async fn coordinator_with(
        &self,
        log: impl Log + 'static,
        blobs: impl Blobs + 'static,
    ) -> Coordinator {
        self.opened_with(log, blobs, None).await
    }

    /// One of several on the same log, known by this name.
    pub(crate) async fn replica(&self, name: &str) -> (Coordinator, Arc<Replica>) {
        let replica = Arc::new(Replica::join(Arc::new(self.log().await), name.into()).await.unwrap());
        (self.opened(replica.log(), Some(replica.clone())).await, replica)
    }

    /// The same with its appends before a gate.
    pub(crate) async fn gated_replica(&self, name: &str, gate: Arc<Gate>) -> Coordinator {
        let replica = Arc::new(Replica::join(Arc::new(self.log().await), name.into()).await.unwrap());
        self.opened(Gated { log: replica.log(), gate }, Some(replica)).await
    }

    async fn opened(&self, log: impl Log + 'static, replica: Option<Arc<Replica>>) -> Coordinator {
        let blobs = FolderBlobs::open(&self.state()).await.unwrap();
        self.opened_with(log, blobs, replica).await
    }

    async fn opened_with(
        &self,
        log: impl Log + 'static,
        blobs: impl Blobs + 'static,
        replica: Option<Arc<Replica>>,
    ) -> Coordinator {
        self.try_open(log, blobs, replica).await.unwrap()
    }

    async fn try_open(
        &self,
        log: impl Log + 'static,
        blobs: impl Blobs + 'static,
        replica: Option<Arc<Replica>>,
    ) -> Result<Coordinator, CoordinatorError> {
        let cosignatures = FolderCosignatures::open(&self.state().join("cosignatures")).await.unwrap();
        Coordinator::open(Parts {
            roster: self.roster.clone(),
            ledger_key: ledger_key(),
            log: Box::new(log),
            blobs: Box::new(blobs),
            cosignatures: Box::new(cosignatures),
            verified: self.note(),
            replica,
            gather: Duration::ZERO,
            most_jobs_at_once: 2,
            instance: Instance::new(program(), None),
        })
        .await
    }

    /// A coordinator over `log` that drives the job, all members being connected, with a round in progress.
    pub(crate) async fn running(&self, log: impl Log + 'static) -> Running {
        self.started(log, |coordinator, job| async move { coordinator.drive(&job).await }).await
    }

    /// The same where what the coordinator owes is begun again once its store takes things again.
    pub(crate) async fn running_on(&self, log: impl Log + 'static) -> Running {
        self.started(log, |coordinator, job| async move {
            coordinator.through_trouble(|| coordinator.drive(&job)).await
        })
        .await
    }

    async fn started<D>(
        &self,
        log: impl Log + 'static,
        drive: impl FnOnce(Coordinator, JobId) -> D,
    ) -> Running
    where
        D: Future<Output = Result<Over, CoordinatorError>> + Send + 'static,
    {
        self.started_at(self.coordinator(log).await, drive).await
    }

    /// The same while the last member is away.
    pub(crate) async fn running_without_the_last(&self, log: impl Log + 'static) -> Running {
        let (_, present) = self.members.split_last().unwrap();
        let coordinator = self.coordinator(log).await;
        self.started_among(
            coordinator,
            present,
            |coordinator, job| async move { coordinator.drive(&job).await },
        )
        .await
    }

    /// This coordinator, driving the job.
    pub(crate) async fn at_work(&self, coordinator: Coordinator) -> Running {
        self.started_at(coordinator, |coordinator, job| async move { coordinator.drive(&job).await }).await
    }

    async fn started_at<D>(
        &self,
        coordinator: Coordinator,
        drive: impl FnOnce(Coordinator, JobId) -> D,
    ) -> Running
    where
        D: Future<Output = Result<Over, CoordinatorError>> + Send + 'static,
    {
        self.started_among(coordinator, &self.members, drive).await
    }

    async fn started_among<D>(
        &self,
        coordinator: Coordinator,
        present: &[Member],
        drive: impl FnOnce(Coordinator, JobId) -> D,
    ) -> Running
    where
        D: Future<Output = Result<Over, CoordinatorError>> + Send + 'static,
    {
        let job = coordinator.agree(JOB).await.unwrap();
        let name = |member: &Member| format!("bank-{}", member.id);
        let attached =
            present.iter().map(|member| coordinator.attach(member.id, name(member), &[])).collect();
        let driving = tokio::spawn(drive(coordinator.clone(), job));
        let running = Running { coordinator, driving, _attached: attached };
        running.until(async || running.current_round().await).await;
        running
    }

    /// Every entry that is stored.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let bytes = self.log().await.read(0, u64::MAX).await.unwrap();
        bytes.iter().map(|bytes| Entry::parse(bytes).unwrap()).collect()
    }

    /// How often this input is stored.
    pub(crate) async fn count(&self, wanted: &Input) -> usize {
        let facts = self.entries().await.into_iter().zip(0..);
        facts
            .filter(|(entry, index)| {
                let fact = Fact::from_entry(*index, entry).unwrap();
                matches!(fact, Fact::Heard { input, .. } if input == *wanted)
            })
            .count()
    }
}

/// Looks at what a coordinator's ledger says by now.
pub(crate) trait Look {
    async fn current_round(&self, job: &JobId) -> Option<RoundId>;
    async fn duty_of(&self, job: &JobId, caller: ParticipantId) -> Option<(RoundPlan, Duty)>;
    async fn duty_ahead(&self, job: &JobId, caller: ParticipantId) -> Option<(PreparationTerms, Duty)>;
    async fn why_abandoned(&self, job: &JobId, id: RoundId) -> Option<String>;
}

impl Look for Coordinator {
    async fn current_round(&self, job: &JobId) -> Option<RoundId> {
        self.look(|engine| engine.current_round(job)).await
    }

    async fn duty_of(&self, job: &JobId, caller: ParticipantId) -> Option<(RoundPlan, Duty)> {
        self.look(|engine| engine.duty_of(job, caller).map(|(plan, duty, _)| (plan.clone(), duty))).await
    }

    async fn duty_ahead(&self, job: &JobId, caller: ParticipantId) -> Option<(PreparationTerms, Duty)> {
        let asked = |engine: &Engine| {
            engine.duty_ahead(job, caller).map(|(ahead, duty)| (ahead.terms().clone(), duty))
        };
        self.look(asked).await
    }

    async fn why_abandoned(&self, job: &JobId, id: RoundId) -> Option<String> {
        self.look(|engine| engine.why_abandoned(job, id).map(String::from)).await
    }
}

impl Running {
    /// Hands in an input of the round in progress.
    pub(crate) async fn hear(&self, input: &Input) -> Result<bool, CoordinatorError> {
        let (job, round) = self.round().await;
        self.coordinator.hear(&job, round, input.clone()).await
    }

    pub(crate) async fn round(&self) -> (JobId, RoundId) {
        self.current_round().await.unwrap()
    }

    pub(crate) async fn current_round(&self) -> Option<(JobId, RoundId)> {
        Some((small(), self.coordinator.current_round(&small()).await?))
    }

    pub(crate) async fn duty_of(&self, id: ParticipantId) -> (RoundPlan, Duty) {
        self.coordinator.duty_of(&small(), id).await.unwrap()
    }

    /// The plan of the round, in which nobody has advertised yet.
    pub(crate) async fn plan(&self, members: &[Member]) -> RoundPlan {
        self.duty_of(members[0].id).await.0
    }

    /// Waits for what `look` finds.
    pub(crate) async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let mut changes = self.coordinator.changes();
        loop {
            changes.borrow_and_update();
            if let Some(found) = look().await {
                return found;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Nobody here prepares ahead: rounds are what these tests are about.
    pub(crate) async fn decline_ahead(&self, member: &Member) {
        if let Some((terms, _)) = self.coordinator.duty_ahead(&small(), member.id).await {
            let place = Place::Ahead(terms.number);
            let no = member.decline_at(&terms, place, "participant.busy");
            self.coordinator.hear(&terms.job, place, no).await.unwrap();
        }
    }

    /// Lets every member do what it owes in a round, until that is over.
    pub(crate) async fn play_out(&self, members: &mut [Member], round: RoundId) {
        while self.coordinator.current_round(&small()).await == Some(round) {
            for member in members.iter_mut() {
                if let Some((plan, duty)) = self.coordinator.duty_of(&small(), member.id).await
                    && plan.id == round
                {
                    let input = member.play(&self.coordinator, &plan, duty).await;
                    self.hear(&input).await.unwrap();
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets every member do what it owes the preparation that is made ahead of the next round, until that is ready; `plan` is
    /// one of its job.
    pub(crate) async fn play_ahead(&self, members: &mut [Member], plan: RoundPlan) -> PreparationTerms {
        let asked = async |id| self.coordinator.duty_ahead(&small(), id).await;
        let (terms, _) = self.until(async || asked(members[0].id).await).await;
        let plan = RoundPlan { terms: terms.clone(), ..plan };
        for _ in 0..3 {
            for member in &mut *members {
                let (_, duty) = asked(member.id).await.unwrap();
                let input = member.play(&self.coordinator, &plan, duty).await;
                self.coordinator.hear(&terms.job, Place::Ahead(terms.number), input).await.unwrap();
            }
        }
        terms
    }

    /// Lets every member do what it owes, until one of them owes a duty that `ends` names.
    pub(crate) async fn play_until(&self, members: &mut [Member], ends: impl Fn(&Duty) -> bool) {
        loop {
            for member in members.iter_mut() {
                self.decline_ahead(member).await;
                match self.coordinator.duty_of(&small(), member.id).await {
                    Some((_, duty)) if ends(&duty) => return,
                    Some((plan, duty)) => {
                        let input = member.play(&self.coordinator, &plan, duty).await;
                        assert!(self.hear(&input).await.unwrap(), "an honest message is new");
                    }
                    None => {}
                }
            }
        }
    }
}

/// What coordinators here are started from.
pub(crate) fn program() -> Software {
    Software { binary: Some(Digest::of(b"a program")), ..Software::built() }
}

/// The job of [`JOB`].
pub(crate) fn small() -> JobId {
    JobId::new("small").unwrap()
}

/// A coordinator that never comes to an end is a failure, not a test that runs for ever.
pub(crate) async fn ends<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it must come to an end")
}
