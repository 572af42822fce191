//! The bins of a column, what is told of them, and what is left out.

use super::super::numbers::CERTAIN;
use super::super::terms::DescriptionTerms;
use super::{Bin, ColumnFigures, Numbers, whole};
use crate::contract::{Column, ColumnKind};
use crate::program::drift::counts::Cut;
use crate::scorecard::CELLS;
use crate::scorecard::coding::CellRange;

/// A column in bins.
pub(super) struct Binned {
    /// Rows in each cell or at each level, of both classes, those without a value left out.
    pub(super) present: Vec<f64>,
    bins: Vec<Bin>,
    rows: Option<f64>,
    missing: Option<f64>,
    information: Option<f64>,
    is_noisy: bool,
}

impl Binned {
    /// `cells` are the rows of either class in each cell or at each level, those without a value last. `totals` are all rows by
    /// class, and whether those may be told.
    pub(super) fn of(
        column: &Column,
        cells: &[Vec<f64>; 2],
        terms: &DescriptionTerms,
        (all, has_classes): ([f64; 2], bool),
        noise: f64,
    ) -> Self {
        let values = cells[0].len() - usize::from(column.nullable);
        let by_class = cells.each_ref().map(|counts| &counts[..values]);
        let missing = column.nullable.then(|| cells.each_ref().map(|counts| counts[values]));
        let present: Vec<f64> = by_class[0].iter().zip(by_class[1]).map(|(no, yes)| no + yes).collect();
        let is_noisy = noise > 0.0;
        let floor = f64::from(terms.min_rows);
        let of_missing: f64 = missing.map_or(0.0, |classes| classes.iter().sum());
        // With noise all rows at once are known better than the sum of their cells.
        let rows = all[0] + all[1] - of_missing;
        if rows < floor && !is_noisy {
            let is_told = !column.nullable;
            let rows = is_told.then_some(rows);
            return Self { present, bins: Vec::new(), rows, missing: None, information: None, is_noisy };
        }
        // Cuts are made where rows are, as far as noise lets that be seen: of what was told with noise anything may be made.
        let seen: Vec<u64> = present.iter().map(|&count| libm::round(count.max(0.0)) as u64).collect();
        let least = floor.max(CERTAIN * noise * libm::sqrt(2.0));
        let least = libm::ceil(least) as u64;
        let cut = match column.kind {
            ColumnKind::Numeric { .. } => Cut::ordered(&seen, terms.bins, least),
            ColumnKind::Categorical { .. } => Cut::levels(&seen, seen.len().max(1) as u32, least),
        };
        let mut bins = named(column, &cut, values);
        let mut classes = joined(&cut, by_class);
        let mut widths = joined(&cut, [&vec![1.0; values], &vec![0.0; values]]);
        if let Some(missing) = missing {
            bins.push(Bin { missing: true, ..Bin::empty() });
            classes.push(missing);
            widths.push([1.0, 0.0]);
        }
        let deviation = |bin: usize| noise * libm::sqrt(widths[bin][0]);
        let rows_of = |of: &[f64; 2]| vec![of[0] + of[1]];
        let hidden = match is_noisy {
            true => vec![false; bins.len()],
            false => hidden(&classes.iter().map(rows_of).collect::<Vec<_>>(), floor, &[]),
        };
        let unsure = match (is_noisy, has_classes) {
            (true, _) => (0..bins.len())
                .map(|bin| classes[bin].iter().any(|count| *count <= CERTAIN * deviation(bin)))
                .collect(),
            (false, false) => vec![true; bins.len()],
            (false, true) => hidden_classes(&classes, floor, &hidden),
        };
        for (position, bin) in bins.iter_mut().enumerate() {
            let [no, yes] = classes[position];
            bin.rows = (!hidden[position]).then_some(whole(no + yes));
            bin.rows_deviation = is_noisy.then(|| deviation(position) * libm::sqrt(2.0));
            bin.positives = (is_noisy || !unsure[position]).then_some(whole(yes));
            let is_seen = is_noisy && no + yes > CERTAIN * deviation(position) * libm::sqrt(2.0);
            bin.rate = (is_seen || !unsure[position]).then(|| (yes / (no + yes)).clamp(0.0, 1.0));
            bin.woe = (!unsure[position]).then(|| woe([no, yes], all));
        }
        let is_missing_told = hidden.last().is_some_and(|is_hidden| column.nullable && !is_hidden);
        Self {
            information: information(&classes, (&unsure, &widths), all, is_noisy.then_some(noise))
                .filter(|_| has_classes),
            present,
            bins,
            rows: (!column.nullable || is_missing_told).then_some(rows),
            missing: is_missing_told.then_some(of_missing),
            is_noisy,
        }
    }

