//! `[data]` of `participant.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Consent, FileSource, Only, Rules, Source, Split};

/// The section as it is written: one CSV file whose columns have the contract's names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// The file; a name that ends in `.gz` is decompressed.
    pub file: PathBuf,
    /// Rows put aside.
    pub split: Option<Split>,
    /// Reads only some rows.
    pub only: Option<Only>,
    /// Reads only rows whose use is allowed.
    pub consent: Option<Consent>,
}

impl DataSection {
    /// What is wrong with it, in words that quote none of its values.
    pub(crate) fn misfit(&self) -> Option<&'static str> {
        self.rules().misfit()
    }

    /// Makes paths relative to `folder`.
    pub(crate) fn within(&mut self, folder: &Path) {
        self.file = folder.join(&self.file);
    }

    /// Where the rows come from.
    pub fn source(self) -> Source {
        let rules = self.rules();
        Source::File(FileSource { file: self.file, rules })
    }

    fn rules(&self) -> Rules {
        Rules { split: self.split.clone(), only: self.only.clone(), consent: self.consent.clone() }
    }
}
