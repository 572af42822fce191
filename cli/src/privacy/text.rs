//! A plan for a person.

use std::fmt::Write as _;
use std::path::Path;

use console::style;

use super::accuracy::{Accuracy, Model};
use super::plan::{Calibration, HeardOf, Institutions, Plan};
use crate::words::{thousands, wrapped};

/// The plan as text, with colours where standard output has them. `picture` is where it was drawn.
pub(super) fn render(plan: &Plan, picture: Option<&Path>) -> String {
    let mut text = String::new();
    facts(&mut text, plan);
    steps(&mut text, plan);
    if let Some(institutions) = &plan.institutions {
        calibrations(&mut text, institutions);
    }
    if let Some(heard) = &plan.heard {
        heard_of(&mut text, heard);
    }
    if let Some(accuracy) = &plan.accuracy {
        costs(&mut text, accuracy, plan.target_epsilon);
    }
    if let Some(path) = picture {
        let _ = writeln!(text, "\ndrawn in {}", path.display());
    }
    let caution = style("For planning ahead: a plan protects nobody. What is claimed: docs/privacy.md").dim();
    let _ = writeln!(text, "\n{caution}");
    text
}

fn facts(text: &mut String, plan: &Plan) {
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {}{value}", style(format!("{label:<10}")).cyan());
    };
    let whole = plan.heard.is_some();
    let sample = if whole {
        "the changes of all institutions".into()
    } else if plan.rate == 1.0 {
        "all rows".into()
    } else {
        format!("a sample of rate {}", plan.rate)
    };
    let times = if plan.steps == 1 { "once".into() } else { format!("{} times", thousands(plan.steps)) };
    line("training", format!("{times} the sum over {sample}"));
    let of_no_job = || "one row, added or removed; a customer where nobody has more than one".into();
    line("unit", plan.unit.clone().unwrap_or_else(of_no_job));
    let chosen = match plan.target_epsilon {
        Some(epsilon) => format!(", chosen by {} for epsilon {epsilon}", plan.accountant),
        None => String::new(),
    };
    let moved = match &plan.unit {
        Some(_) => "times what one such unit moves the sum by",
        None => "clipping norms",
    };
    line("noise", format!("{} {moved} in the sum{chosen}", figure(plan.noise)));
    if let Some(before) = plan.noise_before {
        let counts = "rows by class in the cells of columns, counted once before";
        line(
            "",
            format!("{} of what a row moves in {counts}, which spend with the first step", figure(before)),
        );
    }
    line(
        "epsilon",
        format!(
            "{} by rdp, {} by pld, at delta {}",
            figure(plan.spent.rdp),
            optional(plan.spent.pld),
            plan.delta
        ),
    );
}

fn steps(text: &mut String, plan: &Plan) {
    let heading = format!("  {:>12}{:>14}{:>14}", "steps", "epsilon, rdp", "pld");
    let _ = writeln!(text, "\n{}", style(heading).underlined());
    for spent in &plan.by_steps {
        let (steps, rdp, pld) = (thousands(spent.steps), figure(spent.rdp), optional(spent.pld));
        let _ = writeln!(text, "  {steps:>12}{rdp:>14}{pld:>14}");
    }
}

/// What noise for whole institutions leaves to be heard: of few institutions, hardly anything.
fn heard_of(text: &mut String, heard: &HeardOf) {
    for told in &heard.told {
        let mut told = told.clone();
        // All that a sentence of ours begins with is one byte long.
        if let Some(first) = told.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let _ = writeln!(text, "\n{}", wrapped(&format!("  {told}."), WIDTH, 2));
    }
}

