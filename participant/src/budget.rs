//! `syndic-participant budget`: the privacy account, for people and for programs.

use std::fmt::Write as _;

use syndic_learning::privacy::budget::Amount;
use syndic_ledger::Timestamp;
use syndic_participant::journal::{Account, Debit};
use syndic_participant::policy::Budget;

/// The account, and what is left of the budget that the policy grants.
pub(crate) fn shown(account: &Account, budget: Option<&Budget>, json: bool) -> String {
    if json { to_json(account, budget) } else { to_text(account, budget) }
}

fn to_json(account: &Account, budget: Option<&Budget>) -> String {
    let amount = |amount: Amount| serde_json::json!({ "micro_epsilon": amount.micro_epsilon, "femto_delta": amount.femto_delta });
    let debits: Vec<_> = account
        .debits
        .iter()
        .map(|debit| {
            serde_json::json!({
                "job": debit.job, "contract": debit.contract, "unit": debit.unit, "at_ms": debit.at_ms,
                "amount": amount(debit.amount),
            })
        })
        .collect();
    serde_json::json!({
        "debits": debits,
        "spent": amount(account.spent()),
        "budget": budget.map(|budget| amount(budget.limit().0)),
        "left": budget.map(|budget| amount(budget.limit().left(account.spent()))),
        "exact_jobs": account.exact_jobs,
    })
    .to_string()
}

fn to_text(account: &Account, budget: Option<&Budget>) -> String {
    let mut text = String::new();
    for Debit { job, contract, unit, amount, at_ms } in &account.debits {
        let at = Timestamp::from_unix_ms(*at_ms).map_or_else(|_| at_ms.to_string(), |time| time.to_string());
        let _ = writeln!(text, "{at}  {job}  {contract}  {amount}, for each {unit}");
    }
    let _ = write!(text, "spent at most: {}", account.spent());
    match budget {
        Some(budget) => {
            let limit = budget.limit();
            let _ = write!(text, "\nbudget: {}; left: {}", limit.0, limit.left(account.spent()));
        }
        None => text.push_str("\nbudget: the site policy sets none"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_learning::privacy::Guarantee;

    fn account() -> Account {
        let amount = Amount::of(Guarantee { epsilon: 1.25, delta: 1e-6 });
        let debit =
            Debit { job: "a".into(), contract: "churn.v1".into(), unit: "row".into(), amount, at_ms: 0 };
        Account { debits: vec![debit], exact_jobs: 2 }
    }

    #[test]
    fn the_account_says_what_is_spent_and_what_is_left() {
        let budget = Budget { epsilon: 3.0, delta: 1e-5 };
        let text = shown(&account(), Some(&budget), false);
        for part in ["a  churn.v1  epsilon 1.25 at delta 1e-6", "left: epsilon 1.75 at delta 9e-6", "2 jobs"]
        {
            assert!(text.contains(part), "{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&shown(&account(), Some(&budget), true)).unwrap();
        assert_eq!(json["left"]["micro_epsilon"], 1_750_000);
        assert_eq!(json["debits"][0]["amount"]["femto_delta"], 1_000_000_000);
        assert!(shown(&account(), None, false).contains("sets none"));
    }
}
