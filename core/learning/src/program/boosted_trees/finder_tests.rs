use super::finder::{Bounds, Finder, FinderColumn, Found};
use super::sums::Sums;
use super::terms::{BoostedTreesTerms, Trend};
use crate::fixture::{rng, uniform};
use crate::trees::Rule;

/// One row: its sums, and its bin in each column.
type Row = (Sums, Vec<usize>);

fn column(column: u16, bins: usize, is_numeric: bool, trend: Trend) -> FinderColumn {
    FinderColumn { column, bins, is_numeric, nullable: false, trend }
}

/// Rows with gradients and Hessians in whole 1,024ths, so that sums are exact.
fn rows(count: usize, columns: &[FinderColumn], seed: u64) -> Vec<Row> {
    let mut rng = rng(seed);
    let mut whole = |most: f64| (uniform(&mut rng) * most) as usize;
    (0..count)
        .map(|_| {
            let gradient = (whole(2_049.0) as f64 - 1_024.0) / 1_024.0;
            let hessian = (1 + whole(256.0)) as f64 / 1_024.0;
            let bins = columns.iter().map(|column| whole(column.bins as f64)).collect();
            (Sums { gradient, hessian, rows: 1.0 }, bins)
        })
        .collect()
}

fn histogram(rows: &[Row], columns: &[FinderColumn]) -> Vec<Sums> {
    let of_column = |(position, column): (usize, &FinderColumn)| {
        let mut bins = vec![Sums::default(); column.bins];
        rows.iter().for_each(|(sums, row)| bins[row[position]] += *sums);
        bins
    };
    columns.iter().enumerate().flat_map(of_column).collect()
}

fn total(rows: &[Row], goes: impl Fn(&[usize]) -> bool) -> Sums {
    rows.iter().filter(|(_, bins)| goes(bins)).map(|(sums, _)| *sums).sum()
}

fn best(terms: &BoostedTreesTerms, columns: &[FinderColumn], rows: &[Row]) -> Option<Found> {
    Finder { terms, columns }.best(&histogram(rows, columns), total(rows, |_| true), Bounds::NONE)
}

/// The loss that is lowered by dividing rows so, from the definition; none where a rule forbids it.
fn gain(
    rows: &[Row],
    terms: &BoostedTreesTerms,
    trend: Trend,
    goes_left: impl Fn(&[usize]) -> bool,
) -> Option<f64> {
    let (left, right) = (total(rows, &goes_left), total(rows, |bins| !goes_left(bins)));
    let leaf = |sums: Sums| -sums.gradient / (sums.hessian + terms.l2);
    let score = |sums: Sums| sums.gradient * sums.gradient / (sums.hessian + terms.l2) / 2.0;
    let fits = |sums: Sums| sums.rows >= terms.min_rows as f64 && sums.hessian >= terms.min_hessian;
    let keeps = match trend {
        Trend::Free => true,
        Trend::Increasing => leaf(left) <= leaf(right),
        Trend::Decreasing => leaf(left) >= leaf(right),
    };
    let gain = score(left) + score(right) - score(left + right) - terms.min_gain;
    (fits(left) && fits(right) && keeps && gain > 0.0).then_some(gain)
}

