//! The one byte string that a JSON value has: RFC 8785, restricted to what every reader agrees on.
//!
//! Numbers are integers of at most 2^53 in size, which all JSON readers keep exactly; a measured quantity is a
//! string that its writer formatted. Floating-point numbers are refused rather than rounded.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

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
pub(crate) fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_string(out, text),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            return Err(CanonicalError::Depth { at: String::new() });
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                write_value(out, item, depth + 1).map_err(|error| error.under(&format!("{index}")))?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members = members.iter().collect::<Vec<_>>();
            // RFC 8785 orders by UTF-16 code units, which differs from UTF-8 order beyond the basic plane.
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                separate(out, index);
                write_string(out, key);
                out.push(':');
                write_value(out, value, depth + 1).map_err(|error| error.under(key))?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Appends a JSON string with the escapes of RFC 8785, section 3.2.2.2, and no others.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // Most of an entry is long strings without any escape: pieces are copied whole.
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) {
        let (plain, escaped) = rest.split_at(at);
        out.push_str(plain);
        write_escape(out, escaped.as_bytes()[0]);
        rest = &escaped[1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Appends the escape of a character that has one; all of them are a byte long.
fn write_escape(out: &mut String, character: u8) {
    match character {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        0x8 => out.push_str("\\b"),
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        0xc => out.push_str("\\f"),
        b'\r' => out.push_str("\\r"),
        control => write_infallibly(out, format_args!("\\u{control:04x}")),
    }
}

fn write_number(out: &mut String, number: &Number) -> Result<(), CanonicalError> {
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

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn write_infallibly(out: &mut String, text: core::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string cannot fail");
}

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
