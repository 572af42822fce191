//! What the attacks found, for a person.

use std::fmt::Write as _;
use std::path::Path;

use console::style;
use syndic_learning::attack::figures::Estimate;
use syndic_learning::attack::inversion::Read;

use super::report::{Bound, Membership, Report, Run, Sees};
use crate::words::{thousands, wrapped};

/// The report as text, with colours where standard output has them. `picture` is where it was drawn; sentences keep within so many
/// columns.
pub(super) fn render(report: &Report, picture: Option<&Path>, columns: usize) -> String {
    let mut text = String::new();
    facts(&mut text, report);
    for run in &report.runs {
        heading(&mut text, run);
        membership(&mut text, run);
        inversion(&mut text, run);
    }
    let _ = writeln!(text, "\n{}", wrapped(&verdict(report), columns, 2));
    if let Some(path) = picture {
        let _ = writeln!(text, "\ndrawn in {}", path.display());
    }
    let caution =
        "What these attacks do not find, another may. What is played and what figures mean: docs/attack.md";
    let _ = writeln!(text, "\n{}", style(wrapped(caution, columns, 2)).dim());
    text
}

fn facts(text: &mut String, report: &Report) {
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {}{value}", style(format!("{label:<10}")).cyan());
    };
    line("job", report.job.clone());
    line(
        "rows",
        format!(
            "{} training rows of {} institutions, each in or out by a coin",
            thousands(report.rows),
            report.institutions
        ),
    );
    line("games", format!("{}, seed {}", report.games, report.seed));
    line(
        "update",
        format!("that of {}, with {} rows the smallest", report.watched.name, thousands(report.watched.rows)),
    );
}

fn heading(text: &mut String, run: &Run) {
    let noise = match &run.bound {
        None => "no noise".into(),
        Some(bound) => format!("noise: epsilon {} of a row, delta {}", figure(bound.epsilon), bound.delta),
    };
    let worth = run.roc_auc.map_or_else(String::new, |auc| format!("; ROC-AUC on test rows {auc:.3}"));
    let _ = writeln!(text, "\n{}", style(format!("{}, {noise}{worth}", run.program)).bold());
}

fn membership(text: &mut String, run: &Run) {
    let heading = format!(
        "  {:<26}{:<16}{:>18}{:>8}{:>11}{:>11}",
        "who was in, from", "attack", "advantage", "AUC", "at 1 %", "at 0.1 %"
    );
    let _ = writeln!(text, "\n{}", style(heading).underlined());
    for Membership { sees, attack, figures, .. } in &run.membership {
        let _ = writeln!(
            text,
            "  {:<26}{:<16}{:>18}{:>8.3}{:>11}{:>11}",
            sees.words(),
            attack.words(),
            within(figures.advantage),
            figures.auc.mean,
            percent(figures.found_at_one_percent.mean),
            percent(figures.found_at_one_per_thousand.mean),
        );
    }
    let _ = writeln!(
        text,
        "  {:<26}{:<16}{:>18}{:>8}{:>11}{:>11}",
        "chance", "", "0.000", "0.500", "1.0 %", "0.1 %"
    );
    if let Some(Bound { advantage, found_at_one_percent, found_at_one_per_thousand, .. }) = run.bound {
        let (one, less) = (percent(found_at_one_percent), percent(found_at_one_per_thousand));
        let of = bounded(run);
        let _ = writeln!(
            text,
            "  {:<26}{:<16}{advantage:>18.3}{:>8}{one:>11}{less:>11}",
            "bound by epsilon", of, ""
        );
    }
    if run.sums_attacked < run.sums_opened {
        let _ =
            writeln!(text, "  of {} sums the first {} were looked at", run.sums_opened, run.sums_attacked);
    }
}

/// Of what the bound holds.
fn bounded(run: &Run) -> &'static str {
    let update = run.membership.iter().any(|attack| attack.sees == Sees::Update && attack.bounded);
    if update { "of all three" } else { "not the update" }
}

fn inversion(text: &mut String, run: &Run) {
    if run.inversion.is_empty() {
        return;
    }
    let heading = format!(
        "  {:<26}{:<12}{:>20}{:>18}{:>18}",
        "read of one row, from", "question", "update in clear", "what is sent", "opened sum"
    );
    let _ = writeln!(text, "\n{}", style(heading).underlined());
    for inversion in &run.inversion {
        for read in &inversion.read {
            let rows = match read.rows {
                1 => "that row alone".into(),
                rows => format!("{rows} rows"),
            };
            let _ = writeln!(
                text,
                "  {rows:<26}{:<12}{:>20}{:>18}{:>18}",
                inversion.kind,
                shares(read.update),
                shares(read.sent),
                shares(read.sum)
            );
        }
    }
    let _ = writeln!(text, "  {:<26}{:<12}{:>20}", "guessed from means", "", shares(run.guessed));
    let _ = writeln!(text, "  numbers right to a tenth of a standard deviation, and levels right");
}

