use syndic_learning::job::Protected;
use syndic_learning::privacy::Guarantee;
use syndic_learning::privacy::budget::{Amount, Limit};
use syndic_round::Digest;
use tempfile::TempDir;

use super::*;

fn debit(job: &str, epsilon: f64) -> Debit {
    Debit {
        job: job.into(),
        contract: "churn.v1".into(),
        unit: Protected::Row,
        amount: Amount::of(Guarantee { epsilon, delta: 1e-6 }),
        noise: Some(NoiseBasis { source: "distributed".into(), honest: 2 }),
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

async fn take_on(
    journal: &Journal,
    agreement: Digest,
    debit: &Debit,
    limit: Option<Limit>,
) -> Result<Engaged, JournalError> {
    let (job, contract) = (&*debit.job, &*debit.contract);
    let content = Digest([9; 32]);
    let engagement = Engagement { job, agreement, contract, content, is_pinned: false, debit: Some(debit) };
    journal.engage(&engagement, limit).await
}

/// The digest of every job's file.
const FILE: Digest = Digest([1; 32]);

const NEW: Engaged = Engaged::Recorded(Recorded::New);
const SAME: Engaged = Engaged::Recorded(Recorded::Same);

#[tokio::test]
async fn budget_never_exceeded() {
    let (_folder, path) = folder();
    let mut spent = Amount::default();
    for job in 0..20 {
        // Opened again each time, as after a restart.
        let journal = Journal::open(&path).await.unwrap();
        let wanted = debit(&format!("job-{job}"), 0.3 + 0.2 * f64::from(job % 4));
        match take_on(&journal, FILE, &wanted, limit(3.0)).await.unwrap() {
            NEW => spent = spent.and(wanted.amount),
            Engaged::OverBudget { left, unit: Protected::Row, needed } => {
                assert_eq!(needed, wanted.amount);
                assert_eq!(left, limit(3.0).unwrap().left(spent));
                assert!(wanted.amount.micro_epsilon > left.micro_epsilon);
            }
            other => panic!("every job is asked about once, with one contract: {other:?}"),
        }
        assert!(spent.micro_epsilon <= 3_000_000);
        drop(journal);
        assert_eq!(read_account(&path).await.unwrap().debited(Protected::Row), spent);
    }
    assert!(spent.micro_epsilon > 2_500_000, "{spent}");
}

#[tokio::test]
async fn a_job_is_debited_once_whatever_is_left() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(take_on(&journal, FILE, &debit("a", 2.0), limit(3.0)).await.unwrap(), NEW);
    assert_eq!(take_on(&journal, FILE, &debit("a", 2.0), limit(3.0)).await.unwrap(), SAME);
    assert_eq!(take_on(&journal, FILE, &debit("a", 2.0), limit(1.0)).await.unwrap(), SAME);
    let Engaged::OverBudget { left, .. } =
        take_on(&journal, FILE, &debit("b", 1.5), limit(3.0)).await.unwrap()
    else {
        panic!("more than is left");
    };
    assert_eq!(left.micro_epsilon, 1_000_000);
    assert_eq!(take_on(&journal, FILE, &debit("c", 1.0), limit(3.0)).await.unwrap(), NEW);
    assert_eq!(take_on(&journal, FILE, &debit("d", 99.0), None).await.unwrap(), NEW);
}

#[tokio::test]
async fn a_job_keeps_the_file_that_it_was_debited_with() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(take_on(&journal, FILE, &debit("a", 0.5), None).await.unwrap(), NEW);
    let other = take_on(&journal, Digest([2; 32]), &debit("a", 5.0), None).await.unwrap_err();
    assert_eq!(other.code(), "journal.other-agreement");
    assert_eq!(journal.accept_job("a", FILE).await.unwrap(), Recorded::Same);
}

