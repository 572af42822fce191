//! What the rows of all institutions look like together, on one page: a picture and a table for each column, correlations, and what was
//! shown to whom.

use askama::Template;
use syndic_learning::StatisticsFigures;
use syndic_learning::contract::MISSING_NAME;
use syndic_learning::program::description::figures::{Bin, ColumnFigures, Numbers};

use super::scorecard;
use crate::words::{listed, thousands};

/// What stands on the page beside the figures.
pub(crate) struct About {
    /// The job.
    pub(crate) job: String,
    /// Purpose and facts of the job file, by label; empty where only the document is known.
    pub(crate) facts: Vec<(String, String)>,
    /// What must be said beside the figures.
    pub(crate) warnings: Vec<String>,
    /// When it was made; empty where the page says so nowhere.
    pub(crate) made_at: String,
    /// By whose word the figures are those of the job, or how that is verified.
    pub(crate) verified: String,
}

/// Makes the page.
pub(crate) fn render(figures: &StatisticsFigures, about: &About) -> String {
    Page::of(figures, about).render().expect("rendering to a string cannot fail")
}

#[derive(Template)]
#[template(path = "statistics.html")]
struct Page<'a> {
    about: &'a About,
    figures: &'a StatisticsFigures,
    summary: String,
    columns: Vec<Column>,
    correlations: Option<Heat>,
    noise: Option<String>,
}

struct Column {
    name: String,
    facts: Vec<(String, String)>,
    bars: Vec<Bar>,
    dots: Vec<Dot>,
    rows: Vec<[String; 5]>,
}

/// The rows of one bin.
struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    title: String,
}

/// The share of positives in one bin.
struct Dot {
    x: f64,
    y: f64,
}

