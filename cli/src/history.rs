//! What has happened in a job so far, folded from its events. Terminal views and the report read it.

use std::collections::{BTreeMap, BTreeSet};

use syndic_coordinator::event::{Did, Event, Missing, Phase};
use syndic_learning::job::SmallVectors;
use syndic_round::{Carrier, RoundId};

/// The fold of a job's events, in the order in which they were told.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What the job said when it began.
    pub job: Option<JobFacts>,
    /// Every encrypted round, by its opening.
    pub rounds: Vec<EncryptedRound>,
    /// Figures from encrypted score histograms, by training round, on the rows kept for the test.
    pub metrics: BTreeMap<u32, LiveMetrics>,
    /// The same on the rows used to choose among rounds.
    pub validation: BTreeMap<u32, LiveMetrics>,
    /// Who is connected now.
    pub connected: BTreeMap<String, bool>,
    /// How the job ended.
    pub ending: Option<JobEnding>,
}

/// What a job is, as told at its start.
#[derive(Clone, Debug)]
pub struct JobFacts {
    /// Job id.
    pub job: String,
    /// Training rounds asked for.
    pub rounds: u32,
    /// Institutions admitted, in roster order.
    pub participants: Vec<String>,
    /// Reveals needed to open a sum.
    pub threshold: u16,
    /// Name of the parameter set.
    pub parameter_set: &'static str,
    /// How vectors that are small enough to be shared themselves reach their sum.
    pub small_vectors: SmallVectors,
}

/// One encrypted round: one question, one sum.
#[derive(Clone, Debug)]
pub struct EncryptedRound {
    /// Round and attempt.
    pub id: RoundId,
    /// `statistics`, `train` or `evaluate`.
    pub kind: &'static str,
    /// Which training round it belongs to.
    pub training_round: Option<u32>,
    /// Values asked for.
    pub values: usize,
    /// Ring coefficients that travel; none where the vector is shared itself.
    pub padded: usize,
    /// What carries the vector.
    pub carrier: Carrier,
    /// The phase it is in or ended in.
    pub phase: Option<Phase>,
    /// The last phase that each participant did its part of.
    pub done: BTreeMap<String, Phase>,
    /// Who declined, and why.
    pub declined: BTreeMap<String, String>,
    /// Bytes that participants sent so far.
    pub bytes: u64,
    /// How it ended; none while it runs.
    pub ending: Option<RoundEnding>,
}

/// How an encrypted round ended.
#[derive(Clone, Debug)]
pub enum RoundEnding {
    /// The sum was opened.
    Closed {
        /// Whose updates are in it.
        survivors: Vec<String>,
        /// Whose are not, and why.
        missing: Vec<Missing>,
        /// From opening to the sum.
        millis: u64,
        /// Bytes of ciphertext.
        upload_bytes: u64,
        /// Bytes of sealed shares: of keys, or of the vectors themselves.
        key_share_bytes: u64,
        /// Whether a single wrong reveal would have been noticed.
        checked: bool,
    },
    /// Without a result, for this reason.
    Abandoned(String),
}

/// Figures of a model from encrypted score histograms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveMetrics {
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Area under the precision-recall curve.
    pub pr_auc: f64,
    /// Mean log-loss.
    pub log_loss: f64,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub enum JobEnding {
    /// With its outcome.
    Completed,
    /// Without, for this reason.
    Abandoned(String),
}

/// A training round as people count it: the sum of updates and the evaluation of the model it gave.
#[derive(Clone, Debug)]
pub struct TrainingRound<'a> {
    /// From 1.
    pub number: u32,
    /// Whose updates are in the model.
    pub survivors: &'a [String],
    /// Whose are not, and why.
    pub missing: &'a [Missing],
    /// Whether a single wrong reveal would have been noticed in each of its sums.
    pub checked: bool,
    /// Milliseconds of its encrypted rounds together, without abandoned attempts.
    pub millis: u64,
    /// Bytes that participants sent for it, abandoned attempts included.
    pub bytes: u64,
    /// Figures on the test rows; none where the job was not evaluated after this round.
    pub metrics: Option<LiveMetrics>,
}

