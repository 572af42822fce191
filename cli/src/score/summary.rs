//! What is said when all rows are through.

use std::fmt::Write as _;

use serde::Serialize;
use syndic_learning::Measured;
use syndic_learning::data_report::DataFinding;

use super::args::ScoreArgs;
use crate::model::released::Released;
use crate::words::{counted, plain, thousands};
use crate::{Error, Result};

/// What became of the rows.
pub(super) struct Summary {
    model: String,
    weights_digest: String,
    contract: String,
    ledger_entry: Option<u64>,
    /// Rows with a score.
    pub(super) scored: u64,
    refused: u64,
    findings: Vec<DataFinding>,
    /// The figures, where they were asked for; none among them where there was no row.
    pub(super) measured: Option<Option<Measured>>,
}

impl Summary {
    pub(super) fn of(released: &Released) -> Self {
        Self {
            model: released.told(),
            weights_digest: released.card.weights_digest.to_string(),
            contract: released.card.contract.id(),
            ledger_entry: released.recorded.map(|recorded| recorded.entry),
            scored: 0,
            refused: 0,
            findings: Vec::new(),
            measured: None,
        }
    }

    /// Counts a row without a score.
    pub(super) fn refuse(&mut self, finding: DataFinding, line: u64) {
        self.refused += 1;
        let same = |known: &&mut DataFinding| known.rule == finding.rule && known.column == finding.column;
        match self.findings.iter_mut().find(same) {
            Some(known) => known.add(line),
            None => self.findings.push(finding),
        }
    }

    /// For programs: one JSON object on one line.
    pub(super) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            weights_digest: &'a str,
            contract: &'a str,
            ledger_entry: Option<u64>,
            scored: u64,
            refused: u64,
            findings: Vec<Finding<'a>>,
            evaluation: Option<&'a Measured>,
        }
        #[derive(Serialize)]
        struct Finding<'a> {
            code: &'a str,
            column: Option<&'a str>,
            rows: u64,
            first_lines: &'a [u64],
        }
        let findings = self.findings.iter().map(|finding| Finding {
            code: finding.code(),
            column: finding.column.as_deref(),
            rows: finding.count,
            first_lines: &finding.first_rows,
        });
        let line = Line {
            weights_digest: &self.weights_digest,
            contract: &self.contract,
            ledger_entry: self.ledger_entry,
            scored: self.scored,
            refused: self.refused,
            findings: findings.collect(),
            evaluation: self.measured.as_ref().and_then(Option::as_ref),
        };
        serde_json::to_string(&line).expect("finite numbers and strings serialise")
    }

    /// For people.
    pub(super) fn render(&self) -> String {
        let mut text = format!(
            "{} scored, {} refused\n{}\n",
            counted(self.scored as usize, "row", "rows"),
            thousands(self.refused),
            plain(&self.model)
        );
        for finding in &self.findings {
            let _ = writeln!(text, "  {}: {}", finding.code(), plain(&finding.message()));
        }
        if let Some(Some(measured)) = &self.measured {
            figures(&mut text, measured);
        }
        text
    }

    /// Success, unless rows were refused.
    pub(super) fn outcome(&self, args: &ScoreArgs) -> Result<()> {
        if self.refused == 0 {
            return Ok(());
        }
        let rows = counted(self.refused as usize, "row has", "rows have");
        Err(Error::input("score.rows-refused", format!("{rows} no score: they break the model's contract"))
            .place(args.table.display().to_string())
            .help("the summary says which rules; all other rows are scored"))
    }
}

fn figures(text: &mut String, measured: &Measured) {
    let Measured { metrics, brier, ks, lift, calibration_error, calibration } = measured;
    let figure = |value: Option<f64>| value.map_or_else(|| "none".into(), |value| format!("{value:.4}"));
    let _ = writeln!(
        text,
        "\n  ROC-AUC {}   PR-AUC {}   KS {}   log-loss {:.4}   Brier {brier:.4}   lift {}   {} positives",
        figure(metrics.roc_auc),
        figure(metrics.pr_auc),
        figure(*ks),
        metrics.log_loss,
        lift.map_or_else(|| "none".into(), |lift| format!("{lift:.2}")),
        thousands(metrics.positives),
    );
    let _ = writeln!(text, "\n  {:13}{:>10}{:>10}{:>10}", "probability", "rows", "told", "observed");
    for band in calibration {
        let _ = writeln!(
            text,
            "  {:13}{:>10}{:>10.4}{:>10.4}",
            format!("{:.1} to {:.1}", band.from, band.to),
            thousands(band.rows),
            band.told,
            band.observed
        );
    }
    let _ = writeln!(text, "  calibration error {calibration_error:.4}");
}
