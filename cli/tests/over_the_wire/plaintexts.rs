//! What must not leave an institution, in every form in which a program would plausibly send it.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use syndic_learning::program::Program as _;
use syndic_learning::table::Values;
use syndic_learning::{JobRun, Question, Table};
use syndic_round::{Digest, Sum};

use crate::keys::restored;
use crate::recorded::{Participant, Recorded, SEED};
use crate::search::Needles;

/// Everything that is secret to one of the participants.
pub(crate) fn secrets(recorded: &Recorded) -> Needles {
    let mut needles = Needles::default();
    for participant in &recorded.participants {
        answers(&mut needles, recorded, participant);
        one_time_keys(&mut needles, recorded, participant);
        for key in &participant.private_keys {
            byte_windows(&mut needles, key, 16, "a private key");
        }
        numbers_of_rows(&mut needles, recorded, &participant.site.table);
    }
    text_of_rows(&mut needles, recorded);
    needles
}

fn answers(needles: &mut Needles, recorded: &Recorded, participant: &Participant) {
    for (id, coefficients) in &participant.seen.answers {
        let round = recorded.round(*id);
        let (layout, coding) = (round.plan.layout.clone(), round.plan.coding());
        integers(needles, coefficients, "ring coefficients of an answer");
        let own = Sum::decode(layout.clone(), &coding, 1, coefficients).unwrap();
        integers(needles, own.steps(), "quantised values of an answer");
        let question = Question::from_bytes(&round.question).unwrap();
        let values = exact_answer(&question, participant, &round.plan, coefficients);
        for block in layout.blocks() {
            let range = layout.range(&block.name).unwrap();
            reals(needles, &own.values(&block.name).unwrap(), "values of an answer, quantised");
            reals(needles, &values[range], "values of an answer");
        }
        if let Question::Train(question) = question {
            let share = values[0] / question.training_rows as f64;
            let before = question.coefficients.to_vec();
            let trained = before.iter().zip(&values[1..]).map(|(before, change)| before + change / share);
            reals(needles, &trained.collect::<Vec<_>>(), "weights of a local model");
        }
    }
}

/// The answer before it was clipped and rounded, computed a second time as the participant must have done.
fn exact_answer(
    question: &Question,
    participant: &Participant,
    plan: &syndic_round::RoundPlan,
    coefficients: &[i64],
) -> Vec<f64> {
    let id = participant.id.get().to_be_bytes();
    let seed: [&[u8]; 3] = [&SEED.to_be_bytes(), &id, plan.question.as_bytes()];
    let mut rng = ChaCha20Rng::from_seed(Digest::of_parts("syndic training seed", &seed).0);
    let answer = JobRun::answer(question, &participant.site.table, &mut rng).unwrap();
    let values = answer.values().to_vec();
    let quantised = answer.clip().quantise(&plan.coding(), &mut rng);
    assert_eq!(quantised.coefficients(), coefficients, "the answer is the program's own");
    values
}

fn one_time_keys(needles: &mut Needles, recorded: &Recorded, participant: &Participant) {
    let threshold = recorded.rounds[0].plan.terms.protection.threshold();
    for shares in &participant.seen.shares {
        let key = restored(shares, usize::from(threshold));
        let norm: i64 = key.coefficients.iter().map(|s| s * s).sum();
        let width = (norm as f64 / key.coefficients.len() as f64).sqrt();
        assert!((6.0..6.8).contains(&width), "no one-time key: its coefficients have the width {width}");
        integers(needles, &key.coefficients, "a one-time key");
        let digits: Vec<i64> = key.coefficients.iter().map(|s| s + 63).collect();
        integers(needles, &digits, "digits of a one-time key");
        for pair in key.packed.windows(2) {
            for bytes in [u64::to_le_bytes as fn(u64) -> [u8; 8], u64::to_be_bytes] {
                needles.add(&[bytes(pair[0]), bytes(pair[1])].concat(), "a packed one-time key");
            }
        }
        for (_, share) in shares {
            byte_windows(needles, share, 16, "a share of a one-time key");
        }
    }
}

/// Lines of the file, and runs of their cells.
fn text_of_rows(needles: &mut Needles, recorded: &Recorded) {
    let mut rows = recorded.table.rows().unwrap();
    while let Some((_, row)) = rows.next_row().unwrap() {
        let cells: Vec<&str> = row.iter().collect();
        needles.add(cells.join(",").as_bytes(), "a row as text");
        for run in cells.windows(4) {
            for separator in [",", "\",\"", "\t", ";", "\0"] {
                needles.add(run.join(separator).as_bytes(), "cells of a row as text");
            }
        }
    }
}

