//! Whom the rounds of a job admit: all its institutions, or so many of them by lot, drawn anew for each place in the job.

use alloc::vec::Vec;

use crate::digest::Digest;
use crate::ids::ParticipantId;

/// Whom the rounds of a job admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The job's institutions, in the order of ids.
    institutions: Vec<ParticipantId>,
    /// How many of them a round admits, where not all.
    drawn: Option<u16>,
}

impl Admission {
    /// Every round admits all `institutions`, which are in the order of ids.
    pub fn of_all(institutions: Vec<ParticipantId>) -> Self {
        Self { institutions, drawn: None }
    }

    /// Every round admits `drawn` of the `institutions`, which are in the order of ids.
    pub fn by_lot(institutions: Vec<ParticipantId>, drawn: u16) -> Self {
        Self { institutions, drawn: Some(drawn) }
    }

    /// The job's institutions, in the order of ids.
    pub fn institutions(&self) -> &[ParticipantId] {
        &self.institutions
    }

    /// Whether rounds admit some of the institutions, by lot.
    pub fn is_by_lot(&self) -> bool {
        self.drawn.is_some()
    }

    /// Those whom the round admits that asks the question with this fingerprint ([`crate::question_fingerprint`]),
    /// in the order of ids: those with the smallest SHA-256 of the agreement, the fingerprint and their id.
    ///
    /// Whoever wrote the job file can have tried many files, and so many draws; nobody chooses after it was agreed. It is the
    /// same draw in every attempt and in whatever round the place is asked for, so that t of those admitted are a quorum of
    /// all who can answer (docs/protocol.md, rule 11).
    pub fn of_question(&self, agreement: Digest, question: Digest) -> Vec<ParticipantId> {
        let Some(drawn) = self.drawn else { return self.institutions.clone() };
        let lot = |id: &ParticipantId| {
            let parts: [&[u8]; 3] = [agreement.as_bytes(), question.as_bytes(), &id.get().to_be_bytes()];
            Digest::of_parts("KSA/1 lot", &parts)
        };
        let mut lots: Vec<_> = self.institutions.iter().map(|id| (lot(id), *id)).collect();
        lots.sort_unstable();
        let mut admitted: Vec<_> = lots.into_iter().take(drawn.into()).map(|(_, id)| id).collect();
        admitted.sort_unstable();
        admitted
    }

    /// The job's institutions that are not among these.
    pub fn others(&self, admitted: &[ParticipantId]) -> Vec<ParticipantId> {
        self.institutions.iter().copied().filter(|id| !admitted.contains(id)).collect()
    }

    /// Whether some place in the job may admit exactly these.
    pub(crate) fn may_admit(&self, admitted: &[ParticipantId]) -> bool {
        match self.drawn {
            None => admitted == self.institutions,
            Some(drawn) => {
                let is_of_the_job = |id: &ParticipantId| self.institutions.binary_search(id).is_ok();
                admitted.len() == usize::from(drawn) && admitted.iter().all(is_of_the_job)
            }
        }
    }
}
