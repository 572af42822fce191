//! docs/parameters.md and docs/threat-model.md say what the code does: their tables against sets, limbs, lengths, noise and
//! thresholds as they are.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly too")]

#[allow(dead_code, reason = "the attacks use the rest")]
#[path = "../attacks/algebra.rs"]
mod algebra;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../encrypted_round/federation.rs"]
mod federation;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_round::message::{Dealing, Payload};
use syndic_round::{Block, Digest, Layout, ParameterSet, ParticipantId, Protection};
use syndic_secure_aggregation::{
    KemSecret, OneTimeKey, SealContext, SharingContext, VectorShape, reconstruct,
};

use federation::Federation;

/// The rows of the table between `<!-- name -->` and `<!-- end -->` in docs/parameters.md, without its head.
fn table(name: &str) -> Vec<Vec<&'static str>> {
    table_in(include_str!("../../../../docs/parameters.md"), name)
}

fn table_in(document: &'static str, name: &str) -> Vec<Vec<&'static str>> {
    let (_, rest) = document.split_once(&format!("<!-- {name} -->\n")).expect("the table is there");
    let (table, _) = rest.split_once("\n<!-- end -->").unwrap();
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect();
    table.lines().skip(2).map(cells).collect()
}

fn number(cell: &str) -> f64 {
    match cell.strip_prefix("2^") {
        Some(exponent) => 2_f64.powf(exponent.parse().unwrap()),
        None => cell.parse().unwrap(),
    }
}

#[test]
fn the_sets_are_those_of_the_document() {
    let rows = table("sets");
    assert_eq!(rows.len(), ParameterSet::ALL.len());
    for (set, row) in ParameterSet::ALL.into_iter().zip(rows) {
        let numbers = [
            f64::from(set.sent_bits()),
            f64::from(set.guard_bits()),
            f64::from(set.sum_bits()),
            set.bytes_per_coefficient() as f64,
            2_f64.powi(62 - set.sent_bits() as i32),
            f64::from(set.largest_cohort()),
        ];
        assert_eq!(row[0], set.name());
        assert_eq!(row[1..].iter().map(|cell| number(cell)).collect::<Vec<_>>(), numbers);
    }
}

#[test]
fn the_default_protection_is_that_of_the_threat_model() {
    let rows = table_in(include_str!("../../../../docs/threat-model.md"), "protection");
    assert!(rows.len() > 5);
    for row in rows {
        let n = row[0].parse().unwrap();
        let protection = Protection::default_for(ParameterSet::S32, n).unwrap();
        let (t, c) = (protection.threshold(), protection.colluding());
        assert_eq!(row[1..], [t, c, t - 2, n - t].map(|number| number.to_string()), "n = {n}");
    }
}

#[test]
fn the_security_figures_are_those_of_the_document() {
    for (set, row) in ParameterSet::ALL.into_iter().zip(table("security")) {
        let (core_svp, matzov) = set.security_estimate();
        assert_eq!(row[..3], [set.name(), &core_svp.to_string(), &matzov.to_string()]);
        let our_own = number(row[4]);
        assert!((our_own - f64::from(core_svp)).abs() < 1.0, "the cross-check agrees within a bit");
    }
}

#[test]
fn limbs_are_as_wide_as_the_document_says_and_always_fit() {
    for row in table("limbs") {
        let n = row[0].parse().unwrap();
        for (set, cell) in ParameterSet::ALL.into_iter().zip(&row[1..]) {
            let serves = n <= set.largest_cohort();
            assert_eq!(*cell, if serves { set.limb_bits(n).to_string() } else { "-".into() });
        }
    }
    for set in ParameterSet::ALL {
        for n in 3..=set.largest_cohort() {
            assert!(i64::from(n) << set.limb_bits(n) <= 1 << (set.sum_bits() - 1), "{n} in {set:?}");
        }
    }
}

#[test]
fn shares_reveals_and_public_parts_are_as_long_as_the_document_says() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for row in table("shares") {
        let n: u16 = row[0].parse().unwrap();
        let cohort: Vec<_> = (1..=n).map(|id| ParticipantId::new(id).unwrap()).collect();
        let (dealer, h1) = (cohort[0], Digest::of(b"h1"));
        let context =
            SharingContext { dealer, h1, cohort: &cohort, threshold: Protection::default_threshold(n) };
        let sharing = OneTimeKey::generate(&mut rng).share(&context, &mut rng).unwrap();
        let share = sharing.shares[0].1.to_bytes();
        let seal = SealContext { sender: dealer, recipient: dealer, h1 };
        let sealed = KemSecret::generate(&mut rng).public().seal(&share, &seal, &mut rng).len();
        let shares = cohort.iter().map(|id| (*id, h1)).collect();
        let public = Dealing { id: dealer, shares, public: sharing.public }.encode().len();
        let reveal = share.len() - 16 - 32;
        let megabytes = |bytes: usize| format!("{:.2}", bytes as f64 / 1e6);
        let (up, down) = (usize::from(n) * sealed + public, usize::from(n) * (sealed + public));
        let lengths = [reveal / 8, sealed, reveal, public].map(|length| length.to_string());
        assert_eq!(row[3..7], lengths, "n = {n}");
        assert_eq!(row[7..], [megabytes(up), megabytes(down)], "n = {n}");
    }
}

