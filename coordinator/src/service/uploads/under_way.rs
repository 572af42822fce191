//! How many uploads a member may have under way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syndic_proto::status::with_code;
use syndic_round::ParticipantId;
use tonic::{Code, Status};

/// Uploads of each member that are under way: as many as jobs may be, since a job awaits one at a time.
#[derive(Clone)]
pub(in crate::service) struct Uploading {
    most: usize,
    members: Arc<Mutex<BTreeMap<ParticipantId, usize>>>,
}

/// One upload of a member; over when dropped.
pub(in crate::service) struct UnderWay(Uploading, ParticipantId);

impl Uploading {
    /// None under way; `most` of each member may be.
    pub(in crate::service) fn at_most(most: usize) -> Self {
        Self { most, members: Arc::default() }
    }

    /// Begins an upload of `member`, unless as many as may be are under way.
    pub(in crate::service) fn begin(&self, member: ParticipantId) -> Result<UnderWay, Status> {
        let mut members = self.lock();
        let under_way = members.entry(member).or_default();
        if *under_way < self.most {
            *under_way += 1;
            return Ok(UnderWay(self.clone(), member));
        }
        Err(busy())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ParticipantId, usize>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(under_way) = self.0.lock().get_mut(&self.1) {
            *under_way -= 1;
        }
    }
}

/// What is under way has to end first.
pub(super) fn busy() -> Status {
    with_code(Code::Unavailable, "upload.busy", "other uploads of this participant are under way")
}
