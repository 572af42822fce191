//! Whether this institution takes part in a job: the policy decides before any row is read.

use std::sync::Arc;

use syndic_learning::job::Terms;
use syndic_learning::{Job, Table};
use syndic_round::participant::Accepted;
use syndic_round::{Rejection, RoundPlan};
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
    /// The job of a plan, once its file was fetched, the policy has allowed it, and the rows fit it.
    pub(super) async fn accepted(&self, link: &mut Link, plan: &RoundPlan) -> Result<Arc<Approved>, Undone> {
        let mut accepted = self.accepted.lock().await;
        if let Some(approved) = accepted.get(&plan.agreement) {
            // Whether the plan is of this very job is checked with its other terms.
            return Ok(approved.clone());
        }
        let file = link.fetch(plan.agreement).await?;
        let file = String::from_utf8(file).map_err(|_| Declined::Coordinator(Rejection::Malformed))?;
        let (job, terms) = Terms::of(&file, self.roster.roster()).map_err(Declined::from)?;
        if job.identity.id != plan.job {
            return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
        }
        // The policy decides before any row is read.
        self.policy.check(&job, &terms.protection).map_err(Declined::from)?;
        self.journal.accept_job(plan.job.as_str(), plan.agreement).await?;
        let (source, contract) = (self.source.clone(), job.contract.clone());
        let load = tokio::task::spawn_blocking(move || source.load(&contract));
        let table = joined(load.await)?.map_err(Declined::from)?;
        let Terms { agreement, protection, admitted, deadlines } = terms;
        let terms = Accepted { job: plan.job.clone(), agreement, protection, admitted, deadlines };
        let approved = Arc::new(Approved { job, terms, table });
        accepted.insert(plan.agreement, approved.clone());
        info!(participant = self.enrolment.name(), job = %plan.job, "the policy allows the job");
        Ok(approved)
    }
}
