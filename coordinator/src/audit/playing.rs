//! A job whose rounds are played again: how far it is, and whether what is opened of it is what was agreed.

use syndic_learning::job::Terms;
use syndic_learning::program::question;
use syndic_round::coordinator::Ahead;
use syndic_round::{ParticipantId, PreparationTerms, RoundPlan};

use super::places::Places;
use crate::engine::{Attendance, Open};

/// How far a job is.
pub(super) struct Playing {
    /// What all its rounds have in common, by its file.
    pub(super) terms: Terms,
    /// Which of its sums there are.
    pub(super) places: Places,
    pub(super) round: Option<Open>,
    pub(super) ahead: Ahead,
    pub(super) attendance: Attendance,
}

impl Playing {
    /// Whether a round's terms are those of the job, and admit whom it admits: all, or those that its lot draws.
    pub(super) fn agreed_to(
        &self,
        opened: &RoundPlan,
        question: (&str, Option<u32>),
        lot: Option<&str>,
    ) -> bool {
        let admission = &self.terms.admission;
        let decides = admission.is_by_lot().then(|| question::lot(question.0, question.1));
        let fingerprint = opened.question_fingerprint(decides.as_deref().unwrap_or_default());
        self.has(&opened.terms)
            && lot == decides.as_deref()
            && opened.terms.admitted == admission.of_question(self.terms.agreement, fingerprint)
    }

    /// Whether the terms of a preparation made ahead are those of the job.
    pub(super) fn agreed_ahead(&self, terms: &PreparationTerms) -> bool {
        let admission = &self.terms.admission;
        self.has(terms) && !admission.is_by_lot() && terms.admitted == admission.institutions()
    }

    fn has(&self, terms: &PreparationTerms) -> bool {
        let Terms { agreement, protection, deadlines, .. } = &self.terms;
        (terms.agreement, terms.protection, terms.deadlines) == (*agreement, *protection, *deadlines)
    }

    /// Whom the job has and a round with this plan does not admit.
    pub(super) fn undrawn(&self, plan: &RoundPlan) -> Vec<ParticipantId> {
        self.terms.admission.others(&plan.terms.admitted)
    }
}
