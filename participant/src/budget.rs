//! `syndic-participant budget`: the privacy account, for people and for programs.

use std::fmt::Write as _;

use syndic_learning::job::Protected;
use syndic_learning::privacy::budget::Amount;
use syndic_ledger::Timestamp;
use syndic_participant::journal::{Account, Debit, NoiseBasis};
use syndic_participant::policy::{Budget, PrivacyPolicy};

/// The account, and what is left of the budgets that the policy grants.
pub(crate) fn shown(account: &Account, policy: &PrivacyPolicy, json: bool) -> String {
    if json { to_json(account, policy) } else { to_text(account, policy) }
}

fn to_json(account: &Account, policy: &PrivacyPolicy) -> String {
    let amount = |amount: Amount| serde_json::json!({ "micro_epsilon": amount.micro_epsilon, "femto_delta": amount.femto_delta });
    let debits: Vec<_> = account
        .debits
        .iter()
        .map(|debit| {
            serde_json::json!({
                "job": debit.job, "contract": debit.contract, "unit": debit.unit.name(), "at_ms": debit.at_ms,
                "amount": amount(debit.amount), "noise": debit.noise.as_ref().map(|noise| &noise.source),
                "honest": debit.noise.as_ref().map(|noise| noise.honest),
            })
        })
        .collect();
    let of = |unit| {
        let (debited, budget) = (account.debited(unit), policy.budget_of(unit));
        let left = budget.map(|budget| amount(budget.limit().left(debited)));
        let carried = account.carried.get(&unit).copied().map(amount);
        (carried, amount(debited), budget.map(|budget| amount(budget.limit().0)), left)
    };
    let (already_spent, debited, budget, left) = of(Protected::Row);
    let institution = of(Protected::Institution);
    serde_json::json!({
        "already_spent": already_spent,
        "debits": debits,
        "debited": debited,
        "budget": budget,
        "left": left,
        "institution": {
            "already_spent": institution.0, "debited": institution.1, "budget": institution.2, "left": institution.3,
        },
        "exact_jobs": account.exact_jobs,
    })
    .to_string()
}

fn to_text(account: &Account, policy: &PrivacyPolicy) -> String {
    let mut text = String::new();
    for (unit, carried) in account.carried.iter().filter(|(_, carried)| **carried != Amount::default()) {
        let _ = writeln!(text, "before this journal, as the site policy says: {carried}{}", of_unit(*unit));
    }
    for Debit { job, contract, unit, amount, noise, at_ms } in &account.debits {
        let at = Timestamp::from_unix_ms(*at_ms).map_or_else(|_| at_ms.to_string(), |time| time.to_string());
        let noise = match noise {
            Some(NoiseBasis { source, honest: 1 }) => format!(", {source} noise"),
            Some(NoiseBasis { source, honest }) => {
                format!(", {source} noise that counts on {honest} honest institutions")
            }
            None => String::new(),
        };
        let _ = writeln!(text, "{at}  {job}  {contract}  {amount}, for each {}{noise}", unit.name());
    }
    // A job that ended early spent less than it was debited; nobody is to read a figure of what was told in it.
    let _ = write!(text, "debited: {}", account.debited(Protected::Row));
    match &policy.budget {
        Some(budget) => {
            let limit = budget.limit();
            let _ =
                write!(text, "\nbudget: {}; left: {}", limit.0, limit.left(account.debited(Protected::Row)));
        }
        None => text.push_str("\nbudget: the site policy sets none"),
    }
    // Where no job was of the institution as a whole and none may be, there is nothing to say of it.
    let debited = account.debited(Protected::Institution);
    if policy.institution.is_some() || debited != Amount::default() {
        let _ = write!(text, "\ndebited{}: {debited}", of_unit(Protected::Institution));
        match policy.budget_of(Protected::Institution).map(Budget::limit) {
            Some(limit) => {
                let _ = write!(text, "\nbudget of that: {}; left: {}", limit.0, limit.left(debited));
            }
            None => text.push_str("\nbudget of that: the site policy sets none"),
        }
    }
    match account.exact_jobs {
        0 => {}
        1 => text.push_str("\nbeside that, 1 job opened exact sums, which no epsilon bounds"),
        jobs => {
            let _ = write!(text, "\nbeside that, {jobs} jobs opened exact sums, which no epsilon bounds");
        }
    }
    text
}

