//! Released models: asked for whenever a stage has changed, verified against the ledger as this participant knows it, and only then
//! written.

use std::sync::Arc;

use syndic_ledger::Entry;
use tracing::{debug, error, info};

use super::error::{Declined, Undone};
use super::link::Link;
use super::lost::Lost;
use super::{Agent, AgentError};
use crate::models::{Models, Proved, Release, Undelivered};
use crate::shown::printable;
use syndic_proto::convert::RecordedModel;
use syndic_round::{SealedRoster, Stage};

impl Agent {
    /// Whether this participant takes released models.
    pub(super) fn takes_models(&self) -> bool {
        self.models.is_some()
    }

    /// What came of believing the entry that is shown with a change of a stage. A ledger that cannot be believed is the last thing
    /// that is done with this coordinator.
    pub(super) fn heard_of_change(believed: Option<Result<Entry, Undone>>) -> Result<(), Lost> {
        match believed {
            Some(Ok(_)) => Ok(()),
            None => Err(Lost::ForNow(
                "the coordinator does not show that the change of a model's stage is in the ledger".into(),
            )),
            Some(Err(Undone::Declined(Declined::Ledger(unbelieved)))) => {
                Err(Lost::Forever(AgentError::Ledger(unbelieved)))
            }
            Some(Err(Undone::Declined(reason))) => Err(Lost::ForNow(reason.shown())),
            Some(Err(Undone::Call(status))) => Err(Lost::of_call(*status)),
            Some(Err(Undone::Journal(error))) => Err(Lost::Forever(error.into())),
        }
    }

    /// Takes every released model that the coordinator shows and that is not here yet, and every stage that is newer than what is
    /// known. What does not verify is refused, said so in the log, and not written; the rest is taken all the same.
    pub(super) async fn take_models(&self, mut link: Link) {
        let Some(models) = &self.models else { return };
        let name = self.enrolment.name();
        let kept = match self.journal.checkpoint(self.enrolment.federation()).await {
            Ok(kept) => kept,
            Err(error) => {
                return error!(participant = name, code = error.code(), %error, "no models are taken");
            }
        };
        let Some(kept) = kept else { return };
        let shown = match link.models(kept.size).await {
            Ok(shown) => shown,
            Err(status) => {
                let reason = printable(status.message());
                return info!(
                    participant = name,
                    reason, "the models were not shown; they are asked for again"
                );
            }
        };
        let checkpoint = String::from_utf8(kept.note).unwrap_or_default();
        for model in shown {
            match self.take_model(&mut link, models, &checkpoint, &model).await {
                Ok(None) => {}
                Ok(Some(Proved { name: model, job, stage: Stage::Withdrawn, .. })) => {
                    info!(participant = name, model, %job, "a model was withdrawn: it is not to be used any more");
                }
                Ok(Some(Proved { name: model, job, stage, .. })) => {
                    info!(participant = name, model, %job, %stage, "a model is verified and here");
                }
                Err(Taking::Undelivered(error)) => {
                    error!(participant = name, code = error.code(), %error, "a model is refused, and nothing of it is kept");
                }
                Err(Taking::Call(reason)) => {
                    info!(participant = name, reason, "a model was not fetched; it is asked for again");
                }
            }
        }
    }

    /// Takes one; what is proved of it where that is news.
    async fn take_model(
        &self,
        link: &mut Link,
        models: &Models,
        checkpoint: &str,
        model: &RecordedModel,
    ) -> Result<Option<Proved>, Taking> {
        let release = Release::of(checkpoint.into(), model);
        let proved = release.prove(&self.roster)?;
        let known =
            blocking(models, &self.roster, &proved, |models, roster, proved| models.known(&proved, &roster))
                .await;
        if let Some(known) = known {
            if known.entry == proved.entry {
                return Ok(None);
            }
            if !proved.may_follow(&known) {
                return Err(Undelivered::Older(known.entry).into());
            }
            let restage = move |models: Models, _, proved: Proved| models.restage(&release, &proved);
            blocking(models, &self.roster, &proved, restage).await?;
            return Ok(Some(proved));
        }
        if !proved.stage.is_released() {
            // It was never here.
            debug!(job = %proved.job, "a model was withdrawn before it came");
            return Ok(None);
        }
        let weights = link.fetch(proved.model).await?;
        let card = link.fetch(proved.card).await?;
        // If we crash here nothing is written; it is shown again at the next connection.
        let put = move |models: Models, _, proved: Proved| models.put(&release, &proved, &weights, &card);
        blocking(models, &self.roster, &proved, put).await?;
        Ok(Some(proved))
    }
}

/// Why a model was not taken.
enum Taking {
    Undelivered(Undelivered),
    Call(String),
}

impl From<Undelivered> for Taking {
    fn from(error: Undelivered) -> Self {
        Self::Undelivered(error)
    }
}

impl From<Undone> for Taking {
    fn from(undone: Undone) -> Self {
        match undone {
            // What came does not have the digest that the ledger names.
            Undone::Declined(Declined::OtherBytes) => {
                Self::Undelivered(syndic_learning::release::ReleaseError::OtherModel.into())
            }
            Undone::Declined(reason) => Self::Call(reason.shown()),
            Undone::Call(status) => Self::Call(printable(status.message())),
            Undone::Journal(error) => Self::Call(error.to_string()),
        }
    }
}

/// Works on files beside everything else that the agent does.
async fn blocking<T: Send + 'static>(
    models: &Models,
    roster: &Arc<SealedRoster>,
    proved: &Proved,
    work: impl FnOnce(Models, Arc<SealedRoster>, Proved) -> T + Send + 'static,
) -> T {
    let (models, roster, proved) = (models.clone(), roster.clone(), proved.clone());
    match tokio::task::spawn_blocking(move || work(models, roster, proved)).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
