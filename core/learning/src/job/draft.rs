//! Drafts a job file from a look at a table, for somebody to finish.
//!
//! The draft is a proposal: ranges are rounded outwards, guesses are marked as such, and columns that look
//! like identifiers or bookkeeping are left out with a word about why.

use std::fmt::Write as _;

use super::program::{DEFAULT_L2, INPUTS_OF_NEWTON};
use super::{Deadlines, EvaluationTerms, FedAvgTerms};
use crate::contract::{MISSING_NAME, Transform, is_bare};

/// What a scan of one column found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnSketch {
    /// Name in the header.
    pub name: String,
    /// Rows scanned.
    pub rows: u64,
    /// True if every cell that is not empty is a finite number, or [spells](spells_nothing) that there is none.
    pub numeric: bool,
    /// Smallest number, where numeric.
    pub min: f64,
    /// Largest number, where numeric.
    pub max: f64,
    /// Distinct values, at most the first 50 met.
    pub values: Vec<String>,
    /// How many distinct values there are; where a scan stops counting, after a few thousand, the least there are.
    pub distinct: u64,
    /// Empty cells.
    pub empty: u64,
    /// Of numbers, the words of [`spells_nothing`] that stand among them; they are none of `values`.
    pub spelt: Vec<String>,
}

/// Whether a cell among numbers says that there is none, as tables of other programs write it.
pub fn spells_nothing(cell: &str) -> bool {
    NOTHING.iter().chain(&NO_NUMBER).any(|word| cell.eq_ignore_ascii_case(word))
}

/// A commented job file for a table with these columns. It passes [`super::Job::from_toml`] if a label and an
/// input were found, no two columns have the same name, and a ledger's entry has room for it; otherwise the check
/// says what is missing.
pub fn draft(columns: &[ColumnSketch]) -> String {
    write(columns, propose_label(columns))
}

/// The same with the column `label` as the one to predict; none unless it has a name and holds exactly two values
/// and no empty cell.
pub fn draft_predicting(columns: &[ColumnSketch], label: &str) -> Option<String> {
    let label = columns.iter().find(|column| column.name == label && two_valued(column))?;
    Some(write(columns, Some((label, "as asked for"))))
}

fn write(columns: &[ColumnSketch], label: Option<(&ColumnSketch, &str)>) -> String {
    let mut text = String::from(HEAD);
    match label {
        Some((label, reason)) => write_label(&mut text, label, reason),
        None => text.push_str(NO_LABEL),
    }
    let mut inputs = 0;
    for column in columns.iter().filter(|column| label.is_none_or(|(label, _)| label.name != column.name)) {
        match reason_to_leave_out(column) {
            Some(reason) => text.push_str(&format!("\n# Left out: {} ({reason}).\n", comment(&column.name))),
            None => {
                let of_values = if is_number(column) { 1 } else { column.values.len() };
                inputs += of_values + usize::from(is_nullable(column));
                write_column(&mut text, column);
            }
        }
    }
    text.push_str(&program(inputs));
    write_terms(&mut text);
    text
}

fn propose_label(columns: &[ColumnSketch]) -> Option<(&ColumnSketch, &'static str)> {
    let candidates = || columns.iter().filter(|column| two_valued(column));
    let named = LABEL_NAMES
        .iter()
        .find_map(|name| candidates().find(|column| column.name.eq_ignore_ascii_case(name)));
    let flag = || {
        let is_flag = |column: &&ColumnSketch| column.values.iter().all(|value| value == "0" || value == "1");
        candidates().rev().filter(is_flag).find(|column| reason_to_leave_out(column).is_none())
    };
    named
        .map(|column| (column, "proposed by its name"))
        .or_else(|| flag().map(|column| (column, "a guess: the last column that is 0 or 1; CHECK THIS")))
}

/// Whether a column can be a label.
fn two_valued(column: &ColumnSketch) -> bool {
    let named = |text: &String| is_bare(text);
    column.distinct == 2
        && column.values.len() == 2
        && column.empty == 0
        && column.spelt.is_empty()
        && named(&column.name)
        && column.values.iter().all(named)
}

fn write_label(text: &mut String, label: &ColumnSketch, reason: &str) {
    let positive_at =
        label.values.iter().position(|value| POSITIVES.contains(&value.to_lowercase().as_str()));
    let (positive, certain) = (positive_at.unwrap_or(1), positive_at.is_some());
    let doubt = if certain { "" } else { " # a guess, CHECK which value is the positive" };
    let (positive, negative) = (&label.values[positive], &label.values[1 - positive]);
    text.push_str(&format!(
        "\n# The column to predict: {reason}.\n[contract.label]\ncolumn = {}\npositive = {}{doubt}\nnegative = {}\n",
        quoted(&label.name),
        quoted(positive),
        quoted(negative),
    ));
}

