//! Reads the section `[program]` of a job that compares rows with those that a released model was trained on, and refuses the
//! sections that would change nothing in it.

use syndic_round::Digest;
use toml::Spanned;
use toml::de::DeValue;

use super::drift::thresholds;
use super::parse::narrow;
use super::parse_others::refuse_other_programs;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use super::{DriftTerms, EvaluationTerms};
use crate::contract::Contract;
use crate::program::comparison::RowsCompared;
use crate::program::drift::figures::SCORE;
use crate::program::drift::released::ReleasedDriftTerms;
use crate::program::drift::released::reference::{Reference, ReferenceColumn, ReferenceScores};

/// The terms; with no model's, and without bins, where they cannot be read, which is an error by then.
pub(super) fn drift(
    reader: &mut Reader<'_>,
    mut program: Section<'_>,
    contract: Option<&Contract>,
) -> ProgramTerms {
    let section = &mut program;
    reader.require(section, "model", "name the released model by the SHA-256 that `syndic model list` shows");
    reader.require(section, "reference", WRITTEN);
    let model = reader.text(section, "model").and_then(|model| digest(reader, &model));
    let choices = [RowsCompared::All, RowsCompared::Test].map(|rows| (rows.name(), rows));
    let rows = reader.choice(section, "rows", "job.unknown-rows", &choices);
    let (watch_psi, max_psi, max_ks) = thresholds(reader, section);
    let min_rows = reader.integer(section, "min_rows", 1..=1_000_000).map(narrow);
    let inner = reader.section(section, "reference", "[program.reference]");
    let at = inner.span.clone();
    let reference = if inner.is_present() { reference(reader, inner) } else { None };
    let most_rows = contract.map_or(0, |contract| contract.max_rows);
    if let Some(bytes) = reference.as_ref().map(|reference| longest(reference, most_rows))
        && bytes > MOST_BYTES
    {
        let message = format!(
            "what is found of {} columns may take {bytes} bytes on record, and an entry has no more than {MOST_BYTES} for it",
            reference.as_ref().map_or(0, |reference| reference.columns.len())
        );
        reader.add("drift.too-long", at.clone(), message, "compare fewer columns, or in several jobs");
    }
    refuse_other_programs(reader, section);
    reader.close(program);
    // Without a contract its errors come first.
    if let (Some(reference), Some(contract)) = (&reference, contract)
        && let Err(why) = reference.check(contract)
    {
        reader.add(
            "drift.reference",
            at,
            format!("[program.reference] is not that of a model: {why}"),
            WRITTEN,
        );
    }
    let unread = || {
        let score = ReferenceScores { below: Vec::new(), rows: Vec::new() };
        Reference { rows: 0, score, columns: Vec::new() }
    };
    ProgramTerms::Drift(Box::new(ReleasedDriftTerms {
        model: model.unwrap_or_else(|| Digest::of(b"")),
        rows: rows.map_or(RowsCompared::All, Spanned::into_inner),
        watch_psi,
        max_psi,
        max_ks,
        min_rows: min_rows.unwrap_or(DriftTerms::default().min_rows),
        reference: reference.unwrap_or_else(unread),
    }))
}

fn digest(reader: &mut Reader<'_>, model: &Spanned<String>) -> Option<Digest> {
    let digest = Digest::from_hex(model.get_ref());
    if digest.is_none() {
        let help = "write the 64 hexadecimal digits behind `sha256` in what `syndic model list` or `syndic-participant models` shows";
        reader.add("drift.model", Some(model.span()), "that is no SHA-256 of a model", help);
    }
    digest
}

fn reference(reader: &mut Reader<'_>, mut section: Section<'_>) -> Option<Reference> {
    reader.require(&mut section, "rows", WRITTEN);
    reader.require(&mut section, "score", WRITTEN);
    let rows = reader.integer(&mut section, "rows", 1..=MOST_ROWS).map(Spanned::into_inner);
    let mut of_scores = reader.section(&mut section, "score", "[program.reference.score]");
    let below = reader.numbers(&mut of_scores, "below").map(Spanned::into_inner).unwrap_or_default();
    let counted = if of_scores.is_present() { counts(reader, &mut of_scores) } else { None };
    reader.close(of_scores);
    let columns = reader.sections(&mut section, "columns", "[[program.reference.columns]]");
    // Each is read, so that all errors are told at once.
    let columns: Vec<Option<ReferenceColumn>> =
        columns.into_iter().map(|section| column(reader, section)).collect();
    reader.close(section);
    let score = ReferenceScores { below, rows: counted? };
    Some(Reference { rows: rows?, score, columns: columns.into_iter().collect::<Option<_>>()? })
}

