//! Reads the names of columns in `[program]`, and says where a term stands that does not fit.

use std::ops::Range;

use toml::Spanned;

use super::reader::{Reader, Section, suggestion};
use crate::contract::{ColumnKind, Contract};

/// The numeric columns that these keys name, key by key: each once, each a column of the contract.
pub(super) fn numeric_columns<const N: usize>(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    keys: [&'static str; N],
    (contract, code): (Option<&Contract>, &'static str),
) -> [Vec<String>; N] {
    let numeric: Option<Vec<&str>> = contract.map(|contract| {
        let columns = contract.columns.iter();
        let numeric = columns.filter(|column| matches!(column.kind, ColumnKind::Numeric { .. }));
        numeric.map(|column| column.name.as_str()).collect()
    });
    let mut all: Vec<String> = Vec::new();
    keys.map(|key| {
        let written = reader.texts(section, key).map(Spanned::into_inner).unwrap_or_default();
        for name in &written {
            // Without a contract its errors come first.
            let is_numeric =
                numeric.as_ref().is_none_or(|numeric| numeric.contains(&name.get_ref().as_str()));
            if !is_numeric {
                let known = numeric.as_deref().unwrap_or_default();
                let message = format!("`{}` of `{key}` is no numeric column of the contract", name.get_ref());
                let help = format!("{}name one of: {}", suggestion(name.get_ref(), known), known.join(", "));
                reader.add(code, Some(name.span()), message, help);
            } else if all.contains(name.get_ref()) {
                let message = format!("`{}` is named twice among `{}`", name.get_ref(), keys.join("`, `"));
                reader.add(code, Some(name.span()), message, "name a column once, under one of them");
            }
            all.push(name.get_ref().clone());
        }
        written.into_iter().map(Spanned::into_inner).collect()
    })
}

/// Where the first term stands that a problem names in backticks and the section has; else the section itself.
pub(super) fn place_of(
    section: &mut Section<'_>,
    problem: &str,
    keys: &[&'static str],
) -> Option<Range<usize>> {
    let named = problem.split('`').skip(1).step_by(2);
    let mut known = named.filter_map(|word| keys.iter().find(|key| **key == word));
    known.find_map(|key| section.at(key)).or(section.span.clone())
}
