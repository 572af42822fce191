//! Many numbers in a question: base64 (RFC 4648) of little-endian F64, which takes half of what decimals take and keeps
//! every bit.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    serializer.serialize_str(&STANDARD.encode(bytes))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    unpacked(&text).map_err(D::Error::custom)
}

/// Numbers in either spelling: as decimals one by one, or packed. All finite: decimals can say nothing else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) values: Vec<f64>,
    pub(crate) packed: bool,
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.packed {
            false => self.values.serialize(serializer),
            true if self.values.iter().all(|value| value.is_finite()) => serialize(&self.values, serializer),
            true => Err(S::Error::custom("a number is not finite")),
        }
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Spelling)
    }
}

/// Tells the spellings apart as they are read: what is read into memory first takes far longer.
struct Spelling;

impl<'de> Visitor<'de> for Spelling {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, or base64 of them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Numbers, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = numbers.next_element()? {
            values.push(value);
        }
        Ok(Numbers { values, packed: false })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Numbers, E> {
        let values = unpacked(text).map_err(E::custom)?;
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(Numbers { values, packed: true }),
            false => Err(E::custom("a number is not finite")),
        }
    }
}

fn unpacked(text: &str) -> Result<Vec<f64>, String> {
    let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
    let (words, rest) = bytes.as_chunks::<8>();
    match rest {
        [] => Ok(words.iter().copied().map(f64::from_le_bytes).collect()),
        _ => Err("a number is cut off".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_as_they_were_written() {
        for packed in [false, true] {
            let numbers = Numbers { values: vec![0.1, -1e300, 5e-324, 3.0], packed };
            let text = serde_json_canonicalizer::to_string(&numbers).unwrap();
            assert_eq!(text.starts_with('"'), packed, "{text}");
            assert_eq!(serde_json::from_str::<Numbers>(&text).unwrap(), numbers);
        }
        // struct.pack("<2d", 1.0, -0.5), in base64
        let numbers: Numbers = serde_json::from_str("\"AAAAAAAA8D8AAAAAAADgvw==\"").unwrap();
        assert_eq!(numbers.values, [1.0, -0.5]);
    }

    #[test]
    fn what_is_cut_off_or_not_finite_or_no_base64_is_no_number() {
        let infinite = Numbers { values: vec![f64::INFINITY], packed: true };
        assert!(serde_json::to_string(&infinite).is_err());
        let packed = |bytes: &[u8]| format!("\"{}\"", STANDARD.encode(bytes));
        for text in [
            packed(&f64::NAN.to_le_bytes()),
            packed(&[0; 7]),
            "\"AAAA AAA\"".into(),
            "3".into(),
            "null".into(),
        ] {
            assert!(serde_json::from_str::<Numbers>(&text).is_err(), "{text}");
        }
    }
}
