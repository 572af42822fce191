//! A ledger of an earlier version, as reviewers keep them: from before entries said which coordinator wrote them, how participants were
//! connected, when phases ended, and how often an upload was begun.
//!
//! `earlier/ledger` was written on 2026-11-29 by commit 6f82388, by a run of four institutions of which one was stopped in a round.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::published::ledger;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reviewing/earlier/ledger"))
}

const KEY: &str = "syndic/sandbox+b39d74df+AdFq9R9iJ7Sppz0Hjq3A+wazQO4giCdNC+XjVV9GhCVi";

#[test]
fn a_ledger_of_an_earlier_version_is_played_again_to_the_same_end() {
    let told = ledger(&[&"verify", &folder(), &"--key", &KEY, &"--json"]).exits(0);
    let summary: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&summary["size"], &summary["pinned"]), (&json!(85), &json!(true)));
    assert_eq!(summary["root"], "24eccf0a4b8287759e776265ab19d5dc18d77a64e28bbf55f582214a90a2e67f");
    assert_eq!(summary["audited"], json!({"rounds": 3, "messages": 67, "key_sums": 3, "vector_sums": 0}));
}

#[test]
fn a_report_of_it_says_what_it_does_not_say() {
    let told = ledger(&[&"report", &folder(), &"--job", &"small", &"--json"]).exits(0);
    let report: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&report["job"]["outcome"], &report["coordinators"]), (&json!("completed"), &json!([])));
    assert_eq!(report["job"]["warnings"], json!([]));
    let rounds = report["rounds"].as_array().unwrap();
    assert!(rounds.iter().all(|round| round["phases"] == json!([])));
    assert_eq!(rounds.iter().filter(|round| round["missing"] != json!([])).count(), 1);
    let gaps = report["gaps"].to_string();
    for gap in ["the entries are of a version that did not say so", "the entries do not say it of all"] {
        assert!(gaps.contains(gap), "{gaps}");
    }
}
