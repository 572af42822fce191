//! The job files that were looked at last: what came of each, so that it is not looked at again for every duty.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use syndic_round::Digest;

use super::error::{Declined, Undone};

/// What is known of the job files asked about last, by digest. An approved one holds its rows, so only a few are kept; another
/// is looked at again when it is asked about again.
pub(super) struct Latest<T>(VecDeque<(Digest, Arc<T>)>);

/// The job files that were accepted last, and why the rows of others could not be had. One is looked at by one duty at a time, which
/// may wait for rows for minutes; whoever asks about another does not wait for it.
pub(super) struct Files<T> {
    latest: Mutex<Latest<T>>,
    failed: Mutex<Latest<Failed>>,
    /// Held by who looks at a file.
    turns: Mutex<BTreeMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// Rows that could not be had.
struct Failed {
    reason: Arc<Declined>,
    /// The newest preparation that asked for them.
    number: u64,
    /// How often in a row.
    times: u32,
    at: Instant,
}

impl<T> Latest<T> {
    /// None yet.
    pub(super) fn none() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn get(&self, agreement: Digest) -> Option<&Arc<T>> {
        self.0.iter().find_map(|(file, known)| (*file == agreement).then_some(known))
    }

    /// Lets go of those.
    fn remove(&mut self, which: impl Fn(&T) -> bool) {
        self.0.retain(|(_, known)| !which(known));
    }

    /// In the place of what was known of the same file, or of what has been known longest.
    pub(super) fn insert(&mut self, agreement: Digest, known: Arc<T>) {
        self.0.retain(|(file, _)| *file != agreement);
        if self.0.len() == MOST_FILES {
            self.0.pop_front();
        }
        self.0.push_back((agreement, known));
    }
}

impl<T> Files<T> {
    /// None yet.
    pub(super) fn none() -> Self {
        let (latest, failed) = (Mutex::new(Latest::none()), Mutex::new(Latest::none()));
        Self { latest, failed, turns: Mutex::default() }
    }

    pub(super) fn get(&self, agreement: Digest) -> Option<Arc<T>> {
        held(&self.latest).get(agreement).cloned()
    }

    /// Lets go of those.
    pub(super) fn remove(&self, which: impl Fn(&T) -> bool) {
        held(&self.latest).remove(which);
    }

    /// What is known of a file, or what `look` comes to. Who asks while another looks at the same file waits for what that comes to.
    ///
    /// A no that `look` comes to is told again in its place, until a newer preparation, by its number, asks or some time has passed,
    /// the more the more often it came to one. It says nothing of a `look` that came to no answer.
    pub(super) async fn get_or(
        &self,
        (agreement, number): (Digest, u64),
        clock: impl Fn() -> Instant,
        look: impl Future<Output = Result<Result<T, Declined>, Undone>>,
    ) -> Result<Arc<T>, Undone> {
        let turn = self.turn(agreement);
        let _turn = turn.lock().await;
        if let Some(known) = self.get(agreement) {
            return Ok(known);
        }
        let before = held(&self.failed).get(agreement).cloned();
        if let Some(failed) = before.as_ref().filter(|failed| failed.stands(number, clock())) {
            return Err(Declined::Load(failed.reason.clone()).into());
        }
        match look.await? {
            Ok(known) => {
                held(&self.failed).0.retain(|(file, _)| *file != agreement);
                let known = Arc::new(known);
                held(&self.latest).insert(agreement, known.clone());
                Ok(known)
            }
            Err(reason) => {
                let (reason, at) = (Arc::new(reason), clock());
                let (newest, times) = before.map_or((0, 0), |before| (before.number, before.times));
                let (number, times) = (number.max(newest), times.saturating_add(1));
                let failed = Failed { reason: reason.clone(), number, times, at };
                held(&self.failed).insert(agreement, Arc::new(failed));
                Err(Declined::Load(reason).into())
            }
        }
    }

    /// What those hold one after the other who ask about a file. It is forgotten when nobody asks any more.
    fn turn(&self, agreement: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = held(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&agreement).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(agreement, Arc::downgrade(&turn));
        turn
    }
}

impl Failed {
    /// Whether a preparation of this number is told so, without another try.
    fn stands(&self, number: u64, now: Instant) -> bool {
        let doublings = self.times.saturating_sub(1).min(MOST_DOUBLINGS);
        let pause = (SHORTEST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        number <= self.number && now.saturating_duration_since(self.at) < pause
    }
}

/// For a moment only: nothing is waited for while it is held.
pub(super) fn held<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More than a coordinator that means well asks about in turn, as it does of the jobs that are under way at once.
const MOST_FILES: usize = 8;
/// Before rows that could not be had are asked for again in the same round, doubling up to the longest: they take minutes to read, and
/// are seldom mended within a round.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// As many as lead from the shortest beyond the longest.
const MOST_DOUBLINGS: u32 = 6;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;

    use super::*;

