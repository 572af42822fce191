//! `syndic model compare`: what a job found that compared released models, as a published ledger has it.

use std::fmt::Write as _;

use serde_json::json;
use syndic_learning::ComparisonFigures;
use syndic_learning::program::comparison::RowsCompared;
use syndic_learning::program::comparison::figures::{FAIRNESS_GAP, FIGURES};
use syndic_round::Digest;

use super::args::{CompareArgs, PublishedArgs};
use super::registry::{Folded, job_id};
use crate::commands::print;
use crate::words::thousands;
use crate::{Error, Result};

/// A figure of all models, and by how much those of the others are above that of the first.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Of each model; a dash where there is none.
    pub figures: Vec<String>,
    /// Of each model but the first.
    pub differences: Vec<String>,
}

impl Row {
    /// All figures in the order in which people read them.
    pub(crate) fn all(found: &ComparisonFigures) -> Vec<Self> {
        let others = found.models.get(1..).unwrap_or_default();
        let of_figure = |name: &'static str| Self {
            name,
            figures: found.models.iter().map(|one| told(one.figures.get(name), "")).collect(),
            differences: others
                .iter()
                .map(|one| {
                    let error = one.log_loss_error.filter(|_| name == LOG_LOSS);
                    let error = error.map_or_else(String::new, |error| format!(" ± {error:.5}"));
                    signed(one.differences.get(name)) + &error
                })
                .collect(),
        };
        // Groups are compared where the job asks for it.
        let of_groups = found.models.iter().any(|one| one.figures.contains_key(FAIRNESS_GAP));
        let is_there = |name: &&'static str| of_groups || *name != FAIRNESS_GAP;
        FIGURES.into_iter().filter(is_there).map(of_figure).collect()
    }
}

fn told(figure: Option<&f64>, sign: &str) -> String {
    figure.map_or_else(|| "–".into(), |figure| format!("{sign}{figure:.5}"))
}

fn signed(figure: Option<&f64>) -> String {
    told(figure, if figure.is_some_and(|figure| *figure >= 0.0) { "+" } else { "" })
}

/// Shows what a job found.
///
/// # Errors
/// As [`Folded::open`]; a job that compared nothing, with exit code 2.
pub fn run(args: &CompareArgs) -> Result<()> {
    let CompareArgs { job, published: PublishedArgs { ledger, trust, json } } = args;
    let folded = Folded::open(ledger, &trust.trust()?)?;
    let job = job_id(job)?;
    let Some((entry, found)) = folded.comparisons.get(&job) else {
        return Err(Error::input("evaluation.none", format!("the ledger has no comparison by job `{job}`"))
            .place("--job")
            .help("name a job of program `evaluation` that is complete and published"));
    };
    let registered = |model: Digest| folded.registry.models().find(|(_, one)| one.model == model);
    if *json {
        let models: Vec<_> = found
            .models
            .iter()
            .map(|one| {
                let known = registered(one.model);
                let mut told = json!(one);
                told["name"] = json!(known.map(|(_, model)| &model.name));
                told["job"] = json!(known.map(|(job, _)| job));
                told["stage"] = json!(known.map(|(_, model)| model.stage));
                told
            })
            .collect();
        let told = json!({
            "job": job, "entry": entry, "rows": found.rows, "count": found.count, "positives": found.positives, "models": models,
        });
        return print(&format!("{told}\n"));
    }
    let rows = match found.rows {
        RowsCompared::Test => "test rows",
        RowsCompared::All => "rows",
    };
    let mut text = format!(
        "job {job}, entry {entry}: {} {rows} of all institutions together, {} of them positive\n",
        thousands(found.count),
        thousands(found.positives)
    );
    for (position, one) in found.models.iter().enumerate() {
        let known = registered(one.model).map_or_else(String::new, |(job, model)| {
            format!("  {} of job {job}, {}", model.name, model.stage.name())
        });
        let _ = writeln!(text, "  {}  sha256 {}{known}", position + 1, one.model);
    }
    text += &table(found);
    print(&format!("{text}{}\n", folded.verdict))
}

/// Figures and differences in columns.
fn table(found: &ComparisonFigures) -> String {
    let others = 2..=found.models.len();
    let mut text = format!("{:<19}", "");
    for position in 1..=found.models.len() {
        let _ = write!(text, "{position:>9}");
    }
    for position in others {
        let _ = write!(text, "{:>20}", format!("{position} - 1"));
    }
    text.push('\n');
    for Row { name, figures, differences } in Row::all(found) {
        let _ = write!(text, "  {name:<17}");
        for figure in figures {
            let _ = write!(text, "{figure:>9}");
        }
        for difference in differences {
            let _ = write!(text, "{difference:>20}");
        }
        text.push('\n');
    }
    text
}

const LOG_LOSS: &str = "log_loss";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_columns_with_their_differences_and_a_dash_where_there_is_none() {
        let digest = |digit: &str| digit.repeat(64);
        let data = json!({
            "rows": "test", "count": 900, "positives": 100,
            "models": [
                { "model": digest("1"), "figures": { "roc_auc": "0.750000000", "log_loss": "0.300000000" } },
                { "model": digest("2"), "figures": { "roc_auc": "0.760000000", "log_loss": "0.290000000" },
                  "differences": { "roc_auc": "0.010000000", "log_loss": "-0.010000000" }, "log_loss_error": "0.001000000" },
            ],
        });
        let text = table(&ComparisonFigures::from_data(&data).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["1", "2", "2", "-", "1"]);
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["roc_auc", "0.75000", "0.76000", "+0.01000"]
        );
        assert_eq!(
            lines[4].split_whitespace().collect::<Vec<_>>(),
            ["log_loss", "0.30000", "0.29000", "-0.01000", "±", "0.00100"]
        );
        assert!(lines[2].contains('–') && lines.len() == 8, "{text}");
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    }
}
