//! One run of the federation, and what must be true of it however often its coordinator died.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syndic::ledger::trust::Trust;
use syndic::ledger::verify;
use syndic_coordinator::engine::Over;
use syndic_participant::agent;
use syndic_round::RoundId;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinSet;

use crate::answers::{Answers, Watcher};
use crate::federation::{self, Federation};
use crate::kept::{Kept, kept};
use crate::life::{Finished, live};
use crate::log::{Count, Plan};

/// A run that came to its end.
pub(crate) struct Ran {
    pub(crate) plan: Plan,
    pub(crate) entries: u64,
    pub(crate) deaths: u64,
}

/// Runs the job to its end, and checks everything.
pub(crate) fn run(plan: &Plan) -> Ran {
    run_in(tempfile::tempdir().unwrap().path(), plan).0
}

/// Runs it in `folder`, where nothing dies, and gives the federation.
pub(crate) fn finished(folder: &Path) -> Federation {
    run_in(folder, &Plan::NEVER).1
}

fn run_in(folder: &Path, plan: &Plan) -> (Ran, Federation) {
    let federation = Federation::found(BANKS);
    let count = Arc::new(Count::default());
    let answers = Arc::new(Answers::default());

    let hosts = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut agents = JoinSet::new();
    for enrolment in federation.enrolments() {
        let (state, watcher) = (folder.to_owned(), Watcher(enrolment.id(), answers.clone()));
        let taking_part = async move {
            let watcher = Arc::new(watcher);
            let agent = federation::agent(enrolment, &state, SPOT_CHECK_EVERY).await;
            agent.observed(watcher.clone(), watcher).run().await
        };
        agents.spawn_on(taking_part, hosts.handle());
    }
    let finished = loop {
        if let Some(finished) = live(&federation, folder, *plan, &count) {
            break finished;
        }
    };
    all_have_heard(&hosts, agents, plan);

    let stored = hosts.block_on(kept(&folder.join("coordinator")));
    check(&stored, &finished, &answers, plan);
    let summary = verify::check(&folder.join("ledger"), &Trust::of(Some(&finished.key), None).unwrap())
        .unwrap()
        .summary;
    assert!(summary.pinned);
    assert_eq!((summary.rounds_closed, summary.rounds_abandoned, summary.rounds_open), (3, 0, 0));
    assert_eq!(summary.size, stored.published());
    let ran = Ran { plan: *plan, entries: count.entries(), deaths: count.deaths() };
    (ran, federation)
}

/// Every agent ends by itself, since it has heard of the job's end.
fn all_have_heard(hosts: &Runtime, mut agents: JoinSet<Result<(), agent::AgentError>>, plan: &Plan) {
    let heard = async {
        while let Some(ended) = agents.join_next().await {
            ended.unwrap().unwrap_or_else(|error| panic!("an agent gave up: {error} ({plan:?})"));
        }
    };
    let patience = async { tokio::time::timeout(Duration::from_secs(30), heard).await };
    hosts.block_on(patience).unwrap_or_else(|_| panic!("an agent has not heard of the end ({plan:?})"));
}

fn check(stored: &Kept, finished: &Finished, answers: &Answers, plan: &Plan) {
    assert!(matches!(finished.over, Over::Completed(_)), "{:?} ({plan:?})", finished.over);
    let answers = answers.0.lock().unwrap();
    let attempts: Vec<RoundId> = stored.rounds.iter().map(|round| round.plan.id).collect();
    let first = |round| RoundId { round, attempt: 1 };
    assert_eq!(attempts, [1, 2, 3].map(first), "no round was lost to a crash ({plan:?})");
    for round in &stored.rounds {
        let answer = |id| answers[&(round.plan.id, id)].as_slice();
        let (opened, expected) = round.sums(answer).expect("every round is closed");
        assert_eq!(opened.steps(), expected.steps(), "round {} ({plan:?})", round.plan.id);
        assert_eq!(opened.survivors(), BANKS, "nobody was lost ({plan:?})");
        assert!(opened.steps().iter().any(|&step| step != 0));
    }
    let mut heard = BTreeSet::new();
    for entry in &stored.entries {
        if let (Some(from), Some(_)) = (entry.data.get("participant"), entry.data.get("message")) {
            let message = (entry.subject.clone(), entry.kind.clone(), from.as_u64().unwrap());
            assert!(heard.insert(message.clone()), "{message:?} is counted twice ({plan:?})");
        }
    }
}

const BANKS: u16 = 4;
/// Checks run beside whatever the coordinator dies in.
const SPOT_CHECK_EVERY: u32 = 2;
