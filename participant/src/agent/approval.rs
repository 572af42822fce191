//! Whether this institution takes part in a job: the policy decides before any row is read.

use std::sync::Arc;

use syndic_learning::job::Terms;
use syndic_learning::{Job, Table};
use syndic_round::participant::Accepted;
use syndic_round::{PreparationTerms, Rejection};
use tracing::info;

use super::Agent;
use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::joined;

/// A job that the policy allows, with the rows that it reads.
pub(super) struct Approved {
    pub(super) job: Job,
    pub(super) terms: Accepted,
    pub(super) table: Arc<Table>,
}

impl Agent {
    /// The job of a preparation, once its file was fetched, the policy has allowed it, and the rows fit it.
    pub(super) async fn accepted(
        &self,
        link: &mut Link,
        wanted: &PreparationTerms,
    ) -> Result<Arc<Approved>, Undone> {
        let mut accepted = self.accepted.lock().await;
        if let Some(approved) = accepted.get(&wanted.agreement) {
            // Whether all other terms are this job's is checked where they are taken up.
            if approved.terms.job != wanted.job {
                return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
            }
            return Ok(approved.clone());
        }
        let file = link.fetch(wanted.agreement).await?;
        let file = String::from_utf8(file).map_err(|_| Declined::Coordinator(Rejection::Malformed))?;
        let (job, terms) = Terms::of(&file, self.roster.roster()).map_err(Declined::from)?;
        if job.identity.id != wanted.job {
            return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
        }
        // The policy decides before any row is read.
        self.policy.check(&job, &terms.protection).map_err(Declined::from)?;
        self.journal.accept_job(wanted.job.as_str(), wanted.agreement).await?;
        let (source, contract) = (self.source.clone(), job.contract.clone());
        let load = tokio::task::spawn_blocking(move || source.load(&contract));
        let table = joined(load.await)?.map_err(Declined::from)?;
        let Terms { agreement, protection, admitted, deadlines } = terms;
        let terms = Accepted { job: wanted.job.clone(), agreement, protection, admitted, deadlines };
        let approved = Arc::new(Approved { job, terms, table });
        accepted.insert(wanted.agreement, approved.clone());
        info!(participant = self.enrolment.name(), job = %wanted.job, "the policy allows the job");
        Ok(approved)
    }
}
