//! What a site policy lets its institution take part in: what it names, and nothing less protected than the
//! default unless it names that too.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use syndic_learning::Job;
use syndic_participant::policy::{Denied, Named, Policy};
use syndic_round::{ParameterSet, Protection};

/// The policy of a bank in the example, which takes part in the example's job.
const POLICY: &str = include_str!("../../../examples/two-hosts/policy.toml");

fn job() -> Job {
    Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap()
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
        let word = if list == "programs" { "boosted-trees" } else { "something-else" };
        let other = format!("{without}{list} = [\"{word}\"]\n");
        // What is allowed is named in full: neither the beginning of a name nor a pattern is enough.
        let loose = format!("{without}{list} = [\"*\", \"\", \"marketing\", \"bank_marketing\"]\n");
        let loose = (list != "programs").then_some(loose);
        for text in [without, empty, other].into_iter().chain(loose) {
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
    let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
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
    assert_eq!((budget.limit().0.micro_epsilon, budget.carried()), (10_000_000, None));
    let carried = of(
        "[privacy.budget]\nepsilon = 10.0\ndelta = 1e-4\nalready_spent = { epsilon = 2.5, delta = 1e-6 }\n",
    );
    assert_eq!(carried.privacy.budget.unwrap().carried().unwrap().micro_epsilon, 2_500_000);
}

#[test]
fn a_network_with_noise_is_limited_by_what_it_spends_as_a_logistic_regression_is() {
    let network = |epsilon: f64| {
        let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
        let text = text.replacen("name = \"logistic-regression\"", "name = \"neural-network\"", 1);
        let text = text.replacen("solver = \"noisy-gradient\"", "optimiser = \"noisy-gradient\"", 1);
        Job::from_toml(&text.replacen("epsilon = 3.0", &format!("epsilon = {epsilon}"), 1)).unwrap()
    };
    let of = |programs: &str| {
        policy(&format!(
            "purposes = [\"credit-risk\"]\nprograms = [\"{programs}\"]\ncontracts = [\"credit_default.v1\"]\n\
             [privacy]\nallow_exact_sums = false\nmax_epsilon_per_job = 3.0\n"
        ))
    };
    let code = |programs: &str, job: &Job| of(programs).check(job, &default_for(5)).map_err(|no| no.code());
    assert_eq!(code("neural-network", &network(3.0)), Ok(()));
    assert_eq!(code("neural-network", &network(3.1)), Err("policy.epsilon"));
    assert_eq!(code("logistic-regression", &network(3.0)), Err("policy.program"));
}

/// The policy of the noisy example's site, with more lines.
fn site(more: &str) -> Policy {
    let names = "purposes = [\"credit-risk\"]\nprograms = [\"logistic-regression\"]\n";
    policy(&format!("{names}contracts = [\"credit_default.v1\"]\n{more}"))
}

#[test]
fn whatever_is_limited_exact_sums_are_no_longer_accepted_by_default() {
    let mut exact = noisy(3.0);
    exact.privacy = syndic_learning::job::Privacy::None {};
    let code = |more: &str| site(more).check(&exact, &default_for(5)).map_err(|no| no.code());
    for limit in [
        "max_epsilon_per_job = 3.0",
        "max_delta_per_job = 1e-6",
        "noise = \"local\"",
        "max_honest = 2",
        "budget = { epsilon = 10.0, delta = 1e-4 }",
    ] {
        assert_eq!(code(&format!("[privacy]\n{limit}\n")), Err("policy.exact-sums"), "{limit}");
        assert_eq!(code(&format!("[privacy]\nallow_exact_sums = true\n{limit}\n")), Ok(()), "{limit}");
    }
    let help = site("[privacy]\nmax_honest = 2\n").check(&exact, &default_for(5)).unwrap_err().help();
    assert!(help.contains("allow_exact_sums = true"), "{help}");
}

#[test]
fn a_job_asks_for_no_more_delta_than_the_policy_or_else_1e_5() {
    let asking = |delta: f64| {
        let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
        Job::from_toml(&text.replacen("delta = 1e-5", &format!("delta = {delta:e}"), 1)).unwrap()
    };
    let code = |more: &str, delta| site(more).check(&asking(delta), &default_for(5)).map_err(|no| no.code());
    let epsilon = "[privacy]\nmax_epsilon_per_job = 3.0\n";
    assert_eq!(code(epsilon, 1e-5), Ok(()));
    assert_eq!(code(epsilon, 1.1e-5), Err("policy.delta"));
    assert_eq!(code(&format!("{epsilon}max_delta_per_job = 1e-3\n"), 1e-3), Ok(()));
    assert_eq!(code(&format!("{epsilon}max_delta_per_job = 1e-6\n"), 1e-5), Err("policy.delta"));
    assert_eq!(code(&format!("{epsilon}max_delta_per_job = nan\n"), 1e-9), Err("policy.delta"));
    assert_eq!(code("", 1e-2), Ok(()), "nothing is limited");
    let told = site(epsilon).check(&asking(1e-3), &default_for(5)).unwrap_err().to_string();
    assert!(told.contains("asks for delta 1e-3") && told.contains("allows delta 1e-5"), "{told}");
}

#[test]
fn a_policy_says_whose_noise_has_to_suffice() {
    let check = |more: &str, job: &Job| {
        site(&format!("[privacy]\n{more}\n")).check(job, &default_for(5)).map_err(|no| no.code())
    };
    let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
    let of_two = noisy(3.0);
    assert_eq!(of_two.privacy.record_level().unwrap().contributors(), 2, "the example's");
    let local = text.replacen("noise = \"distributed\"", "noise = \"local\"", 1);
    let local: String =
        local.lines().filter(|line| !line.starts_with("honest")).map(|line| format!("{line}\n")).collect();
    let local = Job::from_toml(&local).unwrap();

    assert_eq!(check("noise = \"local\"", &of_two), Err("policy.noise"));
    assert_eq!(check("noise = \"local\"", &local), Ok(()));
    assert_eq!(check("max_honest = 1", &of_two), Err("policy.honest"));
    assert_eq!(check("max_honest = 2", &of_two), Ok(()));
    assert_eq!(check("max_honest = 1", &local), Ok(()), "its own noise is one institution's");
}

#[test]
fn a_contract_may_be_pinned_by_the_digest_of_its_content() {
    let digest = job().contract.digest();
    let pinned = |pins: &[String]| {
        let pins: Vec<_> = pins.iter().map(|pin| format!("\"{pin}\"")).collect();
        policy(&POLICY.replacen("\"bank_marketing.v1\"", &pins.join(", "), 1))
    };
    let pin = format!("bank_marketing.v1@sha256:{digest}");
    let mut probing = job();
    probing.contract.max_rows = 17;

    let policy_of_one = pinned(std::slice::from_ref(&pin));
    assert_eq!(policy_of_one.check(&job(), &default_for(5)), Ok(()));
    assert_eq!(policy_of_one.names(&job()), Ok(Named::ByContent));
    let refused = policy_of_one.check(&probing, &default_for(5)).unwrap_err();
    assert_eq!(refused.code(), "policy.contract-changed");
    assert!(refused.to_string().contains(&format!("sha256:{digest} was agreed")), "{refused}");
    assert_eq!(pinned(&["bank_marketing.v1".into()]).names(&probing), Ok(Named::ById), "the journal decides");
    let both = pinned(&[pin.clone(), format!("bank_marketing.v1@sha256:{}", probing.contract.digest())]);
    assert_eq!((both.names(&job()), both.names(&probing)), (Ok(Named::ByContent), Ok(Named::ByContent)));
}

#[test]
fn a_pin_that_is_no_digest_is_an_error_and_not_an_allowance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    for pin in ["@", "@sha256:", "@sha256:12ab", "@sha1:00", &format!("@sha256:{}", "x".repeat(64))] {
        std::fs::write(&path, POLICY.replacen("bank_marketing.v1", &format!("bank_marketing.v1{pin}"), 1))
            .unwrap();
        let told = Policy::load(&path).unwrap_err().to_string();
        assert!(told.contains("NAME.vVERSION@sha256: with 64 hexadecimal digits"), "{told}");
        assert!(!told.contains("bank_marketing"), "{told}");
    }
}

