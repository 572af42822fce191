//! The closing table on the terminal: how good, how protected, what it cost, where everything lies, what next.

use std::fmt::Write as _;
use std::path::Path;

use console::{Style, measure_text_width, style};

use crate::result::{RunResult, Scores};
use crate::words::{bytes, listed, seconds, thousands};

/// What the closing table says beyond the result itself.
pub struct Closing<'a> {
    /// The folder of the run.
    pub out: &'a Path,
    /// How `syndic` was called, for commands that can be copied: `syndic`, or `cargo run --release --`.
    pub command: &'a str,
    /// Whether this was the demo, which suggests the sandbox next.
    pub demo: bool,
}

/// The table as text, with colours where standard output has them.
pub fn render(result: &RunResult, closing: &Closing<'_>) -> String {
    let mut text = String::from("\n");
    figures(&mut text, result);
    text.push('\n');
    protection(&mut text, result);
    text.push('\n');
    places(&mut text, result, closing);
    text.push('\n');
    next(&mut text, closing);
    text
}

fn figures(text: &mut String, result: &RunResult) {
    let metrics = &result.metrics;
    let mut rows: Vec<(String, Scores, Style)> =
        vec![("federated, encrypted".into(), metrics.federated, Style::new().bold().green())];
    if let Some(mean) = metrics.alone_mean() {
        rows.push((format!("alone, mean of {}", metrics.alone.len()), mean, Style::new().bold()));
    }
    rows.extend(
        metrics.alone.iter().map(|(name, scores)| (format!("  {name} alone"), *scores, Style::new().dim())),
    );
    rows.push(("all rows in one place, for comparison only".into(), metrics.pooled, Style::new()));
    let heading = format!("on the same {} test rows", thousands(result.data.test_rows));
    let widest = rows.iter().map(|(label, ..)| measure_text_width(label)).max().unwrap_or(0);
    let width = widest.max(heading.len()) + 2;
    let heading = format!("  {heading:width$}{:>9}{:>9}{:>10}", "ROC-AUC", "PR-AUC", "log-loss");
    let _ = writeln!(text, "{}", style(heading).underlined());
    for (label, scores, style) in rows {
        let Scores { roc_auc, pr_auc, log_loss } = scores;
        let row = format!("  {label:width$}{roc_auc:>9.4}{pr_auc:>9.4}{log_loss:>10.4}");
        let _ = writeln!(text, "{}", style.apply_to(row));
    }
    if let Some(mean) = metrics.alone_mean() {
        let gain = metrics.federated.roc_auc - mean.roc_auc;
        let gap = metrics.federated.roc_auc - metrics.pooled.roc_auc;
        let _ = writeln!(
            text,
            "\n  The federation is {} in ROC-AUC than its institutions alone on average, and {} than pooling.",
            compared(gain),
            compared(gap)
        );
    }
}

/// `0.0163 better`, `0.0017 worse`, `no better or worse`, as the four printed decimals have it.
pub(crate) fn compared(difference: f64) -> String {
    match format!("{:.4}", difference.abs()).as_str() {
        "0.0000" => "no better or worse".into(),
        figure if difference > 0.0 => format!("{figure} better"),
        figure => format!("{figure} worse"),
    }
}

fn protection(text: &mut String, result: &RunResult) {
    let (protection, timing) = (&result.protection, &result.timing);
    let mut line = |label: &str, what: String| {
        let _ = writeln!(text, "  {}{what}", style(format!("{label:<11}")).cyan());
    };
    line(
        "protected",
        format!(
            "every update left its institution encrypted ({} with {}); only sums were opened,",
            protection.protocol, protection.parameter_set
        ),
    );
    line(
        "",
        format!(
            "each with the help of at least {} of {} institutions.",
            protection.threshold, protection.cohort
        ),
    );
    line(
        "not",
        "differential privacy (the sums are exact), and no outside cryptographer has reviewed it.".into(),
    );
    line(
        "cost",
        format!(
            "{:.2} bytes and {:.0} ns a parameter to encrypt, {} a round; {} of updates and {} of key",
            protection.bytes_per_parameter,
            timing.encrypt_ns_per_parameter,
            seconds(timing.round_seconds_median),
            bytes(protection.upload_bytes_per_round),
            bytes(protection.key_share_bytes),
        ),
    );
    line("", "shares from each institution in each round.".into());
    let rounds = &result.rounds;
    let stopped: Vec<&str> = result.options.stopped.iter().map(String::as_str).collect();
    let remark = if stopped.is_empty() {
        String::new()
    } else {
        format!(", one of them without {} on purpose", listed(&stopped))
    };
    line("rounds", format!("{} completed{remark}, {} abandoned", rounds.completed, rounds.abandoned));
}

