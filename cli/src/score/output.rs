//! Scores as CSV or as JSON lines.

use std::io::Write;

use serde::Serialize;

use super::args::{Format, ScoreArgs};
use crate::new_file::Written;
use crate::{Error, Result};

/// Where scores are written, one row after the other.
pub(super) struct Output<'a> {
    form: Form<'a>,
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
    pub(super) fn new(file: &'a mut dyn Write, args: &ScoreArgs) -> Result<Self> {
        let form = match args.format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(file);
                let id = args.id.as_deref().unwrap_or("line");
                csv.write_record([id, "probability"]).map_err(|error| unwritten(&error))?;
                Form::Csv(Box::new(csv))
            }
            Format::Jsonl => Form::Jsonl(file, if args.id.is_some() { "id" } else { "line" }),
        };
        Ok(Self { form })
    }

    /// Writes a row; one without a score was refused.
    pub(super) fn row(&mut self, id: &str, score: Option<f64>) -> Written {
        match &mut self.form {
            Form::Csv(csv) => {
                let score = score.map_or_else(String::new, |score| score.to_string());
                csv.write_record([id, &score]).map_err(std::io::Error::from)?;
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
                let score = score.map_or_else(|| "null".into(), |score| score.to_string());
                writeln!(file, "{{\"{key}\":{name},\"probability\":{score}}}")?;
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
