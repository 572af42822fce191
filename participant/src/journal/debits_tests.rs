use syndic_learning::privacy::Guarantee;
use syndic_learning::privacy::budget::{Amount, Limit};
use syndic_round::Digest;
use tempfile::TempDir;

use super::*;

fn debit(job: &str, epsilon: f64) -> Debit {
    Debit {
        job: job.into(),
        contract: "churn.v1".into(),
        unit: "row".into(),
        amount: Amount::of(Guarantee { epsilon, delta: 1e-6 }),
        at_ms: 17,
    }
}

fn limit(epsilon: f64) -> Option<Limit> {
    Some(Limit::of(epsilon, 1e-5))
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    (folder, path)
}

/// The digest of every job's file.
const FILE: Digest = Digest([1; 32]);

const NEW: Debited = Debited::Recorded(Recorded::New);
const SAME: Debited = Debited::Recorded(Recorded::Same);

#[tokio::test]
async fn budget_never_exceeded() {
    let (_folder, path) = folder();
    let mut spent = Amount::default();
    for job in 0..20 {
        // Opened again each time, as after a restart.
        let journal = Journal::open(&path).await.unwrap();
        let wanted = debit(&format!("job-{job}"), 0.3 + 0.2 * f64::from(job % 4));
        match journal.accept_and_debit(FILE, &wanted, limit(3.0)).await.unwrap() {
            NEW => spent = spent.and(wanted.amount),
            Debited::Refused { left } => {
                assert_eq!(left, limit(3.0).unwrap().left(spent));
                assert!(wanted.amount.micro_epsilon > left.micro_epsilon);
            }
            SAME => panic!("no job is asked about twice"),
        }
        assert!(spent.micro_epsilon <= 3_000_000);
        drop(journal);
        assert_eq!(read_account(&path).await.unwrap().spent(), spent);
    }
    assert!(spent.micro_epsilon > 2_500_000, "{spent}");
}

#[tokio::test]
async fn a_job_is_debited_once_whatever_is_left() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(journal.accept_and_debit(FILE, &debit("a", 2.0), limit(3.0)).await.unwrap(), NEW);
    assert_eq!(journal.accept_and_debit(FILE, &debit("a", 2.0), limit(3.0)).await.unwrap(), SAME);
    assert_eq!(journal.accept_and_debit(FILE, &debit("a", 2.0), limit(1.0)).await.unwrap(), SAME);
    let Debited::Refused { left } =
        journal.accept_and_debit(FILE, &debit("b", 1.5), limit(3.0)).await.unwrap()
    else {
        panic!("more than is left");
    };
    assert_eq!(left.micro_epsilon, 1_000_000);
    assert_eq!(journal.accept_and_debit(FILE, &debit("c", 1.0), limit(3.0)).await.unwrap(), NEW);
    assert_eq!(journal.accept_and_debit(FILE, &debit("d", 99.0), None).await.unwrap(), NEW);
}

#[tokio::test]
async fn a_job_keeps_the_file_that_it_was_debited_with() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(journal.accept_and_debit(FILE, &debit("a", 0.5), None).await.unwrap(), NEW);
    let other = journal.accept_and_debit(Digest([2; 32]), &debit("a", 5.0), None).await.unwrap_err();
    assert_eq!(other.code(), "journal.other-agreement");
    assert_eq!(journal.accept_job("a", FILE).await.unwrap(), Recorded::Same);
}

#[tokio::test]
async fn jobs_of_exact_sums_are_counted_beside() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    journal.accept_job("exact", FILE).await.unwrap();
    journal.accept_and_debit(FILE, &debit("noisy", 1.0), limit(1.0)).await.unwrap();
    let refused = journal.accept_and_debit(FILE, &debit("dear", 1.0), limit(1.0)).await.unwrap();
    assert!(matches!(refused, Debited::Refused { .. }), "and is no job that was accepted");
    drop(journal);
    let account = read_account(&path).await.unwrap();
    assert_eq!((account.debits, account.exact_jobs), (vec![debit("noisy", 1.0)], 1));
}

#[cfg(feature = "tap")]
#[tokio::test]
async fn whoever_dies_around_a_debit_has_debited_it_or_said_nothing() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    for moment in 0..12 {
        let (_folder, path) = folder();
        let passed = Arc::new(AtomicU32::new(0));
        let died = Arc::new(tokio::sync::Notify::new());
        let dies: Dies = {
            let died = died.clone();
            Arc::new(move || {
                let is_now = passed.fetch_add(1, Ordering::Relaxed) == moment;
                if is_now {
                    died.notify_one();
                }
                is_now
            })
        };
        let (at, told) = (path.clone(), Arc::new(AtomicU32::new(0)));
        let says = told.clone();
        // Whoever dies stops for ever there.
        let life = async move {
            // Where it cannot stop it fails.
            let Ok(journal) = Journal::open_mortal(&at, dies).await else { return };
            journal.accept_and_debit(FILE, &debit("a", 1.0), limit(1.0)).await.unwrap();
            says.store(1, Ordering::Relaxed);
        };
        tokio::select! {
            () = life => {}
            () = died.notified() => {}
        }
        let journal = Journal::open(&path).await.unwrap();
        let again = journal.accept_and_debit(FILE, &debit("a", 1.0), limit(1.0)).await.unwrap();
        if told.load(Ordering::Relaxed) == 1 {
            assert_eq!(again, SAME, "what was told is on the account: {moment}");
        }
        assert!(matches!(
            journal.accept_and_debit(FILE, &debit("b", 0.1), limit(1.0)).await.unwrap(),
            Debited::Refused { .. }
        ));
    }
}
