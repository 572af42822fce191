//! Entries as people read them: a line in a table, or every field of one.

use std::fmt::Write as _;

use console::style;
use serde_json::Value;
use syndic_coordinator::fact::Fact;
use syndic_ledger::Entry;
use syndic_round::coordinator::Input;
use syndic_round::message::{Decline, Payload as _};

use super::names::Names;
use super::reading::Told;
use crate::words::{bytes, counted, listed, plain, thousands};

/// The head of the table that [`row`] writes the rows of.
pub fn head() -> String {
    let text = format!("{:>8}  {:<24}  {:<25}  {:<10}  ", "index", "time", "type", "round");
    format!("{}\n", style(text + "what").cyan())
}

/// An entry as one row of a table.
pub fn row(told: &Told, names: &Names) -> String {
    let Told { index, entry, .. } = told;
    let kind = entry.kind.strip_prefix(syndic_ledger::schema::PREFIX).unwrap_or(&entry.kind);
    let (time, kind, about) = (entry.time, plain(kind), about(entry));
    format!("{:>8}  {time}  {kind:<25}  {about:<10}  {}\n", thousands(*index), what(entry, names))
}

/// Every field of an entry. What is of no use to people, signed messages for instance, is there as its size.
pub fn details(told: &Told, names: &Names) -> String {
    let Told { index, leaf, entry, .. } = told;
    let title = style(format!("entry {}: {}", thousands(*index), plain(&entry.kind))).bold();
    let mut text = format!("{title}\n  {}\n", what(entry, names));
    let mut line = |label: &str, value: &str| {
        let label = format!("{:<22}", plain(label));
        let _ = writeln!(text, "  {} {}", style(label).cyan(), plain(value));
    };
    line("time", &entry.time.to_string());
    line("about", entry.subject.as_deref().unwrap_or("the federation"));
    line("written by", &entry.source);
    line("id", &entry.id);
    line("hash", &leaf.to_string());
    if let Some(previous) = entry.round_prev {
        line("follows", &previous.to_string());
    }
    fields("", &entry.data, names, &mut line);
    text
}

/// The entry, its place and its hash, for programs: one JSON object on one line, in which the entry is as it stands in the
/// ledger, byte by byte.
pub fn json(told: &Told) -> String {
    format!("{{\"index\":{},\"hash\":\"{}\",\"entry\":{}}}", told.index, told.leaf, told.bytes)
}

/// What happened, in a few words.
pub fn what(entry: &Entry, names: &Names) -> String {
    plain(&said(entry, names))
}

