//! The closing table on the terminal: how good, how protected, what it cost, where everything lies, what next.

use std::fmt::Write as _;
use std::path::Path;

use console::{Style, measure_text_width, style};

use crate::carried;
use crate::report::detail::sentence;
use crate::result::{MetricsByModel, RunResult, Scores};
use crate::words::{bytes, counted, quoted, seconds, thousands, wrapped};

/// What the closing table says beyond the result itself.
pub struct Closing<'a> {
    /// The folder of the run.
    pub out: &'a Path,
    /// How `syndic` was called, for commands that can be copied: `syndic`, or `cargo run --release --`.
    pub command: &'a str,
    /// Whether this was the demo, which suggests the sandbox next.
    pub demo: bool,
    /// Columns to keep within, where words allow.
    pub width: usize,
}

/// The table as text, with colours where standard output has them.
pub fn render(result: &RunResult, closing: &Closing<'_>) -> String {
    let mut text = String::from("\n");
    figures(&mut text, result, closing.width);
    text.push('\n');
    protection(&mut text, result, closing.width);
    text.push('\n');
    places(&mut text, result, closing);
    text.push('\n');
    next(&mut text, closing);
    text
}

fn figures(text: &mut String, result: &RunResult, columns: usize) {
    let metrics = &result.metrics;
    let exact = result.without_noise();
    let mut rows: Vec<(String, Scores, Style)> =
        vec![(carried::label(&result.protection).into(), metrics.federated, Style::new().bold().green())];
    if let Some(mean) = metrics.alone_mean() {
        let label = format!("alone, mean of {}{exact}", metrics.alone.len());
        rows.push((label, mean, Style::new().bold()));
    }
    rows.extend(
        metrics.alone.iter().map(|(name, scores)| (format!("  {name} alone"), *scores, Style::new().dim())),
    );
    let pooled = format!("all rows in one place{exact}, for comparison only");
    rows.push((pooled, metrics.pooled, Style::new()));
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
        let verdict = format!(
            "  The federation is {} in ROC-AUC than its institutions alone on average, and {} than pooling.",
            compared(gain),
            compared(gap)
        );
        let _ = writeln!(text, "\n{}", wrapped(&verdict, columns, 2));
    }
    if let Some(detail) = &metrics.detail {
        let figures = format!("  Of the federation's model: {}.", sentence(&detail.figures));
        let _ = writeln!(text, "{}", wrapped(&figures, columns, 2));
    }
    if let Some(at_home) = at_home(metrics) {
        let _ = writeln!(text, "{}", wrapped(&at_home, columns, 2));
    }
}

/// What institutions see on their own customers; none where they were not compared.
pub(crate) fn at_home(metrics: &MetricsByModel) -> Option<String> {
    let gains: Vec<_> = metrics.gains_at_home().collect();
    let (least, worst) = gains.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let mean = gains.iter().map(|(_, gain)| gain).sum::<f64>() / gains.len() as f64;
    let better = gains.iter().filter(|(_, gain)| *gain > 0.0).count();
    Some(format!(
        "  On each institution's own test rows it is better than the institution's own model at {better} of {}: {} on \
         average, {} at {least}.",
        gains.len(),
        compared(mean),
        compared(worst),
    ))
}

/// `0.0163 better`, `0.0017 worse`, `no better or worse`, as the four printed decimals have it.
pub(crate) fn compared(difference: f64) -> String {
    match format!("{:.4}", difference.abs()).as_str() {
        "0.0000" => "no better or worse".into(),
        figure if difference > 0.0 => format!("{figure} better"),
        figure => format!("{figure} worse"),
    }
}

