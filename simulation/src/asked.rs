//! What a participant makes of an attempt that it is shown, before it takes it up or reveals in it.

use syndic_round::{Digest, Rejection, Voided};

use crate::federation::{Federation, slot_number, slot_of};
use crate::journal::Opening;
use crate::offer::Asked;
use crate::participant::Undone;

impl Asked {
    /// Checks the question, and that its answer is carried as the job says; its fingerprint.
    pub(crate) fn fingerprint(&self, federation: &Federation) -> Result<Digest, Undone> {
        if Digest::of(&self.question) != self.plan.question {
            return Err(Undone::Declined("blob.other-bytes"));
        }
        let slot = slot_of(&self.question).ok_or(Undone::Declined("program.question"))?;
        let number = slot_number(&self.question).ok_or(Undone::Declined("program.question"))?;
        let job = federation.job(&self.plan.terms.job);
        if job.layout(number) != self.plan.layout {
            return Err(Rejection::NotAgreed("layout").into());
        }
        if job.carrier_of(&self.plan.layout) != self.plan.carrier {
            return Err(Rejection::NotAgreed("way of small vectors").into());
        }
        let fingerprint = self.plan.question_fingerprint(slot);
        let drawn = job.accepted.admission.of_question(job.accepted.agreement, fingerprint);
        if drawn != self.plan.terms.admitted {
            return Err(Rejection::NotAgreed("institutions drawn by lot").into());
        }
        Ok(fingerprint)
    }

    /// Whether enough members promised never to open the earlier attempt.
    pub(crate) fn is_void(&self, federation: &Federation, earlier: &Opening) -> bool {
        let Opening { round, context } = *earlier;
        let terms = &self.plan.terms;
        let (protection, admitted, roster) = (&terms.protection, &terms.admitted, &federation.roster);
        let promises =
            self.voided.iter().filter(|(id, _)| *id == round).map(|(_, promises)| promises.clone());
        promises
            .into_iter()
            .any(|these| Voided::verify(round, context, protection, admitted, roster, these).is_ok())
    }
}
