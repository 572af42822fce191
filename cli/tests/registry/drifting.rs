//! Rows of today, of all participants together, against those that a released model was trained on: a job that trains nothing, with
//! real services.

use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::founding::{BANKS, table};
use super::process::{Line, refusal, run, succeed};
use super::{House, is_published};

/// Where all banks read their rows, each its own.
const ROWS: &str = "rows.csv.gz";

/// The example's rows, with everybody older by so many years.
fn rows(older: u32) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(table()).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let age = header.split(',').position(|column| column == "age").unwrap();
    let row = |row: &str| {
        let mut cells: Vec<String> = row.split(',').map(String::from).collect();
        cells[age] = (cells[age].parse::<u32>().unwrap() + older).min(95).to_string();
        cells.join(",")
    };
    let rows: Vec<String> = rows.lines().map(row).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

fn zipped(path: &Path, text: &str) {
    let mut zip = GzEncoder::new(std::fs::File::create(path).unwrap(), flate2::Compression::fast());
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap();
}

impl House {
    /// Writes a job that compares rows with those of the first model.
    fn drift_job(&self, id: &str, columns: &str) -> String {
        let (model, out) = (self.published("job-first"), format!("{id}.toml"));
        let arguments =
            ["model", "drift-job", "--model", &model, "--id", id, "--purpose", "marketing-response"];
        let columns = ["--columns", columns, "--out", &out];
        let columns = if columns[1].is_empty() { &columns[2..] } else { &columns[..] };
        let told = succeed("syndic", &self.operator(), &[&arguments[..], columns].concat());
        assert!(told.contains("not looked up in a ledger"), "{told}");
        std::fs::read_to_string(self.operator().join(out)).unwrap()
    }

    /// What a reviewer is told of a job: how the command ends, and what it prints.
    fn drifted(&self, id: &str) -> (i32, Value, String) {
        let (ledger, model) = (self.published("ledger"), self.published("job-first"));
        let job = ["model", "drift", "--job", id, "--ledger", &ledger, "--key", &self.key, "--model", &model];
        let told = run("syndic", &self.approver(), &[&job[..], &["--json"]].concat());
        let error = String::from_utf8(told.stderr).unwrap();
        let text = String::from_utf8(told.stdout).unwrap();
        let found = serde_json::from_str(text.lines().next().unwrap_or(&error)).unwrap();
        (told.status.code().unwrap(), found, error)
    }

    /// What `syndic model drift` finds of all rows in one place.
    fn pooled(&self, text: &str) -> Value {
        let table = self.approver().join("pooled.csv");
        std::fs::write(&table, text).unwrap();
        let (table, model) = (table.to_str().unwrap(), self.published("job-first"));
        let arguments = ["model", "drift", "--model", &model, "--table", table, "--json"];
        let told = run("syndic", &self.approver(), &arguments);
        serde_json::from_str(String::from_utf8(told.stdout).unwrap().lines().next().unwrap()).unwrap()
    }
}

/// Scores and columns.
fn shifts(told: &Value) -> Vec<Value> {
    let drift = &told["drift"];
    [&drift["score"]].into_iter().chain(drift["columns"].as_array().unwrap()).cloned().collect()
}

/// Figures of the sum are those of all rows in one place, to the decimals of the ledger.
fn are_those_of_pooling(found: &Value, pooled: &Value) {
    assert_eq!(found["drift"]["current_rows"], pooled["drift"]["current_rows"]);
    assert_eq!(found["drifted"], pooled["drifted"]);
    let (found, pooled) = (shifts(found), shifts(pooled));
    assert_eq!(found.len(), pooled.len());
    for (one, other) in found.iter().zip(&pooled) {
        assert_eq!((&one["name"], &one["standing"]), (&other["name"], &other["standing"]));
        for figure in ["psi", "psi_by_chance", "ks"] {
            match (one[figure].as_f64(), other[figure].as_f64()) {
                (Some(a), Some(b)) => assert!((a - b).abs() <= 5.1e-10, "{figure}: {one} {other}"),
                (a, b) => assert_eq!(a, b, "{figure}: {one}"),
            }
        }
    }
}

fn with_warnings(line: &Line) -> bool {
    line.is("job completed, with warnings")
}