    const FILE: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    /// Code and number of looks, of a preparation that asks so many seconds after the beginning.
    struct Asked {
        files: Files<u32>,
        looks: Cell<u32>,
        began: Instant,
    }

    impl Asked {
        fn new() -> Self {
            Self { files: Files::none(), looks: Cell::new(0), began: Instant::now() }
        }

        async fn at(&self, seconds: u64, number: u64, comes_to: Result<u32, Declined>) -> (String, u32) {
            let look = async {
                self.looks.set(self.looks.get() + 1);
                Ok(comes_to)
            };
            let now = || self.began + Duration::from_secs(seconds);
            let told = match self.files.get_or((FILE, number), now, look).await {
                Ok(known) => known.to_string(),
                Err(Undone::Declined(reason)) => format!("{}: {}", reason.code(), reason.shown()),
                Err(undone) => undone.to_string(),
            };
            (told, self.looks.get())
        }
    }

    fn no() -> Result<u32, Declined> {
        Err(Declined::Restarted.without_detail())
    }

    #[test]
    fn however_many_jobs_are_asked_about_only_the_last_few_are_held() {
        let (mut latest, file) = (Latest::none(), |number: u8| Digest([number; 32]));
        (0..13).for_each(|number| latest.insert(file(number), Arc::new(number)));
        let held: Vec<u8> =
            (0..13).filter_map(|number| latest.get(file(number)).map(|known| **known)).collect();
        assert_eq!(held, [5, 6, 7, 8, 9, 10, 11, 12]);
        latest.remove(|number| *number == 9);
        assert!(latest.get(file(9)).is_none() && latest.get(file(8)).is_some());
    }

    #[tokio::test]
    async fn while_one_jobs_rows_are_loaded_others_are_approved_asked_about_and_let_go_of() {
        let (files, now) = (Files::none(), Instant::now);
        let ((begun, begins), (loaded, load)) = (oneshot::channel(), oneshot::channel::<u32>());
        let loading = files.get_or((FILE, 1), now, async {
            begun.send(()).unwrap();
            Ok(Ok(load.await.unwrap()))
        });
        // A second duty for the same file has no load of its own.
        let shares = files.get_or((FILE, 1), now, async { unreachable!("it is being loaded") });
        let others = async {
            begins.await.unwrap();
            let approved = files.get_or((OTHER, 1), now, async { Ok(Ok(7)) }).await.unwrap();
            assert_eq!((*approved, files.get(OTHER).as_deref()), (7, Some(&7)));
            files.remove(|number| *number == 7);
            assert!(files.get(OTHER).is_none() && files.get(FILE).is_none());
            loaded.send(5).unwrap();
        };
        let (first, second, ()) = tokio::join!(loading, shares, others);
        assert_eq!((*first.unwrap(), *second.unwrap()), (5, 5));
        assert_eq!(files.get(FILE).as_deref(), Some(&5));
    }

    #[tokio::test]
    async fn a_load_that_failed_is_told_again_with_its_reason_until_a_newer_round_asks() {
        let asked = Asked::new();
        let first = asked.at(0, 3, no()).await;
        assert!(first.0.starts_with("data.refused: participant.restarted: "), "{}", first.0);
        assert_eq!(first.1, 1);
        // The other duties of the round, and those of the one before it.
        assert_eq!(asked.at(1, 3, Ok(7)).await, first);
        assert_eq!(asked.at(4, 2, Ok(7)).await, first);
        assert_eq!(asked.at(4, 4, Ok(7)).await, ("7".into(), 2));
        assert_eq!(asked.at(4, 4, no()).await, ("7".into(), 2));
    }

    #[tokio::test]
    async fn within_a_round_a_load_that_failed_is_tried_again_after_longer_and_longer_but_bounded_pauses() {
        let asked = Asked::new();
        let mut looked_at = vec![0];
        asked.at(0, 1, no()).await;
        for second in 1..=1_300 {
            if asked.at(second, 1, no()).await.1 as usize > looked_at.len() {
                looked_at.push(second);
            }
        }
        let pauses: Vec<u64> = looked_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(asked.at(10_000, 1, Ok(7)).await.0, "7");
    }

    #[tokio::test]
    async fn a_load_that_came_to_no_answer_or_was_given_up_is_begun_again_at_once() {
        let (files, now) = (Files::none(), Instant::now);
        let lost = async { Err(tonic::Status::unavailable("lost").into()) };
        assert!(matches!(files.get_or((FILE, 1), now, lost).await, Err(Undone::Call(_))));
        let (begun, begins) = oneshot::channel();
        let given_up = files.get_or((FILE, 1), now, async {
            begun.send(()).unwrap();
            std::future::pending::<Result<Result<u32, Declined>, Undone>>().await
        });
        tokio::select! {
            _ = given_up => unreachable!("it never ends"),
            begins = begins => begins.unwrap(),
        }
        assert_eq!(*files.get_or((FILE, 1), now, async { Ok(Ok(3)) }).await.unwrap(), 3);
    }
}