    /// With what is told of its numbers.
    pub(super) fn told(self, column: &Column, numbers: Option<Numbers>) -> ColumnFigures {
        let Self { bins, rows, missing, information, is_noisy, .. } = self;
        let told = |rows: f64| Some(whole(rows)).filter(|rows| is_noisy || *rows >= 0);
        ColumnFigures {
            name: column.name.clone(),
            present: rows.and_then(told),
            missing: missing.and_then(told),
            numbers,
            bins,
            information,
        }
    }
}

impl Bin {
    fn empty() -> Self {
        Self {
            from: None,
            to: None,
            levels: Vec::new(),
            missing: false,
            rows: None,
            rows_deviation: None,
            positives: None,
            rate: None,
            woe: None,
        }
    }
}

/// The bins of a cut, by their ranges or levels.
fn named(column: &Column, cut: &Cut, cells: usize) -> Vec<Bin> {
    match (cut, &column.kind) {
        (Cut::Between(cuts), ColumnKind::Numeric { transform, min, max }) => {
            let (range, joined) = (CellRange::of(*transform, *min, *max), (CELLS / cells.max(1)) as f64);
            let edges = cuts.iter().map(|&cut| range.value_at_place(f64::from(cut) * joined));
            let edges: Vec<f64> = [*min].into_iter().chain(edges).chain([*max]).collect();
            let of = |pair: &[f64]| Bin { from: Some(pair[0]), to: Some(pair[1]), ..Bin::empty() };
            edges.windows(2).map(of).collect()
        }
        (Cut::Groups(groups), ColumnKind::Categorical { levels }) => {
            let count = groups.iter().max().map_or(0, |last| last + 1);
            let of = |bin: usize| {
                let mine = levels.iter().zip(groups).filter(|(_, group)| **group == bin);
                Bin { levels: mine.map(|(level, _)| level.clone()).collect(), ..Bin::empty() }
            };
            (0..count).map(of).collect()
        }
        // A column is cut by its own kind.
        _ => Vec::new(),
    }
}

/// The rows of either class in each bin.
fn joined(cut: &Cut, by_class: [&[f64]; 2]) -> Vec<[f64; 2]> {
    let mut bins: Vec<[f64; 2]> = Vec::new();
    for cell in 0..by_class[0].len() {
        let bin = match cut {
            Cut::Between(cuts) => cuts.partition_point(|&cut| usize::from(cut) <= cell),
            Cut::Groups(groups) => groups[cell],
        };
        if bins.len() <= bin {
            bins.resize(bin + 1, [0.0; 2]);
        }
        bins[bin].iter_mut().zip(by_class).for_each(|(sum, counts)| *sum += counts[cell]);
    }
    bins
}

/// Of which bins nothing is told: each that has fewer than `floor` of something, and `others`; and as many more, the smallest first,
/// that what is left out is two bins at least and no less than the floor together. What follows from the totals is then no count
/// of a bin, and none below the floor.
fn hidden(counts: &[Vec<f64>], floor: f64, others: &[bool]) -> Vec<bool> {
    let least = |bin: &Vec<f64>| bin.iter().copied().fold(f64::INFINITY, f64::min);
    let is_other = |bin: usize| others.get(bin).copied().unwrap_or(false);
    let mut hidden: Vec<bool> =
        counts.iter().enumerate().map(|(bin, of)| is_other(bin) || least(of) < floor).collect();
    loop {
        let out: Vec<&Vec<f64>> =
            counts.iter().zip(&hidden).filter(|(_, out)| **out).map(|(of, _)| of).collect();
        let parts = counts.first().map_or(0, Vec::len);
        let is_enough = (0..parts).all(|part| out.iter().map(|of| of[part]).sum::<f64>() >= floor);
        if out.is_empty() || (out.len() > 1 && is_enough) {
            return hidden;
        }
        let shown = (0..counts.len()).filter(|&bin| !hidden[bin]);
        let Some(next) = shown.min_by(|&a, &b| least(&counts[a]).total_cmp(&least(&counts[b]))) else {
            return hidden;
        };
        hidden[next] = true;
    }
}

