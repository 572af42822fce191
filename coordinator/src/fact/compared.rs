//! What a job found that trained nothing, as the entry with which it ends: how released models did on the same rows, or how far
//! rows are from those that one of them was trained on.

use serde_json::{Value, json};
use syndic_learning::Findings;
use syndic_round::JobId;

use super::job_subject;
use crate::engine::Attendance;

/// The end of a job that trained nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct JobCompared {
    /// The job.
    pub job: JobId,
    /// What was found, to nine decimals: a ledger holds no floating-point numbers.
    pub found: Findings,
    /// Who is in its sum, and who is not.
    pub attendance: Attendance,
}

impl JobCompared {
    /// What is recorded of findings. They are rounded here as the entry has them, so that all that follows is the same whether they
    /// were made now or read again.
    pub fn of(job: &JobId, found: &Findings, attendance: Attendance) -> Self {
        let (key, told) = found.to_data();
        let recorded = Findings::from_data(&json!({ key: told }));
        Self { job: job.clone(), found: recorded.unwrap_or_else(|| found.clone()), attendance }
    }

    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { job, found, attendance } = self;
        let (key, told) = found.to_data();
        let data = json!({ "job": job, key: told, "attendance": attendance.to_json() });
        (COMPLETED, Some(job_subject(job)), data)
    }

    /// Whether the data of an entry of type [`COMPLETED`] is of such a job.
    pub(super) fn is_in(data: &Value) -> bool {
        Findings::are_in(data)
    }

    /// What the data of an entry of type [`COMPLETED`] says, if it is of such a job.
    pub(super) fn read(data: &Value) -> Option<Self> {
        Some(Self {
            job: JobId::new(data.get("job")?.as_str()?)?,
            found: Findings::from_data(data)?,
            attendance: Attendance::from_json(data.get("attendance")?)?,
        })
    }
}

/// The type of entries with which jobs end that came to something.
pub(super) const COMPLETED: &str = "syndic.job.completed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_comparison_is_read_as_it_was_written_and_is_no_release() {
        let digest = |digit: &str| digit.repeat(64);
        let comparison = json!({
            "rows": "test", "count": 900, "positives": 100,
            "models": [
                { "model": digest("1"), "figures": { "roc_auc": "0.750000000" } },
                { "model": digest("2"), "figures": { "roc_auc": "0.760000000" },
                  "differences": { "roc_auc": "0.010000000" }, "log_loss_error": "0.001000000" },
            ],
        });
        let data = json!({
            "job": "compare", "comparison": comparison,
            "attendance": { "sums": 1, "training_sums": 0, "missing": [] },
        });
        let read = JobCompared::read(&data).unwrap();
        let (kind, subject, written) = read.parts();
        assert_eq!((kind, subject.as_deref()), ("syndic.job.completed", Some("job/compare")));
        assert_eq!(written, data);
        assert_eq!(read.found.models().unwrap().models[1].differences["roc_auc"], 0.01);
        let mut garbled = data;
        garbled["comparison"]["models"][1]["log_loss_error"] = "none".into();
        assert_eq!(JobCompared::read(&garbled), None);
    }

    #[test]
    fn the_end_of_a_comparison_of_rows_is_read_as_it_was_written_and_says_one_thing() {
        let shift = |name: &str| {
            json!({
                "name": name, "psi": "0.300000000", "psi_by_chance": "0.010000000", "ks": null, "standing": "drifted",
                "current": [null, null, 800],
            })
        };
        let drift = json!({
            "model": "1".repeat(64), "rows": "all", "watch_psi": "0.1", "max_psi": "0.25", "max_ks": null, "min_rows": 50,
            "reference_rows": 9000, "current_rows": 900, "score": shift("score"), "columns": [shift("age")],
        });
        let data = json!({
            "job": "look", "drift": drift, "attendance": { "sums": 1, "training_sums": 0, "missing": [] },
        });
        let read = JobCompared::read(&data).unwrap();
        assert_eq!(read.parts().2, data);
        assert!(read.found.rows().unwrap().warning().unwrap().contains("`age` (PSI 0.300)"));
        let mut both = data;
        both["comparison"] = json!({ "rows": "test", "count": 9, "positives": 1, "models": [] });
        assert_eq!(JobCompared::read(&both), None);
    }
}
