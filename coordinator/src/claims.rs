//! What entries claim: the blobs that they name, and what each is to its entry.

use std::collections::BTreeMap;

use syndic_round::coordinator::Input;
use syndic_round::{Digest, JobId};

use crate::fact::Fact;
use crate::named::{Role, named};

/// The blobs that the entries so far name. What a job's updates are erased of is claimed no more.
#[derive(Default)]
pub(crate) struct Claims {
    /// Of what is kept for ever, the first entry that names it, and what it is to it.
    kept: BTreeMap<Digest, (u64, Role)>,
    /// The same of what may be erased, by job.
    of_jobs: BTreeMap<JobId, BTreeMap<Digest, (u64, Role)>>,
    /// How many jobs claim what may be erased.
    holders: BTreeMap<Digest, u32>,
    /// What was erased.
    released: BTreeMap<Digest, Role>,
}

impl Claims {
    /// Takes the next entry into account, whose place is `index`.
    pub(crate) fn take(&mut self, index: u64, fact: &Fact) {
        if let Fact::UpdatesErased(erased) = fact {
            return self.release(&erased.job);
        }
        for (role, digest) in named(fact) {
            match job_of(fact).filter(|_| role.is_erasable()) {
                None => drop(self.kept.entry(digest).or_insert((index, role))),
                Some(job) => {
                    let of_job = self.of_jobs.entry(job.clone()).or_default();
                    of_job.entry(digest).or_insert_with(|| {
                        *self.holders.entry(digest).or_default() += 1;
                        (index, role)
                    });
                }
            }
        }
    }

    fn release(&mut self, job: &JobId) {
        for (digest, (_, role)) in self.of_jobs.remove(job).unwrap_or_default() {
            match self.holders.get_mut(&digest) {
                Some(holders) if *holders > 1 => *holders -= 1,
                _ => drop(self.holders.remove(&digest)),
            }
            self.released.insert(digest, role);
        }
    }

    /// Whether an entry claims the blob.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.kept.contains_key(digest) || self.holders.contains_key(digest)
    }

    /// Every blob that is claimed, in the order of names, with an entry that names it.
    pub(crate) fn all(&self) -> BTreeMap<Digest, (u64, Role)> {
        let of_jobs = self.of_jobs.values().flatten();
        of_jobs.chain(&self.kept).map(|(digest, named)| (*digest, *named)).collect()
    }

    /// What nobody would claim any more if the updates of this job were erased.
    pub(crate) fn of_alone(&self, job: &JobId) -> impl Iterator<Item = &Digest> {
        let of_job = self.of_jobs.get(job).into_iter().flatten().map(|(digest, _)| digest);
        of_job.filter(|digest| self.holders.get(digest) == Some(&1) && !self.kept.contains_key(digest))
    }

    /// What was erased by an entry, and what it was; nobody claims it.
    pub(crate) fn erased(&self) -> impl Iterator<Item = (&Digest, Role)> {
        self.released.iter().filter(|(digest, _)| !self.has(digest)).map(|(digest, role)| (digest, *role))
    }
}

/// The job that an entry with something erasable is about.
fn job_of(fact: &Fact) -> Option<&JobId> {
    match fact {
        Fact::RoundOpened { plan, .. } => Some(&plan.terms.job),
        Fact::Heard { job, input: Input::Deal(..) | Input::Submit(..), .. } => Some(job),
        _ => None,
    }
}
