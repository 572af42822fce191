//! Small damage of the kinds that formats suffer from: bits, lengths, items twice, parts of another sample.

use rand_core::Rng;

/// Damages `input` in one to four ways; `others` lend parts, and the result is no longer than `longest`.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], longest: usize, rng: &mut impl Rng) {
    for _ in 0..=below(3, rng) {
        damage(input, others, rng);
    }
    input.truncate(longest);
}

fn damage(input: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut impl Rng) {
    if input.is_empty() {
        input.push(rng.next_u32() as u8);
    }
    let at = below(input.len(), rng);
    match below(12, rng) {
        0 => input[at] ^= 1 << below(8, rng),
        1 => input[at] = EDGES[below(EDGES.len(), rng)],
        2 => input[at] = input[at].wrapping_add(1),
        3 => write_length(input, at, rng),
        4 => input.truncate(at),
        5 => drop(input.drain(range(at, input.len(), rng))),
        6 => {
            let again = input[range(at, input.len(), rng)].to_vec();
            input.splice(at..at, again);
        }
        7 => swap(input, at, rng),
        8 => {
            let word = WORDS[below(WORDS.len(), rng)].as_bytes();
            input.splice(at..at, word.iter().copied());
        }
        9 => {
            let word = WORDS[below(WORDS.len(), rng)].as_bytes();
            let end = (at + word.len()).min(input.len());
            input.splice(at..end, word.iter().copied());
        }
        10 => {
            let many = vec![input[at]; 1 + below(200, rng)];
            input.splice(at..at, many);
        }
        _ => splice(input, others, at, rng),
    }
}

/// Writes a number that lengths and counts go wrong at, in either order of bytes, two, four or eight of them.
fn write_length(input: &mut [u8], at: usize, rng: &mut impl Rng) {
    let near = input.len() as u64;
    let numbers =
        [0, 1, near - 1, near, near + 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, u64::MAX >> 1, 1 << 61];
    let number = numbers[below(numbers.len(), rng)];
    let width = [2, 4, 8][below(3, rng)];
    let (big, little) = (number.to_be_bytes(), number.to_le_bytes());
    let bytes = if rng.next_u32() & 1 == 0 { &big[8 - width..] } else { &little[..width] };
    for (to, from) in input[at..].iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// Swaps two neighbouring runs, as items of a list in the wrong order.
fn swap(input: &mut [u8], at: usize, rng: &mut impl Rng) {
    let rest = &mut input[at..];
    let middle = below(rest.len(), rng);
    let end = (2 * middle).clamp(middle, rest.len());
    rest[..end].rotate_left(middle);
}

/// Puts a part of another sample in the place of what follows `at`, or between.
fn splice(input: &mut Vec<u8>, others: &[Vec<u8>], at: usize, rng: &mut impl Rng) {
    let Some(other) = others.get(below(others.len().max(1), rng)).filter(|other| !other.is_empty()) else {
        return;
    };
    let from = below(other.len(), rng);
    let part = other[range(from, other.len(), rng)].to_vec();
    let end = if rng.next_u32() & 1 == 0 { at } else { (at + part.len()).min(input.len()) };
    input.splice(at..end, part);
}

/// A run from `start` that ends by `end`, short as a rule.
fn range(start: usize, end: usize, rng: &mut impl Rng) -> std::ops::Range<usize> {
    let most = if rng.next_u32() & 3 == 0 { end - start } else { (end - start).min(64) };
    start..start + below(most + 1, rng)
}

/// Uniform enough below `bound`.
fn below(bound: usize, rng: &mut impl Rng) -> usize {
    (rng.next_u64() % bound.max(1) as u64) as usize
}

const EDGES: [u8; 10] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'\n', b'0'];

/// What text formats stumble over.
const WORDS: [&str; 20] = [
    "null",
    "-0",
    "0",
    "1e999",
    "-1",
    "nan",
    "9223372036854775808",
    "18446744073709551616",
    "9007199254740993",
    "1.5",
    "\\u0000",
    "\\ud800",
    "\"\"",
    "[[[[[[[[",
    "{\"\":{\"\":",
    "}}",
    ",",
    "\n\n",
    "\u{2014} ",
    "\u{10ffff}",
];
