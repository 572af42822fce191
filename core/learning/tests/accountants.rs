//! Both accountants against one that is none of ours: Google's dp-accounting, over a grid of trainings.
//!
//! `cargo xtask python` installs it, and `cargo xtask test` does so by itself. Where it is not, this says so and passes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::{Path, PathBuf};

use syndic_learning::privacy::pld::PrivacyLoss;
use syndic_learning::privacy::rdp::RenyiCurve;
use syndic_learning::privacy::sum::{DiscreteGaussianSum, most_l1};

/// What dp-accounting says of one training.
#[derive(Debug)]
struct Row {
    rate: f64,
    noise: f64,
    steps: u64,
    delta: f64,
    rdp: f64,
    pld: f64,
    pld_from_below: f64,
}

#[test]
fn dp_accounting_says_the_same() {
    let Some(rows) = rows() else { return };
    assert!(rows.len() > 30, "{}", rows.len());
    let mut made: Option<(RenyiCurve, PrivacyLoss)> = None;
    let (mut last, mut discrete) = (None, None);
    for row in rows {
        // The rows of one training differ in delta alone.
        if last != Some((row.rate, row.noise, row.steps)) {
            let curve = RenyiCurve::sampled_gaussian(row.rate, row.noise).unwrap().times(row.steps).unwrap();
            made = Some((curve, PrivacyLoss::sampled_gaussian(row.rate, row.noise, row.steps).unwrap()));
            last = Some((row.rate, row.noise, row.steps));
            discrete =
                Some(wide_sum(row.noise).curve_on_samples(row.rate).unwrap().times(row.steps).unwrap());
        }
        let (curve, loss) = made.as_ref().unwrap();
        let rdp = curve.epsilon(row.delta).unwrap().guarantee.epsilon;
        let pld = loss.epsilon(row.delta).unwrap().epsilon;
        println!("{row:?}: {rdp} {pld}");
        assert!((rdp - row.rdp).abs() <= 0.01 * row.rdp, "{row:?}: RDP {rdp}");
        assert!((pld - row.pld).abs() <= 0.005 * row.pld, "{row:?}: PLD {pld}");
        // Theirs is no exact value either: both lie above it, and may do so by other amounts.
        assert!(pld >= row.pld_from_below && pld >= row.pld * (1.0 - 1e-3), "{row:?}: PLD {pld}");
        assert!(rdp >= pld, "{row:?}: RDP {rdp}, PLD {pld}");
        let summed = discrete.as_ref().unwrap().epsilon(row.delta).unwrap().guarantee.epsilon;
        // As wide as theirs, it costs what theirs does, and never less; what it costs more is between whole orders.
        assert!(summed >= row.rdp * (1.0 - 1e-6) && summed >= row.pld_from_below, "{row:?}: sums {summed}");
        assert!(summed <= row.rdp * 1.12, "{row:?}: sums {summed}");
    }
}

/// What jobs add up: discrete Gaussians of three institutions, so wide that it hardly matters that they are.
fn wide_sum(noise: f64) -> DiscreteGaussianSum {
    let (l2, dimension) = (67_554.0, 91);
    let variance = noise * noise * l2 * l2 / 3.0;
    DiscreteGaussianSum { variance, contributors: 3, l2, l1: most_l1(l2, dimension), dimension }
}

/// None, said loudly, where dp-accounting is not installed.
fn rows() -> Option<Vec<Row>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/accountants.py");
    let python = python();
    if !runs(&python, &["-c", "import dp_accounting"]).is_some_and(|found| found.status.success()) {
        eprintln!("*** SKIPPED: no dp-accounting for {}; run `cargo xtask python` ***", python.display());
        return None;
    }
    let output = runs(&python, &["-B", script]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(row).collect())
}

fn row(line: &str) -> Row {
    let mut fields = line.split(' ').map(|field| field.parse::<f64>().unwrap());
    let mut next = || fields.next().unwrap();
    Row {
        rate: next(),
        noise: next(),
        steps: next() as u64,
        delta: next(),
        rdp: next(),
        pld: next(),
        pld_from_below: next(),
    }
}

/// In the virtual environment that `cargo xtask python` makes.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python3")
}

#[expect(clippy::disallowed_methods, reason = "the other accountant is a program")]
fn runs(program: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    std::process::Command::new(program).args(arguments).output().ok()
}
