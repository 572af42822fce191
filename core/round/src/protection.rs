//! Who may open what, and the rules that terms must not break.

use thiserror::Error;

use crate::codec::Malformed;
use crate::parameters::ParameterSet;

/// Who may open what: fixed by the accepted job, the same in all its rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    parameter_set: ParameterSet,
    admitted: u16,
    threshold: u16,
    colluding: u16,
    min_survivors: u16,
}

/// The rule that terms break.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Cohort outside the parameter set.
    #[error("{set} serves 3 to {most} institutions, not {admitted}")]
    Cohort {
        /// Name of the set.
        set: &'static str,
        /// Largest cohort.
        most: u16,
        /// Institutions admitted.
        admitted: u16,
    },
    /// More reveals demanded than there are institutions.
    #[error("a threshold of {threshold} cannot be reached by {admitted} institutions")]
    Unreachable {
        /// Threshold.
        threshold: u16,
        /// Institutions admitted.
        admitted: u16,
    },
    /// 2t > n + c does not hold, so a lying coordinator could open two sums.
    #[error("2t > n + c must hold: t = {threshold}, n = {admitted}, c = {colluding}")]
    Quorum {
        /// Threshold.
        threshold: u16,
        /// Institutions admitted.
        admitted: u16,
        /// Colluding participants tolerated.
        colluding: u16,
    },
    /// t >= c + 2 does not hold, so colluders could be all but one of the sum.
    #[error("t >= c + 2 must hold: t = {threshold}, c = {colluding}")]
    Anonymity {
        /// Threshold.
        threshold: u16,
        /// Colluding participants tolerated.
        colluding: u16,
    },
    /// A smallest survivor set outside t..=n.
    #[error("the smallest survivor set must have {threshold} to {admitted} members, not {min_survivors}")]
    Survivors {
        /// Threshold.
        threshold: u16,
        /// Institutions admitted.
        admitted: u16,
        /// Smallest survivor set asked for.
        min_survivors: u16,
    },
    /// Admitted ids that are not strictly increasing, not as many as the protection says, or in no roster.
    #[error("the admitted institutions are not members of the roster, once each in the order of their ids")]
    Admitted,
    /// A plan for another federation or another roster of it.
    #[error("the plan names another federation or roster")]
    Roster,
    /// A deadline of zero.
    #[error("every phase needs a deadline above zero")]
    Deadline,
    /// Rounds, attempts and preparations are counted from 1.
    #[error("rounds, attempts and preparations are counted from 1")]
    Number,
    /// A round is to be opened with a preparation that is not ready, or whose terms are not the plan's.
    #[error("the preparation is not ready, or not for this plan")]
    Preparation,
    /// A vector that is to be shared itself and is not small.
    #[error("the vector is too long, or its values too wide, to be shared itself")]
    Carrier,
    /// Bytes that are no plan.
    #[error("the plan is malformed")]
    Malformed,
}

impl PlanError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cohort { .. } => "plan.cohort",
            Self::Unreachable { .. } => "plan.threshold-unreachable",
            Self::Quorum { .. } => "plan.quorum",
            Self::Anonymity { .. } => "plan.anonymity",
            Self::Survivors { .. } => "plan.min-survivors",
            Self::Admitted => "plan.admitted",
            Self::Roster => "plan.roster",
            Self::Deadline => "plan.deadline",
            Self::Number => "plan.number",
            Self::Preparation => "plan.preparation",
            Self::Carrier => "plan.carrier",
            Self::Malformed => "plan.malformed",
        }
    }
}

impl Protection {
    /// Protection of a job with `admitted` institutions (n), `threshold` reveals (t), up to `colluding`
    /// participants beside a lying coordinator (c), and sums of no fewer than `min_survivors`.
    ///
    /// # Errors
    /// [`PlanError`] names the rule broken (docs/protocol.md, rules 2 and 3).
    pub fn new(
        parameter_set: ParameterSet,
        admitted: u16,
        threshold: u16,
        colluding: u16,
        min_survivors: u16,
    ) -> Result<Self, PlanError> {
        let most = parameter_set.largest_cohort();
        if !(3..=most).contains(&admitted) {
            return Err(PlanError::Cohort { set: parameter_set.name(), most, admitted });
        }
        if threshold > admitted {
            return Err(PlanError::Unreachable { threshold, admitted });
        }
        if 2 * threshold <= admitted.saturating_add(colluding) {
            return Err(PlanError::Quorum { threshold, admitted, colluding });
        }
        if threshold < colluding + 2 {
            return Err(PlanError::Anonymity { threshold, colluding });
        }
        if !(threshold..=admitted).contains(&min_survivors) {
            return Err(PlanError::Survivors { threshold, admitted, min_survivors });
        }
        Ok(Self { parameter_set, admitted, threshold, colluding, min_survivors })
    }

    /// The default for `admitted` institutions: t = floor(2n/3) + 1, and the largest c that rule 2 allows.
    ///
    /// # Errors
    /// When the parameter set does not serve that many.
    pub fn default_for(parameter_set: ParameterSet, admitted: u16) -> Result<Self, PlanError> {
        let threshold = Self::default_threshold(admitted);
        Self::new(parameter_set, admitted, threshold, Self::largest_colluding(admitted, threshold), threshold)
    }

    /// t = floor(2n/3) + 1.
    pub fn default_threshold(admitted: u16) -> u16 {
        (u32::from(admitted) * 2 / 3 + 1) as u16
    }

    /// The largest c for which 2t > n + c and t >= c + 2.
    pub fn largest_colluding(admitted: u16, threshold: u16) -> u16 {
        let quorum = threshold.saturating_mul(2).saturating_sub(admitted.saturating_add(1));
        quorum.min(threshold.saturating_sub(2))
    }

    /// The parameter set.
    pub fn parameter_set(&self) -> ParameterSet {
        self.parameter_set
    }

    /// n: institutions admitted to the job.
    pub fn admitted(&self) -> u16 {
        self.admitted
    }

    /// t: reveals that open a sum.
    pub fn threshold(&self) -> u16 {
        self.threshold
    }

    /// c: colluding participants tolerated beside a lying coordinator.
    pub fn colluding(&self) -> u16 {
        self.colluding
    }

    /// u_min: the smallest survivor set whose sum may be opened.
    pub fn min_survivors(&self) -> u16 {
        self.min_survivors
    }

    /// Bad acknowledgements that an eligible dealer may have: min(c, n - t).
    pub fn tolerated_complaints(&self) -> u16 {
        self.colluding.min(self.admitted - self.threshold)
    }
}

impl From<Malformed> for PlanError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}
