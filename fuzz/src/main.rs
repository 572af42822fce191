//! A target under libFuzzer; `cargo xtask fuzz` builds and runs it.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use syndic_fuzz::guided;

fuzz_target!(init: guided::prepare(), |input: &[u8]| {
    guided::run(input);
});

// libFuzzer's own mutations know what comparisons failed; ours know what formats look like.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed.is_multiple_of(2) {
        fuzzer_mutate(data, size, max_size)
    } else {
        guided::damage(data, size, max_size, seed)
    }
});
