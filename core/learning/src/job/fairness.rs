//! Between which groups of customers a released model is compared: the section `[fairness]`.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::parse::narrow;
use super::reader::{Reader, Section};
use crate::contract::{ColumnKind, Contract, MISSING_NAME};

/// Between which groups the released model is compared, and at which threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FairnessTerms {
    /// The share of the test rows, those with the highest scores, that is acted upon.
    pub flagged: f64,
    /// Groups with fewer test rows are not shown.
    pub min_rows: u32,
    /// The columns by which customers are grouped.
    pub groups: Vec<Grouping>,
}

/// A column by which customers are grouped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// A column of the contract.
    pub column: String,
    /// Of a numeric column: where one group ends and the next begins, ascending, before the column's transform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<f64>,
}

impl Grouping {
    /// A name for each group, in order; none where the contract has no such column.
    pub fn names(&self, contract: &Contract) -> Vec<String> {
        let column = contract.columns.iter().find(|column| column.name == self.column);
        let mut names = match column.map(|column| &column.kind) {
            Some(ColumnKind::Categorical { levels }) => levels.clone(),
            Some(ColumnKind::Numeric { .. }) => self.band_names(),
            None => Vec::new(),
        };
        // Who has no value is a group too.
        let is_nullable = column.is_some_and(|column| column.nullable);
        names.extend(is_nullable.then(|| MISSING_NAME.to_owned()));
        names
    }

    fn band_names(&self) -> Vec<String> {
        let (Some(first), Some(last)) = (self.bands.first(), self.bands.last()) else { return Vec::new() };
        let between = self.bands.windows(2).map(|pair| format!("{} to below {}", pair[0], pair[1]));
        [format!("below {first}")].into_iter().chain(between).chain([format!("{last} and above")]).collect()
    }
}

/// None where nothing is said of it.
pub(super) fn fairness(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Option<FairnessTerms> {
    let mut section = reader.section(root, "fairness", "[fairness]");
    if !section.is_present() {
        return None;
    }
    let flagged = reader.number_in(&mut section, "flagged", 0.001..=0.999);
    let min_rows = reader.integer(&mut section, "min_rows", 1..=1_000_000);
    let sections = reader.sections(&mut section, "groups", "[[fairness.groups]]");
    if sections.is_empty() || sections.len() > MOST_GROUPINGS {
        let message = format!("[fairness] compares by {} columns", sections.len());
        let help = format!(
            "name 1 to {MOST_GROUPINGS}: `groups = [{{ column = \"sex\" }}, {{ column = \"age\", bands = [30, 50] }}]`"
        );
        reader.add("fairness.columns", section.span.clone(), message, help);
    }
    let mut groups: Vec<Grouping> = Vec::new();
    for section in sections {
        if let Some(grouping) = grouping(reader, section, contract, &groups) {
            groups.push(grouping);
        }
    }
    reader.close(section);
    Some(FairnessTerms {
        flagged: flagged.map_or(DEFAULT_FLAGGED, Spanned::into_inner),
        min_rows: min_rows.map_or(DEFAULT_MIN_ROWS, narrow),
        groups,
    })
}

fn grouping(
    reader: &mut Reader<'_>,
    mut section: Section<'_>,
    contract: Option<&Contract>,
    earlier: &[Grouping],
) -> Option<Grouping> {
    reader.require(&mut section, "column", "name a column of the contract: `column = \"sex\"`");
    let column = reader.text(&mut section, "column");
    let written = reader.numbers(&mut section, "bands");
    let bands = written.as_ref().map(|bands| bands.get_ref().clone()).unwrap_or_default();
    let is_unreadable = written.is_none() && section.entry("bands").is_some();
    let bands_at = written.as_ref().map(Spanned::span).or_else(|| section.span.clone());
    reader.close(section);
    let column = column.filter(|_| !is_unreadable)?;
    let (at, name) = (column.span(), column.into_inner());
    if earlier.iter().any(|grouping| grouping.column == name) {
        let help = "leave one of the two out";
        reader.add("fairness.columns", Some(at), format!("`{name}` is named twice"), help);
        return None;
    }
    // Without a contract its errors come first.
    let column = contract?.columns.iter().find(|one| one.name == name);
    let (kind, missing) = (&column.map(|one| &one.kind), column.is_some_and(|one| one.nullable));
    let (code, span, message, help) = match kind {
        None => {
            let help = "only columns that the contract declares are read: declare it, or leave it out here";
            ("fairness.columns", Some(at), format!("the contract has no column `{name}`"), help)
        }
        Some(ColumnKind::Categorical { .. }) if !bands.is_empty() => {
            let message = format!("`{name}` has levels, so it needs no bands");
            ("fairness.bands", bands_at, message, "remove `bands`: each level is a group")
        }
        Some(ColumnKind::Categorical { levels }) if levels.len() + usize::from(missing) > MOST_GROUPS => {
            let message = format!("`{name}` has {} levels, which are too many groups", levels.len());
            let help = "compare by a column of at most 64 levels, missing values counted as one";
            ("fairness.bands", Some(at), message, help)
        }
        Some(ColumnKind::Numeric { .. }) if missing && bands.len() + 2 > MOST_GROUPS => {
            let message = format!("`{name}` has {} bands and missing values: too many groups", bands.len());
            ("fairness.bands", bands_at, message, "say at most 62 bands of a nullable column")
        }
        Some(ColumnKind::Numeric { min, max, .. }) if !are_bands(&bands, *min, *max) => {
            let message =
                format!("`{name}` needs 1 to 63 ascending bands above {min} and up to {max}, its range");
            let help = "say where one group ends and the next begins: `bands = [30, 50]`";
            ("fairness.bands", bands_at, message, help)
        }
        Some(_) => return Some(Grouping { column: name, bands }),
    };
    reader.add(code, span, message, help);
    None
}

fn are_bands(bands: &[f64], min: f64, max: f64) -> bool {
    let within = |band: &f64| *band > min && *band <= max;
    (1..MOST_GROUPS).contains(&bands.len())
        && bands.iter().all(within)
        && bands.windows(2).all(|pair| pair[0] < pair[1])
}

const DEFAULT_FLAGGED: f64 = 0.2;
const DEFAULT_MIN_ROWS: u32 = 50;
const MOST_GROUPINGS: usize = 16;
const MOST_GROUPS: usize = 64;
