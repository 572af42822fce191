//! Several coordinators that run one federation, any of which dies, stands still or is replaced.

mod balancer;
mod cluster;
mod line;

use std::time::Instant;

use crate::lanes::{chosen, play};
use crate::oracle::Verdict;
use crate::pauses::signal;
use cluster::Cluster;
use line::Cut;

#[test]
fn a_job_goes_on_whichever_coordinator_dies_or_stands_still() {
    play(&chosen((1..=SOAK).collect(), 1), |_, _: &usize| {
        let Some(mut cluster) = Cluster::start() else { return String::from("skipped") };
        let none = vec![0; 3];
        let first = cluster.driver_after(&none);
        cluster.replica(first).wait_for("a round", |line| line.is("phase begins"));
        let (before, struck) = (cluster.takeovers(), Instant::now());
        // Nothing is let go: its lease must end by itself.
        signal(cluster.replica(first), "KILL");
        let second = cluster.driver_after(&before);
        let killed = struck.elapsed().as_secs_f64();
        assert!(cluster.replica(first).was_killed());
        cluster.start_again(first);

        let (before, struck) = (cluster.takeovers(), Instant::now());
        signal(cluster.replica(second), "STOP");
        let third = cluster.driver_after(&before);
        let stood_still = struck.elapsed().as_secs_f64();
        assert_ne!(second, third);
        signal(cluster.replica(second), "CONT");

        assert_eq!(cluster.ends(), Verdict::WHOLE, "it was nobody's fault");
        format!("another drove the job {killed:.1} s after the kill, and {stood_still:.1} s after the stop")
    });
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

    assert_eq!(cluster.ends(), Verdict::WHOLE);
}

#[test]
fn participants_leave_a_coordinator_that_its_database_does_not_answer() {
    let Some(mut cluster) = Cluster::start() else { return };
    let first = cluster.driver_after(&[0; 3]);
    cluster.replica(first).wait_for("a round", |line| line.is("phase begins"));
    let (before, cut) = (cluster.takeovers(), Instant::now());
    cluster.lines[first].cut(Cut::Silent);
    cluster.driver_after(&before);
    println!("cut off: another drives the job after {:.1} s", cut.elapsed().as_secs_f64());
    cluster.all_banks_end();
    println!("cut off: all participants are done after {:.1} s", cut.elapsed().as_secs_f64());
    cluster.lines[first].mend();

    assert_eq!(cluster.ends(), Verdict::WHOLE);
}

#[test]
fn participants_that_wait_leave_a_coordinator_that_has_lost_its_database() {
    let Some(mut cluster) = Cluster::start_without_a_job() else { return };
    for bank in &mut cluster.banks {
        bank.wait_for("a connection", |line| line.is("connected"));
    }
    let somebody = cluster.greeted().iter().position(|greeted| *greeted > 0).unwrap();
    cluster.lines[somebody].cut(Cut::Loud);
    // Nothing tells them: they have no job, and their coordinator answers them.
    cluster.submit_at((somebody + 1) % 3);
    cluster.all_banks_end();
    cluster.lines[somebody].mend();
    cluster.publishes();
    for place in 0..3 {
        signal(cluster.replica(place), "TERM");
    }

    assert_eq!(cluster.ends(), Verdict::WHOLE);
}

/// Coordinators that stand still beyond their lease, and as many that die, in a soak.
const SOAK: usize = 50;
