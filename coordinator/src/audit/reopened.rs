//! A sum that was opened is opened again, from what the ledger holds of it.

use syndic_round::coordinator::{Opened, Opening};
use syndic_round::{Carrier, Digest, RoundPlan};
use syndic_secure_aggregation::{KeyShareSum, Unopened, open_vector, reconstruct};

use super::error::{AuditError, holds};

/// Opens again what the ledger holds of an opened sum, and compares. What it was.
pub(super) fn opened_again(
    index: u64,
    plan: &RoundPlan,
    opening: &Opening,
    opened: &Opened,
) -> Result<Carrier, AuditError> {
    let transcript = Digest::of(&opening.transcript(plan).to_bytes());
    holds(index, "what was signed", transcript == opened.transcript)?;
    let unopened = |reason: String| AuditError::Unopened { index, reason };
    let (is_same, wrong, checked) = match (plan.carrier, &opened.ring) {
        (Carrier::Ring, Some(ring)) => {
            let (cohort, survivors) = (opening.cohort().len(), opening.certificate().survivors());
            let read = |(id, bytes)| Ok((id, KeyShareSum::from_bytes(bytes, cohort)?));
            let reveals: Result<Vec<_>, syndic_secure_aggregation::MalformedShare> =
                opening.reveals().map(read).collect();
            let reveals = reveals.map_err(|error| unopened(error.to_string()))?;
            let threshold = plan.terms.protection.threshold();
            let restored = reconstruct(&reveals, threshold, cohort, survivors);
            let restored = restored.map_err(|error| unopened(error.to_string()))?;
            (Digest::of(&restored.keys.to_bytes()) == ring.key_sum, restored.wrong, true)
        }
        (Carrier::Shares, None) => {
            let sum = open_vector(plan, opening).map_err(|error| unopened(reason(error)))?;
            let checked = sum.is_checked();
            (Digest::of(&sum.sum.to_bytes()) == opened.sum, sum.wrong_reveals, checked)
        }
        _ => (false, Vec::new(), false),
    };
    holds(index, "the opened sum", is_same)?;
    holds(index, "who revealed wrongly", wrong == opened.wrong_reveals)?;
    holds(index, "whether the sum is checked", checked == opened.checked)?;
    Ok(plan.carrier)
}

fn reason(unopened: Unopened) -> String {
    match unopened {
        Unopened::MoreReveals(reason) | Unopened::Refused(reason) => reason,
    }
}
