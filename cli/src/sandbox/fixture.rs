//! A small job and a small table for tests.

use std::fmt::Write as _;

use syndic_learning::{Contract, Job};

/// A job with a numeric and a categorical column; tests of the program have it too.
pub(crate) const JOB: &str = include_str!("small.toml");

/// Its contract.
pub(crate) fn contract() -> Contract {
    Job::from_toml(JOB).unwrap().contract
}

/// `rows` rows of three sites and five folds; older people in offices are more often positive.
pub(crate) fn table_text(rows: u64) -> String {
    let mut text = String::from("age,label,job,site,fold\n");
    for row in 0..rows {
        // A fixed scramble in place of a random generator.
        let noise = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let age = 20 + noise % 60;
        let office = noise / 64 % 2 == 0;
        let score = age + if office { 15 } else { 0 } + noise / 4096 % 40;
        let site = ["Bank A", "Bank B", "Bank C"][(row % 3) as usize];
        let job = if office { "office" } else { "field" };
        let _ = writeln!(text, "{age},{},{job},{site},{}", u8::from(score > 80), row / 3 % 5);
    }
    text
}
