//! The data contract: which columns every institution must bring, what may stand in them, and the label.
//!
//! It is part of the job that all institutions approve, so ranges and vocabularies are public. They bound
//! what one row can add to a sum, and they fix the inputs of the model before anybody has looked at data.

use serde::{Deserialize, Serialize};
use syndic_round::Digest;

/// What every institution's table must look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Lower-case machine word, for instance `bank_marketing`.
    pub name: String,
    /// Counted from 1; a changed contract gets a new version.
    pub version: u32,
    /// The most rows that one institution may bring. Bounds what an institution can add to a sum.
    pub max_rows: u64,
    /// The column that says whose a row is, where the contract names one. It is no input of the model, it is read to see
    /// that nobody has more rows than [`Self::rows_per_customer`] and that all of them have one role, and no table keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The most rows of one customer, where the contract says it; see [`Self::rows_per_customer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows_per_customer: Option<u32>,
    /// The column to predict.
    pub label: Label,
    /// The inputs, in the order of the model.
    pub columns: Vec<Column>,
}

/// The column to predict and its two values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name of the column.
    pub column: String,
    /// The value that counts as a positive.
    pub positive: String,
    /// The other value.
    pub negative: String,
}

/// One input column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ColumnFields", into = "ColumnFields")]
pub struct Column {
    /// Name in the table.
    pub name: String,
    /// What may stand in it, and how it becomes inputs.
    pub kind: ColumnKind,
    /// True for columns that fairness reports look at, such as sex and age.
    pub sensitive: bool,
    /// Data classification, 1 (public) to 5 (most confidential), where the consortium uses one.
    pub level: Option<u8>,
    /// Whether a cell may be empty: its value is then missing, which models learn from as from a value.
    pub nullable: bool,
    /// Of a categorical column, whether a value that is none of the listed levels counts as [`OTHER_NAME`]: then this is the last
    /// of its levels, and a level like any other.
    pub other: bool,
}

/// What may stand in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    /// Numbers within a public range: one input, standardised after `transform`.
    Numeric {
        /// Applied before standardising.
        transform: Transform,
        /// Smallest value that may occur.
        min: f64,
        /// Largest value that may occur.
        max: f64,
    },
    /// One of the declared levels: one 0/1 input for each.
    Categorical {
        /// The vocabulary, in the order of the inputs.
        levels: Vec<String>,
    },
}

/// A monotone function applied to a number before it is standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// x.
    Identity,
    /// sign(x) ln(1 + |x|), for amounts that span orders of magnitude.
    Slog1p,
}

impl Contract {
    /// Name and version, `bank_marketing.v1` for instance.
    pub fn id(&self) -> String {
        format!("{}.v{}", self.name, self.version)
    }

    /// SHA-256 of all that it says, as canonical JSON (RFC 8785): [`Self::id`] is a name, and whoever writes a job file can write
    /// another content under it.
    pub fn digest(&self) -> Digest {
        // No job has a contract that JSON cannot say; two of them would still be told apart.
        let content =
            serde_json_canonicalizer::to_vec(self).unwrap_or_else(|_| format!("{self:?}").into_bytes());
        Digest::of(&content)
    }

    /// The most rows of one customer in a table of one institution: 1 unless the contract says otherwise. Without a column of
    /// customers nobody counts.
    pub fn rows_per_customer(&self) -> u32 {
        self.max_rows_per_customer.unwrap_or(1)
    }

    /// Inputs of a model under this contract, the intercept not counted.
    pub fn inputs(&self) -> usize {
        self.columns.iter().map(Column::inputs).sum()
    }

    /// The numeric columns, in order: transform, smallest and largest value before it.
    pub fn numeric(&self) -> impl Iterator<Item = (Transform, f64, f64)> {
        self.columns.iter().filter_map(|column| match column.kind {
            ColumnKind::Numeric { transform, min, max } => Some((transform, min, max)),
            ColumnKind::Categorical { .. } => None,
        })
    }

    /// A name for each input in order: `age`, `job=student`, and `age=missing` of a nullable column.
    pub fn input_names(&self) -> Vec<String> {
        let names = |column: &Column| {
            let mut names = match &column.kind {
                ColumnKind::Numeric { .. } => vec![column.name.clone()],
                ColumnKind::Categorical { levels } => {
                    levels.iter().map(|level| format!("{}={level}", column.name)).collect()
                }
            };
            names.extend(column.nullable.then(|| format!("{}={MISSING_NAME}", column.name)));
            names
        };
        self.columns.iter().flat_map(names).collect()
    }

    /// The nullable columns, in order.
    pub fn nullable(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.nullable)
    }

    /// For each numeric column, in order, whether it is nullable.
    pub(crate) fn nullable_numbers(&self) -> impl Iterator<Item = bool> {
        self.columns.iter().filter_map(|column| match column.kind {
            ColumnKind::Numeric { .. } => Some(column.nullable),
            ColumnKind::Categorical { .. } => None,
        })
    }
}