/// The same as the entry and the roster have it.
fn said(entry: &Entry, names: &Names) -> String {
    let data = &entry.data;
    let text = |key: &str| data[key].as_str().map(String::from).unwrap_or_default();
    let brief = |key: &str| data[key].as_str().map(brief).unwrap_or_default();
    let people = |key: &str| {
        let ids: Vec<u64> = data[key].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        ids.into_iter().map(|id| names.name(id)).collect::<Vec<_>>()
    };
    let who = data["participant"].as_u64().map(|id| names.name(id)).unwrap_or_default();
    let step = entry.kind.rsplit('.').next().unwrap_or_default();
    match entry.kind.as_str() {
        "syndic.roster.sealed" => format!("roster of {}, {}", text("federation"), brief("digest")),
        "syndic.coordinator.started" => format!("start {}, version {}", data["incarnation"], text("version")),
        "syndic.participant.connected" => {
            let (tls, group, version) = (text("tls"), text("group"), text("version"));
            format!(
                "{who}, {tls}, {group}, certificate {}, says it is version {version}",
                brief("certificate")
            )
        }
        "syndic.participant.refused" => format!("{who} was refused: {}", refusals(&data["refusals"])),
        "syndic.admission.changed" => admission(data),
        "syndic.coordinator.stopped" => format!("start {}: {}", data["incarnation"], text("reason")),
        "syndic.job.agreed" => format!("{}, agreement {}", text("job"), brief("agreement")),
        "syndic.job.progress" => {
            format!("training round {}: {}", data["training_round"], metrics(&data["metrics"]))
        }
        "syndic.job.drift" => drift(data),
        "syndic.job.completed" if data["comparison"].is_object() => {
            let models = data["comparison"]["models"].as_array().map_or(0, Vec::len);
            format!(
                "compared {} on {} rows",
                counted(models, "released model", "released models"),
                data["comparison"]["count"]
            )
        }
        "syndic.job.completed" if data["statistics"].is_object() => {
            let statistics = &data["statistics"];
            let columns =
                counted(statistics["columns"].as_u64().unwrap_or_default() as usize, "column", "columns");
            let document = statistics["document"].as_str().map(self::brief).unwrap_or_default();
            let noise = if statistics["noise"] == true { " with noise" } else { "" };
            format!("described {} rows by {columns}{noise}, {document}", statistics["rows"])
        }
        "syndic.job.completed" if data["drift"].is_object() => {
            let (now, then) = (&data["drift"]["current_rows"], &data["drift"]["reference_rows"]);
            format!("compared {now} rows with {then} that a released model was trained on")
        }
        "syndic.job.completed" => {
            format!("released the model of training round {}, {}", data["released_round"], brief("model"))
        }
        "syndic.job.updates-erased" => {
            let blobs = counted(data["blobs"].as_u64().unwrap_or_default() as usize, "blob", "blobs");
            let size = data["bytes"].as_u64().map(bytes).unwrap_or_default();
            format!(
                "erased encrypted updates, sealed shares and questions, {blobs} of {size}: {}",
                text("reason")
            )
        }
        "syndic.round.opened" => {
            let admitted = counted(people("admitted").len(), "institution", "institutions");
            let open = &data["threshold"];
            let lot =
                data["lot"].as_str().map_or_else(String::new, |place| format!(" drawn by lot for `{place}`"));
            format!("{} with {admitted}{lot}, {open} of which open the sum", text("kind"))
        }
        "syndic.preparation.opened" => format!("keys made ahead for {}", listed(&people("admitted"))),
        "syndic.preparation.ready" => format!("eligible: {}", listed(&people("eligible"))),
        "syndic.round.frozen" => format!("survivors: {}", listed(&people("survivors"))),
        "syndic.round.closed" => {
            let sum = format!("sum {} of {}", brief("sum"), listed(&people("survivors")));
            let wrong = match people("wrong_reveals").as_slice() {
                [] => String::new(),
                wrong => format!("; {} revealed wrongly", listed(wrong)),
            };
            let unchecked = if data["checked"] == false { "; unchecked" } else { "" };
            sum + &wrong + unchecked
        }
        "syndic.round.submitted" => {
            format!("{who}, {}", data["ciphertext"]["bytes"].as_u64().map(bytes).unwrap_or_default())
        }
        "syndic.round.declined" | "syndic.preparation.declined" => match reason(entry) {
            Some(reason) => format!("{who}: {reason}"),
            None => who,
        },
        "syndic.round.equivocated" | "syndic.preparation.equivocated" => format!("{who}, {}", text("kind")),
        "syndic.round.result" => text("refused"),
        _ if data["reason"].is_string() => text("reason"),
        _ if !who.is_empty() => who,
        _ if step == "woke" => "a deadline passed".into(),
        _ if step == "resumed" => "the coordinator was started again".into(),
        _ => String::new(),
    }
}

