//! The tables of a scorecard: columns by what they tell, and points by bin.

use syndic_learning::ScorecardTable;
use syndic_learning::contract::MISSING_NAME;
use syndic_learning::scorecard::{BinRow, ScorecardColumn};

use crate::words::{listed, thousands};

/// What stands above the tables, and the tables.
pub(super) struct Scorecard {
    /// What points mean.
    pub(super) scale: String,
    /// The columns, those that tell most first.
    pub(super) columns: Vec<Column>,
    /// The bins of the columns that are used.
    pub(super) rows: Vec<Row>,
}

/// A column, as text.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) information: String,
    /// Of the bar, in percent of the widest.
    pub(super) width: f64,
    pub(super) coefficient: String,
    pub(super) used: bool,
}

/// A bin, as text.
pub(super) struct Row {
    /// Its column, at the first of its bins.
    pub(super) column: String,
    pub(super) bin: String,
    pub(super) rows: String,
    pub(super) bad_rate: String,
    pub(super) woe: String,
    pub(super) points: String,
}

impl Scorecard {
    pub(super) fn of(table: &ScorecardTable) -> Self {
        let mut by_information: Vec<&ScorecardColumn> = table.columns.iter().collect();
        by_information.sort_by(|a, b| b.information_value.total_cmp(&a.information_value));
        let most =
            by_information.first().map_or(1.0, |column| column.information_value).max(f64::MIN_POSITIVE);
        let used = table.columns.iter().filter(|column| column.coefficient.is_some());
        let points = &table.points;
        Self {
            scale: format!(
                "{} points where there are {} goods for each bad; {} more double the odds.",
                points.base, points.odds, points.to_double
            ),
            columns: by_information.into_iter().map(|column| summary(column, most)).collect(),
            rows: used.flat_map(rows).collect(),
        }
    }
}

fn summary(column: &ScorecardColumn, most: f64) -> Column {
    Column {
        name: column.column.clone(),
        information: format!("{:.3}", column.information_value),
        width: (100.0 * column.information_value / most).clamp(0.0, 100.0),
        coefficient: column.coefficient.map_or_else(|| "not used".into(), |value| signed(value, 3)),
        used: column.coefficient.is_some(),
    }
}

fn rows(column: &ScorecardColumn) -> impl Iterator<Item = Row> + '_ {
    column.bins.iter().enumerate().map(|(place, bin)| Row {
        column: if place == 0 { column.column.clone() } else { String::new() },
        bin: name(bin, column.bins.len() == 1),
        rows: thousands(bin.rows),
        bad_rate: format!("{:.1} %", 100.0 * bin.bad_rate),
        woe: signed(bin.woe, 3),
        points: bin.points.map_or_else(|| "–".into(), |points| points.to_string().replace('-', "−")),
    })
}

fn name(bin: &BinRow, is_only: bool) -> String {
    let values = match (bin.from, bin.below) {
        (Some(from), Some(below)) => format!("{} to below {}", number(from), number(below)),
        (None, Some(below)) => format!("below {}", number(below)),
        (Some(from), None) => format!("{} and above", number(from)),
        (None, None) if bin.levels.is_empty() && (is_only || !bin.missing) => return "all".into(),
        (None, None) if bin.levels.is_empty() => return MISSING_NAME.into(),
        (None, None) => listed(&bin.levels),
    };
    if bin.missing { format!("{values}, or {MISSING_NAME}") } else { values }
}

/// Six digits that tell, no more.
pub(super) fn number(x: f64) -> String {
    let digits = if x == 0.0 { 0 } else { (5 - x.abs().log10().floor() as i32).clamp(0, 12) };
    let text = format!("{x:.*}", digits as usize);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.replace('-', "−")
}

fn signed(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}").replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_learning::scorecard::PointsScale;

    fn bin(from: Option<f64>, below: Option<f64>, levels: &[&str], points: Option<i64>) -> BinRow {
        let levels = levels.iter().map(|level| (*level).to_owned()).collect();
        BinRow {
            from,
            below,
            levels,
            missing: false,
            rows: 1_200,
            bads: 300,
            bad_rate: 0.25,
            woe: -0.5,
            points,
        }
    }

    #[test]
    fn missing_values_are_named_alone_and_beside_others() {
        let missing = |bin: BinRow| BinRow { missing: true, ..bin };
        let alone = missing(bin(None, None, &[], Some(7)));
        assert_eq!([name(&alone, false), name(&alone, true)], ["missing", "all"]);
        let named = |bin: BinRow| name(&missing(bin), false);
        assert_eq!(named(bin(Some(2.0), None, &[], None)), "2 and above, or missing");
        assert_eq!(named(bin(None, None, &["a", "b"], None)), "a and b, or missing");
    }

    #[test]
    fn bins_are_named_and_columns_that_tell_most_come_first() {
        let column = |name: &str, information_value, coefficient, bins| ScorecardColumn {
            column: name.into(),
            information_value,
            coefficient,
            bins,
        };
        let table = ScorecardTable {
            points: PointsScale::default(),
            intercept: -1.0,
            columns: vec![
                column("sex", 0.01, None, vec![bin(None, None, &["f", "m"], None)]),
                column(
                    "limit",
                    0.2,
                    Some(-0.9),
                    vec![bin(None, Some(-1.5), &[], Some(-3)), bin(Some(-1.5), None, &[], Some(40))],
                ),
                column("job", 0.6, Some(0.1), vec![bin(None, None, &["a", "b"], Some(7))]),
            ],
        };
        let told = Scorecard::of(&table);
        assert_eq!(
            told.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            ["job", "limit", "sex"]
        );
        assert_eq!((told.columns[0].width, told.columns[2].coefficient.as_str()), (100.0, "not used"));
        assert_eq!(told.rows.len(), 3, "what is not used has no points");
        assert_eq!((told.rows[0].bin.as_str(), told.rows[0].points.as_str()), ("below −1.5", "−3"));
        assert_eq!(told.rows[1].column, "");
        assert_eq!((told.rows[2].bin.as_str(), told.rows[2].bad_rate.as_str()), ("a and b", "25.0 %"));
        assert_eq!(
            [123_456.789, 0.012_345_678, 1e6, 0.0].map(number),
            ["123457", "0.0123457", "1000000", "0"]
        );
    }
}
