//! What the agent makes of its external trainer: it hands over rows and numbers and nothing else, and takes nothing that is not
//! an answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[allow(dead_code, reason = "other tests use more of it")]
mod scripted;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use scripted::{NAME, Script, Step, bytes, metric, rows_in, scores, training_rows, update};
use syndic_learning::program::external::{ExternalQuestion, ExternalState};
use syndic_learning::program::statistics::Count;
use syndic_learning::{Job, Role, Standardisation, Table, TableBuilder};
use syndic_participant::config::Config;
use syndic_participant::trainer::{Trained, Trainer, TrainerConfig, TrainerError};
use syndic_proto::trainer::v1::{
    ScorePart, ScoredPart, TrainPart, TrainedPart, column, score_part, train_part,
};

const JOB: &str = r#"
[job]
id = "outside"
purpose = "test"
description = "Learnt by somebody else."

[contract]
name = "outside"

[contract.label]
column = "label"
positive = "1"

[[contract.columns]]
name = "age"
type = "numeric"
min = 0
max = 200

[[contract.columns]]
name = "job"
type = "categorical"
levels = ["field", "office"]

[program]
name = "external"
trainer = "scripted/1"
clip = 2
settings = { layers = [3], rate = 0.5 }
tensors = [{ name = "a", shape = [2] }, { name = "b", shape = [] }]

[rounds]
count = 3

[privacy]
mode = "none"

[protection]
parameter_set = "KSA-S32"
"#;

fn job() -> Job {
    Job::from_toml(JOB).unwrap()
}

/// Of five rows, three are to train on, one to validate with and one to test with.
fn table(rows: u64) -> Arc<Table> {
    let mut table = TableBuilder::new(&job().contract, &["age", "job", "label"]).unwrap();
    for row in 0..rows {
        let role = [Role::Train, Role::Train, Role::Train, Role::Validation, Role::Test][row as usize % 5];
        let (age, job) = ((20 + row % 50).to_string(), ["field", "office"][row as usize % 2]);
        table.push(row, &[&age, job, if row % 3 == 0 { "1" } else { "0" }], role);
    }
    Arc::new(table.finish().unwrap())
}

fn state() -> ExternalState {
    ExternalState {
        parameters: vec![0.5, -0.25, 1.0],
        standardisation: Standardisation { mean: vec![40.0], sd: vec![7.0] },
        training: Count { rows: 100, positives: 30 },
    }
}

fn question() -> ExternalQuestion {
    ExternalQuestion { training_round: 2, clip: 2.0, max_rows: 1_000_000, state: state() }
}

async fn train(config: TrainerConfig) -> Result<Trained, TrainerError> {
    Trainer::new(config).train(&job(), &table(50), &question(), 7).await
}

/// The code with which training by a trainer like this ends.
async fn refused(script: Script) -> &'static str {
    let trainer = script.start();
    train(trainer.config()).await.expect_err("it is no update").code()
}

fn trains(steps: Vec<Step<TrainedPart>>) -> Script {
    Script::idle(3).training(steps)
}

fn says(parts: Vec<TrainedPart>) -> Script {
    trains(parts.into_iter().map(Step::Say).collect())
}

#[tokio::test]
async fn an_update_and_its_metrics_come_back_as_they_were_said() {
    let parts = vec![metric("loss", 0.5), update(0, &[1.0]), update(0, &[-2.0]), metric("auc", 0.7)];
    let trainer = says([parts, vec![update(1, &[3.5])]].concat()).start();

    let trained = train(trainer.config()).await.unwrap();

    assert_eq!(trained.update, [1.0, -2.0, 3.5]);
    assert_eq!(trained.metrics, [("loss".to_owned(), 0.5), ("auc".to_owned(), 0.7)]);
}

