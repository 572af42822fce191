//! Whether this institution takes part in a job: the policy decides before any row is read.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use syndic_learning::job::Terms;
use syndic_learning::{Job, JobTable, Table};
use syndic_round::participant::Accepted;
use syndic_round::{Digest, PreparationTerms, Rejection};
use tracing::info;

use super::error::{Declined, Undone};
use super::files::held;
use super::link::Link;
use super::seat::joined;
use super::{Agent, now};
use crate::journal::{Debit, Engaged, Engagement, JournalError, NoiseBasis};
use crate::policy::{Budget, Denied, Named, amount_of};

/// A job that the policy allows, with the rows that it reads.
pub(super) struct Approved {
    pub(super) job: Job,
    pub(super) terms: Accepted,
    pub(super) table: Arc<Mutex<JobTable>>,
}

/// The rows of a job, and what the log says of them.
struct Rows {
    table: Arc<Table>,
    snapshot: String,
    without_consent: String,
}

impl Agent {
    /// The job of a preparation, once its file was fetched, the policy has allowed it, and the rows fit it.
    pub(super) async fn accepted(
        &self,
        link: &mut Link,
        wanted: &PreparationTerms,
    ) -> Result<Arc<Approved>, Undone> {
        let (file, looked) = ((wanted.agreement, wanted.number), self.look_at(link, wanted));
        let approved = self.accepted.get_or(file, Instant::now, looked).await?;
        // Whether all other terms are this job's is checked where they are taken up.
        if approved.terms.job != wanted.job {
            return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
        }
        Ok(approved)
    }

    /// A job that may be taken part in, or why its rows cannot be had, which is remembered.
    async fn look_at(
        &self,
        link: &mut Link,
        wanted: &PreparationTerms,
    ) -> Result<Result<Approved, Declined>, Undone> {
        // The policy is the same as long as the agent runs, so its no is final. Asked about round after round, the file is not
        // fetched round after round.
        if let Some(denied) = held(&self.denied).get(wanted.agreement) {
            return Err(Declined::Policy((**denied).clone()).into());
        }
        let file = link.fetch(wanted.agreement).await?;
        let file = String::from_utf8(file).map_err(|_| Declined::Coordinator(Rejection::Malformed))?;
        let (job, terms) = Terms::of(&file, self.roster.roster()).map_err(Declined::from)?;
        if job.identity.id != wanted.job {
            return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
        }
        // The policy decides before any row is read.
        let allowed = self.policy.check(&job, &terms.protection).and_then(|()| self.offers_trainer(&job));
        if let Err(no) = allowed {
            return Err(self.deny(wanted.agreement, no));
        }
        // Before any row is read. A model may be delivered later, so this no is not final.
        self.compared(&job).await?;
        // Before any row is read and anything of the job leaves. What is spent never comes back, so this no is final too.
        if let Err(no) = self.take_on(&job, wanted.agreement).await? {
            return Err(self.deny(wanted.agreement, no));
        }
        let Rows { table, snapshot, without_consent } = match self.rows_of(&job).await {
            Ok(rows) => rows,
            Err(Undone::Declined(reason)) if job.adds_noise() => return Ok(Err(reason.without_detail())),
            Err(Undone::Declined(reason)) => return Ok(Err(reason)),
            Err(undone) => return Err(undone),
        };
        let Terms { agreement, protection, admission, deadlines } = terms;
        let terms = Accepted { job: wanted.job.clone(), agreement, protection, admission, deadlines };
        let table = Arc::new(Mutex::new(JobTable::new(table)));
        info!(
            participant = self.enrolment.name(), job = %wanted.job, snapshot, without_consent,
            "the policy allows the job"
        );
        Ok(Ok(Approved { job, terms, table }))
    }

    /// A no that is final.
    fn deny(&self, agreement: Digest, no: Denied) -> Undone {
        held(&self.denied).insert(agreement, Arc::new(no.clone()));
        Declined::Policy(no).into()
    }

    /// The rows of a job that was taken on, once they fit it and are those of its earlier rounds.
    async fn rows_of(&self, job: &Job) -> Result<Rows, Undone> {
        let (source, contract) = (self.source.clone(), job.contract.clone());
        let load = tokio::task::spawn_blocking(move || source.load(&contract));
        let reading = joined(load.await)?.map_err(Declined::from)?;
        if job.needs_both_classes() {
            reading.table.check_classes().map_err(|report| Declined::Data(report.into()))?;
        }
        let snapshot = reading.snapshot.map(|snapshot| snapshot.id());
        if let Some(snapshot) = snapshot {
            // If we crash here the job is pinned to rows that were never used; the same rows are read after the restart.
            self.journal.pin_snapshot(job.identity.id.as_str(), snapshot).await?;
        }
        Ok(Rows {
            table: reading.table,
            snapshot: snapshot.map_or_else(String::new, |snapshot| snapshot.to_string()),
            without_consent: reading.without_consent.map_or_else(String::new, |rows| rows.to_string()),
        })
    }

    /// Whether the trainer that a job asks for, if it asks for one, is the one that the configuration names.
    fn offers_trainer(&self, job: &Job) -> Result<(), Denied> {
        match job.external() {
            Some(terms) if !self.trainer.as_ref().is_some_and(|trainer| trainer.is_meant(terms)) => {
                Err(Denied::Trainer(terms.trainer.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl Agent {
    /// Writes down that this institution takes part, under which content of the contract, and debits all that a job with noise may
    /// spend, once.
    async fn take_on(&self, job: &Job, agreement: Digest) -> Result<Result<(), Denied>, JournalError> {
        let is_pinned = match self.policy.names(job) {
            Ok(named) => named == Named::ByContent,
            Err(no) => return Ok(Err(no)),
        };
        let (contract, content) = (job.contract.id(), job.contract.digest());
        let debit = amount_of(job).zip(job.privacy.noise()).map(|(amount, terms)| Debit {
            job: job.identity.id.to_string(),
            contract: contract.clone(),
            unit: terms.protected,
            amount,
            noise: Some(NoiseBasis { source: terms.noise.name().into(), honest: terms.contributors }),
            at_ms: now().0,
        });
        let engagement = Engagement {
            job: job.identity.id.as_str(),
            agreement,
            contract: &contract,
            content,
            is_pinned,
            debit: debit.as_ref(),
        };
        let limit = debit.as_ref().and_then(|debit| self.policy.privacy.budget_of(debit.unit));
        let limit = limit.map(Budget::limit);
        Ok(match self.journal.engage(&engagement, limit).await? {
            Engaged::Recorded(_) => Ok(()),
            Engaged::OtherContract { accepted } => {
                Err(Denied::ContractChanged { contract, found: content, agreed: accepted })
            }
            Engaged::OverBudget { unit, needed, left } => Err(Denied::Budget { unit, needed, left }),
        })
    }
}
