//! Reads the data contract of a job file and checks that it makes sense.

use toml::Spanned;
use toml::de::DeTable;

use super::parse::{MACHINE_WORD, is_machine_word, narrow};
use super::reader::{Reader, Section};
use crate::contract::{
    Column, ColumnKind, Contract, Label, MISSING_NAME, Misfit, OTHER_NAME, Transform, is_bare,
};

/// Checks a contract that comes from elsewhere than a job file by the same rules.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check(contract: &Contract) -> Result<(), String> {
    #[derive(serde::Serialize)]
    struct File<'c> {
        contract: &'c Contract,
    }
    let text = toml::to_string(&File { contract }).map_err(|error| error.to_string())?;
    let document = DeTable::parse(&text).map_err(|error| error.message().to_string())?;
    let mut reader = Reader::of(&text);
    let _ = self::contract(&mut reader, &mut Section::root(&document));
    reader.into_diagnostics().into_iter().next().map_or(Ok(()), |first| Err(first.message))
}

pub(super) fn contract(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<Contract> {
    let mut section = reader.section(root, "contract", "[contract]");
    reader.require(&mut section, "name", "name the contract, `name = \"bank_marketing\"` for instance");
    let name = reader.text(&mut section, "name").filter(|name| {
        let fine = is_machine_word(name.get_ref());
        if !fine {
            let message = format!("`{}` is no contract name", name.get_ref());
            reader.add("job.bad-name", Some(name.span()), message, MACHINE_WORD);
        }
        fine
    });
    let version = reader.integer(&mut section, "version", 1..=u64::from(u32::MAX)).map_or(1, narrow);
    let max_rows =
        reader.integer(&mut section, "max_rows", 2..=MOST_ROWS).map_or(DEFAULT_ROWS, Spanned::into_inner);
    let customer = reader.text(&mut section, "customer");
    let max_rows_per_customer =
        reader.integer(&mut section, "max_rows_per_customer", 1..=MOST_ROWS_OF_A_CUSTOMER);
    let label = label(reader, &mut section);
    check_customer(reader, customer.as_ref(), max_rows_per_customer.as_ref(), label.as_ref());
    let sections = reader.sections(&mut section, "columns", "[[contract.columns]]");
    if sections.is_empty() {
        let help =
            "declare the inputs, one `[[contract.columns]]` each with `name`, `type` and its range or levels";
        reader.add("contract.no-columns", section.span.clone(), "the contract has no input columns", help);
    }
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for section in sections {
        columns.extend(column(reader, section, &mut names, label.as_ref()));
    }
    if let Some(customer) = customer.as_ref().filter(|customer| names.contains(customer.get_ref())) {
        let message = format!("column `{}` says whose a row is and is an input", customer.get_ref());
        let help = "a model that sees who somebody is learns nothing of others: remove it from the columns";
        reader.add("contract.customer-is-input", Some(customer.span()), message, help);
    }
    reader.close(section);
    Some(Contract {
        name: name?.into_inner(),
        version,
        max_rows,
        customer: customer.map(Spanned::into_inner),
        max_rows_per_customer: max_rows_per_customer.map(narrow),
        label: label?,
        columns,
    })
}

/// Checks what is said of customers but for the inputs.
fn check_customer(
    reader: &mut Reader<'_>,
    customer: Option<&Spanned<String>>,
    most: Option<&Spanned<u64>>,
    label: Option<&Label>,
) {
    let Some(customer) = customer else {
        if let Some(most) = most {
            let message = "nobody counts the rows of customers that no column tells apart";
            let help = "name their column, `customer = \"customer_id\"`, or remove `max_rows_per_customer`";
            reader.add("contract.no-customer", Some(most.span()), message, help);
        }
        return;
    };
    if !is_bare(customer.get_ref()) {
        let help = "write the name as in the table's header, without spaces around it";
        let message = "the name of the column of customers is empty or padded";
        reader.add("contract.bad-column", Some(customer.span()), message, help);
    }
    if label.is_some_and(|label| label.column == *customer.get_ref()) {
        let message = format!("column `{}` says whose a row is and is the label", customer.get_ref());
        let help = "name two columns: one is predicted, the other is never looked at by a model";
        reader.add("contract.customer-is-label", Some(customer.span()), message, help);
    }
}

fn label(reader: &mut Reader<'_>, contract: &mut Section<'_>) -> Option<Label> {
    let mut section = reader.section(contract, "label", "[contract.label]");
    if section.span.is_none() {
        let help = "add `[contract.label]` with `column = \"...\"` and `positive = \"1\"`";
        reader.add("contract.label-missing", contract.span.clone(), "the contract declares no label", help);
        return None;
    }
    reader.require(&mut section, "column", "name the column to predict");
    reader.require(
        &mut section,
        "positive",
        "say which of its two values is the positive, `positive = \"1\"`",
    );
    let column = reader.text(&mut section, "column");
    let positive = reader.text(&mut section, "positive");
    let negative = reader.text(&mut section, "negative");
    reader.close(section);
    if let Some(column) = column.as_ref().filter(|column| !is_bare(column.get_ref())) {
        let help = "write the name as in the table's header, without spaces around it";
        reader.add("contract.bad-column", Some(column.span()), "the label's name is empty or padded", help);
    }
    for value in [&positive, &negative].into_iter().flatten().filter(|value| !is_bare(value.get_ref())) {
        let help = "write the value as in the table, without spaces around it; an empty cell is no label";
        reader.add("contract.label-values", Some(value.span()), "a label value is empty or padded", help);
    }
    let (column, positive, negative) = (column?, positive?, negative.map(Spanned::into_inner));
    let usual =
        OPPOSITES.iter().find(|(word, _)| word == positive.get_ref()).map(|(_, opposite)| (*opposite).into());
    let Some(negative) = negative.or(usual) else {
        let message = format!("what is the other value than `{}`?", positive.get_ref());
        let help = "add `negative = \"...\"` to [contract.label]";
        reader.add("contract.label-values", Some(positive.span()), message, help);
        return None;
    };
    if negative == *positive.get_ref() {
        let help = "give `positive` and `negative` different values";
        reader.add("contract.label-values", Some(positive.span()), "both label values are the same", help);
    }
    Some(Label { column: column.into_inner(), positive: positive.into_inner(), negative })
}

fn column(
    reader: &mut Reader<'_>,
    mut section: Section<'_>,
    names: &mut Vec<String>,
    label: Option<&Label>,
) -> Option<Column> {
    reader.require(&mut section, "name", "name the column as it is in the table");
    reader.require(&mut section, "type", "add `type = \"numeric\"` or `type = \"categorical\"`");
    let name = reader.text(&mut section, "name");
    if let Some(name) = &name {
        check_name(reader, name, names, label);
        section.name = format!("column `{}`", name.get_ref());
        names.push(name.get_ref().clone());
    }
    let categorical = reader.choice(
        &mut section,
        "type",
        "contract.unknown-type",
        &[("numeric", false), ("categorical", true)],
    );
    let transforms = [("identity", Transform::Identity), ("slog1p", Transform::Slog1p)];
    let transform = reader.choice(&mut section, "transform", "contract.unknown-transform", &transforms);
    let min = reader.number(&mut section, "min");
    let max = reader.number(&mut section, "max");
    let levels = reader.texts(&mut section, "levels");
    let sensitive = reader.flag(&mut section, "sensitive").unwrap_or(false);
    let level = reader.integer(&mut section, "level", 1..=5).map(|level| level.into_inner() as u8);
    let nullable = reader.flag(&mut section, "nullable").unwrap_or(false);
    let other = reader.spanned_flag(&mut section, "other");
    let has_other = other.as_ref().is_some_and(|other| *other.get_ref());
    for level in levels.iter().flat_map(|levels| levels.get_ref()) {
        let (message, help) = match level.get_ref().as_str() {
            MISSING_NAME if nullable => (
                format!("{} is nullable and has a level `{MISSING_NAME}`", section.name),
                "name the level otherwise, or leave it out: an empty cell of a nullable column is missing",
            ),
            OTHER_NAME if has_other => (
                format!("{} counts all that is not listed as `{OTHER_NAME}`, and lists it", section.name),
                "remove the level from `levels`: `other = true` adds it behind them",
            ),
            _ => continue,
        };
        reader.add("contract.bad-level", Some(level.span()), message, help);
    }
    let kind = match categorical?.into_inner() {
        false => {
            if let Some(levels) = levels {
                wrong_kind(reader, &section, &levels, "levels", "numeric", "or `type = \"categorical\"`");
            }
            if let Some(other) = other {
                wrong_kind(reader, &section, &other, "other", "numeric", "or `type = \"categorical\"`");
            }
            reader.require(
                &mut section,
                "min",
                "declare the smallest value that may occur; it bounds what one row adds",
            );
            reader.require(
                &mut section,
                "max",
                "declare the largest value that may occur; it bounds what one row adds",
            );
            numeric(reader, &section, transform.map(Spanned::into_inner), min, max)
        }
        true => {
            for (bound, key) in [(min, "min"), (max, "max")] {
                if let Some(bound) = bound {
                    wrong_kind(reader, &section, &bound, key, "categorical", "or `type = \"numeric\"`");
                }
            }
            if let Some(transform) = transform {
                wrong_kind(
                    reader,
                    &section,
                    &transform,
                    "transform",
                    "categorical",
                    "or `type = \"numeric\"`",
                );
            }
            reader.require(&mut section, "levels", "declare the vocabulary: `levels = [\"no\", \"yes\"]`");
            levels.and_then(|levels| categorical_kind(reader, &section, levels, has_other))
        }
    };
    reader.close(section);
    Some(Column { name: name?.into_inner(), kind: kind?, sensitive, level, nullable, other: has_other })
}

fn check_name(reader: &mut Reader<'_>, name: &Spanned<String>, names: &[String], label: Option<&Label>) {
    let text = name.get_ref();
    if !is_bare(text) {
        let help = "write the name as in the table's header, without spaces around it";
        reader.add("contract.bad-column", Some(name.span()), "a column name is empty or padded", help);
    }
    if names.contains(text) {
        let help = "remove one of the two";
        reader.add(
            "contract.duplicate-column",
            Some(name.span()),
            format!("column `{text}` is declared twice"),
            help,
        );
    }
    if label.is_some_and(|label| label.column == *text) {
        let message = format!("column `{text}` is the label and an input");
        let help = "a model that sees the label learns nothing: remove it from the columns";
        reader.add("contract.label-is-input", Some(name.span()), message, help);
    }
}

fn numeric(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    transform: Option<Transform>,
    min: Option<Spanned<f64>>,
    max: Option<Spanned<f64>>,
) -> Option<ColumnKind> {
    let (low, high) = (*min?.get_ref(), max?);
    if low >= *high.get_ref() {
        let message = format!("{} has no range: min {low} is not below max {}", section.name, high.get_ref());
        reader.add("contract.range", Some(high.span()), message, "make `max` larger than `min`");
        return None;
    }
    let transform = transform.unwrap_or(Transform::Identity);
    // Values travel as their place within the range.
    match transform.misfit(low, *high.get_ref()) {
        Some(Misfit::TooWide) => {
            let message = format!("the range of {} is too wide to compute with", section.name);
            let help = "declare what may really occur, or use `transform = \"slog1p\"`";
            reader.add("contract.range-too-wide", Some(high.span()), message, help);
            return None;
        }
        Some(Misfit::TooNarrow) => {
            let message = format!("the range of {} is too narrow to compute with", section.name);
            let help = "make `max` clearly larger than `min`, also after the transform, or use another unit";
            reader.add("contract.range", Some(high.span()), message, help);
            return None;
        }
        None => {}
    }
    Some(ColumnKind::Numeric { transform, min: low, max: high.into_inner() })
}

fn categorical_kind(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    levels: Spanned<Vec<Spanned<String>>>,
    other: bool,
) -> Option<ColumnKind> {
    let span = levels.span();
    let levels = levels.into_inner();
    if levels.is_empty() {
        let message = format!("{} has an empty vocabulary", section.name);
        reader.add("contract.empty-vocabulary", Some(span), message, "list every level that may occur");
        return None;
    }
    let count = levels.len() + usize::from(other);
    if count > MOST_LEVELS {
        let message = format!("{} has {count} levels", section.name);
        let help = format!("list fewer, and say `other = true` for the rest: {MOST_LEVELS} is the most");
        reader.add("contract.too-many-levels", Some(span), message, help);
        return None;
    }
    let mut seen = std::collections::BTreeSet::new();
    for level in &levels {
        let text = level.get_ref();
        if !is_bare(text) {
            let help = "write levels without spaces around them; or say `nullable = true` for absent values";
            let message = format!("a level of {} is empty or padded", section.name);
            reader.add("contract.bad-level", Some(level.span()), message, help);
        }
        if !seen.insert(text.as_str()) {
            let message = format!("{} lists level `{text}` twice", section.name);
            reader.add("contract.duplicate-level", Some(level.span()), message, "remove one of the two");
        }
    }
    drop(seen);
    let levels = levels.into_iter().map(Spanned::into_inner).chain(other.then(|| OTHER_NAME.to_owned()));
    Some(ColumnKind::Categorical { levels: levels.collect() })
}

fn wrong_kind<T>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    value: &Spanned<T>,
    key: &str,
    kind: &str,
    or: &str,
) {
    let message = format!("{} is {kind} and has `{key}`", section.name);
    reader.add("contract.wrong-kind", Some(value.span()), message, format!("remove `{key}`, {or}"));
}

/// What an institution may bring unless the contract says otherwise. Below 2^20, so that counts of rows fit
/// one limb for up to 16 institutions.
const DEFAULT_ROWS: u64 = 1_000_000;

const MOST_ROWS: u64 = 1 << 40;
/// Noise for customers grows with it: beyond this there is none to be had.
const MOST_ROWS_OF_A_CUSTOMER: u64 = 1000;
const MOST_LEVELS: usize = 4096;

/// Label values that need no explanation.
const OPPOSITES: [(&str, &str); 8] = [
    ("1", "0"),
    ("yes", "no"),
    ("true", "false"),
    ("y", "n"),
    ("0", "1"),
    ("no", "yes"),
    ("false", "true"),
    ("n", "y"),
];