#[tokio::test]
async fn a_trainer_is_given_training_rows_and_numbers_and_no_more() {
    let trainer =
        Script::idle(0).training(vec![Step::Say(update(0, &[0.0; 2])), Step::Say(update(1, &[0.0]))]);
    let trainer = trainer.start();
    // More rows than fit a message.
    let table = table(300_000);

    let answered = Trainer::new(trainer.config()).train(&job(), &table, &question(), 7).await;

    answered.unwrap();
    let heard = trainer.heard().training.lock().unwrap();
    let parts = &heard[0];
    let Some(TrainPart { part: Some(train_part::Part::Task(task)) }) = parts.first() else {
        panic!("no task")
    };
    let model = task.model.as_ref().unwrap();
    assert_eq!((task.rows, task.round, task.clip, task.seed, task.seconds), (180_000, 2, 2.0, 7, 120.0));
    assert_eq!((model.job.as_str(), model.contract.as_str()), ("outside", "outside.v1"));
    assert_eq!((model.federation_rows, model.federation_positives), (100, 30));
    assert_eq!(model.settings, r#"{"layers":[3],"rate":0.5}"#);
    assert_eq!(model.tensors.iter().map(|of| of.shape.clone()).collect::<Vec<_>>(), [vec![2], vec![]]);
    let Some(column::Kind::Numeric(age)) = &model.columns[0].kind else { panic!("a numeric column") };
    assert_eq!((age.mean, age.deviation), (40.0, 7.0));
    let Some(column::Kind::Categorical(job)) = &model.columns[1].kind else { panic!("a categorical column") };
    assert_eq!(job.levels, ["field", "office"]);
    let parameters = parts.iter().filter_map(|part| match &part.part {
        Some(train_part::Part::Parameters(part)) => Some(part.values.to_vec()),
        _ => None,
    });
    assert_eq!(parameters.collect::<Vec<_>>().concat(), bytes(&state().parameters));
    let rows = training_rows(parts);
    assert!(rows.len() > 1 && rows_in(rows.iter().copied()) == 180_000);
    let (mut ages, mut jobs, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for part in rows {
        assert!(part.columns.iter().map(|column| column.len()).sum::<usize>() <= 1 << 20);
        ages.extend_from_slice(&part.columns[0]);
        jobs.extend_from_slice(&part.columns[1]);
        labels.extend_from_slice(&part.labels);
    }
    let wanted = table.rows_for(Role::Train);
    let expected: Vec<f64> = wanted.iter().map(|&row| 20.0 + (row % 50) as f64).collect();
    assert_eq!(ages, bytes(&expected));
    let expected: Vec<u8> = wanted.iter().flat_map(|&row| ((row % 2) as u16).to_le_bytes()).collect();
    assert_eq!(jobs, expected);
    let expected: Vec<u8> = wanted.iter().map(|&row| u8::from(row % 3 == 0)).collect();
    assert_eq!(labels, expected);
}

#[tokio::test]
async fn rows_to_score_are_given_without_their_labels() {
    let trainer = Script::idle(3).start();
    let scored = Trainer::new(trainer.config());

    scored.score(&job(), &table(50), &state(), &[Role::Test, Role::Validation]).await.unwrap();

    let heard = trainer.heard().scoring.lock().unwrap();
    let rows: Vec<_> = heard[0]
        .iter()
        .filter_map(|ScorePart { part }| match part {
            Some(score_part::Part::Rows(rows)) => Some(rows),
            _ => None,
        })
        .collect();
    assert_eq!(rows_in(rows.iter().copied()), 20);
    assert!(rows.iter().all(|part| part.labels.is_empty()));
}

#[tokio::test]
async fn a_trainer_that_is_away_is_unreachable() {
    let trainer = Script::idle(3).start();
    let config = trainer.config();
    let elsewhere = TrainerConfig { socket: trainer.socket().with_file_name("other"), ..config.clone() };
    assert_eq!(train(elsewhere).await.unwrap_err().code(), "trainer.unreachable");
    // A socket that nobody listens on any more.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert_eq!(train(TrainerConfig { socket, ..config }).await.unwrap_err().code(), "trainer.unreachable");
}

#[tokio::test]
async fn a_trainer_that_does_not_answer_is_not_waited_for() {
    for steps in [vec![Step::Wait], vec![Step::Say(update(0, &[1.0])), Step::Wait]] {
        let trainer = trains(steps).start();
        let config = TrainerConfig { timeout_seconds: 1, ..trainer.config() };
        assert_eq!(train(config).await.unwrap_err().code(), "trainer.timed-out");
    }
}

#[tokio::test]
async fn a_trainer_that_dies_in_the_middle_has_not_answered() {
    for steps in [vec![Step::Die], vec![Step::Say(update(0, &[1.0])), Step::Die]] {
        assert_eq!(refused(trains(steps)).await, "trainer.died");
    }
}

#[tokio::test]
async fn an_update_of_another_shape_is_none() {
    let whole = || vec![update(0, &[1.0, 1.0]), update(1, &[1.0])];
    let cut = |bytes: Vec<u8>| {
        let mut part = update(0, &[]);
        let Some(syndic_proto::trainer::v1::trained_part::Part::Update(of)) = &mut part.part else {
            panic!()
        };
        of.values = bytes.into();
        part
    };
    for parts in [
        vec![],
        vec![update(0, &[1.0, 1.0])],
        vec![update(0, &[1.0]), update(1, &[1.0])],
        vec![update(0, &[1.0, 1.0, 1.0])],
        vec![update(0, &[1.0, 1.0]), update(1, &[1.0, 1.0])],
        vec![update(1, &[1.0]), update(0, &[1.0, 1.0])],
        [whole(), whole()].concat(),
        [whole(), vec![update(0, &[])]].concat(),
        vec![TrainedPart { part: None }],
        vec![cut(vec![0; 12])],
        vec![cut(Vec::new())],
    ] {
        assert_eq!(refused(says(parts.clone())).await, "trainer.bad-update", "{parts:?}");
    }
}

#[tokio::test]
async fn an_update_that_is_not_finite_is_none() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(says(vec![update(0, &[number, 0.0])])).await, "trainer.bad-update");
    }
}