/// Correlations, by the names of columns.
struct Heat {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

struct Cell {
    text: String,
    /// How strongly it is coloured.
    strength: f64,
    is_negative: bool,
}

impl<'a> Page<'a> {
    fn of(figures: &'a StatisticsFigures, about: &'a About) -> Self {
        Self {
            about,
            figures,
            summary: summary(figures),
            columns: figures.columns.iter().map(column).collect(),
            correlations: figures.correlations.as_ref().map(|found| Heat {
                columns: found.columns.clone(),
                rows: found
                    .columns
                    .iter()
                    .zip(&found.matrix)
                    .map(|(name, row)| (name.clone(), row.iter().map(|r| cell(*r)).collect()))
                    .collect(),
            }),
            noise: figures.noise.map(|noise| format!("{noise:.1}")),
        }
    }
}

/// Rows and positives, in a sentence.
pub(crate) fn summary(figures: &StatisticsFigures) -> String {
    let positives = match figures.positives {
        Some(positives) => {
            let share = 100.0 * positives as f64 / (figures.rows.max(1)) as f64;
            format!("{} of them positive ({share:.1} %)", count(Some(positives)))
        }
        None => "too few of a class to tell how many are positive".into(),
    };
    format!("{} rows of all institutions together, {positives}", count(Some(figures.rows)))
}

fn column(of: &ColumnFigures) -> Column {
    let mut facts = vec![("Rows with a value".to_owned(), count(of.present))];
    if of.bins.iter().any(|bin| bin.missing) {
        facts.push(("Rows without".into(), count(of.missing)));
    }
    if let Some(numbers) = &of.numbers {
        let after = numbers.transform.map_or("", |_| ", after the transform slog1p");
        facts.push((format!("Mean{after}"), give_or_take(numbers.mean, numbers.mean_deviation)));
        facts.push((format!("Standard deviation{after}"), give_or_take(numbers.sd, numbers.sd_deviation)));
        if let (Some(lowest), Some(highest)) = (numbers.lowest, numbers.highest) {
            facts.push(("From, to".into(), format!("{}, {}", number(lowest), number(highest))));
        }
        let quantiles =
            numbers.quantiles.iter().map(|one| format!("{:.0} %: {}", 100.0 * one.share, maybe(one.value)));
        facts.push(("Quantiles".into(), quantiles.collect::<Vec<_>>().join(", ")));
        if let Some(off) = numbers.rank_deviation {
            let told = format!("by up to {:.1} % of the rows (one standard deviation)", 100.0 * off);
            facts.push(("Noise shifts quantiles".into(), told));
        }
    }
    let information = of.information.map_or_else(|| NONE.into(), |value| format!("{value:.3}"));
    facts.push(("Information value".into(), information));
    let names: Vec<String> = of.bins.iter().map(name).collect();
    let most = of.bins.iter().filter_map(|bin| bin.rows).max().unwrap_or(1).max(1) as f64;
    let steepest = of.bins.iter().filter_map(|bin| bin.rate).fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / of.bins.len().max(1) as f64;
    let (mut bars, mut dots) = (Vec::new(), Vec::new());
    for (place, (bin, name)) in of.bins.iter().zip(&names).enumerate() {
        let height = HEIGHT * bin.rows.unwrap_or(0).max(0) as f64 / most;
        bars.push(Bar {
            x: step * (place as f64 + 0.1),
            y: HEIGHT - height,
            width: 0.8 * step,
            height,
            title: format!("{name}: {} rows", count(bin.rows)),
        });
        dots.extend(
            bin.rate.map(|rate| Dot {
                x: step * (place as f64 + 0.5),
                y: HEIGHT * (1.0 - 0.9 * rate / steepest),
            }),
        );
    }
    let row = |(bin, name): (&Bin, &String)| {
        let rows = bin.rows_deviation.map_or_else(String::new, |off| format!(" ± {off:.0}"));
        let positives =
            bin.rows_deviation.map_or_else(String::new, |off| format!(" ± {:.0}", off / 2.0_f64.sqrt()));
        [
            name.clone(),
            count(bin.rows) + &rows,
            count(bin.positives) + &positives,
            bin.rate.map_or_else(|| NONE.into(), |rate| format!("{:.1} %", 100.0 * rate)),
            bin.woe.map_or_else(|| NONE.into(), |woe| format!("{woe:.3}").replace('-', "−")),
        ]
    };
    let rows = of.bins.iter().zip(&names).map(row).collect();
    Column { name: of.name.clone(), facts, bars, dots, rows }
}

fn cell(r: Option<f64>) -> Cell {
    Cell {
        text: r.map_or_else(|| NONE.into(), |r| format!("{r:.2}").replace('-', "−")),
        strength: r.map_or(0.0, |r| 0.6 * r.abs()),
        is_negative: r.is_some_and(|r| r < 0.0),
    }
}

/// `20 to below 35`, the levels, or `missing`.
pub(crate) fn name(bin: &Bin) -> String {
    match (bin.from, bin.to) {
        _ if bin.missing => MISSING_NAME.into(),
        (Some(from), Some(to)) => format!("{} to {}", number(from), number(to)),
        _ => listed(&bin.levels),
    }
}

/// Rows for people; noise may have made them fewer than none.
pub(crate) fn count(rows: Option<i64>) -> String {
    rows.map_or_else(
        || NONE.into(),
        |rows| {
            let sign = if rows < 0 { "−" } else { "" };
            format!("{sign}{}", thousands(rows.unsigned_abs()))
        },
    )
}

/// A figure that may not be told.
pub(crate) fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.into(), number)
}

/// Six digits that tell.
pub(crate) fn number(value: f64) -> String {
    scorecard::number(value)
}

fn give_or_take(value: f64, deviation: Option<f64>) -> String {
    let off = deviation.map_or_else(String::new, |off| format!(" ± {}", number(off)));
    number(value) + &off
}

/// The number up to which there is this share of the rows.
pub(crate) fn quantile(numbers: Option<&Numbers>, share: f64) -> Option<f64> {
    let mut all = numbers?.quantiles.iter();
    all.find(|one| (one.share - share).abs() < 1e-9)?.value
}

/// Of the picture of one column, as the template draws it.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 110.0;
/// What is not told.
pub(crate) const NONE: &str = "–";
