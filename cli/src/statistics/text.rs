//! What rows look like, in columns of text.

use std::fmt::Write as _;

use console::style;
use syndic_learning::StatisticsFigures;
use syndic_learning::program::description::figures::{ColumnFigures, Correlations};

use crate::report::statistics::{count, maybe, name, quantile, summary};
use crate::words::listed;

/// A line for each column, and the correlations that are strongest.
pub(crate) fn table(figures: &StatisticsFigures) -> String {
    let mut text = format!("  {}\n", summary(figures));
    if let Some(noise) = figures.noise {
        let _ = writeln!(
            text,
            "  with noise: the rows of one class in one cell or at one level are off by {noise:.1} (one standard deviation)"
        );
    }
    let widest =
        figures.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).clamp(6, 24);
    let heading = format!(
        "\n  {:widest$}{:>10}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}{:>8}",
        "column", "rows", "missing", "mean", "sd", "5 %", "50 %", "95 %", "IV"
    );
    let _ = writeln!(text, "{}", style(heading).underlined());
    let (numbers, levels): (Vec<_>, Vec<_>) =
        figures.columns.iter().partition(|column| column.bins.iter().all(|bin| bin.levels.is_empty()));
    for column in numbers {
        let of = column.numbers.as_ref();
        let _ = writeln!(
            text,
            "  {:widest$}{:>10}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}{:>8}",
            cut(&column.name, widest),
            count(column.present),
            missing(column),
            short(of.map(|numbers| numbers.mean)),
            short(of.map(|numbers| numbers.sd)),
            short(quantile(of, 0.05)),
            short(quantile(of, 0.5)),
            short(quantile(of, 0.95)),
            information(column),
        );
    }
    for column in levels {
        let _ = writeln!(
            text,
            "  {:widest$}{:>10}{:>9}  {:53}{:>8}",
            cut(&column.name, widest),
            count(column.present),
            missing(column),
            shares(column),
            information(column),
        );
    }
    let is_transformed =
        |column: &ColumnFigures| column.numbers.as_ref().is_some_and(|of| of.transform.is_some());
    if figures.columns.iter().any(is_transformed) {
        text += "\n  mean, sd and correlations are of numbers after the transforms of the contract\n";
    }
    if let Some(strongest) = figures.correlations.as_ref().map(strongest).filter(|told| !told.is_empty()) {
        let _ = writeln!(text, "\n  strongest correlations: {}", listed(&strongest));
    }
    text
}

/// Five digits that tell: as many as stand in a column. Numbers so small or large that these are not all there is have a power of ten.
fn short(value: Option<f64>) -> String {
    if let Some(value) = value.filter(|value| *value != 0.0 && !(1e-4..1e9).contains(&value.abs())) {
        return format!("{value:.2e}").replace('-', "−");
    }
    maybe(value.map(|value| {
        let scale = if value == 0.0 { 1.0 } else { 10_f64.powi(4 - value.abs().log10().floor() as i32) };
        (value * scale).round() / scale
    }))
}

fn missing(column: &ColumnFigures) -> String {
    if column.bins.iter().any(|bin| bin.missing) { count(column.missing) } else { String::new() }
}

fn information(column: &ColumnFigures) -> String {
    maybe(column.information.map(|value| (value * 1e3).round() / 1e3))
}

/// The largest levels, by their shares of the rows that have a value.
fn shares(column: &ColumnFigures) -> String {
    let mut bins: Vec<_> = column.bins.iter().filter(|bin| !bin.missing).collect();
    bins.sort_by_key(|bin| std::cmp::Reverse(bin.rows));
    let all: i64 = bins.iter().filter_map(|bin| bin.rows).sum();
    let of = |rows: i64| format!("{:.0} %", 100.0 * rows as f64 / all.max(1) as f64);
    let told = bins.iter().map(|bin| format!("{} {}", cut(&name(bin), 16), bin.rows.map_or("–".into(), of)));
    let mut text = String::new();
    for level in told {
        if !text.is_empty() && text.chars().count() + level.chars().count() > 48 {
            return text + ", …";
        }
        text += if text.is_empty() { "" } else { ", " };
        text += &level;
    }
    text
}

fn strongest(found: &Correlations) -> Vec<String> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (a, row) in found.matrix.iter().enumerate() {
        for (b, r) in row.iter().enumerate().take(a) {
            pairs.extend(r.map(|r| (r, b, a)));
        }
    }
    pairs.sort_by(|one, other| other.0.abs().total_cmp(&one.0.abs()));
    let told = |(r, a, b): &(f64, usize, usize)| {
        format!("{} and {} {}", found.columns[*a], found.columns[*b], format!("{r:.2}").replace('-', "−"))
    };
    pairs.iter().take(MOST_PAIRS).map(told).collect()
}

fn cut(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.into();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// Pairs that are named.
const MOST_PAIRS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_sizes_keep_five_digits_within_their_column() {
        let told = [-0.001_678_08, 22.984_9, 17_301.94, 0.0, -1e-12, 1e300].map(|value| short(Some(value)));
        assert_eq!(told[..4], ["−0.0016781", "22.985", "17302", "0"]);
        assert_eq!(told[4..], ["−1.00e−12", "1.00e300"]);
        assert!(told.iter().all(|text| text.chars().count() < 11), "{told:?}");
        assert_eq!(short(None), "–");
    }
}
