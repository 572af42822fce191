//! How far test rows are from those that a model was trained on, as an entry.

use serde_json::{Map, Value, json};
use syndic_learning::{DriftFigures, DriftRecord};
use syndic_round::{Digest, JobId};

use super::job_subject;

/// The figures that a job's sums came to, in the decimal text of the ledger, which holds no floating-point numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDrift {
    /// The job.
    pub job: JobId,
    /// The released model, of a job that compares rows with those that one was trained on; none where the job released it itself.
    pub model: Option<Digest>,
    /// Rows that the model was trained on, and rows that are compared with them.
    pub rows: [u64; 2],
    /// Thresholds: above `watch_psi` a shift is marked, above `max_psi` or `max_ks` it is drift.
    pub thresholds: Map<String, Value>,
    /// Of the scores: `psi`, `ks` and `standing`.
    pub score: Value,
    /// The same by column.
    pub columns: Map<String, Value>,
    /// What has drifted, the most first: columns, and `score`.
    pub drifted: Vec<String>,
}

impl JobDrift {
    /// What is recorded of a comparison with the training rows of a released model, beside the end of its job.
    pub fn of_released(job: &JobId, record: &DriftRecord) -> Self {
        Self { model: Some(record.model), ..Self::of(job, record.figures()) }
    }

    /// What is recorded of `figures`.
    pub fn of(job: &JobId, figures: &DriftFigures) -> Self {
        let text = |value: Option<f64>| value.map(|value| format!("{value:.9}"));
        let shift = |shift: &syndic_learning::Shift| json!({ "psi": text(shift.psi), "ks": text(shift.ks), "standing": shift.standing });
        let thresholds = [
            ("watch_psi", Some(figures.watch_psi)),
            ("max_psi", Some(figures.max_psi)),
            ("max_ks", figures.max_ks),
        ];
        Self {
            job: job.clone(),
            model: None,
            rows: [figures.reference_rows, figures.current_rows],
            thresholds: thresholds
                .map(|(name, value)| (name.to_owned(), json!(text(value))))
                .into_iter()
                .collect(),
            score: shift(&figures.score),
            columns: figures.columns.iter().map(|column| (column.name.clone(), shift(column))).collect(),
            drifted: figures.drifted().into_iter().map(|shift| shift.name.clone()).collect(),
        }
    }

    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { job, model, rows: [reference, current], thresholds, score, columns, drifted } = self;
        let mut data = json!({
            "job": job,
            "reference_rows": reference,
            "current_rows": current,
            "thresholds": thresholds,
            "score": score,
            "columns": columns,
            "drifted": drifted,
        });
        if let Some(model) = model {
            data["model"] = json!(model.to_string());
        }
        (DRIFT, Some(job_subject(job)), data)
    }

    pub(super) fn read(data: &Value) -> Option<Self> {
        let rows = |key: &str| data.get(key)?.as_u64();
        let object = |key: &str| data.get(key)?.as_object().cloned();
        Some(Self {
            job: JobId::new(data.get("job")?.as_str()?)?,
            model: match data.get("model") {
                None => None,
                Some(model) => Some(Digest::from_hex(model.as_str()?)?),
            },
            rows: [rows("reference_rows")?, rows("current_rows")?],
            thresholds: object("thresholds")?,
            score: data.get("score")?.clone(),
            columns: object("columns")?,
            drifted: serde_json::from_value(data.get("drifted")?.clone()).ok()?,
        })
    }
}

pub(super) const DRIFT: &str = "syndic.job.drift";

#[cfg(test)]
mod tests {
    use super::*;
    use syndic_learning::Shift;

    #[test]
    fn an_entry_is_read_as_it_was_written_and_names_what_has_drifted() {
        let shift = |name: &str, standing: &str, psi: f64| -> Shift {
            let text = json!({
                "name": name, "standing": standing, "psi": psi, "psi_by_chance": 0.01, "ks": null, "bins": [],
            });
            serde_json::from_value(text).unwrap()
        };
        let figures = DriftFigures {
            watch_psi: 0.1,
            max_psi: 0.25,
            max_ks: None,
            min_rows: 50,
            reference_rows: 900,
            current_rows: 100,
            score: shift("score", "watch", 0.2),
            columns: vec![shift("age", "drifted", 0.3), shift("job", "drifted", 1.5)],
        };
        let fact = JobDrift::of(&JobId::new("small").unwrap(), &figures);
        let (kind, subject, data) = fact.parts();
        assert_eq!((kind, subject.as_deref()), ("syndic.job.drift", Some("job/small")));
        assert_eq!(data["drifted"], json!(["job", "age"]));
        assert_eq!(
            data["columns"]["age"],
            json!({ "psi": "0.300000000", "ks": null, "standing": "drifted" })
        );
        assert_eq!(data["thresholds"]["max_ks"], Value::Null);
        assert_eq!(data.get("model"), None, "the job's own model is the one that it releases");
        let of_another = JobDrift { model: Some(Digest::of(b"model")), ..fact.clone() };
        let (.., told) = of_another.parts();
        assert_eq!(
            (told["model"].as_str().map(str::len), JobDrift::read(&told)),
            (Some(64), Some(of_another))
        );
        assert_eq!(JobDrift::read(&data), Some(fact));
        assert_eq!(JobDrift::read(&json!({ "job": "small" })), None);
    }
}
