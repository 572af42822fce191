//! How the vectors of a job reached their sums, in words that the closing table and the report share.

use crate::result::{Protection, RoundCounts, RunResult};
use crate::words::{bytes, counted, listed};

/// What the federation's model is called among others: `federated, encrypted`.
pub(crate) fn label(protection: &Protection) -> &'static str {
    if shares_updates(protection) { "federated, from shares" } else { "federated, encrypted" }
}

/// Whether the updates of the model were shared themselves.
pub(crate) fn shares_updates(protection: &Protection) -> bool {
    protection.shared.iter().any(|kind| kind == "train")
}

/// In which form vectors left their institutions.
pub(crate) fn left(protection: &Protection) -> String {
    let Protection { protocol, parameter_set, encrypted, shared, .. } = protection;
    if shared.is_empty() {
        return format!("every update left its institution encrypted ({protocol} with {parameter_set})");
    }
    let as_shares = "left their institution as secret shares, one sealed for each institution";
    match encrypted.is_empty() {
        true => format!("{} {as_shares} ({protocol}), and none encrypted", named(shared)),
        false => format!(
            "{} {as_shares}, and {} encrypted ({protocol} with {parameter_set})",
            named(shared),
            named(encrypted)
        ),
    }
}

/// What the protection of a round took, beside what institutions sent in all.
pub(crate) fn cost(result: &RunResult) -> String {
    let (protection, nanos) = (&result.protection, result.timing.encrypt_ns_per_parameter);
    if !shares_updates(protection) {
        let size = protection.bytes_per_parameter;
        return format!("{size:.2} bytes a parameter on the wire and {nanos:.0} ns a parameter to encrypt");
    }
    let shares = format!("{} of sealed shares for a model update", bytes(protection.key_share_bytes));
    match protection.encrypted.is_empty() {
        true => format!("{shares}, and nothing to encrypt"),
        false => {
            format!("{shares} and {nanos:.0} ns a padded value to encrypt {}", named(&protection.encrypted))
        }
    }
}

/// A warning of sums that no further reveal confirmed; none where there are none.
pub(crate) fn unchecked(rounds: &RoundCounts) -> Option<String> {
    (rounds.unchecked > 0).then(|| {
        format!(
            "{} of {} unchecked: opened with exactly as many reveals as are needed, so that a single wrong one could \
             have shifted it unnoticed",
            rounds.unchecked,
            counted(rounds.shared as usize, "sum of shared vectors", "sums of shared vectors")
        )
    })
}

/// What is to be said of training that its rounds cut off.
pub(crate) fn cut_off(rounds: &RoundCounts) -> Option<String> {
    (rounds.converged == Some(false)).then(|| {
        format!(
            "training did not come to a minimum in its {}: allow more in `[rounds]`, or a penalty `l2` in `[program]`, \
             without which a level of one label only has no finite weight",
            counted(rounds.completed as usize, "round", "rounds")
        )
    })
}

/// Kinds of vectors as people call them.
pub(crate) fn named(kinds: &[String]) -> String {
    let name = |kind: &String| match kind.as_str() {
        "statistics" => "statistics".to_owned(),
        "train" => "model updates".to_owned(),
        "evaluate" => "score histograms".to_owned(),
        "fairness" => "score histograms by group".to_owned(),
        "drift" => "histograms of columns".to_owned(),
        "compare" => "score histograms of released models".to_owned(),
        "describe" => "counts and moments of columns".to_owned(),
        other => other.to_owned(),
    };
    listed(&kinds.iter().map(name).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::example;

    #[test]
    fn a_job_that_encrypts_everything_is_told_as_ever() {
        let result = example::result();
        assert_eq!(label(&result.protection), "federated, encrypted");
        assert_eq!(
            left(&result.protection),
            "every update left its institution encrypted (KSA/1 with KSA-S32)"
        );
        assert_eq!(cost(&result), "4.00 bytes a parameter on the wire and 24 ns a parameter to encrypt");
        assert_eq!(unchecked(&result.rounds), None);
    }

    #[test]
    fn a_mixed_job_says_which_vectors_were_shared_and_which_encrypted() {
        let result = example::shared();
        assert_eq!(
            left(&result.protection),
            "statistics and model updates left their institution as secret shares, one sealed for each institution, \
             and score histograms encrypted (KSA/1 with KSA-S32)"
        );
        assert_eq!(
            cost(&result),
            "5.40 kB of sealed shares for a model update and 24 ns a padded value to encrypt score histograms"
        );
        let warning = unchecked(&result.rounds).unwrap();
        assert!(warning.starts_with("3 of 21 sums of shared vectors unchecked: opened"), "{warning}");
    }

    #[test]
    fn a_job_that_shares_only_its_statistics_tells_the_cost_of_encrypted_updates() {
        let mut result = example::result();
        result.protection.encrypted = vec!["train".into()];
        result.protection.shared = vec!["statistics".into()];
        assert_eq!(label(&result.protection), "federated, encrypted");
        assert!(left(&result.protection).contains("statistics left their institution as secret shares"));
        assert!(cost(&result).starts_with("4.00 bytes a parameter"));
    }

    #[test]
    fn where_nothing_was_encrypted_nothing_is_said_to_be() {
        let mut result = example::shared();
        result.protection.encrypted.clear();
        assert!(left(&result.protection).ends_with("(KSA/1), and none encrypted"));
        assert!(cost(&result).ends_with("for a model update, and nothing to encrypt"));
        assert!(!left(&result.protection).contains("KSA-S32"));
    }
}