#[test]
fn the_best_split_by_a_number_is_the_best_of_all() {
    let mut splits = 0;
    for seed in 0..300 {
        let trends = [Trend::Free, Trend::Increasing, Trend::Decreasing];
        let columns: Vec<_> = (0..3)
            .map(|k| column(k, 2 + (seed as usize + 3 * k as usize) % 9, true, trends[k as usize]))
            .collect();
        let terms = BoostedTreesTerms {
            l2: seed as f64 % 3.0,
            min_rows: 1 + seed % 4,
            min_hessian: 0.1 * (seed % 5) as f64,
            min_gain: 0.2 * (seed % 3) as f64,
            ..Default::default()
        };
        let rows = rows(3 + seed as usize % 60, &columns, seed);
        let mut oracle: Option<f64> = None;
        for (position, column) in columns.iter().enumerate() {
            for edge in 0..column.bins - 1 {
                let gain = gain(&rows, &terms, column.trend, |bins| bins[position] <= edge);
                oracle = oracle.into_iter().chain(gain).reduce(f64::max);
            }
        }
        let found = best(&terms, &columns, &rows);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        match (&found, oracle) {
            (Some(found), Some(gain)) => assert!(close(found.gain, gain), "{seed}: {found:?}, not {gain}"),
            (found, oracle) => assert!(found.is_none() && oracle.is_none(), "{seed}: {found:?}, {oracle:?}"),
        }
        let Some(found) = found else { continue };
        splits += 1;
        let Rule::UpTo(edge) = found.rule else { panic!("a numeric column") };
        let goes_left = |bins: &[usize]| bins[usize::from(found.column)] <= usize::from(edge);
        assert_eq!(found.left, total(&rows, goes_left));
        assert_eq!(found.right, total(&rows, |bins| !goes_left(bins)));
    }
    assert!(splits > 200, "{splits}");
}

#[test]
fn the_best_split_with_missing_values_is_the_best_of_all_cuts_with_them_on_either_side() {
    let mut rules = [0; 3];
    for seed in 0..300 {
        let trend = [Trend::Free, Trend::Increasing, Trend::Decreasing][seed as usize % 3];
        let nullable = |column| FinderColumn { nullable: true, ..column };
        let columns = [nullable(column(0, 2 + seed as usize % 7, true, trend))];
        let terms = BoostedTreesTerms { l2: 1.0, min_rows: 2, ..Default::default() };
        let rows = rows(4 + seed as usize % 60, &columns, 2_000 + seed);
        let mut oracle = gain(&rows, &terms, Trend::Free, |bins| bins[0] == 0);
        for edge in 1..columns[0].bins - 1 {
            let with = gain(&rows, &terms, trend, |bins| bins[0] <= edge);
            let without = gain(&rows, &terms, trend, |bins| (1..=edge).contains(&bins[0]));
            oracle = oracle.into_iter().chain(with).chain(without).reduce(f64::max);
        }
        let found = best(&terms, &columns, &rows);
        let (Some(found), Some(gain)) = (&found, oracle) else {
            assert!(found.is_none() && oracle.is_none(), "{seed}: {found:?}, {oracle:?}");
            continue;
        };
        assert!((found.gain - gain).abs() < 1e-9, "{seed}: {found:?}, not {gain}");
        let goes_left = |bins: &[usize]| match found.rule {
            Rule::UpTo(edge) => bins[0] <= usize::from(edge),
            Rule::PresentUpTo(edge) => bins[0] > 0 && bins[0] <= usize::from(edge),
            Rule::OneOf(_) => panic!("a numeric column"),
        };
        assert_eq!(found.left, total(&rows, goes_left));
        rules[match found.rule {
            Rule::UpTo(0) => 0,
            Rule::UpTo(_) => 1,
            _ => 2,
        }] += 1;
    }
    assert!(rules.iter().all(|&times| times > 20), "{rules:?}");
}

#[test]
fn missing_values_that_nobody_has_go_the_way_of_most_rows() {
    let row = |gradient, bin| (Sums { gradient, hessian: 0.25, rows: 1.0 }, vec![bin]);
    let columns = [FinderColumn { nullable: true, ..column(0, 3, true, Trend::Free) }];
    let terms = BoostedTreesTerms { min_rows: 1, l2: 0.0, ..Default::default() };
    let split = |low: usize, high: usize| {
        let rows: Vec<Row> = (0..low).map(|_| row(0.5, 1)).chain((0..high).map(|_| row(-0.5, 2))).collect();
        best(&terms, &columns, &rows).unwrap().rule
    };
    assert_eq!([split(20, 30), split(30, 20)], [Rule::PresentUpTo(1), Rule::UpTo(1)]);
}