#[test]
fn a_misspelt_program_is_an_error_that_knows_the_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, "programs = [\"boosted-trees\", \"logistic-regresion\"]\n").unwrap();
    let told = Policy::load(&path).unwrap_err().to_string();
    assert!(
        told.contains("entry 2 of `programs`") && told.contains("did you mean `logistic-regression`?"),
        "{told}"
    );
    assert!(!told.contains("regresion"), "{told}");
}

#[test]
fn lots_and_jobs_of_some_members_are_refused_where_the_policy_says_so() {
    let mut by_lot = job();
    by_lot.cohort.each_round = Some(3);
    let mut of_some = job();
    of_some.cohort.members = Some(vec!["bank_a".into(), "bank_b".into(), "bank_c".into()]);
    let code = |line: &str, job: &Job| {
        policy(&format!("{line}\n{POLICY}")).check(job, &default_for(5)).map_err(|no| no.code())
    };
    assert_eq!((code("", &by_lot), code("", &of_some)), (Ok(()), Ok(())));
    assert_eq!(code("allow_lots = false", &by_lot), Err("policy.lots"));
    assert_eq!(code("allow_lots = false", &of_some), Ok(()));
    assert_eq!(code("allow_members = false", &of_some), Err("policy.members"));
    assert_eq!(code("allow_members = false", &job()), Ok(()), "a job of all members names none");
}

