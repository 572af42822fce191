//! Reads the section `[program]` of a job that compares released models, and refuses the sections that would change nothing in it.

use syndic_round::Digest;
use toml::Spanned;

use super::parse_others::refuse_other_programs;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use crate::program::comparison::{ComparisonTerms, MOST_MODELS, RowsCompared};

/// The terms; without models where they cannot be read, which is an error by then.
pub(super) fn comparison(reader: &mut Reader<'_>, mut program: Section<'_>) -> ProgramTerms {
    let section = &mut program;
    let name_them = "name the released models by the SHA-256 that `syndic model list` shows, the champion first: `models = [\"...\"]`";
    reader.require(section, "models", name_them);
    let models = reader.texts(section, "models").and_then(|models| named(reader, models));
    let choices = [RowsCompared::Test, RowsCompared::All].map(|rows| (rows.name(), rows));
    let rows = reader.choice(section, "rows", "job.unknown-rows", &choices);
    refuse_other_programs(reader, &mut program);
    reader.close(program);
    let rows = rows.map(Spanned::into_inner).unwrap_or_default();
    ProgramTerms::Evaluation(Box::new(ComparisonTerms { models: models.unwrap_or_default(), rows }))
}

fn named(reader: &mut Reader<'_>, models: Spanned<Vec<Spanned<String>>>) -> Option<Vec<Digest>> {
    let at = models.span();
    let mut digests: Vec<Digest> = Vec::new();
    for model in models.into_inner() {
        match Digest::from_hex(model.get_ref()) {
            Some(digest) if digests.contains(&digest) => {
                let help = "name each model once: a model does as it does";
                reader.add("evaluation.models", Some(model.span()), "a model is named twice", help);
                return None;
            }
            Some(digest) => digests.push(digest),
            None => {
                let help = "write the 64 hexadecimal digits behind `sha256` in what `syndic model list` or `syndic-participant models` \
                            shows";
                reader.add("evaluation.models", Some(model.span()), "that is no SHA-256 of a model", help);
                return None;
            }
        }
    }
    if (1..=MOST_MODELS).contains(&digests.len()) {
        return Some(digests);
    }
    let message = format!("`models` names {} models", digests.len());
    reader.add(
        "evaluation.models",
        Some(at),
        message,
        format!("name 1 to {MOST_MODELS}, the champion first"),
    );
    None
}

/// Refuses what only a job that trains can use.
pub(super) fn check(reader: &mut Reader<'_>, root: &Section<'_>) {
    for (key, what) in [
        ("drift", "compares test rows with the rows that its job trains on"),
        ("promotion", "is about the model that its job releases"),
    ] {
        if let Some(at) = root.at(key) {
            let message = format!("[{key}] {what}, and this job trains none");
            reader.add("evaluation.section", Some(at), message, format!("remove [{key}]"));
        }
    }
}

/// Refuses another number of training rounds than the one that a job without training has.
pub(super) fn one_round(reader: &mut Reader<'_>, count: Option<Spanned<u64>>, code: &'static str) -> u32 {
    if let Some(count) = count
        && *count.get_ref() != 1
    {
        let message = format!("the job asks for one sum, and `count` is {}", count.get_ref());
        reader.add(code, Some(count.span()), message, "remove `count`, or write `count = 1`");
    }
    1
}
