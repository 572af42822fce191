//! Members found against false alarms, both in logarithms: a panel for each job.

use askama::Template;
use syndic_learning::attack::bound;
use syndic_learning::privacy::Guarantee;

use super::report::{Report, Run, Sees};
use crate::report::chart::Tick;

/// The picture as a whole SVG file.
pub(super) fn render(report: &Report) -> String {
    Picture::of(report).render().expect("rendering to a string cannot fail")
}

#[derive(Template)]
#[template(path = "attack.svg", escape = "html")]
struct Picture {
    title: String,
    width: f64,
    panels: Vec<Panel>,
}

/// One job.
struct Panel {
    heading: String,
    left: f64,
    right: f64,
    rows: Vec<Tick>,
    columns: Vec<Tick>,
    chance: String,
    bound: Option<String>,
    curves: Vec<Curve>,
    labels: Vec<Label>,
}

struct Curve {
    class: &'static str,
    line: String,
}

struct Label {
    class: &'static str,
    y: f64,
    text: String,
}

impl Picture {
    fn of(report: &Report) -> Self {
        let panels: Vec<Panel> = report
            .runs
            .iter()
            .enumerate()
            .map(|(number, run)| Panel::of(run, LEFT + PITCH * number as f64))
            .collect();
        Self {
            title: format!(
                "{}: share of members found against share of others taken for members",
                report.job
            ),
            width: (LEFT + PITCH * panels.len() as f64).max(LEAST_WIDTH),
            panels,
        }
    }
}

impl Panel {
    fn of(run: &Run, left: f64) -> Self {
        let x = |share: f64| left + SIDE * (1.0 + share.max(LEAST).log10() / DECADES);
        let y = |share: f64| BOTTOM - SIDE * (1.0 + share.max(LEAST).log10() / DECADES);
        let line = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            points
                .map(|(alarms, found)| format!("{:.1},{:.1}", x(alarms), y(found)))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let of_sight = |(place, (sees, class)): (usize, (Sees, &'static str))| {
            let attack = run.best(sees)?;
            let text =
                format!("{}, {}: AUC {:.3}", sees.words(), attack.attack.words(), attack.figures.auc.mean);
            let curve = Curve { class, line: line(&mut attack.figures.curve.iter().copied()) };
            Some((curve, Label { class, y: FIRST_LABEL + LABEL_HEIGHT * place as f64, text }))
        };
        let sights = [(Sees::Model, "model"), (Sees::Sums, "sums"), (Sees::Update, "update")];
        let (curves, mut labels): (Vec<_>, Vec<_>) =
            sights.into_iter().enumerate().filter_map(of_sight).unzip();
        let guarantee = run.bound.map(|bound| Guarantee { epsilon: bound.epsilon, delta: bound.delta });
        let shares = || (0..=80).map(|step| 10_f64.powf(DECADES * (f64::from(step) / 80.0 - 1.0)));
        if guarantee.is_some() {
            let y = FIRST_LABEL + LABEL_HEIGHT * labels.len() as f64;
            labels.push(Label { class: "bound", y, text: "the most that epsilon allows".into() });
        }
        let powers = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];
        let named = ["0.01 %", "0.1 %", "1 %", "10 %", "100 %"];
        let ticks = |at: &dyn Fn(f64) -> f64| {
            powers
                .iter()
                .zip(named)
                .map(|(&share, label)| Tick { at: at(share), label: label.into() })
                .collect()
        };
        Self {
            heading: match run.bound {
                None => format!("{}, no noise", run.program),
                Some(bound) => format!("{}, epsilon {:.2}", run.program, bound.epsilon),
            },
            left,
            right: left + SIDE,
            rows: ticks(&y),
            columns: ticks(&x),
            chance: line(&mut shares().map(|share| (share, share))),
            bound: guarantee
                .map(|guarantee| line(&mut shares().map(|share| (share, bound::found(guarantee, share))))),
            curves,
            labels,
        }
    }
}

const LEFT: f64 = 64.0;
const SIDE: f64 = 240.0;
const BOTTOM: f64 = 300.0;
/// From one panel to the next.
const PITCH: f64 = 320.0;
const LEAST_WIDTH: f64 = 720.0;
const FIRST_LABEL: f64 = 340.0;
const LABEL_HEIGHT: f64 = 16.0;
/// What is drawn at the edge.
const LEAST: f64 = 1e-4;
const DECADES: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::text::tests::report;

    #[test]
    fn everything_drawn_is_inside_its_panel() {
        let picture = Picture::of(&report());
        assert_eq!(picture.panels.len(), 2);
        for panel in &picture.panels {
            let lines =
                panel.curves.iter().map(|curve| &curve.line).chain([&panel.chance]).chain(&panel.bound);
            for point in lines.flat_map(|line| line.split(' ')) {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((panel.left - 0.1..=panel.right + 0.1).contains(&x), "{point}");
                assert!((BOTTOM - SIDE - 0.1..=BOTTOM + 0.1).contains(&y), "{point}");
            }
            assert_eq!(panel.curves.len(), 3);
        }
        assert!(picture.panels[0].bound.is_none() && picture.panels[1].bound.is_some());
        assert!(picture.panels[1].right < picture.width);
    }

    #[test]
    fn it_is_a_file_that_stands_alone() {
        let svg = render(&report());
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && svg.contains("the most that epsilon allows"));
    }
}
