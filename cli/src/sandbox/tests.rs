use super::*;
use crate::result::Traffic;
use crate::sandbox::fixture::{JOB, table_text};
use crate::view::Quiet;
use std::path::Path;
use syndic_coordinator::event::{Event, Missing};
use syndic_learning::Model;
use syndic_learning::reference::fit;
use syndic_round::{Carrier, RoundId};

fn options(folder: &Path, rows: u64) -> SandboxOptions {
    let table = folder.join("table.csv");
    std::fs::write(&table, table_text(rows)).unwrap();
    SandboxOptions {
        job: JobFile { name: "job.toml".into(), text: JOB.into() },
        source: Source::File(table),
        columns: Columns {
            site: "site".into(),
            fold: "fold".into(),
            test_fold: "0".into(),
            validation_fold: None,
            participants: Some(4),
        },
        out: folder.join("out"),
        rounds: Some(2),
        seed: 7,
        stop: Stop::One,
        trainer: None,
        alone: true,
        citation: None,
        command: "syndic".into(),
        demo: false,
    }
}

/// Stands where the federation stands: tells what one would tell, and trains in the open.
async fn in_the_open(run: Run<'_>, observer: &mut Observer) -> Result<Finished> {
    let names: Vec<String> = run.sites.iter().map(|site| site.name.clone()).collect();
    let tables: Vec<_> = run.sites.iter().map(|site| &*site.table).collect();
    let model = fit(run.job, &tables).expect("the fixture has both classes");
    let rounds = run.job.rounds.count;
    observer.event(&Event::JobStarted {
        admitted: names.len() as u16,
        job: run.job.identity.id.to_string(),
        rounds,
        participants: names.clone(),
        threshold: 3,
        parameter_set: "KSA-S32",
        small_vectors: run.job.protection.small_vectors,
    });
    for number in 1..=rounds {
        for (kind, half) in [("train", 0), ("evaluate", 1)] {
            let id = RoundId { round: 2 * number + half, attempt: 1 };
            let training_round = Some(number);
            observer.event(&Event::RoundOpened {
                id,
                kind,
                training_round,
                values: 4,
                padded: 2048,
                carrier: Carrier::Ring,
            });
            let (survivors, missing) = match number {
                1 => (
                    names[1..].to_vec(),
                    vec![Missing { participant: names[0].clone(), reason: "stopped".into() }],
                ),
                _ => (names.clone(), Vec::new()),
            };
            let upload_bytes = 8192 * survivors.len() as u64;
            observer.event(&Event::RoundClosed {
                id,
                checked: true,
                kind,
                survivors,
                missing,
                wrong_reveals: Vec::new(),
                millis: 100,
                upload_bytes,
                key_share_bytes: 40_000,
            });
        }
        observer.event(&Event::Metrics {
            training_round: number,
            rows: "test",
            roc_auc: 0.8,
            pr_auc: 0.7,
            log_loss: 0.4,
        });
    }
    std::fs::create_dir_all(&run.ledger).unwrap();
    std::fs::write(run.state.join("secret"), b"key").unwrap();
    Ok(Finished {
        outcome: syndic_learning::Outcome {
            model,
            released_round: rounds,
            fit: None,
            fairness: None,
            drift: None,
            privacy: None,
        },
        provenance: BTreeMap::new(),
        clipped: 0,
        ledger: LedgerHead { size: 9, root: "ab".repeat(32), key: "name+hash+key".into() },
        encrypt_ns_per_parameter: 12.5,
        stopped: run.stop_one.then(|| names[0].clone()),
    })
}

fn observer() -> Observer {
    Observer::new(Box::new(Quiet))
}

fn names(out: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_run_leaves_result_report_model_and_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), 1200);
    let result = execute(&options, &mut observer(), in_the_open).await.unwrap();
    assert_eq!(
        names(&options.out),
        ["ledger", "model.json", "model.safetensors", "report.html", "result.json"]
    );
    let file = std::fs::read_to_string(options.out.join("result.json")).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&file).unwrap(), result);
    let weights = std::fs::read(options.out.join("model.safetensors")).unwrap();
    let card = std::fs::read_to_string(options.out.join("model.json")).unwrap();
    assert!(Model::load(&weights, &card).is_ok());
}