#[tokio::test]
async fn jobs_of_exact_sums_are_counted_beside() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    journal.accept_job("exact", FILE).await.unwrap();
    take_on(&journal, FILE, &debit("noisy", 1.0), limit(1.0)).await.unwrap();
    let refused = take_on(&journal, FILE, &debit("dear", 1.0), limit(1.0)).await.unwrap();
    assert!(matches!(refused, Engaged::OverBudget { .. }), "and is no job that was accepted");
    drop(journal);
    let account = read_account(&path).await.unwrap();
    assert_eq!((account.debits, account.exact_jobs), (vec![debit("noisy", 1.0)], 1));
    assert!(account.carried.is_empty(), "nobody said it");
}

fn carried(epsilon: f64) -> Option<Amount> {
    Some(Amount::of(Guarantee { epsilon, delta: 1e-6 }))
}

#[tokio::test]
async fn a_new_journal_has_no_account_until_it_is_told_what_was_spent_before() {
    let (_folder, path) = folder();
    for _ in 0..2 {
        let journal = Journal::open(&path).await.unwrap();
        let refused = journal.open_account(Protected::Row, None).await.unwrap_err();
        assert_eq!(refused.code(), "budget.unknown", "also when it was opened before");
        assert!(refused.help().unwrap().contains("already_spent") && !refused.is_refusal());
    }
    let journal = Journal::open(&path).await.unwrap();
    journal.open_account(Protected::Row, carried(0.0)).await.unwrap();
    drop(journal);
    Journal::open(&path).await.unwrap().open_account(Protected::Row, None).await.unwrap();
}

#[tokio::test]
async fn what_was_spent_before_is_on_the_account_also_once_the_policy_is_silent() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    journal.open_account(Protected::Row, carried(2.5)).await.unwrap();
    drop(journal);
    let journal = Journal::open(&path).await.unwrap();
    journal.open_account(Protected::Row, None).await.unwrap();
    let Engaged::OverBudget { left, .. } =
        take_on(&journal, FILE, &debit("a", 1.0), limit(3.0)).await.unwrap()
    else {
        panic!("half an epsilon is left");
    };
    assert_eq!((left.micro_epsilon, left.femto_delta), (500_000, 9_000_000_000));
    assert_eq!(take_on(&journal, FILE, &debit("b", 0.5), limit(3.0)).await.unwrap(), NEW);
    assert_eq!(read_account(&path).await.unwrap().debited(Protected::Row).micro_epsilon, 3_000_000);
    journal.open_account(Protected::Row, carried(1.0)).await.unwrap();
    let now = read_account(&path).await.unwrap().carried.get(&Protected::Row).copied();
    assert_eq!(now, carried(1.0), "what the policy says now counts");
    journal.open_account(Protected::Row, carried(f64::INFINITY)).await.unwrap();
    assert!(matches!(
        take_on(&journal, FILE, &debit("c", 0.1), limit(9e12)).await.unwrap(),
        Engaged::OverBudget { .. }
    ));
}

#[tokio::test]
async fn a_journal_that_took_part_before_accounts_were_carried_over_goes_on_as_its_account() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    take_on(&journal, FILE, &debit("a", 1.0), None).await.unwrap();
    // As the eighth version of the schema left it.
    let back =
        "DROP TABLE carried; ALTER TABLE debits DROP COLUMN noise; ALTER TABLE debits DROP COLUMN honest;
                UPDATE meta SET value = '8' WHERE key = 'schema'";
    sqlx::raw_sql(back).execute(&mut *journal.connection().await).await.unwrap();
    drop(journal);
    let before = read_account(&path).await.unwrap();
    assert!(before.carried.is_empty());
    assert_eq!((before.debits.len(), &before.debits[0].noise), (1, &None));

    let journal = Journal::open(&path).await.unwrap();
    journal.open_account(Protected::Row, None).await.unwrap();
    assert_eq!(take_on(&journal, FILE, &debit("a", 1.0), limit(1.0)).await.unwrap(), SAME);
    assert_eq!(read_account(&path).await.unwrap().debited(Protected::Row).micro_epsilon, 1_000_000);
}

