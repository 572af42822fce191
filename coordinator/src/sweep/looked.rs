//! What lies in a store of blobs, and what the entries claim of it.

use syndic_ledger::Entry;
use syndic_round::JobId;

use crate::claims::Claims;
use crate::driver::CoordinatorError;
use crate::fact::Fact;
use crate::store::{Blobs, Log, StoreError, StoredBlob, all_aside, all_stored};

/// What there is, and who claims it.
pub(crate) struct Looked {
    pub(super) set_aside: Vec<StoredBlob>,
    pub(super) stored: Vec<StoredBlob>,
    pub(super) claims: Claims,
}

impl Looked {
    /// Looks at everything.
    ///
    /// # Errors
    /// [`CoordinatorError`] where an entry cannot be read, since what it claims is not known.
    pub(crate) async fn at(log: &dyn Log, blobs: &dyn Blobs) -> Result<Self, CoordinatorError> {
        // The blobs first: whatever is named by an entry that is read afterwards may be among them.
        let (set_aside, stored) = (all_aside(blobs).await?, all_stored(blobs).await?);
        Ok(Self { set_aside, stored, claims: claims(log).await? })
    }

    /// How many blobs, and how many bytes, nobody would claim if the updates of this job were erased.
    pub(crate) fn of_alone(&self, job: &JobId) -> (u64, u64) {
        let lengths: std::collections::BTreeMap<_, _> =
            self.stored.iter().chain(&self.set_aside).map(|blob| (blob.digest, blob.length)).collect();
        let lengths = self.claims.of_alone(job).filter_map(|digest| lengths.get(digest));
        lengths.fold((0, 0), |(blobs, bytes), length| (blobs + 1, bytes + length))
    }
}

/// What all entries of a log claim.
async fn claims(log: &dyn Log) -> Result<Claims, CoordinatorError> {
    let (size, mut index, mut claims) = (log.size().await?, 0, Claims::default());
    while index < size {
        let page = log.read(index, PAGE).await?;
        if page.is_empty() {
            return Err(StoreError::Corrupt { what: format!("the log ends at entry {index}, it") }.into());
        }
        for bytes in page {
            let corrupt =
                |error| StoreError::Corrupt { what: format!("entry {index} of the ledger ({error}), it") };
            let entry = Entry::parse(&bytes).map_err(corrupt)?;
            claims.take(index, &Fact::from_entry(index, &entry)?);
            index += 1;
        }
    }
    Ok(claims)
}

/// Entries read at a time.
const PAGE: u64 = 1024;