impl Column {
    /// Inputs that the column becomes; that its value is missing is one more, which is 0 or 1.
    pub fn inputs(&self) -> usize {
        let of_values = match &self.kind {
            ColumnKind::Numeric { .. } => 1,
            ColumnKind::Categorical { levels } => levels.len(),
        };
        of_values + usize::from(self.nullable)
    }

    /// Of a categorical column, how many positions its values have: those of its levels, and the one behind them for a
    /// missing value where there may be one. None of a numeric one.
    pub(crate) fn positions(&self) -> Option<usize> {
        match &self.kind {
            ColumnKind::Numeric { .. } => None,
            ColumnKind::Categorical { .. } => Some(self.inputs()),
        }
    }
}

impl Transform {
    /// The transformed value.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Slog1p => libm::copysign(libm::log1p(x.abs()), x),
        }
    }

    /// Middle and half width of `[min, max]` after the transform.
    pub fn centre_and_half_range(self, min: f64, max: f64) -> (f64, f64) {
        let (low, high) = (self.apply(min), self.apply(max));
        ((low + high) / 2.0, (high - low) / 2.0)
    }

    /// Why values within `[min, max]` could not be told by their place in it; none where they can, with an error
    /// of at most [`RANGE_ROUNDING`] half ranges.
    pub(crate) fn misfit(self, min: f64, max: f64) -> Option<Misfit> {
        let (centre, half) = self.centre_and_half_range(min, max);
        if !centre.is_finite() || !half.is_finite() {
            return Some(Misfit::TooWide);
        }
        let too_narrow = half < SMALLEST_HALF_RANGE || half < SMALLEST_RELATIVE_RANGE * centre.abs();
        too_narrow.then_some(Misfit::TooNarrow)
    }
}

/// What is wrong with a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Its middle or width is beyond the floats.
    TooWide,
    /// Floats do not tell its values apart, or there are none.
    TooNarrow,
}

/// Whether cells or a header can hold this text: they are read without the spaces around them, and an empty cell
/// is none.
pub(crate) fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.trim() == text
}

/// What stands for a missing value in the names of inputs, bins and groups. No level of a nullable column is called so.
pub const MISSING_NAME: &str = "missing";

/// The level that stands for all that are not listed, in a column that has one. No listed level of it is called so.
pub const OTHER_NAME: &str = "other";

/// How much a value within its range may seem to lie outside, in half ranges.
pub(crate) const RANGE_ROUNDING: f64 = 1e-3;

/// Deviations of 2^-26 half ranges are still normal floats.
const SMALLEST_HALF_RANGE: f64 = 1e-290;
/// A middle is right to 2^-53 of itself, which [`RANGE_ROUNDING`] of this covers.
const SMALLEST_RELATIVE_RANGE: f64 = 1e-12;

/// A column as it is written: the fields of both kinds side by side.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnFields {
    name: String,
    #[serde(rename = "type")]
    kind: KindName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transform: Option<Transform>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<u8>,
    #[serde(default, skip_serializing_if = "is_false")]
    nullable: bool,
    /// Where it is true, `levels` are those that are listed.
    #[serde(default, skip_serializing_if = "is_false")]
    other: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Numeric,
    Categorical,
}

impl From<Column> for ColumnFields {
    fn from(column: Column) -> Self {
        let Column { name, kind, sensitive, level, nullable, other } = column;
        let empty = Self {
            name,
            kind: KindName::Numeric,
            transform: None,
            min: None,
            max: None,
            levels: None,
            sensitive,
            level,
            nullable,
            other,
        };
        match kind {
            ColumnKind::Numeric { transform, min, max } => {
                Self { transform: Some(transform), min: Some(min), max: Some(max), ..empty }
            }
            ColumnKind::Categorical { mut levels } => {
                if other {
                    levels.pop();
                }
                Self { kind: KindName::Categorical, levels: Some(levels), ..empty }
            }
        }
    }
}

impl TryFrom<ColumnFields> for Column {
    type Error = &'static str;

    fn try_from(fields: ColumnFields) -> Result<Self, Self::Error> {
        let kind = match (fields.kind, fields.transform, fields.min, fields.max, fields.levels) {
            (KindName::Numeric, transform, Some(min), Some(max), None) if !fields.other => {
                ColumnKind::Numeric { transform: transform.unwrap_or(Transform::Identity), min, max }
            }
            (KindName::Numeric, ..) => {
                return Err("a numeric column has `min` and `max` and neither `levels` nor `other`");
            }
            (KindName::Categorical, None, None, None, Some(levels)) => {
                ColumnKind::Categorical { levels: with_other(levels, fields.other)? }
            }
            (KindName::Categorical, ..) => {
                return Err("a categorical column has `levels` and no `transform`, `min` or `max`");
            }
        };
        let ColumnFields { name, sensitive, level, nullable, other, .. } = fields;
        Ok(Self { name, kind, sensitive, level, nullable, other })
    }
}

