//! How long an institution is waited for that is stopped on purpose.
//!
//! The round of training in which it is stopped lasts until its collect deadline, ten minutes in a job for real
//! institutions; where updates are shared themselves, it waits twice, up to `share_seconds` and `reveal_seconds`.
//! A job has one such deadline for all its rounds, so the one that takes its place leaves plenty of time for
//! everybody else, in every round: docs/decisions/0009.

use syndic_learning::job::ProgramTerms;
use syndic_learning::network::parameters;
use syndic_learning::{Job, Layouts};
use syndic_round::Carrier;

use super::{SandboxOptions, Site, changed};
use crate::Result;
use crate::view::{Notice, Observer};

/// The job with deadlines that fit the table, where its own are longer. How long an external trainer takes nobody knows: those
/// of its jobs stay.
///
/// # Errors
/// When the job cannot be written down.
pub(super) fn shortened(
    options: &SandboxOptions,
    job: Job,
    text: String,
    sites: &[Site],
    observer: &mut Observer,
) -> Result<(Job, String)> {
    if job.external().is_some() {
        return Ok((job, text));
    }
    let mut shorter = job.clone();
    let (asked, deadlines) = (job.rounds.deadlines, &mut shorter.rounds.deadlines);
    let institutions = sites.len() as u64;
    if shares_updates(&job, sites.len()) {
        // Waited for are its signature and its reveal, long after the local work.
        let seconds = enough(0, 0, 0, institutions);
        deadlines.share_seconds = seconds.min(asked.share_seconds);
        deadlines.reveal_seconds = seconds.min(asked.reveal_seconds);
    } else {
        let rows = sites.iter().map(|site| site.table.rows() as u64).sum();
        let columns = columns(&job);
        let seconds = enough(rows, columns, job.program.local_epochs(), institutions);
        deadlines.collect_seconds = seconds.min(asked.collect_seconds);
    }
    let now = *deadlines;
    if now == asked {
        return Ok((job, text));
    }
    observer.notice(&match now.collect_seconds == asked.collect_seconds {
        true => Notice::SharesShortened {
            share_seconds: now.share_seconds,
            reveal_seconds: now.reveal_seconds,
            job_share_seconds: asked.share_seconds,
            job_reveal_seconds: asked.reveal_seconds,
        },
        false => Notice::CollectShortened {
            collect_seconds: now.collect_seconds,
            job_seconds: asked.collect_seconds,
        },
    });
    changed(options, &shorter)
}

/// The input columns that a row costs: of a network, a hundredth of its parameters where that is more.
fn columns(job: &Job) -> u64 {
    let network = match &job.program {
        ProgramTerms::NeuralNetwork(terms) => parameters(&terms.entry(&job.contract), terms.hidden()),
        _ => None,
    };
    (job.contract.columns.len() as u64).max(network.unwrap_or(0) as u64 / PARAMETERS_OF_A_COLUMN)
}

/// Whether updates of the model are shared themselves among so many institutions.
fn shares_updates(job: &Job, institutions: usize) -> bool {
    let admitted = u16::try_from(institutions).unwrap_or(u16::MAX);
    Layouts::of(job).is_ok_and(|layouts| job.carrier_of(&layouts.train, admitted) == Carrier::Shares)
}

/// A third of a second for each institution, at least five in all, and one second more for each two million cells
/// that are passed over in a round: rows times input columns times local epochs.
///
/// Training passes over two million cells in a small fraction of that second, and an update is encrypted and
/// submitted in milliseconds; institutions share one machine.
fn enough(rows: u64, columns: u64, epochs: u32, institutions: u64) -> u32 {
    let cells = rows.saturating_mul(columns).saturating_mul(u64::from(epochs));
    let seconds = (institutions / 3).max(FEWEST_SECONDS).saturating_add(cells / CELLS_A_SECOND);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

const FEWEST_SECONDS: u64 = 5;
/// A row of a thousand parameters passes in a microsecond or two, as ten cells do.
const PARAMETERS_OF_A_COLUMN: u64 = 100;
const CELLS_A_SECOND: u64 = 2_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_waits_five_seconds_and_larger_runs_longer() {
        // Rows, input columns, local epochs and institutions, and the seconds that they get.
        let cases = [
            ((45_211, 15, 2, 5), 5),
            ((45_211, 15, 2, 64), 21),
            ((1_000_000, 30, 2, 5), 35),
            ((100_000_000, 30, 5, 3), 7_505),
            ((u64::MAX, 30, 5, 3), u32::MAX),
        ];
        for ((rows, columns, epochs, institutions), seconds) in cases {
            assert_eq!(enough(rows, columns, epochs, institutions), seconds, "{rows} rows");
        }
    }
}
