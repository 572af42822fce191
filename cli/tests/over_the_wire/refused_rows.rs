//! What a coordinator is told where rows break the contract: which rule, and in a job with noise that there is one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syndic_coordinator::engine::Over;
use syndic_coordinator::missing::Why;
use syndic_learning::Job;
use syndic_participant::agent::{Agent, Parts};
use syndic_participant::data::{FileSource, Rules, Source};
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::Journal;
use syndic_participant::policy::Policy;
use tokio::runtime;
use tokio::task::JoinSet;

use crate::federation::{Federation, JOB, agent_with, journal_of};
use crate::kept::kept;
use crate::life::live;
use crate::log::Plan;

#[test]
fn under_noise_the_coordinator_is_not_told_which_rule_the_rows_break() {
    let noisy = JOB.replacen("solver = \"fed-avg\"", "solver = \"noisy-gradient\"", 1).replacen(
        "mode = \"none\"",
        "mode = \"record-level\"\nepsilon = 3.0\ndelta = 1e-5\nnoise = \"local\"",
        1,
    );
    assert!(Job::from_toml(&noisy).unwrap().adds_noise());
    for (job, told) in [(noisy.as_str(), "data.refused"), (JOB, "data.out-of-range")] {
        let (declined, ledger) = run(job);
        assert!(!declined.is_empty() && declined.iter().all(|code| code == told), "{declined:?}");
        assert_eq!(ledger.contains("data.out-of-range"), told == "data.out-of-range");
    }
}

/// The codes with which the first of four banks, whose rows break the contract, is on record as having declined; and all entries.
fn run(job: &str) -> (Vec<String>, String) {
    let federation = Federation::found(4).with_job(job.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let hosts = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut agents = JoinSet::new();
    for enrolment in federation.enrolments() {
        let (state, job) = (folder.path().to_owned(), job.to_owned());
        let taking_part = async move {
            let journal = Journal::open(&journal_of(&enrolment, &state)).await.unwrap();
            match enrolment.id().get() {
                FIRST => agent_with_broken_rows(enrolment, journal, &job, &state).run().await,
                _ => agent_with(enrolment, journal, &job, 40, 0).run().await,
            }
        };
        agents.spawn_on(taking_part, hosts.handle());
    }
    let finished = live(&federation, folder.path(), Plan::NEVER, &Arc::default()).unwrap();
    assert!(matches!(finished.over, Over::Completed(_)), "it goes on without: {:?}", finished.over);
    let ended = async { tokio::time::timeout(Duration::from_secs(180), agents.join_all()).await };
    for ended in hosts.block_on(ended).expect("everybody hears of the end") {
        ended.unwrap();
    }

    let stored = hosts.block_on(kept(&folder.path().join("coordinator")));
    let missing = stored.rounds.iter().flat_map(|round| &round.missing);
    let declined =
        missing.filter(|missing| missing.participant.get() == FIRST).map(|missing| match &missing.why {
            Why::Declined(code) => code.clone(),
            other => panic!("it must have declined: {other:?}"),
        });
    (declined.collect(), format!("{:?}", stored.entries))
}

fn agent_with_broken_rows(enrolment: Enrolment, journal: Journal, job: &str, state: &Path) -> Agent {
    let file = state.join("rows.csv");
    std::fs::write(&file, "age,label\n30,1\n200,0\n40,0\n").unwrap();
    let job = Job::from_toml(job).unwrap();
    let protection = job.protection_of(enrolment.roster().roster().members.len()).unwrap();
    let source = Source::File(FileSource { file, rules: Rules::default() });
    let policy = Policy::allowing(&job, &protection);
    Agent::new(Parts { enrolment, policy, source, journal, training_seed: None }).unwrap()
}

const FIRST: u16 = 1;
