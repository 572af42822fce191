//! What a ledger says of a job, on a page and for programs, and that nothing else is in it.

use serde_json::{Value, json};
use syndic_ledger::{leaf_hash, round_subject};

use crate::common::Log;
use crate::published::{Published, ledger, log_key};

/// A ledger with two jobs; in the first, statistics that one of four is missing from, and a training round that was abandoned
/// before it was closed.
fn two_jobs() -> Published {
    Published::with(log_of_two_jobs().entries)
}

fn log_of_two_jobs() -> Log {
    let mut log = Log::default();
    let federation = log.draft("syndic.roster.sealed", None, json!({"federation": "north"}));
    log.append(federation).unwrap();
    for job in ["small", "other"] {
        let file = include_str!("../../../coordinator/tests/hearing/small.toml");
        let file = file.replace("A small job", "A small job <script>alert(1)</script>") + PROCESSING;
        let agreed = json!({"job": job, "agreement": digest("agreement"), "file": file, "priority": 50, "by": "local-user/1000"});
        of_job(&mut log, job, "agreed", agreed);
    }
    round(&mut log, (1, 1), "opened", &opened("statistics", Value::Null));
    for participant in 1..=4 {
        round(&mut log, (1, 1), "acknowledged", &json!({"participant": participant}));
    }
    for participant in 1..=3 {
        let ciphertext = json!({"participant": participant, "ciphertext": {"bytes": 1000}});
        round(&mut log, (1, 1), "submitted", &ciphertext);
    }
    round(&mut log, (1, 1), "woke", &json!({}));
    close(&mut log, (1, 1), &[1, 2, 3]);
    round(&mut log, (2, 1), "opened", &opened("train", json!(1)));
    round(&mut log, (2, 1), "abandoned", &json!({"reason": "fewer than 3 institutions acknowledged"}));
    round(&mut log, (2, 2), "opened", &opened("train", json!(1)));
    close(&mut log, (2, 2), &[1, 2, 3, 4]);
    let figures = json!({"roc_auc": "0.761049000", "pr_auc": null, "log_loss": "0.310000000"});
    let progress = json!({"job": "small", "training_round": 1, "metrics": {"test": figures}});
    of_job(&mut log, "small", "progress", progress);
    let model = json!({"job": "small", "released_round": 1, "model": digest("model")});
    of_job(&mut log, "small", "completed", model);
    of_job(&mut log, "other", "abandoned", json!({"job": "other", "reason": "nobody wanted it"}));
    log
}

