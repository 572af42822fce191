//! How released models did on the same rows, as the entry with which a job ends that compared them.

use serde_json::{Value, json};
use syndic_learning::ComparisonFigures;
use syndic_round::JobId;

use super::job_subject;
use crate::engine::Attendance;

/// The end of a job that compared released models.
#[derive(Clone, Debug, PartialEq)]
pub struct JobCompared {
    /// The job.
    pub job: JobId,
    /// What was found, to nine decimals: a ledger holds no floating-point numbers.
    pub comparison: ComparisonFigures,
    /// Who is in its sum, and who is not.
    pub attendance: Attendance,
}

impl JobCompared {
    /// What is recorded of a comparison. It is rounded here as the entry has it, so that all that follows is the same whether it was
    /// found now or read again.
    pub fn of(job: &JobId, found: &ComparisonFigures, attendance: Attendance) -> Self {
        let recorded = ComparisonFigures::from_data(&found.to_data());
        Self { job: job.clone(), comparison: recorded.unwrap_or_else(|| found.clone()), attendance }
    }

    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { job, comparison, attendance } = self;
        let data =
            json!({ "job": job, "comparison": comparison.to_data(), "attendance": attendance.to_json() });
        (COMPLETED, Some(job_subject(job)), data)
    }

    /// What the data of an entry of type [`COMPLETED`] says, if it is of such a job.
    pub(super) fn read(data: &Value) -> Option<Self> {
        Some(Self {
            job: JobId::new(data.get("job")?.as_str()?)?,
            comparison: ComparisonFigures::from_data(data.get("comparison")?)?,
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
        assert_eq!(read.comparison.models[1].differences["roc_auc"], 0.01);
        let mut garbled = data;
        garbled["comparison"]["models"][1]["log_loss_error"] = "none".into();
        assert_eq!(JobCompared::read(&garbled), None);
    }
}
