//! What a process has used, by what Linux says of it in /proc.

use std::fs;
use std::time::Duration;

use crate::process::Process;

/// Processor time, of all its threads.
pub(crate) fn processor(process: &Process) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    // Behind the name, which may hold anything; user and system time are fields 14 and 15 (proc(5)).
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 1_000 / TICKS_A_SECOND)
}

/// The most memory that was resident, in megabytes.
pub(crate) fn resident(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
}

/// Of Linux on every machine that this runs on.
const TICKS_A_SECOND: u64 = 100;