/// Rows and columns as numbers: as the table holds them, and as the model reads them.
fn numbers_of_rows(needles: &mut Needles, recorded: &Recorded, table: &Table) {
    let standardisation = &recorded.model.standardisation;
    let mut numeric: Vec<Vec<f64>> = Vec::new();
    for column in table.columns() {
        match column {
            Values::Numeric(values) => numeric.push(values.iter().copied().collect()),
            Values::Categorical(levels) => {
                let levels: Vec<u8> = levels.iter().map(|&level| level as u8).collect();
                byte_windows(needles, &levels, 64, "a column of levels");
            }
        }
    }
    for values in &numeric {
        for window in values.chunks_exact(4) {
            floats(needles, window, "a column of numbers");
        }
    }
    for row in 0..table.rows() {
        let raw: Vec<f64> = numeric.iter().map(|column| column[row]).collect();
        let scaled = raw.iter().zip(&standardisation.mean).zip(&standardisation.sd);
        let scaled: Vec<f64> = scaled.map(|((x, mean), sd)| (x - mean) / sd).collect();
        for numbers in [raw, scaled] {
            for window in numbers.windows(3) {
                floats(needles, window, "the numbers of a row");
            }
        }
    }
}

/// Every run of integers that has four numbers other than zero, in the encodings of integers, and the same
/// with zeros left out.
pub(crate) fn integers(needles: &mut Needles, numbers: &[i64], what: &'static str) {
    let dense: Vec<i64> = numbers.iter().copied().filter(|&number| number != 0).collect();
    for numbers in [numbers, &dense] {
        for start in (0..numbers.len()).filter(|&start| numbers[start] != 0) {
            for encode in INTEGERS {
                if let Some(bytes) = run(&numbers[start..], encode) {
                    needles.add(&bytes, what);
                }
            }
        }
    }
}

/// The same for real numbers, in the encodings of reals.
pub(crate) fn reals(needles: &mut Needles, numbers: &[f64], what: &'static str) {
    let dense: Vec<f64> = numbers.iter().copied().filter(|&number| number != 0.0).collect();
    for window in dense.windows(4) {
        floats(needles, window, what);
        let shortest = |number: &f64| number.to_string();
        let short = |number: &f64| format!("{number:.6}");
        for text in [shortest as fn(&f64) -> String, short] {
            for separator in [",", ", ", " ", "\n"] {
                needles.add(window.iter().map(text).collect::<Vec<_>>().join(separator).as_bytes(), what);
            }
        }
    }
}

fn floats(needles: &mut Needles, numbers: &[f64], what: &'static str) {
    let double: [fn(f64) -> [u8; 8]; 2] = [f64::to_le_bytes, f64::to_be_bytes];
    let single: [fn(f32) -> [u8; 4]; 2] = [f32::to_le_bytes, f32::to_be_bytes];
    for bytes in double {
        needles.add(&numbers.iter().flat_map(|&number| bytes(number)).collect::<Vec<_>>(), what);
    }
    for bytes in single {
        needles.add(&numbers.iter().flat_map(|&number| bytes(number as f32)).collect::<Vec<_>>(), what);
    }
}

fn byte_windows(needles: &mut Needles, bytes: &[u8], length: usize, what: &'static str) {
    bytes.windows(length).for_each(|window| needles.add(window, what));
}

/// The shortest beginning of `numbers` with four other than zero and eight bytes; none where a number does
/// not fit the encoding, or there are no such numbers near by.
fn run(numbers: &[i64], encode: Encode) -> Option<Vec<u8>> {
    let (mut bytes, mut telling) = (Vec::new(), 0);
    for &number in numbers.iter().take(64) {
        bytes.extend(encode(number)?);
        telling += usize::from(number != 0);
        if telling >= 4 && bytes.len() >= 8 {
            return Some(bytes);
        }
    }
    None
}

/// The bytes of one number; none where it does not fit.
type Encode = fn(i64) -> Option<Vec<u8>>;

const INTEGERS: [Encode; 14] = [
    |x| Some(x.to_le_bytes().to_vec()),
    |x| Some(x.to_be_bytes().to_vec()),
    |x| Some(i32::try_from(x).ok()?.to_le_bytes().to_vec()),
    |x| Some(i32::try_from(x).ok()?.to_be_bytes().to_vec()),
    |x| Some(i16::try_from(x).ok()?.to_le_bytes().to_vec()),
    |x| Some(i16::try_from(x).ok()?.to_be_bytes().to_vec()),
    |x| Some(i8::try_from(x).ok()?.to_le_bytes().to_vec()),
    |x| Some(varint(x as u64)),
    |x| Some(varint((x << 1 ^ x >> 63) as u64)),
    |x| Some((x as f64).to_le_bytes().to_vec()),
    |x| Some((x as f32).to_le_bytes().to_vec()),
    |x| Some(format!("{x},").into_bytes()),
    |x| Some(format!("{x}, ").into_bytes()),
    |x| Some(format!("{x} ").into_bytes()),
];

/// As protobuf writes integers.
fn varint(mut rest: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}
