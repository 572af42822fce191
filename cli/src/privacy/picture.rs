//! Epsilon against steps, as a picture for a page or a slide.

use askama::Template;

use super::plan::{Plan, Spent};
use super::text::figure;
use crate::report::chart::Tick;
use crate::words::thousands;

/// The picture as a whole SVG file.
pub(super) fn render(plan: &Plan) -> String {
    Picture::of(plan).render().expect("rendering to a string cannot fail")
}

#[derive(Template)]
#[template(path = "epsilon.svg", escape = "html")]
struct Picture {
    title: String,
    rows: Vec<Tick>,
    columns: Vec<Tick>,
    curves: Vec<Curve>,
    target: Option<Tick>,
}

/// One accountant's line.
struct Curve {
    class: &'static str,
    line: String,
    end: f64,
    label: String,
}

impl Picture {
    fn of(plan: &Plan) -> Self {
        let last = plan.steps.max(2) as f64;
        let highest = plan.by_steps.iter().map(|spent| spent.rdp).fold(0.0, f64::max);
        let highest = highest.max(plan.target_epsilon.unwrap_or(0.0)).max(1e-9);
        let step = nice_step(highest);
        let top = (highest / step).ceil() * step;
        let x = |steps: u64| LEFT + (RIGHT - LEFT) * steps as f64 / last;
        let y = |epsilon: f64| BOTTOM - (BOTTOM - TOP) * epsilon / top;
        let curve = |class, name, epsilon: fn(&Spent) -> Option<f64>| {
            let points: Vec<(u64, f64)> =
                plan.by_steps.iter().filter_map(|spent| Some((spent.steps, epsilon(spent)?))).collect();
            let (_, reached) = *points.last()?;
            let line: Vec<String> =
                points.iter().map(|(steps, value)| format!("{:.1},{:.1}", x(*steps), y(*value))).collect();
            Some(Curve {
                class,
                line: line.join(" "),
                end: y(reached),
                label: format!("{name} {}", figure(reached)),
            })
        };
        let curves = [curve("rdp", "rdp", |spent| Some(spent.rdp)), curve("pld", "pld", |spent| spent.pld)];
        let mut curves: Vec<Curve> = curves.into_iter().flatten().collect();
        keep_apart(&mut curves);
        let decimals = if step < 0.01 {
            4
        } else if step < 1.0 {
            2
        } else {
            0
        };
        let rows = (0..=(top / step).round() as u32).map(|number| f64::from(number) * step);
        let columns = plan.by_steps.iter().map(|spent| spent.steps);
        Self {
            title: format!(
                "epsilon at delta {}: noise {} clipping norms, rate {}",
                plan.delta,
                figure(plan.noise),
                plan.rate
            ),
            rows: rows.map(|value| Tick { at: y(value), label: format!("{value:.decimals$}") }).collect(),
            // Every other one, from the last, so that long numbers do not touch.
            columns: columns
                .rev()
                .step_by(2)
                .map(|steps| Tick { at: x(steps), label: thousands(steps) })
                .collect(),
            curves,
            target: plan
                .target_epsilon
                .map(|epsilon| Tick { at: y(epsilon), label: format!("target {epsilon}") }),
        }
    }
}

/// The label of the tighter accountant goes below the other's.
fn keep_apart(curves: &mut [Curve]) {
    if let [rdp, pld] = curves {
        pld.end = pld.end.max(rdp.end + LABEL_HEIGHT);
    }
}

/// 1, 2 or 5 times a power of ten, so that there are two to six of it.
fn nice_step(highest: f64) -> f64 {
    let power = 10_f64.powf((highest / 6.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| highest / step <= 6.0)
        .unwrap_or(10.0 * power)
}

const LEFT: f64 = 64.0;
const RIGHT: f64 = 566.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 260.0;
const LABEL_HEIGHT: f64 = 16.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::plan::tests::plan;

    #[test]
    fn everything_drawn_is_inside_the_frame() {
        for line in ["--epsilon 2 --steps 100", "--noise 0.5 --steps 1", "--noise 1000 --steps 3"] {
            let plan = plan(&format!("{line} --delta 1e-5 --rate 0.1")).unwrap();
            let picture = Picture::of(&plan);
            assert_eq!(picture.curves.len(), 2);
            for curve in &picture.curves {
                for point in curve.line.split(' ') {
                    let (x, y) = point.split_once(',').unwrap();
                    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                    assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y), "{line}: {point}");
                }
            }
            assert!(picture.rows.len() >= 3 && picture.rows.len() <= 8, "{line}: {}", picture.rows.len());
            assert_eq!(picture.target.is_some(), line.contains("epsilon"));
        }
    }

    #[test]
    fn it_is_a_file_that_stands_alone() {
        let svg = render(&plan("--epsilon 2 --steps 10 --delta 1e-5").unwrap());
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && svg.contains("<style>"));
        assert!(svg.contains("target 2") && svg.contains("epsilon at delta"));
    }

    #[test]
    fn steps_of_the_axis_are_round() {
        assert_eq!(nice_step(6.0), 1.0);
        assert_eq!(nice_step(7.0), 2.0);
        assert_eq!(nice_step(0.25), 0.05);
        assert_eq!(nice_step(59.0), 10.0);
    }
}
