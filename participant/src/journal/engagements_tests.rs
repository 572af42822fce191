use std::path::PathBuf;

use syndic_round::Digest;
use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    (folder, path)
}

/// The digest of every job's file.
const FILE: Digest = Digest([1; 32]);
const NEW: Engaged = Engaged::Recorded(Recorded::New);
const SAME: Engaged = Engaged::Recorded(Recorded::Same);

/// A job under `churn.v1` with a content of this number.
fn under(job: &str, content: u8) -> Engagement<'_> {
    let content = Digest([content; 32]);
    Engagement { job, agreement: FILE, contract: "churn.v1", content, is_pinned: false, debit: None }
}

fn refused(accepted: u8) -> Engaged {
    Engaged::OtherContract { accepted: Digest([accepted; 32]) }
}

#[tokio::test]
async fn the_first_content_of_a_contract_is_the_only_one_across_restarts() {
    let (_folder, path) = folder();
    let engage =
        async |engagement| Journal::open(&path).await.unwrap().engage(&engagement, None).await.unwrap();

    assert_eq!(engage(under("a", 1)).await, NEW);
    assert_eq!(engage(under("b", 2)).await, refused(1), "another range in the same column, say");
    assert_eq!(engage(under("b", 2)).await, refused(1), "also when asked again");
    assert_eq!(engage(under("b", 1)).await, NEW, "and the job was not accepted by that");
    assert_eq!(engage(under("a", 1)).await, SAME);
    let next_version = Engagement { contract: "churn.v2", ..under("c", 2) };
    assert_eq!(engage(next_version).await, NEW, "another version is another contract");
}

#[tokio::test]
async fn a_content_that_the_policy_names_takes_the_place_of_the_first() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    let engage = async |engagement| journal.engage(&engagement, None).await.unwrap();
    let pinned = |job, content| Engagement { is_pinned: true, ..under(job, content) };

    assert_eq!(engage(under("a", 1)).await, NEW);
    assert_eq!(engage(pinned("b", 2)).await, NEW);
    assert_eq!(engage(under("c", 1)).await, refused(2), "also once the policy names it no more");
    assert_eq!(engage(under("a", 1)).await, SAME, "a job that was taken on goes on as it was");
    assert_eq!(engage(under("d", 2)).await, NEW);
}

#[tokio::test]
async fn a_job_that_is_over_the_budget_pins_no_contract() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    let amount = syndic_learning::privacy::budget::Amount { micro_epsilon: 2, femto_delta: 0 };
    let (job, contract, unit) = ("a".into(), "churn.v1".into(), syndic_learning::job::Protected::Row);
    let debit = Debit { job, contract, unit, amount, noise: None, at_ms: 17 };
    let dear = Engagement { debit: Some(&debit), ..under("a", 1) };
    let limit = syndic_learning::privacy::budget::Limit::of(1e-6, 0.0);
    assert!(matches!(journal.engage(&dear, Some(limit)).await.unwrap(), Engaged::OverBudget { .. }));
    assert_eq!(journal.engage(&under("b", 2), None).await.unwrap(), NEW);
}

#[tokio::test]
async fn a_job_of_a_journal_that_kept_no_contracts_goes_on_and_pins_its_own() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).await.unwrap();
    journal.accept_job("old", FILE).await.unwrap();
    assert_eq!(journal.engage(&under("old", 1), None).await.unwrap(), SAME);
    drop(journal);
    let journal = Journal::open(&path).await.unwrap();
    assert_eq!(journal.engage(&under("next", 2), None).await.unwrap(), refused(1));
}

#[cfg(feature = "tap")]
#[tokio::test]
async fn whoever_dies_around_the_first_content_has_kept_it_or_read_no_row() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    let (mut kept, mut lost) = (0, 0);
    for moment in 0..12 {
        let (_folder, path) = folder();
        let passed = AtomicU32::new(0);
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
        let (at, told) = (path.clone(), Arc::new(AtomicBool::new(false)));
        let says = told.clone();
        // Whoever dies stops for ever there.
        let life = async move {
            // Where it cannot stop it fails.
            let Ok(journal) = Journal::open_mortal(&at, dies).await else { return };
            journal.engage(&under("a", 1), None).await.unwrap();
            says.store(true, Ordering::Relaxed);
        };
        tokio::select! {
            () = life => {}
            () = died.notified() => {}
        }
        let journal = Journal::open(&path).await.unwrap();
        let other = journal.engage(&under("b", 2), None).await.unwrap();
        if told.load(Ordering::Relaxed) {
            assert_eq!(other, refused(1), "rows may have been read under the first: {moment}");
        }
        // Whichever it was, there is one of them.
        match other {
            NEW => {
                lost += 1;
                assert_eq!(journal.engage(&under("a", 1), None).await.unwrap(), refused(2), "{moment}");
            }
            other => {
                kept += 1;
                assert_eq!(other, refused(1), "{moment}");
            }
        }
    }
    assert!(kept > 0 && lost > 0, "it died before and after: {kept}, {lost}");
}
