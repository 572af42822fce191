//! The entries with which a job ends that came to something: a model, or a description of rows.

use serde_json::{Value, json};
use syndic_learning::StatisticsFigures;
use syndic_learning::promotion::Figures;
use syndic_round::{Digest, JobId};

use super::compared::COMPLETED;
use super::job_subject;
use crate::engine::Attendance;

/// The end of a job that described rows. Its figures are in a document of their own, as those of many columns are longer than an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDescribed {
    /// The job.
    pub job: JobId,
    /// SHA-256 of the document, byte for byte.
    pub document: Digest,
    /// Rows of all institutions together; with noise as far as it lets them be seen.
    pub rows: i64,
    /// How many columns are described.
    pub columns: u64,
    /// Whether every figure has noise.
    pub noise: bool,
    /// Who is in its sum, and who is not.
    pub attendance: Attendance,
}

impl JobDescribed {
    /// What is recorded of a document with these figures.
    pub fn of(job: &JobId, document: &[u8], figures: &StatisticsFigures, attendance: Attendance) -> Self {
        Self {
            job: job.clone(),
            document: Digest::of(document),
            rows: figures.rows,
            columns: figures.columns.len() as u64,
            noise: figures.noise.is_some(),
            attendance,
        }
    }

    pub(super) fn parts(&self) -> (&'static str, Option<String>, Value) {
        let Self { job, document, rows, columns, noise, attendance } = self;
        let statistics =
            json!({ "document": document.to_string(), "rows": rows, "columns": columns, "noise": noise });
        let data = json!({ "job": job, "statistics": statistics, "attendance": attendance.to_json() });
        (COMPLETED, Some(job_subject(job)), data)
    }

    /// What the data of an entry of type [`COMPLETED`] says, if it is of such a job.
    pub(super) fn read(data: &Value) -> Option<Self> {
        let statistics = data.get("statistics")?;
        Some(Self {
            job: JobId::new(data.get("job")?.as_str()?)?,
            document: Digest::from_hex(statistics.get("document")?.as_str()?)?,
            rows: statistics.get("rows")?.as_i64()?,
            columns: statistics.get("columns")?.as_u64()?,
            noise: statistics.get("noise")?.as_bool()?,
            attendance: Attendance::from_json(data.get("attendance")?)?,
        })
    }
}

/// The same of a job that releases a model.
pub(super) fn completed(
    job: &JobId,
    (released_round, model): (u32, &Digest),
    (attendance, figures): (Option<&Attendance>, Option<&Figures>),
) -> (&'static str, Option<String>, Value) {
    let mut data = json!({ "job": job, "released_round": released_round, "model": model.to_string() });
    if let Some(attendance) = attendance {
        data["attendance"] = attendance.to_json();
    }
    if let Some(figures) = figures {
        data["figures"] = json!(figures);
    }
    (COMPLETED, Some(job_subject(job)), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_description_is_read_as_it_was_written_and_names_its_document() {
        let data = json!({
            "job": "describe",
            "statistics": { "document": "ab".repeat(32), "rows": -3, "columns": 23, "noise": true },
            "attendance": { "sums": 1, "training_sums": 0, "missing": [] },
        });
        let read = JobDescribed::read(&data).unwrap();
        let (kind, subject, written) = read.parts();
        assert_eq!((kind, subject.as_deref()), ("syndic.job.completed", Some("job/describe")));
        assert_eq!(written, data);
        let mut garbled = data;
        garbled["statistics"]["document"] = "none".into();
        assert_eq!(JobDescribed::read(&garbled), None);
    }
}
