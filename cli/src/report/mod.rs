//! `report.html`: what ran, how good it is, who took part, and what was and was not protected, on one page
//! that a compliance reviewer can read, print and file. It loads nothing and runs nothing.

pub(crate) mod chart;
pub(crate) mod detail;
pub(crate) mod drift;
mod groups;
pub(crate) mod job_text;
mod participation;
mod scorecard;
pub(crate) mod statistics;
mod weights;

use askama::Template;
use syndic_learning::trees::Importance;
use syndic_learning::{Fit, ScorecardTable};
use syndic_round::Protection;

use crate::carried;
use crate::history::History;
use crate::result::{RunResult, Scores};
use crate::table::compared;
use crate::words::{bytes, counted, listed, seconds, thousands};
use chart::{Chart, GridRow};
pub use job_text::JobText;
use participation::Stretch;
use weights::Weight;

/// Everything the report is made of.
pub struct ReportData {
    /// The result of the run.
    pub result: RunResult,
    /// Everything that was told while it ran.
    pub history: History,
    /// What the job file says, for people.
    pub job: JobText,
    /// What is known of the model's weights, where its solver knows more than their values.
    pub fit: Option<Fit>,
    /// What each column did, where the model is trees.
    pub importance: Vec<Importance>,
    /// The points table, where the model is a scorecard.
    pub scorecard: Option<ScorecardTable>,
    /// When it was made: UTC, for instance `2026-08-01 12:00 UTC`.
    pub made_at: String,
    /// Version of the software.
    pub version: String,
    /// The command that verifies the ledger, from where the run was started.
    pub verify: String,
}

/// Makes the page.
pub fn render(data: &ReportData) -> String {
    Page::of(data).render().expect("rendering to a string cannot fail")
}

/// A row of the table of figures.
struct Row {
    class: &'static str,
    label: String,
    training_rows: String,
    scores: Scores,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    data: &'a ReportData,
    result: &'a RunResult,
    summary: String,
    chart: Option<Chart>,
    rows: Vec<Row>,
    grid: Vec<GridRow>,
    grid_rounds: usize,
    stretches: Vec<Stretch>,
    abandoned: Vec<String>,
    colluders: u32,
    neighbours: Vec<String>,
    unchecked: Option<String>,
    weights: Vec<Weight>,
    importance: Vec<ImportanceRow>,
    scorecard: Option<scorecard::Scorecard>,
    fairness: Option<groups::Fairness>,
    drift: Option<drift::Drift>,
    measured: Option<detail::Measured>,
    unchecked_rounds: Vec<String>,
    gain: Option<String>,
    gap: String,
}

impl<'a> Page<'a> {
    fn of(data: &'a ReportData) -> Self {
        let (result, history) = (&data.result, &data.history);
        let rounds = history.training_rounds();
        let metrics = &result.metrics;
        let gain = metrics.alone_mean().map(|mean| signed(metrics.federated.roc_auc - mean.roc_auc));
        let grid = if result.participants.len() <= GRID_ROWS && rounds.len() <= GRID_COLUMNS {
            chart::grid(history, &result.participants)
        } else {
            Vec::new()
        };
        let stretches = participation::stretches(history);
        let unchecked = stretches.iter().filter(|stretch| !stretch.checked);
        let unchecked_rounds = unchecked.map(|stretch| stretch.rounds.clone()).collect();
        let most = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
        let (cohort, threshold) = (most(result.protection.cohort), most(result.protection.threshold));
        Self {
            data,
            result,
            summary: summary(result),
            chart: Chart::of(&rounds, result.rounds.released, metrics),
            rows: rows(result),
            grid_rounds: rounds.len(),
            grid,
            stretches,
            abandoned: participation::abandoned(history),
            colluders: u32::from(Protection::largest_colluding(cohort, threshold)),
            neighbours: participation::neighbours(&rounds),
            unchecked: carried::unchecked(&result.rounds),
            weights: weights::table(data.fit.as_ref()),
            importance: importance(&data.importance),
            scorecard: data.scorecard.as_ref().map(scorecard::Scorecard::of),
            fairness: result.fairness.as_ref().and_then(groups::Fairness::of),
            drift: result.drift.as_ref().and_then(|drift| drift.federated.as_ref()).map(drift::Drift::of),
            measured: metrics.detail.as_ref().map(detail::Measured::of),
            unchecked_rounds,
            gain,
            gap: signed(metrics.federated.roc_auc - metrics.pooled.roc_auc),
        }
    }

    fn bytes(&self, count: &u64) -> String {
        bytes(*count)
    }

    fn thousands(&self, number: &u64) -> String {
        thousands(*number)
    }

    fn seconds(&self, duration: &f64) -> String {
        seconds(*duration)
    }

