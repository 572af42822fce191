//! Optimal binning: which neighbours among narrow bins are joined, so that the information value is greatest.
//!
//! The exact optimum of the problem of Navas-Palencia, "Optimal binning: mathematical programming formulation", 2020
//! (arXiv:2001.08025), for a monotone rate and floors on each bin, by dynamic programming over the last bin. Of levels that
//! are put in order by their rate the best partition is one into neighbours (Fisher, "On grouping for maximum homogeneity",
//! JASA 53, 1958), so the same serves for categorical columns.

use super::noisy_bins::{CLEAR, seeming};
use super::terms::{ScorecardTerms, Trend};
use crate::scorecard::ClassCounts;

/// What each bin must keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floors {
    pub(super) max_bins: usize,
    pub(super) rows: u64,
    pub(super) class: u64,
}

impl Floors {
    /// Those of the terms, among `all` training rows.
    pub(super) fn of(terms: &ScorecardTerms, all: ClassCounts) -> Self {
        let share = libm::ceil(terms.min_share * all.rows() as f64) as u64;
        Self { max_bins: terms.max_bins as usize, rows: share.max(terms.min_count), class: terms.min_class }
    }

    /// Whether a bin keeps them.
    pub(super) fn keep(self, bin: ClassCounts) -> bool {
        bin.rows() >= self.rows && bin.good.min(bin.bad) >= self.class
    }
}

/// The first narrow bin of each bin but the first: the partition of the greatest information value that keeps `floors` and
/// `trend`; of equal ones that of fewest bins. Empty where no two bins keep them.
#[cfg(test)]
pub(super) fn partition(narrow: &[ClassCounts], floors: Floors, trend: Trend) -> Vec<usize> {
    let all = narrow.iter().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
    partition_among(narrow, all, floors, trend)
}

/// The first narrow bin of each bin but the first: the partition of the greatest information value among `all` rows, of which
/// some may be in none of the bins, that keeps `floors` and `trend`; of equal ones that of fewest bins. Empty where no two bins
/// keep them.
pub(super) fn partition_among(
    narrow: &[ClassCounts],
    all: ClassCounts,
    floors: Floors,
    trend: Trend,
) -> Vec<usize> {
    partition_in_noise(narrow, all, floors, trend, Loudness { noise: 0.0, cells: &[] })
}

/// The noise in narrow bins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loudness<'a> {
    /// One standard deviation of it in each count, in rows; none where it is zero.
    pub(super) noise: f64,
    /// Of how many counts of either class each narrow bin is the sum.
    pub(super) cells: &'a [usize],
}

/// The same from counts with noise: rows of either class are clear of it in each bin, and what is greatest is the information value
/// less what noise alone would seem to tell.
pub(super) fn partition_in_noise(
    narrow: &[ClassCounts],
    all: ClassCounts,
    floors: Floors,
    trend: Trend,
    loudness: Loudness<'_>,
) -> Vec<usize> {
    let search = |trend| Search::new(narrow, all, floors, trend, loudness).best();
    let (_, starts) = match trend {
        Trend::Auto => {
            let (rising, falling) = (search(Trend::Increasing), search(Trend::Decreasing));
            if falling.0 > rising.0 + LEAST_GAIN { falling } else { rising }
        }
        trend => search(trend),
    };
    starts
}

struct Search {
    narrow: usize,
    floors: Floors,
    trend: Trend,
    all: ClassCounts,
    /// Of the narrow bins before each, and of all.
    before: Vec<ClassCounts>,
    noise: f64,
    /// The counts that the narrow bins before each are sums of, and all; zero where there is no noise.
    cells_before: Vec<usize>,
}

/// The best way to cut what ends with one bin.
#[derive(Clone, Copy)]
struct Cell {
    information: f64,
    /// Where the bin before begins.
    earlier: usize,
}