fn protection(text: &mut String, result: &RunResult, columns: usize) {
    let (protection, traffic, timing) = (&result.protection, &result.traffic, &result.timing);
    let mut line = |label: &str, what: String| {
        let what =
            wrapped(&what, columns.saturating_sub(LABEL + 2), 0).replace('\n', &format!("\n{:13}", ""));
        let _ = writeln!(text, "  {}{what}", style(format!("{label:<LABEL$}")).cyan());
    };
    line(
        "protected",
        format!(
            "{}; only sums were opened, each with the help of at least {} of {} institutions",
            carried::left(protection),
            protection.threshold,
            protection.cohort
        ),
    );
    line(
        "caution",
        match &result.privacy {
            None => "the sums are exact, without differential privacy, and no outside cryptographer has reviewed the protocol"
                .into(),
            Some(claim) => format!(
                "epsilon {} at delta {} bounds what all sums tell of {}; figures on test rows are computed here, \
                 outside of it; no outside cryptographer has reviewed the protocol",
                claim.epsilon, claim.delta, claim.unit
            ),
        },
    );
    for warning in &result.warnings {
        line("warning", warning.clone());
    }
    if let Some(drift) =
        result.drift.as_ref().and_then(|drift| drift.federated.as_ref()?.warning("test rows"))
    {
        line("warning", drift);
    }
    line(
        "cost",
        format!(
            "{}; each institution sent {} in a round of {}, training and evaluation together, and {} in the whole job \
             of {}",
            carried::cost(result),
            bytes(traffic.round_bytes_median),
            seconds(timing.round_seconds_median),
            bytes(traffic.job_bytes),
            seconds(timing.federation_seconds),
        ),
    );
    let rounds = &result.rounds;
    let stopped = result.options.stopped.iter();
    let stopped: String = stopped.map(|name| format!(", one of them without {name} on purpose")).collect();
    let released = match rounds.released {
        released if released < rounds.completed => {
            format!(", the model of round {released} released: it has the least log-loss on validation rows")
        }
        _ => String::new(),
    };
    line(
        "rounds",
        format!("{} completed{stopped}{released}; {} abandoned", rounds.completed, rounds.abandoned),
    );
}

fn places(text: &mut String, result: &RunResult, closing: &Closing<'_>) {
    let root = result.ledger.root.get(..16).unwrap_or(&result.ledger.root);
    let places = [
        ("report", "report.html", "open it in a browser".to_owned()),
        ("model", "model.safetensors", "and model.json, its card".to_owned()),
        (
            "ledger",
            "ledger",
            format!("{}, root {root}…", counted(result.ledger.size as usize, "entry", "entries")),
        ),
        ("result", "result.json", "all figures, for programs".to_owned()),
    ];
    let rows =
        places.map(|(label, file, remark)| (label, closing.out.join(file).display().to_string(), remark));
    columns(text, &rows);
}

fn next(text: &mut String, closing: &Closing<'_>) {
    let command = closing.command;
    let verify = format!("{command} ledger verify {}", quoted(&closing.out.join("ledger")));
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
    let label = |position: usize| if position == 0 { "next" } else { "" };
    let rows: Vec<_> = steps
        .into_iter()
        .enumerate()
        .map(|(position, (step, why))| (label(position), step, why.to_owned()))
        .collect();
    columns(text, &rows);
}

/// Rows of a label, something to copy, and a remark.
fn columns(text: &mut String, rows: &[(&str, String, String)]) {
    let width = rows.iter().map(|(_, what, _)| measure_text_width(what)).max().unwrap_or(0);
    for (label, what, remark) in rows {
        let label = style(format!("{label:<LABEL$}")).cyan();
        let _ = writeln!(text, "  {label}{what:width$}  {}", style(remark).dim());
    }
}