#[test]
fn rows_of_all_participants_are_compared_with_those_of_a_released_model() {
    let house = House::founded();
    let stored = house.operator().join(ROWS);
    zipped(&stored, &rows(0));
    for bank in BANKS {
        let programs = "programs = [\"logistic-regression\", \"drift\"]";
        house.hosts.edit(&format!("{bank}/policy.toml"), "programs = [\"logistic-regression\"]", programs);
        let config = format!("{bank}/participant.toml");
        house.hosts.edit(&config, table().to_str().unwrap(), stored.to_str().unwrap());
    }
    let mut coordinator = house.hosts.start_coordinator();
    coordinator.wait_for("readiness", |line| line.is("ready"));
    let mut banks = house.hosts.start_banks();
    house.submit("first", "name = \"response\"\n\n[drift]\n");
    coordinator.wait_for("the model", is_published);

    // Nobody has a candidate. Of a model that everybody has, the bins have to be those of its card.
    let written = house.drift_job("look", "");
    assert_eq!(house.refuses("look"), (2, "evaluation.not-released".into()));
    house.deliver("first", &mut coordinator, &mut banks);
    let bins = written.find("[[program.reference.columns]]").unwrap();
    let counts = bins + written[bins..].find("rows = [").unwrap() + "rows = [".len();
    let end = counts + written[counts..].find(']').unwrap();
    let mut turned: Vec<&str> = written[counts..end].split(", ").collect();
    turned.reverse();
    let other_bins = format!("{}{}{}", &written[..counts], turned.join(", "), &written[end..]);
    let digest = written.split("model = \"").nth(1).unwrap().split('"').next().unwrap();
    let bank = house.hosts.host(BANKS[0]);
    for (id, text, [at_coordinator, at_bank]) in [
        ("other-bins", other_bins, ["drift.other-reference"; 2]),
        (
            "unheard-of",
            written.replace(digest, &"3".repeat(64)),
            ["evaluation.unknown", "evaluation.not-held"],
        ),
    ] {
        house
            .hosts
            .write(&format!("operator/{id}.toml"), &text.replace("id = \"look\"", &format!("id = \"{id}\"")));
        assert_eq!(house.refuses(id), (2, at_coordinator.into()));
        let file = house.operator().join(format!("{id}.toml"));
        let check = ["policy", "check", "--job", file.to_str().unwrap(), "--config", "participant.toml"];
        assert_eq!(refusal("syndic-participant", &bank, &check), (1, at_bank.into()), "{id}");
    }

    // The rows are those of the day on which the model was trained.
    house.hand_in("look");
    coordinator.wait_for("the comparison", is_published);
    let (exit, found, error) = house.drifted("look");
    assert_eq!((exit, &found["drifted"]), (0, &json!([])), "{error}");
    assert_eq!((&found["released_by"], &found["stage"]), (&json!("first"), &json!("shadow")));
    are_those_of_pooling(&found, &house.pooled(&rows(0)));

    // Everybody is twelve years older.
    zipped(&stored, &rows(12));
    house.drift_job("later", "age,balance,job");
    house.hand_in("later");
    let told = coordinator.wait_for("the warning", with_warnings);
    assert!(
        told.text("warnings").contains("rows of all institutions have drifted"),
        "{}",
        told.text("warnings")
    );
    coordinator.wait_for("the comparison", is_published);
    let (exit, found, error) = house.drifted("later");
    assert!(exit == 1 && error.contains("drift.exceeded"), "{exit}: {error}");
    assert_eq!(found["drifted"][0], "age", "{found}");
    let of = |name: &str| shifts(&found).into_iter().find(|shift| shift["name"] == name).unwrap();
    assert_eq!((&of("age")["standing"], &of("balance")["standing"]), (&json!("drifted"), &json!("stable")));
    assert_eq!(shifts(&found).len(), 4);
    let written = std::fs::read_to_string(house.published("job-later/drift.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["drift"]["columns"][0]["standing"], "drifted");
    assert!(!Path::new(&house.published("job-later/model.json")).exists());

    // Who reviews it verifies all of it, and sees it among the incidents.
    let ledger = house.published("ledger");
    let verify = ["ledger", "verify", &ledger, "--key", &house.key, "--json"];
    let summary: Value = serde_json::from_str(&succeed("syndic", &house.approver(), &verify)).unwrap();
    // The first job compared its test rows, too.
    assert_eq!(summary["types"]["syndic.job.drift"], 3, "{summary}");
    let report = |id: &str| -> Value {
        let report = ["ledger", "report", &ledger, "--job", id, "--key", &house.key, "--json"];
        serde_json::from_str(&succeed("syndic", &house.approver(), &report)).unwrap()
    };
    let is_told = |report: &Value| {
        report["incidents"].as_array().unwrap().iter().any(|one| one["type"] == "syndic.job.drift")
    };
    let later = report("later");
    assert_eq!(later["job"]["drift"]["model"].as_str().map(str::len), Some(64));
    assert!(is_told(&later) && !is_told(&report("look")), "{later}");
    super::stop(&mut coordinator);
    for bank in &mut banks {
        super::stop(bank);
    }
}