impl Search {
    fn new(
        narrow: &[ClassCounts],
        all: ClassCounts,
        floors: Floors,
        trend: Trend,
        Loudness { noise, cells }: Loudness<'_>,
    ) -> Self {
        let mut before = vec![ClassCounts::default()];
        for bin in narrow {
            before.push(before[before.len() - 1].and(*bin));
        }
        let mut cells_before = vec![0];
        for at in 0..narrow.len() {
            cells_before.push(cells_before[at] + cells.get(at).copied().unwrap_or_default());
        }
        Self { narrow: narrow.len(), floors, trend, all, before, noise, cells_before }
    }

    /// What the rows from one narrow bin to before another add to the information value; none where they are no bin.
    fn telling(&self, start: usize, end: usize, bin: ClassCounts) -> Option<f64> {
        if !self.floors.keep(bin) {
            return None;
        }
        let information = bin.information(self.all);
        if self.noise == 0.0 {
            return Some(information);
        }
        let cells = self.cells_before[end] - self.cells_before[start];
        let is_clear = bin.good.min(bin.bad) as f64 >= CLEAR * self.noise * libm::sqrt(cells as f64);
        is_clear.then(|| information - seeming(bin, self.all, self.noise, cells))
    }

    /// The rows from one narrow bin to before another.
    fn bin(&self, start: usize, end: usize) -> ClassCounts {
        let (from, to) = (self.before[start], self.before[end]);
        ClassCounts { good: to.good - from.good, bad: to.bad - from.bad }
    }

    fn may_follow(&self, earlier: ClassCounts, later: ClassCounts) -> bool {
        // Products, so that equal rates are equal.
        let scaled = |bin: ClassCounts, of: ClassCounts| u128::from(bin.bad) * u128::from(of.rows());
        let (before, after) = (scaled(earlier, later), scaled(later, earlier));
        match self.trend {
            Trend::Increasing => before <= after,
            Trend::Decreasing => before >= after,
            Trend::Free | Trend::Auto => true,
        }
    }

    /// Information value and starts of the best partition.
    fn best(&self) -> (f64, Vec<usize>) {
        let (count, at) = (self.narrow, |start: usize, end: usize| start * (self.narrow + 1) + end);
        let mut bins = vec![None; count * (count + 1)];
        for (start, end) in (0..count).flat_map(|start| (start + 1..=count).map(move |end| (start, end))) {
            let bin = self.bin(start, end);
            bins[at(start, end)] = self.telling(start, end, bin).map(|telling| (bin, telling));
        }
        let mut layers: Vec<Vec<Option<Cell>>> = Vec::new();
        let mut best = (0.0, Vec::new());
        for layer in 0..self.floors.max_bins.min(count) {
            let mut cells = vec![None; bins.len()];
            for (start, end) in (0..count).flat_map(|start| (start + 1..=count).map(move |end| (start, end)))
            {
                let Some((bin, information)) = bins[at(start, end)] else { continue };
                cells[at(start, end)] = match layers.last() {
                    None => (start == 0).then_some(Cell { information, earlier: 0 }),
                    Some(before) => {
                        let mut found: Option<Cell> = None;
                        for earlier in 0..start {
                            let (Some(cell), Some((previous, _))) =
                                (before[at(earlier, start)], bins[at(earlier, start)])
                            else {
                                continue;
                            };
                            let reached = cell.information + information;
                            if self.may_follow(previous, bin)
                                && found.is_none_or(|one| reached > one.information)
                            {
                                found = Some(Cell { information: reached, earlier });
                            }
                        }
                        found
                    }
                };
            }
            layers.push(cells);
            for last in 0..count {
                if let Some(cell) = layers[layer][at(last, count)]
                    && cell.information > best.0 + LEAST_GAIN
                {
                    best = (cell.information, self.starts(&layers, last, at));
                }
            }
        }
        best
    }

