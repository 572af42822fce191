//! The live terminal: finished rounds scroll by, the open round and the progress of the job stay below.

use std::time::Duration;

use console::{Style, Term};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use syndic_coordinator::event::Event;

use super::frame::frame;
use super::sentences::Teller;
use super::{Notice, View};
use crate::history::History;
use crate::result::RunResult;
use crate::statistics::result::DescribedResult;
use crate::words::{bytes, wrapped};

/// Finished rounds as one line each, and below them who did what in the open round, progress, AUC, bytes
/// and time.
pub struct LiveTerminal {
    terminal: Term,
    group: MultiProgress,
    rows: Vec<ProgressBar>,
    total: ProgressBar,
    teller: Teller,
    stopped: Option<String>,
}

impl LiveTerminal {
    /// A live view on standard output.
    pub fn new() -> Self {
        let group = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(FRAMES_A_SECOND));
        let total = group.add(ProgressBar::new(0));
        total.set_style(style("  {bar:24.green/dim} {pos}/{len}  {msg}  {elapsed:.dim}"));
        Self {
            terminal: Term::stdout(),
            group,
            rows: Vec::new(),
            total,
            teller: Teller::default(),
            stopped: None,
        }
    }

    fn width(&self) -> usize {
        usize::from(self.terminal.size().1).saturating_sub(1)
    }

    fn say(&self, text: &str) {
        // With a reader that left there is nobody to tell.
        let _ = self.group.println(text);
    }

    fn draw(&mut self, history: &History) {
        let lines = frame(history, self.stopped.as_deref(), self.width());
        while self.rows.len() < lines.len() {
            let row = self.group.insert_before(&self.total, ProgressBar::new_spinner());
            row.set_style(style("{msg}"));
            self.rows.push(row);
        }
        // Between two rounds the last frame stays, so that the terminal does not jump.
        for (row, line) in self.rows.iter().zip(lines) {
            row.set_message(line);
        }
        let finished = history.training_rounds();
        let auc = history.metrics.values().next_back().map(|metrics| format!("AUC {:.4}  ", metrics.roc_auc));
        self.total.set_length(history.job.as_ref().map_or(0, |job| u64::from(job.rounds)));
        self.total.set_position(finished.len() as u64);
        self.total.set_message(format!("{}{}", auc.unwrap_or_default(), bytes(history.bytes())));
    }

    fn clear(&mut self) {
        self.rows.drain(..).for_each(|row| row.finish_and_clear());
        self.total.finish_and_clear();
    }
}

impl Default for LiveTerminal {
    fn default() -> Self {
        Self::new()
    }
}

impl View for LiveTerminal {
    fn event(&mut self, event: &Event, history: &History) {
        if matches!(event, Event::JobStarted { .. }) {
            self.total.reset_elapsed();
            self.total.enable_steady_tick(Duration::from_millis(100));
        }
        for line in self.teller.lines(event, history) {
            self.say(&wrapped(&line, self.width(), 4));
        }
        match event {
            Event::JobCompleted { .. } | Event::JobAbandoned { .. } | Event::JobStopped { .. } => {
                self.clear()
            }
            _ => self.draw(history),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Stopping { participant, .. } => self.stopped = Some(participant.clone()),
            Notice::Returned { .. } => self.stopped = None,
            _ => {}
        }
        let style = match notice {
            Notice::Stopping { .. } | Notice::Returned { .. } => Style::new().yellow().bold(),
            _ => Style::new(),
        };
        self.say(&style.apply_to(wrapped(&notice.text(), self.width(), 4)).to_string());
    }

    fn finished(&mut self, _: &RunResult, table: &str) {
        self.clear();
        self.say(table);
    }

    fn described(&mut self, _: &DescribedResult, table: &str) {
        self.clear();
        self.say(table);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one of ours").progress_chars("━╸─")
}

/// Enough to look alive, little enough to cost nothing.
const FRAMES_A_SECOND: u8 = 15;