#[tokio::test]
async fn a_trainer_that_says_more_than_it_was_asked_is_not_listened_to() {
    let huge = vec![0.0; 5 << 17];
    assert_eq!(refused(says(vec![update(0, &huge)])).await, "trainer.too-large");
    let many = (0..65).map(|_| metric("loss", 1.0)).collect();
    assert_eq!(refused(says(many)).await, "trainer.bad-update");
    assert_eq!(refused(says(vec![metric(&"x".repeat(65), 1.0)])).await, "trainer.bad-update");
}

#[tokio::test]
async fn what_a_trainer_says_in_words_is_no_part_of_the_code() {
    let trainer = trains(vec![Step::Refuse("Jane Doe owes 8731")]).start();
    let error = train(trainer.config()).await.unwrap_err();
    assert_eq!(error.code(), "trainer.refused");
    assert!(error.to_string().contains("Jane Doe"), "its own institution reads it");
}

#[tokio::test]
async fn another_trainer_and_one_that_cannot_are_not_asked() {
    let mut other = Script::idle(3);
    other.description.version = "2".into();
    assert_eq!(refused(other).await, "trainer.other");
    let mut unable = Script::idle(3);
    unable.description.trains = false;
    assert_eq!(refused(unable).await, "trainer.unable");
    let trainer = Script::idle(3).start();
    let config = TrainerConfig { name: "another/1".into(), ..trainer.config() };
    assert_eq!(train(config).await.unwrap_err().code(), "trainer.not-offered");
    assert!(trainer.heard().training.lock().unwrap().is_empty(), "nothing was handed over");
}

#[tokio::test]
async fn missing_values_go_to_a_trainer_that_takes_them_and_to_no_other() {
    let text = JOB.replace("max = 200", "max = 200\nnullable = true");
    let job = Job::from_toml(&text.replace("\"office\"]", "\"office\"]\nnullable = true")).unwrap();
    let mut table = TableBuilder::new(&job.contract, &["age", "job", "label"]).unwrap();
    for (row, cells) in [["30", "", "1"], ["", "office", "0"], ["50", "field", "0"]].iter().enumerate() {
        table.push(row as u64, cells, Role::Train);
    }
    table.push(3, &["", "", "1"], Role::Test);
    let table = Arc::new(table.finish().unwrap());
    let told = |takes_missing| {
        let mut script = says(vec![update(0, &[0.0; 2]), update(1, &[0.0])]);
        script.description.takes_missing = takes_missing;
        script.start()
    };

    let old = told(false);
    let asked = Trainer::new(old.config());
    let codes = [
        asked.present(&job).await.map_err(|error| error.code()),
        asked.train(&job, &table, &question(), 7).await.map(drop).map_err(|error| error.code()),
        asked.score(&job, &table, &state(), &[Role::Test]).await.map(drop).map_err(|error| error.code()),
    ];
    assert_eq!(codes, [Err("trainer.unable"); 3]);
    assert!(
        old.heard().training.lock().unwrap().is_empty() && old.heard().scoring.lock().unwrap().is_empty()
    );

    let new = told(true);
    let asked = Trainer::new(new.config());
    asked.present(&job).await.unwrap();
    asked.train(&job, &table, &question(), 7).await.unwrap();
    asked.score(&job, &table, &state(), &[Role::Test]).await.unwrap();
    let heard = new.heard().training.lock().unwrap();
    let Some(train_part::Part::Task(task)) = &heard[0][0].part else { panic!("the task comes first") };
    assert!(task.model.as_ref().unwrap().columns.iter().all(|column| column.nullable));
    let rows = training_rows(&heard[0])[0];
    let numbers = [30.0_f64.to_bits(), 0x7ff8_0000_0000_0000, 50.0_f64.to_bits()];
    assert_eq!(rows.columns[0], numbers.map(u64::to_le_bytes).concat());
    assert_eq!(rows.columns[1], [2_u16, 1, 0].map(u16::to_le_bytes).concat(), "behind the last level");
}

