//! What carries the vectors of a job to their sums, by the number of institutions, which a job file leaves open.

use serde::Serialize;
use syndic_learning::job::ProgramTerms;
use syndic_learning::{Job, Layouts};
use syndic_round::{Carrier, Layout, Protection};

use crate::words::listed;

/// What carries the vectors of one kind, by the number of institutions: ranges, first and last.
#[derive(Debug, Serialize)]
pub(super) struct Carried {
    kind: &'static str,
    #[serde(skip)]
    name: &'static str,
    pub(super) shared: Vec<(u16, u16)>,
    encrypted: Vec<(u16, u16)>,
}

impl Carried {
    /// Whether so many institutions share it themselves.
    pub(super) fn is_shared_by(&self, institutions: u16) -> bool {
        self.shared.iter().any(|(first, last)| (*first..=*last).contains(&institutions))
    }

    /// The same for people.
    pub(super) fn told(&self) -> String {
        let name = self.name;
        match (self.shared.as_slice(), self.encrypted.as_slice()) {
            ([], _) => format!("{name} encrypted"),
            (_, []) => format!("{name} shared themselves, not encrypted"),
            (shared, encrypted) => format!(
                "{name} shared themselves with {} institutions, encrypted with {}",
                spoken(shared),
                spoken(encrypted)
            ),
        }
    }
}

/// What carries the job's vectors, by their kinds.
pub(super) fn carried(job: &Job, among: Option<u16>) -> Vec<Carried> {
    // A job that has none is told so when it is asked for.
    let Ok(layouts) = Layouts::of(job) else { return Vec::new() };
    // Where noise is added nothing is asked that would be exact.
    let (is_exact, trains) = (!job.adds_noise(), job.program.trains());
    let kinds = [
        (is_exact && trains).then_some(("statistics", "statistics", layouts.statistics)),
        Some(match job.program {
            ProgramTerms::Evaluation(_) => ("compare", "score histograms of released models", layouts.train),
            ProgramTerms::Statistics(_) => ("describe", "counts and moments of columns", layouts.train),
            ProgramTerms::Drift(_) => ("drift", "rows by bin", layouts.train),
            _ => ("train", "model updates", layouts.train),
        }),
        layouts.evaluate.map(|layout| ("evaluate", "score histograms", layout)),
        layouts.fairness.map(|layout| ("fairness", "score histograms by group", layout)),
        layouts.drift.map(|layout| ("drift", "histograms of columns", layout)),
    ];
    let of_kind = |(kind, name, layout): (&'static str, &'static str, Layout)| {
        let by = |carrier| {
            let matching =
                fitting(job, among).filter(|(admitted, _)| job.carrier_of(&layout, *admitted) == carrier);
            ranges(matching.map(|(admitted, _)| admitted))
        };
        Carried { kind, name, shared: by(Carrier::Shares), encrypted: by(Carrier::Ring) }
    };
    kinds.into_iter().flatten().map(of_kind).collect()
}

/// The numbers of institutions that its rounds may admit, with its protection among them: one where it is known how many.
pub(super) fn fitting(job: &Job, among: Option<u16>) -> impl Iterator<Item = (u16, Protection)> {
    let most = job.protection.parameter_set.largest_cohort();
    let all = among.map_or(3..=most, |admitted| admitted..=admitted);
    all.filter_map(|admitted| Some((admitted, job.protection.among(usize::from(admitted)).ok()?)))
}

/// Ascending numbers as ranges, first and last.
pub(super) fn ranges(numbers: impl Iterator<Item = u16>) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// `3, 5 to 7 and 9`; of many ranges the first ones.
pub(super) fn spoken(ranges: &[(u16, u16)]) -> String {
    let range = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    let mut spoken: Vec<String> = ranges.iter().take(RANGES).map(range).collect();
    if ranges.len() > RANGES {
        spoken.push("more".into());
    }
    listed(&spoken)
}

/// Ranges that are spoken of.
const RANGES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_next_to_each_other_are_one_range_and_of_many_ranges_the_first_are_told() {
        let numbers = [3, 5, 6, 7, 9, 11, 13, 14];
        let ranges = ranges(numbers.into_iter());
        assert_eq!(ranges, [(3, 3), (5, 7), (9, 9), (11, 11), (13, 14)]);
        assert_eq!(spoken(&ranges[..3]), "3, 5 to 7 and 9");
        assert_eq!(spoken(&ranges), "3, 5 to 7, 9, 11 and more");
    }

    #[test]
    fn histograms_of_the_fewest_bins_and_rows_are_not_small() {
        let job = crate::sandbox::fixture::JOB
            .replacen("version = 1", "version = 1\nmax_rows = 2", 1)
            .replacen("[protection]", "[protection]\nsmall_vectors = \"shared\"", 1);
        let vectors = carried(&Job::from_toml(&job).unwrap(), None);
        assert_eq!((vectors[2].kind, vectors[2].shared.as_slice()), ("evaluate", [].as_slice()));
        assert_eq!(vectors[0].shared.len(), 1);
    }
}
