//! Reads the section `[program]` of a job that describes rows, and refuses the sections that would change nothing in it.

use std::ops::Range;

use super::parse::narrow;
use super::parse_others::refuse_other_programs;
use super::privacy::Privacy;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use crate::contract::Contract;
use crate::program::description::{DescriptionTerms, LEAST_CELLS, MOST_CELLS};

/// The terms.
pub(super) fn description(
    reader: &mut Reader<'_>,
    mut program: Section<'_>,
    contract: Option<&Contract>,
) -> ProgramTerms {
    let (section, default) = (&mut program, DescriptionTerms::default());
    let bins = reader.integer(section, "bins", 2..=50).map_or(default.bins, narrow);
    let min_rows = reader.integer(section, "min_rows", 1..=1_000_000).map_or(default.min_rows, narrow);
    let cells = cells(reader, section);
    let correlations = reader.flag(section, "correlations");
    let columns = columns(reader, section, contract);
    refuse_other_programs(reader, section);
    reader.close(program);
    ProgramTerms::Statistics(Box::new(DescriptionTerms { bins, min_rows, cells, correlations, columns }))
}

fn cells(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<u32> {
    let cells = reader.integer(section, "cells", LEAST_CELLS.into()..=MOST_CELLS.into())?;
    let (at, cells) = (cells.span(), narrow(cells));
    if !cells.is_power_of_two() {
        let help = format!("choose a power of two, such as {}", cells.next_power_of_two());
        reader.add("statistics.cells", Some(at), format!("`cells` is {cells}, no power of two"), help);
    }
    Some(cells)
}

fn columns(reader: &mut Reader<'_>, section: &mut Section<'_>, contract: Option<&Contract>) -> Vec<String> {
    let Some(named) = reader.texts(section, "columns") else { return Vec::new() };
    let at = named.span();
    let mut columns: Vec<String> = Vec::new();
    for name in named.into_inner() {
        let (span, name) = (name.span(), name.into_inner());
        // Without a contract its errors come first.
        let is_known = contract.is_none_or(|contract| contract.columns.iter().any(|one| one.name == name));
        let (message, help) = match (is_known, columns.contains(&name)) {
            (true, false) => {
                columns.push(name);
                continue;
            }
            (true, true) => (format!("`{name}` is named twice"), "leave one of the two out"),
            (false, _) => (
                format!("the contract has no column `{name}`"),
                "only columns that the contract declares are read: declare it, or leave it out here",
            ),
        };
        reader.add("statistics.columns", Some(span), message, help);
    }
    if columns.is_empty() && reader.is_clean() {
        let help = "name the columns to describe, or remove `columns`: all are described without it";
        reader.add("statistics.columns", Some(at), "the job describes no column", help);
    }
    columns
}

/// Refuses what only a job with a model can use.
pub(super) fn check(reader: &mut Reader<'_>, root: &Section<'_>) {
    for (key, what) in [
        ("fairness", "compares groups by a model"),
        ("drift", "compares test rows with the rows that a model is trained on"),
        ("promotion", "is about the model that its job releases"),
    ] {
        if let Some(at) = root.at(key) {
            let message = format!("[{key}] {what}, and this job has none");
            reader.add("statistics.section", Some(at), message, format!("remove [{key}]"));
        }
    }
}

/// Refuses terms of noise that are of gradients and scores.
pub(super) fn check_privacy(reader: &mut Reader<'_>, (privacy, at): (&Privacy, Option<Range<usize>>)) {
    let Some(terms) = privacy.record_level() else { return };
    for (key, is_there) in [("clip", terms.clip.is_some()), ("test_bins", terms.test_bins.is_some())] {
        if is_there {
            let message = format!("`{key}` is a term of jobs that train, and this one describes rows");
            reader.add("statistics.privacy", at.clone(), message, format!("remove `{key}` from [privacy]"));
        }
    }
}
