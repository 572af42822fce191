//! A federation whose every word passes through the man in the middle, from its founding to the job's end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use syndic::ledger::trust::Trust;
use syndic::ledger::verify;
use syndic_coordinator::engine::Over;
use syndic_coordinator::fact::Fact;
use syndic_coordinator::tls::{self, Limits};
use syndic_ledger::Summary;
use syndic_participant::agent::{Agent, AgentError, Ended};
use syndic_participant::enrol::Enrolment;
use syndic_proto::convert::{Owed, RoundRef};
use syndic_proto::v1::Kind;
use syndic_proto::v1::coordination_server::CoordinationServer;
use syndic_round::coordinator::Input;
use syndic_round::message::Payload;
use syndic_round::{ParticipantId, Place, RoundId};
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tonic::transport::Server;
use tower::layer::layer_fn;

use crate::answers::{Answers, Watcher};
use crate::between::{Between, Meddler};
use crate::copies::copy_folder;
use crate::federation::{self, Federation, loopback};
use crate::kept::{Kept, kept};
use crate::known::{Known, What};
use crate::life::{Finished, live, work};
use crate::log::{Count, Plan};
use crate::losses::Losing;

/// A run that is prepared.
pub(crate) struct Scene {
    federation: Federation,
    folder: tempfile::TempDir,
    hosts: Runtime,
    answers: Arc<Answers>,
    pub(crate) known: Arc<Known>,
    agents: Vec<JoinHandle<Result<(), AgentError>>>,
}

/// A run that came to its end.
pub(crate) struct Ran {
    pub(crate) over: Over,
    pub(crate) stored: Kept,
    pub(crate) known: Arc<Known>,
    pub(crate) summary: Summary,
    /// How each agent ended, by the order of ids.
    pub(crate) agents: Vec<Result<(), AgentError>>,
    /// How often the coordinator died.
    pub(crate) deaths: u64,
    answers: Arc<Answers>,
    folder: tempfile::TempDir,
}

/// How an institution fares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fares {
    /// It lives from the first round to the last.
    Well,
    /// The same, with a policy that does not allow the job.
    Denying,
    /// Its agent stops when it is to reveal in the first attempt at round 1, and is started again, with the same
    /// journal, once somebody has revealed there.
    RestartedBeforeItReveals,
    /// Its agent dies in the first attempt at round 1 once its update has left, before it has an answer, and is started
    /// again with what lies in its folder then.
    RestartedWhileItUploads(Meanwhile),
    /// Its agent dies twice in the first attempt at round 1: when it is to share its key, and once it has said that it
    /// has lost it; each time it is started again.
    RestartedBeforeItSharesAndOnceItDeclined,
    /// The same, but for its last life its state is as it was before it declined.
    PutBackAfterItDeclined,
}

/// What becomes of the stored update while its agent is down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Nothing,
    AByteChanges,
    ItIsCutShort,
    ItGoes,
}

impl Meanwhile {
    fn happens(self, updates: &Path) {
        let files: Vec<_> = std::fs::read_dir(updates).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [update] = files.as_slice() else { panic!("one update must lie there: {files:?}") };
        let mut bytes = std::fs::read(update).unwrap();
        match self {
            Self::Nothing => return,
            Self::AByteChanges => bytes[100] ^= 1,
            Self::ItIsCutShort => bytes.truncate(bytes.len() - 1),
            Self::ItGoes => return std::fs::remove_file(update).unwrap(),
        }
        std::fs::write(update, bytes).unwrap();
    }
}

