//! Many numbers in a question: base64 (RFC 4648) of little-endian F64, which takes half of what decimals take and keeps
//! every bit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
    let (words, rest) = bytes.as_chunks::<8>();
    match rest {
        [] => Ok(words.iter().copied().map(f64::from_le_bytes).collect()),
        _ => Err(D::Error::custom("a number is cut off")),
    }
}
