//! Scores as CSV or as JSON lines.

use std::io::Write;

use serde::Serialize;

use super::args::{Format, ScoreArgs};
use crate::new_file::Written;
use crate::{Error, Result};

/// What a model says of a row.
#[derive(Clone, Copy)]
pub(super) struct Score {
    pub(super) probability: f64,
    /// Of a scorecard.
    pub(super) points: Option<i64>,
}

/// Where scores are written, one row after the other.
pub(super) struct Output<'a> {
    form: Form<'a>,
    has_points: bool,
}

enum Form<'a> {
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
    /// With the key of what tells rows apart.
    Jsonl(&'a mut dyn Write, &'static str),
}

impl<'a> Output<'a> {
    /// Begins with a header, where the form has one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn new(file: &'a mut dyn Write, args: &ScoreArgs, has_points: bool) -> Result<Self> {
        let form = match args.format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(file);
                let id = args.id.as_deref().unwrap_or("line");
                let header = [id, "probability"].into_iter().chain(has_points.then_some("points"));
                csv.write_record(header).map_err(|error| unwritten(&error))?;
                Form::Csv(Box::new(csv))
            }
            Format::Jsonl => Form::Jsonl(file, if args.id.is_some() { "id" } else { "line" }),
        };
        Ok(Self { form, has_points })
    }

    /// Writes a row; one without a score was refused.
    pub(super) fn row(&mut self, id: &str, score: Option<Score>) -> Written {
        let probability = score.map(|score| score.probability.to_string());
        let points = score.and_then(|score| score.points).map(|points| points.to_string());
        match &mut self.form {
            Form::Csv(csv) => {
                let points = self.has_points.then(|| points.unwrap_or_default());
                let cells = [Some(id.to_owned()), Some(probability.unwrap_or_default()), points];
                csv.write_record(cells.into_iter().flatten()).map_err(std::io::Error::from)?;
            }
            Form::Jsonl(file, key) => {
                #[derive(Serialize)]
                #[serde(untagged)]
                enum Value<'a> {
                    Text(&'a str),
                    Number(u64),
                }
                let name = match (*key, id.parse()) {
                    ("line", Ok(line)) => Value::Number(line),
                    _ => Value::Text(id),
                };
                let name = serde_json::to_string(&name).expect("text serialises");
                let or_null = |number: Option<String>| number.unwrap_or_else(|| "null".into());
                let points = match self.has_points {
                    true => format!(",\"points\":{}", or_null(points)),
                    false => String::new(),
                };
                let probability = or_null(probability);
                writeln!(file, "{{\"{key}\":{name},\"probability\":{probability}{points}}}")?;
            }
        }
        Ok(())
    }

    /// Writes what is held back.
    pub(super) fn finish(&mut self) -> Written {
        match &mut self.form {
            Form::Csv(csv) => Ok(csv.flush()?),
            Form::Jsonl(file, _) => Ok(file.flush()?),
        }
    }
}

fn unwritten(error: &csv::Error) -> Error {
    Error::world("output.unwritable", format!("the scores cannot be written: {error}"))
}
