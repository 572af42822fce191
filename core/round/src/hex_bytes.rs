//! Byte arrays as lower-case hexadecimal in JSON.

use alloc::string::String;
use core::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) fn serialize<const LEN: usize, S: Serializer>(
    bytes: &[u8; LEN],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut text = String::with_capacity(2 * LEN);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
    }
    serializer.serialize_str(&text)
}

pub(crate) fn deserialize<'de, const LEN: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; LEN], D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom("expected lower-case hexadecimal digits of the right length");
    if text.len() != 2 * LEN || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(wrong());
    }
    let mut bytes = [0; LEN];
    for (k, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * k..2 * k + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}
