//! From one table to one table for each institution, checked against the job's contract.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use syndic_learning::data_report::{DataFinding, DataReport, DataRule};
use syndic_learning::{Contract, Role, Table, TableBuilder};

use super::division::Division;
use super::source::{Rows, Source, nearest};
use crate::words::{counted, listed};
use crate::{Error, Result};

/// An institution of the sandbox and its rows.
#[derive(Clone)]
pub struct Site {
    /// Its name in the roster.
    pub name: String,
    /// Its rows. Nobody but its participant reads them while the federation runs.
    pub table: Arc<Table>,
}

/// How rows are divided.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Says whose a row is.
    pub site: String,
    /// Says what a row is for.
    pub fold: String,
    /// The fold kept for the test.
    pub test_fold: String,
    /// The fold used to choose among rounds, where there is one.
    pub validation_fold: Option<String>,
    /// How many institutions there shall be; as many as there are sites if none.
    pub participants: Option<usize>,
}

/// Reads the table twice, first to see who is in it, then into one table an institution.
///
/// # Errors
/// A site or fold column that is part of the contract, a missing column, too few or too many institutions, an unknown fold or one for two purposes, an unusable site name, and every row
/// that breaks the contract, by rule and institution.
pub fn load(source: &Source, columns: &Columns, contract: &Contract) -> Result<Vec<Site>> {
    if columns.validation_fold.as_ref() == Some(&columns.test_fold) {
        return Err(Error::input("options.same-fold", "the validation fold is the test fold")
            .place("--validation-fold, --test-fold")
            .help("choose two folds: rows that chose among rounds cannot test the choice"));
    }
    columns.outside(contract)?;
    let mut division = Division::new(&count(source, columns)?, columns.participants)?;
    let mut rows = source.rows()?;
    let positions = Positions::of(&rows, columns)?;
    let header: Vec<String> = rows.header().to_vec();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut builders = division
        .institutions()
        .iter()
        .map(|_| TableBuilder::new(contract, &header))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|report| misheaded(&source.place(), &header, &report))?;
    while let Some((line, row)) = rows.next_row()? {
        let Some(institution) = division.place(&participant_name(cell(row, positions.site))) else {
            return Err(changed(source, line));
        };
        let role = columns.role(cell(row, positions.fold));
        let cells: Vec<&str> = row.iter().collect();
        builders[institution].push(line, &cells, role);
    }
    let mut sites = Vec::with_capacity(builders.len());
    let mut errors = Vec::new();
    for (name, builder) in division.institutions().iter().zip(builders) {
        // Also in a job with noise, which could do without: models are compared on these rows.
        let fitting = builder.finish().and_then(|table| table.check_classes().map(|()| table));
        match fitting {
            Ok(table) => sites.push(Site { name: name.clone(), table: Arc::new(table) }),
            Err(report) => {
                let place = format!("{}, rows of {name}, numbered by line of the file", source.place());
                errors.push(told(&place, &report, |finding| finding.help().into()));
            }
        }
    }
    let mut errors = errors.into_iter();
    match errors.next() {
        Some(first) => Err(first.also(errors)),
        None => Ok(sites),
    }
}

struct Positions {
    site: usize,
    fold: usize,
}

impl Positions {
    fn of(rows: &Rows, columns: &Columns) -> Result<Self> {
        Ok(Self {
            site: rows.position(&columns.site, "--site-column")?,
            fold: rows.position(&columns.fold, "--fold-column")?,
        })
    }
}

impl Columns {
    /// Refuses a column of the data contract, so that neither a name nor an error can be made of somebody's data.
    fn outside(&self, contract: &Contract) -> Result<()> {
        let asked = [
            (&self.site, "--site-column", "whose a row is"),
            (&self.fold, "--fold-column", "what a row is for"),
        ];
        for (column, option, meaning) in asked {
            let part = if *column == contract.label.column {
                "the label"
            } else if contract.customer.as_ref() == Some(column) {
                "what tells customers apart and no part"
            } else if contract.columns.iter().any(|input| input.name == *column) {
                "an input"
            } else {
                continue;
            };
            let message = format!("column `{column}` is {part} of the model, and cannot say {meaning}");
            return Err(Error::input("options.contract-column", message)
                .place(option)
                .help("name a column that the data contract leaves out, or add one to the table"));
        }
        Ok(())
    }

    fn role(&self, fold: &str) -> Role {
        match fold {
            fold if fold == self.test_fold => Role::Test,
            fold if Some(fold) == self.validation_fold.as_deref() => Role::Validation,
            _ => Role::Train,
        }
    }
}

