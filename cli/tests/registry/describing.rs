//! Rows that are described by a federation of real services, one of which wants nothing of it.

use serde_json::{Value, json};

use super::founding::BANKS;
use super::process::succeed;
use super::{House, Job, is_published};

/// The bank whose policy does not name the program.
const UNWILLING: &str = BANKS[4];

#[test]
fn a_description_is_published_and_who_does_not_allow_it_is_not_in_the_sum() {
    let house = House::founded();
    for bank in BANKS.into_iter().filter(|bank| *bank != UNWILLING) {
        let programs = "programs = [\"logistic-regression\", \"statistics\"]";
        house.hosts.edit(&format!("{bank}/policy.toml"), "programs = [\"logistic-regression\"]", programs);
    }
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    let mut banks = house.hosts.start_banks();
    let job = Job { training_rounds: 1, deadline_seconds: 60 }.text();
    let (contract, rest) = job.split_once("[program]").unwrap();
    let (_, privacy) = rest.split_once("[privacy]").unwrap();
    let job = format!("{contract}[program]\nname = \"statistics\"\n\n[privacy]{privacy}");
    house.hosts.write("operator/describe.toml", &job.replace("id = \"bank-marketing\"", "id = \"describe\""));
    succeed(
        "syndic-coordinator",
        &house.operator(),
        &["job", "submit", "describe.toml", "--config", "coordinator.toml"],
    );
    banks[4].wait_for("its no", |line| line.is("declining") && line.text("code") == "policy.program");
    coordinator.wait_for("the statistics", is_published);

    let (document, ledger) = (house.published("job-describe/statistics.json"), house.published("ledger"));
    let shown = ["statistics", &document, "--ledger", &ledger, "--key", &house.key, "--json"];
    let shown: Value = serde_json::from_str(&succeed("syndic", &house.approver(), &shown)).unwrap();
    let columns = shown["statistics"]["columns"].as_array().unwrap();
    assert!(columns.len() == 15 && shown["statistics"]["rows"].as_u64().unwrap() > 1_000, "{shown}");
    let told = ["model", "list", "--config", "coordinator.toml", "--json"];
    let told: Value = serde_json::from_str(&succeed("syndic-coordinator", &house.operator(), &told)).unwrap();
    assert_eq!(told["models"], json!([]), "a description is no model");
    let report = ["ledger", "report", &ledger, "--job", "describe", "--key", &house.key, "--json"];
    let report: Value = serde_json::from_str(&succeed("syndic", &house.approver(), &report)).unwrap();
    assert_eq!(report["job"]["statistics"]["document"], shown["document"]);
    assert_eq!(report["job"]["warnings"].as_array().unwrap().len(), 1, "{report}");

    // What is not there any more, or otherwise than on record, is written again at the next start, byte for byte: from the blob, or
    // where that is lost from the sum, and then the blob is stored again.
    let before = std::fs::read(&document).unwrap();
    let digest = shown["document"].as_str().unwrap();
    let blob = house.operator().join("state/blobs").join(&digest[..2]).join(&digest[2..]);
    super::stop(&mut coordinator);
    std::fs::remove_file(&document).unwrap();
    std::fs::remove_file(&blob).unwrap();
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("the statistics once more", is_published);
    super::stop(&mut coordinator);
    assert!(std::fs::read(&document).unwrap() == before && std::fs::read(&blob).unwrap() == before);
    std::fs::write(&document, "other words").unwrap();
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("the statistics as they are on record", is_published);
    super::stop(&mut coordinator);
    assert_eq!(std::fs::read(&document).unwrap(), before);
}
