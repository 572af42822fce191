//! Reads the keys of `mode = "institution-level"`.

use toml::Spanned;

use super::institution::InstitutionLevelTerms;
use super::parse_privacy::guarantee;
use super::reader::{Reader, Section};

pub(super) fn institution_level(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
) -> Option<InstitutionLevelTerms> {
    for (_, span) in section.foreign(&["test_bins"]) {
        let message =
            "`test_bins` counts rows, and noise that hides all rows of an institution would drown the counts";
        let help = "remove it: each institution may score its own test rows for itself";
        reader.add("privacy.test-bins", Some(span), message, help);
    }
    for (_, span) in section.foreign(&["unit"]) {
        let message = "the unit of this mode is one institution";
        reader.add("privacy.unknown-unit", Some(span), message, "remove `unit`");
    }
    let guarantee = guarantee(reader, section, "institutions");
    let clip = reader.number_in(section, "clip", 0.001..=1000.0).map_or(DEFAULT_CLIP, Spanned::into_inner);
    let (epsilon, delta, noise, honest) = guarantee?;
    Some(InstitutionLevelTerms { epsilon, delta, noise, honest, clip })
}

/// The longest change where the job file names none.
const DEFAULT_CLIP: f64 = 0.3;