/// Codes, and how often each: `rate.limited (12 times)`.
fn refusals(of: &Value) -> String {
    let told = of.as_array().into_iter().flatten().map(|one| {
        let code = one["code"].as_str().unwrap_or_default();
        format!("{code} ({})", counted(one["count"].as_u64().unwrap_or_default() as usize, "time", "times"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whom the coordinator lets in.
fn admission(data: &Value) -> String {
    if let Some(code) = data["suspended"].as_str() {
        return format!("nobody new is let in: {code}");
    }
    let revocations = data["revocations"]["number"].as_u64().map(|number| {
        let newly = data["newly_revoked"].as_array().map_or(0, Vec::len);
        let further = data["further"].as_u64().unwrap_or_default() as usize;
        let new = counted(newly + further, "certificate", "certificates");
        format!("revocation list {number} is in force, {new} newly revoked")
    });
    let allowed = data["allowed"]["fingerprints"].as_u64();
    let allowed = allowed.map(|count| {
        format!("only {} let in", counted(count as usize, "listed certificate is", "listed certificates are"))
    });
    let told: Vec<_> = revocations.into_iter().chain(allowed).collect();
    if told.is_empty() { "every member is let in".into() } else { told.join("; ") }
}

/// The code with which a participant said no.
fn reason(entry: &Entry) -> Option<String> {
    match Fact::from_entry(0, entry) {
        Ok(Fact::Heard { input: Input::Decline(signed), .. }) => {
            Decline::decode(&signed.payload).ok().map(|decline| decline.reason)
        }
        _ => None,
    }
}

/// The round and attempt, or the preparation, of an entry.
fn about(entry: &Entry) -> String {
    let number = |key: &str| entry.data[key].as_u64();
    match (number("round"), number("attempt"), number("preparation")) {
        (Some(round), Some(1), _) => round.to_string(),
        (Some(round), Some(attempt), _) => format!("{round}, try {attempt}"),
        (None, _, Some(preparation)) => format!("keys {preparation}"),
        _ => String::new(),
    }
}

/// Metrics by rows and name: `test roc_auc 0.7610`.
fn metrics(of: &Value) -> String {
    let mut parts = Vec::new();
    for (rows, values) in of.as_object().into_iter().flatten() {
        for (name, value) in values.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            parts.push(format!("{rows} {name} {}", value.get(..6).unwrap_or(value)));
        }
    }
    parts.join(", ")
}

/// What has drifted, and how far the scores are: `age has drifted, PSI of the scores 0.1234`.
fn drift(data: &Value) -> String {
    let drifted: Vec<String> = data["drifted"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(String::from)
        .collect();
    let psi = data["score"]["psi"].as_str();
    let scores = psi.map(|psi| format!("PSI of the scores {}", psi.get(..6).unwrap_or(psi)));
    let told = match drifted.len() {
        0 if psi.is_none() => "training rows counted, and too few test rows to compare".into(),
        0 => "test rows are like training rows".into(),
        1 => format!("{} has drifted", drifted[0]),
        _ => format!("{} have drifted", listed(&drifted)),
    };
    [Some(told), scores].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Every value below `value`, each with its path.
fn fields(path: &str, value: &Value, names: &Names, line: &mut impl FnMut(&str, &str)) {
    let key = path.rsplit('.').next().unwrap_or_default();
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(&path, value, names, line);
            }
        }
        Value::String(text) if SIGNED.contains(&key) => {
            line(path, &format!("{} in base64 (see them with --json)", bytes(text.len() as u64 / 4 * 3)));
        }
        Value::String(text) if text.contains('\n') => {
            line(path, "");
            text.lines().for_each(|text| line("", text));
        }
        Value::String(text) => line(path, text),
        Value::Array(ids) if PARTICIPANTS.contains(&key) && ids.iter().all(Value::is_u64) => {
            let named: Vec<_> = ids.iter().filter_map(Value::as_u64).map(|id| names.name(id)).collect();
            line(path, if named.is_empty() { "nobody".into() } else { listed(&named) }.as_str());
        }
        Value::Number(id) if key == "participant" => {
            line(path, &id.as_u64().map(|id| format!("{} ({id})", names.name(id))).unwrap_or_default());
        }
        Value::Null => line(path, "none"),
        other => line(path, &other.to_string()),
    }
}

/// The first digits of a digest.
fn brief(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// Keys whose values are messages and terms in base64.
const SIGNED: [&str; 2] = ["message", "terms"];

/// Keys whose values are ids of participants.
pub const PARTICIPANTS: [&str; 4] = ["admitted", "eligible", "survivors", "wrong_reveals"];
