//! The registry of models: what became of every model that a job released, folded from the ledger's entries alone.
//!
//! The coordinator decides by it, and so does whoever audits its ledger, from the entries and the roster.

mod comparable;
mod file;

use std::collections::BTreeMap;

use syndic_learning::Job;
use syndic_learning::job::PromotionTerms;
use syndic_learning::promotion::{Figures, Gate, GateError, gates, gates_given_up};
use syndic_learning::staged::Staged;
use syndic_round::{ApprovalError, Approver, Digest, JobId, SealedRoster, Stage, StageApproval, StageChange};
use thiserror::Error;

pub use comparable::NotComparable;
pub use file::ApprovalFile;

/// All models that were released, by their jobs.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Of jobs that are not over: the name of the model to come, and its gates.
    awaited: BTreeMap<JobId, (String, PromotionTerms, Digest)>,
    models: BTreeMap<JobId, Registered>,
    names: BTreeMap<String, Named>,
    /// The job whose model came to another stage last.
    last: Option<JobId>,
}

/// A model in the registry.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The name that it stands under.
    pub name: String,
    /// SHA-256 of its weights.
    pub model: Digest,
    /// SHA-256 of its card, once an approver has named it.
    pub card: Option<Digest>,
    /// What it is used for.
    pub stage: Stage,
    /// Its figures.
    pub figures: Figures,
    terms: PromotionTerms,
    /// Digest of its contract's content.
    contract: Digest,
}

/// What is known of one name.
#[derive(Clone, Debug, Default)]
struct Named {
    changes: u64,
    champion: Option<JobId>,
    last: Option<StageApproval>,
}

/// Why a change of stage is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// It is not the word of an approver.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The job released none.
    #[error("no model of job `{0}` is in the registry: the job is not complete, or there is none")]
    NoModel(JobId),
    /// It speaks of another model.
    #[error("the approval has another {what} than the registry has of job `{job}`")]
    Other {
        /// The job.
        job: JobId,
        /// What differs.
        what: &'static str,
    },
    /// It was given before another change, or is used again.
    #[error(
        "the approval is for change {said} under the name `{name}`, and {next} is next; the model of job `{job}` is {is} now"
    )]
    Stale {
        /// The name.
        name: String,
        /// The number in the approval.
        said: u64,
        /// The one that would count.
        next: u64,
        /// The model's job.
        job: JobId,
        /// What the model is.
        is: Stage,
    },
    /// The model is not what the approval says, or may not become that.
    #[error("{}", illegal(job, (*is, *from, *to)))]
    Stage {
        /// The model's job.
        job: JobId,
        /// What the model is.
        is: Stage,
        /// What the approval says that it is.
        from: Stage,
        /// What it is to become.
        to: Stage,
    },
    /// A model that a job is to compare, and that participants do not have, or not any more, or whose rows are others.
    #[error(transparent)]
    Comparison(#[from] NotComparable),
    /// It does not pass the gates that its job set.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl RegistryError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Approval(error) => error.code(),
            Self::NoModel(_) => "model.unknown",
            Self::Other { .. } => "model.other-approval",
            Self::Stale { .. } => "model.stale-approval",
            Self::Stage { .. } => "model.illegal-stage",
            Self::Comparison(error) => error.code(),
            Self::Gate(error) => error.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Approval(ApprovalError::Unknown(_)) => {
                "`syndic federation roster` shows who may approve; members sign that list, and a sealed one takes no more"
            }
            Self::Approval(ApprovalError::Signature(_)) => {
                "approve again with the key that the roster names, from the published ledger of this federation"
            }
            Self::Approval(ApprovalError::Name) => "name models and approvers by a-z, 0-9, `-` and `_`",
            Self::Approval(ApprovalError::Reason) => {
                "say in a line why, without names of people: it is on record in the ledger"
            }
            Self::NoModel(_) => "`syndic model list` shows the models there are",
            Self::Other { .. } => {
                "approve again, from the ledger as it is published now: an approval counts for what its approver saw"
            }
            Self::Stale { .. } => {
                "if that is what it was to become, nothing is left to do; otherwise approve again, from the ledger as it is published now: \
                 an approval counts once, for what its approver saw"
            }
            Self::Stage { is: Stage::Candidate, .. } => {
                "a candidate becomes a shadow first, by `syndic model promote --to shadow`, or is withdrawn, by `syndic model withdraw`"
            }
            Self::Stage { is: Stage::Shadow, .. } => {
                "a shadow becomes champion, by `syndic model promote --to champion`, or is withdrawn, by `syndic model withdraw`"
            }
            Self::Stage { is: Stage::Champion, .. } => {
                "a champion becomes a shadow when another one takes its place, by `syndic model promote --to champion` of that one, or is \
                 withdrawn, by `syndic model withdraw`"
            }
            Self::Stage { is: Stage::Withdrawn, .. } => {
                "what is withdrawn stays so: promote another model, `syndic model list` shows them, or train one"
            }
            Self::Comparison(error) => error.help(),
            Self::Gate(_) => {
                "the gates are those that the institutions agreed to in `[promotion]` of the job file; train a better model"
            }
        }
    }
}

