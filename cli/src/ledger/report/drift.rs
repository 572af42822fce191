//! How far test rows are from training rows, as the job's entry has it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// How far test rows are from training rows.
#[derive(Debug, Serialize)]
pub struct DriftFacts {
    /// The place of the entry that says so.
    pub index: u64,
    /// SHA-256 of the released model that rows are compared with; null where the job released it itself.
    pub model: Option<String>,
    /// Rows that the model was trained on.
    pub reference_rows: u64,
    /// Rows that are compared with them.
    pub current_rows: u64,
    /// The thresholds by name, as decimal text; null where there is none.
    pub thresholds: BTreeMap<String, Option<String>>,
    /// Of the scores.
    pub score: ShiftFacts,
    /// By column.
    pub columns: BTreeMap<String, ShiftFacts>,
    /// What has drifted, the most first: columns, and `score`.
    pub drifted: Vec<String>,
}

/// How far a column, or the scores, are from where they were; figures as decimal text, null where there is none.
#[derive(Debug, Serialize)]
pub struct ShiftFacts {
    /// Population stability index.
    pub psi: Option<String>,
    /// Kolmogorov-Smirnov statistic.
    pub ks: Option<String>,
    /// `stable`, `watch` or `drifted`.
    pub standing: Option<String>,
}

impl DriftFacts {
    /// What an entry says.
    pub(super) fn read(index: u64, data: &Value) -> Self {
        let count = |key: &str| data[key].as_u64().unwrap_or_default();
        let named = |key: &str| data[key].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().map(String::from);
        Self {
            index,
            model: text(&data["model"]),
            reference_rows: count("reference_rows"),
            current_rows: count("current_rows"),
            thresholds: named("thresholds").map(|(name, value)| (name.clone(), text(value))).collect(),
            score: ShiftFacts::read(&data["score"]),
            columns: named("columns").map(|(name, value)| (name.clone(), ShiftFacts::read(value))).collect(),
            drifted: data["drifted"].as_array().into_iter().flatten().filter_map(text).collect(),
        }
    }

    /// The scores, then the columns, those that shifted most before the others.
    pub(super) fn rows(&self) -> Vec<(&str, &ShiftFacts)> {
        let mut columns: Vec<(&str, &ShiftFacts)> =
            self.columns.iter().map(|(name, shift)| (name.as_str(), shift)).collect();
        columns.sort_by(|a, b| b.1.value().total_cmp(&a.1.value()));
        [("scores", &self.score)].into_iter().chain(columns).collect()
    }
}

impl ShiftFacts {
    fn read(data: &Value) -> Self {
        let text = |key: &str| data[key].as_str().map(String::from);
        Self { psi: text("psi"), ks: text("ks"), standing: text("standing") }
    }

    fn value(&self) -> f64 {
        let figure = self.psi.as_deref().or(self.ks.as_deref());
        figure.and_then(|figure| figure.parse().ok()).unwrap_or(0.0)
    }

    /// PSI, KS and standing for people.
    pub(super) fn cells(&self) -> [String; 3] {
        let figure = |text: &Option<String>| {
            let figure = text.as_deref().and_then(|text| text.parse::<f64>().ok());
            figure.map_or_else(|| "–".into(), |figure| format!("{figure:.3}"))
        };
        let standing = self.standing.clone().unwrap_or_else(|| "not compared".into());
        [figure(&self.psi), figure(&self.ks), standing]
    }

    /// Whether it is more than the job allows.
    pub(super) fn has_drifted(&self) -> bool {
        self.standing.as_deref() == Some("drifted")
    }
}
