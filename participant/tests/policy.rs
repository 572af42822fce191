//! What a site policy lets its institution take part in: what it names, and nothing less protected than the
//! default unless it names that too.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use syndic_learning::Job;
use syndic_participant::policy::{Denied, Policy};
use syndic_round::{ParameterSet, Protection};

/// The policy of a bank in the example, which takes part in the example's job.
const POLICY: &str = include_str!("../../examples/two-hosts/policy.toml");

fn job() -> Job {
    Job::from_toml(include_str!("../../examples/bank-marketing/job.toml")).unwrap()
}

/// The policy in `text`, as a file.
fn policy(text: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, text).unwrap();
    Policy::load(&path).unwrap()
}

/// The example's policy, and the least protection that it accepts.
fn accepting(min_threshold: Option<u16>, min_colluding: Option<u16>) -> Policy {
    let line =
        |key: &str, least: Option<u16>| least.map_or_else(String::new, |least| format!("{key} = {least}\n"));
    let (threshold, colluding) = (line("min_threshold", min_threshold), line("min_colluding", min_colluding));
    policy(&format!("{threshold}{colluding}{POLICY}"))
}

/// A job's protection among `n`.
fn protection(n: u16, threshold: u16, colluding: u16) -> Protection {
    Protection::new(ParameterSet::S32, n, threshold, colluding, threshold).unwrap()
}

fn default_for(n: u16) -> Protection {
    Protection::default_for(ParameterSet::S32, n).unwrap()
}

#[test]
fn what_the_policy_names_is_allowed_under_the_default_protection() {
    for n in 3..=256 {
        assert_eq!(policy(POLICY).check(&job(), &default_for(n)), Ok(()), "{n} institutions");
    }
}

#[test]
fn an_absent_list_allows_nothing() {
    let expected = [
        ("purposes", Denied::Purpose("marketing-response".into()), "policy.purpose"),
        ("programs", Denied::Program("logistic-regression".into()), "policy.program"),
        ("contracts", Denied::Contract("bank_marketing.v1".into()), "policy.contract"),
    ];
    for (list, denied, code) in expected {
        let without: String =
            POLICY.lines().filter(|line| !line.starts_with(list)).map(|line| format!("{line}\n")).collect();
        assert_ne!(without, POLICY, "the example names {list}");
        let empty = format!("{without}{list} = []\n");
        let other = format!("{without}{list} = [\"something-else\"]\n");
        // What is allowed is named in full: neither the beginning of a name nor a pattern is enough.
        let loose =
            format!("{without}{list} = [\"*\", \"\", \"marketing\", \"logistic\", \"bank_marketing\"]\n");
        for text in [without, empty, other, loose] {
            let refused = policy(&text).check(&job(), &default_for(5)).unwrap_err();
            assert_eq!((&refused, refused.code()), (&denied, code), "{text}");
        }
    }
    assert_eq!(policy("").check(&job(), &default_for(5)).unwrap_err().code(), "policy.purpose");
    assert_eq!(Policy::default(), policy(""), "an empty file allows what no file allows");
}

#[test]
fn another_version_of_a_contract_is_another_contract() {
    let mut next = job();
    next.contract.version += 1;
    let refused = policy(POLICY).check(&next, &default_for(5)).unwrap_err();
    assert_eq!(refused, Denied::Contract("bank_marketing.v2".into()));
}

#[test]
fn weaker_protection_than_the_default_is_denied_unless_it_is_named() {
    let default = default_for(5);
    assert_eq!((default.threshold(), default.colluding()), (4, 2), "the table in docs/protocol.md");
    let weaker = protection(5, 3, 0);
    let fewer_colluders = protection(5, 4, 1);
    let check = |least: (Option<u16>, Option<u16>), of: &Protection| {
        accepting(least.0, least.1).check(&job(), of).map_err(|denied| denied.code())
    };

    for named in [(None, None), (Some(3), None), (None, Some(0)), (Some(4), Some(0)), (Some(3), Some(1))] {
        assert_eq!(check(named, &weaker), Err("policy.protection"), "{named:?}");
    }
    assert_eq!(check((Some(3), Some(0)), &weaker), Ok(()), "both were named");
    for named in [(None, None), (Some(4), None), (Some(3), None), (None, Some(2))] {
        assert_eq!(check(named, &fewer_colluders), Err("policy.protection"), "{named:?}");
    }
    assert_eq!(check((None, Some(1)), &fewer_colluders), Ok(()));
    assert_eq!(check((None, None), &protection(5, 5, 2)), Ok(()), "more reveals than the default are fine");
    assert_eq!(check((None, None), &protection(5, 5, 3)), Ok(()));
}

