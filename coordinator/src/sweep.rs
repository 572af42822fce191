//! Sweeping: blobs that no entry names, and what is left of uploads that nobody goes on with, go once they are old.
//!
//! A blob is stored before the entry that names it, so that a crash in between leaves one that none does. It is young then,
//! and so is whatever is under way, here or at another coordinator on the same store: what has had days to be named, and
//! is not, never will be. But the same content may be stored once more, by another coordinator, in the moment in which it is
//! removed. So a blob goes in two steps, and between both it is where every reader finds it:
//!
//! | a blob | that no entry names | that an entry names |
//! |---|---|---|
//! | stored, and older than the rule says | is set aside | stays |
//! | set aside for [`ASIDE_FOR`] | is removed for good | is put back |
//!
//! Nothing that was stored is removed by the second step, and whoever stored something at the moment of the first has named it
//! before the second: nobody stores a blob, stands still for a day, and then names it. What entries name is read after
//! the blobs are listed, to the end of the log.

mod command;
mod looked;
mod swept;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use syndic_round::Digest;

use crate::driver::CoordinatorError;
use crate::named::Role;
use crate::store::{Begun, Blobs, Log, StoreError, StoredBlob};
pub use command::run;
pub(crate) use looked::Looked;
pub use swept::{Gone, Swept};

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// From which age on.
    pub older_than: Duration,
    /// Whether nothing is changed, and only told of.
    pub is_dry: bool,
}

/// `[sweep]` of `coordinator.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SweepConfig {
    /// Days that a blob has to be named by an entry, and that an upload has to go on.
    pub older_than_days: u32,
}

impl SweepConfig {
    /// Why this cannot be kept; the key is named.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self) -> Result<(), String> {
        let days = self.older_than_days;
        if (1..=MOST_DAYS).contains(&days) {
            return Ok(());
        }
        Err(format!("`sweep.older_than_days` is {days}, which is not from 1 to {MOST_DAYS}"))
    }

    /// The age from which on things are swept.
    pub fn older_than(&self) -> Duration {
        days(self.older_than_days)
    }
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self { older_than_days: 7 }
    }
}

/// So many days.
pub const fn days(days: u32) -> Duration {
    Duration::from_secs(86_400 * days as u64)
}

/// Sweeps the blobs of a log. One at a time may: who shares a store does it under a lease.
///
/// # Errors
/// [`CoordinatorError`] where an entry cannot be read, since what it names is not known: nothing is changed then. Or where the
/// store of blobs fails; what was swept before that is, and the next sweep goes on.
pub async fn sweep(log: &dyn Log, blobs: &dyn Blobs, rule: Rule) -> Result<Swept, CoordinatorError> {
    let begun = blobs.all_begun().await?;
    let mut sweep = Sweep { blobs, rule, looked: Looked::at(log, blobs).await?, swept: Swept::begin(&rule) };
    // If we crash here, or after any of what follows, what was not swept is found by the next sweep as it is now.
    sweep.erased().await?;
    sweep.set_aside_before().await?;
    sweep.stored().await?;
    sweep.uploads(begun).await?;
    Ok(sweep.swept)
}

/// Removes what is on record as erased, and nothing else.
///
/// # Errors
/// As [`sweep`].
pub(crate) async fn finish_erasures(log: &dyn Log, blobs: &dyn Blobs) -> Result<Swept, CoordinatorError> {
    let rule = Rule { older_than: Duration::MAX, is_dry: false };
    let mut sweep = Sweep { blobs, rule, looked: Looked::at(log, blobs).await?, swept: Swept::begin(&rule) };
    sweep.erased().await?;
    Ok(sweep.swept)
}

/// A sweep, once it is known what is there and what is claimed.
struct Sweep<'a> {
    blobs: &'a dyn Blobs,
    rule: Rule,
    looked: Looked,
    swept: Swept,
}

impl Sweep<'_> {
    /// What an entry has erased, whatever its age. Nobody stores an update or a share again, which are random; what is asked
    /// other jobs may ask too, so a question takes both steps.
    async fn erased(&mut self) -> Result<(), StoreError> {
        let Looked { claims, stored, set_aside } = &self.looked;
        let places: BTreeMap<Digest, &StoredBlob> =
            set_aside.iter().chain(stored).map(|blob| (blob.digest, blob)).collect();
        let erased = claims.erased().filter_map(|(digest, role)| Some((*places.get(digest)?, role)));
        for (blob, role) in erased {
            let is_gone = match (role, self.rule.is_dry) {
                (_, true) => true,
                (Role::Question, _) => self.blobs.set_aside(blob.digest).await?,
                // If we crash here the entry stands, and the next sweep goes on with what is left.
                _ => self.blobs.remove(blob.digest).await?,
            };
            if is_gone {
                self.swept.erased.push(Gone::blob(blob));
            }
        }
        Ok(())
    }

    /// The second step.
    async fn set_aside_before(&mut self) -> Result<(), StoreError> {
        for blob in &self.looked.set_aside {
            let (digest, gone) = (blob.digest, Gone::blob(blob));
            if blob.age < ASIDE_FOR {
                self.swept.waiting += 1;
            } else if self.looked.claims.has(&digest) {
                if !self.rule.is_dry {
                    self.blobs.put_back(digest).await?;
                }
                self.swept.put_back.push(gone);
            } else if self.rule.is_dry || self.blobs.remove_aside(digest).await? {
                self.swept.removed.push(gone);
            }
        }
        Ok(())
    }

    /// The first step.
    async fn stored(&mut self) -> Result<(), StoreError> {
        for blob in &self.looked.stored {
            if self.looked.claims.has(&blob.digest) {
                self.swept.named += 1;
            } else if blob.age < self.rule.older_than {
                self.swept.young += 1;
            } else if self.rule.is_dry || self.blobs.set_aside(blob.digest).await? {
                self.swept.set_aside.push(Gone::blob(blob));
            }
        }
        Ok(())
    }

    async fn uploads(&mut self, begun: Vec<Begun>) -> Result<(), StoreError> {
        for upload in begun.into_iter().filter(|upload| upload.age >= self.rule.older_than) {
            if self.rule.is_dry || self.blobs.forget(&upload.name).await? {
                self.swept.uploads.push(Gone::upload(&upload));
            }
        }
        if !self.rule.is_dry {
            self.swept.leftovers = self.blobs.sweep_abandoned().await?;
        }
        Ok(())
    }
}

/// For how long a blob is set aside at least: the most time that anybody may take from storing a blob to naming it.
pub const ASIDE_FOR: Duration = days(1);
/// A hundred years.
pub const MOST_DAYS: u32 = 36_500;