/// What an amount protects, where it is not single rows.
fn of_unit(unit: Protected) -> &'static str {
    match unit {
        Protected::Row => "",
        Protected::Institution => " for the institution as a whole",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use syndic_learning::privacy::Guarantee;
    use syndic_participant::policy::InstitutionPolicy;

    fn amount(epsilon: f64, delta: f64) -> Amount {
        Amount::of(Guarantee { epsilon, delta })
    }

    fn account() -> Account {
        let noise = Some(NoiseBasis { source: "distributed".into(), honest: 2 });
        let (job, contract, unit) = ("a".into(), "churn.v1".into(), Protected::Row);
        let carried = BTreeMap::from([(Protected::Row, amount(0.25, 0.0))]);
        let amount = amount(1.25, 1e-6);
        Account {
            carried,
            debits: vec![Debit { job, contract, unit, amount, noise, at_ms: 0 }],
            exact_jobs: 2,
        }
    }

    fn policy() -> PrivacyPolicy {
        let budget = Some(Budget { epsilon: 3.0, delta: 1e-5, already_spent: None });
        PrivacyPolicy { budget, ..PrivacyPolicy::default() }
    }

    #[test]
    fn the_account_says_what_is_spent_and_what_is_left() {
        let text = shown(&account(), &policy(), false);
        for part in [
            "before this journal, as the site policy says: epsilon 0.25 at delta 0\n",
            "a  churn.v1  epsilon 1.25 at delta 1e-6, for each row, distributed noise that counts on 2 honest",
            "debited: epsilon 1.5 at",
            "left: epsilon 1.5 at delta 9e-6",
            "2 jobs",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("institution as a whole"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&shown(&account(), &policy(), true)).unwrap();
        assert_eq!(json["left"]["micro_epsilon"], 1_500_000);
        assert_eq!(json["already_spent"]["micro_epsilon"], 250_000);
        assert_eq!(json["debited"]["micro_epsilon"], 1_500_000);
        assert_eq!(
            (&json["debits"][0]["noise"], &json["debits"][0]["honest"]),
            (&"distributed".into(), &2.into())
        );
        assert_eq!(json["debits"][0]["amount"]["femto_delta"], 1_000_000_000);
        assert_eq!(json["institution"]["debited"]["micro_epsilon"], 0);
        assert!(shown(&account(), &PrivacyPolicy::default(), false).contains("sets none"));
    }

    #[test]
    fn what_is_spent_of_the_institution_is_beside_what_is_spent_of_rows() {
        let mut account = account();
        let (job, contract, unit) = ("b".into(), "churn.v1".into(), Protected::Institution);
        let noise = Some(NoiseBasis { source: "local".into(), honest: 1 });
        account.debits.push(Debit { job, contract, unit, amount: amount(8.0, 1e-6), noise, at_ms: 0 });
        let budget = Some(Budget { epsilon: 20.0, delta: 1e-5, already_spent: None });
        let institution = Some(InstitutionPolicy { budget, ..InstitutionPolicy::default() });
        let policy = PrivacyPolicy { institution, ..policy() };
        let text = shown(&account, &policy, false);
        for part in [
            "b  churn.v1  epsilon 8 at delta 1e-6, for each institution, local noise",
            "debited: epsilon 1.5 at",
            "budget: epsilon 3 at delta 1e-5; left: epsilon 1.5",
            "debited for the institution as a whole: epsilon 8 at delta 1e-6",
            "budget of that: epsilon 20 at delta 1e-5; left: epsilon 12",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&shown(&account, &policy, true)).unwrap();
        assert_eq!(json["left"]["micro_epsilon"], 1_500_000);
        assert_eq!(json["institution"]["left"]["micro_epsilon"], 12_000_000);
        assert_eq!(json["debits"][1]["unit"], "institution");
    }
}
