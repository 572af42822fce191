//! A column that says whose a row is, and noise for customers.

use super::*;
use crate::job::Unit;

const NOISE: &str =
    "mode = \"record-level\"\nunit = \"customer\"\nepsilon = 2\ndelta = 1e-5\nnoise = \"local\"";

/// The file with these lines in `[contract]`.
fn with(lines: &str) -> String {
    FILE.replacen("version = 1\n", &format!("version = 1\n{lines}\n"), 1)
}

/// The same with noise by these terms.
fn noisy(lines: &str, privacy: &str) -> String {
    let text = with(lines);
    let start = text.find("solver").unwrap();
    let end = start + text[start..].find("[rounds]").unwrap();
    let text = format!("{}solver = \"noisy-gradient\"\n\n{}", &text[..start], &text[end..]);
    text.replacen("mode = \"none\"", privacy, 1)
}

fn codes(text: &str) -> Vec<&'static str> {
    let told = Job::from_toml(text).unwrap_err();
    assert!(told.iter().all(|told| !told.help.is_empty()), "{told:?}");
    told.into_iter().map(|told| told.code).collect()
}

#[test]
fn a_column_of_customers_is_read_and_written_again_and_contracts_without_it_keep_their_bytes() {
    let job = Job::from_toml(&with("customer = \"customer_id\"\nmax_rows_per_customer = 3")).unwrap();
    assert_eq!(job.contract.customer.as_deref(), Some("customer_id"));
    assert_eq!((job.contract.rows_per_customer(), job.contract.inputs()), (3, 4));
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
    crate::job::parse_contract::check(&job.contract).unwrap();
    let one = Job::from_toml(&with("customer = \"customer_id\"")).unwrap();
    assert_eq!(one.contract.rows_per_customer(), 1);
    let plain = Job::from_toml(FILE).unwrap();
    assert!(!serde_json::to_string(&plain).unwrap().contains("customer"));
}

#[test]
fn a_column_of_customers_is_neither_label_nor_input() {
    for (lines, code) in [
        ("customer = \"age\"", "contract.customer-is-input"),
        ("customer = \"label\"", "contract.customer-is-label"),
        ("customer = \" id\"", "contract.bad-column"),
        ("customer = \"\"", "contract.bad-column"),
        ("max_rows_per_customer = 2", "contract.no-customer"),
        ("customer = \"id\"\nmax_rows_per_customer = 0", "job.out-of-range"),
        ("customer = \"id\"\nmax_rows_per_customer = 1001", "job.out-of-range"),
        ("customer = 7", "job.wrong-type"),
    ] {
        assert_eq!(codes(&with(lines)), [code], "{lines}");
    }
}

#[test]
fn noise_for_customers_is_as_wide_as_their_rows_need_and_claims_so() {
    let rows = Job::from_toml(&noisy("", &NOISE.replace("\"customer\"", "\"row\""))).unwrap();
    let one = Job::from_toml(&noisy("customer = \"id\"", NOISE)).unwrap();
    let four = Job::from_toml(&noisy("customer = \"id\"\nmax_rows_per_customer = 4", NOISE)).unwrap();
    assert_eq!(four.privacy.record_level().unwrap().unit, Unit::Customer);
    assert_eq!(Job::from_toml(&four.to_toml().unwrap()).unwrap(), four);
    let found = |job: &Job| job.calibration().unwrap().unwrap();
    assert_eq!(found(&one), found(&rows), "one row each is the same noise");
    let wider = found(&four).variance as f64 / found(&one).variance as f64;
    assert!((wider / 16.0 - 1.0).abs() < 2e-3, "{wider}");
    assert!(found(&four).spent.epsilon <= 2.0);
    // Rows of one whom a contract counts do not make noise for rows wider.
    let counted =
        noisy("customer = \"id\"\nmax_rows_per_customer = 4", &NOISE.replace("\"customer\"", "\"row\""));
    assert_eq!(found(&Job::from_toml(&counted).unwrap()), found(&rows));
    let unit = |job: &Job| job.claim(None).unwrap().unwrap().unit;
    assert!(unit(&rows).starts_with("one training row of one institution"), "{}", unit(&rows));
    assert!(unit(&one).starts_with("one customer of one institution, whose one row"), "{}", unit(&one));
    assert!(unit(&four).contains("whose rows, up to 4 and all of them for training or all for testing"));
}

#[test]
fn counts_of_test_rows_have_noise_for_all_rows_of_a_customer() {
    let measured = format!("{NOISE}\ntest_bins = 32");
    let of = |most: u32| {
        let lines = format!("customer = \"id\"\nmax_rows_per_customer = {most}");
        Job::from_toml(&noisy(&lines, &measured)).unwrap()
    };
    let found = |job: &Job| job.evaluation_calibration().unwrap().unwrap();
    let (one, three) = (of(1), of(3));
    let wider = found(&three).variance as f64 / found(&one).variance as f64;
    assert!((wider / 9.0 - 1.0).abs() < 3e-3, "{wider}");
    let told = three.claim(None).unwrap().unwrap().evaluation.unwrap();
    assert!(told.contains("all rows of a customer are for training or for testing"), "{told}");
    // In rows, not in customers.
    let said: f64 =
        told.strip_prefix("discrete Gaussian noise of ").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((said / found(&three).noise() / 3.0 - 1.0).abs() < 1e-3, "{told}");
}

#[test]
fn customers_as_the_unit_need_a_column_that_tells_them_apart() {
    assert_eq!(codes(&noisy("", NOISE)), ["privacy.no-customer"]);
    let household = NOISE.replace("\"customer\"", "\"household\"");
    assert_eq!(codes(&noisy("customer = \"id\"", &household)), ["privacy.unknown-unit"]);
    // Wider than can be drawn.
    let lines = "customer = \"id\"\nmax_rows_per_customer = 1000";
    assert_eq!(
        codes(&noisy(lines, &NOISE.replace("epsilon = 2", "epsilon = 0.02"))),
        ["privacy.unreachable"]
    );
}
