//! The one byte string that a JSON value has: RFC 8785, restricted to what every reader agrees on.
//!
//! Numbers are integers of at most 2^53 in size, which all JSON readers keep exactly; a measured quantity is a
//! string that its writer formatted. Floating-point numbers are refused rather than rounded.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt::{self, Write};

use serde_json::{Number, Value};

/// Why a value has no canonical form here; `at` is the JSON pointer (RFC 6901) of the offending part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number that readers keep as a floating-point one: with a fraction, with an exponent, or minus zero.
    #[error("a floating-point number at `{at}`; write it as a string")]
    Float {
        /// Where in the value.
        at: String,
    },
    /// An integer beyond 2^53 in size.
    #[error("an integer beyond 2^53 at `{at}`; write it as a string")]
    Integer {
        /// Where in the value.
        at: String,
    },
    /// Arrays and objects nested deeper than readers accept.
    #[error("arrays or objects nested more than {MAX_DEPTH} deep at `{at}`")]
    Depth {
        /// Where in the value.
        at: String,
    },
}

impl CanonicalError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Float { .. } => "ledger.entry-float",
            Self::Integer { .. } => "ledger.entry-integer",
            Self::Depth { .. } => "ledger.entry-depth",
        }
    }

    /// The same error seen from one level further out.
    pub(crate) fn under(mut self, part: &str) -> Self {
        let (Self::Float { at } | Self::Integer { at } | Self::Depth { at }) = &mut self;
        *at = format!("/{}{at}", part.replace('~', "~0").replace('/', "~1"));
        self
    }
}

/// The canonical form of `value`.
///
/// # Errors
/// [`CanonicalError`] where it has none.
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write_value(&mut out, value, 0).map(|()| out)
}

/// Appends the canonical form of `value`, which itself lies `depth` containers deep.
pub(crate) fn write_value(out: &mut impl Write, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    match value {
        Value::Null => push(out, "null"),
        Value::Bool(true) => push(out, "true"),
        Value::Bool(false) => push(out, "false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            return Err(CanonicalError::Depth { at: String::new() });
        }
        Value::Array(items) => {
            push(out, "[");
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_value(out, item, depth + 1).map_err(|error| error.under(&format!("{index}")))?;
            }
            push(out, "]");
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            // RFC 8785 orders by UTF-16 code units, which differs from UTF-8 order beyond the basic plane.
            members.sort_by(|(a, _), (b, _)| by_code_units(a, b));
            push(out, "{");
            for (index, (key, value)) in members.into_iter().enumerate() {
                separate(out, index);
                write_string(out, key);
                push(out, ":");
                write_value(out, value, depth + 1).map_err(|error| error.under(key))?;
            }
            push(out, "}");
        }
    }
    Ok(())
}

/// Whether `bytes` are the canonical form of `value`.
///
/// # Errors
/// [`CanonicalError`] where it has none.
pub(crate) fn is_form_of(bytes: &[u8], value: &Value) -> Result<bool, CanonicalError> {
    let mut expected = Expected { rest: bytes, fits: true };
    write_value(&mut expected, value, 0)?;
    Ok(expected.fits && expected.rest.is_empty())
}

/// Takes what is written for what it is compared with, so that no copy is made of it.
struct Expected<'a> {
    rest: &'a [u8],
    fits: bool,
}

impl Write for Expected<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.rest.strip_prefix(text.as_bytes()) {
            Some(rest) => self.rest = rest,
            None => self.fits = false,
        }
        Ok(())
    }
}