#[tokio::test]
async fn figures_come_from_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let result = execute(&options(folder.path(), 1200), &mut observer(), in_the_open).await.unwrap();
    // The stand-in trains as pooling does, so both are scored the same.
    assert_eq!(result.metrics.federated, result.metrics.pooled);
    assert_eq!(result.metrics.alone.len(), 4);
    assert_eq!((result.rounds.completed, result.rounds.evaluation, result.rounds.abandoned), (2, 2, 0));
    assert_eq!(result.protection.bytes_per_parameter, 4.0);
    assert_eq!((result.protection.upload_bytes_per_round, result.protection.key_share_bytes), (8192, 10_000));
    // Of four, in the first of two training rounds one submits nothing: (3 + 4) * 8192 * 2 bytes, and the shares.
    assert_eq!(result.traffic, Traffic { round_bytes_median: 34_336, job_bytes: 68_672 });
    assert_eq!((result.data.rows, result.data.test_rows), (1200, 240));
    assert_eq!(result.data.training_rows.values().sum::<u64>(), 960);
    assert_eq!(
        result.options,
        crate::result::RunOptions { rounds: 2, seed: 7, stopped: Some(result.participants[0].clone()) }
    );
}

#[tokio::test]
async fn an_abandoned_job_leaves_its_ledger_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path(), 300);
    let abandon = async |run: Run<'_>, _: &mut Observer| {
        std::fs::create_dir_all(&run.ledger).unwrap();
        Err(Error::abandoned("job.abandoned", "too few institutions answered"))
    };
    let error = execute(&options, &mut observer(), abandon).await.unwrap_err();
    assert_eq!(error.exit(), 1);
    assert_eq!(names(&options.out), ["abandoned.json", "ledger"]);
    let record = std::fs::read_to_string(options.out.join("abandoned.json")).unwrap();
    assert!(record.contains("too few institutions answered"));
    execute(&options, &mut observer(), in_the_open).await.unwrap();
    assert!(!options.out.join("abandoned.json").exists());
}

#[tokio::test]
async fn bad_input_starts_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let never =
        async |_: Run<'_>, _: &mut Observer| -> Result<Finished> { panic!("the federation was started") };
    type Spoil = fn(&mut SandboxOptions);
    let cases: [(&str, Spoil); 8] = [
        ("job.syntax", |options| options.job.text = "[job".into()),
        ("data.column-missing", |options| options.columns.site = "branch".into()),
        ("options.contract-column", |options| options.columns.site = "job".into()),
        ("options.contract-column", |options| options.columns.fold = "age".into()),
        ("data.unknown-fold", |options| options.columns.test_fold = "9".into()),
        ("data.site-count", |options| options.columns.participants = Some(2)),
        ("options.nobody-to-stop", |options| options.columns.participants = Some(3)),
        ("file.unreadable", |options| options.source = Source::File("/nonexistent.csv".into())),
    ];
    for (code, spoil) in cases {
        let mut options = options(folder.path(), 300);
        spoil(&mut options);
        let error = execute(&options, &mut observer(), never).await.unwrap_err();
        assert_eq!((error.code(), error.exit()), (code, 2), "{}", error.render());
        assert!(!options.out.exists(), "{code}");
    }
}

/// The job that the institutions are given, and what was said before; the federation ends at once.
async fn job_given(options: &SandboxOptions) -> (syndic_learning::Job, String, Vec<Notice>) {
    #[derive(Clone, Default)]
    struct Heard(std::sync::Arc<std::sync::Mutex<Vec<Notice>>>);
    impl crate::view::View for Heard {
        fn event(&mut self, _: &Event, _: &crate::history::History) {}
        fn notice(&mut self, notice: &Notice) {
            self.0.lock().unwrap().push(notice.clone());
        }
        fn described(&mut self, _: &crate::statistics::result::DescribedResult, _: &str) {}

        fn finished(&mut self, _: &RunResult, _: &str) {}
    }
    let (heard, mut given) = (Heard::default(), None);
    let seen = async |run: Run<'_>, _: &mut Observer| {
        given = Some((run.job.clone(), run.job_text.to_owned()));
        Err(Error::world("test.seen", "enough"))
    };
    let mut observer = Observer::new(Box::new(heard.clone()));
    assert_eq!(execute(options, &mut observer, seen).await.unwrap_err().code(), "test.seen");
    let (job, text) = given.unwrap();
    let notices = heard.0.lock().unwrap().clone();
    (job, text, notices)
}