#[test]
fn as_many_values_fit_into_a_small_vector_as_the_document_says() {
    let shape = |n: u16, values: u32, most: f64| {
        let ids: Vec<_> = (1..=n).map(|id| ParticipantId::new(id).unwrap()).collect();
        let mut plan = federation::plan(ParameterSet::S32, &ids, 1, Digest::of(b"roster"));
        let block = Block { name: "values".into(), len: values, bound: most, resolution: 1.0 };
        plan.layout = Layout::new(vec![block]).unwrap();
        VectorShape::of(&plan)
    };
    for row in table("small-vectors") {
        let n = row[0].parse().unwrap();
        let widest: f64 = row[1].split(" - ").map(number).reduce(|power, one| power - one).unwrap();
        assert!(shape(n, 1, widest).is_some(), "n = {n}");
        assert!(widest == 2_f64.powi(52) || shape(n, 1, widest + 1.0).is_none(), "n = {n}");
        for (exponent, cell) in [0, 3, 6, 9, 12].into_iter().zip(&row[2..7]) {
            let (most, values) = (10_f64.powi(exponent), cell.parse().unwrap());
            assert_eq!(shape(n, values, most).map(|shape| shape.elements()), Some(512), "n = {n}");
            assert!(shape(n, values + 1, most).is_none(), "n = {n}");
        }
        let fifty = shape(n, 50, 1e6).unwrap();
        let lengths = [fifty.elements(), fifty.share_bytes() + 1_136, fifty.reveal_bytes()];
        assert_eq!(row[8..], lengths.map(|length| length.to_string()), "n = {n}");
    }
}

/// Real sums, from real uploads.
#[test]
fn the_noise_of_a_sum_is_as_wide_as_the_document_says() {
    for (n, values) in [(5, 60_000), (10, 30_000), (30, 10_000)] {
        let mut federation = Federation::new(ParameterSet::S32, n, values, 3);
        let ids = federation.ids();
        let zeros = ids.iter().map(|&id| (id, vec![0; values as usize])).collect();
        let updates = federation.encrypt(&zeros);
        let survivors = federation.survivors(&updates, &ids);
        let mut aggregate = federation.empty_aggregate();
        ids.iter().for_each(|id| aggregate.fold(*id, updates[id].bytes()).unwrap());
        let reveals = federation.reveal(&federation.certify(&survivors), &ids);
        let keys = reconstruct(&reveals, federation.threshold(), ids.len(), &survivors).unwrap().keys;
        let keys = keys.coefficients().map(i64::from);
        let noise = algebra::noise(&algebra::strip(aggregate.bytes(), &keys, &federation.masks));
        let unit = (1_u64 << 32) as f64;
        let squares: f64 = noise.iter().map(|&x| (x as f64 / unit).powi(2)).sum();
        let width = (squares / noise.len() as f64).sqrt();
        let rows = table("noise");
        let row = rows.iter().find(|row| row[0] == n.to_string()).expect("the document has this n");
        let expected = number(row[1]);
        // Five standard errors, and the rounding of the document.
        let tolerance = 5.0 * expected / (2.0 * noise.len() as f64).sqrt() + 0.005;
        assert!((width - expected).abs() < tolerance, "n = {n}: {width}, not {expected}");
    }
}

#[test]
fn the_noise_stays_within_the_guard_bits_as_surely_as_the_document_says() {
    for row in table("noise") {
        let n: u16 = row[0].parse().unwrap();
        for (set, cell) in ParameterSet::ALL.into_iter().zip(&row[2..]) {
            if n > set.largest_cohort() {
                assert_eq!(*cell, "-");
                continue;
            }
            let z_squared = 4_f64.powi(set.guard_bits() as i32 - 1) / (7.0 / 48.0 * f64::from(n));
            let bound = 1.0 - z_squared / 2.0 * std::f64::consts::LOG2_E;
            assert_eq!(*cell, format!("2^{}", bound.ceil()), "n = {n} in {set:?}");
            assert!(bound < -78.0);
        }
    }
}
