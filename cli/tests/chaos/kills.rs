//! SIGKILL before and after every call by which a daemon makes something durable.

use std::path::Path;

use crate::faults::{Fate, Fault, Site, counting, sites};
use crate::house::Founded;
use crate::lanes::{chosen_again, is_soak, play};
use crate::oracle::{Verdict, judge};
use crate::victim::{Victim, started};

#[test]
fn a_coordinator_killed_at_any_durable_write_loses_nothing() {
    for (fault, verdict) in killed_everywhere(Victim::Coordinator, SAMPLE) {
        assert_eq!(verdict, Verdict::WHOLE, "{fault:?}");
    }
}

#[test]
fn a_participant_killed_at_any_durable_write_costs_nobody_else_a_sum() {
    for (fault, verdict) in killed_everywhere(Victim::Participant, SAMPLE) {
        assert!(matches!(verdict, Verdict::Completed { .. }), "{fault:?}: {verdict:?}");
    }
}

/// Kills the victim at every durable write of a calm run, or at a sample of them.
fn killed_everywhere(victim: Victim, sample: usize) -> Vec<(Fault, Verdict)> {
    let Some(calm) = calm(victim) else { return Vec::new() };
    println!("{victim:?}: {} durable writes", calm.len());
    played(&kills(calm.len(), sample), |founded, fault| killed(founded, victim, fault))
}

/// A kill before and one after each of so many durable writes, or a sample of them.
///
/// How many there are differs a little between runs, as a group of writes is committed together or not: a soak kills at the
/// last ones as well, where some kills find nobody, and a sample, which is too small for that, leaves the last fifth out.
pub(crate) fn kills(writes: usize, sample: usize) -> Vec<Fault> {
    let reached = if is_soak() { writes } else { writes - writes / 5 };
    let all = (1..=reached as u64).flat_map(|number| {
        let fault = move |fate| Fault { fate, at: (number, number), durable: true };
        [fault(Fate::KilledBefore), fault(Fate::KilledAfter)]
    });
    chosen_again(all.collect(), REPEATS, sample)
}

/// What came of each kill; `run` says besides whether somebody died of it.
pub(crate) fn played(
    kills: &[Fault],
    run: impl Fn(&Founded, Fault) -> (Verdict, bool) + Sync,
) -> Vec<(Fault, Verdict)> {
    let ran = play(kills, |founded, fault| (*fault, run(founded, *fault)));
    let died = ran.iter().filter(|(_, (_, died))| *died).count();
    println!("{} kills, {died} struck", ran.len());
    assert!(died * 10 >= ran.len() * 9, "hardly a kill struck");
    ran.into_iter().map(|(fault, (verdict, _))| (fault, verdict)).collect()
}

/// The durable writes of the victim in a run in which nothing happens; none where they cannot be told.
fn calm(victim: Victim) -> Option<Vec<Site>> {
    let house = Founded::new().house(victim.deadlines());
    let environment = counting(&house.state(victim.host()), true)?;
    let (mut coordinator, mut banks) = started(&house, victim, &environment);
    judge(&house, &mut coordinator, &mut banks);
    let sites = sites(&house.state(victim.host()));
    assert!(sites.len() > 20, "{sites:?}");
    survives_a_power_cut(&sites);
    Some(sites)
}

/// No kill loses what the system holds, a power cut does: each file was synced before it got its name, and its folder after
/// that; and each commit of a database syncs its log.
fn survives_a_power_cut(sites: &[Site]) {
    let is_sync = |site: &Site| site.call.ends_with("sync");
    let mut whole = 0;
    for (at, site) in sites.iter().enumerate() {
        if is_sync(site) && site.path.contains("partial") {
            whole += 1;
        }
        if site.call == "rename" {
            assert!(whole > 0, "it got its name before it was synced: {site:?} in {sites:#?}");
            whole -= 1;
            // Of the state folder itself nothing is left of the path.
            let folder = Path::new(&site.path).parent().map(Path::to_owned);
            let named = |later: &Site| is_sync(later) && Some(Path::new("/").join(&later.path)) == folder;
            assert!(sites[at..].iter().any(named), "its name was not synced: {site:?} in {sites:#?}");
        }
    }
    let commits = sites.iter().filter(|site| is_sync(site) && site.path.ends_with("-wal")).count();
    assert!(commits > 20, "{commits} commits were synced: {sites:#?}");
}

/// One run in which the victim is killed, and started again; whether it was.
fn killed(founded: &Founded, victim: Victim, fault: Fault) -> (Verdict, bool) {
    let house = founded.house(victim.deadlines());
    let environment = fault.environment(&house.state(victim.host())).unwrap();
    let (mut coordinator, mut banks) = started(&house, victim, &environment);
    let struck = victim.among(&mut coordinator, &mut banks);
    let was_killed = struck.was_killed();
    if was_killed {
        *struck = victim.start(&house, &[]);
    }
    (judge(&house, &mut coordinator, &mut banks), was_killed)
}

/// Kills in the normal run, for each side.
const SAMPLE: usize = 2;
/// How often each kill is repeated in the soak.
const REPEATS: usize = 5;
