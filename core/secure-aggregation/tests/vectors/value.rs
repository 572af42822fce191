//! What stands in a vector: reading it, altering it for a twin, and writing it so that the same value has the same text.

use rand_core::{Infallible, TryCryptoRng, TryRng};
use serde_json::Value;
use syndic_round::{Digest, ParameterSet, ParticipantId};

/// A stable code.
pub(super) type Code = String;

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is no text"))
}

pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("`{key}` is no list"))
}

pub(super) fn number<T: TryFrom<u64>>(value: &Value, key: &str) -> T {
    let number = value[key].as_u64().unwrap_or_else(|| panic!("`{key}` is no number"));
    T::try_from(number).unwrap_or_else(|_| panic!("`{key}` is out of range"))
}

pub(super) fn bytes(value: &Value, key: &str) -> Vec<u8> {
    hex::decode(text(value, key)).unwrap()
}

pub(super) fn array<const LEN: usize>(value: &Value, key: &str) -> [u8; LEN] {
    bytes(value, key).try_into().unwrap_or_else(|_| panic!("`{key}` has another length"))
}

/// Every element of a list of hexadecimal texts.
pub(super) fn byte_strings(value: &Value, key: &str) -> Vec<Vec<u8>> {
    list(value, key).iter().map(|one| hex::decode(one.as_str().unwrap()).unwrap()).collect()
}

pub(super) fn digest(value: &Value, key: &str) -> Digest {
    Digest(array(value, key))
}

pub(super) fn id(value: &Value, key: &str) -> ParticipantId {
    ParticipantId::new(number(value, key)).unwrap()
}

pub(super) fn ids(value: &Value, key: &str) -> Vec<ParticipantId> {
    list(value, key).iter().map(|one| ParticipantId::new(one.as_u64().unwrap() as u16).unwrap()).collect()
}

pub(super) fn set(value: &Value) -> ParameterSet {
    ParameterSet::from_name(text(value, "set")).unwrap()
}

/// Words of eight bytes, little-endian.
pub(super) fn words(value: &Value, key: &str) -> Vec<u64> {
    words_of(&bytes(value, key))
}

pub(super) fn words_of(bytes: &[u8]) -> Vec<u64> {
    assert!(bytes.len().is_multiple_of(8), "words have eight bytes each");
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

pub(super) fn hex_of_words(words: impl IntoIterator<Item = u64>) -> String {
    hex::encode(words.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<_>>())
}

/// `input` with every step of `change` done.
pub(super) fn altered(input: &Value, change: &Value) -> Value {
    let mut input = input.clone();
    for step in change.as_array().expect("a change is a list of steps") {
        let at = text(step, "at");
        let target = input.pointer_mut(at).unwrap_or_else(|| panic!("there is no {at}"));
        if let Some(new) = step.get("set") {
            *target = new.clone();
        } else if let Some(position) = step.get("flip") {
            let mut bytes = hex::decode(target.as_str().unwrap()).unwrap();
            // Negative positions count from the end.
            let position = position.as_i64().unwrap().rem_euclid(bytes.len() as i64);
            bytes[position as usize] ^= 1;
            *target = hex::encode(bytes).into();
        } else if let Some(length) = step.get("cut") {
            let length = 2 * length.as_u64().unwrap() as usize;
            *target = target.as_str().unwrap()[..length].into();
        } else if let Some(position) = step.get("drop") {
            target.as_array_mut().unwrap().remove(position.as_u64().unwrap() as usize);
        } else if let Some(position) = step.get("repeat") {
            let list = target.as_array_mut().unwrap();
            let position = position.as_u64().unwrap() as usize;
            list.insert(position, list[position].clone());
        } else {
            let pair: Vec<usize> =
                list(step, "swap").iter().map(|one| one.as_u64().unwrap() as usize).collect();
            target.as_array_mut().unwrap().swap(pair[0], pair[1]);
        }
    }
    input
}

/// One text for each value: keys sorted, one entry a line.
pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out.push('\n');
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let line = |out: &mut String, depth| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
    };
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (position, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "," });
                line(out, depth + 1);
                out.push_str(&format!("{}: ", Value::from(key.as_str())));
                write(value, depth + 1, out);
            }
            line(out, depth);
            out.push('}');
        }
        Value::Array(list) if list.iter().any(|one| one.is_object() || one.is_array() || one.is_string()) => {
            out.push('[');
            for (position, value) in list.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "," });
                line(out, depth + 1);
                write(value, depth + 1, out);
            }
            line(out, depth);
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A generator that yields what it was given and then panics: what a vector says was drawn.
pub(super) struct Dictated(std::collections::VecDeque<u8>);

impl Dictated {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// All of it was drawn.
    pub(super) fn assert_spent(&self) {
        assert!(self.0.is_empty(), "{} bytes were not drawn", self.0.len());
    }
}

impl TryRng for Dictated {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("nothing here draws 32 bits")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes
            .iter_mut()
            .for_each(|byte| *byte = self.0.pop_front().expect("more is drawn than was dictated"));
        Ok(())
    }
}

impl TryCryptoRng for Dictated {}
