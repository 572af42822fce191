//! Nothing but errors.

use syndic_coordinator::event::Event;

use super::{Notice, View};
use crate::history::History;
use crate::result::RunResult;
use crate::statistics::result::DescribedResult;

/// Shows nothing; the folder of the run has everything.
pub struct Quiet;

impl View for Quiet {
    fn event(&mut self, _: &Event, _: &History) {}

    fn notice(&mut self, _: &Notice) {}

    fn finished(&mut self, _: &RunResult, _: &str) {}

    fn described(&mut self, _: &DescribedResult, _: &str) {}
}
