//! Whether the two files of a model are those that a ledger has on record.

use syndic_round::{Digest, JobId};
use thiserror::Error;

use crate::job::{Job, agreement};
use crate::model::{Model, ModelCard, ModelError};
use crate::promotion::{Figures, gap_text};

/// Why the two files of a model are not those that are on record.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The weights are others.
    #[error("the weights are not those that the ledger says the job released")]
    OtherModel,
    /// The card is another.
    #[error("the card is not the one that the approver named")]
    OtherCard,
    /// The two are not a model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The card names another job, or another job file.
    #[error("the card names another job or job file than the ledger")]
    OtherAgreement,
    /// The card has another contract.
    #[error("the card has another contract than the job file on record")]
    OtherContract,
    /// The card has other figures.
    #[error("the card has other figures than the entry by which the job released the model")]
    OtherFigures,
}

impl ReleaseError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherModel => "model.other-model",
            Self::OtherCard => "model.other-card",
            Self::Model(error) => error.code(),
            Self::OtherAgreement => "model.other-agreement",
            Self::OtherContract => "model.other-contract",
            Self::OtherFigures => "model.other-figures",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        "take model, card and ledger of one release, unchanged; do not use this model until they agree"
    }
}

/// The model in the files `weights` and `card`, if they have these digests, and the card says of the job, its file, its contract and
/// the comparison of groups what is on record.
///
/// # Errors
/// [`ReleaseError`] names the first thing that differs.
pub fn check_release(
    weights: &[u8],
    card: &[u8],
    (model, named): (Digest, Digest),
    (job, file): (&JobId, &str),
    figures: &Figures,
) -> Result<(Model, ModelCard), ReleaseError> {
    if Digest::of(weights) != model {
        return Err(ReleaseError::OtherModel);
    }
    if Digest::of(card) != named {
        return Err(ReleaseError::OtherCard);
    }
    let text = std::str::from_utf8(card).unwrap_or_default();
    let (loaded, card) = Model::load(weights, text)?;
    let says = |key: &str| card.provenance.get(key).and_then(|value| value.as_str());
    if says("job") != Some(job.as_str()) || says("agreement") != Some(&agreement(file).to_string()) {
        return Err(ReleaseError::OtherAgreement);
    }
    if !Job::from_toml(file).is_ok_and(|job| job.contract == card.contract) {
        return Err(ReleaseError::OtherContract);
    }
    let gap = card.fairness.as_ref().and_then(gap_text);
    if gap.as_deref() != figures.fairness_gap() {
        return Err(ReleaseError::OtherFigures);
    }
    Ok((loaded, card))
}