#[test]
fn the_units_of_systemd_let_the_agent_use_its_trainers_socket() {
    let unit = include_str!("../../../deploy/systemd/syndic-participant.service");
    let families = unit.lines().find_map(|line| line.strip_prefix("RestrictAddressFamilies=")).unwrap();
    let families: Vec<&str> = families.split_whitespace().collect();
    assert_eq!(
        families,
        ["AF_UNIX", "AF_INET", "AF_INET6"],
        "and a database's, beside the coordinator's TCP"
    );
}

#[tokio::test]
async fn scores_that_are_not_one_probability_for_each_row_are_none() {
    let score = async |parts: Vec<ScoredPart>| {
        let steps = parts.into_iter().map(Step::Say).collect();
        let trainer = Script::idle(3).scoring(steps).start();
        let asked = Trainer::new(trainer.config());
        asked.score(&job(), &table(50), &state(), &[Role::Test]).await.map(drop).map_err(|error| error.code())
    };
    assert_eq!(score(vec![scores(&[0.5; 4]), scores(&[1.0; 6])]).await, Ok(()));
    let bad = Err("trainer.bad-scores");
    assert_eq!(score(vec![]).await, bad);
    assert_eq!(score(vec![scores(&[0.5; 9])]).await, bad);
    assert_eq!(score(vec![scores(&[0.5; 11])]).await, bad);
    for number in [f64::NAN, 1.1, -0.1, f64::INFINITY] {
        assert_eq!(score(vec![scores(&[number; 10])]).await, bad);
    }
}

#[tokio::test]
async fn a_socket_that_others_could_use_or_replace_is_not_used() {
    let code = async |folder: u32, socket: u32, uid: Option<u32>| {
        let trainer = says(vec![update(0, &[0.0; 2]), update(1, &[0.0])]).start();
        let path = trainer.socket();
        set_permissions(&path, Permissions::from_mode(socket)).unwrap();
        set_permissions(path.parent().unwrap(), Permissions::from_mode(folder)).unwrap();
        let config = TrainerConfig { uid, ..trainer.config() };
        let answered = train(config).await.map(drop).map_err(|error| error.code());
        (answered, trainer.heard().training.lock().unwrap().len())
    };
    let (used, refused) = ((Ok(()), 1), (Err("trainer.unsafe-socket"), 0));
    assert_eq!(code(0o700, 0o600, None).await, used);
    assert_eq!(code(0o700, 0o666, None).await, used, "nobody else gets as far as the socket");
    assert_eq!(code(0o755, 0o600, None).await, used);
    assert_eq!(code(0o755, 0o666, None).await, refused);
    assert_eq!(code(0o750, 0o660, None).await, refused, "a group is let in where `uid` says whose");
    assert_eq!(code(0o777, 0o600, None).await, refused, "whoever writes the folder replaces the socket");
    assert_eq!(code(0o770, 0o600, None).await, refused);
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(code(0o750, 0o660, Some(own)).await, used);
    assert_eq!(code(0o755, 0o666, Some(own)).await, refused);
    assert_eq!(code(0o700, 0o600, Some(own + 1)).await, refused);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config = TrainerConfig { socket: file, name: NAME.into(), timeout_seconds: 5, uid: None };
    assert_eq!(train(config).await.unwrap_err().code(), "trainer.unsafe-socket");
}

#[test]
fn a_configuration_names_a_trainer_with_its_version_and_its_socket_beside_the_file() {
    let sample = include_str!("../../../deploy/participant.toml");
    let folder = tempfile::tempdir().unwrap();
    let load = |section: &str| {
        let path = folder.path().join("participant.toml");
        std::fs::write(&path, format!("{sample}\n[trainer]\n{section}\n")).unwrap();
        Config::load(&path).map_err(|error| error.to_string())
    };
    let trainer = load("socket = \"own/socket\"\nname = \"numpy-logistic/1\"").unwrap().trainer.unwrap();
    assert_eq!(trainer.socket, folder.path().join("own/socket"));
    assert_eq!((trainer.timeout_seconds, trainer.uid), (600, None));
    for bad in [
        "socket = \"own/socket\"",
        "name = \"numpy-logistic/1\"",
        "socket = \"own/socket\"\nname = \"numpy-logistic\"",
        "socket = \"own/socket\"\nname = \"numpy-logistic/1\"\ntimeout_seconds = 0",
        "socket = \"own/socket\"\nname = \"numpy-logistic/1\"\ntimeout = 9",
    ] {
        assert!(load(bad).is_err(), "{bad}");
    }
}
