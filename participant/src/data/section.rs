//! `[data]` of `participant.toml`: one CSV file whose columns have the contract's names, or sources and a query for each
//! contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Consent, FileSource, Mapping, Only, QuerySource, Rules, Source, SourceSection, Split};
use serde::Deserialize;

/// The section as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// The one CSV file.
    pub file: Option<PathBuf>,
    /// For the one file.
    pub split: Option<Split>,
    /// For the one file.
    pub only: Option<Only>,
    /// For the one file.
    pub consent: Option<Consent>,
    /// Sources by the name that queries use.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceSection>,
    /// Queries by the id of the contract.
    #[serde(default)]
    pub contracts: BTreeMap<String, ContractSection>,
}

/// The query for one contract.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractSection {
    /// One SELECT.
    pub query: String,
    /// Working memory in megabytes.
    #[serde(default = "enough")]
    pub memory_mb: u64,
    /// The most megabytes that its rows may take once they are read; without it as many as the contract's `max_rows` take.
    pub table_mb: Option<u64>,
    /// Rows put aside, by a column of the result.
    pub split: Option<Split>,
    /// Reads only rows whose use is allowed, by a column of the result.
    pub consent: Option<Consent>,
}

impl DataSection {
    /// What is wrong with it, in words that quote none of its values.
    pub(crate) fn misfit(&self) -> Option<String> {
        let of_one_file = [self.split.is_some(), self.only.is_some(), self.consent.is_some()].contains(&true);
        let rules = self.contracts.values().map(|contract| contract.rules()).chain([self.rules()]);
        let told = match (&self.file, self.sources.is_empty(), self.contracts.is_empty()) {
            (None, true, true) => "[data] needs a `file`, or [data.sources] and [data.contracts]",
            (Some(_), true, true) => return rules.filter_map(|rules| rules.misfit()).map(Into::into).next(),
            (Some(_), ..) => {
                "[data] has a `file` beside [data.sources] or [data.contracts]: the file can be one of the sources"
            }
            (None, _, true) => "[data.sources] needs a query for a contract in [data.contracts]",
            (None, true, _) => "[data.contracts] needs [data.sources] to read from",
            (None, ..) if of_one_file => {
                "`split`, `only` and `consent` of [data] are for its `file`; with sources they belong to a contract, and \
                 `only` is a WHERE"
            }
            (None, ..) if !self.sources.keys().all(|name| is_name(name)) => {
                "names in [data.sources] are lower-case letters, digits and underscores, a letter first"
            }
            (None, ..) if self.contracts.values().any(|contract| contract.memory_mb < LEAST_MB) => {
                return Some(format!("`memory_mb` of a contract is below {LEAST_MB}"));
            }
            (None, ..) => {
                let sources = self.sources.iter().filter_map(|(name, source)| source.misfit(name));
                return sources.chain(rules.filter_map(|rules| rules.misfit()).map(Into::into)).next();
            }
        };
        Some(told.into())
    }

    /// Makes paths relative to `folder`.
    pub(crate) fn within(&mut self, folder: &Path) {
        self.sources.values_mut().for_each(|source| source.within(folder));
        self.file.iter_mut().for_each(|path| *path = folder.join(&*path));
    }

    /// Where the rows come from; `scratch` is for what does not fit the memory of a query.
    pub fn source(self, scratch: &Path) -> Source {
        let rules = self.rules();
        match self.file {
            Some(file) => Source::File(FileSource { file, rules }),
            None => Source::Query(QuerySource {
                sources: self.sources.iter().map(|(name, source)| source.source(name)).collect(),
                contracts: self.contracts.into_iter().map(|(id, contract)| (id, contract.into())).collect(),
                scratch: scratch.into(),
            }),
        }
    }

    fn rules(&self) -> Rules {
        Rules { split: self.split.clone(), only: self.only.clone(), consent: self.consent.clone() }
    }
}

impl ContractSection {
    fn rules(&self) -> Rules {
        Rules { split: self.split.clone(), only: None, consent: self.consent.clone() }
    }
}

impl From<ContractSection> for Mapping {
    fn from(section: ContractSection) -> Self {
        let rules = section.rules();
        let ContractSection { query, memory_mb, table_mb, .. } = section;
        Self { query, memory_mb, table_mb, rules }
    }
}

/// What SQL takes as a name without quotes.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Megabytes where the configuration names none.
fn enough() -> u64 {
    256
}

/// The least megabytes that a query works with.
const LEAST_MB: u64 = 32;