impl Registry {
    /// A job was agreed.
    pub fn agreed(&mut self, id: &JobId, job: &Job) {
        let terms = job.promotion.clone().unwrap_or_default();
        self.awaited.insert(id.clone(), (job.model_name().into(), terms, job.contract.digest()));
    }

    /// A job released its model, which is a candidate from now on; nothing where no such job was agreed.
    pub fn completed(&mut self, id: &JobId, model: Digest, figures: Option<&Figures>) {
        let Some((name, terms, contract)) = self.awaited.remove(id) else { return };
        let figures = figures.cloned().unwrap_or_default();
        let card = None;
        let candidate = Registered { name, model, card, stage: Stage::Candidate, figures, terms, contract };
        self.models.insert(id.clone(), candidate);
    }

    /// A job ended without a model.
    pub fn ended(&mut self, id: &JobId) {
        self.awaited.remove(id);
    }

    /// Every model, by its job.
    pub fn models(&self) -> impl Iterator<Item = (&JobId, &Registered)> {
        self.models.iter()
    }

    /// The model of a job.
    pub fn model(&self, job: &JobId) -> Option<&Registered> {
        self.models.get(job)
    }

    /// Whether these are the weights or the card of a model that participants get.
    pub fn releases(&self, digest: Digest) -> bool {
        let is_of = |model: &Registered| model.model == digest || model.card == Some(digest);
        self.models.values().any(|model| model.stage.is_released() && is_of(model))
    }

    /// The job whose model is champion under a name.
    pub fn champion(&self, name: &str) -> Option<&JobId> {
        self.names.get(name)?.champion.as_ref()
    }

    /// Changes under a name so far.
    pub fn changes(&self, name: &str) -> u64 {
        self.names.get(name).map_or(0, |named| named.changes)
    }

    /// Changes under all names so far, and the job whose model the last of them was about.
    pub fn all_changes(&self) -> (u64, Option<&JobId>) {
        (self.names.values().map(|named| named.changes).sum(), self.last.as_ref())
    }

    /// The change by which the model of a job becomes one of another stage, for an approver to sign. `card` is the digest of its
    /// card where a candidate is promoted.
    ///
    /// # Errors
    /// [`RegistryError`] where it could not be: no such model, a stage that does not follow, gates that are not passed.
    pub fn propose(
        &self,
        job: &JobId,
        to: Stage,
        card: Option<Digest>,
        reason: &str,
    ) -> Result<(StageChange, Vec<Gate>), RegistryError> {
        let model = self.models.get(job).ok_or_else(|| RegistryError::NoModel(job.clone()))?;
        let change = StageChange {
            name: model.name.clone(),
            number: self.changes(&model.name),
            job: job.clone(),
            model: model.model,
            card: model.card.or(card),
            from: model.stage,
            to,
            replaces: self.replaced_by(model, to),
            reason: reason.into(),
            ungated: self.given_up(model, to),
        };
        let gates = self.judge(&change)?;
        Ok((change, gates))
    }

    /// Whether this approval is the last that counted under its name.
    pub fn is_last(&self, approval: &StageApproval) -> bool {
        let last = self.names.get(&approval.change.name).and_then(|named| named.last.as_ref());
        last == Some(approval)
    }