    fn listed(&self, names: &[String]) -> String {
        listed(names)
    }

    fn named(&self, kinds: &[String]) -> String {
        carried::named(kinds)
    }

    /// The same at the beginning of a sentence.
    fn capitalised(&self, kinds: &[String]) -> String {
        let named = carried::named(kinds);
        let (first, rest) = named.split_at(named.len().min(1));
        first.to_uppercase() + rest
    }

    fn shares_updates(&self) -> bool {
        carried::shares_updates(&self.result.protection)
    }

    fn figure(&self, figure: &f64) -> String {
        format!("{figure:.4}")
    }
}

/// What a column did, as text.
struct ImportanceRow {
    column: String,
    share: String,
    splits: String,
    /// Of the bar, in percent of the widest.
    width: f64,
}

/// The columns by their share of all gains, the largest first; those that no split uses are left out.
fn importance(of: &[Importance]) -> Vec<ImportanceRow> {
    let total: f64 = of.iter().map(|column| column.gain).sum();
    let mut used: Vec<&Importance> = of.iter().filter(|column| column.splits > 0).collect();
    used.sort_by(|a, b| b.gain.total_cmp(&a.gain));
    let most = used.first().map_or(1.0, |column| column.gain).max(f64::MIN_POSITIVE);
    let row = |column: &&Importance| ImportanceRow {
        column: column.column.clone(),
        share: format!("{:.1} %", 100.0 * column.gain / total.max(f64::MIN_POSITIVE)),
        splits: thousands(column.splits),
        width: (100.0 * column.gain / most).clamp(0.0, 100.0),
    };
    used.iter().map(row).collect()
}

fn summary(result: &RunResult) -> String {
    let metrics = &result.metrics;
    let institutions = counted(result.participants.len(), "institution", "institutions");
    let mut text = format!(
        "{institutions} trained one model together in {} without showing their rows or their individual updates to \
         anybody. On {} test rows it reaches a ROC-AUC of {:.4}",
        counted(result.rounds.completed as usize, "round", "rounds"),
        thousands(result.data.test_rows),
        metrics.federated.roc_auc,
    );
    if let Some(mean) = metrics.alone_mean() {
        text += &format!(
            ": {} than the institutions reach alone on average{} ({:.4})",
            compared(metrics.federated.roc_auc - mean.roc_auc),
            result.without_noise(),
            mean.roc_auc
        );
    }
    let pooled = metrics.pooled.roc_auc;
    text + &format!(
        ", and {} than the same model trained on all rows in one place{} ({pooled:.4}).",
        compared(metrics.federated.roc_auc - pooled),
        result.without_noise()
    )
}

fn rows(result: &RunResult) -> Vec<Row> {
    let metrics = &result.metrics;
    let all: u64 = result.data.training_rows.values().sum();
    let mut rows = vec![Row {
        class: "federated",
        label: carried::label(&result.protection).replacen('f', "F", 1),
        training_rows: thousands(all),
        scores: metrics.federated,
    }];
    rows.extend(metrics.alone_mean().map(|scores| Row {
        class: "alone",
        label: format!("Alone, mean of {}{}", metrics.alone.len(), result.without_noise()),
        training_rows: String::new(),
        scores,
    }));
    rows.extend(metrics.alone.iter().map(|(name, scores)| Row {
        class: "single",
        label: format!("{name} alone"),
        training_rows: result.data.training_rows.get(name).map_or_else(String::new, |rows| thousands(*rows)),
        scores: *scores,
    }));
    rows.push(Row {
        class: "pooled",
        label: format!("All rows in one place{} (comparison only)", result.without_noise()),
        training_rows: thousands(all),
        scores: metrics.pooled,
    });
    rows
}

fn signed(difference: f64) -> String {
    // No minus sign before a zero.
    let rounded = (difference * 1e4).round() / 1e4 + 0.0;
    format!("{rounded:+.4}").replace('-', "−")
}

