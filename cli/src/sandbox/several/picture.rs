//! The comparison as a picture: a row for each job, ROC-AUC from left to right.

use askama::Template;

use super::text::who;
use super::{Compared, Comparison, Figures};
use crate::report::chart::Tick;

/// The picture as a whole SVG file.
pub(super) fn render(comparison: &Comparison) -> String {
    Picture::of(comparison).render().expect("rendering to a string cannot fail")
}

#[derive(Template)]
#[template(path = "comparison.svg", escape = "html")]
struct Picture {
    title: String,
    height: f64,
    bottom: f64,
    columns: Vec<Tick>,
    jobs: Vec<Row>,
}

/// One job.
struct Row {
    label: String,
    y: f64,
    marks: Vec<Mark>,
}

/// One model.
struct Mark {
    class: &'static str,
    x: f64,
    radius: f64,
    title: String,
}

impl Picture {
    fn of(comparison: &Comparison) -> Self {
        let aucs = || comparison.jobs.iter().flat_map(|job| &job.models).map(|model| model.scores.roc_auc);
        let (low, high) = aucs().fold((1.0_f64, 0.0_f64), |(low, high), auc| (low.min(auc), high.max(auc)));
        let step = nice_step((high - low).max(0.001));
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let high = high.max(low + step);
        let x = |auc: f64| LEFT + (RIGHT - LEFT) * (auc - low) / (high - low);
        let bottom = TOP + ROW * comparison.jobs.len() as f64;
        let ticks = (0..=((high - low) / step).round() as u32).map(|number| low + f64::from(number) * step);
        let decimals = if step < 0.01 { 3 } else { 2 };
        Self {
            title: format!("ROC-AUC on the same {} test rows of {}", comparison.test_rows, comparison.table),
            height: bottom + BELOW,
            bottom,
            columns: ticks.map(|auc| Tick { at: x(auc), label: format!("{auc:.decimals$}") }).collect(),
            jobs: comparison.jobs.iter().enumerate().map(|(number, job)| Row::of(job, number, &x)).collect(),
        }
    }
}

impl Row {
    fn of(job: &Compared, number: usize, x: &impl Fn(f64) -> f64) -> Self {
        // What is drawn last lies on top.
        let marks = job.models.iter().rev().map(|model| Mark {
            class: model.trained,
            x: x(model.scores.roc_auc),
            radius: radius(model),
            title: format!("{}, {}: {:.4}", job.name, who(model), model.scores.roc_auc),
        });
        Self { label: shortened(&job.name), y: TOP + ROW * (number as f64 + 0.5), marks: marks.collect() }
    }
}

/// Where two models reach the same both are seen: the pooled one is a ring around the federated one.
fn radius(model: &Figures) -> f64 {
    match model.trained {
        "pooled" => 8.0,
        "federated" => 5.0,
        "alone-mean" => 5.5,
        _ => 3.0,
    }
}

/// As much of a name as there is room for.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        name.into()
    } else {
        name.chars().take(LONGEST - 1).chain(['…']).collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that there are at most six of it in the span.
fn nice_step(span: f64) -> f64 {
    let power = 10_f64.powf((span / 6.0).log10().floor());
    let mut steps = [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power);
    steps.find(|step| span / step <= 6.0).unwrap_or(10.0 * power)
}

const LEFT: f64 = 190.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 60.0;
const ROW: f64 = 34.0;
const BELOW: f64 = 48.0;
const LONGEST: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::several::tests::comparison;

    #[test]
    fn every_model_is_a_mark_inside_the_frame() {
        let comparison = comparison();
        let picture = Picture::of(&comparison);
        assert_eq!(picture.jobs.iter().map(|row| row.marks.len()).collect::<Vec<_>>(), [8, 2]);
        for row in &picture.jobs {
            assert!((TOP..=picture.bottom).contains(&row.y));
            assert!(row.marks.iter().all(|mark| (LEFT..=RIGHT).contains(&mark.x)));
        }
        assert!((2..=8).contains(&picture.columns.len()));
    }

    #[test]
    fn models_that_are_equally_good_have_an_axis_too() {
        let mut comparison = comparison();
        comparison
            .jobs
            .iter_mut()
            .flat_map(|job| &mut job.models)
            .for_each(|model| model.scores.roc_auc = 1.0);
        let picture = Picture::of(&comparison);
        assert!(picture.jobs.iter().flat_map(|row| &row.marks).all(|mark| (LEFT..=RIGHT).contains(&mark.x)));
    }

    #[test]
    fn it_is_a_file_that_stands_alone_whatever_the_names() {
        let svg = render(&comparison());
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>") && !svg.contains("trees & more"));
    }
}