#[test]
fn the_best_split_by_levels_is_the_best_of_all_subsets() {
    let mut splits = 0;
    for seed in 0..200 {
        let columns = [column(0, 2 + seed as usize % 6, false, Trend::Free)];
        let terms = BoostedTreesTerms {
            l2: 0.0,
            min_rows: 1,
            min_hessian: 1e-6,
            level_smoothing: 0.0,
            level_l2: 0.0,
            min_level_rows: 1,
            ..Default::default()
        };
        let rows = rows(2 + seed as usize % 40, &columns, 1_000 + seed);
        let subsets = 1..(1_u32 << columns[0].bins) - 1;
        let gains =
            subsets.filter_map(|set| gain(&rows, &terms, Trend::Free, |bins| set >> bins[0] & 1 == 1));
        let oracle = gains.reduce(f64::max);
        let found = best(&terms, &columns, &rows);
        assert_eq!(found.is_some(), oracle.is_some(), "{seed}");
        let (Some(found), Some(gain)) = (found, oracle) else { continue };
        splits += 1;
        assert!((found.gain - gain).abs() < 1e-9, "{seed}: {found:?}, not {gain}");
        let Rule::OneOf(levels) = &found.rule else { panic!("levels") };
        assert!(levels.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(found.left, total(&rows, |bins| levels.contains(&(bins[0] as u16))));
    }
    assert!(splits > 150, "{splits}");
}

#[test]
fn a_rare_level_never_goes_left_and_levels_cost_more_than_numbers() {
    let of_level = |level, gradient, rows| {
        (0..rows).map(move |_| (Sums { gradient, hessian: 0.25, rows: 1.0 }, vec![level]))
    };
    let rows: Vec<Row> =
        of_level(0, 0.5, 40).chain(of_level(1, -0.5, 40)).chain(of_level(2, -1.0, 4)).collect();
    let terms = BoostedTreesTerms { min_level_rows: 5, min_rows: 1, ..Default::default() };
    let levels = [column(0, 3, false, Trend::Free)];
    let found = best(&terms, &levels, &rows).unwrap();
    // Both sides are cut; level 2 is with level 1, where it belongs.
    assert_eq!(found.rule, Rule::OneOf(vec![0]));
    let free = BoostedTreesTerms { level_l2: 0.0, ..terms.clone() };
    assert!(best(&free, &levels, &rows).unwrap().gain > found.gain);
    let nothing_common = BoostedTreesTerms { min_level_rows: 50, ..terms };
    assert_eq!(best(&nothing_common, &levels, &rows), None);
}

#[test]
fn the_first_of_equal_splits_is_taken_and_bounds_follow_the_trend() {
    // Two columns that say the same, with an empty bin between.
    let row = |gradient, bin| (Sums { gradient, hessian: 0.25, rows: 1.0 }, vec![bin, bin]);
    let rows: Vec<Row> = (0..40).map(|k| if k < 20 { row(0.5, 0) } else { row(-0.5, 2) }).collect();
    let terms = BoostedTreesTerms { l2: 0.0, min_rows: 1, ..Default::default() };
    let columns = [column(3, 3, true, Trend::Increasing), column(5, 3, true, Trend::Free)];
    let found = best(&terms, &columns, &rows).unwrap();
    assert_eq!((found.column, &found.rule), (3, &Rule::UpTo(0)));
    let [left, right] = found.bounds;
    assert_eq!((left.high, right.low), (0.0, 0.0));
    assert_eq!((left.low, right.high), (f64::NEG_INFINITY, f64::INFINITY));
    // Leaves of -2 and 2 would be right; within bounds that the columns above have left they are not.
    let finder = Finder { terms: &terms, columns: &columns };
    let bounds = Bounds { low: -0.5, high: 0.25 };
    let found = finder.best(&histogram(&rows, &columns), total(&rows, |_| true), bounds).unwrap();
    assert_eq!([found.left, found.right].map(|sums| finder.leaf(sums, bounds)), [-0.5, 0.25]);
    let [left, right] = found.bounds;
    assert_eq!((left.low, left.high, right.low, right.high), (-0.5, -0.125, -0.125, 0.25));
    let against = [column(3, 3, true, Trend::Decreasing)];
    let one: Vec<Row> = rows.iter().map(|(sums, bins)| (*sums, vec![bins[0]])).collect();
    assert_eq!(best(&terms, &against, &one), None);
}
