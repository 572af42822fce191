//! `syndic-participant models`: what was delivered, verified again.

use serde_json::json;
use syndic_participant::config::Config;
use syndic_participant::enrol::Enrolment;
use syndic_participant::models::{Held, Models, Proved, Undelivered};

use super::{Failure, MODELS, print};

pub(super) fn run(config: &Config, json: bool) -> Result<(), Failure> {
    let enrolment = Enrolment::load(&config.enrolment)?;
    let held = Models::at(config.state.join(MODELS)).held(enrolment.roster())?;
    if held.is_empty() && !json {
        print(NONE)?;
    }
    for one in &held {
        print(&if json { as_json(one) } else { line(one) })?;
    }
    match held.into_iter().find_map(|one| one.proved.err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn line(Held { path, proved }: &Held) -> String {
    let path = path.display();
    match proved {
        Ok(Proved { name, job, stage, entry, model, .. }) => {
            format!(
                "{name:<24} {stage:<10} job {job}  sha256 {model}  by entry {entry}  {path}",
                stage = stage.name()
            )
        }
        Err(error) => format!("DO NOT USE ({}): {path}", error.code()),
    }
}

fn as_json(held: &Held) -> String {
    let path = held.path.display().to_string();
    let told = match &held.proved {
        Ok(Proved { name, job, stage, entry, model, card, .. }) => json!({
            "name": name, "job": job, "stage": stage, "entry": entry, "model": model.to_string(), "card": card.to_string(),
            "path": path, "usable": held.is_usable(), "error": null,
        }),
        Err(error) => {
            json!({ "path": path, "usable": false, "error": { "code": error.code(), "message": error.to_string() } })
        }
    };
    told.to_string()
}

const NONE: &str = "no model was delivered yet: the agent takes every shadow and champion while it is connected, once an approver has \
                    promoted a candidate";

impl From<Undelivered> for Failure {
    fn from(error: Undelivered) -> Self {
        let (help, exit) = match &error {
            Undelivered::Io { .. } => ("check the disk that the state folder is on", 3),
            _ => (
                "do not use this model; remove its folder and start the agent again: it is delivered again where it is still released",
                4,
            ),
        };
        Self { code: error.code().into(), message: error.to_string(), help: help.into(), exit }
    }
}
