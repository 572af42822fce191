//! How long each phase of a round lasts at most, and how many institutions it needs.

use serde::Serialize;
use syndic_learning::Job;
use syndic_learning::job::ProgramTerms;
use syndic_round::Protection;

/// One phase of a round.
#[derive(Debug, Serialize)]
pub(super) struct PhaseTerms {
    phase: &'static str,
    #[serde(skip)]
    name: &'static str,
    deadline_seconds: u32,
    /// With fewer the round is abandoned; none where it follows from the number of institutions.
    needs: Option<u16>,
    #[serde(skip)]
    unless_given: &'static str,
}

impl PhaseTerms {
    /// The same for people.
    pub(super) fn told(&self) -> String {
        let needs = self.needs.map_or_else(|| self.unless_given.to_owned(), |needs| needs.to_string());
        format!("{:<28} within {:>6} s, at least {needs}", self.name, self.deadline_seconds)
    }
}

/// The phases of every round of the job, in order.
pub(super) fn phases(job: &Job, known: Option<&Protection>) -> Vec<PhaseTerms> {
    let (deadlines, protection) = (&job.rounds.deadlines, &job.protection);
    let threshold = (known.map(Protection::threshold).or(protection.threshold), "t");
    // Without a number of its own it is the threshold.
    let survivors = match known.map(Protection::min_survivors).or(protection.min_survivors) {
        Some(given) => (Some(given), ""),
        None => threshold,
    };
    let works = match job.program {
        ProgramTerms::Evaluation(_) => "measure models and submit",
        ProgramTerms::Statistics(_) | ProgramTerms::Drift(_) => "count rows and submit",
        _ => "train and submit",
    };
    let all = [
        ("advertise", "advertise a key", deadlines.advertise_seconds, threshold),
        ("share", "share it", deadlines.share_seconds, threshold),
        ("acknowledge", "acknowledge the shares", deadlines.share_seconds, survivors),
        ("collect", works, deadlines.collect_seconds, survivors),
        ("certify", "sign the survivor set", deadlines.certify_seconds, threshold),
        ("reveal", "reveal a sum of shares", deadlines.reveal_seconds, threshold),
    ];
    let terms = |(phase, name, deadline_seconds, (needs, unless_given))| PhaseTerms {
        phase,
        name,
        deadline_seconds,
        needs,
        unless_given,
    };
    all.into_iter().map(terms).collect()
}

/// What the letter stands for in what is told, where the job does not give the number.
pub(super) fn explained(job: &Job, known: Option<&Protection>) -> Option<&'static str> {
    (known.is_none() && job.protection.threshold.is_none())
        .then_some("t of n institutions is 2n/3 rounded down, and one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::fixture::JOB;

    #[test]
    fn a_comparison_is_told_as_what_it_does_and_trains_nothing() {
        let told = |text: &str| -> Vec<String> {
            phases(&Job::from_toml(text).unwrap(), None).iter().map(PhaseTerms::told).collect()
        };
        let (from, to) = (JOB.find("[program]").unwrap(), JOB.find("[privacy]").unwrap());
        let program = format!("[program]\nname = \"evaluation\"\nmodels = [{:?}]\n\n", "3".repeat(64));
        let comparison = told(&format!("{}{program}{}", &JOB[..from], &JOB[to..]));
        let training = told(JOB);
        assert!(comparison[3].starts_with("measure models and submit    within"), "{comparison:?}");
        assert!(training[3].starts_with("train and submit "), "{training:?}");
        assert!(comparison[..3] == training[..3] && comparison[4..] == training[4..], "{comparison:?}");
    }
}