fn reason_to_leave_out(column: &ColumnSketch) -> Option<&'static str> {
    let name = column.name.to_lowercase();
    if !is_bare(&name) {
        return Some("its name is empty or padded");
    }
    if name == "id" || name.ends_with("_id") || name.ends_with("_key") || name == "row" {
        return Some("looks like an identifier, which a model must not learn");
    }
    if ["fold", "split", "site"].contains(&name.as_str()) || name.starts_with("site_") {
        return Some("says how rows are divided, not what they are");
    }
    if column.distinct < 2 {
        return Some("it has one value only");
    }
    if is_number(column) {
        let (transform, min, max) = range(column);
        if min >= max || transform.misfit(min, max).is_some() {
            return Some("its numbers are too close together to compute with");
        }
    }
    let listed = column.values.len() as u64 == column.distinct;
    let is_vocabulary = listed && column.values.iter().all(|value| value.trim() == value);
    if !column.numeric && !is_vocabulary {
        return Some("text with more values than a vocabulary should have; group them first");
    }
    None
}

fn write_column(text: &mut String, column: &ColumnSketch) {
    text.push_str("\n[[contract.columns]]\n");
    text.push_str(&format!("name = {}\n", quoted(&column.name)));
    let mut levels: Vec<_> = column.values.iter().filter(|value| !value.is_empty()).collect();
    if is_number(column) {
        let (transform, min, max) = range(column);
        let transform = match transform {
            Transform::Slog1p => "slog1p",
            Transform::Identity => "identity",
        };
        text.push_str(&format!(
            "type = \"numeric\"\ntransform = \"{transform}\"\nmin = {}\nmax = {}\n",
            number(min),
            number(max)
        ));
    } else {
        levels.sort();
        let doubtful: Vec<_> = levels
            .iter()
            .filter(|level| NOTHING.iter().any(|word| level.eq_ignore_ascii_case(word)))
            .collect();
        let levels: Vec<_> = levels.iter().map(|level| quoted(level)).collect();
        text.push_str(&format!("type = \"categorical\"\nlevels = [{}]\n", levels.join(", ")));
        for level in doubtful {
            let _ = writeln!(
                text,
                "# CHECK the level `{level}`: where it says that a value is missing, empty those cells and say `nullable = true` in its place."
            );
        }
    }
    let name = column.name.to_lowercase();
    if SENSITIVE
        .iter()
        .any(|word| name.split(|c: char| !c.is_alphanumeric()).any(|part| part.starts_with(word)))
    {
        text.push_str("sensitive = true # proposed by its name\n");
    }
    if is_nullable(column) {
        // No counts: the file goes to every institution, as it is.
        match column.spelt.as_slice() {
            [] => text.push_str("nullable = true # some cells are empty\n"),
            spelt => {
                let _ = writeln!(
                    text,
                    "nullable = true # some cells say `{}`: EMPTY THEM where the table is read, a missing value is an empty cell",
                    spelt.join("`, `")
                );
            }
        }
    } else if column.empty > 0 {
        let _ = writeln!(
            text,
            "# Some cells are empty, and a level is called `{MISSING_NAME}`: rename it and say `nullable = true`, or fill them."
        );
    }
}

/// Whether missing values of a column can be told from its levels.
fn is_nullable(column: &ColumnSketch) -> bool {
    let is_missing = column.empty > 0 || !column.spelt.is_empty();
    is_missing && (is_number(column) || column.values.iter().all(|value| value != MISSING_NAME))
}

/// Whether a column becomes a numeric input; two numbers are rather a flag.
fn is_number(column: &ColumnSketch) -> bool {
    column.numeric && column.distinct > 2
}

/// The range to declare for a column of numbers, rounded outwards, and the transform that suits it.
fn range(column: &ColumnSketch) -> (Transform, f64, f64) {
    let is_large = column.min.abs().max(column.max.abs()) > 1000.0;
    let transform = if is_large { Transform::Slog1p } else { Transform::Identity };
    (transform, rounded(column.min, f64::floor), rounded(column.max, f64::ceil))
}

