//! Entries for other programs: JSON lines, or a table in CSV.

use std::io::{self, Write};

use clap::ValueEnum;

use super::names::Names;
use super::reading::{Chosen, Told};
use super::told;
use crate::new_file::Written;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line, as of `ledger show --json`
    Jsonl,
    /// A table with a header line; what a type says further is JSON in the last column
    Csv,
}

/// Writes the entries to `out`.
///
/// # Errors
/// What writing meets; files that are no longer those that verified.
pub fn write(chosen: &Chosen, names: &Names, format: Format, out: &mut dyn Write) -> Written {
    match format {
        Format::Jsonl => chosen.told().try_for_each(|told| Ok(writeln!(out, "{}", told::json(&told?))?)),
        Format::Csv => {
            let mut table = csv::Writer::from_writer(out);
            table.write_record(HEADER).map_err(io::Error::from)?;
            for told in chosen.told() {
                table.write_record(record(&told?, names)).map_err(io::Error::from)?;
            }
            Ok(table.flush()?)
        }
    }
}

fn record(told: &Told, names: &Names) -> [String; HEADER.len()] {
    let Told { index, leaf, entry, .. } = told;
    let data = &entry.data;
    let number = |key: &str| data[key].as_u64().map(|number| number.to_string()).unwrap_or_default();
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let who = data["participant"].as_u64();
    [
        index.to_string(),
        entry.time.to_string(),
        entry.kind.clone(),
        text("job"),
        number("round"),
        number("attempt"),
        number("preparation"),
        number("participant"),
        who.map(|id| names.name(id)).unwrap_or_default(),
        told::what(entry, names),
        entry.subject.clone().unwrap_or_default(),
        entry.source.clone(),
        entry.id.clone(),
        entry.schema.clone(),
        entry.round_prev.map(|hash| hash.to_string()).unwrap_or_default(),
        leaf.to_string(),
        data.to_string(),
    ]
    .map(inert)
}

/// Text that no spreadsheet takes for a formula.
fn inert(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

const HEADER: [&str; 17] = [
    "index",
    "time",
    "type",
    "job",
    "round",
    "attempt",
    "preparation",
    "participant",
    "participant_name",
    "what",
    "subject",
    "source",
    "id",
    "schema",
    "round_prev",
    "hash",
    "data",
];
