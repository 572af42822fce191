//! The beginnings of rounds and of preparations, as entries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use syndic_round::{ParticipantId, Place, PreparationTerms, RoundPlan};

use super::{subject, with_place};

pub(super) fn preparation_opened(
    terms: &PreparationTerms,
    excused: &[ParticipantId],
) -> (&'static str, Option<String>, Value) {
    let place = Place::Ahead(terms.number);
    let mut data = protection(terms);
    data["excused"] = json!(excused);
    data["terms"] = json!(BASE64.encode(terms.to_bytes()));
    ("syndic.preparation.opened", Some(subject(&terms.job, place)), with_place(&terms.job, place, data))
}

/// Who may open what, in words that a reviewer reads.
fn protection(terms: &PreparationTerms) -> Value {
    let protection = &terms.protection;
    let (core_svp, matzov) = protection.parameter_set().security_estimate();
    json!({
        "agreement": terms.agreement.to_string(),
        "roster": terms.roster.to_string(),
        "protocol": syndic_round::PROTOCOL,
        "parameter_set": protection.parameter_set().name(),
        "security_bits": { "core_svp": core_svp, "matzov": matzov },
        "admitted": terms.admitted,
        "threshold": protection.threshold(),
        "colluding": protection.colluding(),
        "min_survivors": protection.min_survivors(),
    })
}

pub(super) fn opened(
    plan: &RoundPlan,
    kind: &str,
    training_round: Option<u32>,
    (absent, excused): (&[ParticipantId], &[ParticipantId]),
    lot: Option<&str>,
) -> (&'static str, Option<String>, Value) {
    let mut data = protection(&plan.terms);
    data["kind"] = json!(kind);
    data["training_round"] = json!(training_round);
    data["absent"] = json!(absent);
    data["excused"] = json!(excused);
    // Ledgers of former versions do not have it, where nobody was drawn.
    if let Some(place) = lot {
        data["lot"] = json!(place);
    }
    data["plan"] = json!(plan.digest().to_string());
    data["terms"] = json!(BASE64.encode(plan.to_bytes()));
    data["question"] = json!(plan.question.to_string());
    data["preparation"] = json!(plan.terms.number);
    data["carrier"] = json!(plan.carrier);
    data["values"] = json!(plan.layout.len());
    data["coefficients"] = json!(plan.coefficients());
    let (job, place) = (&plan.terms.job, Place::Round(plan.id));
    ("syndic.round.opened", Some(subject(job, place)), with_place(job, place, data))
}

/// Whom nobody waits for; entries of former versions do not say, and waited for everybody.
pub(super) fn excused(data: &Value) -> Option<Vec<ParticipantId>> {
    data.get("excused").map_or(Some(Vec::new()), |ids| serde_json::from_value(ids.clone()).ok())
}