impl History {
    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Connection { participant, connected } => {
                self.connected.insert(participant.clone(), *connected);
            }
            Event::JobStarted {
                job, rounds, participants, threshold, parameter_set, small_vectors, ..
            } => {
                self.job = Some(JobFacts {
                    job: job.clone(),
                    rounds: *rounds,
                    participants: participants.clone(),
                    threshold: *threshold,
                    parameter_set,
                    small_vectors: *small_vectors,
                });
            }
            Event::RoundOpened { id, kind, training_round, values, padded, carrier } => {
                self.rounds.push(EncryptedRound {
                    id: *id,
                    kind,
                    training_round: *training_round,
                    values: *values,
                    padded: *padded,
                    carrier: *carrier,
                    phase: None,
                    done: BTreeMap::new(),
                    declined: BTreeMap::new(),
                    bytes: 0,
                    ending: None,
                });
            }
            Event::Phase { id, phase, .. } => {
                if let Some(round) = self.round_mut(*id) {
                    round.phase = Some(*phase);
                }
            }
            Event::Progress { id, participant, did, bytes } => {
                if let Some(round) = self.round_mut(*id) {
                    round.progress(participant, did, *bytes);
                }
            }
            Event::RoundClosed {
                id,
                survivors,
                missing,
                checked,
                millis,
                upload_bytes,
                key_share_bytes,
                ..
            } => {
                if let Some(round) = self.round_mut(*id) {
                    round.ending = Some(RoundEnding::Closed {
                        survivors: survivors.clone(),
                        missing: missing.clone(),
                        millis: *millis,
                        upload_bytes: *upload_bytes,
                        key_share_bytes: *key_share_bytes,
                        checked: *checked,
                    });
                }
            }
            Event::RoundAbandoned { id, reason } => {
                if let Some(round) = self.round_mut(*id) {
                    round.ending = Some(RoundEnding::Abandoned(reason.clone()));
                }
            }
            Event::Metrics { training_round, rows, roc_auc, pr_auc, log_loss } => {
                let figures = LiveMetrics { roc_auc: *roc_auc, pr_auc: *pr_auc, log_loss: *log_loss };
                let kept = if *rows == "test" { &mut self.metrics } else { &mut self.validation };
                kept.insert(*training_round, figures);
            }
            Event::JobCompleted { .. } => self.ending = Some(JobEnding::Completed),
            Event::JobAbandoned { reason, .. } | Event::JobStopped { reason, .. } => {
                self.ending = Some(JobEnding::Abandoned(reason.clone()));
            }
            // Nobody runs jobs of a sandbox but itself.
            Event::JobPaused { .. } | Event::JobResumed { .. } | Event::JobPrioritised { .. } => {}
        }
    }

    /// The encrypted round that opened last and has not ended.
    pub fn open_round(&self) -> Option<&EncryptedRound> {
        self.rounds.iter().rev().find(|round| round.ending.is_none())
    }

    /// Training rounds that nothing more will be told about, in order.
    pub fn training_rounds(&self) -> Vec<TrainingRound<'_>> {
        let mut numbers: Vec<u32> = self.rounds.iter().filter_map(|round| round.training_round).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| self.training_round(number)).collect()
    }

    /// Training rounds with a sum. A tree takes several encrypted rounds.
    pub fn trained(&self) -> u32 {
        let trained = self.rounds.iter().filter(|round| round.kind == "train" && round.closed().is_some());
        let numbers: BTreeSet<_> = trained.filter_map(|round| round.training_round).collect();
        numbers.len() as u32
    }

    /// Encrypted rounds of this kind that closed, and those that were abandoned.
    pub fn count(&self, kind: &str) -> (u32, u32) {
        let ended = |abandoned: bool| {
            let matching = self.rounds.iter().filter(|round| round.kind == kind);
            let matching = matching.filter(|round| match &round.ending {
                Some(RoundEnding::Closed { .. }) => !abandoned,
                Some(RoundEnding::Abandoned(_)) => abandoned,
                None => false,
            });
            matching.count() as u32
        };
        (ended(false), ended(true))
    }

    /// Seconds of a training round, the median over all; zero where there was none.
    pub fn median_seconds(&self) -> f64 {
        median(self.training_rounds().iter().map(|round| round.millis)) / 1e3
    }

    /// Bytes that all participants together sent for a training round, the median; zero where there was none.
    pub fn median_bytes(&self) -> f64 {
        median(self.training_rounds().iter().map(|round| round.bytes))
    }

    /// Bytes that all participants together sent in the whole job.
    pub fn bytes(&self) -> u64 {
        self.rounds.iter().map(EncryptedRound::bytes).sum()
    }

    fn training_round(&self, number: u32) -> Option<TrainingRound<'_>> {
        let of_it = || self.rounds.iter().filter(move |round| round.training_round == Some(number));
        let (survivors, missing, _) =
            of_it().filter(|round| round.kind == "train").find_map(EncryptedRound::closed)?;
        let evaluated = of_it().any(|round| round.kind == "evaluate" && round.closed().is_some());
        let metrics = self.metrics.get(&number).copied();
        let overtaken =
            self.rounds.iter().any(|round| round.training_round.is_some_and(|other| other > number));
        if !(overtaken || self.ending.is_some() || evaluated && metrics.is_some()) {
            return None;
        }
        let millis = of_it().filter_map(EncryptedRound::closed).map(|(_, _, millis)| millis).sum();
        let bytes = of_it().map(EncryptedRound::bytes).sum();
        let checked = !of_it().any(EncryptedRound::is_unchecked);
        Some(TrainingRound { number, survivors, missing, checked, millis, bytes, metrics })
    }

    fn round_mut(&mut self, id: RoundId) -> Option<&mut EncryptedRound> {
        self.rounds.iter_mut().rev().find(|round| round.id == id)
    }
}

