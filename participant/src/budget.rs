//! `syndic-participant budget`: the privacy account, for people and for programs.

use std::fmt::Write as _;

use syndic_learning::privacy::budget::Amount;
use syndic_ledger::Timestamp;
use syndic_participant::journal::{Account, Debit, NoiseBasis};
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
                "amount": amount(debit.amount), "noise": debit.noise.as_ref().map(|noise| &noise.source),
                "honest": debit.noise.as_ref().map(|noise| noise.honest),
            })
        })
        .collect();
    serde_json::json!({
        "already_spent": account.carried.map(amount),
        "debits": debits,
        "debited": amount(account.debited()),
        "budget": budget.map(|budget| amount(budget.limit().0)),
        "left": budget.map(|budget| amount(budget.limit().left(account.debited()))),
        "exact_jobs": account.exact_jobs,
    })
    .to_string()
}

fn to_text(account: &Account, budget: Option<&Budget>) -> String {
    let mut text = String::new();
    if let Some(carried) = account.carried.filter(|carried| *carried != Amount::default()) {
        let _ = writeln!(text, "before this journal, as the site policy says: {carried}");
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
        let _ = writeln!(text, "{at}  {job}  {contract}  {amount}, for each {unit}{noise}");
    }
    // A job that ended early spent less than it was debited; nobody is to read a figure of what was told in it.
    let _ = write!(text, "debited: {}", account.debited());
    match budget {
        Some(budget) => {
            let limit = budget.limit();
            let _ = write!(text, "\nbudget: {}; left: {}", limit.0, limit.left(account.debited()));
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
        let noise = Some(NoiseBasis { source: "distributed".into(), honest: 2 });
        let (job, contract, unit) = ("a".into(), "churn.v1".into(), "row".into());
        let carried = Some(Amount::of(Guarantee { epsilon: 0.25, delta: 0.0 }));
        Account {
            carried,
            debits: vec![Debit { job, contract, unit, amount, noise, at_ms: 0 }],
            exact_jobs: 2,
        }
    }

    #[test]
    fn the_account_says_what_is_spent_and_what_is_left() {
        let budget = Budget { epsilon: 3.0, delta: 1e-5, already_spent: None };
        let text = shown(&account(), Some(&budget), false);
        for part in [
            "before this journal, as the site policy says: epsilon 0.25 at delta 0",
            "a  churn.v1  epsilon 1.25 at delta 1e-6, for each row, distributed noise that counts on 2 honest",
            "debited: epsilon 1.5 at",
            "left: epsilon 1.5 at delta 9e-6",
            "2 jobs",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&shown(&account(), Some(&budget), true)).unwrap();
        assert_eq!(json["left"]["micro_epsilon"], 1_500_000);
        assert_eq!(json["already_spent"]["micro_epsilon"], 250_000);
        assert_eq!(json["debited"]["micro_epsilon"], 1_500_000);
        assert_eq!(
            (&json["debits"][0]["noise"], &json["debits"][0]["honest"]),
            (&"distributed".into(), &2.into())
        );
        assert_eq!(json["debits"][0]["amount"]["femto_delta"], 1_000_000_000);
        assert!(shown(&account(), None, false).contains("sets none"));
    }
}