    /// The gates that a change passes, if an approver of this roster approves it and it may be. Gates that the champion had to pass
    /// and its successor not must be among what was approved.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn check(
        &self,
        approval: &StageApproval,
        roster: &SealedRoster,
    ) -> Result<(Vec<Gate>, Approver), RegistryError> {
        let judged = self.verified(approval, roster)?;
        let StageChange { job, to, ungated, .. } = &approval.change;
        let is_told = self.models.get(job).is_some_and(|model| *ungated == self.given_up(model, *to));
        is_told.then_some(judged).ok_or_else(|| RegistryError::Other { job: job.clone(), what: UNGATED })
    }

    /// The same of a change that may be on record from before approvals named such gates.
    fn verified(
        &self,
        approval: &StageApproval,
        roster: &SealedRoster,
    ) -> Result<(Vec<Gate>, Approver), RegistryError> {
        let approver = approval.verify(roster)?;
        Ok((self.judge(&approval.change)?, approver.clone()))
    }

    /// Lets a change of stage count that is on record.
    ///
    /// # Errors
    /// [`RegistryError`] where it must have been refused.
    pub fn take(&mut self, staged: &Staged, roster: &SealedRoster) -> Result<(), RegistryError> {
        let Staged { approval, gates, approver, .. } = staged;
        let change = &approval.change;
        let other = |what| RegistryError::Other { job: change.job.clone(), what };
        let (passed, signed_by) = self.verified(approval, roster)?;
        if passed != *gates {
            return Err(other("gates or figures"));
        }
        if signed_by != *approver {
            return Err(other("key of the approver"));
        }
        if let Some(replaced) = change.replaces.as_ref().and_then(|job| self.models.get_mut(job)) {
            replaced.stage = Stage::Shadow;
        }
        if let Some(model) = self.models.get_mut(&change.job) {
            (model.stage, model.card) = (change.to, change.card);
        }
        self.last = Some(change.job.clone());
        let named = self.names.entry(change.name.clone()).or_default();
        named.changes += 1;
        named.last = Some(approval.clone());
        match (change.from, change.to) {
            (_, Stage::Champion) => named.champion = Some(change.job.clone()),
            (Stage::Champion, _) => named.champion = None,
            _ => {}
        }
        Ok(())
    }

    fn judge(&self, change: &StageChange) -> Result<Vec<Gate>, RegistryError> {
        let StageChange { job, from, to, .. } = change;
        let model = self.models.get(job).ok_or_else(|| RegistryError::NoModel(job.clone()))?;
        let other = |what| RegistryError::Other { job: job.clone(), what };
        if change.name != model.name {
            return Err(other("name"));
        }
        if change.model != model.model {
            return Err(other("model"));
        }
        let next = self.changes(&model.name);
        if change.number != next {
            let name = model.name.clone();
            let (said, job, is) = (change.number, job.clone(), model.stage);
            return Err(RegistryError::Stale { name, said, next, job, is });
        }
        if *from != model.stage || !from.may_become(*to) {
            return Err(RegistryError::Stage { job: job.clone(), is: model.stage, from: *from, to: *to });
        }
        let names_card = match (from, to) {
            (Stage::Candidate, Stage::Withdrawn) => change.card.is_none(),
            (Stage::Candidate, _) => change.card.is_some(),
            _ => change.card == model.card,
        };
        if !names_card {
            return Err(other("card"));
        }
        let replaced = self.replaced_by(model, *to);
        if change.replaces != replaced {
            return Err(other("champion to replace"));
        }
        if !change.ungated.is_empty() && change.ungated != self.given_up(model, *to) {
            return Err(other(UNGATED));
        }
        if *to != Stage::Champion {
            return Ok(Vec::new());
        }
        let champion = replaced.as_ref().and_then(|job| self.models.get(job));
        Ok(gates(&model.terms, &model.figures, champion.map(|champion| &champion.figures))?)
    }

    /// The gates of the champion whose place a model takes, which its own job does not set.
    fn given_up(&self, model: &Registered, to: Stage) -> Vec<String> {
        let replaced = self.replaced_by(model, to).and_then(|job| self.models.get(&job));
        replaced.map_or_else(Vec::new, |champion| gates_given_up(&champion.terms, &model.terms))
    }

    /// The champion whose place a model takes.
    fn replaced_by(&self, model: &Registered, to: Stage) -> Option<JobId> {
        self.champion(&model.name).filter(|_| to == Stage::Champion).cloned()
    }
}

/// What is wrong with a change from one stage to another of a model that is in a stage.
fn illegal(job: &JobId, (is, from, to): (Stage, Stage, Stage)) -> String {
    if is == from {
        return format!("the model of job `{job}` is {is}, and none of that stage becomes {to}");
    }
    format!("the model of job `{job}` is {is}, and the approval is for one that is {from} to become {to}")
}

/// Gates of the champion that its successor's job does not set.
const UNGATED: &str = "gates that are given up";

#[cfg(test)]
mod tests;
