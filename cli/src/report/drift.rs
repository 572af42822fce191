//! How far test rows are from training rows: a table with a small picture of each column.

use syndic_learning::contract::MISSING_NAME;
use syndic_learning::program::drift::figures::{Bin, Standing};
use syndic_learning::{DriftFigures, Shift};

use super::scorecard::number;
use crate::words::{listed, thousands};

/// What stands above the table, and the table.
pub(crate) struct Drift {
    /// What has drifted, in a sentence; none where nothing has.
    pub(crate) warning: Option<String>,
    /// Rows that were trained on, and rows that are compared with them.
    pub(crate) reference: String,
    pub(crate) current: String,
    /// The thresholds.
    pub(crate) watch_psi: f64,
    pub(crate) max_psi: f64,
    /// The scores first, then the columns, those that shifted most before the others.
    pub(crate) rows: Vec<Row>,
}

/// The scores, or one column.
pub(crate) struct Row {
    pub(crate) label: String,
    /// PSI, what it would be by chance, and KS.
    pub(crate) cells: [String; 3],
    pub(crate) standing: &'static str,
    pub(crate) has_drifted: bool,
    pub(crate) bars: Vec<Bar>,
}

/// The share of one bin, before or now.
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Whether it is of the rows that are compared.
    pub(crate) is_now: bool,
    /// What a reader sees who points at it.
    pub(crate) title: String,
}

impl Drift {
    pub(crate) fn of(figures: &DriftFigures) -> Self {
        let mut columns: Vec<&Shift> = figures.columns.iter().collect();
        columns.sort_by(|a, b| b.distance().unwrap_or(0.0).total_cmp(&a.distance().unwrap_or(0.0)));
        let rows = [row("scores", &figures.score, figures)];
        let columns = columns.into_iter().map(|shift| row(&shift.name, shift, figures));
        Self {
            warning: figures.warning("test rows"),
            reference: thousands(figures.reference_rows),
            current: thousands(figures.current_rows),
            watch_psi: figures.watch_psi,
            max_psi: figures.max_psi,
            rows: rows.into_iter().chain(columns).collect(),
        }
    }
}

fn row(label: &str, shift: &Shift, figures: &DriftFigures) -> Row {
    let figure = |value: Option<f64>| value.map_or_else(|| NONE.into(), |value| format!("{value:.3}"));
    Row {
        label: label.into(),
        cells: [figure(shift.psi), figure(shift.psi_by_chance), figure(shift.ks)],
        standing: standing(shift.standing),
        has_drifted: shift.standing == Some(Standing::Drifted),
        bars: bars(shift, figures),
    }
}

/// What people call it.
pub(crate) fn standing(standing: Option<Standing>) -> &'static str {
    match standing {
        None => "not compared",
        Some(Standing::Stable) => "stable",
        Some(Standing::Watch) => "watch",
        Some(Standing::Drifted) => "drifted",
    }
}

/// A name for each bin, from the lowest up: `below 30`, `30 to below 45`, and `missing` of what has no value.
pub(crate) fn names(bins: &[Bin]) -> Vec<String> {
    let mut from: Option<f64> = None;
    let name = |bin: &Bin| {
        let name = match (from, bin.below) {
            _ if bin.missing => MISSING_NAME.into(),
            (Some(from), Some(below)) => format!("{} to below {}", number(from), number(below)),
            (None, Some(below)) => format!("below {}", number(below)),
            (Some(from), None) => format!("{} and above", number(from)),
            (None, None) if bin.levels.is_empty() && bins.len() > 1 => "any value".into(),
            (None, None) if bin.levels.is_empty() => "all".into(),
            (None, None) => listed(&bin.levels),
        };
        from = bin.below;
        name
    };
    bins.iter().map(name).collect()
}

