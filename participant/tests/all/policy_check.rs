//! `syndic-participant policy check`: the answer of a policy to a job file, without a coordinator.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use syndic_learning::Job;
use syndic_learning::job::Protected;
use syndic_learning::privacy::budget::Amount;
use syndic_participant::journal::{Account, Debit, Engagement, Journal, Known, read_known};
use syndic_participant::policy::Policy;
use syndic_round::Digest;

const JOB: &str = include_str!("../../../examples/jobs/credit-default-noise.toml");
const POLICY: &str = "purposes = [\"credit-risk\"]\nprograms = [\"logistic-regression\"]\n\
                      contracts = [\"credit_default.v1\"]\n";

fn check(folder: &Path, policy: &str, job: &str, more: &[&str]) -> Output {
    std::fs::write(folder.join("policy.toml"), policy).unwrap();
    std::fs::write(folder.join("job.toml"), job).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
    command.current_dir(folder).args(["policy", "check", "--policy", "policy.toml", "--job", "job.toml"]);
    command.args(more).output().unwrap()
}

#[test]
fn the_first_refusal_is_told_with_its_remedy_and_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let of = |policy: &str, more: &[&str]| check(folder.path(), policy, JOB, more);
    let accepted = of(POLICY, &["--institutions", "5"]);
    let told = String::from_utf8(accepted.stdout).unwrap();
    let digest = Job::from_toml(JOB).unwrap().contract.digest();
    assert!(
        accepted.status.success() && told.contains(&format!("credit_default.v1@sha256:{digest}")),
        "{told}"
    );

    let refused = of(&format!("{POLICY}[privacy]\nmax_honest = 1\n"), &["--institutions", "5"]);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("error[policy.honest]") && told.contains("raise `max_honest`"), "{told}");

    let refused = of("", &["--institutions", "5", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&told["accepts"], &told["code"]), (&false.into(), &"policy.purpose".into()), "{told}");
    assert_eq!(refused.status.code(), Some(1));
}

#[test]
fn a_job_that_can_never_fit_the_budget_is_refused_with_the_figures() {
    let folder = tempfile::tempdir().unwrap();
    let of = |budget: &str| {
        let policy = format!("{POLICY}[privacy.budget]\n{budget}\n");
        let refused = check(folder.path(), &policy, JOB, &["--institutions", "5"]);
        (refused.status.code(), String::from_utf8(refused.stderr).unwrap())
    };
    assert_eq!(of("epsilon = 3.0\ndelta = 1e-4").0, Some(0), "all of it is for this job");
    for budget in [
        "epsilon = 2.5\ndelta = 1e-4",
        "epsilon = 3.0\ndelta = 1e-4\nalready_spent = { epsilon = 0.5, delta = 0.0 }",
    ] {
        let (code, told) = of(budget);
        assert_eq!(code, Some(1), "{told}");
        for part in ["error[budget.spent]", "needs epsilon 2.9999", "has epsilon 2.5 at delta 1e-4 left"] {
            assert!(told.contains(part), "{told}");
        }
    }
}

#[test]
fn what_is_no_policy_and_what_is_no_job_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    for (policy, job, more, code) in [
        ("purpose = 3\n", JOB, ["--institutions", "5"], "policy.malformed"),
        (POLICY, "jane,87\n", ["--institutions", "5"], "job.malformed"),
        (POLICY, JOB, ["--institutions", "2"], "--institutions"),
    ] {
        let refused = check(folder.path(), policy, job, &more);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.contains(code) && !told.contains("jane"), "{told}");
    }
}

fn policy(more: &str) -> Policy {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    std::fs::write(&path, format!("{POLICY}{more}")).unwrap();
    Policy::load(&path).unwrap()
}

#[tokio::test]
async fn what_the_journal_knows_is_answered_as_the_agent_would() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let job = Job::from_toml(JOB).unwrap();
    let contract = job.contract.id();
    let (first, amount) = (Digest([7; 32]), Amount { micro_epsilon: 2_000_000, femto_delta: 0 });
    let (unit, earlier) = (Protected::Row, "earlier".to_owned());
    let debit = Debit { job: earlier, contract: contract.clone(), unit, amount, noise: None, at_ms: 0 };
    let engagement = Engagement {
        job: "earlier",
        agreement: Digest([1; 32]),
        contract: &contract,
        content: first,
        is_pinned: false,
        debit: Some(&debit),
    };
    let journal = Journal::open(&path).await.unwrap();
    journal.engage(&engagement, None).await.unwrap();
    drop(journal);

    let known = read_known(&path, job.identity.id.as_str(), &contract).await.unwrap();
    let account = Account { carried: BTreeMap::new(), debits: vec![debit.clone()], exact_jobs: 0 };
    assert_eq!(known, Known { agreement: None, content: Some(first), account: account.clone() });
    let code = |policy: &Policy, known: &Known| policy.check_known(&job, known).map_err(|no| no.code());
    assert_eq!(code(&policy(""), &known), Err("policy.contract-changed"));
    assert_eq!(
        code(&policy(""), &Known { agreement: Some(first), ..known.clone() }),
        Ok(()),
        "it goes on as it was"
    );

    let agreed = Known { content: Some(job.contract.digest()), ..known };
    let budget = |epsilon: &str, more: &str| {
        policy(&format!("[privacy.budget]\nepsilon = {epsilon}\ndelta = 1e-3\n{more}\n"))
    };
    assert_eq!(code(&budget("5.0", ""), &agreed), Ok(()), "2 are debited, and 3 are asked for");
    assert_eq!(code(&budget("4.9", ""), &agreed), Err("budget.spent"));
    let spent = "already_spent = { epsilon = 0.1, delta = 0.0 }";
    assert_eq!(code(&budget("5.0", spent), &agreed), Err("budget.spent"));
}

#[tokio::test]
async fn a_budget_of_institutions_counts_their_debits_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let job = Job::from_toml(INSTITUTIONS).unwrap();
    let contract = job.contract.id();
    let journal = Journal::open(&path).await.unwrap();
    for (earlier, unit) in [("of-rows", Protected::Row), ("of-institutions", Protected::Institution)] {
        let amount = Amount { micro_epsilon: 3_000_000, femto_delta: 0 };
        let debit =
            Debit { job: earlier.into(), contract: contract.clone(), unit, amount, noise: None, at_ms: 0 };
        let engagement = Engagement {
            job: earlier,
            agreement: Digest([1; 32]),
            contract: &contract,
            content: job.contract.digest(),
            is_pinned: false,
            debit: Some(&debit),
        };
        journal.engage(&engagement, None).await.unwrap();
    }
    drop(journal);

    let known = read_known(&path, job.identity.id.as_str(), &contract).await.unwrap();
    let of = |rows: &str, institution: &str| {
        let budget = |epsilon: &str| format!("budget = {{ epsilon = {epsilon}, delta = 1e-3 }}");
        let text = format!("[privacy]\n{}\n[privacy.institution]\n{}\n", budget(rows), budget(institution));
        policy(&text).check_known(&job, &known).map_err(|no| no.to_string())
    };
    // Three are debited, and eight are asked for; what rows have left is nothing to it.
    assert_eq!(of("0.1", "11.0"), Ok(()));
    let refused = of("100.0", "10.9").unwrap_err();
    assert!(refused.contains("for each institution") && refused.contains("epsilon 7.9"), "{refused}");
}

const INSTITUTIONS: &str = include_str!("../../../examples/jobs/credit-default-institutions.toml");
