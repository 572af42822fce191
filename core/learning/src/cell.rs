//! One value of a row, as a source has it, before the contract's check.

use std::borrow::Cow;

/// What stands in one place of a table. The same value reads the same whatever its type: the integer 3, the number 3.0 and the
/// text `3` are one number in a numeric column, and the level `3` in a categorical one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// Text; spaces around it do not count, and text of nothing else is nothing.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Yes or no: the levels `true` and `false`, and no number.
    Truth(bool),
}

impl<'a> Cell<'a> {
    /// The cell without the spaces around its text.
    pub(crate) fn trimmed(self) -> Self {
        match self {
            Self::Text(text) if text.trim().is_empty() => Self::Empty,
            Self::Text(text) => Self::Text(text.trim()),
            other => other,
        }
    }

    /// What is compared with a level, a label or a value of the configuration; nothing is the empty text.
    pub fn text(self) -> Cow<'a, str> {
        match self.trimmed() {
            Self::Empty => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(number) => Cow::Owned(number.to_string()),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Truth(true) => Cow::Borrowed("true"),
            Self::Truth(false) => Cow::Borrowed("false"),
        }
    }

    /// The number, where it is one; rounded to the nearest where a float cannot hold it.
    pub(crate) fn number(self) -> Option<f64> {
        match self.trimmed() {
            Self::Text(text) => text.parse().ok(),
            Self::Integer(number) => Some(number as f64),
            Self::Number(number) => Some(number),
            Self::Empty | Self::Truth(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_reads_the_same_whatever_its_type() {
        for three in [Cell::Text(" 3 "), Cell::Integer(3), Cell::Number(3.0)] {
            assert_eq!((three.number(), &*three.text()), (Some(3.0), "3"));
        }
        for tenth in [Cell::Text("0.1"), Cell::Number(0.1)] {
            assert_eq!((tenth.number(), &*tenth.text()), (Some(0.1), "0.1"));
        }
        let large = 9_007_199_254_740_993;
        assert_eq!(Cell::Integer(large).number(), Cell::Text(&large.to_string()).number());
    }

    #[test]
    fn nothing_is_nothing_and_yes_is_no_number() {
        for nothing in [Cell::Empty, Cell::Text(""), Cell::Text("  ")] {
            assert_eq!((nothing.trimmed(), nothing.number(), &*nothing.text()), (Cell::Empty, None, ""));
        }
        assert_eq!((Cell::Truth(true).number(), &*Cell::Truth(true).text()), (None, "true"));
    }
}
