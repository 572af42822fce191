//! The binary as a person calls it: exit codes, standard output and standard error.

use std::path::Path;
use std::process::{Command, Output};

fn syndic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syndic"))
        .args(arguments)
        .env_remove("CARGO")
        .env_remove("SYNDIC_LOG")
        .output()
        .expect("the binary was built")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it was not killed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the binary writes UTF-8")
}

fn job_file() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bank-marketing/job.toml");
    file.display().to_string()
}

#[test]
fn help_and_version_succeed_on_standard_output() {
    for arguments in [&["--help"][..], &["demo", "--help"], &["sandbox", "-h"], &["--version"]] {
        let output = syndic(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(text(&syndic(&["--version"]).stdout).starts_with("syndic "));
}

#[test]
fn a_wrong_command_line_exits_with_2_and_speaks_json_when_asked() {
    let output = syndic(&["demo", "--colour", "blue"]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("--colour"));
    let output = syndic(&["demo", "--json", "--colour", "blue"]);
    assert_eq!(code(&output), 2);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["exit"], 2);
    assert!(output.stdout.is_empty());
}

#[test]
fn a_job_that_so_many_institutions_cannot_have_exits_with_2_before_anything_begins() {
    let folder = tempfile::tempdir().unwrap();
    let job = folder.path().join("job.toml");
    let lot = std::fs::read_to_string(job_file()).unwrap() + "\n[cohort]\neach_round = 8\n";
    std::fs::write(&job, lot).unwrap();
    let (job, out) = (job.display().to_string(), folder.path().join("run").display().to_string());
    let table = Path::new(&job_file()).with_file_name("bank_marketing.csv.gz").display().to_string();

    assert_eq!(code(&syndic(&["job", "check", &job, "--institutions", "8"])), 0);
    let checked = syndic(&["job", "check", &job, "--institutions", "5", "--json"]);
    let columns = ["--site-column", "site", "--fold-column", "fold", "--test-fold", "0"];
    let ran =
        [&["sandbox", "--job", &job, "--table", &table, "--out", &out, "--json"][..], &columns].concat();
    let ran = syndic(&ran);

    for output in [checked, ran] {
        assert_eq!(code(&output), 2, "{}", text(&output.stderr));
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["code"], "cohort.drawn");
        assert!(!text(&output.stdout).contains("listening"), "{}", text(&output.stdout));
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_good_job_is_checked_with_exit_code_0() {
    let output = syndic(&["job", "check", &job_file()]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("bank-marketing for marketing-response"));
    let output = syndic(&["job", "check", "--json", &job_file()]);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["job"], "bank-marketing");
}

#[test]
fn an_unparsable_job_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("job.toml");
    std::fs::write(&file, "[job]\nid = \"x\nname").unwrap();
    let output = syndic(&["job", "check", file.to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("line 2"), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_draft_from_a_table_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let (table, job) = (folder.path().join("t.csv"), folder.path().join("job.toml"));
    let rows: String = (0..100).map(|row| format!("{},{},s{}\n", 20 + row % 50, row % 2, row % 3)).collect();
    std::fs::write(&table, format!("age,churn,site\n{rows}")).unwrap();
    let (table, job) = (table.to_str().unwrap(), job.to_str().unwrap());
    let output = syndic(&["job", "init", "--table", table, "--label", "churn", "--out", job]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(code(&syndic(&["job", "check", job])), 0);
    let again = syndic(&["job", "init", "--table", table, "--out", job]);
    assert_eq!(code(&again), 2);
    assert!(text(&again.stderr).contains("error[file.exists]"));
}

#[test]
fn bad_input_to_a_sandbox_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (table, out) = (folder.path().join("t.csv"), folder.path().join("out"));
    std::fs::write(&table, "age,label\n30,1\n").unwrap();
    let (table, out_text) = (table.to_str().unwrap(), out.to_str().unwrap());
    let job = job_file();
    let mut arguments = vec!["sandbox", "--job", &job, "--table", table, "--site-column", "site"];
    arguments.extend(["--fold-column", "fold", "--test-fold", "0", "--out", out_text, "--json"]);
    let output = syndic(&arguments);
    assert_eq!(code(&output), 2);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "data.column-missing");
    assert!(!out.exists());
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.doc"), "years of work").unwrap();
    let output = syndic(&["demo", "--out", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("error[out.not-empty]"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_ledger_that_is_not_there_is_bad_input_and_a_torn_one_is_unverified() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    assert_eq!(code(&syndic(&["ledger", "verify", absent.to_str().unwrap()])), 2);
    let output = syndic(&["ledger", "verify", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), 4);
    assert!(text(&output.stderr).contains("error[ledger.file-missing]"));
}

#[test]
fn a_privacy_plan_is_printed_and_drawn_once() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("epsilon.svg");
    let plan = "privacy plan --rate 0.1 --steps 100 --delta 1e-5 --noise 4 --institutions 5";
    let mut arguments: Vec<&str> = plan.split(' ').collect();
    arguments.extend(["--plot", picture.to_str().unwrap()]);

    let output = syndic(&arguments);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    // Google dp-accounting 0.6.0 has 1.0817 and 0.9829.
    assert!(text(&output.stdout).contains("1.0818 by rdp, 0.9829 by pld"), "{}", text(&output.stdout));
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg "));

    arguments.push("--json");
    let output = syndic(&arguments);
    assert_eq!(code(&output), 2, "the picture is there already");
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "file.exists");
    assert!(error["error"]["in"].as_str().unwrap().starts_with("--plot "), "{error}");
    assert!(output.stdout.is_empty());

    std::fs::remove_file(&picture).unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&syndic(&arguments).stdout).unwrap();
    assert!((plan["spent"]["rdp"].as_f64().unwrap() - 1.0817).abs() < 1e-4, "{plan}");
}

#[test]
fn a_privacy_plan_that_makes_no_sense_is_bad_input() {
    let plan = "privacy plan --rate 2 --steps 100 --delta 1e-5 --noise 4 --json";
    let output = syndic(&plan.split(' ').collect::<Vec<_>>());
    assert_eq!(code(&output), 2);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["in"]), (&"privacy.rate".into(), &"--rate".into()));
    assert!(output.stdout.is_empty());
}
