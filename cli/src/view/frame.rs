//! The moving part of the live terminal: the open round, with a mark per participant and phase.

use console::{Style, measure_text_width, pad_str, truncate_str};
use syndic_coordinator::event::Phase;

use crate::history::{EncryptedRound, History};

/// The lines to show now, each at most `width` columns. `stopped` is who was stopped on purpose.
pub(super) fn frame(history: &History, stopped: Option<&str>, width: usize) -> Vec<String> {
    let (Some(job), Some(round)) = (&history.job, history.open_round()) else {
        return Vec::new();
    };
    let name_width = job.participants.iter().map(|name| measure_text_width(name)).max().unwrap_or(0);
    let left = (name_width + 4).max(30);
    let dim = Style::new().dim();
    let title = pad_str(&title(round, job.rounds), left, console::Alignment::Left, Some("…")).into_owned();
    let heading: String = PHASES.iter().map(|(_, name)| format!("{name:<8}")).collect();
    let mut lines =
        vec![Style::new().bold().apply_to(title).to_string() + &dim.apply_to(heading).to_string()];
    if job.participants.len() > ROWS {
        lines.push(counts(round, job.participants.len(), left));
    } else {
        lines.extend(job.participants.iter().map(|name| row(history, round, name, stopped, left)));
    }
    lines.into_iter().map(|line| truncate_str(&line, width, "").into_owned()).collect()
}

fn title(round: &EncryptedRound, total: u32) -> String {
    let attempt =
        if round.id.attempt > 1 { format!(", attempt {}", round.id.attempt) } else { String::new() };
    match round.training_round {
        Some(number) => {
            let doing = if round.kind == "evaluate" { "evaluating" } else { "training" };
            format!("  round {number}/{total}, {doing}{attempt}")
        }
        None => format!("  {}{attempt}", round.kind),
    }
}

fn row(history: &History, round: &EncryptedRound, name: &str, stopped: Option<&str>, left: usize) -> String {
    let done = round.done.get(name);
    let declined = round.declined.contains_key(name);
    let gone = history.connected.get(name) == Some(&false);
    let remark = match (stopped == Some(name), declined, gone) {
        (true, ..) => "  stopped on purpose",
        (_, true, _) => "  declined",
        (.., true) => "  not connected",
        _ => "",
    };
    let marks: String = PHASES
        .iter()
        .map(|(phase, _)| {
            let (mark, style) = match round.phase {
                _ if done.is_some_and(|done| done >= phase) => ("●", Style::new().green()),
                _ if stopped == Some(name) || declined || gone => ("×", Style::new().yellow()),
                Some(now) if now == *phase => ("◌", Style::new().cyan()),
                _ => ("·", Style::new().dim()),
            };
            style.apply_to(format!("{mark:<8}")).to_string()
        })
        .collect();
    let name = pad_str(&format!("    {name}"), left, console::Alignment::Left, None).into_owned();
    format!("{name}{marks}{}", Style::new().yellow().apply_to(remark))
}

fn counts(round: &EncryptedRound, participants: usize, left: usize) -> String {
    let counts: String = PHASES
        .iter()
        .map(|(phase, _)| format!("{:<8}", round.done.values().filter(|done| *done >= phase).count()))
        .collect();
    let label = format!("    of {participants} institutions");
    pad_str(&label, left, console::Alignment::Left, None).into_owned() + &counts
}

/// With more institutions than this the frame counts them instead.
const ROWS: usize = 12;

/// The phases in words short enough for a heading.
const PHASES: [(Phase, &str); 6] = [
    (Phase::Advertise, "key"),
    (Phase::Share, "shares"),
    (Phase::Acknowledge, "ready"),
    (Phase::Collect, "update"),
    (Phase::Certify, "signed"),
    (Phase::Reveal, "reveal"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;
    use syndic_coordinator::event::Event;

    fn until(stop: impl Fn(&Event) -> bool) -> History {
        let mut history = History::default();
        for event in recording::events(3) {
            history.apply(&event);
            if stop(&event) {
                break;
            }
        }
        history
    }

    fn plain(history: &History, stopped: Option<&str>) -> Vec<String> {
        let lines = frame(history, stopped, 100);
        lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect()
    }

    #[test]
    fn each_participant_has_a_mark_for_each_phase_that_it_did() {
        let history =
            until(|event| matches!(event, Event::Phase { id, phase: Phase::Certify, .. } if id.round == 4));
        let lines = plain(&history, Some("bank_online"));
        assert!(lines[0].starts_with("  round 2/3, training"), "{lines:#?}");
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[1].matches('●').count(), 4);
        assert_eq!(lines[1].matches('◌').count(), 1);
        assert_eq!(lines[2].matches('●').count(), 3);
        assert!(lines[2].ends_with("stopped on purpose"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let history = until(|event| matches!(event, Event::Phase { phase: Phase::Collect, .. }));
        for line in frame(&history, None, 40) {
            assert!(measure_text_width(&line) <= 40, "{line}");
        }
    }

    #[test]
    fn between_rounds_there_is_nothing_to_show() {
        let history = until(|event| matches!(event, Event::RoundClosed { .. }));
        assert!(frame(&history, None, 80).is_empty());
    }

    #[test]
    fn many_institutions_are_counted() {
        let mut history = until(|event| matches!(event, Event::Phase { phase: Phase::Share, .. }));
        if let Some(job) = &mut history.job {
            job.participants = (0..64).map(|number| format!("s{number:02}")).collect();
        }
        let lines = plain(&history, None);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].contains("of 64 institutions"), "{}", lines[1]);
    }
}
