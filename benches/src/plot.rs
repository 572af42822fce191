//! A plot of a few lines over the size of the cohort, both axes logarithmic, as SVG: the same numbers, the same bytes.

use std::fmt::Write;

/// One line of the plot.
pub struct Line {
    /// What it is, beside its end.
    pub name: String,
    /// Colour, as in CSS.
    pub colour: &'static str,
    /// Points (n, nanoseconds per parameter).
    pub points: Vec<(f64, f64)>,
}

/// The plot.
pub fn svg(title: &str, lines: &[Line]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" fill=\"#1f2328\">{title}</text>\n"
    );
    for y in [10.0, 100.0, 1_000.0] {
        rule(&mut svg, (LEFT, height(y)), (RIGHT, height(y)));
        label(&mut svg, (LEFT - 8.0, height(y) + 4.0), "end", &format!("{y} ns"));
    }
    for x in [5.0, 10.0, 20.0, 50.0, 100.0, 200.0] {
        rule(&mut svg, (across(x), TOP), (across(x), BOTTOM));
        label(&mut svg, (across(x), BOTTOM + 20.0), "middle", &format!("{x}"));
    }
    label(&mut svg, ((LEFT + RIGHT) / 2.0, BOTTOM + 42.0), "middle", "participants");
    for line in lines {
        let points: Vec<String> =
            line.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", across(x), height(y))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2.5\"/>",
            points.join(" "),
            line.colour
        );
    }
    // Names from the highest line down, each a line of text below the one before.
    let mut names: Vec<(f64, &str)> = lines
        .iter()
        .filter_map(|line| Some((height(line.points.last()?.1) + 4.0, line.name.as_str())))
        .collect();
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lowest = 0_f64;
    for (y, name) in names {
        lowest = y.max(lowest + 16.0);
        label(&mut svg, (RIGHT + 8.0, lowest), "start", name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#d8dee4\"/>"
    );
}

fn label(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#1f2328\">{text}</text>"
    );
}

fn across(n: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * (n / 5.0).ln() / 40_f64.ln()
}

/// From 2 to 4,000 nanoseconds.
fn height(nanoseconds: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * (nanoseconds / 2.0).ln() / 2_000_f64.ln()
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 360.0;
