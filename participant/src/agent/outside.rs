//! Local work that this institution's external trainer does.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use syndic_learning::program::external::Asked;
use syndic_learning::{ProgramError, Question};
use syndic_round::RoundPlan;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::approval::Approved;
use super::error::Declined;
use super::round::encoded;
use super::seat::{Answer, joined};
use crate::policy::Denied;
use crate::shown::plain;
use crate::trainer::Trainer;

/// A question that the trainer answers, and what it takes to make an answer of what it says.
pub(super) struct Outside {
    pub(super) trainer: Option<Trainer>,
    pub(super) approved: Arc<Approved>,
    pub(super) question: Question,
    pub(super) plan: Arc<RoundPlan>,
    /// Name of this institution, for its log.
    pub(super) participant: String,
    /// Values that were clipped so far.
    pub(super) clipped: Arc<AtomicU64>,
}

impl Outside {
    /// Asks the trainer. What it says in words, and its metrics, go to the log of this host and no further.
    pub(super) async fn answer(self, mut rng: ChaCha20Rng) -> Result<Answer, Declined> {
        let Self { trainer, approved, question, plan, participant, clipped: count } = self;
        let job = &approved.job;
        let Some(trainer) = trainer else {
            return Err(
                Denied::Trainer(job.external().map_or_else(String::new, |of| of.trainer.clone())).into()
            );
        };
        let table = approved.table.lock().unwrap_or_else(PoisonError::into_inner).rows();
        let contribution = match question.for_trainer() {
            Some(Asked::Train(asked)) => {
                let trained = trainer.train(job, &table, asked, rng.next_u64()).await?;
                let (id, round) = (&job.identity.id, asked.training_round);
                for (metric, value) in &trained.metrics {
                    info!(participant, job = %id, round, metric = plain(metric), value, "the trainer reports");
                }
                let (contribution, clipped) = asked.contribution(&table, &trained.update)?;
                if clipped > 0 {
                    warn!(
                        participant,
                        job = %id,
                        round,
                        values = clipped,
                        "changes by the trainer were clipped to the job's bound"
                    );
                }
                contribution
            }
            Some(Asked::Score(state, roles)) => {
                let scores = trainer.score(job, &table, state, roles).await?;
                question.scored(&table, &scores)?
            }
            None => {
                return Err(ProgramError::BadQuestion("it is none for a trainer".into()).into());
            }
        };
        let kind = question.kind();
        joined(spawn_blocking(move || encoded(contribution, kind, &plan, &mut rng, &count)).await)
    }
}
