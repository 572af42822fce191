//! One round with given vectors, from its opening to the stored sum, over TLS on the loopback: with KSA/1 or with the
//! plain engine, which differ by the cryptography alone.
//!
//! The shipped services are bound to the questions of a job, whose vectors are short, and know no plain engine. So the two
//! that are here take vectors of any length, and any [`Engine`]. All else is the shipped code: TLS on both sides, the wire,
//! both state machines, the encoder, the participants' journals and the files that they upload from, the coordinator's log
//! with the ledger's entries, its blobs and the receiving of uploads; with KSA/1 also the opening of the sum from blobs.
//!
//! **Left out**, of both engines: fetching the question, hello, policy and data; whoever declines ends the round.

mod coordinator;
mod federation;
mod moment;
mod participant;
mod service;
mod upload;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syndic_round::{Contribution, Layout, ParameterSet, ParticipantId};
use syndic_simulation::engine::Engine;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use coordinator::Coordinator;
use federation::Federation;

/// What a round needs.
pub struct Workload {
    /// How many participants.
    pub participants: u16,
    /// What the entries of the vectors are.
    pub layout: Layout,
    /// The parameter set.
    pub parameter_set: ParameterSet,
    /// What each participant answers.
    pub values: fn(ParticipantId, usize) -> f64,
}

/// A round as it was.
pub struct Played {
    /// The sum, in steps of the layout's resolutions.
    pub steps: Vec<i64>,
    /// From the opening of the round until everybody held its shares (phases A to C).
    pub preparation: Spent,
    /// From there until the sum was stored and on record.
    pub rest: Spent,
}

/// What a part of a round took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Wall time.
    pub wall: Duration,
    /// Processor time of everybody on all cores, the coordinator's included.
    pub processor: Duration,
}

/// Whatever stopped a round.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Plays one round, whose databases and blobs are kept in `folder`. The same workload gives the same sum with every engine.
///
/// # Errors
/// [`Failure`] where anything at all goes wrong.
pub async fn play(engine: Engine, workload: &Workload, folder: &Path) -> Result<Played, Failure> {
    let Federation { incoming, roster, ledger_key, enrolments, plan } = Federation::found(workload).await?;
    let roster = Arc::new(roster);
    let coordinator =
        Coordinator::open(engine, roster.clone(), ledger_key, &folder.join("coordinator")).await?;
    let serving = tokio::spawn(service::serve(coordinator.clone(), incoming));

    let connected = Arc::new(Barrier::new(enrolments.len() + 1));
    let mut taking_part = JoinSet::new();
    for enrolment in enrolments {
        let values = (0..workload.layout.len()).map(|k| (workload.values)(enrolment.id(), k)).collect();
        let answer = Contribution::new(workload.layout.clone(), values)?;
        let folder = folder.join(enrolment.name());
        let (roster, connected) = (roster.clone(), connected.clone());
        taking_part.spawn(participant::take_part(engine, enrolment, roster, answer, folder, connected));
    }
    let failed = async {
        while let Some(ended) = taking_part.join_next().await {
            ended??;
        }
        // Each of them is told of the end, so this one is the round's.
        std::future::pending::<Result<Played, Failure>>().await
    };
    let round = async {
        connected.wait().await;
        coordinator.play(plan).await
    };
    let played = tokio::select! {
        failure = failed => failure,
        played = round => played,
    };
    serving.abort();
    played
}