#[tokio::test]
async fn amounts_of_rows_and_of_the_institution_are_never_added() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    let whole = |job: &str, epsilon| Debit { unit: Protected::Institution, ..debit(job, epsilon) };
    assert_eq!(take_on(&journal, FILE, &debit("rows", 2.5), limit(3.0)).await.unwrap(), NEW);
    // Nothing of what rows have left is taken, and nothing of what they were debited counts.
    assert_eq!(take_on(&journal, FILE, &whole("whole", 8.0), limit(10.0)).await.unwrap(), NEW);
    assert_eq!(take_on(&journal, FILE, &debit("more", 0.5), limit(3.0)).await.unwrap(), NEW);
    let Engaged::OverBudget { unit, left, .. } =
        take_on(&journal, FILE, &whole("dear", 2.5), limit(10.0)).await.unwrap()
    else {
        panic!("two are left");
    };
    assert_eq!((unit, left.micro_epsilon), (Protected::Institution, 2_000_000));
    let account = read_account(&path).await.unwrap();
    assert_eq!(account.debited(Protected::Row).micro_epsilon, 3_000_000);
    assert_eq!(account.debited(Protected::Institution).micro_epsilon, 8_000_000);
    // So is what was spent before: each has to be said, and counts for itself.
    let refused = journal.open_account(Protected::Institution, None).await.unwrap_err();
    assert!(refused.help().unwrap().contains("[privacy.institution.budget]"));
    journal.open_account(Protected::Institution, carried(1.5)).await.unwrap();
    assert_eq!(journal.open_account(Protected::Row, None).await.unwrap_err().code(), "budget.unknown");
    let Engaged::OverBudget { left, .. } =
        take_on(&journal, FILE, &whole("dear", 1.0), limit(10.0)).await.unwrap()
    else {
        panic!("half an epsilon is left");
    };
    assert_eq!(left.micro_epsilon, 500_000);
}

#[tokio::test]
async fn a_journal_of_before_there_were_units_goes_on_as_that_of_rows() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    journal.open_account(Protected::Row, carried(0.5)).await.unwrap();
    take_on(&journal, FILE, &debit("a", 1.0), None).await.unwrap();
    // As the ninth version of the schema left it.
    let back = "DROP TABLE carried;
                CREATE TABLE carried (only INTEGER PRIMARY KEY CHECK (only = 1), micro_epsilon INTEGER NOT NULL,
                    femto_delta INTEGER NOT NULL) STRICT;
                INSERT INTO carried VALUES (1, 500000, 1000000000);
                UPDATE meta SET value = '9' WHERE key = 'schema'";
    sqlx::raw_sql(back).execute(&mut *journal.connection().await).await.unwrap();
    drop(journal);
    let before = read_account(&path).await.unwrap();
    assert_eq!(before.debited(Protected::Row).micro_epsilon, 1_500_000);

    let journal = Journal::open(&path).await.unwrap();
    for unit in Protected::ALL {
        journal.open_account(unit, None).await.unwrap();
    }
    let account = read_account(&path).await.unwrap();
    assert_eq!(account.debited(Protected::Row).micro_epsilon, 1_500_000);
    assert_eq!(account.debited(Protected::Institution), Amount::default());
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
            take_on(&journal, FILE, &debit("a", 1.0), limit(1.0)).await.unwrap();
            says.store(1, Ordering::Relaxed);
        };
        tokio::select! {
            () = life => {}
            () = died.notified() => {}
        }
        let journal = Journal::open(&path).await.unwrap();
        let again = take_on(&journal, FILE, &debit("a", 1.0), limit(1.0)).await.unwrap();
        if told.load(Ordering::Relaxed) == 1 {
            assert_eq!(again, SAME, "what was told is on the account: {moment}");
        }
        assert!(matches!(
            take_on(&journal, FILE, &debit("b", 0.1), limit(1.0)).await.unwrap(),
            Engaged::OverBudget { .. }
        ));
    }
}
