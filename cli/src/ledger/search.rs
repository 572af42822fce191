//! Which entries a reviewer looks for.

use serde_json::Value;
use syndic_ledger::schema::PREFIX;
use syndic_ledger::{Entry, Timestamp};

use super::names::Names;
use super::told::PARTICIPANTS;
use crate::{Error, Result};

/// What entries must be like; whatever is absent is no condition.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    job: Option<String>,
    round: Option<u64>,
    kind: Option<String>,
    participant: Option<u64>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The same as a person says it.
#[derive(Debug, Default, clap::Args)]
pub struct FilterArgs {
    /// Only entries of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only entries of this round, all attempts
    #[arg(long, value_name = "N")]
    pub round: Option<u64>,
    /// Only entries whose type begins so: `round.closed`, or `syndic.job`
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only what this participant said, or that names it a survivor, eligible or wrong; by name or id
    #[arg(long, value_name = "NAME")]
    pub participant: Option<String>,
    /// Only entries from this day or moment on, UTC: 2026-08-01, or 2026-08-01T12:34:56Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only entries up to this day or moment, and including it
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

impl Filter {
    /// The filter that `args` describe, in a ledger whose participants have these names.
    ///
    /// # Errors
    /// A time that is none and a participant that is not there, with exit code 2.
    pub fn of(args: &FilterArgs, names: &Names) -> Result<Self> {
        let moment = |option: &str, text: &Option<String>, rest: [&str; 2]| {
            text.as_deref().map(|text| moment(option, text, rest)).transpose()
        };
        Ok(Self {
            job: args.job.clone(),
            round: args.round,
            kind: args.kind.clone(),
            participant: args.participant.as_deref().map(|wanted| names.id(wanted)).transpose()?,
            since: moment("--since", &args.since, ["T00:00:00", ".000Z"])?,
            until: moment("--until", &args.until, ["T23:59:59", ".999Z"])?,
        })
    }

    /// Whether the entry is one that is looked for.
    pub fn takes(&self, entry: &Entry) -> bool {
        let data = &entry.data;
        let is_job = |job: &String| data["job"].as_str() == Some(job);
        let is_kind = |wanted: &String| {
            entry.kind.starts_with(wanted.as_str())
                || entry.kind.strip_prefix(PREFIX).is_some_and(|kind| kind.starts_with(wanted.as_str()))
        };
        self.job.as_ref().is_none_or(is_job)
            && self.round.is_none_or(|round| data["round"].as_u64() == Some(round))
            && self.kind.as_ref().is_none_or(is_kind)
            && self.participant.is_none_or(|id| concerns(data, id))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time <= until)
    }
}

/// Whether it is what the participant said, or something that it is named in among others. All are admitted to nearly
/// everything, and that tells nothing.
fn concerns(data: &Value, id: u64) -> bool {
    let lists = |key: &&str| {
        *key != "admitted"
            && data[*key].as_array().is_some_and(|ids| ids.iter().any(|one| one.as_u64() == Some(id)))
    };
    data["participant"].as_u64() == Some(id) || PARTICIPANTS.iter().any(lists)
}

/// A moment as a person writes it; a day and a whole second are completed by `rest`.
fn moment(option: &str, text: &str, [time, fraction]: [&str; 2]) -> Result<Timestamp> {
    let whole = match text.strip_suffix('Z') {
        None => format!("{text}{time}{fraction}"),
        Some(second) if !second.contains('.') => format!("{second}{fraction}"),
        Some(_) => text.into(),
    };
    whole.parse().map_err(|_| {
        Error::input("options.time", format!("`{text}` is no time"))
            .place(option)
            .help("write a day, 2026-08-01, or a moment in UTC, 2026-08-01T12:34:56Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(kind: &str, time: &str, data: Value) -> Entry {
        Entry {
            id: "1".into(),
            source: "coordinator/1".into(),
            kind: kind.into(),
            time: time.parse().unwrap(),
            subject: None,
            schema: "1".into(),
            round_prev: None,
            data,
        }
    }

    #[test]
    fn each_condition_keeps_what_it_names_and_drops_the_rest() {
        let closed = entry(
            "syndic.round.closed",
            "2026-08-01T12:34:56.789Z",
            json!({"job": "a", "round": 3, "survivors": [1, 2], "admitted": [1, 2, 3]}),
        );
        let said =
            entry("syndic.round.revealed", "2026-08-02T00:00:00.000Z", json!({"job": "b", "participant": 3}));
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            (FilterArgs { job: some("a"), ..Default::default() }, true, false),
            (FilterArgs { round: Some(3), ..Default::default() }, true, false),
            (FilterArgs { kind: some("round.closed"), ..Default::default() }, true, false),
            (FilterArgs { kind: some("syndic.round"), ..Default::default() }, true, true),
            (FilterArgs { kind: some("closed"), ..Default::default() }, false, false),
            (FilterArgs { participant: some("2"), ..Default::default() }, true, false),
            (FilterArgs { participant: some("3"), ..Default::default() }, false, true),
            (FilterArgs { since: some("2026-08-02"), ..Default::default() }, false, true),
            (FilterArgs { until: some("2026-08-01"), ..Default::default() }, true, false),
            (FilterArgs { until: some("2026-08-01T12:34:56Z"), ..Default::default() }, true, false),
            (FilterArgs { until: some("2026-08-01T12:34:56.788Z"), ..Default::default() }, false, false),
            (FilterArgs { since: some("2026-08-01T12:34:57Z"), ..Default::default() }, false, true),
        ];
        for (args, takes_closed, takes_said) in cases {
            let filter = Filter::of(&args, &Names::default()).unwrap();
            assert_eq!((filter.takes(&closed), filter.takes(&said)), (takes_closed, takes_said), "{args:?}");
        }
    }

    #[test]
    fn what_is_no_time_or_no_participant_is_said_to_be_so() {
        let args = FilterArgs { since: Some("yesterday".into()), ..Default::default() };
        assert_eq!(Filter::of(&args, &Names::default()).unwrap_err().code(), "options.time");
        let args = FilterArgs { participant: Some("bank_z".into()), ..Default::default() };
        assert_eq!(Filter::of(&args, &Names::default()).unwrap_err().code(), "ledger.no-participant");
    }
}