fn places(text: &mut String, result: &RunResult, closing: &Closing<'_>) {
    let mut line = |label: &str, file: &str, remark: String| {
        let _ = writeln!(
            text,
            "  {}{}  {}",
            style(format!("{label:<11}")).cyan(),
            closing.out.join(file).display(),
            style(remark).dim()
        );
    };
    line("report", "report.html", "open it in a browser".into());
    line("model", "model.safetensors", "and model.json, its card".into());
    let root = result.ledger.root.get(..16).unwrap_or(&result.ledger.root);
    line("ledger", "ledger", format!("{} entries, root {root}…", thousands(result.ledger.size)));
    line("result", "result.json", "the figures above, for programs".into());
}

fn next(text: &mut String, closing: &Closing<'_>) {
    let command = closing.command;
    let verify = format!("{command} ledger verify {}", closing.out.join("ledger").display());
    let mut steps = vec![(verify, "check the ledger offline")];
    if closing.demo {
        let more = format!("{command} demo --participants 10");
        steps.push((more, "ten institutions from the same table"));
        let own = format!("{command} job init --table YOUR.csv");
        steps.push((own, "draft a job for your own table, then `sandbox` it"));
    } else {
        let more = format!("{command} sandbox --help");
        steps.push((more, "other splits, more institutions, one that drops out"));
        let real = format!("{command} federation --help");
        steps.push((real, "the same job file across real hosts"));
    }
    let width = steps.iter().map(|(step, _)| step.len()).max().unwrap_or(0);
    for (position, (step, why)) in steps.iter().enumerate() {
        let label = if position == 0 { "next" } else { "" };
        let _ =
            writeln!(text, "  {}{step:width$}  {}", style(format!("{label:<11}")).cyan(), style(why).dim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::example;

    fn table(demo: bool) -> String {
        let closing = Closing { out: Path::new("syndic-demo"), command: "syndic", demo };
        console::strip_ansi_codes(&render(&example::result(), &closing)).into_owned()
    }

    #[test]
    fn every_model_has_its_row_of_figures() {
        let table = table(true);
        for row in ["federated, encrypted", "alone, mean of 5", "bank_online alone", "all rows in one place"]
        {
            assert!(table.contains(row), "{row}");
        }
        assert!(table.contains("0.7671   0.3972    0.3041"), "{table}");
        assert!(table.contains("0.0168 better in ROC-AUC"), "{table}");
        assert!(table.contains("0.0017 worse than pooling"), "{table}");
    }

    #[test]
    fn it_says_what_is_protected_and_what_is_not() {
        let table = table(true);
        assert!(table.contains("only sums were opened"));
        assert!(table.contains("no outside cryptographer has reviewed it"));
        assert!(table.contains("4.00 bytes"));
        assert!(table.contains("without bank_online on purpose"));
    }

    #[test]
    fn it_names_every_file_and_the_next_command() {
        let table = table(false);
        for place in ["report.html", "model.safetensors", "syndic-demo/ledger", "result.json"] {
            assert!(table.contains(place), "{place}");
        }
        assert!(table.contains("syndic ledger verify syndic-demo/ledger"));
        assert!(table.contains("syndic federation --help"));
    }

    #[test]
    fn a_difference_below_the_printed_decimals_is_none() {
        assert_eq!(compared(0.00004), "no better or worse");
        assert_eq!(compared(-0.0003), "0.0003 worse");
    }
}