/// What the job says of the law; nothing of an impact assessment.
const PROCESSING: &str = "
[processing]
controllers = [\"Bank <b>A</b>\", \"Bank B\"]
special_categories = []
cross_border = false
";

fn digest(of: &str) -> String {
    leaf_hash(of.as_bytes()).to_string()
}

fn of_job(log: &mut Log, job: &str, step: &str, data: Value) {
    let entry = log.draft(&format!("syndic.job.{step}"), Some(format!("job/{job}")), data);
    log.append(entry).unwrap();
}

fn round(log: &mut Log, (number, attempt): (u64, u64), step: &str, more: &Value) {
    let mut data = json!({"job": "small", "round": number, "attempt": attempt});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let subject = Some(round_subject("small", number, attempt));
    let entry = log.draft(&format!("syndic.round.{step}"), subject, data);
    log.append(entry).unwrap();
}

fn opened(kind: &str, training_round: Value) -> Value {
    json!({
        "kind": kind, "training_round": training_round, "plan": digest("plan"), "preparation": 1, "carrier": "ring", "values": 18,
        "admitted": [1, 2, 3, 4], "threshold": 3, "colluding": 1, "min_survivors": 3, "protocol": "KSA/1",
        "parameter_set": "KSA-S32", "security_bits": {"core_svp": 181, "matzov": 204}
    })
}

fn close(log: &mut Log, of: (u64, u64), survivors: &[u64]) {
    let missing = (1..=4).filter(|id| !survivors.contains(id));
    let missing: Vec<_> = missing.map(|id| json!({"participant": id, "why": "submit"})).collect();
    let frozen = json!({"survivors": survivors, "digest": digest("set"), "missing": missing});
    round(log, of, "frozen", &frozen);
    let sum = digest("sum");
    let closed = json!({"survivors": survivors, "sum": sum, "key_sum": sum, "aggregate_root": sum, "checked": true,
        "wrong_reveals": [], "transcript": digest("transcript")});
    round(log, of, "closed", &closed);
}

#[test]
fn programs_are_told_what_the_entries_of_the_job_come_to() {
    let published = two_jobs();
    let folder = published.ledger();
    let key = log_key(7).to_string();
    let told = ledger(&[&"report", &folder, &"--job", &"small", &"--json", &"--key", &key]).exits(0);
    let report: Value = serde_json::from_str(&told).unwrap();

    assert_eq!(report["federation"], "north");
    assert_eq!(
        (&report["job"]["outcome"], &report["job"]["released_round"]),
        (&json!("completed"), &json!(1))
    );
    assert_eq!(report["job"]["model"], digest("model"));
    let rounds: Vec<_> = report["rounds"].as_array().unwrap().iter().collect();
    let ended: Vec<_> =
        rounds.iter().map(|round| (&round["round"], &round["attempt"], &round["outcome"])).collect();
    assert_eq!(
        ended,
        [
            (&json!(1), &json!(1), &json!("closed")),
            (&json!(2), &json!(1), &json!("abandoned")),
            (&json!(2), &json!(2), &json!("closed"))
        ]
    );
    let missing =
        json!([{"participant": "participant 4", "reason": "vanished before it submitted its update"}]);
    assert_eq!((&rounds[0]["missing"], &rounds[0]["update_bytes"]), (&missing, &json!(3000)));
    let sums: Vec<_> = report["members"].as_array().unwrap().iter().map(|member| &member["sums"]).collect();
    assert_eq!(sums, [2, 2, 2, 1]);
    let kinds: Vec<_> =
        report["incidents"].as_array().unwrap().iter().map(|incident| &incident["type"]).collect();
    assert_eq!(kinds, ["syndic.round.woke", "syndic.round.abandoned"], "and none of the other job");
    assert_eq!(report["metrics"][0]["figures"]["roc_auc"], "0.761049000");
    assert_eq!(
        (&report["proof"]["pinned"], &report["proof"]["entries"]),
        (&json!(true), &json!(published.entries.len()))
    );
    let processing =
        json!({"controllers": ["Bank <b>A</b>", "Bank B"], "special_categories": [], "cross_border": false});
    assert_eq!(report["job"]["processing"], processing);
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("an impact assessment") && !gaps.contains("controllers"), "{gaps}");
    assert!(report["job"]["erased"].is_null() && gaps.contains("updates were erased"), "{gaps}");
    assert!(gaps.contains("no roster beside") && !gaps.contains("came with the ledger"), "{gaps}");
}

#[test]
fn an_erasure_of_updates_is_told_with_its_rule_its_reason_and_how_much_it_was() {
    let mut log = log_of_two_jobs();
    let erased = json!({"job": "small", "by": "job-file", "reason": "its time is over", "due": "2026-01-02T00:00:00.000Z",
        "updates_days": 1, "kinds": ["encrypted-updates", "sealed-shares", "questions"], "blobs": 12, "bytes": 3400});
    of_job(&mut log, "small", "updates-erased", erased);
    let published = Published::with(log.entries);
    let (folder, key) = (published.ledger(), log_key(7).to_string());
    let run = |arguments: &[&str]| {
        let all = [arguments[0], folder.to_str().unwrap()].into_iter().chain(arguments[1..].iter().copied());
        let all: Vec<_> = all.chain(["--key", key.as_str()]).collect();
        let all: Vec<&dyn AsRef<std::ffi::OsStr>> = all.iter().map(|it| it as _).collect();
        ledger(&all).exits(0)
    };

    let report: Value = serde_json::from_str(&run(&["report", "--job", "small", "--json"])).unwrap();
    let erased = &report["job"]["erased"];
    assert_eq!((&erased["by"], &erased["updates_days"]), (&json!("job-file"), &json!(1)));
    assert_eq!((&erased["blobs"], &erased["bytes"]), (&json!(12), &json!(3400)));
    assert_eq!(erased["index"], published.entries.len() - 1);
    assert!(!report["gaps"].to_string().contains("updates were erased"), "{report}");
    let verified = run(&["verify"]);
    assert!(verified.contains("the updates of 1 job"), "{verified}");
    let shown = run(&["show"]);
    assert!(
        shown.contains("erased encrypted updates, sealed shares and questions, 12 blobs of 3.40 kB"),
        "{shown}"
    );
}

