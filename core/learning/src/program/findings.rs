//! What a job comes to that trains nothing: what it found about models that there are.

use serde_json::Value;

use super::comparison::figures::ComparisonFigures;
use super::drift::released::record::DriftRecord;

/// What was found about released models.
#[derive(Clone, Debug, PartialEq)]
pub enum Findings {
    /// How they do on the same rows.
    Models(ComparisonFigures),
    /// How far rows are from those that one of them was trained on.
    Rows(DriftRecord),
}

impl Findings {
    /// The same as an entry of a ledger has it, which holds no floating-point numbers, and the key that it stands under.
    pub fn to_data(&self) -> (&'static str, Value) {
        match self {
            Self::Models(figures) => (COMPARISON, figures.to_data()),
            Self::Rows(record) => (DRIFT, record.to_data()),
        }
    }

    /// What [`Self::to_data`] wrote, out of the data of an entry; none where there is nothing of the kind.
    pub fn from_data(data: &Value) -> Option<Self> {
        match (data.get(COMPARISON), data.get(DRIFT)) {
            (Some(found), None) => ComparisonFigures::from_data(found).map(Self::Models),
            (None, Some(found)) => DriftRecord::from_data(found).map(Self::Rows),
            _ => None,
        }
    }

    /// Whether the data of an entry has any of these keys.
    pub fn are_in(data: &Value) -> bool {
        data.get(COMPARISON).or(data.get(DRIFT)).is_some()
    }

    /// The comparison of models, where it is one.
    pub fn models(&self) -> Option<&ComparisonFigures> {
        match self {
            Self::Models(figures) => Some(figures),
            Self::Rows(_) => None,
        }
    }

    /// The comparison of rows, where it is one.
    pub fn rows(&self) -> Option<&DriftRecord> {
        match self {
            Self::Rows(record) => Some(record),
            Self::Models(_) => None,
        }
    }
}

const COMPARISON: &str = "comparison";
const DRIFT: &str = "drift";