impl EncryptedRound {
    /// Bytes that participants sent for it: what was seen to arrive, or the closing total where that is more.
    pub fn bytes(&self) -> u64 {
        match &self.ending {
            Some(RoundEnding::Closed { upload_bytes, key_share_bytes, .. }) => {
                self.bytes.max(upload_bytes + key_share_bytes)
            }
            _ => self.bytes,
        }
    }

    /// Survivors, missing and milliseconds, where its sum was opened.
    pub fn closed(&self) -> Option<(&[String], &[Missing], u64)> {
        match &self.ending {
            Some(RoundEnding::Closed { survivors, missing, millis, .. }) => {
                Some((survivors, missing, *millis))
            }
            _ => None,
        }
    }

    /// Whether its sum was opened, and a single wrong reveal would not have been noticed.
    pub fn is_unchecked(&self) -> bool {
        matches!(self.ending, Some(RoundEnding::Closed { checked: false, .. }))
    }

    fn progress(&mut self, participant: &str, did: &Did, bytes: u64) {
        self.bytes += bytes;
        let phase = match did {
            Did::Advertised => Phase::Advertise,
            Did::Shared => Phase::Share,
            Did::Acknowledged => Phase::Acknowledge,
            Did::Submitted => Phase::Collect,
            Did::Certified => Phase::Certify,
            Did::Revealed | Did::Voided => Phase::Reveal,
            Did::Declined(reason) => {
                self.declined.insert(participant.into(), reason.clone());
                return;
            }
        };
        let done = self.done.entry(participant.into()).or_insert(phase);
        *done = (*done).max(phase);
    }
}

/// The middle one, or the mean of the middle two; zero of none.
fn median(values: impl Iterator<Item = u64>) -> f64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle] as f64,
        _ => (values[middle - 1] as f64 + values[middle] as f64) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;

    fn history_of(events: &[Event]) -> History {
        let mut history = History::default();
        events.iter().for_each(|event| history.apply(event));
        history
    }

    #[test]
    fn a_training_round_is_told_once_its_model_is_evaluated() {
        let events = recording::events(2);
        let evaluated = events
            .iter()
            .position(|event| matches!(event, Event::Metrics { training_round: 1, rows: "test", .. }))
            .unwrap();
        let before = history_of(&events[..evaluated]);
        let after = history_of(&events[..=evaluated]);
        assert!(before.training_rounds().is_empty());
        assert_eq!(after.training_rounds().len(), 1);
    }

    #[test]
    fn a_participant_that_stopped_is_missing_with_its_reason() {
        let history = history_of(&recording::events(3));
        let rounds = history.training_rounds();
        assert_eq!(rounds[1].missing[0].participant, "bank_online");
        assert_eq!(rounds[1].survivors.len(), 4);
        assert_eq!(rounds[2].survivors.len(), 5);
    }

    #[test]
    fn an_abandoned_attempt_counts_as_bytes_but_not_as_a_training_round() {
        let mut events = recording::events(1);
        let retried = recording::abandoned_attempt(1);
        let opened = events
            .iter()
            .position(|event| matches!(event, Event::RoundOpened { kind: "train", .. }))
            .unwrap();
        let plain = history_of(&events);
        events.splice(opened..opened, retried);
        let history = history_of(&events);
        assert_eq!(history.count("train"), (1, 1));
        assert!(history.training_rounds()[0].bytes > plain.training_rounds()[0].bytes);
        assert_eq!(history.training_rounds()[0].millis, plain.training_rounds()[0].millis);
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_between_the_middle_two() {
        let history = history_of(&recording::events(2));
        let millis: Vec<u64> = history.training_rounds().iter().map(|round| round.millis).collect();
        assert_eq!(history.median_seconds(), (millis[0] + millis[1]) as f64 / 2e3);
    }

    #[test]
    fn the_job_sends_what_its_training_rounds_send_and_the_statistics() {
        let history = history_of(&recording::events(2));
        let bytes: Vec<u64> = history.training_rounds().iter().map(|round| round.bytes).collect();
        assert_eq!(history.bytes(), bytes.iter().sum::<u64>() + history.rounds[0].bytes());
        assert_eq!(history.median_bytes(), (bytes[0] + bytes[1]) as f64 / 2.0);
        assert_eq!(History::default().median_bytes(), 0.0);
    }
}