/// The grid is drawn up to this size; beyond, the table says it in words.
const GRID_ROWS: usize = 64;
const GRID_COLUMNS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording;
    use crate::result::example;

    fn data() -> ReportData {
        let mut history = History::default();
        recording::events(20).iter().for_each(|event| history.apply(event));
        ReportData {
            result: example::result(),
            history,
            job: JobText {
                purpose: "Whom to call about a term deposit <script>alert(1)</script>".into(),
                facts: vec![("Program".into(), "logistic-regression, fed-avg".into())],
                citation: Some("Moro, S., Rita, P., Cortez, P. (2012). Bank Marketing.".into()),
                sensitive: vec!["age".into(), "marital".into()],
            },
            fit: None,
            importance: Vec::new(),
            scorecard: None,
            made_at: "2026-08-01 12:00 UTC".into(),
            version: "0.1.0".into(),
            verify: "syndic ledger verify syndic-demo/ledger".into(),
        }
    }

    #[test]
    fn columns_of_trees_are_told_by_their_share_of_the_gains() {
        let column = |name: &str, gain: f64, splits: u64| Importance { column: name.into(), gain, splits };
        let importance = vec![column("age", 1.0, 4), column("job", 0.0, 0), column("debt", 3.0, 2_000)];
        let page = render(&ReportData { importance, ..data() });
        let [debt, age] = ["<td>debt</td>", "<td>age</td>"].map(|cell| page.find(cell).unwrap());
        assert!(
            debt < age && page.contains("75.0 %") && page.contains("2,000") && !page.contains("<td>job</td>")
        );
        assert!(!render(&data()).contains("What the trees split by"));
    }

    #[test]
    fn warnings_of_the_result_are_on_the_page() {
        let mut result = example::result();
        result.warnings = vec!["12 values were clipped".into()];
        assert!(
            render(&ReportData { result, ..data() })
                .contains("<strong>Warning:</strong> 12 values were clipped.")
        );
        assert!(!render(&data()).contains("Warning:"));
    }

    #[test]
    fn coefficients_of_a_scorecard_are_explained_as_such() {
        let table = syndic_learning::ScorecardTable {
            points: syndic_learning::scorecard::PointsScale::default(),
            intercept: -1.0,
            columns: Vec::new(),
        };
        let inferred = syndic_learning::Inferred {
            input: "age".into(),
            coefficient: -0.5,
            per_unit: -0.9,
            zero: None,
            standard_error: Some(0.1),
            z: Some(-5.0),
            p: Some(1e-6),
            vif: Some(1.2),
        };
        let fit = Fit { converged: true, rows: 9, log_loss: 0.5, inference: Some(vec![inferred]) };
        let told = |scorecard| render(&ReportData { fit: Some(fit.clone()), scorecard, ..data() });
        let (of_scorecard, of_inputs) = (told(Some(table)), told(None));
        assert!(of_scorecard.contains("one standard deviation of the column's weight of evidence"));
        assert!(!of_scorecard.contains("compared with the first level"));
        assert!(
            of_inputs.contains("compared with the first level") && !of_inputs.contains("weight of evidence")
        );
    }

    #[test]
    fn the_page_runs_nothing_and_loads_nothing() {
        let page = render(&data());
        for forbidden in ["<script", "http:", "https:", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn text_from_a_job_is_text_and_never_markup() {
        assert!(render(&data()).contains("&#60;script&#62;"));
    }

    #[test]
    fn it_answers_what_a_reviewer_asks() {
        let page = render(&data());
        let answers = [
            "5 institutions trained one model together in 20 rounds",
            "0.0168 better than the institutions reach alone",
            "bank_online",
            "no update before the deadline",
            "not been reviewed by an outside cryptographer",
            "no differential privacy",
            "on one machine",
            "syndic ledger verify syndic-demo/ledger",
            "Moro, S.",
            "57.0 kB in a round of 0.28 s, training and evaluation together",
            "1.17 MB in the whole job of 9.10 s",
        ];
        for answer in answers {
            assert!(page.contains(answer), "{answer}");
        }
        assert!(page.contains(&data().result.ledger.root));
        // A curve, and bars for each of three bands of probability.
        assert_eq!(page.matches("<svg").count(), 1 + 3);
        assert!(page.contains("Gini 0.5342, KS 0.4087, lift of the highest tenth 3.81"), "{page}");
    }

    #[test]
    fn it_says_of_shared_vectors_what_happened_to_them() {
        let mut history = History::default();
        recording::shared_events(20).iter().for_each(|event| history.apply(event));
        let page = render(&ReportData { result: example::shared(), history, ..data() });
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = [
            "Federated, from shares",
            "Statistics and model updates were cut into secret shares",
            "Score histograms were encrypted at their institution",
            "5.40 kB of sealed shares from each institution, and no ciphertext",
            "3 of 21 sums of shared vectors unchecked",
            "Here: Training 2.",
            "sent only secret shares and encrypted vectors",
            "Encryption of score histograms",
            "4 of 5, unchecked",
        ];
        for text in told {
            assert!(page.contains(text), "{text}");
        }
        for untrue in ["sent only encrypted updates", "bytes for each of", "ns a parameter"] {
            assert!(!page.contains(untrue), "{untrue}");
        }
        let encrypted = render(&data());
        assert!(!encrypted.contains("unchecked") && !encrypted.contains("secret shares"));
    }

    #[test]
    fn differences_have_a_sign_and_no_negative_zero() {
        assert_eq!([0.0168, -0.0017, -0.00001].map(signed), ["+0.0168", "−0.0017", "+0.0000"]);
    }
}
