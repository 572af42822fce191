//! The models that a job compares, or that it compares rows with, out of those that lie here: each proved once more, from the bytes that it is then used from.

use syndic_learning::program::drift::released::Departs;
use syndic_learning::{Contract, Job, Model, ModelCard};
use syndic_round::{Digest, SealedRoster, Stage};
use thiserror::Error;

use super::release::Undelivered;
use super::store::{Models, looked_at, recorded};

/// Why a model that a job compares is not there to be used.
#[derive(Debug, Error)]
pub enum Unheld {
    /// It is not here.
    #[error("the job compares the model with sha256 {0}, which was not delivered here")]
    NotHere(Digest),
    /// It is here, and is not to be used any more.
    #[error("the job compares the model with sha256 {0}, which was withdrawn")]
    Withdrawn(Digest),
    /// It is here, and does not verify.
    #[error(
        "the job compares the model with sha256 {model}, and what lies here as that does not verify: {why}"
    )]
    Unverified {
        /// The model.
        model: Digest,
        /// What is wrong.
        why: Undelivered,
    },
    /// Its rows are others.
    #[error(
        "the job compares the model with sha256 {0}, which scores rows of another contract than the job reads"
    )]
    OtherContract(Digest),
    /// Only its trainer can score rows by it.
    #[error("the job compares the model with sha256 {0}, by which an external trainer alone can score rows")]
    NeedsTrainer(Digest),
    /// Its card does not say what the job file says of its training rows.
    #[error("the job compares rows with those of the model with sha256 {model}: {why}")]
    Bins {
        /// The model.
        model: Digest,
        /// How the two depart.
        why: Departs,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Unreadable(Undelivered),
}

impl Unheld {
    /// The stable code, also the reason that the coordinator is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotHere(_) => "evaluation.not-held",
            Self::Withdrawn(_) => "evaluation.withdrawn",
            Self::Unverified { .. } => "evaluation.not-verified",
            Self::OtherContract(_) => "evaluation.other-contract",
            Self::NeedsTrainer(_) => "evaluation.needs-trainer",
            Self::Bins { why, .. } => why.code(),
            Self::Unreadable(error) => error.code(),
        }
    }

    /// What the institution's operator can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotHere(_) => {
                "shadows and champions are delivered when the agent connects and when a stage changes; `syndic-participant models` lists \
                 those that are here"
            }
            Self::Withdrawn(_) => "ask for a job that leaves it out: what is withdrawn is not used any more",
            Self::Unverified { .. } => {
                "find out who changed it; remove its folder and start the agent again: it is delivered again where it is still released"
            }
            Self::OtherContract(_) => "ask for a job with the contract that the model was trained under",
            Self::NeedsTrainer(_) => "ask for a job that compares models of other programs",
            Self::Bins { why, .. } => why.help(),
            Self::Unreadable(_) => "check the disk that the state folder is on",
        }
    }
}

impl Models {
    /// The models that a job needs which trains none: of each that it names the one that lies here and was released with that
    /// digest, which scores rows of its contract. Where it compares rows with those that a model was trained on, in the bins of the
    /// card that lies here.
    ///
    /// # Errors
    /// [`Unheld`] names the first that is not to be used, or not for such rows.
    pub fn comparing(&self, job: &Job, roster: &SealedRoster) -> Result<Vec<Model>, Unheld> {
        let mut models = Vec::new();
        for model in job.comparison().map_or(&[][..], |terms| &terms.models) {
            models.push(self.one(*model, &job.contract, roster, |_| Ok(()))?);
        }
        if let Some(terms) = job.released_drift() {
            models.push(self.one(terms.model, &job.contract, roster, |card| terms.is_of(card))?);
        }
        Ok(models)
    }

    fn one(
        &self,
        digest: Digest,
        contract: &Contract,
        roster: &SealedRoster,
        suits: impl Fn(&ModelCard) -> Result<(), Departs>,
    ) -> Result<Model, Unheld> {
        let mut why = Unheld::NotHere(digest);
        // Two jobs may have released the same weights: it suffices that one of them may be used.
        for path in self.folders().map_err(Unheld::Unreadable)? {
            // What lies under a record that proves nothing is no model of anybody's.
            let Ok(proved) = recorded(&path, roster) else { continue };
            if proved.model != digest {
                continue;
            }
            why = match looked_at(&path, roster) {
                Err(why) => Unheld::Unverified { model: digest, why },
                Ok((proved, ..)) if proved.stage == Stage::Withdrawn => Unheld::Withdrawn(digest),
                Ok((_, Model::External(_), _)) => Unheld::NeedsTrainer(digest),
                Ok((proved, model, card)) if proved.model == digest && model.contract() == contract => {
                    match suits(&card) {
                        Ok(()) => return Ok(model),
                        Err(why) => Unheld::Bins { model: digest, why },
                    }
                }
                Ok(_) => Unheld::OtherContract(digest),
            };
        }
        Err(why)
    }
}
