//! A search for many byte strings at once.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

/// Byte strings to look for, each with a name for what it is.
#[derive(Default)]
pub(crate) struct Needles {
    bytes: Vec<u8>,
    needles: Vec<Needle>,
    /// The newest needle that begins with these bytes.
    heads: HashMap<[u8; HEAD], u32>,
}

struct Needle {
    start: usize,
    len: usize,
    what: &'static str,
    /// The one before it that begins alike.
    next: Option<u32>,
}

/// Shorter needles would be found by chance.
const HEAD: usize = 8;

impl Needles {
    /// Adds a byte string; one that is too short or too plain to mean anything is left out.
    pub(crate) fn add(&mut self, bytes: &[u8], what: &'static str) {
        let Some(head) = bytes.first_chunk::<HEAD>() else { return };
        if bytes.iter().collect::<BTreeSet<_>>().len() < 3 {
            return;
        }
        let number = u32::try_from(self.needles.len()).unwrap();
        let next = self.heads.insert(*head, number);
        self.needles.push(Needle { start: self.bytes.len(), len: bytes.len(), what, next });
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.needles.len()
    }

    /// What occurs in `haystack`, as it lies there or behind base64 or hexadecimal digits.
    pub(crate) fn found_in(&self, haystack: &[u8]) -> BTreeSet<&'static str> {
        let mut found = self.occurring_in(haystack);
        found.extend(self.occurring_in(&unhexed(haystack)));
        found.extend(self.occurring_in(&unbased(haystack)));
        found
    }

    /// Whether the needle of this number, from 0 in the order of adding, occurs as it is.
    pub(crate) fn occurs(&self, number: usize, haystack: &[u8]) -> bool {
        let Needle { start, len, .. } = self.needles[number];
        haystack.windows(len).any(|window| window == &self.bytes[start..start + len])
    }

    fn occurring_in(&self, haystack: &[u8]) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        for position in 0..haystack.len().saturating_sub(HEAD - 1) {
            let rest = &haystack[position..];
            let head = rest.first_chunk::<HEAD>().unwrap();
            let mut next = self.heads.get(head).copied();
            while let Some(number) = next {
                let needle = &self.needles[number as usize];
                if rest.starts_with(&self.bytes[needle.start..needle.start + needle.len]) {
                    found.insert(needle.what);
                }
                next = needle.next;
            }
        }
        found
    }
}

/// What runs of hexadecimal digits stand for, one after the other.
fn unhexed(haystack: &[u8]) -> Vec<u8> {
    let runs = haystack.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * HEAD);
    runs.flat_map(|run| [run, &run[1..]])
        .flat_map(|run| hex::decode(&run[..run.len() / 2 * 2]).unwrap())
        .collect()
}

/// The same of base64, read from each of the four places where a group may begin.
fn unbased(haystack: &[u8]) -> Vec<u8> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let runs = haystack.split(|byte| !is_digit(byte)).filter(|run| run.len() >= 2 * HEAD);
    runs.flat_map(|run| (0..4).map(move |start| &run[start..]))
        .flat_map(|run| BASE64.decode(&run[..run.len() / 4 * 4]).unwrap())
        .collect()
}
