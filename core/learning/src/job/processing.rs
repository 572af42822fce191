//! What a record of processing activities says of a job beyond its purpose (GDPR Art. 30 and 35; PIPL Art. 55 and 56).
//! Nothing is computed from it: it is agreed with the rest of the file, and so it is on record.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::reader::{Reader, Section};
use crate::contract::{Contract, is_bare};

/// Who is responsible, whose data it is and under which papers. Whatever the consortium does not record is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Processing {
    /// Those who decide why and how the data is processed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
    /// Those who process it on their behalf.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<String>,
    /// Categories of the persons that the rows are about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_subjects: Vec<String>,
    /// Categories of the data about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_categories: Vec<String>,
    /// Those that are special by law (GDPR Art. 9); an empty list says that there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_categories: Option<Vec<String>>,
    /// The highest classification among the data, 1 (public) to 5, as in JR/T 0197 or the institutions' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highest_level: Option<u8>,
    /// Where the impact assessment is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact_assessment: Option<String>,
    /// Where the agreement between the parties is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// Whether anything that leaves an institution crosses a border.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_border: Option<bool>,
}

impl Processing {
    pub(super) fn is_absent(&self) -> bool {
        *self == Self::default()
    }
}

pub(super) fn processing(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    contract: Option<&Contract>,
) -> Processing {
    let mut section = reader.section(root, "processing", "[processing]");
    let highest_level = reader.integer(&mut section, "highest_level", 1..=5);
    if let Some(highest) = &highest_level {
        check_level(reader, highest, contract);
    }
    let processing = Processing {
        controllers: phrases(reader, &mut section, "controllers").unwrap_or_default(),
        processors: phrases(reader, &mut section, "processors").unwrap_or_default(),
        data_subjects: phrases(reader, &mut section, "data_subjects").unwrap_or_default(),
        data_categories: phrases(reader, &mut section, "data_categories").unwrap_or_default(),
        special_categories: phrases(reader, &mut section, "special_categories"),
        highest_level: highest_level.and_then(|level| u8::try_from(level.into_inner()).ok()),
        impact_assessment: phrase(reader, &mut section, "impact_assessment"),
        agreement: phrase(reader, &mut section, "agreement"),
        cross_border: reader.flag(&mut section, "cross_border"),
    };
    reader.close(section);
    processing
}

/// A record that puts the data below one of its columns would be wrong.
fn check_level(reader: &mut Reader<'_>, highest: &Spanned<u64>, contract: Option<&Contract>) {
    let columns = contract.into_iter().flat_map(|contract| &contract.columns);
    let above =
        columns.filter(|column| column.level.is_some_and(|level| u64::from(level) > *highest.get_ref()));
    if let Some(column) = above.max_by_key(|column| column.level) {
        let level = column.level.unwrap_or_default();
        let message = format!(
            "column `{}` has level {level}, above the highest_level {}",
            column.name,
            highest.get_ref()
        );
        let help = format!("raise `highest_level` to {level}, or correct the column's `level`");
        reader.add("job.level-too-low", Some(highest.span()), message, help);
    }
}

fn phrases(reader: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let phrases = reader.texts(section, key)?.into_inner();
    Some(phrases.into_iter().filter_map(|phrase| bare(reader, key, phrase)).collect())
}

fn phrase(reader: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let phrase = reader.text(section, key)?;
    bare(reader, key, phrase)
}

/// A phrase that says something.
fn bare(reader: &mut Reader<'_>, key: &str, phrase: Spanned<String>) -> Option<String> {
    if is_bare(phrase.get_ref()) {
        return Some(phrase.into_inner());
    }
    let message = format!("`{key}` has a phrase that is empty or has spaces around it");
    reader.add("job.bad-phrase", Some(phrase.span()), message, "write it bare, or leave it out");
    None
}
