//! `syndic model drift`: rows of today against the rows that a released model was trained on.

use std::fmt::Write as _;
use std::path::Path;

use console::style;
use serde::Serialize;
use syndic_learning::data_report::DataFinding;
use syndic_learning::program::drift::figures::Standing;
use syndic_learning::{Batch, Compared, DriftFigures, Scoring as _, Shift};

use super::args::{DriftArgs, ReleaseArgs};
use super::drifted;
use super::released::Released;
use crate::commands::print;
use crate::report::drift::{names, standing};
use crate::sandbox::load::misheaded;
use crate::score::args::OnError;
use crate::score::open;
use crate::words::{counted, plain, thousands};
use crate::{Error, Result};

/// Counts the table's rows, and says how far they are from the card's; or shows what a job found.
///
/// # Errors
/// A model that cannot be loaded, is not the ledger's, or whose job compared nothing; a table that cannot be read; a row that
/// breaks the contract, unless it is to be left out; fewer rows than the job compares. Drift by the job's thresholds, after the figures are printed.
pub fn run(args: &DriftArgs) -> Result<()> {
    let (Some(model), Some(table)) = (&args.model, &args.table) else { return drifted::run(args) };
    let (model, ledger, trust) = (model.clone(), args.ledger.clone(), args.trust.clone());
    let released = Released::open(&ReleaseArgs { model, ledger, trust })?;
    let (figures, refused) = counts(args.on_error, table, &released)?;
    print(&if args.json {
        to_json(&released, &figures, refused) + "\n"
    } else {
        render(&released, &figures, refused)
    })?;
    if refused > 0 && figures.current_rows == 0 {
        return Err(Error::input("drift.rows-refused", "all rows break the model's contract")
            .place(table.display().to_string())
            .help("give a table of the columns and units that the model's card names"));
    }
    if figures.current_rows < u64::from(figures.min_rows) {
        return Err(Error::input(
            "drift.too-few-rows",
            format!(
                "{} are compared, and the job compares no fewer than {}",
                counted(figures.current_rows as usize, "row", "rows"),
                figures.min_rows
            ),
        )
        .place(table.display().to_string())
        .help("collect rows of a longer time, and compare them together"));
    }
    match figures.warning("rows of the table") {
        None => Ok(()),
        Some(warning) => Err(Error::abandoned("drift.exceeded", warning)
            .place(table.display().to_string())
            .help("look at the columns that are named, and at how the model does on rows whose outcome is known by now")),
    }
}

/// The figures, and how many rows were left out.
fn counts(on_error: OnError, table: &Path, released: &Released) -> Result<(DriftFigures, u64)> {
    let mut compared = Compared::with(&released.card).ok_or_else(|| {
        Error::input(
            "drift.no-reference",
            "the model's card does not say where the rows were that it was trained on",
        )
        .place("--model")
        .help("compare with a model whose job has a section [drift]")
    })?;
    let mut rows = open(table)?;
    let place = rows.name().to_owned();
    let header: Vec<String> = rows.header().to_vec();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut batch = Batch::new(released.model.contract(), &header, false)
        .map_err(|report| misheaded(&place, &header, &report))?;
    let mut refused = 0;
    while let Some((line, row)) = rows.next_row()? {
        if let Err(rule) = batch.push(&row.iter().collect::<Vec<_>>()) {
            if on_error == OnError::Stop {
                return Err(told(&batch.finding(rule, line), line, &place));
            }
            refused += 1;
        }
        if batch.table().rows() == BATCH {
            count(&mut compared, released, &mut batch)?;
        }
    }
    count(&mut compared, released, &mut batch)?;
    Ok((compared.finish(), refused))
}

/// Counts the batch, and begins another.
fn count(compared: &mut Compared<'_>, released: &Released, batch: &mut Batch) -> Result<()> {
    let table = batch.table();
    let scores = released.model.score(table).and_then(|scores| compared.add(table, &scores));
    scores.map_err(|error| Error::input(error.code(), error.to_string()).help(error.help()))?;
    batch.clear();
    Ok(())
}

fn told(finding: &DataFinding, line: u64, place: &str) -> Error {
    Error::input(finding.code(), finding.message())
        .place(format!("{place}, line {line}"))
        .help(format!("{}; or leave such rows out with --on-error skip", finding.help()))
}

/// For programs: one JSON object on one line.
fn to_json(released: &Released, figures: &DriftFigures, refused: u64) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        weights_digest: String,
        contract: String,
        ledger_entry: Option<u64>,
        refused: u64,
        drifted: Vec<&'a str>,
        drift: &'a DriftFigures,
    }
    let line = Line {
        weights_digest: released.card.weights_digest.to_string(),
        contract: released.card.contract.id(),
        ledger_entry: released.recorded.map(|recorded| recorded.entry),
        refused,
        drifted: figures.drifted().into_iter().map(|shift| shift.name.as_str()).collect(),
        drift: figures,
    };
    serde_json::to_string(&line).expect("finite numbers and strings serialise")
}

fn render(released: &Released, figures: &DriftFigures, refused: u64) -> String {
    format!(
        "{} compared with {} that the model was trained on; {} left out\n{}\n\n{}",
        counted(figures.current_rows as usize, "row", "rows"),
        thousands(figures.reference_rows),
        thousands(refused),
        plain(&released.told()),
        lines(figures)
    )
}

/// For people: a line for the scores and each column, and the bins of what is not stable.
pub(super) fn lines(figures: &DriftFigures) -> String {
    let mut text = String::new();
    let label = |shift: &Shift| {
        if std::ptr::eq(shift, &figures.score) { "scores".into() } else { plain(&shift.name) }
    };
    let width = figures.shifts().map(|shift| label(shift).chars().count()).max().unwrap_or(0).max(6);
    let _ = writeln!(text, "  {:width$}{:>9}{:>11}{:>9}", "", "PSI", "by chance", "KS");
    let figure = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
    for shift in figures.shifts() {
        let row = format!(
            "  {:width$}{:>9}{:>11}{:>9}  {}",
            label(shift),
            figure(shift.psi),
            figure(shift.psi_by_chance),
            figure(shift.ks),
            standing(shift.standing)
        );
        let row = if shift.standing == Some(Standing::Drifted) { style(row).bold() } else { style(row) };
        let _ = writeln!(text, "{row}");
    }
    for shift in figures.shifts().filter(|shift| shift.standing > Some(Standing::Stable)) {
        let _ = writeln!(text, "\n  {:34}{:>12}{:>10}", label(shift), "trained on", "now");
        let share = |rows: u64, of: u64| format!("{:.1} %", 100.0 * rows as f64 / of.max(1) as f64);
        for (name, bin) in names(&shift.bins).iter().zip(&shift.bins) {
            let before = share(bin.reference, figures.reference_rows);
            let now = bin.current.map_or_else(|| "–".into(), |rows| share(rows, figures.current_rows));
            let _ = writeln!(text, "    {:32}{before:>12}{now:>10}", plain(name));
        }
    }
    text
}

/// Rows that are held at a time.
const BATCH: usize = 4096;
