//! Several coordinators that run one federation, any of which dies, stands still or is replaced.

mod balancer;
mod cluster;
mod line;

use std::time::Instant;

use crate::house::BANKS;
use crate::lanes::is_soak;
use crate::oracle::Verdict;
use crate::pauses::signal;
use cluster::Cluster;

#[test]
fn a_job_goes_on_whichever_coordinator_dies_or_stands_still() {
    for _ in 0..if is_soak() { SOAK } else { 1 } {
        let Some(mut cluster) = Cluster::start() else { return };
        let none = vec![0; 3];
        let first = cluster.driver_after(&none);
        cluster.replica(first).wait_for("a round", |line| line.is("phase begins"));
        let (before, struck) = (cluster.takeovers(), Instant::now());
        // Nothing is let go: its lease must end by itself.
        signal(cluster.replica(first), "KILL");
        let second = cluster.driver_after(&before);
        println!("killed: another drives the job after {:.1} s", struck.elapsed().as_secs_f64());
        assert!(cluster.replica(first).was_killed());
        cluster.start_again(first);

        let (before, struck) = (cluster.takeovers(), Instant::now());
        signal(cluster.replica(second), "STOP");
        let third = cluster.driver_after(&before);
        println!("stood still: another drives the job after {:.1} s", struck.elapsed().as_secs_f64());
        assert_ne!(second, third);
        signal(cluster.replica(second), "CONT");

        assert_eq!(cluster.ends(), WHOLE, "it was nobody's fault");
    }
}

#[test]
fn coordinators_are_replaced_one_by_one_under_a_running_job() {
    let Some(mut cluster) = Cluster::start() else { return };
    let first = cluster.driver_after(&[0; 3]);
    cluster.replica(first).wait_for("a round", |line| line.is("phase begins"));
    // The round waits for it meanwhile.
    signal(&cluster.banks[1], "STOP");
    for place in 0..3 {
        signal(cluster.replica(place), "TERM");
        assert_eq!(cluster.replica(place).ended(), 0, "{}", cluster.replica(place).told());
        cluster.start_again(place);
    }
    signal(&cluster.banks[1], "CONT");

    assert_eq!(cluster.ends(), WHOLE);
}

#[test]
fn participants_of_a_coordinator_that_is_cut_off_from_the_database_alone_go_to_others() {
    let Some(mut cluster) = Cluster::start() else { return };
    let before = vec![0; 3];
    let first = cluster.driver_after(&before);
    cluster.replica(first).wait_for("a round", |line| line.is("phase begins"));
    let (before, cut) = (cluster.takeovers(), Instant::now());
    // Nobody is told: what it asks is not answered any more. Participants reach it as before.
    cluster.lines[first].cut();
    cluster.driver_after(&before);
    println!("cut off: another drives the job after {:.1} s", cut.elapsed().as_secs_f64());
    for bank in &mut cluster.banks {
        assert_eq!(bank.ended(), 0, "{}", bank.told());
    }
    println!("cut off: all participants are done after {:.1} s", cut.elapsed().as_secs_f64());
    assert!(!cluster.replica(first).has_ended());
    cluster.lines[first].mend();

    assert_eq!(cluster.ends(), WHOLE);
}

/// Everybody is in every sum.
const WHOLE: Verdict = Verdict::Completed { abandoned: 0, fewest: BANKS.len() };
/// Coordinators that stand still beyond their lease, and as many that die, in a soak.
const SOAK: usize = 50;
