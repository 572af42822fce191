//! The comparison for the terminal.

use std::fmt::Write as _;
use std::path::Path;

use console::{measure_text_width, style};

use super::{Comparison, Figures};
use crate::words::{plain, quoted, thousands};

/// The comparison as a table: job by who trained.
pub(super) fn render(comparison: &Comparison, picture: &Path) -> String {
    let heading = format!("on the same {} test rows", thousands(comparison.test_rows));
    let rows: Vec<(String, Option<&Figures>)> = comparison
        .jobs
        .iter()
        .flat_map(|job| {
            let models = job.models.iter().map(|figures| (format!("  {}", who(figures)), Some(figures)));
            std::iter::once((plain(&job.name), None)).chain(models)
        })
        .collect();
    let widest = rows.iter().map(|(label, _)| measure_text_width(label)).max().unwrap_or(0);
    let width = widest.max(heading.len()) + 2;
    let columns = ["ROC-AUC", "PR-AUC", "log-loss"];
    let [auc, pr, loss] = columns;
    let mut text = String::from("\n");
    let head = format!("  {heading:width$}{auc:>9}{pr:>9}{loss:>10}   {:>26}", "less those of pooled");
    let _ = writeln!(text, "{}", style(head).underlined());
    for (label, figures) in rows {
        let label = format!("{label}{}", " ".repeat(width.saturating_sub(measure_text_width(&label))));
        let Some(Figures { scores, minus_pooled, .. }) = figures else {
            let _ = writeln!(text, "  {}", style(label.trim_end()).bold());
            continue;
        };
        let less = minus_pooled.map_or_else(String::new, |less| {
            format!("   {:>+8.4}{:>+9.4}{:>+9.4}", less.roc_auc, less.pr_auc, less.log_loss)
        });
        let _ = writeln!(
            text,
            "  {label}{:>9.4}{:>9.4}{:>10.4}{less}",
            scores.roc_auc, scores.pr_auc, scores.log_loss
        );
    }
    let _ = writeln!(text, "\n  {}  {}", style("picture").cyan(), quoted(picture));
    text
}

/// Who trained a model.
pub(super) fn who(figures: &Figures) -> String {
    match (figures.trained, &figures.institution) {
        ("alone", Some(name)) => format!("{name} alone"),
        ("alone-mean", _) => "alone, mean".into(),
        (trained, _) => trained.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::several::tests::comparison;

    #[test]
    fn every_job_has_its_models_with_their_distance_to_pooled() {
        let text = render(&comparison(), Path::new("out/comparison.svg"));
        let text = console::strip_ansi_codes(&text);
        for expected in [
            "on the same 9,040 test rows",
            "\n  logistic\n",
            "\n  trees & more\n",
            "bank_savings alone",
            "0.7671   0.3972    0.3041    -0.0017  -0.0036  +0.0018",
            "out/comparison.svg",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        let pooled = text.lines().find(|line| line.trim_start().starts_with("pooled")).unwrap();
        assert!(pooled.ends_with("0.3023"), "{pooled}");
    }
}
