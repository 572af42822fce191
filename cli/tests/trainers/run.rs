//! One run of a federation, from its first round to its outcome.

use std::path::{Path, PathBuf};
use std::time::Duration;

use syndic_coordinator::driver::{Coordinator, Parts};
use syndic_coordinator::engine::Over;
use syndic_coordinator::event::{Did, Event, Told};
use syndic_coordinator::instance::{Instance, Software};
use syndic_coordinator::serve::serve;
use syndic_coordinator::store::{FolderBlobs, FolderCosignatures, SqliteLog};
use syndic_coordinator::tls::{self, Limits};
use syndic_learning::Outcome;
use syndic_participant::agent::Agent;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use crate::federation::Federation;

/// A job that came to its end.
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event>,
    /// Everything that the coordinator has in its ledger, as text.
    pub(crate) ledger: String,
}

impl Ran {
    /// Who declined, and with which code, in order.
    pub(crate) fn declined(&self) -> Vec<(String, String)> {
        let declined = |event: &Event| match event {
            Event::Progress { participant, did: Did::Declined(code), .. } => {
                Some((participant.clone(), code.clone()))
            }
            _ => None,
        };
        self.events.iter().filter_map(declined).collect()
    }

    /// The last ROC-AUC on test rows that the federation measured.
    pub(crate) fn roc_auc(&self) -> f64 {
        let measured = |event: &Event| match event {
            Event::Metrics { rows: "test", roc_auc, .. } => Some(*roc_auc),
            _ => None,
        };
        self.events.iter().rev().find_map(measured).unwrap()
    }

    /// How many updates are in the sum of each closed round of this kind.
    pub(crate) fn survivors(&self, of: &str) -> Vec<usize> {
        let closed = |event: &Event| match event {
            Event::RoundClosed { kind, survivors, .. } if *kind == of => Some(survivors.len()),
            _ => None,
        };
        self.events.iter().filter_map(closed).collect()
    }
}

/// Runs the federation's job to its outcome.
pub(crate) async fn run(federation: &Federation, folder: &Path, agents: Vec<Agent>) -> Ran {
    let running = tokio::time::timeout(LONGEST, lived(federation, folder, agents));
    running.await.expect("a federation that loses nothing comes to its end")
}

async fn lived(federation: &Federation, folder: &Path, agents: Vec<Agent>) -> Ran {
    let listener = tls::bind(federation.address).await.unwrap();
    let incoming = tls::accept(listener, &federation.identity, Limits::default()).unwrap();
    let store = folder.join("coordinator");
    let coordinator = Coordinator::open(Parts {
        roster: federation.roster.clone(),
        ledger_key: federation.identity.ledger_key().clone(),
        blobs: Box::new(FolderBlobs::open(&store).await.unwrap()),
        log: Box::new(SqliteLog::open(&store.join("ledger.sqlite")).await.unwrap()),
        cosignatures: Box::new(FolderCosignatures::open(&store.join("cosignatures")).await.unwrap()),
        verified: store.join("verified.note"),
        replica: None,
        gather: Duration::from_secs(3600),
        most_jobs_at_once: 1,
        instance: Instance::new(Software::built(), None),
    })
    .await
    .unwrap();
    let mut told = coordinator.events();
    let watching = tokio::spawn(async move {
        let mut events = Vec::new();
        loop {
            match told.recv().await {
                Ok(Told { event, .. }) => {
                    let is_last = matches!(event, Event::JobCompleted { .. } | Event::JobAbandoned { .. });
                    events.push(event);
                    if is_last {
                        return events;
                    }
                }
                Err(RecvError::Lagged(_)) => panic!("events were lost"),
                Err(RecvError::Closed) => return events,
            }
        }
    });
    let job = coordinator.agree(&federation.job).await.unwrap();
    let serving = tokio::spawn(serve(coordinator.clone(), incoming, std::future::pending()));
    let mut institutions = JoinSet::new();
    for agent in agents {
        institutions.spawn(async move { agent.run().await });
    }
    let over = coordinator.drive(&job).await.unwrap();
    assert!(matches!(over, Over::Completed(_)), "{over:?}");
    let outcome = coordinator.outcome(&job).await.unwrap();
    coordinator.all_gone(&job, FAREWELL).await;
    while let Some(ended) = institutions.join_next().await {
        ended.unwrap().unwrap();
    }
    coordinator.export_ledger(&folder.join("ledger")).await.unwrap();
    serving.abort();
    Ran {
        outcome: (*outcome).clone(),
        events: watching.await.unwrap(),
        ledger: text_below(&folder.join("ledger")),
    }
}

/// All files below a folder as one text.
fn text_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &text_below(&path);
        } else {
            text += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    text
}

pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// Where two cores run everything else beside it.
const LONGEST: Duration = Duration::from_secs(900);
/// How long institutions have to hear of the job's end.
const FAREWELL: Duration = Duration::from_secs(60);