fn column(reader: &mut Reader<'_>, mut section: Section<'_>) -> Option<ReferenceColumn> {
    reader.require(&mut section, "name", WRITTEN);
    let name = reader.text(&mut section, "name").map(Spanned::into_inner);
    let below = reader.numbers(&mut section, "below").map(Spanned::into_inner).unwrap_or_default();
    let levels = levels(reader, &mut section);
    let rows = counts(reader, &mut section);
    let missing = reader.integer(&mut section, "missing", 0..=MOST_ROWS).map(Spanned::into_inner);
    reader.close(section);
    Some(ReferenceColumn { name: name?, below, levels: levels?, rows: rows?, missing })
}

/// The rows in each bin.
fn counts(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Vec<u64>> {
    reader.require(section, "rows", WRITTEN);
    let rows = reader.numbers(section, "rows")?;
    let is_count = |x: &f64| (0.0..=MOST_ROWS as f64).contains(x) && libm::trunc(*x) == *x;
    if rows.get_ref().iter().all(is_count) {
        return Some(rows.into_inner().into_iter().map(|count| count as u64).collect());
    }
    reader.add("drift.reference", Some(rows.span()), "`rows` has what is no number of rows", WRITTEN);
    None
}

/// The levels of each bin; none of a column of numbers.
fn levels(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Vec<Vec<String>>> {
    let Some((_, value)) = section.entry("levels") else { return Some(Vec::new()) };
    let texts = |item: &DeValue<'_>| -> Option<Vec<String>> {
        item.as_array()?.iter().map(|level| level.get_ref().as_str().map(String::from)).collect()
    };
    let read = value
        .get_ref()
        .as_array()
        .and_then(|bins| bins.iter().map(|bin| texts(bin.get_ref())).collect::<Option<Vec<_>>>());
    if read.is_none() {
        let message = "`levels` is no array of arrays of strings, one for each bin";
        reader.add("drift.reference", Some(value.span()), message, WRITTEN);
    }
    read
}

/// The bytes of an entry that what is found may take: for each column its name, its figures, and the rows in each bin, of as many
/// institutions as there can be. A second entry has the names twice, and no bins.
fn longest(reference: &Reference, most_rows: u64) -> usize {
    let count = most_rows.saturating_mul(MOST_INSTITUTIONS).to_string().len().max("null".len()) + 1;
    let of_shift = |name: &str, bins: usize| {
        // Quotes, and what JSON writes otherwise.
        let name = serde_json::Value::from(name).to_string().len();
        (name + OF_FIGURES + bins * count).max(2 * name + OF_FIGURES)
    };
    let of_columns = reference.columns.iter().map(|column| of_shift(&column.name, column.bins()));
    of_shift(SCORE, reference.score.rows.len()) + of_columns.sum::<usize>()
}

/// Refuses what only a job can use that trains, or that compares models.
pub(super) fn check(reader: &mut Reader<'_>, root: &Section<'_>, evaluation: EvaluationTerms) {
    for (key, what, help) in [
        ("drift", "is for a job that trains", "thresholds are keys of [program] here: remove [drift]"),
        ("fairness", "is about scores by group, and this job counts rows", "remove [fairness]"),
        (
            "promotion",
            "is about the model that its job releases, and this job trains none",
            "remove [promotion]",
        ),
    ] {
        if let Some(at) = root.at(key) {
            reader.add("drift.section", Some(at), format!("[{key}] {what}"), help);
        }
    }
    if evaluation != EvaluationTerms::default() {
        let message =
            "`bins` of [evaluation] are of score histograms, and this job has the bins of its model's card";
        reader.add("drift.section", root.at("evaluation"), message, "remove [evaluation]");
    }
}

/// 60 KiB: the rest of an entry is for what is beside it.
const MOST_BYTES: usize = 60 << 10;
/// The keys of one column, its figures and its standing, without name and rows.
const OF_FIGURES: usize = 140;
/// As many as one round takes.
const MOST_INSTITUTIONS: u64 = 256;
/// Whole numbers up to here are floats too.
const MOST_ROWS: u64 = 1 << 53;
const WRITTEN: &str = "let `syndic model drift-job` write the job file from the model's card";
