//! The section `[cohort]`, and whom it admits.

use syndic_round::{Digest, JobId, Member, ParticipantId, Roster, question_fingerprint};

use super::*;

const COHORT: &str = "\n[cohort]\nmembers = [\"bank-1\", \"bank-2\", \"bank-4\", \"bank-5\", \"bank-7\", \"bank-9\"]\neach_round = 5\n";

fn roster(members: u16) -> Roster {
    let member = |number| Member {
        id: ParticipantId::new(number).unwrap(),
        name: format!("bank-{number}"),
        signing_key: [number as u8; 32],
    };
    Roster {
        federation: "test".into(),
        members: (1..=members).map(member).collect(),
        coordinator_key: [0; 32],
        approvers: Vec::new(),
    }
}

fn file(cohort: &str) -> String {
    format!("{FILE}{cohort}")
}

#[test]
fn a_job_is_of_those_it_names_and_draws_so_many_of_them() {
    let text = file(COHORT);
    let (job, terms) = Terms::of(&text, &roster(9)).unwrap();
    assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
    let numbers: Vec<u16> = terms.admission.institutions().iter().map(|id| id.get()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 7, 9]);
    assert_eq!((terms.protection.admitted(), terms.protection.threshold()), (5, 4));
    let place = question_fingerprint(&JobId::new("any").unwrap(), "train/1");
    assert_eq!(terms.admission.of_question(Digest::of(text.as_bytes()), place).len(), 5);

    let (_, all) = Terms::of(FILE, &roster(5)).unwrap();
    assert!(!all.admission.is_by_lot());
    assert_eq!((all.admission.institutions().len(), all.protection.admitted()), (5, 5));
    assert!(!Job::from_toml(FILE).unwrap().to_toml().unwrap().contains("cohort"));
}

#[test]
fn who_is_no_member_is_named_and_more_than_there_are_cannot_be_drawn() {
    let refused = Terms::of(&file(COHORT), &roster(8)).unwrap_err();
    assert_eq!(refused.code(), "cohort.no-member");
    assert!(refused.to_string().contains("`bank-9`"), "{refused}");
    let refused = Terms::of(&file("\n[cohort]\neach_round = 5\n"), &roster(4)).unwrap_err();
    assert_eq!(refused.code(), "cohort.drawn");
}

#[test]
fn a_cohort_that_cannot_be_is_refused_with_its_line() {
    let cases = [
        ("\"bank-9\"", "\"bank-1\"", "cohort.twice"),
        ("\"bank-9\"", "9", "job.wrong-type"),
        ("each_round = 5", "each_round = 7", "cohort.drawn"),
        ("each_round = 5", "each_round = 2", "job.out-of-range"),
        ("each_round = 5", "every_round = 5", "job.unknown-key"),
        ("each_round = 5", "each_round = 3", "plan.threshold-unreachable"),
        ("\"bank-9\"", "\"\"", "job.bad-phrase"),
        ("\"bank-1\", \"bank-2\", \"bank-4\", \"bank-5\", ", "", "cohort.too-few"),
    ];
    for (from, to, code) in cases {
        assert!(COHORT.contains(from), "{from}");
        let errors = Job::from_toml(&file(&COHORT.replacen(from, to, 1))).expect_err(to);
        assert_eq!(errors[0].code, code, "{to}: {errors:?}");
        assert!(errors[0].line.is_some() && !errors[0].help.is_empty(), "{to}");
    }
}

#[test]
fn programs_that_add_up_what_one_set_holds_refuse_a_lot() {
    let newton = FILE.replace("solver = \"fed-avg\"", "solver = \"newton\"");
    assert_ne!(newton, FILE);
    let newton: String = newton
        .lines()
        .filter(|line| !OF_FED_AVG.iter().any(|key| line.starts_with(key)))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(Job::from_toml(&newton).is_ok());
    let errors = Job::from_toml(&format!("{newton}\n[cohort]\neach_round = 5\n")).unwrap_err();
    assert_eq!(errors[0].code, "cohort.not-by-lot");
}

const OF_FED_AVG: [&str; 4] = ["local_epochs", "batch_size", "learning_rate", "learning_rate_decay"];