fn calibrations(text: &mut String, institutions: &Institutions) {
    let Institutions { admitted, threshold, colluding, calibrations } = institutions;
    let _ = writeln!(
        text,
        "\n  {admitted} institutions, of which {threshold} answer at least and {colluding} collude at most; epsilon of \
         the whole training:\n"
    );
    let worst = format!("{threshold} answer, {colluding} collude");
    let heading = format!(
        "  {:<28}{:>10}{worst:>24}{:>26}",
        "noise enough from", "each adds", "all answer, none collude"
    );
    let _ = writeln!(text, "{}", style(heading).underlined());
    let labels = [format!("t - c = {} of them", calibrations[0].counted_on), format!("all n = {admitted}")];
    for (label, calibration) in labels.iter().zip(calibrations) {
        let Calibration { noise_of_each, epsilon_at_worst, epsilon_at_best, .. } = *calibration;
        let (each, worst, best) =
            (figure(noise_of_each), optional(epsilon_at_worst), optional(epsilon_at_best));
        let _ = writeln!(text, "  {label:<28}{each:>10}{worst:>24}{best:>26}");
    }
}

fn costs(text: &mut String, accuracy: &Accuracy, target: Option<f64>) {
    let Accuracy { table, institutions, rows, test_rows, runs, models, .. } = accuracy;
    let (rows, test_rows) = (thousands(*rows), thousands(*test_rows));
    let means = if *runs == 1 { "one training each" } else { &format!("means of {runs} trainings") };
    let _ = writeln!(
        text,
        "\n  accuracy on {table}: {institutions} institutions, {rows} training rows, {test_rows} test rows; with noise\n  {means}, \
         in this process, without encryption\n"
    );
    let heading = format!("  {:<24}{:>10}{:>10}{:>10}{:>10}", "", "ROC-AUC", "change", "log-loss", "change");
    let _ = writeln!(text, "{}", style(heading).underlined());
    let exact = models.first();
    for model in models {
        let label = match model.epsilon {
            None => "without noise".to_owned(),
            Some(epsilon) if Some(epsilon) == target => format!("epsilon {epsilon}, of the job"),
            Some(epsilon) => format!("epsilon {epsilon}"),
        };
        let auc = model.roc_auc.map_or_else(|| "-".into(), |auc| format!("{auc:.4}"));
        let change = |of: fn(&Model) -> Option<f64>| match (model.epsilon, of(model), exact.and_then(of)) {
            (Some(_), Some(found), Some(exact)) => format!("{:+.4}", found - exact),
            _ => String::new(),
        };
        let (in_auc, in_loss) = (change(|model| model.roc_auc), change(|model| Some(model.log_loss)));
        let line = format!("  {label:<24}{auc:>10}{in_auc:>10}{:>10.4}{in_loss:>10}", model.log_loss);
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Four figures behind the point, rounded up: neither epsilon nor noise may look smaller than it is needed.
pub(super) fn figure(value: f64) -> String {
    // What is exact but for the last places of a floating number stays as it is.
    // Adding zero takes the sign from a negative one.
    let up = (value * 1e4 - 1e-6).ceil() / 1e4 + 0.0;
    format!("{up:.4}")
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), figure)
}

/// Columns of a sentence.
const WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::plan::tests::plan;

    #[test]
    fn a_plan_is_told_with_both_calibrations_and_the_caution() {
        let plan = plan("--rate 0.05 --steps 1000 --delta 1e-5 --epsilon 3 --institutions 5").unwrap();
        let told = console::strip_ansi_codes(&render(&plan, Some(Path::new("a.svg")))).into_owned();
        for part in [
            "1,000 times the sum over a sample of rate 0.05",
            "one row, added or removed",
            "chosen by rdp for epsilon 3",
            "t - c = 2 of them",
            "all n = 5",
            "4 answer, 2 collude",
            "drawn in a.svg",
            "a plan protects nobody",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let widest = told.lines().map(str::len).max().unwrap();
        assert!(widest <= 100, "{widest}: {told}");
    }

    #[test]
    fn figures_are_rounded_up() {
        assert_eq!(figure(1.00001), "1.0001");
        assert_eq!(figure(2.5), "2.5000");
        assert_eq!(figure(0.0), "0.0000");
        assert_eq!(figure(0.1 + 0.2), "0.3000");
        assert_eq!(optional(None), "-");
    }
}
