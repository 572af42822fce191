//! What noise for whole institutions lets be heard: that of many institutions, and of few hardly anything.

use syndic_learning::Job;
use syndic_learning::program::neural_network::loudness::{Heard, Loudness};

use super::Warning;
use super::vectors::fitting;

/// How loud the noise is, for a person who checks the job; none where it is not for whole institutions.
pub(super) fn fact(job: &Job, among: Option<u16>) -> Option<String> {
    let admitted = admitted(job, among)?;
    Some(told(admitted, job.loudness(admitted)?))
}

/// Noise that nothing can be learnt through: not of so many institutions, or of the fewest that there can be.
pub(super) fn drowned(job: &Job, among: Option<u16>) -> Option<Warning> {
    let message = drowning(job, admitted(job, among)?)?;
    Some(Warning {
        code: "job.institutions-drown",
        message,
        help: "bring more institutions and raise `honest` with them, allow a larger `epsilon`, or protect rows instead: \
               `mode = \"record-level\"` costs little accuracy with few institutions",
    })
}

/// What is said of noise that is louder than what so many institutions say; none where it is not.
pub(crate) fn drowning(job: &Job, institutions: u16) -> Option<String> {
    let loudness = job.loudness(institutions).filter(Loudness::drowns)?;
    let (told, needed) = (told(institutions, loudness), needed(job));
    Some(format!("{told}: beyond a quarter of it, it drowns what institutions have in common; {needed}"))
}

/// How loud the noise of so many institutions is.
pub(crate) fn told(admitted: u16, Loudness { in_a_round, over_all }: Loudness) -> String {
    format!(
        "with {admitted} institutions the noise in the mean change of a round is {in_a_round:.2} times as long as the longest \
         change of one, and {over_all:.2} times in the mean of all rounds"
    )
}

/// How many institutions it takes.
pub(crate) fn needed(job: &Job) -> String {
    match job.heard() {
        Some(Heard { institutions, honest: 1 }) => format!("it takes some {institutions} institutions"),
        Some(Heard { institutions, honest }) => {
            format!("it takes some {institutions} institutions, with `honest = {honest}`")
        }
        None => {
            format!("no number of institutions that {} serves is enough", job.protection.parameter_set.name())
        }
    }
}

/// The number of institutions, or the fewest that there can be.
fn admitted(job: &Job, among: Option<u16>) -> Option<u16> {
    job.privacy.institution_level()?;
    among.or_else(|| fitting(job, None).next().map(|(fewest, _)| fewest))
}
