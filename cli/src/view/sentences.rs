//! Finished rounds and endings, one line each; live terminal and plain lines share them.

use syndic_coordinator::event::{Event, Missing};
use syndic_learning::job::SmallVectors;
use syndic_round::Carrier;

use crate::history::{EncryptedRound, History, RoundEnding, TrainingRound};
use crate::words::{bytes, counted, listed, seconds};

/// Turns a growing history into lines, each finished thing once.
#[derive(Default)]
pub(super) struct Teller {
    training_rounds_told: usize,
}

impl Teller {
    /// The lines that this event makes due.
    pub(super) fn lines(&mut self, event: &Event, history: &History) -> Vec<String> {
        let mut lines = self.training_rounds(history);
        match event {
            Event::JobStarted { job, rounds, admitted, threshold, parameter_set, small_vectors, .. } => {
                let small = match small_vectors {
                    SmallVectors::Encrypted => "",
                    SmallVectors::Shared => ", small ones shared themselves instead",
                };
                lines.push(format!(
                    "Job {job}: {rounds}; updates encrypted under KSA/1 with {parameter_set}{small}; a sum opens only \
                     with the help of {threshold} of the {admitted} in its round.",
                    rounds = counted(*rounds as usize, "round", "rounds"),
                ));
            }
            Event::RoundClosed {
                id,
                kind: "statistics" | "fairness" | "drift" | "compare" | "describe",
                ..
            } => {
                let round = history.rounds.iter().rev().find(|round| round.id == *id);
                lines.extend(round.and_then(|round| sums_line(round, history)));
            }
            Event::RoundAbandoned { id, reason } => {
                let round = history.rounds.iter().rev().find(|round| round.id == *id);
                lines.push(abandoned_line(round, id.attempt, reason));
            }
            Event::JobAbandoned { job, reason } => lines.push(format!("Job {job} was abandoned: {reason}.")),
            Event::JobStopped { job, reason } => lines.push(format!("Job {job} was stopped: {reason}.")),
            Event::JobPaused { job, reason } => lines.push(format!("Job {job} is paused: {reason}.")),
            Event::JobResumed { job, reason } => lines.push(format!("Job {job} goes on: {reason}.")),
            Event::JobPrioritised { .. }
            | Event::JobCompleted { .. }
            | Event::Connection { .. }
            | Event::RoundOpened { .. }
            | Event::Phase { .. }
            | Event::Progress { .. }
            | Event::RoundClosed { .. }
            | Event::Metrics { .. } => {}
        }
        lines
    }

    fn training_rounds(&mut self, history: &History) -> Vec<String> {
        let finished = history.training_rounds();
        let new = finished.get(self.training_rounds_told..).unwrap_or_default();
        let lines = new.iter().map(|round| training_line(round, history)).collect();
        self.training_rounds_told = finished.len();
        lines
    }
}

fn training_line(round: &TrainingRound<'_>, history: &History) -> String {
    let total = history.job.as_ref().map_or(round.number, |job| job.rounds);
    let width = total.to_string().len();
    let figures = match round.metrics {
        Some(metrics) => format!("AUC {:.4}  log-loss {:.4}", metrics.roc_auc, metrics.log_loss),
        None => "not evaluated               ".into(),
    };
    format!(
        "round {:>width$}/{total}  {figures}  {}  {:>7}  {:>6}{}{}",
        round.number,
        in_the_sum(round.survivors, round.missing),
        bytes(round.bytes),
        seconds(round.millis as f64 / 1e3),
        without(round.missing),
        if round.checked { "" } else { UNCHECKED },
    )
}

/// A round before or after training.
fn sums_line(round: &EncryptedRound, history: &History) -> Option<String> {
    let Some(RoundEnding::Closed { survivors, missing, millis, .. }) = &round.ending else {
        return None;
    };
    let total = history.job.as_ref().map_or(1, |job| job.rounds).to_string().len();
    let sums = match round.carrier {
        Carrier::Ring => "encrypted sums",
        Carrier::Shares => "sums from shares",
    };
    Some(format!(
        "{:width$}  {:27}  {}  {:>7}  {:>6}{}{}",
        round.kind,
        format!("{} {}", round.values, sums),
        in_the_sum(survivors, missing),
        bytes(round.bytes()),
        seconds(*millis as f64 / 1e3),
        without(missing),
        if round.is_unchecked() { UNCHECKED } else { "" },
        width = 7 + 2 * total,
    ))
}