/// The levels that are listed, with the one for all others behind them where there is one.
fn with_other(mut levels: Vec<String>, other: bool) -> Result<Vec<String>, &'static str> {
    if other && levels.iter().any(|level| level == OTHER_NAME) {
        return Err("a column with `other` lists no level of that name");
    }
    levels.extend(other.then(|| OTHER_NAME.to_owned()));
    Ok(levels)
}

/// Contracts from before there were nullable columns, or other levels, keep their bytes.
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slog1p_is_odd_and_monotone() {
        assert_eq!(Transform::Slog1p.apply(0.0), 0.0);
        assert!((Transform::Slog1p.apply(std::f64::consts::E - 1.0) - 1.0).abs() < 1e-15);
        assert_eq!(Transform::Slog1p.apply(-7.0), -Transform::Slog1p.apply(7.0));
    }

    #[test]
    fn a_column_with_fields_of_the_other_kind_is_rejected() {
        let mixed = r#"{"name":"age","type":"numeric","min":0,"max":1,"levels":["a"]}"#;
        assert!(serde_json::from_str::<Column>(mixed).is_err());
        let unknown = r#"{"name":"age","type":"numeric","min":0,"max":1,"scale":2}"#;
        assert!(serde_json::from_str::<Column>(unknown).is_err());
    }

    #[test]
    fn inputs_are_named_by_column_and_level() {
        let contract = crate::fixture::contract();
        assert_eq!(contract.input_names(), ["age", "job=office", "job=field", "job=none", "balance"]);
        assert_eq!(contract.inputs(), 5);
        assert_eq!(contract.id(), "small.v1");
    }

    #[test]
    fn whatever_a_contract_says_is_in_its_digest() {
        let contract = crate::fixture::contract();
        let changed = |change: fn(&mut Contract)| {
            let mut other = contract.clone();
            change(&mut other);
            other.digest()
        };
        let digests = [
            contract.digest(),
            changed(|other| other.max_rows += 1),
            changed(|other| other.customer = Some("id".into())),
            changed(|other| other.max_rows_per_customer = Some(2)),
            changed(|other| other.label.positive = "yes".into()),
            changed(|other| other.columns[0].sensitive ^= true),
            changed(|other| other.columns.swap(0, 1)),
            changed(|other| match &mut other.columns[0].kind {
                ColumnKind::Numeric { max, .. } => *max += 0.5,
                ColumnKind::Categorical { levels } => levels.push("new".into()),
            }),
            changed(|other| match &mut other.columns[1].kind {
                ColumnKind::Numeric { max, .. } => *max += 0.5,
                ColumnKind::Categorical { levels } => drop(levels.pop()),
            }),
        ];
        for (position, digest) in digests.iter().enumerate() {
            assert!(!digests[..position].contains(digest), "{position}");
        }
        assert_eq!(contract.clone().digest(), contract.digest());
        let canonical = serde_json_canonicalizer::to_string(&contract).unwrap();
        assert!(canonical.starts_with(r#"{"columns":[{"max":"#), "{canonical}");
    }

    #[test]
    fn that_a_value_is_missing_is_an_input_of_its_own() {
        let mut contract = crate::fixture::contract();
        contract.columns[..2].iter_mut().for_each(|column| column.nullable = true);
        assert_eq!(
            contract.input_names(),
            ["age", "age=missing", "job=office", "job=field", "job=none", "job=missing", "balance"]
        );
        assert_eq!(contract.inputs(), 7);
        assert_eq!(contract.nullable_numbers().collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn the_level_of_all_others_is_a_level_and_is_not_listed() {
        let text = r#"{"name":"job","type":"categorical","levels":["office","field"],"sensitive":false,"other":true}"#;
        let column: Column = serde_json::from_str(text).unwrap();
        assert_eq!(
            column.kind,
            ColumnKind::Categorical { levels: ["office", "field", "other"].map(String::from).into() }
        );
        assert_eq!((column.inputs(), column.positions()), (3, Some(3)));
        assert_eq!(serde_json::to_string(&column).unwrap(), text);
        let listed = text.replace(r#","other":true"#, "").replace(r#""field""#, r#""field","other""#);
        let listed: Column = serde_json::from_str(&listed).unwrap();
        assert!(!listed.other && listed.kind == column.kind && listed != column);
        for wrong in [
            text.replace("field", "other"),
            r#"{"name":"age","type":"numeric","min":0,"max":1,"other":true}"#.into(),
        ] {
            assert!(serde_json::from_str::<Column>(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_column_says_that_it_is_nullable_only_where_it_is() {
        let mut column = crate::fixture::contract().columns.remove(0);
        let plain = r#"{"name":"age","type":"numeric","transform":"identity","min":18.0,"max":100.0,"sensitive":false}"#;
        assert_eq!(serde_json::to_string(&column).unwrap(), plain);
        column.nullable = true;
        let text = serde_json::to_string(&column).unwrap();
        assert!(text.contains(r#""nullable":true"#), "{text}");
        assert_eq!(serde_json::from_str::<Column>(&text).unwrap(), column);
    }
}
