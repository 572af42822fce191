//! The dot plot of docs/quality.svg: AUC of the tables that are gates, a row for each program and split.

use super::Run;

/// The plot as SVG.
pub(crate) fn plot(runs: &[Run]) -> String {
    let runs: Vec<&Run> = by_place(runs);
    let aucs = || {
        runs.iter().flat_map(|run| {
            let measured = &run.measured;
            [measured.federated.auc, measured.pooled.auc, measured.alone.auc]
        })
    };
    // Hundredths, with room at both ends.
    let least = (aucs().fold(1.0, f64::min) * 100.0 - 0.5).floor() as i32;
    let most = (aucs().fold(0.0, f64::max) * 100.0 + 0.5).ceil() as i32;
    let x = |auc: f64| LEFT + (RIGHT - LEFT) * (auc * 100.0 - f64::from(least)) / f64::from(most - least);
    let bottom = TOP + ROW * runs.len() as f64;
    let height = bottom + 44.0;
    let mut lines = vec![format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d"
  font-family="system-ui, sans-serif" font-size="13">"#
    )];
    lines.push(HEAD.to_owned());
    lines.push(legend());
    for tick in (least..=most).filter(|tick| tick % 2 == 0) {
        let auc = f64::from(tick) / 100.0;
        let at = x(auc);
        lines.push(format!(r#"<line class="grid" x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{bottom}"/>"#));
        let below = bottom + 18.0;
        lines.push(format!(
            r#"<text class="soft" x="{at:.1}" y="{below}" text-anchor="middle">{auc:.2}</text>"#
        ));
    }
    let below = bottom + 36.0;
    let middle = (LEFT + RIGHT) / 2.0;
    lines.push(format!(
        r#"<text class="soft" x="{middle}" y="{below}" text-anchor="middle">ROC-AUC on the test rows</text>"#
    ));
    let mut before = None;
    for (position, run) in runs.iter().enumerate() {
        let place = (run.table.name, run.split.column());
        lines.push(row(run, TOP + ROW * (position as f64 + 0.5), before != Some(place), &x));
        before = Some(place);
    }
    lines.push("</svg>\n".to_owned());
    lines.join("\n")
}

/// Programs side by side that were measured on the same rows.
fn by_place(runs: &[Run]) -> Vec<&Run> {
    let gates = || runs.iter().filter(|run| run.table.gate);
    let mut places = Vec::new();
    for run in gates() {
        let place = (run.table.name, run.split.column());
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let at = |place| gates().filter(move |run| (run.table.name, run.split.column()) == place);
    places.into_iter().flat_map(at).collect()
}

/// One row; the first of a place has a line above it and says which table and split.
fn row(run: &Run, y: f64, first: bool, x: &impl Fn(f64) -> f64) -> String {
    let mut parts = Vec::new();
    let text = y + 4.5;
    if first {
        let above = y - ROW / 2.0;
        parts.push(format!(r#"<line class="grid" x1="12" y1="{above}" x2="{RIGHT}" y2="{above}"/>"#));
        let place = format!("{}, {}", run.table.name, run.split.column());
        parts.push(format!(r#"<text class="text" x="12" y="{text}">{place}</text>"#));
    }
    let name = LEFT - 14.0;
    parts.push(format!(
        r#"<text class="soft" x="{name}" y="{text}" text-anchor="end">{}</text>"#,
        run.program.short
    ));
    let measured = &run.measured;
    let [federated, pooled, alone] =
        [measured.federated.auc, measured.pooled.auc, measured.alone.auc].map(|auc| (x(auc), auc));
    let span = [alone.0, federated.0];
    parts.push(format!(r#"<line class="gain" x1="{:.1}" y1="{y}" x2="{:.1}" y2="{y}"/>"#, span[0], span[1]));
    parts.push(mark_alone(alone.0, y, &format!("alone, mean {:.4}", alone.1)));
    parts.push(mark_federated(federated.0, y, &format!("federated {:.4}", federated.1)));
    parts.push(mark_pooled(pooled.0, y, &format!("pooled {:.4}", pooled.1)));
    parts.join("\n")
}

fn legend() -> String {
    let y = 50.0;
    let entry = |at: f64, mark: String, label: &str| {
        format!(r#"{mark}<text class="text" x="{}" y="{}">{label}</text>"#, at + 12.0, y + 4.5)
    };
    [
        entry(LEFT, mark_federated(LEFT, y, "federated"), "federated, encrypted"),
        entry(LEFT + 175.0, mark_pooled(LEFT + 175.0, y, "pooled"), "all rows in one place"),
        entry(LEFT + 350.0, mark_alone(LEFT + 350.0, y, "alone"), "alone, mean"),
    ]
    .join("\n")
}

fn mark_federated(x: f64, y: f64, title: &str) -> String {
    format!(r#"<circle class="federated" cx="{x:.1}" cy="{y}" r="5"><title>{title}</title></circle>"#)
}

fn mark_alone(x: f64, y: f64, title: &str) -> String {
    format!(r#"<circle class="alone" cx="{x:.1}" cy="{y}" r="4.5"><title>{title}</title></circle>"#)
}

/// A stroke, so that a dot on it stays visible.
fn mark_pooled(x: f64, y: f64, title: &str) -> String {
    let (above, below) = (y - 9.0, y + 9.0);
    format!(
        r#"<line class="pooled" x1="{x:.1}" y1="{above}" x2="{x:.1}" y2="{below}"><title>{title}</title></line>"#
    )
}

const WIDTH: f64 = 820.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 72.0;
const ROW: f64 = 26.0;

const HEAD: &str = r##"<title id="t">AUC of the federation, of pooled training and of institutions alone</title>
<desc id="d">A row for each table, split and program. Filled dot: the federation. Stroke: all rows in one place.
Hollow dot: institutions alone, the mean. The figures are in the tables of quality.md.</desc>
<style>
  .text { fill: #1f2328; } .soft { fill: #57606a; }
  .back { fill: #ffffff; } .grid { stroke: #d8dee4; }
  .federated { fill: #0969da; } .pooled { stroke: #1f2328; stroke-width: 2; }
  .alone { fill: #ffffff; stroke: #bc4c00; stroke-width: 2; } .gain { stroke: #54aeff; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .text { fill: #e6edf3; } .soft { fill: #9ea7b3; }
    .back { fill: #0d1117; } .grid { stroke: #30363d; }
    .federated { fill: #58a6ff; } .pooled { stroke: #e6edf3; }
    .alone { fill: #0d1117; stroke: #fb8f44; } .gain { stroke: #1f6feb; }
  }
</style>
<rect class="back" width="100%" height="100%"/>
<text class="text" x="12" y="26" font-size="15" font-weight="600">What a federation reaches, and what it is worth</text>"##;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::catalogue::{Split, TABLES};
    use crate::quality::measure::fixture::{FED_AVG, NEWTON, run};

    #[test]
    fn programs_on_the_same_rows_are_neighbours_under_one_label() {
        let runs = [
            run(NEWTON, Split::Site),
            run(NEWTON, Split::SiteSkew),
            run(FED_AVG, Split::Site),
            run(FED_AVG, Split::SiteSkew),
        ];
        let svg = plot(&runs);
        assert_eq!(svg.matches("bank_marketing, site<").count(), 1);
        assert_eq!(svg.matches("bank_marketing, site_skew<").count(), 1);
        let names: Vec<&str> = by_place(&runs).iter().map(|run| run.program.short).collect();
        assert_eq!(names, ["newton", "fed-avg", "newton", "fed-avg"]);
    }

    #[test]
    fn a_better_model_lies_further_to_the_right_and_inside() {
        let mut good = run(NEWTON, Split::Site);
        good.measured.federated.auc = 0.7999;
        let svg = plot(&[good]);
        let at = |class: &str| -> f64 {
            let last = svg.rsplit(&format!(r#"class="{class}" cx=""#)).next().unwrap();
            last.split('"').next().unwrap().parse().unwrap()
        };
        assert!(LEFT < at("alone") && at("alone") < at("federated") && at("federated") < RIGHT);
    }

    #[test]
    fn a_table_that_is_only_reported_is_not_drawn() {
        let mut small = run(NEWTON, Split::Site);
        small.table = TABLES.iter().find(|table| !table.gate).unwrap();
        assert_eq!(by_place(&[small]).len(), 0);
    }
}