/// Rows of each site, under its participant's name; also checks that the folds asked for exist.
fn count(source: &Source, columns: &Columns) -> Result<BTreeMap<String, u64>> {
    let mut rows = source.rows()?;
    let positions = Positions::of(&rows, columns)?;
    let mut sites = BTreeMap::new();
    let mut spellings = BTreeMap::new();
    let mut folds = BTreeSet::new();
    while let Some((line, row)) = rows.next_row()? {
        let site = cell(row, positions.site);
        let name = participant_name(site);
        let spelling = spellings.entry(name.clone()).or_insert_with(|| site.to_owned());
        if let Some(error) = unusable(site, spelling) {
            return Err(error.place(format!("{}, line {line}, column `{}`", source.place(), columns.site)));
        }
        *sites.entry(name).or_insert(0_u64) += 1;
        if sites.len() > MOST_SITES {
            return Err(Error::input(
                "data.site-count",
                format!("column `{}` holds more than {MOST_SITES} different values", columns.site),
            )
            .place(format!("{}, --site-column", source.place()))
            .help("name a column that says whose a row is, not one that tells rows apart"));
        }
        let fold = cell(row, positions.fold);
        if folds.len() <= MOST_FOLDS || columns.role(fold) != Role::Train {
            folds.insert(fold.to_owned());
        }
    }
    if sites.is_empty() {
        return Err(Error::input("data.empty", "the table has a header but no row")
            .place(source.place())
            .help(DataRule::Empty.help()));
    }
    let asked =
        [("--test-fold", Some(&columns.test_fold)), ("--validation-fold", columns.validation_fold.as_ref())];
    for (option, fold) in asked.into_iter().filter_map(|(option, fold)| Some((option, fold?))) {
        if !folds.contains(fold) {
            return Err(Error::input("data.unknown-fold", format!("no row has fold `{fold}`"))
                .place(format!("{}, column `{}`, {option}", source.place(), columns.fold))
                .help(held(&folds)));
        }
    }
    Ok(sites)
}

/// What the fold column holds: its values where all have the form of a fold's name, else only how many there are.
fn held(folds: &BTreeSet<String>) -> String {
    if folds.len() > MOST_FOLDS {
        return format!(
            "the column holds more than {MOST_FOLDS} different values: name the one that says what a row is for"
        );
    }
    if folds.iter().all(|fold| is_fold(fold)) {
        let folds: Vec<_> = folds.iter().map(|fold| format!("`{fold}`")).collect();
        return format!("the column holds {}", listed(&folds));
    }
    let values = counted(folds.len(), "value", "different values");
    format!("the column holds {values}; look them up there, or name the column that says what a row is for")
}

/// Whether this is what people call a fold: a number of up to two digits, `train`, `fold_3` and the like.
fn is_fold(value: &str) -> bool {
    let number = value.trim_start_matches(|c: char| !c.is_ascii_digit());
    let before = &value[..value.len() - number.len()];
    let word = before.trim_end_matches([' ', '_', '-']).to_ascii_lowercase();
    let named = before.is_empty() || FOLD_WORDS.contains(&word.as_str());
    named && !value.is_empty() && number.len() <= 2 && number.chars().all(|c| c.is_ascii_digit())
}

fn cell(row: &csv::StringRecord, position: usize) -> &str {
    row.get(position).unwrap_or_default().trim()
}

/// The name that a site's participant has in the roster: lower case, `_` for what a roster does not have. A name
/// in another script, of which only `_` would be left, is told by its digest.
fn participant_name(site: &str) -> String {
    if !site.is_ascii() && !site.contains(|c: char| c.is_ascii_alphabetic()) {
        return format!("site-{}", &hex::encode(Sha256::digest(site))[..8]);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    site.chars().map(|c| if allowed(c) { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// Why a site cannot be an institution; `spelling` is how a site of the same participant name was written first.
fn unusable(site: &str, spelling: &str) -> Option<Error> {
    if site.is_empty() {
        let error = Error::input("data.empty-site", "a row belongs to no institution: its site is empty");
        return Some(error.help("give every row a site, or leave such rows out"));
    }
    if site.chars().count() > LONGEST_NAME {
        let message = format!("a site's name is longer than {LONGEST_NAME} characters");
        return Some(Error::input("data.site-name", message).help("shorten it: it names a participant"));
    }
    if site != spelling {
        let error = Error::input("data.site-name", "two sites would have the same participant name");
        return Some(error.help("write one site in one way, or tell two sites apart by letters and digits"));
    }
    None
}

fn changed(source: &Source, line: u64) -> Error {
    Error::world("data.changed", "the table changed while it was read")
        .place(format!("{}, line {line}", source.place()))
        .help("try again when nobody writes to it")
}

/// A header without what the contract requires: how many columns it has, and which of them may be meant.
pub(crate) fn misheaded(place: &str, header: &[&str], report: &DataReport) -> Error {
    let place = format!("{place}, header of {}", counted(header.len(), "column", "columns"));
    told(&place, report, |finding| {
        let wanted = finding.column.as_deref().filter(|_| finding.rule == DataRule::ColumnMissing);
        match wanted.and_then(|column| nearest(column, header.iter().copied())) {
            Some(name) => format!("{}; is `{name}` the one that is meant?", finding.help()),
            None => finding.help().into(),
        }
    })
}

fn told(place: &str, report: &DataReport, help: impl Fn(&DataFinding) -> String) -> Error {
    let one = |finding: &DataFinding| {
        Error::input(finding.code(), finding.message()).place(place).help(help(finding))
    };
    let mut errors = report.findings.iter().map(one);
    match errors.next() {
        Some(first) => first.also(errors),
        None => Error::input("data.rejected", "the rows were rejected").place(place),
    }
}

const MOST_FOLDS: usize = 20;
const FOLD_WORDS: [&str; 10] =
    ["fold", "train", "training", "test", "testing", "valid", "validation", "val", "dev", "holdout"];
/// Leaves room for the number of a part in a roster name of 64.
const LONGEST_NAME: usize = 60;
/// More sites than anybody merges.
const MOST_SITES: usize = 10_000;

#[cfg(test)]
mod tests;