impl Scene {
    /// All institutions are started; their coordinator is not.
    pub(crate) fn set(
        institutions: u16,
        spot_check_every: u32,
        meddler: Arc<dyn Meddler>,
        fares: impl Fn(ParticipantId) -> Fares,
    ) -> Self {
        let front = loopback();
        let federation = Federation::found_at(institutions, &[front, loopback()]);
        let folder = tempfile::tempdir().unwrap();
        let hosts = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let ledger_key = federation.identity.ledger_key();
        let between = Between::new(&federation.enrolments(), ledger_key, meddler.clone());
        let known = between.known.clone();
        hosts.block_on(async {
            let listener = tls::bind(front).await.unwrap();
            let incoming = tls::accept(listener, &federation.identity, Limits::default()).unwrap();
            let service = CoordinationServer::new(between).max_decoding_message_size(16 << 20);
            let losing = layer_fn(move |within| Losing { within, meddler: meddler.clone() });
            tokio::spawn(Server::builder().layer(losing).add_service(service).serve_with_incoming(incoming));
        });
        let answers = Arc::<Answers>::default();
        let lives = federation.enrolments().into_iter().zip(federation.enrolments());
        let agents = lives
            .zip(federation.enrolments())
            .map(|((first, again), last)| {
                let (state, answers, known) = (folder.path().to_owned(), answers.clone(), known.clone());
                let (who, updates) = (first.id(), updates_of(&state, first.name()));
                let fares = fares(who);
                hosts.spawn(async move {
                    if fares == Fares::Denying {
                        return federation::agent_that_denies(first, &state).await.run().await;
                    }
                    let before = watched(first, &state, spot_check_every, &answers).await;
                    match fares {
                        Fares::Well | Fares::Denying => return before.run().await,
                        Fares::RestartedBeforeItReveals => {
                            let ended = before.run_until(is_to_reveal_at_first).await?;
                            assert_eq!(ended, Ended::Died, "it must have been asked to reveal");
                            drop(before);
                            known.died(who, (1, 1));
                            known.until(1, (1, 1), What::Message(Kind::Reveal)).await;
                        }
                        Fares::RestartedWhileItUploads(meanwhile) => {
                            tokio::select! {
                                ended = before.run() => panic!("it must have been asked to upload: {ended:?}"),
                                () = known.until_by(who, (1, 1), What::Upload) => {}
                            }
                            drop(before);
                            meanwhile.happens(&updates);
                        }
                        Fares::RestartedBeforeItSharesAndOnceItDeclined | Fares::PutBackAfterItDeclined => {
                            let ended = before.run_until(is_to_share_at_first).await?;
                            assert_eq!(ended, Ended::Died, "it must have been asked to share");
                            drop(before);
                            let copy = state.join("copy");
                            copy_folder(&state.join(last.name()), &copy.join(last.name()));
                            let before = watched(last, &state, spot_check_every, &answers).await;
                            let lost = What::Declined("participant.restarted".into());
                            tokio::select! {
                                ended = before.run() => panic!("it must have declined: {ended:?}"),
                                () = known.until_by(who, (1, 1), lost) => {}
                            }
                            drop(before);
                            if fares == Fares::PutBackAfterItDeclined {
                                return watched(again, &copy, spot_check_every, &answers).await.run().await;
                            }
                        }
                    }
                    watched(again, &state, spot_check_every, &answers).await.run().await
                })
            })
            .collect();
        Self { federation, folder, hosts, answers, known, agents }
    }

    /// The folder in which the coordinator will keep everything.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("coordinator")
    }

    /// Runs the job to its end.
    pub(crate) fn run(self) -> Ran {
        self.run_with_deaths(Plan::NEVER)
    }

    /// The same with a coordinator that dies and is started again.
    pub(crate) fn run_with_deaths(self, plan: Plan) -> Ran {
        let Self { federation, folder, hosts, answers, known, agents } = self;
        let count = Arc::new(Count::default());
        let Finished { over, key } = loop {
            if let Some(finished) = live(&federation, folder.path(), plan, &count) {
                break finished;
            }
        };
        let agents = agents.into_iter().map(|agent| hosts.block_on(ended(agent))).collect();
        let stored = hosts.block_on(kept(&folder.path().join("coordinator")));
        let summary = verify::check(&folder.path().join("ledger"), &Trust::of(Some(&key), None).unwrap())
            .unwrap()
            .summary;
        assert!(summary.pinned);
        assert_eq!(summary.size, stored.published());
        let deaths = count.deaths();
        Ran { over, stored, known, summary, agents, deaths, answers, folder }
    }

    /// Runs until the agent of `who` gives up; why it did. What becomes of the job is not waited for.
    pub(crate) fn until_gives_up(&mut self, who: ParticipantId) -> AgentError {
        let agent = self.agents.remove(usize::from(who.get()) - 1);
        let Self { federation, folder, .. } = self;
        let coordinator = Runtime::new().unwrap();
        let gave_up = coordinator.block_on(async {
            tokio::select! {
                gave_up = ended(agent) => gave_up,
                _ = work(federation, folder.path(), Plan::NEVER, Arc::default()) => panic!("the job ended first"),
            }
        });
        gave_up.expect_err("it was to give up")
    }
}

impl Scene {
    /// The folder in which an institution keeps its journal.
    pub(crate) fn state_of(&self, number: u16) -> PathBuf {
        self.folder.path().join(format!("bank_{number:02}"))
    }

    /// Why participants declined this round and attempt so far, as they said it: (who, code).
    pub(crate) fn declined(&self, round: u32, attempt: u32) -> Vec<(u16, String)> {
        self.known.declined(round, attempt)
    }
}

impl Ran {
    pub(crate) fn completed(&self) -> &Self {
        assert!(matches!(self.over, Over::Completed(_)), "{:?}", self.over);
        for (number, agent) in (1..).zip(&self.agents) {
            assert!(agent.is_ok(), "participant {number}: {agent:?}");
        }
        self
    }

