//! Who took part in each round and why not, in as few rows as say it all.

use crate::history::{History, RoundEnding, TrainingRound};
use crate::words::listed;

/// Rounds of one kind, one after the other, with the same participants.
pub(super) struct Stretch {
    /// `Statistics`, `Round 3`, `Rounds 1 to 6`.
    pub(super) rounds: String,
    /// How many are in the sums, of how many.
    pub(super) present: String,
    /// Who is not, and why.
    pub(super) missing: Vec<(String, String)>,
    /// Whether a single wrong reveal would have been noticed in each of their sums.
    pub(super) checked: bool,
}

/// All rounds whose sum was opened: statistics first, then training, evaluation, and comparisons.
pub(super) fn stretches(history: &History) -> Vec<Stretch> {
    ["statistics", "train", "evaluate", "fairness", "drift", "compare", "describe"]
        .into_iter()
        .flat_map(|kind| of_kind(history, kind))
        .collect()
}

/// Attempts that ended without a result, in words.
pub(super) fn abandoned(history: &History) -> Vec<String> {
    let words = |kind: &str, number: Option<u32>, attempt: u32, reason: &str| match number {
        Some(number) => format!("Round {number} ({}), attempt {attempt}: {reason}", name(kind)),
        None => format!("{}, attempt {attempt}: {reason}", name(kind)),
    };
    history
        .rounds
        .iter()
        .filter_map(|round| match &round.ending {
            Some(RoundEnding::Abandoned(reason)) => {
                Some(words(round.kind, round.training_round, round.id.attempt, reason))
            }
            _ => None,
        })
        .collect()
}

/// Rounds next to each other whose participants differ by exactly one: the difference of their models says
/// something about that one.
pub(super) fn neighbours(rounds: &[TrainingRound<'_>]) -> Vec<String> {
    let differ = |pair: &[TrainingRound<'_>]| {
        let only = |a: &[String], b: &[String]| a.iter().filter(|name| !b.contains(name)).count();
        only(pair[0].survivors, pair[1].survivors) + only(pair[1].survivors, pair[0].survivors) == 1
    };
    rounds
        .windows(2)
        .filter(|pair| differ(pair))
        .map(|pair| format!("{}–{}", pair[0].number, pair[1].number))
        .collect()
}

fn of_kind(history: &History, kind: &str) -> Vec<Stretch> {
    let mut stretches: Vec<(u32, u32, Stretch)> = Vec::new();
    let of_kind = history.rounds.iter().filter(|round| round.kind == kind);
    let mut counted = 0;
    for round in of_kind {
        let Some((survivors, missing, _)) = round.closed() else { continue };
        counted += 1;
        let number = round.training_round.unwrap_or(counted);
        let checked = !round.is_unchecked();
        let present = format!("{} of {}", survivors.len(), survivors.len() + missing.len());
        let missing: Vec<_> =
            missing.iter().map(|absent| (absent.participant.clone(), absent.reason.clone())).collect();
        match stretches.last_mut() {
            Some((_, last, stretch))
                if stretch.missing == missing
                    && stretch.present == present
                    && stretch.checked == checked
                    && (*last == number || *last + 1 == number) =>
            {
                *last = number;
            }
            _ => {
                stretches.push((number, number, Stretch { rounds: String::new(), present, missing, checked }))
            }
        }
    }
    for (first, last, stretch) in &mut stretches {
        stretch.rounds = match first == last {
            true => format!("{} {first}", name(kind)),
            false => format!("{} {first} to {last}", name(kind)),
        };
    }
    stretches.into_iter().map(|(_, _, stretch)| stretch).collect()
}

fn name(kind: &str) -> &str {
    match kind {
        "statistics" => "Statistics",
        "train" => "Training",
        "evaluate" => "Evaluation",
        "fairness" => "Fairness",
        "drift" => "Drift",
        "compare" => "Comparison",
        "describe" => "Description",
        other => other,
    }
}

impl Stretch {
    /// The absent with their reasons, grouped where reasons are the same.
    pub(super) fn absent(&self) -> Vec<(String, String)> {
        let mut reasons: Vec<&str> = self.missing.iter().map(|(_, reason)| reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let names = |reason: &str| {
            let same = self.missing.iter().filter(|(_, other)| other == reason);
            listed(&same.map(|(name, _)| name.as_str()).collect::<Vec<_>>())
        };
        reasons.into_iter().map(|reason| (names(reason), reason.into())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;

    fn history(rounds: u32) -> History {
        let mut history = History::default();
        recording::events(rounds).iter().for_each(|event| history.apply(event));
        history
    }

    #[test]
    fn rounds_with_the_same_participants_are_one_row() {
        let rows: Vec<_> =
            stretches(&history(20)).into_iter().map(|stretch| (stretch.rounds, stretch.present)).collect();
        let expected = [
            ("Statistics 1", "5 of 5"),
            ("Training 1", "5 of 5"),
            ("Training 2", "4 of 5"),
            ("Training 3 to 20", "5 of 5"),
            ("Evaluation 1", "5 of 5"),
            ("Evaluation 2", "4 of 5"),
            ("Evaluation 3 to 20", "5 of 5"),
        ];
        assert_eq!(rows, expected.map(|(rounds, present)| (rounds.to_string(), present.to_string())));
    }

    #[test]
    fn a_round_whose_sum_was_not_checked_has_a_row_of_its_own() {
        let mut history = History::default();
        let mut events = recording::shared_events(3);
        for event in &mut events {
            if let syndic_coordinator::event::Event::RoundClosed { id, kind: "train", checked, .. } = event {
                *checked = id.round != 6;
            }
        }
        events.iter().for_each(|event| history.apply(event));
        let rows = stretches(&history).into_iter().map(|stretch| (stretch.rounds, stretch.checked));
        let training: Vec<_> = rows.filter(|(rounds, _)| rounds.starts_with("Training")).collect();
        let expected = [("Training 1", true), ("Training 2", true), ("Training 3", false)];
        assert_eq!(training, expected.map(|(rounds, checked)| (rounds.to_string(), checked)));
    }

    #[test]
    fn an_abandoned_attempt_is_listed_with_its_reason() {
        let mut history = History::default();
        recording::abandoned_attempt(4).iter().for_each(|event| history.apply(event));
        assert_eq!(
            abandoned(&history),
            ["Round 4 (Training), attempt 9: only 3 of the 4 needed updates arrived in time"]
        );
    }

    #[test]
    fn rounds_that_differ_by_one_participant_are_found() {
        let history = history(4);
        assert_eq!(neighbours(&history.training_rounds()), ["1–2", "2–3"]);
    }

    #[test]
    fn absent_participants_with_one_reason_are_named_together() {
        let why = |name: &str, reason: &str| (name.to_string(), reason.to_string());
        let stretch = Stretch {
            rounds: "Training 1".into(),
            present: "2 of 5".into(),
            checked: true,
            missing: vec![why("a", "late"), why("b", "declined: purpose"), why("c", "late")],
        };
        assert_eq!(stretch.absent(), [why("b", "declined: purpose"), why("a and c", "late")]);
    }
}