#[test]
fn a_policy_may_demand_more_than_the_default() {
    let refused = accepting(Some(5), None).check(&job(), &default_for(5)).unwrap_err();
    let expected = Denied::Protection { threshold: 4, min_threshold: 5, colluding: 2, min_colluding: 2 };
    assert_eq!(refused, expected);
    assert_eq!(accepting(Some(5), Some(3)).check(&job(), &protection(5, 5, 3)), Ok(()));
    assert_eq!(
        accepting(None, Some(3)).check(&job(), &protection(5, 5, 2)).unwrap_err().code(),
        "policy.protection"
    );
}

#[test]
fn a_misspelt_line_is_an_error_and_not_an_allowance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    for (line, what) in [
        ("min_treshold = 3", "unknown key `min_treshold`"),
        ("min_threshold = \"3\"", "expected u16 at `min_threshold`"),
        ("min_threshold = -1", "expected u16 at `min_threshold`"),
        ("purpose = [\"*\"]", "unknown key `purpose`"),
    ] {
        std::fs::write(&path, format!("{line}\n{POLICY}")).unwrap();
        let refused = Policy::load(&path).unwrap_err().to_string();
        assert!(refused.contains("policy.toml: line 1: ") && refused.contains(what), "{refused}");
    }
}

#[test]
fn the_policy_made_for_one_job_allows_no_weaker_one() {
    let own = Policy::allowing(&job(), &default_for(5));
    assert_eq!(own.check(&job(), &default_for(5)), Ok(()));
    assert_eq!(own.check(&job(), &protection(5, 3, 0)).unwrap_err().code(), "policy.protection");
    let mut other = job();
    other.identity.purpose = "something-else".into();
    assert_eq!(own.check(&other, &default_for(5)).unwrap_err().code(), "policy.purpose");

    let weak = Policy::allowing(&job(), &protection(5, 3, 0));
    assert_eq!(weak.check(&job(), &protection(5, 3, 0)), Ok(()), "the sandbox runs what it was asked to run");
}

#[test]
fn a_table_given_as_a_policy_is_refused_by_its_line_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, "Jane Doe,87.25,yes\nJohn Roe,12,no\n").unwrap();

    let told = Policy::load(&path).unwrap_err().to_string();

    assert!(told.contains("line 1: "), "{told}");
    assert!(!told.contains("Jane") && !told.contains("87.25") && !told.contains("John"), "{told}");
}

#[test]
fn a_value_of_another_kind_is_told_without_its_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, "min_threshold = \"Jane Doe\"\n").unwrap();

    let told = Policy::load(&path).unwrap_err().to_string();

    assert!(told.contains("line 1: ") && told.contains("`min_threshold`"), "{told}");
    assert!(!told.contains("Jane"), "{told}");
}

/// The example's job, with noise that keeps this epsilon.
fn noisy(epsilon: f64) -> Job {
    let text = include_str!("../../examples/jobs/credit-default-noise.toml");
    let text = text.replacen("epsilon = 3.0", &format!("epsilon = {epsilon}"), 1);
    Job::from_toml(&text).unwrap()
}

#[test]
fn exact_sums_and_epsilons_are_allowed_as_the_section_on_privacy_says() {
    let of = |privacy: &str| {
        let names =
            "purposes = [\"marketing-response\", \"credit-risk\"]\nprograms = [\"logistic-regression\"]\n";
        let contracts = "contracts = [\"bank_marketing.v1\", \"credit_default.v1\"]\n";
        policy(&format!("{names}{contracts}{privacy}"))
    };
    let code = |policy: &Policy, job: &Job| policy.check(job, &default_for(5)).map_err(|no| no.code());
    for open in ["", "[privacy]\n", "[privacy]\nallow_exact_sums = true\n"] {
        assert_eq!(code(&of(open), &job()), Ok(()), "{open}");
        assert_eq!(code(&of(open), &noisy(3.0)), Ok(()), "{open}");
    }
    let noisy_alone = of("[privacy]\nallow_exact_sums = false\nmax_epsilon_per_job = 3.0\n");
    assert_eq!(code(&noisy_alone, &job()), Err("policy.exact-sums"));
    assert_eq!(code(&noisy_alone, &noisy(3.0)), Ok(()));
    assert_eq!(code(&noisy_alone, &noisy(3.1)), Err("policy.epsilon"));
    let told = noisy_alone.check(&noisy(8.0), &default_for(5)).unwrap_err().to_string();
    assert!(told.contains("epsilon 7.99") && told.contains("allows epsilon 3"), "{told}");
    let budget = of("[privacy.budget]\nepsilon = 10.0\ndelta = 1e-4\n").privacy.budget.unwrap();
    assert_eq!(budget.limit().0.micro_epsilon, 10_000_000);
}