/// Of which bins the classes are not told; those whose rows are not are among them.
fn hidden_classes(classes: &[[f64; 2]], floor: f64, others: &[bool]) -> Vec<bool> {
    hidden(&classes.iter().map(|of| of.to_vec()).collect::<Vec<_>>(), floor, others)
}

fn woe([no, yes]: [f64; 2], [negatives, positives]: [f64; 2]) -> f64 {
    libm::log((no / negatives) / (yes / positives))
}

/// The information value of bins of so many cells; those that are unsure count as one, and none is told where that is unsure too:
/// the noise of all its cells is in it.
fn information(
    classes: &[[f64; 2]],
    (unsure, widths): (&[bool], &[[f64; 2]]),
    all: [f64; 2],
    noise: Option<f64>,
) -> Option<f64> {
    let (mut bins, mut rest, mut joined) = (Vec::new(), [0.0; 2], 0.0);
    for ((of, unsure), width) in classes.iter().zip(unsure).zip(widths) {
        if *unsure {
            rest = [rest[0] + of[0], rest[1] + of[1]];
            joined += width[0];
        } else {
            bins.push(*of);
        }
    }
    let least = |cells: f64| noise.map_or(0.0, |noise| CERTAIN * noise * libm::sqrt(cells));
    if joined > 0.0 {
        if rest.iter().any(|count| *count <= least(joined)) {
            return None;
        }
        bins.push(rest);
    }
    if all.iter().chain(bins.iter().flatten()).any(|count| *count <= least(1.0)) {
        return None;
    }
    let [negatives, positives] = all;
    Some(bins.iter().map(|of| (of[0] / negatives - of[1] / positives) * woe(*of, all)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rng: &mut impl rand_core::Rng, bins: usize, most: f64) -> Vec<Vec<f64>> {
        let uniform = |rng: &mut _| crate::fixture::uniform(rng);
        (0..bins)
            .map(|_| (0..2).map(|_| libm::floor(most * uniform(rng) * uniform(rng) * uniform(rng))).collect())
            .collect()
    }

    #[test]
    fn no_count_below_the_floor_is_told_or_follows_from_the_totals() {
        let mut rng = crate::fixture::rng(11);
        for case in 0..2_000_usize {
            let floor = [1.0, 5.0, 50.0][case % 3];
            let counts = counts(&mut rng, 1 + case % 12, 400.0);
            let others: Vec<bool> = (0..counts.len()).map(|bin| (bin + case) % 7 == 0).collect();
            let out = hidden(&counts, floor, &others);
            assert!(others.iter().zip(&out).all(|(other, out)| !other || *out));
            let parts = |is_out: bool, part: usize| -> Vec<f64> {
                counts.iter().zip(&out).filter(|(_, out)| **out == is_out).map(|(of, _)| of[part]).collect()
            };
            for part in 0..2 {
                assert!(parts(false, part).iter().all(|count| *count >= floor), "{counts:?} {out:?}");
                let left_out = parts(true, part);
                let all_are_out = left_out.len() == counts.len();
                let is_safe = left_out.len() != 1 && left_out.iter().sum::<f64>() >= floor;
                assert!(left_out.is_empty() || all_are_out || is_safe, "{counts:?} {out:?}");
            }
        }
    }

    #[test]
    fn nothing_is_left_out_where_all_is_enough() {
        assert_eq!(hidden(&[vec![60.0, 50.0], vec![50.0, 900.0]], 50.0, &[]), [false, false]);
        assert_eq!(hidden(&[vec![60.0], vec![49.0], vec![70.0]], 50.0, &[]), [true, true, false]);
        let two = hidden(&[vec![3.0], vec![4.0], vec![70.0], vec![90.0]], 50.0, &[]);
        assert_eq!(two, [true, true, true, false], "seven rows would follow of both together");
    }
}
