//! How test rows are compared with the rows that were trained on: the section `[drift]`.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::parse::narrow;
use super::reader::{Reader, Section};
use crate::contract::Contract;

/// What is compared, and from when on it counts as drift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftTerms {
    /// A population stability index above this is marked.
    pub watch_psi: f64,
    /// One above this is drift.
    pub max_psi: f64,
    /// A Kolmogorov-Smirnov statistic above this is drift too; without it the statistic is only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ks: Option<f64>,
    /// The most bins of a column, and of the scores.
    pub bins: u32,
    /// The fewest training rows of a bin. Of fewer test rows than this no count is shown.
    pub min_rows: u32,
    /// Columns of the contract; all of them where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

impl DriftTerms {
    /// The columns that are compared, in contract order.
    pub fn columns_of(&self, contract: &Contract) -> Vec<String> {
        let names = contract.columns.iter().map(|column| &column.name);
        names.filter(|name| self.columns.is_empty() || self.columns.contains(name)).cloned().collect()
    }
}

impl Default for DriftTerms {
    /// The usual convention: above 0.1 a shift is worth a look, above 0.25 it is a large one (Siddiqi, "Credit risk
    /// scorecards", Wiley 2006, chapter 9).
    fn default() -> Self {
        Self { watch_psi: 0.1, max_psi: 0.25, max_ks: None, bins: 10, min_rows: 50, columns: Vec::new() }
    }
}

/// None where nothing is said of it.
pub(super) fn drift(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Option<DriftTerms> {
    let mut section = reader.section(root, "drift", "[drift]");
    if !section.is_present() {
        return None;
    }
    let default = DriftTerms::default();
    let (watch_psi, max_psi, max_ks) = thresholds(reader, &mut section);
    let bins = reader.integer(&mut section, "bins", 2..=50).map_or(default.bins, narrow);
    let min_rows = reader.integer(&mut section, "min_rows", 1..=1_000_000).map_or(default.min_rows, narrow);
    let columns = columns(reader, &mut section, contract);
    reader.close(section);
    Some(DriftTerms { watch_psi, max_psi, max_ks, bins, min_rows, columns })
}

/// `watch_psi`, `max_psi` and `max_ks`.
pub(super) fn thresholds(reader: &mut Reader<'_>, section: &mut Section<'_>) -> (f64, f64, Option<f64>) {
    let default = DriftTerms::default();
    let max_psi = reader.number_in(section, "max_psi", PSI);
    let most = max_psi.map_or(default.max_psi, Spanned::into_inner);
    let watch_psi = reader.number_in(section, "watch_psi", PSI);
    if let Some(watch) = watch_psi.as_ref().filter(|watch| *watch.get_ref() > most) {
        let message = format!("`watch_psi` is {}, above `max_psi`, {most}", watch.get_ref());
        let help = "what is marked before it counts as drift is at most `max_psi`";
        reader.add("drift.thresholds", Some(watch.span()), message, help);
    }
    let max_ks = reader.number_in(section, "max_ks", 0.001..=1.0).map(Spanned::into_inner);
    (watch_psi.map_or(default.watch_psi.min(most), Spanned::into_inner), most, max_ks)
}

fn columns(reader: &mut Reader<'_>, section: &mut Section<'_>, contract: Option<&Contract>) -> Vec<String> {
    let Some(named) = reader.texts(section, "columns") else { return Vec::new() };
    let at = named.span();
    let mut columns: Vec<String> = Vec::new();
    for name in named.into_inner() {
        let (span, name) = (name.span(), name.into_inner());
        // Without a contract its errors come first.
        let is_known = contract.is_none_or(|contract| contract.columns.iter().any(|one| one.name == name));
        if !is_known {
            let help = "only columns that the contract declares are read: declare it, or leave it out here";
            let message = format!("the contract has no column `{name}`");
            reader.add("drift.columns", Some(span), message, help);
        } else if columns.contains(&name) {
            let help = "leave one of the two out";
            reader.add("drift.columns", Some(span), format!("`{name}` is named twice"), help);
        } else {
            columns.push(name);
        }
    }
    if columns.is_empty() && reader.is_clean() {
        let help = "name the columns to compare, or remove `columns`: all are compared without it";
        reader.add("drift.columns", Some(at), "[drift] compares no column", help);
    }
    columns
}

const PSI: std::ops::RangeInclusive<f64> = 0.001..=100.0;
