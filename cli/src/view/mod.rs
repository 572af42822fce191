//! What a person or a program sees while a job runs: a live terminal, plain lines, JSON lines, or nothing.
//!
//! All four read the same stream: the coordinator's [`Event`]s and the sandbox's own [`Notice`]s.

mod frame;
mod json;
mod lines;
mod live;
mod notice;
mod quiet;
mod sentences;

pub use json::JsonLines;
pub use lines::PlainLines;
pub use live::LiveTerminal;
pub use notice::{Notice, Site};
pub use quiet::Quiet;

use console::Term;
use syndic_coordinator::event::Event;

use crate::history::History;
use crate::result::RunResult;
use crate::statistics::result::DescribedResult;

/// One way of showing a run. What cannot be written any more, because the reader left, is dropped: a closed
/// pipe is no reason to end a federation, and everything is in the ledger and in `result.json`.
pub trait View: Send {
    /// One more event; `history` has it already.
    fn event(&mut self, event: &Event, history: &History);

    /// Something that the sandbox itself does.
    fn notice(&mut self, notice: &Notice);

    /// The run is done: its result, and the closing table for people.
    fn finished(&mut self, result: &RunResult, table: &str);

    /// The same of a run that described rows.
    fn described(&mut self, result: &DescribedResult, table: &str);
}

/// A view together with the history of what it was shown.
pub struct Observer {
    history: History,
    view: Box<dyn View>,
}

impl Observer {
    /// An observer of a run that has not begun.
    pub fn new(view: Box<dyn View>) -> Self {
        Self { history: History::default(), view }
    }

    /// Shows and keeps one event.
    pub fn event(&mut self, event: &Event) {
        self.history.apply(event);
        self.view.event(event, &self.history);
    }

    /// Shows what the sandbox itself does.
    pub fn notice(&mut self, notice: &Notice) {
        self.view.notice(notice);
    }

    /// Shows the end of the run.
    pub fn finished(&mut self, result: &RunResult, table: &str) {
        self.view.finished(result, table);
    }

    /// Shows the end of a run that described rows.
    pub fn described(&mut self, result: &DescribedResult, table: &str) {
        self.view.described(result, table);
    }

    /// Everything that was told so far.
    pub fn history(&self) -> &History {
        &self.history
    }
}

/// Columns of the terminal, or as many as lines are read well with.
pub fn width() -> usize {
    Term::stdout().size_checked().map_or(WIDEST, |(_, columns)| usize::from(columns)).min(WIDEST)
}

/// Longer lines are hard to read, however wide the terminal.
const WIDEST: usize = 100;

/// The view that fits the options and the terminal: `--json`, then `--quiet`, then a live terminal where
/// standard output is one, then plain lines.
pub fn choose(json: bool, quiet: bool) -> Box<dyn View> {
    let output = std::io::stdout();
    let live = console::user_attended() && Term::stdout().features().is_attended();
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match (json, quiet) {
        (true, _) => Box::new(JsonLines::new(output, quiet)),
        (false, true) => Box::new(Quiet),
        (false, false) if live && !dumb => Box::new(LiveTerminal::new()),
        (false, false) => Box::new(PlainLines::new(output)),
    }
}