#[tokio::test]
async fn a_deliberate_stop_shortens_the_collect_deadline_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), 300);
    let (job, text, notices) = job_given(&options).await;
    assert_eq!(job.rounds.deadlines.collect_seconds, 5);
    assert_eq!(syndic_learning::Job::from_toml(&text).unwrap(), job);
    assert!(notices.contains(&Notice::CollectShortened { collect_seconds: 5, job_seconds: 600 }));

    options.stop = Stop::Nobody;
    let (job, _, notices) = job_given(&options).await;
    assert_eq!(job.rounds.deadlines.collect_seconds, 600);
    assert!(!notices.iter().any(|notice| matches!(notice, Notice::CollectShortened { .. })));
}

#[tokio::test]
async fn a_shorter_deadline_of_the_job_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), 300);
    options.job.text = JOB.replacen("count = 4", "count = 4\ndeadlines = { collect_seconds = 3 }", 1);
    let (job, _, notices) = job_given(&options).await;
    assert_eq!(job.rounds.deadlines.collect_seconds, 3);
    assert!(!notices.iter().any(|notice| matches!(notice, Notice::CollectShortened { .. })));
}

#[tokio::test]
async fn where_updates_are_shared_a_stop_shortens_the_deadlines_of_shares_and_reveals_instead() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), 300);
    let deadlines = "count = 4\ndeadlines = { share_seconds = 70, reveal_seconds = 3 }";
    options.job.text = JOB.replacen("count = 4", deadlines, 1).replacen(
        "[protection]",
        "[protection]\nsmall_vectors = \"shared\"",
        1,
    );
    let (job, text, notices) = job_given(&options).await;
    let shorter = job.rounds.deadlines;
    assert_eq!((shorter.share_seconds, shorter.reveal_seconds, shorter.collect_seconds), (5, 3, 600));
    assert_eq!(syndic_learning::Job::from_toml(&text).unwrap(), job);
    assert!(notices.contains(&Notice::SharesShortened {
        share_seconds: 5,
        reveal_seconds: 3,
        job_share_seconds: 70,
        job_reveal_seconds: 3,
    }));

    options.stop = Stop::Nobody;
    let (job, _, _) = job_given(&options).await;
    assert_eq!(job.rounds.deadlines.share_seconds, 70);
}

#[tokio::test]
async fn where_nobody_can_be_stopped_the_job_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path(), 300);
    (options.stop, options.columns.participants, options.rounds) = (Stop::IfPossible, None, None);
    let (job, text, notices) = job_given(&options).await;
    assert_eq!(job.rounds.deadlines.collect_seconds, 600);
    assert_eq!(text, JOB);
    assert!(notices.contains(&Notice::NobodyToStop { institutions: 3 }));
}

#[tokio::test]
async fn the_demo_reads_its_own_table_and_stops_nobody_where_all_are_needed() {
    let folder = tempfile::tempdir().unwrap();
    let options = SandboxOptions::from(demo::DemoOptions {
        rounds: None,
        seed: 1,
        out: folder.path().join("demo"),
        participants: Some(3),
        drop: true,
        command: "syndic".into(),
    });
    let seen = async |run: Run<'_>, _: &mut Observer| {
        assert!(!run.stop_one);
        assert_eq!(run.job.rounds.count, 20);
        let rows: usize = run.sites.iter().map(|site| site.table.rows()).sum();
        assert_eq!((run.sites.len(), rows), (3, 45_211));
        Err(Error::world("test.seen", "enough"))
    };
    let error = execute(&options, &mut observer(), seen).await.unwrap_err();
    assert_eq!(error.code(), "test.seen", "{}", error.render());
    assert!(!options.out.exists());
}
