//! The tables of how the model treats groups.

use syndic_learning::FairnessFigures;
use syndic_learning::program::fairness::figures::{ColumnFigures, Gaps, GroupFigures};

use crate::result::FairnessByModel;
use crate::words::thousands;

/// What stands above the tables, and the tables.
pub(super) struct Fairness {
    /// The share of the test rows that is acted upon.
    pub(super) flagged: String,
    /// The probability from which on they are.
    pub(super) threshold: String,
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
        Some(rates) => [
            thousands(rates.rows),
            percent(rates.positives as f64 / rates.rows.max(1) as f64),
            percent(rates.flagged),
            figure(rates.recall, percent),
            figure(rates.false_positives, percent),
            figure(rates.roc_auc, |auc| format!("{auc:.4}")),
        ],
        None => ["too few".into(), NONE.into(), NONE.into(), NONE.into(), NONE.into(), NONE.into()],
    };
    Row { class: "", label: group.clone(), cells }
}

fn gap(class: &'static str, label: &str, gaps: Gaps) -> Row {
    let cells = [
        String::new(),
        String::new(),
        figure(gaps.flagged, percent),
        figure(gaps.recall, percent),
        figure(gaps.false_positives, percent),
        figure(gaps.roc_auc, |auc| format!("{auc:.4}")),
    ];
    Row { class, label: label.into(), cells }
}

fn figure(value: Option<f64>, written: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.into(), written)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

const NONE: &str = "–";

#[cfg(test)]
mod tests {
    use syndic_learning::program::fairness::figures::Rates;

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
        };
        let group = |name: &str, figures| GroupFigures { group: name.into(), figures };
        let gaps = Gaps { flagged: Some(0.1), recall: Some(0.0), false_positives: None, roc_auc: Some(0.0) };
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
}