const LABEL: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{DriftByModel, example};

    fn table(demo: bool) -> String {
        let closing = Closing { out: Path::new("syndic-demo"), command: "syndic", demo, width: 90 };
        console::strip_ansi_codes(&render(&example::result(), &closing)).into_owned()
    }

    /// The table on one line, with single spaces.
    fn flat(table: &str) -> String {
        table.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn it_keeps_within_its_width() {
        for line in table(true).lines().filter(|line| !line.contains("syndic")) {
            assert!(measure_text_width(line) <= 90, "{line}");
        }
    }

    #[test]
    fn every_model_has_its_row_of_figures() {
        let table = table(true);
        for row in ["federated, encrypted", "alone, mean of 5", "bank_online alone", "all rows in one place"]
        {
            assert!(table.contains(row), "{row}");
        }
        assert!(table.contains("0.7671   0.3972    0.3041"), "{table}");
        assert!(flat(&table).contains("0.0168 better in ROC-AUC"), "{table}");
        assert!(flat(&table).contains("0.0017 worse than pooling"), "{table}");
    }

    #[test]
    fn models_that_are_trained_without_the_noise_of_the_job_are_said_to_be() {
        let closing = Closing { out: Path::new("out"), command: "syndic", demo: false, width: 90 };
        let job =
            syndic_learning::Job::from_toml(include_str!("../../examples/jobs/credit-default-noise.toml"));
        let result = RunResult { privacy: job.unwrap().claim(None).unwrap(), ..example::result() };
        let noisy = flat(&console::strip_ansi_codes(&render(&result, &closing)));
        for row in [
            "alone, mean of 5, without noise 0.7",
            "all rows in one place, without noise, for comparison only",
        ] {
            assert!(noisy.contains(row), "{row}: {noisy}");
            assert!(!flat(&table(false)).contains("without noise"));
        }
    }

    #[test]
    fn it_says_what_institutions_see_on_their_own_customers() {
        let said = "On each institution's own test rows it is better than the institution's own model at 4 of 5: 0.0074 \
                    better on average, 0.0012 worse at";
        assert!(flat(&table(true)).contains(said), "{}", table(true));
        let mut metrics = example::result().metrics;
        metrics.own.clear();
        assert_eq!(at_home(&metrics), None);
    }

    #[test]
    fn it_warns_of_test_rows_that_are_unlike_those_that_were_trained_on() {
        let figures = crate::report::drift::tests::figures();
        let drift = DriftByModel { federated: Some(figures.clone()), pooled: figures };
        let result = RunResult { drift: Some(drift), ..example::result() };
        let closing = Closing { out: Path::new("out"), command: "syndic", demo: false, width: 90 };
        let table = console::strip_ansi_codes(&render(&result, &closing)).into_owned();
        assert!(flat(&table).contains("warning test rows have drifted from the rows"), "{table}");
        assert!(!flat(&self::table(false)).contains("have drifted"));
    }

    #[test]
    fn it_says_what_is_protected_and_what_is_not() {
        let table = table(true);
        assert!(flat(&table).contains("only sums were opened"));
        assert!(flat(&table).contains("no outside cryptographer has reviewed the protocol"));
        assert!(table.contains("without bank_online on purpose"));
    }

    #[test]
    fn bytes_stand_beside_the_time_in_which_they_were_sent() {
        let table = flat(&table(true));
        let cost = "4.00 bytes a parameter on the wire and 24 ns a parameter to encrypt; each institution sent \
                    57.0 kB in a round of 0.28 s, training and evaluation together, and 1.17 MB in the whole job \
                    of 9.10 s";
        assert!(table.contains(cost), "{table}");
    }

    #[test]
    fn a_job_that_shares_its_updates_is_not_said_to_encrypt_them() {
        let closing = Closing { out: Path::new("out"), command: "syndic", demo: false, width: 90 };
        let shared = render(&example::shared(), &closing);
        let table = flat(&console::strip_ansi_codes(&shared));
        assert!(table.contains("federated, from shares 0.7671"), "{table}");
        assert!(!table.contains("bytes a parameter") && !table.contains("every update"), "{table}");
        assert!(
            table.contains("protected statistics and model updates left their institution as secret shares")
        );
        assert!(table.contains("warning 3 of 21 sums of shared vectors unchecked"), "{table}");
        assert!(table.contains("cost 5.40 kB of sealed shares for a model update"), "{table}");
        assert!(!flat(&self::table(true)).contains("warning"));
    }

    #[test]
    fn a_folder_with_a_space_in_its_name_is_quoted_in_the_command() {
        let closing = Closing { out: Path::new("my run"), command: "syndic", demo: false, width: 90 };
        let table = render(&example::result(), &closing);
        assert!(
            console::strip_ansi_codes(&table).contains("syndic ledger verify 'my run/ledger'"),
            "{table}"
        );
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
