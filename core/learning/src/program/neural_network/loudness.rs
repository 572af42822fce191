//! How loud noise for whole institutions is beside what they say, and how many of them it takes to be heard.
//!
//! The noise of n institutions, of variance v each in every one of d entries, is sqrt(d n v) steps long in a sum, and sqrt(d v / n)
//! in the mean, where the longest change of an institution is `LONGEST`. Over T rounds the mean changes add up to at most T of the
//! longest, and noise to the root of T times its length in one. What institutions agree on is a part of the longest.

use super::noisy_update::LONGEST;
use crate::job::{Job, NoiseSource};
use crate::network::parameters;

/// How long noise is in the mean change, in the longest change that one institution may contribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// In one round.
    pub in_a_round: f64,
    /// In the mean of all rounds.
    pub over_all: f64,
}

/// How many institutions are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// n.
    pub institutions: u16,
    /// On the noise of how many the job then counts: t - c of them by the job's protection; 1 with local noise.
    pub honest: u16,
}

impl Job {
    /// How loud the noise of so many institutions is; none where it is not for whole institutions.
    pub fn loudness(&self, institutions: u16) -> Option<Loudness> {
        let (_, terms) = self.averaged_with_noise()?;
        let entries = parameters(&terms.entry(&self.contract), &terms.hidden)? as f64;
        let variance = self.calibration().ok().flatten()?.variance as f64;
        let in_a_round = libm::sqrt(entries * variance / f64::from(institutions.max(1))) / LONGEST as f64;
        Some(Loudness { in_a_round, over_all: in_a_round / libm::sqrt(f64::from(self.rounds.count)) })
    }

    /// The fewest institutions that are heard through the noise of the job's epsilon where it counts on as many honest ones as
    /// their protection has; none where no number that the parameter set serves is, or the noise is not for whole institutions.
    pub fn heard(&self) -> Option<Heard> {
        let terms = self.privacy.noise()?;
        let alone = self.loudness(1)?.over_all;
        (2..=self.protection.parameter_set.largest_cohort()).find_map(|institutions| {
            let protection = self.protection.among(institutions.into()).ok()?;
            let honest = match terms.noise {
                NoiseSource::Local => 1,
                NoiseSource::Distributed => protection.threshold() - protection.colluding(),
            };
            // The same noise in the sum, shared by other numbers; and the mean of more.
            let shared = libm::sqrt(f64::from(terms.contributors) / f64::from(honest));
            let is_heard = alone * shared <= TELLING * libm::sqrt(f64::from(institutions));
            is_heard.then_some(Heard { institutions, honest })
        })
    }
}

impl Loudness {
    /// Whether it is louder than what institutions say.
    pub fn drowns(&self) -> bool {
        self.over_all > TELLING
    }
}

/// What institutions that are alike have in common, in the longest change that one may contribute: where noise is longer, ranking is
/// the worse for it by more than 0.01 (measured, docs/privacy-institutions.md).
const TELLING: f64 = 0.25;
