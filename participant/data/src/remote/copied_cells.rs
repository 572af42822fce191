//! The cells of COPY's text, column by column.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use datafusion::arrow::datatypes::DataType;

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    /// A binary floating-point number.
    Number,
    /// A decimal number, read as the nearest binary one, if so few digits are in it that no two of them become one.
    Decimal,
    Truth,
    Text,
    /// Text that PostgreSQL fills up with spaces.
    Padded,
}

impl Kind {
    /// That of a type as PostgreSQL's client names it; none where it is not read.
    pub(super) fn of(named: &str) -> Option<Self> {
        Some(match named {
            "INT2" | "INT4" | "INT8" | "OID" => Self::Integer,
            "FLOAT4" | "FLOAT8" => Self::Number,
            "NUMERIC" => Self::Decimal,
            "BOOL" => Self::Truth,
            "TEXT" | "VARCHAR" | "NAME" | "\"CHAR\"" | "UNKNOWN" | "UUID" => Self::Text,
            "DATE" | "TIME" | "TIMESTAMP" | "TIMESTAMPTZ" => Self::Text,
            "CHAR" => Self::Padded,
            other if other.eq_ignore_ascii_case("citext") => Self::Text,
            _ => return None,
        })
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::Truth => "truth",
            Self::Text => "text",
            Self::Padded => "padded",
        }
    }

    pub(super) fn arrow(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Number | Self::Decimal => DataType::Float64,
            Self::Truth => DataType::Boolean,
            Self::Text | Self::Padded => DataType::Utf8,
        }
    }
}

/// A column under way.
pub(super) enum Column {
    Integers(Int64Builder),
    Numbers(Float64Builder),
    Truths(BooleanBuilder),
    Texts(StringBuilder),
}

/// Why a cell is not what its type says.
pub(super) enum Wrong {
    Digits,
    Other,
}

impl Column {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integers(Int64Builder::new()),
            Kind::Number | Kind::Decimal => Self::Numbers(Float64Builder::new()),
            Kind::Truth => Self::Truths(BooleanBuilder::new()),
            Kind::Text | Kind::Padded => Self::Texts(StringBuilder::new()),
        }
    }

    pub(super) fn push(&mut self, cell: Option<&str>, kind: Kind) -> Result<(), Wrong> {
        match self {
            Self::Numbers(_)
                if kind == Kind::Decimal && cell.is_some_and(|cell| digits(cell) > MOST_DIGITS) =>
            {
                return Err(Wrong::Digits);
            }
            Self::Integers(column) => column.append_option(parsed(cell)?),
            Self::Numbers(column) if kind == Kind::Decimal => {
                let number: Option<f64> = parsed(cell)?;
                // Beyond the range it would be infinite or zero, and near its lower end two numbers would become one.
                if number.is_some_and(|number| !number.is_normal())
                    && cell.is_some_and(|cell| digits(cell) > 0)
                {
                    return Err(Wrong::Digits);
                }
                column.append_option(number);
            }
            Self::Numbers(column) => column.append_option(parsed(cell)?),
            Self::Truths(column) => column.append_option(cell.map(|cell| cell == "t")),
            Self::Texts(column) if kind == Kind::Padded => {
                column.append_option(cell.map(|cell| cell.trim_end_matches(' ')));
            }
            Self::Texts(column) => column.append_option(cell),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Integers(column) => Arc::new(column.finish()),
            Self::Numbers(column) => Arc::new(column.finish()),
            Self::Truths(column) => Arc::new(column.finish()),
            Self::Texts(column) => Arc::new(column.finish()),
        }
    }
}

fn parsed<T: std::str::FromStr>(cell: Option<&str>) -> Result<Option<T>, Wrong> {
    cell.map(str::parse).transpose().map_err(|_| Wrong::Other)
}

/// Digits of a decimal number from the first to the last that is not zero.
fn digits(number: &str) -> usize {
    let digits = number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    let mut counted = (0, 0);
    for digit in digits {
        counted.0 += 1;
        if digit != b'0' {
            counted.1 = counted.0;
        }
    }
    counted.1
}

/// A cell as it was before COPY wrote it; none where it was NULL.
pub(super) fn unescaped<'a>(cell: &'a str, text: &'a mut String) -> Option<&'a str> {
    if cell == NULL {
        return None;
    }
    if !cell.contains('\\') {
        return Some(cell);
    }
    text.clear();
    let mut characters = cell.chars();
    while let Some(character) = characters.next() {
        let is_escaped = character == '\\';
        let character = if is_escaped { characters.next() } else { Some(character) };
        text.extend(character.map(|character| match character {
            'b' if is_escaped => '\u{8}',
            'f' if is_escaped => '\u{c}',
            'n' if is_escaped => '\n',
            'r' if is_escaped => '\r',
            't' if is_escaped => '\t',
            'v' if is_escaped => '\u{b}',
            other => other,
        }));
    }
    Some(text)
}

const NULL: &str = "\\N";
/// As many decimal digits as a binary number of 64 bits tells apart, always (DBL_DIG).
const MOST_DIGITS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_from_the_first_to_the_last_that_counts() {
        for (number, counted) in [
            ("0", 0),
            ("-0.10", 1),
            ("100", 1),
            ("1000000000000000000000", 1),
            ("123456789.012345", 15),
            ("1234567890.012345", 16),
            ("NaN", 0),
        ] {
            assert_eq!(digits(number), counted, "{number}");
        }
    }
}
