//! `syndic score`: the rows of a table through a released model, a batch at a time.

pub mod args;
mod output;
mod summary;

use std::io::Write;
use std::path::Path;

use csv::StringRecord;
use indicatif::{ProgressBar, ProgressStyle};
use syndic_learning::data_report::DataFinding;
use syndic_learning::{Batch, Measure, ModelError, Scoring as _};

use self::args::{OnError, ScoreArgs};
use self::output::{Output, Score};
use self::summary::Summary;
use crate::commands::{print, stream};
use crate::model::released::Released;
use crate::new_file::{self, Written};
use crate::sandbox::load::misheaded;
use crate::sandbox::source::{Rows, Source};
use crate::{Error, Result};

/// Scores a table.
///
/// # Errors
/// A model that is not what it should be; a table that cannot be read; a row that breaks the contract, at once or in the
/// end.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let released = Released::open(&args.release)?;
    let rows = open(&args.table)?;
    let to_output = args.out == Path::new(STANDARD);
    let mut summary = Summary::of(&released);
    let content = |file: &mut dyn Write| {
        let scorer = Scorer::new(args, &released, rows)?;
        let has_points = released.model.scorecard().is_some();
        scorer.score(&mut Output::new(file, args, has_points)?, &mut summary)
    };
    if to_output {
        stream(content)?
    } else {
        new_file::write_with(&args.out, content)?
    }
    if !args.quiet {
        let text = if args.json { summary.to_json() + "\n" } else { summary.render() };
        if to_output { eprint(&text) } else { print(&text)? }
    }
    summary.outcome(args)
}

/// The rows of a file, or of standard input.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn open(table: &Path) -> Result<Rows> {
    if table == Path::new(STANDARD) {
        return Rows::of("standard input", Box::new(std::io::stdin().lock()));
    }
    Source::File(table.into()).rows()
}

/// The rows on their way.
struct Scorer<'a> {
    args: &'a ScoreArgs,
    released: &'a Released,
    rows: Rows,
    batch: Batch,
    /// Where the id stands.
    id: Option<usize>,
    /// What stands beside each row's score, in the order of the table, and whether there is one.
    waiting: Vec<(String, bool)>,
    measure: Option<Measure>,
    progress: ProgressBar,
}

impl<'a> Scorer<'a> {
    fn new(args: &'a ScoreArgs, released: &'a Released, rows: Rows) -> Result<Self> {
        let contract = released.model.contract();
        let header: Vec<&str> = rows.header().iter().map(String::as_str).collect();
        let batch = Batch::new(contract, &header, args.evaluate)
            .map_err(|report| misheaded(rows.name(), &header, &report))?;
        let id = args.id.as_deref().map(|id| rows.position(id, "--id")).transpose()?;
        let progress = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("  {human_pos} rows, {per_sec}, {elapsed}") {
            progress.set_style(style);
        }
        Ok(Self {
            args,
            released,
            batch,
            id,
            waiting: Vec::with_capacity(BATCH),
            measure: args.evaluate.then(Measure::new),
            progress,
            rows,
        })
    }

    fn score(mut self, output: &mut Output<'_>, summary: &mut Summary) -> Written {
        let place = self.rows.name().to_owned();
        let mut cells = CellBuffer::default();
        while let Some((line, row)) = self.rows.next_row()? {
            cells.take(row);
            let id =
                self.id.map_or_else(|| line.to_string(), |id| cells.get(id).unwrap_or_default().to_owned());
            let pushed = cells.with(|cells| self.batch.push(cells));
            if let Err(refused) = pushed {
                let finding = self.batch.finding(refused, line);
                if self.args.on_error == OnError::Stop {
                    return Err(told(&finding, line, &place).into());
                }
                summary.refuse(finding, line);
            }
            self.waiting.push((id, pushed.is_ok()));
            if self.waiting.len() == BATCH {
                self.write(output, summary)?;
            }
        }
        self.write(output, summary)?;
        self.progress.finish_and_clear();
        summary.measured = self.measure.as_ref().map(Measure::finish);
        output.finish()
    }

    /// Scores the batch, writes it, and begins another.
    fn write(&mut self, output: &mut Output<'_>, summary: &mut Summary) -> Written {
        let table = self.batch.table();
        let told = |error: ModelError| Error::input(error.code(), error.to_string()).help(error.help());
        let scores = self.released.model.score(table).map_err(told)?;
        let points = match self.released.model.scorecard() {
            Some(scorecard) => {
                let all: Vec<usize> = (0..scores.len()).collect();
                scorecard.points(table, &all).map_err(told)?.into_iter().map(Some).collect()
            }
            None => vec![None; scores.len()],
        };
        if let Some(measure) = &mut self.measure {
            measure.add(&scores, table.labels());
        }
        summary.scored += scores.len() as u64;
        let mut scores =
            scores.into_iter().zip(points).map(|(probability, points)| Score { probability, points });
        for (id, is_scored) in self.waiting.drain(..) {
            let score = if is_scored { scores.next() } else { None };
            output.row(&id, score)?;
            self.progress.inc(1);
        }
        self.batch.clear();
        Ok(())
    }
}

/// The cells of one row; the memory is used again for the next.
#[derive(Default)]
struct CellBuffer {
    row: StringRecord,
}

impl CellBuffer {
    fn take(&mut self, row: &StringRecord) {
        self.row.clone_from(row);
    }

    fn get(&self, position: usize) -> Option<&str> {
        self.row.get(position).map(str::trim)
    }

    fn with<T>(&self, use_cells: impl FnOnce(&[&str]) -> T) -> T {
        use_cells(&self.row.iter().collect::<Vec<_>>())
    }
}

/// The error for a row that ends it all.
fn told(finding: &DataFinding, line: u64, place: &str) -> Error {
    Error::input(finding.code(), finding.message())
        .place(format!("{place}, line {line}"))
        .help(format!("{}; or leave such rows without a score with --on-error skip", finding.help()))
}

/// Standard error is where progress was shown; where it is closed there is nobody to tell.
fn eprint(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Rows that are held at a time.
const BATCH: usize = 4096;
/// The name of standard input and output.
const STANDARD: &str = "-";
