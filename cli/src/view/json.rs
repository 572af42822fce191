//! One JSON object per line; the last line is the contents of `result.json`.

use std::io::Write;

use serde::Serialize;
use syndic_coordinator::event::Event;

use super::{Notice, View};
use crate::history::History;
use crate::result::RunResult;
use crate::statistics::result::DescribedResult;

/// JSON lines for programs. Every line but the last has a key `event`.
pub struct JsonLines<W> {
    output: W,
    result_only: bool,
}

impl<W: Write + Send> JsonLines<W> {
    /// Lines on `output`; with `result_only` just the last one.
    pub fn new(output: W, result_only: bool) -> Self {
        Self { output, result_only }
    }

    fn line(&mut self, told: &impl Serialize) {
        if self.result_only {
            return;
        }
        let text = serde_json::to_string(told).expect("names and finite numbers serialise");
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        let _ = writeln!(self.output, "{text}").and_then(|()| self.output.flush());
    }
}

impl<W: Write + Send> View for JsonLines<W> {
    fn event(&mut self, event: &Event, _: &History) {
        self.line(event);
    }

    fn notice(&mut self, notice: &Notice) {
        self.line(notice);
    }

    fn finished(&mut self, result: &RunResult, _: &str) {
        self.write(&result.to_line());
    }

    fn described(&mut self, result: &DescribedResult, _: &str) {
        self.write(&result.to_line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recording, result};

    fn lines(result_only: bool) -> Vec<serde_json::Value> {
        let mut output = Vec::new();
        let mut view = JsonLines::new(&mut output, result_only);
        view.notice(&Notice::Comparing { models: 6, inputs: 51 });
        let history = History::default();
        recording::events(2).iter().for_each(|event| view.event(event, &history));
        view.finished(&result::example::result(), "for people");
        let text = String::from_utf8(output).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_is_an_event_and_the_last_is_the_result() {
        let lines = lines(false);
        let (last, events) = lines.split_last().unwrap();
        assert!(events.iter().all(|event| event["event"].is_string()));
        assert_eq!(last["schema"], "syndic.result/1");
        assert!(last.get("event").is_none());
    }

    #[test]
    fn a_quiet_program_gets_the_result_only() {
        let lines = lines(true);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["schema"], "syndic.result/1");
    }
}