/// The sentence that says what it comes to.
fn verdict(report: &Report) -> String {
    let mut sentences = Vec::new();
    for run in &report.runs {
        let noise = if run.bound.is_some() { "With noise" } else { "Without noise" };
        sentences.push(format!(
            "{noise}, of a member and another row the member is told in {} of cases from the released model, in {} with the opened sums, and in {} \
             with one update in the clear, which encryption keeps from everybody. Each counts in what stands before it: who sees sums sees the \
             model. Chance is 50 %.",
            percent(run.reached(Sees::Model)),
            percent(run.reached(Sees::Sums)),
            percent(run.reached(Sees::Update)),
        ));
    }
    sentences.join("\n")
}

/// A mean and half its interval.
fn within(estimate: Estimate) -> String {
    format!("{:+.3} ±{:.3}", estimate.mean, (estimate.high - estimate.low) / 2.0)
}

fn shares(read: Read) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "-".into(), percent);
    format!("{}, {}", share(read.numbers), share(read.levels))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Four places, rounded up.
fn figure(value: f64) -> String {
    format!("{:.4}", (value * 1e4 - 1e-6).ceil() / 1e4)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::report::{Attack, Inversion, SCHEMA, Watched};
    use super::*;
    use syndic_learning::attack::figures::Figures;
    use syndic_learning::attack::inversion::Inverted;

    /// A report that was never measured.
    pub(in crate::attack) fn report() -> Report {
        let estimate = |mean: f64| Estimate { mean, low: mean - 0.01, high: mean + 0.01 };
        let figures = |auc: f64| Figures {
            games: 16,
            rows: 1000,
            advantage: estimate(2.0 * auc - 1.0),
            auc: estimate(auc),
            found_at_one_percent: estimate(0.02),
            found_at_one_per_thousand: estimate(0.002),
            curve: vec![(1e-4, 0.0), (1e-2, 0.02), (1.0, 1.0)],
        };
        let run = |bound: Option<Bound>| {
            let attack = |sees, attack, auc| Membership {
                sees,
                attack,
                bounded: bound.is_some(),
                figures: figures(auc),
            };
            let read = |numbers| Read { numbers: Some(numbers), levels: None };
            Run {
                program: "logistic-regression",
                privacy: "none",
                bound,
                roc_auc: Some(0.7812),
                sums_opened: 100,
                sums_attacked: 20,
                membership: vec![
                    attack(Sees::Model, Attack::LossThreshold, 0.51),
                    attack(Sees::Model, Attack::LiraOnline, 0.52),
                    attack(Sees::Sums, Attack::Tracing, 0.6),
                    attack(Sees::Update, Attack::Tracing, 0.7),
                ],
                inversion: vec![Inversion {
                    kind: "statistics",
                    read: vec![Inverted { rows: 1, update: read(1.0), sent: read(0.05), sum: read(0.1) }],
                }],
                guessed: read(0.08),
            }
        };
        let bound = Bound {
            epsilon: 2.99999,
            delta: 1e-5,
            advantage: 0.905,
            found_at_one_percent: 0.2,
            found_at_one_per_thousand: 0.02,
        };
        Report {
            schema: SCHEMA,
            job: "small".into(),
            table: "t.csv".into(),
            institutions: 3,
            rows: 12_345,
            games: 16,
            seed: 1,
            watched: Watched { name: "bank-a".into(), rows: 1000 },
            runs: vec![run(None), run(Some(bound))],
        }
    }

    #[test]
    fn a_report_is_told_with_chance_and_bound_beside_what_was_found() {
        let told = console::strip_ansi_codes(&render(&report(), Some(Path::new("a.svg")), 100)).into_owned();
        for part in [
            "12,345 training rows of 3 institutions",
            "that of bank-a, with 1,000 rows the smallest",
            "logistic-regression, no noise; ROC-AUC on test rows 0.781",
            "noise: epsilon 3.0000 of a row, delta 0.00001",
            "+0.040 ±0.010",
            "bound by epsilon          of all three                 0.905",
            "of 100 sums the first 20 were looked at",
            "that row alone",
            "100.0 %, -",
            "told in 52.0 % of cases from the released model, in 60.0 % with the opened sums, and in 70.0 %",
            "drawn in a.svg",
        ] {
            let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(told.contains(part) || flat.contains(part), "{part}: {told}");
        }
        for line in told.lines() {
            assert!(console::measure_text_width(line) <= 100, "{line}");
        }
    }
}
