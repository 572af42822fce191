//! Plain lines, for output that is no terminal: logs, pipes, CI.

use std::io::Write;

use syndic_coordinator::event::Event;

use super::sentences::Teller;
use super::{Notice, View};
use crate::history::History;
use crate::result::RunResult;
use crate::statistics::result::DescribedResult;

/// One line for each finished round and each notice, without colour or cursor movement.
pub struct PlainLines<W> {
    output: W,
    teller: Teller,
}

impl<W: Write + Send> PlainLines<W> {
    /// Lines on `output`.
    pub fn new(output: W) -> Self {
        Self { output, teller: Teller::default() }
    }

    fn write(&mut self, text: &str) {
        let _ = writeln!(self.output, "{text}").and_then(|()| self.output.flush());
    }
}

impl<W: Write + Send> View for PlainLines<W> {
    fn event(&mut self, event: &Event, history: &History) {
        for line in self.teller.lines(event, history) {
            self.write(&line);
        }
    }

    fn notice(&mut self, notice: &Notice) {
        self.write(&notice.text());
    }

    fn finished(&mut self, _: &RunResult, table: &str) {
        self.write(&console::strip_ansi_codes(table));
    }

    fn described(&mut self, _: &DescribedResult, table: &str) {
        self.write(&console::strip_ansi_codes(table));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Observer;
    use crate::{recording, result};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_run_is_notices_one_line_a_round_and_the_table() {
        let output = Shared::default();
        let mut observer = Observer::new(Box::new(PlainLines::new(output.clone())));
        for event in recording::events(3) {
            observer.event(&event);
        }
        observer.notice(&Notice::Comparing { models: 6, inputs: 51 });
        observer.finished(&result::example::result(), "\u{1b}[1mthe table\u{1b}[0m");
        let text = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().filter(|line| line.starts_with("round ")).count(), 3);
        assert_eq!(text.lines().filter(|line| line.starts_with("statistics ")).count(), 1);
        assert!(text.ends_with("the table\n"));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_reader_that_left_does_not_end_the_run() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut observer = Observer::new(Box::new(PlainLines::new(Closed)));
        recording::events(1).iter().for_each(|event| observer.event(event));
        assert_eq!(observer.history().training_rounds().len(), 1);
    }
}
