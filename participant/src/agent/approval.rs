//! Whether this institution takes part in a job: the policy decides before any row is read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use syndic_learning::job::Terms;
use syndic_learning::{Job, JobTable, Table};
use syndic_round::participant::Accepted;
use syndic_round::{Digest, PreparationTerms, Rejection};
use tracing::info;

use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::joined;
use super::{Agent, now};
use crate::journal::{Debit, Engaged, Engagement, JournalError, NoiseBasis};
use crate::policy::{Budget, Denied, Named, amount_of};

/// What is known of the job files asked about last, by digest. An approved one holds its rows, so only a few are kept; another
/// is looked at again when it is asked about again.
pub(super) struct Latest<T>(VecDeque<(Digest, Arc<T>)>);

/// The job files that were accepted last. One is looked at by one duty at a time, which may wait for rows for minutes; whoever asks
/// about another does not wait for it.
pub(super) struct Files<T> {
    latest: Mutex<Latest<T>>,
    /// Held by who looks at a file.
    turns: Mutex<BTreeMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

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

impl<T> Latest<T> {
    /// None yet.
    pub(super) fn none() -> Self {
        Self(VecDeque::new())
    }

    fn get(&self, agreement: Digest) -> Option<&Arc<T>> {
        self.0.iter().find_map(|(file, known)| (*file == agreement).then_some(known))
    }

    /// Lets go of those.
    fn remove(&mut self, which: impl Fn(&T) -> bool) {
        self.0.retain(|(_, known)| !which(known));
    }

    fn insert(&mut self, agreement: Digest, known: Arc<T>) {
        if self.0.len() == MOST_FILES {
            self.0.pop_front();
        }
        self.0.push_back((agreement, known));
    }
}

impl<T> Files<T> {
    /// None yet.
    pub(super) fn none() -> Self {
        Self { latest: Mutex::new(Latest::none()), turns: Mutex::default() }
    }

    pub(super) fn get(&self, agreement: Digest) -> Option<Arc<T>> {
        held(&self.latest).get(agreement).cloned()
    }

    /// Lets go of those.
    pub(super) fn remove(&self, which: impl Fn(&T) -> bool) {
        held(&self.latest).remove(which);
    }

    /// What is known of a file, or what `look` comes to. Who asks while another looks at the same file waits, and looks itself only
    /// where the other failed.
    async fn get_or<E>(
        &self,
        agreement: Digest,
        look: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let turn = self.turn(agreement);
        let _turn = turn.lock().await;
        if let Some(known) = self.get(agreement) {
            return Ok(known);
        }
        let known = Arc::new(look.await?);
        held(&self.latest).insert(agreement, known.clone());
        Ok(known)
    }

    /// What those hold one after the other who ask about a file. It is forgotten when nobody asks any more.
    fn turn(&self, agreement: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = held(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&agreement).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(agreement, Arc::downgrade(&turn));
        turn
    }
}

impl Agent {
    /// The job of a preparation, once its file was fetched, the policy has allowed it, and the rows fit it.
    pub(super) async fn accepted(
        &self,
        link: &mut Link,
        wanted: &PreparationTerms,
    ) -> Result<Arc<Approved>, Undone> {
        let approved = self.accepted.get_or(wanted.agreement, self.look_at(link, wanted)).await?;
        // Whether all other terms are this job's is checked where they are taken up.
        if approved.terms.job != wanted.job {
            return Err(Declined::Coordinator(Rejection::Mismatch("job")).into());
        }
        Ok(approved)
    }

    async fn look_at(&self, link: &mut Link, wanted: &PreparationTerms) -> Result<Approved, Undone> {
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
        let read = self.rows_of(&job).await;
        let Rows { table, snapshot, without_consent } = match job.adds_noise() {
            true => read.map_err(Undone::without_detail)?,
            false => read?,
        };
        let Terms { agreement, protection, admission, deadlines } = terms;
        let terms = Accepted { job: wanted.job.clone(), agreement, protection, admission, deadlines };
        let table = Arc::new(Mutex::new(JobTable::new(table)));
        info!(
            participant = self.enrolment.name(), job = %wanted.job, snapshot, without_consent,
            "the policy allows the job"
        );
        Ok(Approved { job, terms, table })
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

/// For a moment only: nothing is waited for while it is held.
fn held<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More than a coordinator that means well asks about in turn, as it does of the jobs that are under way at once.
const MOST_FILES: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[test]
    fn however_many_jobs_are_asked_about_only_the_last_few_are_held() {
        let (mut latest, file) = (Latest::none(), |number: u8| Digest([number; 32]));
        (0..13).for_each(|number| latest.insert(file(number), Arc::new(number)));
        let held: Vec<u8> =
            (0..13).filter_map(|number| latest.get(file(number)).map(|known| **known)).collect();
        assert_eq!(held, [5, 6, 7, 8, 9, 10, 11, 12]);
        latest.remove(|number| *number == 9);
        assert!(latest.get(file(9)).is_none() && latest.get(file(8)).is_some());
    }

    #[tokio::test]
    async fn while_one_jobs_rows_are_loaded_others_are_approved_asked_about_and_let_go_of() {
        let (files, slow, quick) = (Files::none(), Digest([1; 32]), Digest([2; 32]));
        let ((begun, begins), (loaded, load)) = (oneshot::channel(), oneshot::channel::<u32>());
        let loading = files.get_or(slow, async {
            begun.send(()).unwrap();
            load.await
        });
        // A second duty for the same file has no load of its own.
        let shares = files.get_or(slow, async { unreachable!("it is being loaded") });
        let others = async {
            begins.await.unwrap();
            let approved = files.get_or(quick, async { Ok::<_, ()>(7) }).await.unwrap();
            assert_eq!((*approved, files.get(quick).as_deref()), (7, Some(&7)));
            files.remove(|number| *number == 7);
            assert!(files.get(quick).is_none() && files.get(slow).is_none());
            loaded.send(5).unwrap();
        };
        let (first, second, ()) = tokio::join!(loading, shares, others);
        assert_eq!((first, second), (Ok(Arc::new(5)), Ok::<_, ()>(Arc::new(5))));
        assert_eq!(files.get(slow).as_deref(), Some(&5));
    }

    #[tokio::test]
    async fn a_load_that_failed_or_was_given_up_can_be_begun_again() {
        let (files, file) = (Files::none(), Digest([1; 32]));
        assert_eq!(files.get_or(file, async { Err("slow") }).await, Err("slow"));
        let (begun, begins) = oneshot::channel();
        let given_up = files.get_or(file, async {
            begun.send(()).unwrap();
            std::future::pending::<Result<u32, &str>>().await
        });
        tokio::select! {
            _ = given_up => unreachable!("it never ends"),
            begins = begins => begins.unwrap(),
        }
        assert_eq!(files.get_or(file, async { Ok::<_, &str>(3) }).await, Ok(Arc::new(3)));
    }
}
