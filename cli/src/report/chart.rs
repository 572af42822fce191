//! The chart of AUC by round and the grid of who took part, as coordinates for the template.

use crate::history::{History, TrainingRound};
use crate::result::MetricsByModel;

/// AUC on the test rows after each training round, with what others reach as level lines. SVG coordinates.
pub(crate) struct Chart {
    /// Levels with a label on the left.
    pub(crate) rows: Vec<Tick>,
    /// Rounds with a label below.
    pub(crate) columns: Vec<Tick>,
    /// The points of the federation's line.
    pub(crate) line: String,
    /// One dot a round.
    pub(crate) dots: Vec<Dot>,
    /// Pooled, and alone on average.
    pub(crate) levels: Vec<Level>,
}

/// What the model reached after a training round.
pub(crate) struct Point {
    /// The training round.
    pub(crate) number: u32,
    /// AUC on the test rows.
    pub(crate) auc: f64,
    /// Whose updates are not in it.
    pub(crate) missing: Vec<String>,
}

/// A labelled position on an axis.
pub(crate) struct Tick {
    /// Coordinate along the axis.
    pub(crate) at: f64,
    /// What stands there.
    pub(crate) label: String,
}

/// One round's AUC.
pub(crate) struct Dot {
    /// Horizontal.
    pub(crate) x: f64,
    /// Vertical.
    pub(crate) y: f64,
    /// Whether somebody's update is missing.
    pub(crate) missing: bool,
    /// Whether its model is the one that was released.
    pub(crate) released: bool,
    /// What a reader sees who points at it.
    pub(crate) title: String,
}

/// A level line, or the end of the federation's line, with its label on the right.
pub(crate) struct Level {
    /// Style class: `federated`, `pooled` or `alone`.
    pub(crate) class: &'static str,
    /// Height of the line.
    pub(crate) y: f64,
    /// Height of its label, moved where labels would touch.
    pub(crate) label_y: f64,
    /// The label.
    pub(crate) label: String,
}

/// A participant's row in the grid.
pub(crate) struct GridRow {
    /// Who.
    pub(crate) name: String,
    /// One cell a training round.
    pub(crate) cells: Vec<Cell>,
}

/// Whether a participant's update is in one round's sum.
pub(crate) struct Cell {
    /// In the sum.
    pub(crate) here: bool,
    /// What a reader sees who points at it.
    pub(crate) title: String,
}

impl Chart {
    /// The chart; none where no round was evaluated.
    pub(crate) fn of(rounds: &[TrainingRound<'_>], released: u32, metrics: &MetricsByModel) -> Option<Self> {
        let evaluated: Vec<_> =
            rounds.iter().filter_map(|round| Some((round, round.metrics?.roc_auc))).collect();
        let mut levels = vec![("pooled", "pooled", metrics.pooled.roc_auc)];
        levels.extend(metrics.alone_mean().map(|mean| ("alone", "alone (mean)", mean.roc_auc)));
        let points = evaluated.iter().map(|(round, auc)| Point {
            number: round.number,
            auc: *auc,
            missing: round.missing.iter().map(|missing| missing.participant.clone()).collect(),
        });
        Self::through(&points.collect::<Vec<_>>(), Some(released), levels)
    }

    /// The chart through these points, with further levels; none where there are no points.
    pub(crate) fn through(
        points: &[Point],
        released: Option<u32>,
        others: Vec<(&'static str, &'static str, f64)>,
    ) -> Option<Self> {
        let last = points.last()?;
        let model = points.iter().find(|point| Some(point.number) == released);
        let reached = model.unwrap_or(last).auc;
        let levels = [vec![("federated", "federated", reached)], others].concat();
        let values = points.iter().map(|point| point.auc).chain(levels.iter().map(|level| level.2));
        let scale = Scale::around(values);
        let x = |number: u32| {
            let span = f64::from(last.number.max(2) - 1);
            LEFT + (RIGHT - LEFT) * f64::from(number - 1) / span
        };
        let dots: Vec<Dot> = points
            .iter()
            .map(|Point { number, auc, missing }| Dot {
                x: x(*number),
                y: scale.y(*auc),
                missing: !missing.is_empty(),
                released: Some(*number) == released,
                title: format!("Round {number}: ROC-AUC {auc:.4}{}", without(missing)),
            })
            .collect();
        let points: Vec<String> = dots.iter().map(|dot| format!("{:.1},{:.1}", dot.x, dot.y)).collect();
        let step = last.number.div_ceil(10).max(1);
        let columns = (1..=1)
            .chain((step..=last.number).step_by(step as usize).filter(|number| *number > 1))
            .map(|number| Tick { at: x(number), label: number.to_string() });
        let levels = levels.iter().map(|(class, label, auc)| Level {
            class,
            y: scale.y(*auc),
            label_y: scale.y(*auc),
            label: format!("{label} {auc:.4}"),
        });
        Some(Self {
            rows: scale.ticks(),
            columns: columns.collect(),
            line: points.join(" "),
            dots,
            levels: spread(levels.collect()),
        })
    }
}

/// Who took part in which training round.
pub(crate) fn grid(history: &History, participants: &[String]) -> Vec<GridRow> {
    let rounds = history.training_rounds();
    let cell = |round: &TrainingRound<'_>, name: &String| {
        let absent = round.missing.iter().find(|missing| missing.participant == *name);
        let here = round.survivors.contains(name);
        let title = match (here, absent) {
            (true, _) => format!("{name}, round {}: in the sum", round.number),
            (false, Some(missing)) => {
                format!("{name}, round {}: not in the sum: {}", round.number, missing.reason)
            }
            (false, None) => format!("{name}, round {}: not in the sum", round.number),
        };
        Cell { here, title }
    };
    participants
        .iter()
        .map(|name| GridRow {
            name: name.clone(),
            cells: rounds.iter().map(|round| cell(round, name)).collect(),
        })
        .collect()
}

