//! The report as a page of HTML that loads nothing and runs nothing.

use askama::Template;
use syndic_ledger::Timestamp;

use super::{Measured, Member, Outcome, Report, RoundFacts};
use crate::report::chart::{Chart, Point};
use crate::words::{bytes, counted, listed, plain_lines, seconds, thousands};

/// Makes the page; `verify` is the command that verifies the ledger.
pub fn render(report: &Report, verify: &str) -> String {
    plain_lines(&Page::of(report, verify).render().expect("rendering to a string cannot fail"))
}

#[derive(Template)]
#[template(path = "ledger_report.html")]
struct Page<'a> {
    report: &'a Report,
    verify: &'a str,
    version: &'static str,
    summary: String,
    chart: Option<Chart>,
    shares: bool,
    ring: bool,
}

impl<'a> Page<'a> {
    fn of(report: &'a Report, verify: &'a str) -> Self {
        let carried = |carrier: &str| report.rounds.iter().any(|round| round.carrier == carrier);
        Self {
            report,
            verify,
            version: env!("CARGO_PKG_VERSION"),
            summary: summary(report),
            chart: chart(report),
            shares: carried("shares"),
            ring: carried("ring"),
        }
    }

    fn count(&self, outcome: &str) -> usize {
        self.report.rounds.iter().filter(|round| name(round.outcome) == outcome).count()
    }

    fn outcome(&self, round: &RoundFacts) -> String {
        match &round.reason {
            Some(reason) => format!("abandoned: {reason}"),
            None if round.checked == Some(false) => "closed, unchecked".into(),
            None => name(round.outcome).into(),
        }
    }

    fn round(&self, round: &RoundFacts) -> String {
        let number = match round.attempt {
            1 => round.round.to_string(),
            attempt => format!("{}, attempt {attempt}", round.round),
        };
        match round.training_round {
            Some(training) => {
                let step = round.step.as_ref().map_or_else(String::new, |step| format!(", {step}"));
                format!("{number}: {} {training}{step}", round.kind)
            }
            None => format!("{number}: {}", round.kind),
        }
    }

    /// What was measured of a figure, to four decimals.
    fn figure(&self, measured: &Measured, name: &str) -> String {
        let figure = measured.figures.get(name).cloned().flatten();
        let figure = figure.and_then(|text| text.parse::<f64>().ok());
        figure.map_or_else(|| "none".into(), |figure| format!("{figure:.4}"))
    }

    fn day(&self, time: &Timestamp) -> String {
        let text = time.to_string();
        text.get(..19).unwrap_or(&text).replace('T', " ")
    }

    fn lasted(&self, round: &RoundFacts) -> String {
        let since = |ended: Timestamp| ended.unix_ms().saturating_sub(round.opened.unix_ms());
        let lasted = round.ended.map_or_else(|| "not ended".into(), |ended| in_seconds(since(ended)));
        match round.deadlines {
            Some([before, after]) => format!("{lasted} of {}", in_seconds(before.saturating_add(after))),
            None => lasted,
        }
    }

    fn phases(&self, round: &RoundFacts) -> String {
        let phase = |it: &super::PhaseFacts| {
            format!("{} {} of {}", it.phase, in_seconds(it.millis), in_seconds(it.at_most))
        };
        round.phases.iter().map(phase).collect::<Vec<_>>().join(", ")
    }

    fn missing(&self, round: &RoundFacts) -> String {
        let missing =
            round.missing.iter().map(|missing| format!("{} {}", missing.participant, missing.reason));
        missing.collect::<Vec<_>>().join("; ")
    }

    fn bytes(&self, count: &u64) -> String {
        bytes(*count)
    }

    fn thousands(&self, number: &u64) -> String {
        thousands(*number)
    }

    fn listed(&self, names: &[String]) -> String {
        listed(names)
    }

    fn share(&self, member: &Member) -> String {
        format!("{} of {}", member.sums, member.sums + member.missing)
    }

    fn bits(&self, estimate: &str) -> String {
        let protection = self.report.protection.as_ref();
        let bits = protection.and_then(|protection| protection.security_bits[estimate].as_u64());
        bits.map_or_else(|| "unknown".into(), |bits| bits.to_string())
    }
}

fn in_seconds(millis: u64) -> String {
    seconds(millis as f64 / 1e3)
}

fn summary(report: &Report) -> String {
    let job = &report.job;
    let sums = report.rounds.iter().filter(|round| round.outcome == Outcome::Closed).count();
    let members = counted(report.members.len(), "institution", "institutions");
    let drawn = report.rounds.iter().map(|round| round.admitted.len()).max().unwrap_or(0);
    // Where each round admits some by lot, no sum is of all.
    let whom = match drawn < report.members.len() {
        true => format!("{drawn} of {members} each"),
        false => members,
    };
    let did = format!(
        "{} of {whom} opened, of {}",
        counted(sums, "sum", "sums"),
        counted(report.rounds.len(), "round", "rounds"),
    );
    let end = match (job.outcome, job.released_round, &job.reason) {
        (Outcome::Completed, Some(round), _) => format!("the model of training round {round} was released"),
        (Outcome::Completed, ..) if job.comparison.is_some() => "released models were compared".into(),
        (Outcome::Completed, ..) if job.statistics.is_some() => "the rows were described".into(),
        (Outcome::Completed, ..) if job.drift.as_ref().is_some_and(|drift| drift.model.is_some()) => {
            "rows were compared with those that a released model was trained on".into()
        }
        (Outcome::Completed | Outcome::Closed, ..) => "the job was completed".into(),
        (Outcome::Abandoned, _, Some(reason)) => format!("the job was abandoned: {reason}"),
        (Outcome::Stopped, _, reason) => {
            format!("the job was stopped: {}", reason.as_deref().unwrap_or("no reason is on record"))
        }
        (Outcome::Abandoned, _, None) => "the job was abandoned".into(),
        (Outcome::Open, ..) => "the job has not ended".into(),
    };
    format!("{did}; {end}.")
}

/// What the models reached on test rows, round by round.
fn chart(report: &Report) -> Option<Chart> {
    let tested = report.metrics.iter().filter(|measured| measured.rows == "test");
    let points = tested.filter_map(|measured| {
        let number = u32::try_from(measured.training_round).ok()?;
        let auc = measured.figures.get("roc_auc")?.as_ref()?.parse().ok()?;
        // Whatever else an entry calls so is in the table, and on no scale.
        (0.0..=1.0).contains(&auc).then_some(())?;
        let trained = |round: &&RoundFacts| {
            round.training_round == Some(measured.training_round)
                && round.kind == "train"
                && round.outcome == Outcome::Closed
        };
        let round = report.rounds.iter().find(trained);
        let missing =
            round.map(|round| round.missing.iter().map(|missing| missing.participant.clone()).collect());
        Some(Point { number, auc, missing: missing.unwrap_or_default() })
    });
    let points: Vec<_> = points.filter(|point| point.number > 0).collect();
    let released = report.job.released_round.and_then(|round| u32::try_from(round).ok());
    // A single point is no curve.
    (points.len() > 1).then(|| Chart::through(&points, released, Vec::new())).flatten()
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Stopped => "stopped",
        Outcome::Closed => "closed",
        Outcome::Abandoned => "abandoned",
        Outcome::Open => "open",
    }
}
