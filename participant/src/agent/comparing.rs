//! Models that a job needs which trains none: those that were delivered here and are proved, or none at all.

use syndic_learning::{Job, Model};

use super::Agent;
use super::error::Declined;
use super::seat::joined;
use crate::models::Unheld;

impl Agent {
    /// The models that a job compares, or compares rows with; none where it trains one itself. Each is verified from the bytes that
    /// it is used from, whenever this is asked: one may be withdrawn while a job that compares it is under way.
    pub(super) async fn compared(&self, job: &Job) -> Result<Vec<Model>, Declined> {
        let first = job.comparison().and_then(|terms| terms.models.first());
        let Some(first) = first.or(job.released_drift().map(|terms| &terms.model)) else {
            return Ok(Vec::new());
        };
        // Whoever takes no models has none.
        let models = self.models.clone().ok_or(Unheld::NotHere(*first))?;
        let (job, roster) = (job.clone(), self.roster.clone());
        let look = move || models.comparing(&job, &roster);
        Ok(joined(tokio::task::spawn_blocking(look).await)??)
    }
}
