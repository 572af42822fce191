//! A coordinator whose store is an older copy: nobody goes on with it.

use std::sync::Arc;
use std::time::Duration;

use syndic_participant::agent::AgentError;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinSet;

use crate::copies::copy_folder;
use crate::federation::{self, Federation};
use crate::life::{live, work};
use crate::log::{Death, Fate, Plan};

/// The coordinator dies in round 1, is started again, and dies again when the survivors are to reveal. Then its store is
/// as it was at its first death.
#[test]
fn a_coordinator_on_an_older_copy_of_its_store_is_left_by_everybody() {
    let (federation, folder) = (Federation::found(BANKS), tempfile::tempdir().unwrap());
    let hosts = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut agents = JoinSet::new();
    for enrolment in federation.enrolments() {
        let state = folder.path().to_owned();
        let taking_part = async move { federation::agent(enrolment, &state, 0).await.run().await };
        agents.spawn_on(taking_part, hosts.handle());
    }
    let dies_at = |of| Plan { of, first: 0, every: None, fate: Fate::NotStored, death: Death::Silent };
    let dies = |of| assert!(live(&federation, folder.path(), dies_at(of), &Arc::default()).is_none());

    dies("syndic.round.shared");
    let (store, copy) = (folder.path().join("coordinator"), folder.path().join("copy"));
    copy_folder(&store, &copy);
    dies("syndic.round.revealed");
    std::fs::remove_dir_all(&store).unwrap();
    copy_folder(&copy, &store);

    let left = async {
        let mut codes = Vec::new();
        tokio::select! {
            _ = work(&federation, folder.path(), Plan::NEVER, Arc::default()) => panic!("it has nobody to go on with"),
            () = async {
                while let Some(ended) = agents.join_next().await {
                    let error = ended.unwrap().expect_err("it went on with an older copy");
                    assert!(matches!(error, AgentError::Ledger(_)), "{error}");
                    codes.push(error.code().to_owned());
                }
            } => {}
        }
        codes
    };
    let patience = async { tokio::time::timeout(Duration::from_secs(60), left).await };
    let codes = Runtime::new().unwrap().block_on(patience).expect("everybody leaves");
    // Whoever was asked to sign the survivor set was shown more than there is now.
    let shrunk = codes.iter().filter(|code| *code == "ledger.shrunk").count();
    assert!(codes.len() == usize::from(BANKS) && shrunk >= THRESHOLD, "{codes:?}");
}

const BANKS: u16 = 4;
const THRESHOLD: usize = 3;
