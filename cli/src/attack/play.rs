//! The games: trained one after the other on as many processors as there are, with the same result on any number.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::ProgressBar;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng as _};
use syndic_learning::attack::AttackError;
use syndic_learning::attack::figures::Verdict;
use syndic_learning::attack::game::{Game, Played};
use syndic_learning::attack::run::{Keep, Opened, run};
use syndic_learning::attack::tracing::{self, Sight};
use syndic_learning::{Job, Role, Scoring as _, Table};

/// All games of one job.
pub(super) struct Games {
    /// What the models say.
    pub(super) played: Played,
    /// Of the games whose sums were looked at: verdicts from the sums, and from the watched institution's updates.
    pub(super) from_sums: Vec<Vec<Verdict>>,
    pub(super) from_update: Vec<Vec<Verdict>>,
    /// What was opened in the first game, as far as it was kept.
    pub(super) opened: Vec<Opened>,
    /// Sums over training rows that were opened in the first game.
    pub(super) sums: u32,
    /// Mean ROC-AUC of the models on the test rows, where these have both classes.
    pub(super) roc_auc: Option<f64>,
}

/// How games are played.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) games: u32,
    pub(super) rows: u32,
    pub(super) seed: u64,
    /// The institution whose updates are looked at.
    pub(super) watched: usize,
}

/// One game.
struct One {
    probabilities: Vec<f64>,
    members: Vec<bool>,
    roc_auc: Option<f64>,
    traced: Option<[Vec<Verdict>; 2]>,
    opened: Vec<Opened>,
    sums: u32,
}

impl Rules {
    /// Randomness for a purpose: the same for the same seed.
    pub(super) fn rng(&self, purpose: u64) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        rng.set_stream(purpose);
        rng
    }

    /// Plays them all; `tables` are the institutions' with their test rows.
    pub(super) fn play(
        &self,
        job: &Job,
        game: &Game,
        tables: &[&Table],
        progress: &ProgressBar,
    ) -> Result<Games, AttackError> {
        let count = self.games as usize;
        let [sample, of_watched] = [0..game.rows(), game.of(self.watched)]
            .map(|rows| some(rows.collect(), self.rows as usize, &mut self.rng(SAMPLE)));
        let next = AtomicUsize::new(0);
        let done: Vec<Mutex<Option<Result<One, AttackError>>>> =
            (0..count).map(|_| Mutex::new(None)).collect();
        let processors = std::thread::available_parallelism().map_or(1, usize::from).min(count);
        std::thread::scope(|scope| {
            for _ in 0..processors {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(place) = done.get(number) else { return };
                        let one = self.one(job, game, tables, [&sample, &of_watched], number);
                        progress.inc(1);
                        *place.lock().expect("nobody panics with it") = Some(one);
                    }
                });
            }
        });
        let mut games = Games {
            played: Played { probabilities: Vec::new(), members: Vec::new(), labels: game.labels() },
            from_sums: Vec::new(),
            from_update: Vec::new(),
            opened: Vec::new(),
            sums: 0,
            roc_auc: None,
        };
        let mut areas = Vec::new();
        for (number, place) in done.into_iter().enumerate() {
            let one = place.into_inner().expect("nobody panicked").expect("every game was played")?;
            games.played.probabilities.push(one.probabilities);
            games.played.members.push(one.members);
            areas.extend(one.roc_auc);
            if let Some([sums, update]) = one.traced {
                games.from_sums.push(sums);
                games.from_update.push(update);
            }
            if number == 0 {
                (games.opened, games.sums) = (one.opened, one.sums);
            }
        }
        games.roc_auc = (areas.len() == count).then(|| areas.iter().sum::<f64>() / count as f64);
        Ok(games)
    }

    fn one(
        &self,
        job: &Job,
        game: &Game,
        tables: &[&Table],
        [sample, of_watched]: [&Vec<usize>; 2],
        number: usize,
    ) -> Result<One, AttackError> {
        let mut rng = self.rng(GAMES + number as u64);
        let members = game.toss(&mut rng);
        let traced = number < TRACED;
        let keep = if traced { Keep { watched: self.watched, entries: KEPT } } else { Keep::NOTHING };
        let trained = run(job, &game.tables(&members), keep, &mut rng)?;
        let mut look = |rows: &[usize], sight| {
            tracing::verdicts(game, &trained.opened, (rows, &members), sight, &mut rng)
        };
        let traced = match traced {
            true => Some([look(sample, Sight::Sums)?, look(of_watched, Sight::UpdateOf(self.watched))?]),
            false => None,
        };
        let metrics = trained.model.evaluate(tables, Role::Test)?;
        Ok(One {
            probabilities: game.probabilities(&trained.model)?,
            members,
            roc_auc: metrics.and_then(|metrics| metrics.roc_auc),
            traced,
            opened: if number == 0 { trained.opened } else { Vec::new() },
            sums: trained.sums,
        })
    }
}

/// At most so many of the rows, each as likely as any other.
pub(super) fn some(mut rows: Vec<usize>, most: usize, rng: &mut impl Rng) -> Vec<usize> {
    let count = most.min(rows.len());
    for place in 0..count {
        let left = (rows.len() - place) as u128;
        // The high word of a product: its bias of rows / 2^64 does not matter.
        let chosen = place + ((u128::from(rng.next_u64()) * left) >> 64) as usize;
        rows.swap(place, chosen);
    }
    rows.truncate(count);
    rows
}

/// Games whose sums are looked at: each takes as long as several trainings.
const TRACED: usize = 8;
/// Entries of sums that are looked at: those of the first rounds of a job of many.
const KEPT: usize = 40_000;
/// What randomness is for.
const SAMPLE: u64 = 1;
pub(super) const VICTIMS: u64 = 2;
pub(super) const KEYS: u64 = 3;
const GAMES: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rows_are_different_ones_and_all_where_that_is_no_more() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut chosen = some((0..1000).collect(), 100, &mut rng);
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 100);
        assert!(chosen[99] > 900 && chosen[0] < 100, "{chosen:?}");
        assert_eq!(some(vec![1, 2], 100, &mut rng).len(), 2);
    }
}