fn without(missing: &[String]) -> String {
    if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) }
}

/// Keeps labels apart without changing their order.
fn spread(mut levels: Vec<Level>) -> Vec<Level> {
    levels.sort_by(|a, b| a.y.total_cmp(&b.y));
    for position in 1..levels.len() {
        let above = levels[position - 1].label_y;
        levels[position].label_y = levels[position].label_y.max(above + LABEL_HEIGHT);
    }
    let overhang = levels.last().map_or(0.0, |level| (level.label_y - BOTTOM).max(0.0));
    for level in &mut levels {
        level.label_y -= overhang;
    }
    levels
}

/// The vertical axis.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let span = (high - low).max(0.004);
        let step = STEPS.into_iter().find(|step| span / step <= 6.0).unwrap_or(0.2);
        let low = (low / step - 0.25).floor() * step;
        let high = (high / step + 0.25).ceil() * step;
        Self { low, high, step }
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (BOTTOM - TOP) * (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<Tick> {
        let count = ((self.high - self.low) / self.step).round() as u32;
        let decimals = if self.step < 0.01 { 3 } else { 2 };
        (0..=count)
            .map(|number| self.low + f64::from(number) * self.step)
            .map(|value| Tick { at: self.y(value), label: format!("{value:.decimals$}") })
            .collect()
    }
}

const STEPS: [f64; 7] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
const LEFT: f64 = 56.0;
const RIGHT: f64 = 566.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 236.0;
const LABEL_HEIGHT: f64 = 16.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;
    use crate::result::example;

    fn history(rounds: u32) -> History {
        let mut history = History::default();
        recording::events(rounds).iter().for_each(|event| history.apply(event));
        history
    }

    #[test]
    fn everything_drawn_is_inside_the_frame() {
        let history = history(20);
        let chart = Chart::of(&history.training_rounds(), 20, &example::result().metrics).unwrap();
        assert_eq!(chart.dots.len(), 20);
        let heights = chart.dots.iter().map(|dot| dot.y).chain(chart.levels.iter().map(|level| level.y));
        let heights = heights.chain(chart.rows.iter().map(|tick| tick.at));
        assert!(heights.into_iter().all(|y| (TOP - 0.5..=BOTTOM + 0.5).contains(&y)));
        assert!(chart.dots.iter().all(|dot| (LEFT..=RIGHT + 0.5).contains(&dot.x)));
    }

    #[test]
    fn labels_of_close_levels_do_not_touch() {
        let history = history(20);
        let chart = Chart::of(&history.training_rounds(), 20, &example::result().metrics).unwrap();
        for pair in chart.levels.windows(2) {
            assert!(pair[1].label_y - pair[0].label_y >= LABEL_HEIGHT - 1e-9);
        }
    }

    #[test]
    fn a_single_round_and_no_round_are_drawn_as_they_are() {
        let one = history(1);
        let chart = Chart::of(&one.training_rounds(), 1, &example::result().metrics).unwrap();
        assert_eq!(chart.dots.len(), 1);
        assert!(Chart::of(&[], 1, &example::result().metrics).is_none());
    }

    #[test]
    fn the_grid_has_a_gap_where_a_participant_was_stopped() {
        let grid = grid(&history(3), &example::result().participants);
        let online = grid.iter().find(|row| row.name == "bank_online").unwrap();
        let here: Vec<bool> = online.cells.iter().map(|cell| cell.here).collect();
        assert_eq!(here, [true, false, true]);
        assert!(online.cells[1].title.contains("no update before the deadline"));
    }
}
