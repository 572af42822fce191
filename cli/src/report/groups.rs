//! The tables of how the model treats groups.

use syndic_learning::FairnessFigures;
use syndic_learning::program::fairness::figures::{ColumnFigures, Gaps, GroupFigures, Rates};

use crate::result::FairnessByModel;
use crate::words::thousands;

/// What stands above the tables, and the tables.
pub(super) struct Fairness {
    /// The share of the test rows that is acted upon.
    pub(super) flagged: String,
    /// The probability from which on they are.
    pub(super) threshold: String,
    /// Whether counts have noise, whose deviation stands beside each figure.
    pub(super) is_noisy: bool,
    /// One for each column.
    pub(super) columns: Vec<Column>,
}

/// A table.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// A group, or the largest difference between two of them.
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) label: String,
    /// Rows, rate of positives, rates that are flagged of all, of positives and of negatives, and AUC.
    pub(super) cells: [String; 6],
}

impl Fairness {
    /// The tables; none where the federation has no figures.
    pub(super) fn of(models: &FairnessByModel) -> Option<Self> {
        let FairnessFigures { threshold, flagged, columns } = models.federated.as_ref()?;
        let pooled = |name: &str| {
            let same = models.pooled.columns.iter().find(|column| column.column == name);
            same.map(|column| column.gaps)
        };
        Some(Self {
            flagged: percent(*flagged),
            threshold: format!("{threshold:.3}"),
            is_noisy: columns.iter().any(|column| column.gaps.noise.is_some()),
            columns: columns.iter().map(|column| table(column, pooled(&column.column))).collect(),
        })
    }
}

fn table(column: &ColumnFigures, pooled: Option<Gaps>) -> Column {
    let gaps = [
        Some(("federated", "largest difference", column.gaps)),
        pooled.map(|gaps| ("pooled", "the same of the pooled model", gaps)),
    ];
    let groups = column.groups.iter().map(group);
    let gaps = gaps.into_iter().flatten().map(|(class, label, gaps)| gap(class, label, gaps));
    Column { name: column.column.clone(), rows: groups.chain(gaps).collect() }
}

fn group(GroupFigures { group, figures }: &GroupFigures) -> Row {
    let cells = match figures {
        Some(rates) => shown(rates),
        None => ["too few".into(), NONE.into(), NONE.into(), NONE.into(), NONE.into(), NONE.into()],
    };
    Row { class: "", label: group.clone(), cells }
}

/// The figures of a group, and where counts have noise its deviation beside each.
fn shown(rates: &Rates) -> [String; 6] {
    let noise = rates.noise.as_ref();
    [
        beside(thousands(rates.rows), noise.map(|noise| format!("{:.0}", noise.rows))),
        percent(rates.positives as f64 / rates.rows.max(1) as f64),
        beside(percent(rates.flagged), noise.map(|noise| points(noise.flagged))),
        beside(figure(rates.recall, percent), noise.and_then(|noise| noise.recall).map(points)),
        beside(
            figure(rates.false_positives, percent),
            noise.and_then(|noise| noise.false_positives).map(points),
        ),
        beside(figure(rates.roc_auc, area), noise.and_then(|noise| noise.roc_auc).map(area)),
    ]
}

fn gap(class: &'static str, label: &str, gaps: Gaps) -> Row {
    let noise = gaps.noise.as_ref();
    let cells = [
        String::new(),
        String::new(),
        beside(figure(gaps.flagged, percent), noise.and_then(|noise| noise.flagged).map(points)),
        beside(figure(gaps.recall, percent), noise.and_then(|noise| noise.recall).map(points)),
        beside(
            figure(gaps.false_positives, percent),
            noise.and_then(|noise| noise.false_positives).map(points),
        ),
        beside(figure(gaps.roc_auc, area), noise.and_then(|noise| noise.roc_auc).map(area)),
    ];
    Row { class, label: label.into(), cells }
}

fn beside(figure: String, deviation: Option<String>) -> String {
    deviation.map_or_else(|| figure.clone(), |deviation| format!("{figure} ± {deviation}"))
}

fn figure(value: Option<f64>, written: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.into(), written)
}

fn area(auc: f64) -> String {
    format!("{auc:.4}")
}

/// Of percents.
fn points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

const NONE: &str = "–";

#[cfg(test)]
mod tests {
    use syndic_learning::program::fairness::figures::{GapsNoise, RatesNoise};

    use super::*;

    #[test]
    fn groups_that_are_too_small_show_nothing_and_the_largest_difference_stands_last() {
        let rates = |flagged: f64| Rates {
            rows: 1200,
            positives: 300,
            flagged,
            recall: Some(0.5),
            false_positives: None,
            roc_auc: Some(0.75),
            noise: None,
        };
        let group = |name: &str, figures| GroupFigures { group: name.into(), figures };
        let gaps = Gaps {
            flagged: Some(0.1),
            recall: Some(0.0),
            false_positives: None,
            roc_auc: Some(0.0),
            noise: None,
        };
        let columns = vec![ColumnFigures {
            column: "sex".into(),
            groups: vec![
                group("female", Some(rates(0.25))),
                group("other", None),
                group("male", Some(rates(0.15))),
            ],
            gaps,
        }];
        let figures = FairnessFigures { threshold: 0.3125, flagged: 0.2, columns };
        let models = FairnessByModel { federated: Some(figures.clone()), pooled: figures };

        let tables = Fairness::of(&models).unwrap();

        assert_eq!((tables.flagged.as_str(), tables.threshold.as_str()), ("20.0 %", "0.312"));
        let rows = &tables.columns[0].rows;
        assert_eq!(rows[0].cells, ["1,200", "25.0 %", "25.0 %", "50.0 %", "–", "0.7500"]);
        assert_eq!(rows[1].cells, ["too few", "–", "–", "–", "–", "–"]);
        assert_eq!((rows[3].label.as_str(), rows[3].cells[2].as_str()), ("largest difference", "10.0 %"));
        assert_eq!(rows[4].class, "pooled");
    }
    #[test]
    fn of_counts_with_noise_its_deviation_stands_beside_each_figure() {
        let noise = RatesNoise {
            rows: 37.6,
            positives: 26.0,
            flagged: 0.0123,
            recall: Some(0.02),
            false_positives: None,
            roc_auc: Some(0.0061),
        };
        let rates = Rates {
            rows: 1200,
            positives: 300,
            flagged: 0.25,
            recall: Some(0.5),
            false_positives: None,
            roc_auc: Some(0.75),
            noise: Some(noise),
        };
        let cells = shown(&rates);
        assert_eq!(cells, ["1,200 ± 38", "25.0 %", "25.0 % ± 1.2", "50.0 % ± 2.0", "–", "0.7500 ± 0.0061"]);
        let noise = GapsNoise { flagged: Some(0.01), recall: None, false_positives: None, roc_auc: None };
        let gaps = Gaps {
            flagged: Some(0.1),
            recall: None,
            false_positives: None,
            roc_auc: None,
            noise: Some(noise),
        };
        assert_eq!(gap("", "largest difference", gaps).cells[2], "10.0 % ± 1.0");
    }
}
