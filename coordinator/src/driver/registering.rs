//! What becomes of released models: approvals are taken, and participants are shown what they may fetch.

use syndic_learning::release::check_release;
use syndic_learning::staged::Staged;
use syndic_ledger::Hash;
use syndic_round::{Digest, JobId, StageApproval, StageChange};
use tracing::info;

use super::{Coordinator, CoordinatorError, Inner, State};
use crate::fact::Fact;
use crate::registry::{Registered, RegistryError};

/// A model of the registry, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The job that released it.
    pub job: JobId,
    /// What the registry has of it.
    pub model: Registered,
    /// The place of the entry by which it came to its stage; none of a candidate.
    pub entry: Option<u64>,
}

/// An entry with the way from it to the root of the ledger that the asker knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub index: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// The hashes beside its way to the root.
    pub inclusion: Vec<Hash>,
}

impl Coordinator {
    /// Puts on record that a model has another stage, by the word of an approver. `card` is the model's card, where a candidate is
    /// promoted. The approval that counted last is fine again, and changes nothing; then the answer is false.
    ///
    /// # Errors
    /// [`CoordinatorError::Registry`] and [`CoordinatorError::Release`] where it is refused; what the store can meet.
    pub async fn stage(
        &self,
        approval: StageApproval,
        card: Option<&[u8]>,
        by: &str,
    ) -> Result<bool, CoordinatorError> {
        let roster = self.roster();
        let mut state = self.inner.state.lock().await;
        let judge = |state: &State| -> Result<Option<Fact>, CoordinatorError> {
            let registry = state.engine.registry();
            if registry.is_last(&approval) {
                return Ok(None);
            }
            let (gates, approver) = registry.check(&approval, roster)?;
            let staged = Staged { approval: approval.clone(), approver, gates, by: by.into() };
            Ok(Some(Fact::ModelStaged(Box::new(staged))))
        };
        let is_new = self.inner.current(&mut state, |state| judge(state)).await?.is_some();
        if is_new && let Some(digest) = approval.change.card {
            self.inner.keep_card(&state, &approval.change, digest, card).await?;
        }
        let stage = |state: &State, _| Ok(judge(state)?.into_iter().collect());
        // If we crash here the card is stored and nothing was approved; after it the stage is on record, and counts after the next
        // start. Participants are told what is on record only.
        let is_new = !self.inner.decided(&mut state, None, stage).await?.is_empty();
        if is_new {
            let StageChange { name, job, from, to, .. } = &approval.change;
            info!(model = name, %job, %from, %to, approver = approval.approver, "a model has another stage");
        }
        Ok(is_new)
    }

    /// The card of a job's model that an approver has named; none of one that nobody has promoted.
    ///
    /// # Errors
    /// What the store can meet.
    pub async fn approved_card(&self, job: &JobId) -> Result<Option<Vec<u8>>, CoordinatorError> {
        let card = self.look(|engine| engine.registry().model(job).and_then(|model| model.card)).await;
        match card {
            None => Ok(None),
            Some(card) => Ok(Some(self.blobs().read(card).await?)),
        }
    }

    /// All models of the registry, by name and then in the order in which their jobs were agreed.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read to its end.
    pub async fn models(&self) -> Result<Vec<Listed>, CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        self.inner.catch_up(&mut state).await?;
        let listed = |(job, model): (&JobId, &Registered)| {
            let order = state.engine.ended(job).map_or(0, |ended| ended.order);
            let listed = Listed { job: job.clone(), model: model.clone(), entry: state.record.staged(job) };
            ((model.name.clone(), order), listed)
        };
        let mut models: Vec<_> = state.engine.registry().models().map(listed).collect();
        models.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(models.into_iter().map(|(_, listed)| listed).collect())
    }

    /// Of the models that participants get, and of those that were withdrawn from them, the entries with which the job was agreed,
    /// it was released, approved last, and came to its stage, with the proofs that they are in the ledger of `size` entries. What
    /// came to its stage later is left out: whoever asks is told of it.
    ///
    /// # Errors
    /// [`CoordinatorError`] when the ledger cannot be read.
    pub async fn recorded_models(&self, size: u64) -> Result<Vec<[Recorded; 4]>, CoordinatorError> {
        let mut state = self.inner.state.lock().await;
        if size > state.record.history().size() {
            self.inner.catch_up(&mut state).await?;
        }
        let size = size.min(state.record.history().size());
        let mut models = Vec::new();
        for (job, model) in state.engine.registry().models() {
            // A candidate that was withdrawn nobody has ever got.
            let places = state.record.model(job).filter(|_| model.card.is_some());
            let Some([agreed, completed, approved, staged]) = places else { continue };
            if staged < size {
                models.push([
                    self.inner.recorded(&state, agreed, size).await?,
                    self.inner.recorded(&state, completed, size).await?,
                    self.inner.recorded(&state, approved, size).await?,
                    self.inner.recorded(&state, staged, size).await?,
                ]);
            }
        }
        Ok(models)
    }
}

impl Inner {
    /// Checks that a card is that of the model of a job and of its job file, and stores it. One that is stored is not asked for
    /// again.
    async fn keep_card(
        &self,
        state: &State,
        change: &StageChange,
        digest: Digest,
        card: Option<&[u8]>,
    ) -> Result<(), CoordinatorError> {
        let job = &change.job;
        let unknown = || RegistryError::NoModel(job.clone());
        let model = state.engine.registry().model(job).ok_or_else(unknown)?;
        if model.card == Some(digest) {
            return Ok(());
        }
        let agreement = state.engine.agreement(job).ok_or_else(unknown)?;
        let file = String::from_utf8(self.blobs.read(agreement).await?).unwrap_or_default();
        let weights = self.blobs.read(model.model).await?;
        let card = card.unwrap_or_default();
        check_release(&weights, card, (model.model, digest), (job, &file), &model.figures)?;
        self.blobs.put(card).await?;
        Ok(())
    }

    async fn recorded(&self, state: &State, index: u64, size: u64) -> Result<Recorded, CoordinatorError> {
        let missing = || CoordinatorError::Ledger(format!("entry {index} is missing"));
        let entry = self.log.read(index, 1).await?.pop().ok_or_else(missing)?;
        Ok(Recorded { index, entry, inclusion: state.record.inclusion(index, size)? })
    }
}