/// By UTF-16 code units, which for most keys is by bytes.
fn by_code_units(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Appends a JSON string with the escapes of RFC 8785, section 3.2.2.2, and no others.
pub(crate) fn write_string(out: &mut impl Write, text: &str) {
    push(out, "\"");
    let mut rest = text;
    // Most of an entry is long strings without any escape: pieces are copied whole.
    while let Some(at) = first_escaped(rest.as_bytes()) {
        let (plain, escaped) = rest.split_at(at);
        push(out, plain);
        write_escape(out, escaped.as_bytes()[0]);
        rest = &escaped[1..];
    }
    push(out, rest);
    push(out, "\"");
}

/// Where the first byte is that has an escape. Most pieces have none, which a look at many bytes at once tells.
fn first_escaped(text: &[u8]) -> Option<usize> {
    let is_escaped = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    let is_plain = |piece: &&[u8]| !piece.iter().fold(false, |found, byte| found | is_escaped(byte));
    let plain: usize = text.chunks(64).take_while(is_plain).map(<[u8]>::len).sum();
    text[plain..].iter().position(is_escaped).map(|at| plain + at)
}

/// Appends the escape of a character that has one; all of them are a byte long.
fn write_escape(out: &mut impl Write, character: u8) {
    match character {
        b'"' => push(out, "\\\""),
        b'\\' => push(out, "\\\\"),
        0x8 => push(out, "\\b"),
        b'\t' => push(out, "\\t"),
        b'\n' => push(out, "\\n"),
        0xc => push(out, "\\f"),
        b'\r' => push(out, "\\r"),
        control => write_infallibly(out, format_args!("\\u{control:04x}")),
    }
}

fn write_number(out: &mut impl Write, number: &Number) -> Result<(), CanonicalError> {
    let at = String::new;
    if let Some(value) = number.as_i64() {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(CanonicalError::Integer { at: at() });
        }
        write_infallibly(out, format_args!("{value}"));
        Ok(())
    } else if number.is_u64() || number.as_f64().is_some_and(|value| value.abs() > MAX_INTEGER as f64) {
        // Beyond 64 bits an integer is read as a floating-point number, and there all of those are integers.
        Err(CanonicalError::Integer { at: at() })
    } else {
        Err(CanonicalError::Float { at: at() })
    }
}

fn separate(out: &mut impl Write, index: usize) {
    if index > 0 {
        push(out, ",");
    }
}

fn push(out: &mut impl Write, text: &str) {
    out.write_str(text).expect(INFALLIBLE);
}

fn write_infallibly(out: &mut impl Write, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect(INFALLIBLE);
}

const INFALLIBLE: &str = "neither a string nor a comparison fails";

/// 2^53: up to here a double holds every integer.
const MAX_INTEGER: u64 = 1 << 53;

/// Well within the 128 levels at which common readers stop.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn canonical(value: &Value) -> Result<String, CanonicalError> {
        let mut out = String::new();
        write_value(&mut out, value, 0).map(|()| out)
    }

    #[test]
    fn keys_are_ordered_by_utf16_code_units() {
        // The keys of the sorting example of RFC 8785, section 3.2.3.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        let text = canonical(&value).unwrap();
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let places = order.map(|word| text.find(word).unwrap());
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn the_string_escapes_are_those_of_the_rfc() {
        let text = canonical(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}\u{2028}")).unwrap();
        assert_eq!(text, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\u{2028}\"");
    }

    #[test]
    fn numbers_that_readers_disagree_on_are_refused_where_they_stand() {
        let limit = 1_u64 << 53;
        assert_eq!(canonical(&json!(limit)).unwrap(), "9007199254740992");
        assert_eq!(canonical(&json!(-9_007_199_254_740_992_i64)).unwrap(), "-9007199254740992");
        let at = |pointer: &str| String::from(pointer);
        assert_eq!(canonical(&json!({"a": [0, limit + 1]})), Err(CanonicalError::Integer { at: at("/a/1") }));
        assert_eq!(canonical(&json!(u64::MAX)), Err(CanonicalError::Integer { at: at("") }));
        assert_eq!(canonical(&json!(i64::MIN)), Err(CanonicalError::Integer { at: at("") }));
        assert_eq!(canonical(&json!({"x/y": 1.0})), Err(CanonicalError::Float { at: at("/x~1y") }));
    }

    #[test]
    fn nesting_has_a_limit() {
        let nest = |levels: usize| (1..levels).fold(json!([]), |inner, _| json!([inner]));
        assert!(canonical(&nest(MAX_DEPTH)).is_ok());
        assert!(matches!(canonical(&nest(MAX_DEPTH + 1)), Err(CanonicalError::Depth { .. })));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_form_is_that_of_an_independent_implementation(value in values()) {
            prop_assert_eq!(canonical(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}