fn bars(shift: &Shift, figures: &DriftFigures) -> Vec<Bar> {
    let share = |rows: u64, of: u64| rows as f64 / of.max(1) as f64;
    let shares: Vec<(f64, Option<f64>)> = shift
        .bins
        .iter()
        .map(|bin| {
            let now = bin.current.map(|rows| share(rows, figures.current_rows));
            (share(bin.reference, figures.reference_rows), now)
        })
        .collect();
    let most =
        shares.iter().map(|(before, now)| before.max(now.unwrap_or(0.0))).fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / shares.len().max(1) as f64;
    let bar = |place: usize, offset: f64, share: f64, is_now: bool, name: &str| {
        let height = HEIGHT * share / most;
        let when = if is_now { "test rows" } else { "training rows" };
        Bar {
            x: step * (place as f64 + offset),
            y: HEIGHT - height,
            width: 0.4 * step,
            height,
            is_now,
            title: format!("{name}: {:.1} % of {when}", 100.0 * share),
        }
    };
    let of_bin = |(place, ((before, now), name)): (usize, (&(f64, Option<f64>), String))| {
        let before = bar(place, 0.1, *before, false, &name);
        [Some(before), now.map(|now| bar(place, 0.5, now, true, &name))]
    };
    shares.iter().zip(names(&shift.bins)).enumerate().flat_map(of_bin).flatten().collect()
}

/// Of the picture of one column, as the template draws it.
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 36.0;
const NONE: &str = "–";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Figures with an age that has drifted and a level that has not.
    pub(crate) fn figures() -> DriftFigures {
        let bin =
            |below, reference, current| Bin { below, levels: Vec::new(), missing: false, reference, current };
        let shift = |name: &str, standing, psi, bins| Shift {
            name: name.into(),
            standing: Some(standing),
            psi: Some(psi),
            psi_by_chance: Some(0.01),
            ks: None,
            bins,
        };
        let levels = |levels: &[&str], rows| Bin {
            below: None,
            levels: levels.iter().map(|level| (*level).to_owned()).collect(),
            missing: false,
            reference: rows,
            current: Some(rows / 10),
        };
        DriftFigures {
            watch_psi: 0.1,
            max_psi: 0.25,
            max_ks: None,
            min_rows: 50,
            reference_rows: 1000,
            current_rows: 100,
            score: shift(
                "score",
                Standing::Watch,
                0.2,
                vec![bin(Some(0.5), 600, Some(40)), bin(None, 400, Some(60))],
            ),
            columns: vec![
                shift(
                    "job",
                    Standing::Stable,
                    0.0,
                    vec![levels(&["office", "field"], 700), levels(&["none"], 300)],
                ),
                shift(
                    "age",
                    Standing::Drifted,
                    0.5,
                    vec![bin(Some(30.0), 500, None), bin(Some(45.5), 300, None), bin(None, 200, Some(90))],
                ),
            ],
        }
    }

    #[test]
    fn the_scores_come_first_and_then_what_shifted_most() {
        let drift = Drift::of(&figures());
        let labels: Vec<_> = drift.rows.iter().map(|row| (row.label.as_str(), row.standing)).collect();
        assert_eq!(labels, [("scores", "watch"), ("age", "drifted"), ("job", "stable")]);
        assert_eq!(drift.rows[1].cells, ["0.500", "0.010", "–"]);
        assert!(drift.rows[1].has_drifted && drift.warning.unwrap().contains("`age` (PSI 0.500)"));
    }

    #[test]
    fn missing_values_are_named_so_whatever_else_there_is() {
        let mut age = figures().columns.remove(1);
        age.bins.push(Bin { missing: true, ..age.bins[2].clone() });
        assert_eq!(names(&age.bins), ["below 30", "30 to below 45.5", "45.5 and above", "missing"]);
        assert_eq!(names(&age.bins[2..]), ["any value", "missing"]);
        assert_eq!(names(&age.bins[2..3]), ["all"]);
    }

    #[test]
    fn bars_stand_in_pairs_and_a_count_that_is_not_shown_has_none() {
        let rows = Drift::of(&figures()).rows;
        let titles: Vec<_> = rows[1].bars.iter().map(|bar| bar.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "below 30: 50.0 % of training rows",
                "30 to below 45.5: 30.0 % of training rows",
                "45.5 and above: 20.0 % of training rows",
                "45.5 and above: 90.0 % of test rows",
            ]
        );
        let highest = rows[1].bars.iter().map(|bar| bar.height).fold(0.0, f64::max);
        assert!((highest - HEIGHT).abs() < 1e-9 && rows[1].bars.iter().all(|bar| bar.x + bar.width <= WIDTH));
        assert_eq!(rows[2].bars[0].title, "office and field: 70.0 % of training rows");
    }
}