    /// The starts of the bins that lead to the last one, in the last of the layers.
    fn starts(
        &self,
        layers: &[Vec<Option<Cell>>],
        last: usize,
        at: impl Fn(usize, usize) -> usize,
    ) -> Vec<usize> {
        let (mut start, mut end) = (last, self.narrow);
        let mut starts = Vec::new();
        for cells in layers[1..].iter().rev() {
            starts.push(start);
            let earlier = cells[at(start, end)].map_or(0, |cell| cell.earlier);
            (start, end) = (earlier, start);
        }
        starts.reverse();
        starts
    }
}

/// Less information than this is rounding.
const LEAST_GAIN: f64 = 1e-12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const FLOORS: Floors = Floors { max_bins: 4, rows: 30, class: 5 };

    fn random(rng: &mut impl rand_core::Rng, count: usize) -> Vec<ClassCounts> {
        let mut below = |most: f64| (fixture::uniform(rng) * most) as u64;
        (0..count).map(|_| ClassCounts { good: below(60.0), bad: below(30.0) }).collect()
    }

    /// Information value of a partition; none where it breaks a rule.
    fn value(narrow: &[ClassCounts], starts: &[usize], trend: Trend) -> Option<f64> {
        let all = narrow.iter().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
        let ends = starts.iter().copied().chain([narrow.len()]);
        let mut start = 0;
        let bins: Vec<ClassCounts> = ends
            .map(|end| {
                let bin = narrow[start..end].iter().fold(ClassCounts::default(), |sum, bin| sum.and(*bin));
                start = end;
                bin
            })
            .collect();
        let keeps = |up: bool| {
            bins.windows(2).all(|pair| {
                if up { pair[0].rate() <= pair[1].rate() } else { pair[0].rate() >= pair[1].rate() }
            })
        };
        let in_trend = match trend {
            Trend::Increasing => keeps(true),
            Trend::Decreasing => keeps(false),
            Trend::Auto => keeps(true) || keeps(false),
            Trend::Free => true,
        };
        let sound = in_trend && bins.len() <= FLOORS.max_bins && bins.iter().all(|bin| FLOORS.keep(*bin));
        sound.then(|| bins.iter().map(|bin| bin.information(all)).sum())
    }

    #[test]
    fn no_partition_that_keeps_the_rules_tells_more() {
        let mut rng = fixture::rng(11);
        let mut cut = 0;
        for case in 0..200 {
            let narrow = random(&mut rng, 2 + case % 9);
            for trend in [Trend::Auto, Trend::Increasing, Trend::Decreasing, Trend::Free] {
                let found = partition(&narrow, FLOORS, trend);
                let all_partitions = (0..1_u32 << (narrow.len() - 1)).filter_map(|mask| {
                    let starts: Vec<usize> =
                        (1..narrow.len()).filter(|at| mask >> (at - 1) & 1 == 1).collect();
                    (!starts.is_empty()).then(|| value(&narrow, &starts, trend)).flatten()
                });
                let most = all_partitions.fold(0.0, f64::max);
                if found.is_empty() {
                    assert!(most < 1e-9, "case {case}, {trend:?}: {most}");
                } else {
                    cut += 1;
                    let reached = value(&narrow, &found, trend).expect("it keeps the rules");
                    assert!((reached - most).abs() < 1e-9, "case {case}, {trend:?}: {reached} of {most}");
                }
            }
        }
        assert!(cut > 200, "{cut}");
    }

    #[test]
    fn bins_of_one_rate_are_joined() {
        let narrow = vec![ClassCounts { good: 80, bad: 20 }; 6];
        assert!(partition(&narrow, FLOORS, Trend::Free).is_empty());
        let step =
            [vec![ClassCounts { good: 80, bad: 20 }; 3], vec![ClassCounts { good: 60, bad: 40 }; 3]].concat();
        assert_eq!(partition(&step, FLOORS, Trend::Auto), [3]);
        assert!(partition(&step, FLOORS, Trend::Decreasing).is_empty());
    }
}
