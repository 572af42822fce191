//! The promise that no decoder takes more memory than a small multiple of what it is given.

/// Decodes, and panics where the memory held at one time passed [`MULTIPLE`] times `input` bytes and [`FLOOR`].
/// Counts what this thread allocates.
pub(crate) fn bounded<T>(input: usize, decode: impl FnOnce() -> T) -> T {
    within(input, MULTIPLE, decode)
}

/// The same for decoders whose library keeps more of each byte than ours do: `multiple` times the input.
pub(crate) fn within<T>(input: usize, multiple: u64, decode: impl FnOnce() -> T) -> T {
    let mut decoded = None;
    let held = allocation_counter::measure(|| decoded = Some(decode())).bytes_max;
    let most = multiple * input as u64 + FLOOR;
    assert!(held <= most, "decoding {input} bytes took {held} bytes of memory, more than {most}");
    decoded.expect("the closure has run")
}

const MULTIPLE: u64 = 64;
const FLOOR: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_within_the_multiple_passes() {
        assert_eq!(bounded(1_000, || vec![7_u8; 64_000]).len(), 64_000);
    }

    #[test]
    #[should_panic(expected = "decoding 10 bytes took")]
    fn memory_reserved_by_a_length_field_is_found() {
        bounded(10, || Vec::<u8>::with_capacity(1 << 20));
    }
}
