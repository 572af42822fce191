//! `[privacy]` of the policy: what jobs may tell of single rows, and what of the institution as a whole.

use serde::Deserialize;
use syndic_learning::Job;
use syndic_learning::job::{NoiseSource, Protected};
use syndic_learning::privacy::Guarantee;
use syndic_learning::privacy::budget::{Amount, Limit};

use super::{Denied, amount_of};

/// What jobs may tell of single rows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyPolicy {
    /// Takes part in jobs that add no noise. Without it, only where no other key of this section is set: what is limited with one
    /// hand is not given away with the other.
    pub allow_exact_sums: Option<bool>,
    /// The most epsilon of one job with noise for rows.
    pub max_epsilon_per_job: Option<f64>,
    /// The most delta of one job with noise for rows; where only its epsilon is limited, [`DEFAULT_MAX_DELTA`].
    pub max_delta_per_job: Option<f64>,
    /// Whose noise has to suffice, whatever it hides.
    pub noise: Option<RequiredNoise>,
    /// On how many honest institutions' noise a job may count at most.
    pub max_honest: Option<u16>,
    /// What all jobs with noise for rows may spend together, for ever; without it there is no limit.
    pub budget: Option<Budget>,
    /// Takes part in jobs whose noise hides the institution as a whole, within these limits. Without it in none: the limits above
    /// are of single rows, and say nothing of what such a job spends.
    pub institution: Option<InstitutionPolicy>,
}

/// What jobs may tell of the institution as a whole, through noise that hides all of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstitutionPolicy {
    /// The most epsilon of one such job.
    pub max_epsilon_per_job: Option<f64>,
    /// The most delta of one such job; where only its epsilon is limited, [`DEFAULT_MAX_DELTA`].
    pub max_delta_per_job: Option<f64>,
    /// What all such jobs may spend together, for ever; without it there is no limit. Never added to what is spent of rows.
    pub budget: Option<Budget>,
}

/// Whose noise has to suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequiredNoise {
    /// This institution's own: nobody else's honesty counts.
    Local,
}

/// What all jobs with noise may spend together.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Epsilon.
    pub epsilon: f64,
    /// Delta.
    pub delta: f64,
    /// What is on accounts that this institution had before, in `state` folders that it uses no more. A journal that was never told
    /// knows nothing of the customers' past, and an agent with a budget does not start with it.
    pub already_spent: Option<AlreadySpent>,
}

/// What is on accounts of before.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlreadySpent {
    /// Epsilon.
    pub epsilon: f64,
    /// Delta.
    pub delta: f64,
}

impl Budget {
    /// The same in whole numbers.
    pub fn limit(&self) -> Limit {
        Limit::of(self.epsilon, self.delta)
    }

    /// What was spent before in whole numbers, where the policy says it.
    pub fn carried(&self) -> Option<Amount> {
        self.already_spent.map(|AlreadySpent { epsilon, delta }| Amount::of(Guarantee { epsilon, delta }))
    }
}

impl PrivacyPolicy {
    /// Whether jobs that add no noise are taken part in.
    pub fn allows_exact_sums(&self) -> bool {
        let untouched = Self { allow_exact_sums: self.allow_exact_sums, ..Self::default() };
        self.allow_exact_sums.unwrap_or(*self == untouched)
    }

    /// The most delta of one job with noise.
    pub fn max_delta(&self) -> Option<f64> {
        self.max_delta_per_job.or(self.max_epsilon_per_job.map(|_| DEFAULT_MAX_DELTA))
    }

    /// Whether jobs that protect this may not spend what they like. A limit on one unit would mean nothing beside none on the other:
    /// noise for institutions says something of their rows too, and that for rows hides hardly anything of an institution.
    fn is_limited(&self, unit: Protected) -> bool {
        let epsilon = match unit {
            Protected::Row => self.max_epsilon_per_job,
            Protected::Institution => self.institution.as_ref().and_then(|limits| limits.max_epsilon_per_job),
        };
        epsilon.is_some() || self.budget_of(unit).is_some()
    }

    /// What all jobs may spend together that protect the same; none where there is no limit.
    pub fn budget_of(&self, unit: Protected) -> Option<&Budget> {
        match unit {
            Protected::Row => self.budget.as_ref(),
            Protected::Institution => self.institution.as_ref()?.budget.as_ref(),
        }
    }

    pub(super) fn check(&self, job: &Job) -> Result<(), Denied> {
        let (Some(needed), Some(terms)) = (amount_of(job), job.privacy.noise()) else {
            return if self.allows_exact_sums() { Ok(()) } else { Err(Denied::ExactSums) };
        };
        let (most_epsilon, most_delta) = match (terms.protected, &self.institution) {
            (Protected::Row, _) => (self.max_epsilon_per_job, self.max_delta()),
            (Protected::Institution, Some(limits)) => (limits.max_epsilon_per_job, limits.max_delta()),
            (Protected::Institution, None) => return Err(Denied::Unit),
        };
        if self.is_limited(terms.protected.other()) && !self.is_limited(terms.protected) {
            return Err(Denied::Unlimited { unit: terms.protected });
        }
        let honest = terms.contributors;
        if self.noise == Some(RequiredNoise::Local) && terms.noise != NoiseSource::Local {
            return Err(Denied::Noise { honest });
        }
        if let Some(most) = self.max_honest
            && honest > most
        {
            return Err(Denied::Honest { honest, most });
        }
        if let Some(most) = most_epsilon
            && !Limit::of(most, 1.0).admits(Amount::default(), needed)
        {
            return Err(Denied::Epsilon { job: needed, most: most.to_string() });
        }
        match most_delta {
            // A limit that is no number allows nothing.
            Some(most) if most.is_nan() || terms.delta > most => {
                Err(Denied::Delta { job: format!("{:e}", terms.delta), most: format!("{most:e}") })
            }
            _ => Ok(()),
        }
    }
}

impl InstitutionPolicy {
    /// The most delta of one job.
    fn max_delta(&self) -> Option<f64> {
        self.max_delta_per_job.or(self.max_epsilon_per_job.map(|_| DEFAULT_MAX_DELTA))
    }
}

/// The most delta of one job where a policy limits epsilon and says nothing of delta.
pub const DEFAULT_MAX_DELTA: f64 = 1e-5;
