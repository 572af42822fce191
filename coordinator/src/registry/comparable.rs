//! Which models a job can compare: those that participants have.

use syndic_learning::Contract;
use syndic_learning::program::drift::released::Departs;
use syndic_round::{Digest, Stage};
use thiserror::Error;

use super::{Registered, Registry};

/// Why a model cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotComparable {
    /// No job of this ledger released it.
    #[error("no job of this federation released a model with sha256 {0}")]
    Unknown(Digest),
    /// It is a candidate, which no participant has.
    #[error("model {0} is a candidate: participants do not have it")]
    Candidate(Digest),
    /// It was withdrawn.
    #[error("model {0} was withdrawn")]
    Withdrawn(Digest),
    /// The bins of the job are not those of its card.
    #[error(transparent)]
    Bins(#[from] Departs),
    /// Its rows are others.
    #[error("model {0} scores rows of another contract than the job reads")]
    OtherContract(Digest),
}

impl NotComparable {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "evaluation.unknown",
            Self::Candidate(_) => "evaluation.not-released",
            Self::Withdrawn(_) => "evaluation.withdrawn",
            Self::OtherContract(_) => "evaluation.other-contract",
            Self::Bins(departs) => departs.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unknown(_) => {
                "`syndic-coordinator model list` shows the models there are, with their digests"
            }
            Self::Candidate(_) => {
                "have an approver make it a shadow, so that participants get it: a shadow decides nothing"
            }
            Self::Withdrawn(_) => "leave it out: what is withdrawn is not used any more, for anything",
            Self::Bins(departs) => departs.help(),
            Self::OtherContract(_) => "take [contract] of the job that trained the model, unchanged",
        }
    }
}

impl Registry {
    /// Checks that participants have all these models, which score rows of this contract.
    ///
    /// # Errors
    /// [`NotComparable`] names the first that they do not have, or not for such rows.
    pub fn comparable(&self, models: &[Digest], contract: &Contract) -> Result<(), NotComparable> {
        let content = contract.digest();
        models.iter().try_for_each(|model| self.is_comparable(*model, content))
    }

    /// Two jobs may have released the same weights: it suffices that one of them may be compared.
    fn is_comparable(&self, model: Digest, contract: Digest) -> Result<(), NotComparable> {
        let mut why = NotComparable::Unknown(model);
        for Registered { stage, contract: own, .. } in self.models.values().filter(|one| one.model == model) {
            why = match stage {
                Stage::Candidate => NotComparable::Candidate(model),
                Stage::Withdrawn => NotComparable::Withdrawn(model),
                Stage::Shadow | Stage::Champion if *own != contract => NotComparable::OtherContract(model),
                Stage::Shadow | Stage::Champion => return Ok(()),
            };
        }
        Err(why)
    }
}