    /// The folder in which the coordinator has kept everything.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("coordinator")
    }

    /// The journal of a participant.
    pub(crate) fn journal(&self, of: u16) -> PathBuf {
        self.folder.path().join(format!("bank_{of:02}/journal.sqlite"))
    }

    /// The published ledger.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// Encrypted updates that still lie with any institution.
    pub(crate) fn updates_left(&self) -> usize {
        let banks = (1..=self.agents.len()).map(|number| format!("bank_{number:02}"));
        banks.map(|bank| std::fs::read_dir(updates_of(self.folder.path(), &bank)).unwrap().count()).sum()
    }

    /// Everything that is on record.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        let entries = (0..).zip(&self.stored.entries);
        entries.map(|(index, entry)| Fact::from_entry(index, entry).unwrap()).collect()
    }

    /// The inputs of this round and attempt, and of the preparation that it consumed, in order.
    pub(crate) fn heard(&self, round: u32, attempt: u32) -> Vec<Input> {
        let id = RoundId { round, attempt };
        let plan = self.stored.rounds.iter().find(|round| round.plan.id == id).map(|round| &round.plan);
        let ahead = plan.map(|plan| Place::Ahead(plan.terms.number));
        let belongs = |place: Place| place == Place::Round(id) || Some(place) == ahead;
        let facts = self.facts().into_iter();
        facts
            .filter_map(|fact| match fact {
                Fact::Heard { place, input, .. } if belongs(place) => Some(input),
                _ => None,
            })
            .collect()
    }

    /// Checks that the sum of every closed round is exactly that of what its survivors answered, and returns the
    /// survivors of each, by round and attempt.
    pub(crate) fn exact_sums(&self) -> BTreeMap<(u32, u32), Vec<u16>> {
        let answers = self.answers.0.lock().unwrap();
        let mut closed = BTreeMap::new();
        for round in &self.stored.rounds {
            let id = round.plan.id;
            let Some((opened, expected)) = round.sums(|who| answers[&(id, who)].as_slice()) else { continue };
            assert_eq!(opened.steps(), expected.steps(), "round {id}");
            assert!(opened.steps().iter().any(|&step| step != 0));
            let survivors = round.closed.as_ref().unwrap().1.iter().map(|id| id.get()).collect();
            closed.insert((id.round, id.attempt), survivors);
        }
        closed
    }

    /// Why participants declined this round and attempt, as they said it: (who, code).
    pub(crate) fn declined(&self, round: u32, attempt: u32) -> Vec<(u16, String)> {
        self.known.declined(round, attempt)
    }

    /// Who said this in this round and attempt, in order; also what was not taken.
    pub(crate) fn who_said(&self, round: u32, attempt: u32, kind: Kind) -> Vec<u16> {
        let said = self.known.said().into_iter().filter(|said| said.round == RoundId { round, attempt });
        said.filter(|said| said.what == What::Message(kind)).map(|said| said.from.get()).collect()
    }
}

/// Payloads of the messages that `pick` picks.
pub(crate) fn payloads<P: Payload>(
    heard: &[Input],
    pick: impl Fn(&Input) -> Option<&syndic_round::Signed>,
) -> Vec<P> {
    heard.iter().filter_map(pick).map(|signed| P::decode(&signed.payload).unwrap()).collect()
}

pub(crate) fn id(number: u16) -> ParticipantId {
    ParticipantId::new(number).unwrap()
}

/// Where an institution keeps encrypted updates.
fn updates_of(state: &Path, name: &str) -> PathBuf {
    state.join(name).join("journal.sqlite.updates")
}

fn is_to_share_at_first(round: &RoundRef, owed: &Owed) -> bool {
    matches!(owed, Owed::Deal(_)) && round.id == RoundId { round: 1, attempt: 1 }
}

fn is_to_reveal_at_first(round: &RoundRef, owed: &Owed) -> bool {
    matches!(owed, Owed::Reveal(_)) && round.id == RoundId { round: 1, attempt: 1 }
}

async fn watched(enrolment: Enrolment, state: &Path, spot_check_every: u32, answers: &Arc<Answers>) -> Agent {
    let watcher = Arc::new(Watcher(enrolment.id(), answers.clone()));
    federation::agent(enrolment, state, spot_check_every).await.observed(watcher.clone(), watcher)
}

async fn ended(agent: JoinHandle<Result<(), AgentError>>) -> Result<(), AgentError> {
    let ended = tokio::time::timeout(Duration::from_secs(60), agent).await;
    ended.expect("every agent comes to an end").unwrap()
}
