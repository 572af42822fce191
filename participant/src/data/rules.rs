//! Which rows are read, and for what.

use syndic_learning::{Cell, Role};

use super::SourceError;

/// Rows put aside, by the values of one column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The column.
    pub column: String,
    /// Values of rows that only test the model.
    pub test: Vec<String>,
    /// Values of rows that choose among models.
    #[serde(default)]
    pub validation: Vec<String>,
}

/// A filter on rows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// The column.
    pub column: String,
    /// Rows with one of these values are read.
    pub values: Vec<String>,
}

/// What says that a row may be used: consent, or another legal ground.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The column.
    pub column: String,
    /// The only value with which a row is read.
    pub value: String,
}

/// All of them. Which rows are read is part of what a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rules {
    /// Which rows are put aside to measure models on; without it all rows are trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Reads only rows with one of these values in a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// Reads only rows whose use is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
}

/// The rules, over the columns of one table.
pub(super) struct Chooser<'a> {
    split: Option<(usize, &'a Split)>,
    only: Option<(usize, &'a Only)>,
    consent: Option<(usize, &'a Consent)>,
    without_consent: u64,
}

impl Rules {
    /// The rules over a table whose columns `position` finds.
    pub(super) fn over(
        &self,
        position: impl Fn(&str) -> Result<usize, SourceError>,
    ) -> Result<Chooser<'_>, SourceError> {
        let split = match &self.split {
            Some(split) => Some((position(&split.column)?, split)),
            None => None,
        };
        let only = match &self.only {
            Some(only) => Some((position(&only.column)?, only)),
            None => None,
        };
        let consent = match &self.consent {
            Some(consent) => Some((position(&consent.column)?, consent)),
            None => None,
        };
        Ok(Chooser { split, only, consent, without_consent: 0 })
    }

    /// What is wrong with them.
    pub(crate) fn misfit(&self) -> Option<&'static str> {
        let split = self.split.as_ref()?;
        let shared = split.test.iter().any(|value| split.validation.contains(value));
        shared.then_some("`test` and `validation` of [data.split] share a value")
    }
}

impl Chooser<'_> {
    /// What a row is for; none where it is not read.
    pub(super) fn role<'a>(&mut self, cell: impl Fn(usize) -> Cell<'a>) -> Option<Role> {
        let is_in = |at: usize, values: &[String]| {
            let given = cell(at).text();
            values.iter().any(|value| *value == given)
        };
        if self.only.is_some_and(|(at, only)| !is_in(at, &only.values)) {
            return None;
        }
        if self.consent.is_some_and(|(at, consent)| cell(at).text() != consent.value) {
            self.without_consent += 1;
            return None;
        }
        Some(match self.split {
            Some((at, split)) if is_in(at, &split.test) => Role::Test,
            Some((at, split)) if is_in(at, &split.validation) => Role::Validation,
            _ => Role::Train,
        })
    }

    /// How many rows were not read for want of consent, where it is asked for.
    pub(super) fn without_consent(&self) -> Option<Magnitude> {
        self.consent.map(|_| Magnitude::of(self.without_consent))
    }
}

/// About how many: the exact number of those who said no is nobody's business, in a log neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magnitude(u32);

impl Magnitude {
    fn of(count: u64) -> Self {
        Self(count.checked_ilog10().map_or(0, |digits| digits + 1))
    }
}

impl std::fmt::Display for Magnitude {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("none"),
            digits => write!(f, "{} to {}", 10_u64.pow(digits - 1), 10_u128.pow(digits) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_said_no_is_told_by_its_digits_alone() {
        for (count, told) in
            [(0, "none"), (1, "1 to 9"), (9, "1 to 9"), (10, "10 to 99"), (12_345, "10000 to 99999")]
        {
            assert_eq!(Magnitude::of(count).to_string(), told);
        }
        assert!(Magnitude::of(u64::MAX).to_string().starts_with("10000000000000000000 to "));
    }

    #[test]
    fn a_row_is_read_with_the_one_value_that_allows_it_and_with_no_other() {
        let consent = Some(Consent { column: "consented".into(), value: "true".into() });
        let rules = Rules { consent, ..Rules::default() };
        let mut chooser = rules.over(|_| Ok(0)).unwrap();
        for (cell, role) in [
            (Cell::Truth(true), Some(Role::Train)),
            (Cell::Text(" true "), Some(Role::Train)),
            (Cell::Truth(false), None),
            (Cell::Empty, None),
            (Cell::Text("TRUE"), None),
            (Cell::Integer(1), None),
        ] {
            assert_eq!(chooser.role(|_| cell), role, "{cell:?}");
        }
        assert_eq!(chooser.without_consent().unwrap().to_string(), "1 to 9");
    }
}