#[test]
fn people_are_told_the_same_on_a_page_that_runs_and_loads_nothing() {
    let published = two_jobs();
    let (folder, out) = (published.ledger(), published.beside("report.html"));
    ledger(&[&"report", &folder, &"--job", &"small", &"--out", &out]).exits(0);
    let page = std::fs::read_to_string(&out).unwrap();
    let text = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = [
        "2 sums of 4 institutions opened, of 3 rounds; the model of training round 1 was released.",
        "marketing-response",
        "participant 4 vanished before it submitted its update",
        "abandoned: fewer than 3 institutions acknowledged",
        "3 of 4 institutions, each of which signed",
        "There is no differential privacy.",
        "0.7610",
        "a deadline passed",
        "The key came with the ledger",
        "handed in by local-user/1000",
        "&#60;script&#62;",
        "<dt>Controllers</dt><dd>Bank &#60;b&#62;A&#60;/b&#62;, Bank B</dd> <dt>Special categories</dt><dd>none</dd>",
        &digest("model"),
    ];
    for text_of in told {
        assert!(text.contains(text_of), "{text_of}");
    }
    for forbidden in ["<script", "http:", "https:", "src=", "@import", "url(", "<link", "nobody wanted it"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let again = ledger(&[&"report", &folder, &"--job", &"small", &"--out", &out]);
    assert!(again.exits(2).is_empty() && again.told().contains("file.exists"), "{}", again.told());
}

#[test]
fn one_round_is_reported_with_all_its_attempts_and_what_is_not_there_is_named() {
    let published = two_jobs();
    let folder = published.ledger();
    let told = ledger(&[&"report", &folder, &"--job", &"small", &"--round", &"2", &"--json"]).exits(0);
    let report: Value = serde_json::from_str(&told).unwrap();
    let numbers: Vec<_> = report["rounds"].as_array().unwrap().iter().map(|round| &round["round"]).collect();
    assert_eq!(numbers, [2, 2]);
    assert_eq!(report["incidents"].as_array().unwrap().len(), 1);
    assert_eq!(report["metrics"].as_array().unwrap().len(), 1);
    let round_1 = ledger(&[&"report", &folder, &"--job", &"small", &"--round", &"1", &"--json"]).exits(0);
    assert_eq!(
        serde_json::from_str::<Value>(&round_1).unwrap()["metrics"],
        json!([]),
        "statistics train nothing"
    );

    let refused = ledger(&[&"report", &folder, &"--job", &"smal", &"--json"]);
    assert_eq!(refused.refuses(2), ("ledger.no-job".into(), "--job".into()));
    assert!(refused.told().contains("small and other"), "{}", refused.told());
    let refused = ledger(&[&"report", &folder, &"--job", &"small", &"--round", &"9", &"--json"]);
    assert_eq!(refused.refuses(2).0, "ledger.no-round");
}

#[test]
fn nothing_is_reported_of_a_ledger_that_does_not_verify() {
    let published = two_jobs();
    let (folder, out) = (published.ledger(), published.beside("report.html"));
    let bundle = folder.join(format!("tile/entries/000.p/{}", published.entries.len()));
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let refused = ledger(&[&"report", &folder, &"--job", &"small", &"--json", &"--out", &out]);
    assert_eq!(refused.refuses(4).0, "ledger.entry-altered");
    assert!(!out.exists());
}

#[test]
fn what_a_coordinator_made_up_costs_its_reader_nothing() {
    let absurd: [(&str, &str, u64); 5] = [
        ("1e300", "0.5", 2),
        ("inf", "0.5", 2),
        ("-1e9", "0.5", 2),
        ("NaN", "NaN", 2),
        ("0.6", "0.5", u32::MAX.into()),
    ];
    for (first, second, last) in absurd {
        let mut log = Log::default();
        of_job(&mut log, "small", "agreed", json!({"job": "small"}));
        for (number, auc) in [(1, first), (last, second)] {
            let metrics = json!({"test": {"roc_auc": auc, "pr_auc": auc, "log_loss": auc}});
            of_job(
                &mut log,
                "small",
                "progress",
                json!({"job": "small", "training_round": number, "metrics": metrics}),
            );
        }
        let published = Published::with(log.entries);
        ledger(&[&"report", &published.ledger(), &"--job", &"small"]).exits(0);
    }

    let mut log = Log::default();
    of_job(&mut log, "small", "agreed", json!({"job": "small"}));
    round(&mut log, (1, 1), "opened", &opened("train", json!(1)));
    // Together more bytes than can be counted.
    for _ in 0..=1 << 11 {
        round(
            &mut log,
            (1, 1),
            "submitted",
            &json!({"ciphertext": {"bytes": 1_u64 << 53}, "uploads_begun": 1_u64 << 53}),
        );
    }
    let published = Published::with(log.entries);
    ledger(&[&"report", &published.ledger(), &"--job", &"small"]).exits(0);
}
