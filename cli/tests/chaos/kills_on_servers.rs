//! SIGKILL of a coordinator that keeps its ledger in PostgreSQL and its blobs in S3, before and after each call by which it makes
//! something durable: the commit of a transaction, an object, and what is left in its folder.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::faults::{Fault, Site, counting, on_servers, sites};
use crate::house::{Founded, House};
use crate::kills::{kills, played};
use crate::on_servers::{Servers, brought_home};
use crate::oracle::{Verdict, all_end, judge_what_is_left};
use crate::process::Process;
use crate::victim::{Victim, started};

#[test]
fn a_coordinator_killed_at_any_durable_write_to_its_servers_loses_nothing() {
    let Some(servers) = Servers::start() else { return };
    let Some(calm) = calm(&servers) else { return };
    let count = |call: &str| calm.iter().filter(|site| site.call == call).count();
    let (commits, objects) = (count("commit"), count("put") + count("post"));
    println!("{} durable writes: {commits} commits, {objects} objects", calm.len());
    assert!(commits > 20 && objects > 10, "{calm:?}");

    for (fault, verdict) in
        played(&kills(calm.len(), SAMPLE), |founded, kill| killed(founded, &servers, kill))
    {
        assert_eq!(verdict, Verdict::WHOLE, "{fault:?}");
    }
}

/// The durable writes of a coordinator in a run in which nothing happens; none where they cannot be told.
fn calm(servers: &Servers) -> Option<Vec<Site>> {
    let house = house(&Founded::new(), servers);
    let mut environment = counting(&house.state("operator"), true)?;
    environment.push(on_servers(&servers.ports()));
    let (mut coordinator, mut banks) = started(&house, Victim::Coordinator, &environment);
    judged(&house, &mut coordinator, &mut banks);
    Some(sites(&house.state("operator")))
}

/// One run in which it is killed, and started again; whether it was.
fn killed(founded: &Founded, servers: &Servers, kill: Fault) -> (Verdict, bool) {
    let house = house(founded, servers);
    let mut environment = kill.environment(&house.state("operator")).unwrap();
    environment.push(on_servers(&servers.ports()));
    let (mut coordinator, mut banks) = started(&house, Victim::Coordinator, &environment);
    let was_killed = coordinator.was_killed();
    if was_killed {
        coordinator = house.coordinator_with(&[]);
    }
    (judged(&house, &mut coordinator, &mut banks), was_killed)
}

/// The folders of a run whose coordinator keeps what it keeps on the servers, in a place of its own.
fn house(founded: &Founded, servers: &Servers) -> House {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let house = founded.house(Victim::Coordinator.deadlines());
    let operator = house.host("operator");
    let name = format!("run_{}", RUNS.fetch_add(1, Ordering::Relaxed));
    let mut configuration = OpenOptions::new().append(true).open(operator.join("coordinator.toml")).unwrap();
    configuration.write_all(servers.place(&name).store(&operator).as_bytes()).unwrap();
    house
}

fn judged(house: &House, coordinator: &mut Process, banks: &mut [Process]) -> Verdict {
    let exit = all_end(house, coordinator, banks);
    brought_home(&house.host("operator"));
    judge_what_is_left(house, exit)
}

/// Kills in the normal run.
const SAMPLE: usize = 1;
