//! One life of a coordinator, from its start on what is stored to the job's end or its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syndic_coordinator::driver::{Coordinator, CoordinatorError, Parts};
use syndic_coordinator::engine::Over;
use syndic_coordinator::instance::{Instance, Software};
use syndic_coordinator::serve::serve;
use syndic_coordinator::store::{FolderBlobs, FolderCosignatures, SqliteLog};
use syndic_coordinator::tls::{self, Limits};
use tokio::runtime::Runtime;

use crate::federation::Federation;
use crate::log::{Count, Deadly, Plan};

/// The job's end.
pub(crate) struct Finished {
    pub(crate) over: Over,
    /// The key that the ledger verifies with.
    pub(crate) key: String,
}

/// Lives until the job is over, which it returns, or until it dies.
pub(crate) fn live(
    federation: &Federation,
    folder: &Path,
    plan: Plan,
    count: &Arc<Count>,
) -> Option<Finished> {
    let deaths = count.deaths();
    let process = Runtime::new().unwrap();
    let lived = process.block_on(async {
        let killed = count.killed.notified();
        tokio::select! {
            biased;
            () = killed => None,
            lived = tokio::time::timeout(LONGEST, work(federation, folder, plan, count.clone())) => {
                Some(lived.unwrap_or_else(|_| panic!("something was lost, and the round waits for it ({plan:?})")))
            }
        }
    });
    // As when a process ends: every task, socket and file of it is dropped where it stands.
    process.shutdown_timeout(Duration::from_secs(10));
    match lived {
        None => None,
        Some(Ok(finished)) => Some(finished),
        Some(Err(error)) if count.deaths() > deaths => {
            assert!(matches!(error.code(), "store.io" | "coordinator.stopped"), "{error}");
            None
        }
        Some(Err(error)) => panic!("the coordinator ended without need: {error} ({plan:?})"),
    }
}

/// What the daemon does, in its order.
pub(crate) async fn work(
    federation: &Federation,
    folder: &Path,
    plan: Plan,
    count: Arc<Count>,
) -> Result<Finished, CoordinatorError> {
    let listener = tls::bind(federation.address).await.unwrap();
    let incoming = tls::accept(listener, &federation.identity, Limits::default()).unwrap();
    let store = folder.join("coordinator");
    let blobs = FolderBlobs::open(&store).await.unwrap();
    let log = SqliteLog::open(&store.join("ledger.sqlite")).await.unwrap();
    let cosignatures = FolderCosignatures::open(&store.join("cosignatures")).await.unwrap();
    let coordinator = Coordinator::open(Parts {
        roster: federation.roster.clone(),
        ledger_key: federation.identity.ledger_key().clone(),
        log: Box::new(Deadly { log, plan, count }),
        blobs: Box::new(blobs),
        cosignatures: Box::new(cosignatures),
        verified: store.join("verified.note"),
        replica: None,
        gather: Duration::from_secs(3600),
        most_jobs_at_once: 1,
        instance: Instance::new(Software::built(), None),
    })
    .await?;
    let job = coordinator.agree(&federation.job).await?;
    tokio::spawn(serve(coordinator.clone(), incoming, std::future::pending()));
    let over = coordinator.drive(&job).await?;
    let (size, _) = coordinator.export_ledger(&folder.join("ledger")).await?;
    let key = coordinator.verifier_key()?.to_string();
    coordinator.all_gone(&job, FAREWELL).await;
    coordinator.publish_cosigned(&folder.join("ledger"), size).await?;
    Ok(Finished { over, key })
}

/// A life takes less than a second.
const LONGEST: Duration = Duration::from_secs(60);
/// How long institutions have to hear of the job's end.
const FAREWELL: Duration = Duration::from_secs(10);