/// The program that suits so many inputs.
fn program(inputs: usize) -> String {
    let FedAvgTerms { local_epochs, batch_size, learning_rate, learning_rate_decay } = FedAvgTerms::default();
    let solver = if inputs <= INPUTS_OF_NEWTON {
        r#"solver = "newton" # the model of pooled training itself; "fed-avg" averages local training
encoding = "all-levels" # "drop-first" gives each weight a standard error"#
            .to_owned()
    } else {
        format!(
            r#"solver = "fed-avg" # too many inputs for "newton", which would give the model of pooled training itself
local_epochs = {local_epochs}
batch_size = {batch_size}
learning_rate = {learning_rate}
learning_rate_decay = {learning_rate_decay}"#
        )
    };
    format!("\n[program]\nname = \"logistic-regression\"\n{solver}\nl2 = {DEFAULT_L2}\n")
}

fn write_terms(text: &mut String) {
    let Deadlines {
        advertise_seconds, share_seconds, collect_seconds, certify_seconds, reveal_seconds, ..
    } = Deadlines::default();
    let EvaluationTerms { bins } = EvaluationTerms::default();
    text.push_str(&format!(
        r#"
[rounds]
count = 20 # training rounds; newton ends earlier as a rule, after five to eight

# How long each phase of a round may take, in seconds.
[rounds.deadlines]
advertise_seconds = {advertise_seconds}
share_seconds = {share_seconds}
collect_seconds = {collect_seconds} # training and submitting
certify_seconds = {certify_seconds}
reveal_seconds = {reveal_seconds}

[privacy]
mode = "none" # only sums are opened, no noise is added to them

[protection]
parameter_set = "KSA-S32"
# threshold = 4     # institutions that must help to open a sum; default floor(2n/3) + 1

[evaluation]
bins = {bins}

# How many days after the job has ended the encrypted updates of its rounds are erased; without it they are kept.
# [retention]
# updates_days = 30
"#
    ));
}

/// `x` to two significant digits, outwards.
fn rounded(x: f64, outwards: fn(f64) -> f64) -> f64 {
    if x == 0.0 {
        return 0.0;
    }
    let exponent = (libm::floor(libm::log10(x.abs())) - 1.0) as i32;
    // Dividing by a whole power of ten keeps the decimal short.
    let rounded = match exponent {
        0.. => outwards(x / 10_f64.powi(exponent)) * 10_f64.powi(exponent),
        _ => outwards(x * 10_f64.powi(-exponent)) / 10_f64.powi(-exponent),
    };
    // At the ends of what a float can say there is no rounder number.
    if rounded.is_finite() { rounded } else { x }
}

/// A TOML number, with an exponent where digits alone would be no integer of 64 bits, or nearly all zeros.
fn number(x: f64) -> String {
    let plain = x == 0.0 || (1e-6..1e15).contains(&x.abs());
    if plain { x.to_string() } else { format!("{x:e}") }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const HEAD: &str = r#"# A draft: read every line before proposing it. Institutions approve this file as a whole.

[job]
id = "my-job"
purpose = "my-purpose" # one word that site policies allow or not, such as marketing-response
description = "Say in a sentence what is predicted, from whose data, and what for."
# lawful_basis = "..."

# What a record of processing activities says of it; all of it is optional.
# [processing]
# controllers = ["Bank A", "Bank B"]
# processors = ["..."]         # who operates the coordinator, for instance
# data_subjects = ["..."]      # categories of the persons that the rows are about
# data_categories = ["..."]
# special_categories = []      # an empty list says that there are none
# highest_level = 3            # classification of the data, 1 (public) to 5
# impact_assessment = "..."    # where it is found
# agreement = "..."            # between the parties: where it is found
# cross_border = false

# Ranges and levels are public and bind every institution: declare what is possible, not what one table holds.
[contract]
name = "my_contract"
version = 1
max_rows = 1000000 # the most rows that one institution may bring
"#;

const NO_LABEL: &str = r#"
# NO LABEL FOUND: no column has exactly two values. Name it here and remove it from the columns below.
# [contract.label]
# column = "..."
# positive = "1"
# negative = "0"
"#;

const LABEL_NAMES: [&str; 16] = [
    "label",
    "target",
    "y",
    "outcome",
    "response",
    "churn",
    "churned",
    "exited",
    "attrition",
    "default",
    "defaulted",
    "bad",
    "fraud",
    "is_fraud",
    "converted",
    "subscribed",
];

/// What says in any column that there is no value.
const NOTHING: [&str; 6] = ["NA", "N/A", "#N/A", "NaN", "null", "?"];

/// What says so among numbers; among words it may be one.
const NO_NUMBER: [&str; 7] = ["none", "nil", "-", "--", ".", "missing", "unknown"];

const POSITIVES: [&str; 6] = ["1", "yes", "true", "y", "t", "positive"];

const SENSITIVE: [&str; 11] = [
    "sex", "gender", "age", "marital", "marriage", "race", "ethnic", "religion", "national", "senior",
    "disab",
];