fn abandoned_line(round: Option<&EncryptedRound>, attempt: u32, reason: &str) -> String {
    let what = match round.map(|round| (round.kind, round.training_round)) {
        Some(("train", Some(number))) => format!("round {number}"),
        Some((kind, Some(number))) => format!("round {number} ({kind})"),
        Some((kind, None)) => kind.into(),
        None => "a round".into(),
    };
    format!("{what}, attempt {attempt}, was abandoned: {reason}")
}

fn in_the_sum(survivors: &[String], missing: &[Missing]) -> String {
    let all = survivors.len() + missing.len();
    // As wide with some missing as with all, so that columns stay under each other.
    format!("{:>width$} of {all} in the sum", survivors.len(), width = all.to_string().len())
}

fn without(missing: &[Missing]) -> String {
    let names: Vec<String> =
        missing.iter().map(|absent| format!("{} ({})", absent.participant, absent.reason)).collect();
    if names.is_empty() { String::new() } else { format!("  without {}", listed(&names)) }
}

/// Follows a round in which exactly as many revealed as a sum of shared vectors needs.
const UNCHECKED: &str = "  unchecked: no reveal to spare";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;

    fn told(events: &[Event]) -> Vec<String> {
        let mut history = History::default();
        let mut teller = Teller::default();
        let mut lines = Vec::new();
        for event in events {
            history.apply(event);
            lines.extend(teller.lines(event, &history));
        }
        lines
    }

    #[test]
    fn each_training_round_is_one_line_with_its_auc() {
        let lines = told(&recording::events(3));
        let rounds: Vec<_> = lines.iter().filter(|line| line.starts_with("round ")).collect();
        assert_eq!(rounds.len(), 3);
        assert_eq!(rounds[0], "round 1/3  AUC 0.7264  log-loss 0.3380  5 of 5 in the sum   285 kB  0.23 s");
    }

    #[test]
    fn who_is_missing_is_named_with_the_reason() {
        let lines = told(&recording::events(2));
        let second = lines.iter().find(|line| line.starts_with("round 2/2")).unwrap();
        assert!(second.contains("4 of 5 in the sum"), "{second}");
        assert!(second.contains("without bank_online (no update before the deadline"), "{second}");
    }

    #[test]
    fn columns_of_statistics_and_rounds_stand_under_each_other() {
        let lines = told(&recording::events(12));
        let column = |prefix: &str| {
            lines.iter().find(|line| line.starts_with(prefix)).and_then(|line| line.find(" of 5")).unwrap()
        };
        assert_eq!(column("statistics"), column("round  3/12"));
    }

    #[test]
    fn shared_vectors_are_told_apart_and_so_is_a_sum_that_nobody_confirmed() {
        let lines = told(&recording::shared_events(3));
        assert!(lines[0].contains("KSA-S32, small ones shared themselves instead; a sum"), "{}", lines[0]);
        assert!(lines[1].contains("51 sums from shares"), "{}", lines[1]);
        let unchecked: Vec<_> = lines.iter().filter(|line| line.contains("unchecked")).collect();
        assert_eq!(unchecked.len(), 1, "{lines:?}");
        assert!(unchecked[0].starts_with("round 2/3") && unchecked[0].ends_with("no reveal to spare"));
        let encrypted = told(&recording::events(3)).join("\n");
        assert!(encrypted.contains("51 encrypted sums"));
        assert!(!encrypted.contains("shared") && !encrypted.contains("unchecked"), "{encrypted}");
    }

    #[test]
    fn an_abandoned_attempt_is_told_with_its_reason() {
        let lines = told(&recording::abandoned_attempt(4));
        assert_eq!(
            lines,
            ["round 4, attempt 9, was abandoned: only 3 of the 4 needed updates arrived in time"]
        );
    }
}