/// A job whose noise is for institutions, of the example's contract.
fn hidden(epsilon: f64) -> Job {
    let text = include_str!("../../../examples/jobs/credit-default-institutions.toml");
    let text = text.replacen("epsilon = 8.0", &format!("epsilon = {epsilon}"), 1);
    Job::from_toml(&text.replacen("honest = 17", "honest = 2", 1)).unwrap()
}

#[test]
fn a_policy_that_says_nothing_of_institutions_takes_part_in_no_job_that_spends_of_them() {
    let code = |more: &str| site(more).check(&hidden(8.0), &default_for(5)).map_err(|no| no.code());
    for old in [
        "",
        "[privacy]\nallow_exact_sums = true\n",
        "[privacy]\nmax_epsilon_per_job = 100.0\nmax_delta_per_job = 1e-2\n",
        "[privacy.budget]\nepsilon = 1000.0\ndelta = 1e-1\n",
    ] {
        assert_eq!(code(old), Err("policy.unit"), "{old}");
    }
    let help = site("").check(&hidden(8.0), &default_for(5)).unwrap_err().help();
    assert!(help.contains("[privacy.institution]"), "{help}");
    assert_eq!(code("[privacy.institution]\n"), Ok(()));
    let allowing = Policy::allowing(&hidden(8.0), &default_for(5));
    assert_eq!(allowing.check(&hidden(8.0), &default_for(5)), Ok(()), "what a sandbox gives its own");
    assert_eq!(Policy::allowing(&noisy(3.0), &default_for(5)).privacy.institution, None);
}

#[test]
fn limits_of_rows_are_none_of_institutions_and_the_other_way_round() {
    let code = |more: &str, job: &Job| site(more).check(job, &default_for(5)).map_err(|no| no.code());
    let both = "[privacy]\nmax_epsilon_per_job = 3.0\n[privacy.institution]\nmax_epsilon_per_job = 8.0\n";
    assert_eq!(code(both, &noisy(3.0)), Ok(()));
    assert_eq!(code(both, &noisy(8.0)), Err("policy.epsilon"), "that of institutions is none of rows");
    assert_eq!(code(both, &hidden(8.0)), Ok(()), "that of rows is none of institutions");
    assert_eq!(code(both, &hidden(8.1)), Err("policy.epsilon"));
    // A limit on one means nothing beside none on the other.
    let of_rows = "[privacy]\nmax_epsilon_per_job = 8.0\n[privacy.institution]\nmax_delta_per_job = 1e-2\n";
    assert_eq!(code(of_rows, &noisy(3.0)), Ok(()));
    assert_eq!(code(of_rows, &hidden(8.0)), Err("policy.unit"));
    let of_institutions = "[privacy.institution.budget]\nepsilon = 100.0\ndelta = 1e-3\n";
    assert_eq!(code(of_institutions, &hidden(8.0)), Ok(()));
    assert_eq!(code(of_institutions, &noisy(3.0)), Err("policy.unit"));
    let delta = "[privacy.institution]\nmax_delta_per_job = 1e-6\n";
    assert_eq!(code(delta, &hidden(8.0)), Err("policy.delta"));
    // Whose noise it is matters whatever it hides.
    assert_eq!(
        code("[privacy]\nmax_honest = 1\n[privacy.institution]\n", &hidden(8.0)),
        Err("policy.honest")
    );
    let local = "[privacy]\nnoise = \"local\"\n[privacy.institution]\n";
    assert_eq!(code(local, &hidden(8.0)), Err("policy.noise"));
    // Exact sums are none of it, and a section of it limits something.
    let mut exact = noisy(3.0);
    exact.privacy = syndic_learning::job::Privacy::None {};
    assert_eq!(code("[privacy.institution]\n", &exact), Err("policy.exact-sums"));
}
