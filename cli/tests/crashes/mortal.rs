//! A participant that dies before or after a durable step of its journal, and is started again on what lies there.
//!
//! Institution *i* has 8 · 4^(i - 1) rows, so the digits of every count that a sum tells, to the base of 4, say how often each is
//! in it: whoever died is in a sum once or not at all, and everybody else is in all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use syndic::ledger::trust::Trust;
use syndic::ledger::verify;
use syndic_coordinator::engine::Over;
use syndic_participant::agent::AgentError;
use syndic_participant::journal::{Journal, read_sent};
use syndic_round::{Place, Sum};
use tokio::runtime::{self, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::federation::{Federation, JOB, agent_with, journal_of};
use crate::kept::{Kept, Round, kept};
use crate::life::{Finished, work};
use crate::log::Plan;
use crate::two_at_a_time;

#[test]
fn a_participant_that_dies_at_any_durable_step_is_in_each_sum_once_or_not_at_all() {
    everywhere(JOB, SAMPLE);
}

#[test]
fn so_it_is_where_small_vectors_are_shared_themselves() {
    everywhere(&JOB.replace("[protection]", "[protection]\nsmall_vectors = \"shared\""), SAMPLE);
}

/// Has the participant die at every moment of a calm run, or at a sample of them.
fn everywhere(job: &str, sample: usize) {
    let calm = run(job, u64::MAX);
    assert_eq!((calm.deaths, calm.fewest), (0, BANKS), "{calm:?}");
    let mut points: Vec<u64> = (0..calm.moments).collect();
    if std::env::var_os("SYNDIC_SOAK").is_none() {
        points.shuffle(&mut StdRng::seed_from_u64(3));
        points.truncate(sample);
    }

    let ran = two_at_a_time(&points, |point| run(job, *point));

    let died = ran.iter().filter(|ran| ran.deaths == 1).count();
    let all = ran.iter().filter(|ran| ran.fewest == BANKS).count();
    println!(
        "{} of {} moments; it died at {died}, and was in every sum after {all}",
        ran.len(),
        calm.moments
    );
    // Who is heard too late reveals nothing, so runs differ by a few steps.
    assert!(died * 10 >= ran.len() * 9, "hardly a death");
}

/// A run that came to its end.
#[derive(Debug)]
struct Ran {
    /// Moments that the participant passed, over all of its lives.
    moments: u64,
    deaths: u64,
    /// The fewest institutions that a sum is over.
    fewest: u16,
}

/// The moments of all lives of the participant.
struct Fate {
    passed: AtomicU64,
    fatal: u64,
    deaths: AtomicU64,
}

/// Runs the job to its end with a participant that dies at its moment number `fatal`.
fn run(job: &str, fatal: u64) -> Ran {
    let federation = Federation::found(BANKS).with_job(job.to_owned());
    let folder = tempfile::tempdir().unwrap();
    let hosts = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut others = JoinSet::new();
    for enrolment in federation.enrolments().into_iter().filter(|one| one.id().get() != VICTIM) {
        let (path, job, rows) =
            (journal_of(&enrolment, folder.path()), job.to_owned(), rows_of(enrolment.id().get()));
        let taking_part = async move {
            let journal = Journal::open(&path).await.unwrap();
            agent_with(enrolment, journal, &job, rows, 0).run().await
        };
        others.spawn_on(taking_part, hosts.handle());
    }
    let fate = Arc::new(Fate { passed: AtomicU64::new(0), fatal, deaths: AtomicU64::new(0) });
    let gone = Notify::new();
    let finished = std::thread::scope(|scope| {
        let victim = scope.spawn(|| {
            while !live(&federation, folder.path(), &fate) {}
            gone.notify_one();
        });
        let finished = coordinate(&federation, folder.path(), &gone);
        victim.join().expect("the participant ends by itself; see above");
        finished
    });
    let at = format!("moment {fatal}");
    let ended = async {
        while let Some(ended) = others.join_next().await {
            ended.unwrap().unwrap_or_else(|error| panic!("another one gave up: {error} ({at})"));
        }
    };
    let patience = async { tokio::time::timeout(LONGEST, ended).await };
    hosts.block_on(patience).unwrap_or_else(|_| panic!("another one has not heard of the end ({at})"));

    assert!(matches!(finished.over, Over::Completed(_)), "{:?} ({at})", finished.over);
    let trust = Trust::of(Some(&finished.key), None).unwrap();
    let summary = verify::check(&folder.path().join("ledger"), &trust).unwrap().summary;
    assert!(summary.pinned && summary.rounds_open == 0, "{at}");
    let stored = hosts.block_on(kept(&folder.path().join("coordinator")));
    let closed: Vec<&Round> = stored.rounds.iter().filter(|round| round.closed.is_some()).collect();
    assert_eq!(closed.len(), 3, "statistics, training and evaluation ({at})");
    let fewest = closed.iter().map(|round| counted_once(round, &at)).min().unwrap();
    nothing_is_said_twice(&federation, folder.path(), &stored, &hosts, &at);
    let Fate { passed, deaths, .. } = &*fate;
    Ran { moments: passed.load(Ordering::SeqCst), deaths: deaths.load(Ordering::SeqCst), fewest }
}

/// One life of the participant; whether it heard of the job's end in it.
fn live(federation: &Federation, state: &Path, fate: &Arc<Fate>) -> bool {
    let enrolment = federation.enrolments().swap_remove(usize::from(VICTIM) - 1);
    let (killed, dead) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (told, fate, is_dead) = (killed.clone(), fate.clone(), dead.clone());
    let dies = Arc::new(move || {
        if !is_dead.load(Ordering::SeqCst) && fate.passed.fetch_add(1, Ordering::SeqCst) == fate.fatal {
            is_dead.store(true, Ordering::SeqCst);
            fate.deaths.fetch_add(1, Ordering::SeqCst);
            told.notify_one();
        }
        is_dead.load(Ordering::SeqCst)
    });
    let process = Runtime::new().unwrap();
    let ended = process.block_on(async {
        let takes_part = async {
            let journal = Journal::open_mortal(&journal_of(&enrolment, state), dies).await?;
            agent_with(enrolment, journal, &federation.job, rows_of(VICTIM), 0).run().await
        };
        tokio::select! {
            biased;
            () = killed.notified() => None,
            ended = tokio::time::timeout(LONGEST, takes_part) => Some(ended.expect("something was lost")),
        }
    });
    // As when a process ends: every task, socket and file of it is dropped where it stands.
    process.shutdown_timeout(Duration::from_secs(10));
    let ended: Option<Result<(), AgentError>> = ended;
    match ended {
        // What a dead process would still say is heard by nobody.
        _ if dead.load(Ordering::SeqCst) => false,
        Some(Err(error)) => panic!("it gave up: {error}"),
        ended => ended.is_some(),
    }
}

/// The coordinator runs the job, and is there for as long as the participant has not heard of its end.
fn coordinate(federation: &Federation, folder: &Path, gone: &Notify) -> Finished {
    let serve = || async { work(federation, folder, Plan::NEVER, Arc::default()).await.unwrap() };
    let process = Runtime::new().unwrap();
    let finished = process.block_on(async { tokio::time::timeout(LONGEST, serve()).await });
    let finished = finished.expect("something was lost, and a round waits for it");
    process.shutdown_timeout(Duration::from_secs(10));
    loop {
        let process = Runtime::new().unwrap();
        let is_gone = process.block_on(async {
            tokio::select! {
                biased;
                () = gone.notified() => true,
                _ = serve() => false,
            }
        });
        process.shutdown_timeout(Duration::from_secs(10));
        if is_gone {
            return finished;
        }
    }
}

/// The sum counts everybody whom the ledger names once, and nobody else; how many they are.
fn counted_once(round: &Round, at: &str) -> u16 {
    let (bytes, survivors) = round.closed.as_ref().unwrap();
    let sum = Sum::from_bytes(round.plan.layout.clone(), bytes).unwrap();
    let expected: u64 = survivors.iter().map(|id| rows_of(id.get())).sum();
    let others = survivors.iter().filter(|id| id.get() != VICTIM).count();
    assert_eq!(others, usize::from(BANKS) - 1, "nobody else is missing in {} ({at})", round.plan.id);
    for (what, rows) in counts(&sum) {
        assert_eq!(rows, expected, "{what} in {}: survivors {survivors:?} ({at})", round.plan.id);
    }
    u16::try_from(survivors.len()).unwrap()
}

/// All rows by each count that a sum tells: half of them are to train on, a quarter to validate with, a quarter to test with.
fn counts(sum: &Sum) -> Vec<(&'static str, u64)> {
    let total = |names: [&str; 2]| {
        let values = names.map(|name| sum.values(name)).into_iter().collect::<Option<Vec<_>>>()?;
        Some(values.concat().iter().sum::<f64>() as u64)
    };
    if let Some(rows) = total(["test.negative", "test.positive"]) {
        return vec![("test rows", 4 * rows)];
    }
    match sum.values("rows").expect("every round counts rows").as_slice() {
        [train, validation, test] => vec![
            ("training rows", 2 * *train as u64),
            ("validation rows", 4 * *validation as u64),
            ("test rows", 4 * *test as u64),
        ],
        [train] => vec![("training rows", 2 * *train as u64)],
        other => panic!("{other:?}"),
    }
}

/// Nobody signed two messages where one may exist, none is recorded twice, and each sent the same bytes each time.
fn nothing_is_said_twice(federation: &Federation, state: &Path, stored: &Kept, hosts: &Runtime, at: &str) {
    let mut heard = BTreeMap::new();
    for entry in &stored.entries {
        assert!(!entry.kind.contains("equivocated"), "{entry:?} ({at})");
        if let Some(from) = entry.data.get("participant") {
            let message = (entry.subject.clone(), entry.kind.clone(), from.as_u64().unwrap());
            assert!(heard.insert(message.clone(), ()).is_none(), "{message:?} is counted twice ({at})");
        }
    }
    for enrolment in federation.enrolments() {
        let mut said = BTreeMap::new();
        for sent in hosts.block_on(read_sent(&journal_of(&enrolment, state))).unwrap() {
            let place: (String, Place, String) = (sent.job, sent.place, sent.what);
            let first = *said.entry(place.clone()).or_insert(sent.digest);
            assert_eq!(first, sent.digest, "{} said {place:?} in two ways ({at})", enrolment.name());
        }
    }
}

fn rows_of(number: u16) -> u64 {
    8 << (2 * (number - 1))
}

const BANKS: u16 = 4;
/// Who dies.
const VICTIM: u16 = 2;
/// Deaths of the normal run, for each job.
const SAMPLE: usize = 10;
/// A life takes a second or two.
const LONGEST: Duration = Duration::from_secs(60);
