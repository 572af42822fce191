//! How well an adversary tells members from others: advantage, area under the curve, and what it finds at few false alarms.
//!
//! Verdicts of a game are ranked among themselves, which takes no knowledge of who is in, so that a threshold means the same in every
//! game. It is never chosen on the game that it is measured on, but on the others: chance alone has an advantage of zero in
//! the mean. At few false alarms: Carlini and others, "Membership inference attacks from first principles", S&P 2022. Intervals
//! are those of Student's t over the games; games share their rows, so they are a little narrow.

use serde::Serialize;

use crate::metrics::Metrics;

/// A mean over games and its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Where the interval begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

/// How well members were told from others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Games.
    pub games: u32,
    /// Rows judged, of all games together.
    pub rows: u64,
    /// Share of members found less share of others taken for members, at the best threshold of the other games.
    pub advantage: Estimate,
    /// Area under the ROC curve: half is chance.
    pub auc: Estimate,
    /// Share of members found where one other row in a hundred is taken for one.
    pub found_at_one_percent: Estimate,
    /// The same for one in a thousand.
    pub found_at_one_per_thousand: Estimate,
    /// Share of others taken for members, and share of members found, of all games together.
    pub curve: Vec<(f64, f64)>,
}

/// What an adversary says of one row, the higher the more it takes it for a member; and whether it is one.
pub type Verdict = (f64, bool);

impl Estimate {
    /// Of one number a game.
    pub fn of(numbers: &[f64]) -> Self {
        let count = numbers.len().max(1) as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|number| (number - mean) * (number - mean)).sum();
        let error = libm::sqrt(squares / (count - 1.0).max(1.0) / count);
        let half = student(count - 1.0) * error;
        Self { mean, low: mean - half, high: mean + half }
    }
}

impl Figures {
    /// Of the verdicts of some games; none where there are fewer than two, or one has no members or nothing else.
    pub fn of(games: &[Vec<Verdict>]) -> Option<Self> {
        let areas: Vec<f64> = games.iter().map(|game| area(game)).collect::<Option<_>>()?;
        if games.len() < 2 {
            return None;
        }
        let games: Vec<Vec<Verdict>> = games.iter().map(|game| by_rank(game)).collect();
        let ranked = Ranked::of(&games);
        let thresholds: Vec<Thresholds> =
            (0..games.len()).map(|game| ranked.thresholds(Some(game))).collect();
        let at = |threshold: fn(&Thresholds) -> f64, what: fn((f64, f64)) -> f64| {
            let of_game = |(game, chosen): (&Vec<Verdict>, &Thresholds)| what(above(game, threshold(chosen)));
            Estimate::of(&games.iter().zip(&thresholds).map(of_game).collect::<Vec<_>>())
        };
        Some(Self {
            games: games.len() as u32,
            rows: games.iter().map(|game| game.len() as u64).sum(),
            advantage: at(|chosen| chosen.best, |(found, alarms)| found - alarms),
            auc: Estimate::of(&areas),
            found_at_one_percent: at(|chosen| chosen.one_percent, |(found, _)| found),
            found_at_one_per_thousand: at(|chosen| chosen.one_per_thousand, |(found, _)| found),
            curve: ranked.curve(),
        })
    }
}

/// Verdicts of all games from the highest down, with the game that each is of.
struct Ranked(Vec<(f64, bool, usize)>);

/// Above which verdict, and with it, a row is taken for a member.
struct Thresholds {
    best: f64,
    one_percent: f64,
    one_per_thousand: f64,
}

impl Ranked {
    fn of(games: &[Vec<Verdict>]) -> Self {
        let verdicts = games.iter().enumerate();
        let verdicts = verdicts
            .flat_map(|(game, verdicts)| verdicts.iter().map(move |&(score, member)| (score, member, game)));
        let mut ranked: Vec<_> = verdicts.collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self(ranked)
    }

    /// After each verdict that differs from the next: it, and the members and others from it up, but for those of one game.
    fn steps(&self, without: Option<usize>) -> Vec<(f64, u64, u64)> {
        let mut steps: Vec<(f64, u64, u64)> = Vec::new();
        let (mut members, mut others) = (0, 0);
        for &(score, member, _) in self.0.iter().filter(|(_, _, game)| Some(*game) != without) {
            if member {
                members += 1;
            } else {
                others += 1;
            }
            match steps.last_mut() {
                Some(last) if last.0 == score => *last = (score, members, others),
                _ => steps.push((score, members, others)),
            }
        }
        steps
    }

    fn thresholds(&self, without: Option<usize>) -> Thresholds {
        let steps = self.steps(without);
        let (members, others) = totals(&steps);
        let mut chosen =
            Thresholds { best: f64::INFINITY, one_percent: f64::INFINITY, one_per_thousand: f64::INFINITY };
        let mut most = 0.0;
        for &(score, found, alarms) in &steps {
            let (found, alarms) = (found as f64 / members, alarms as f64 / others);
            if found - alarms > most {
                (most, chosen.best) = (found - alarms, score);
            }
            if alarms <= 0.01 {
                chosen.one_percent = score;
            }
            if alarms <= 0.001 {
                chosen.one_per_thousand = score;
            }
        }
        chosen
    }

    /// The most members found at each of many shares of false alarms, which are equally far apart in logarithms.
    fn curve(&self) -> Vec<(f64, f64)> {
        let steps = self.steps(None);
        let (members, others) = totals(&steps);
        let point = |position: u32| {
            let share = libm::pow(10.0, -DECADES + DECADES * f64::from(position) / f64::from(POINTS));
            let within = steps.partition_point(|&(_, _, alarms)| alarms as f64 / others <= share);
            let found = within.checked_sub(1).map_or(0.0, |last| steps[last].1 as f64 / members);
            (share, found)
        };
        (0..=POINTS).map(point).collect()
    }
}

fn totals(steps: &[(f64, u64, u64)]) -> (f64, f64) {
    let (_, members, others) = steps.last().copied().unwrap_or_default();
    (members.max(1) as f64, others.max(1) as f64)
}

/// Verdicts by the share of a game's rows that are no higher: a tie has the mean of its places.
fn by_rank(game: &[Verdict]) -> Vec<Verdict> {
    let mut places: Vec<usize> = (0..game.len()).collect();
    places.sort_by(|&a, &b| game[a].0.total_cmp(&game[b].0));
    let mut ranked = game.to_vec();
    let mut below = 0;
    for tie in places.chunk_by(|&a, &b| game[a].0 == game[b].0) {
        let rank = (below as f64 + tie.len() as f64 / 2.0) / game.len() as f64;
        tie.iter().for_each(|&place| ranked[place].0 = rank);
        below += tie.len();
    }
    ranked
}

/// Shares of members and of others whose verdict is the threshold or above.
fn above(game: &[Verdict], threshold: f64) -> (f64, f64) {
    let share = |wanted: bool| {
        let of_kind = game.iter().filter(|(_, member)| *member == wanted);
        let (all, above) = of_kind.fold((0_u64, 0_u64), |(all, above), (score, _)| {
            (all + 1, above + u64::from(*score >= threshold))
        });
        above as f64 / all.max(1) as f64
    };
    (share(true), share(false))
}

fn area(game: &[Verdict]) -> Option<f64> {
    let (scores, members): (Vec<f64>, Vec<bool>) = game.iter().copied().unzip();
    Metrics::exact(&scores, &members)?.roc_auc
}

/// The 97.5 % point of Student's t, by the series of its normal point (Abramowitz and Stegun 26.7.5): within a hundredth from 3 degrees of freedom.
fn student(degrees: f64) -> f64 {
    let v = degrees.max(1.0);
    let z = 1.959_963_984_540_054_f64;
    let z3 = z * z * z;
    let (z5, z7) = (z3 * z * z, z3 * z3 * z);
    z + (z3 + z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * v * v * v)
}

/// A curve reaches down to one false alarm in ten thousand.
const DECADES: f64 = 4.0;
/// Steps of a curve.
const POINTS: u32 = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{rng, uniform};

    #[test]
    fn students_points_are_those_of_the_tables() {
        for (degrees, point) in [(3.0, 3.182), (7.0, 2.365), (15.0, 2.131), (1e9, 1.960)] {
            assert!((student(degrees) / point - 1.0).abs() < 0.01, "{degrees}: {}", student(degrees));
        }
    }

    #[test]
    fn figures_agree_with_a_calculation_by_hand() {
        // Members at 3, 2 and 0, others at 2, 1 and 0: of nine pairs five are in order and two tied.
        let game = vec![(3.0, true), (2.0, true), (0.0, true), (2.0, false), (1.0, false), (0.0, false)];
        let found = Figures::of(&[game.clone(), game]).unwrap();
        assert!((found.auc.mean - (5.0 + 2.0 / 2.0) / 9.0).abs() < 1e-12, "{found:?}");
        // From 3 up: a third of the members, nobody else. No other threshold is better.
        assert!((found.advantage.mean - 1.0 / 3.0).abs() < 1e-12);
        assert!((found.found_at_one_percent.mean - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.advantage.low, found.advantage.high);
        assert_eq!(found.curve.last().copied(), Some((1.0, 1.0)));
        assert_eq!(found.curve[0].1, 1.0 / 3.0);
    }

    #[test]
    fn who_tells_by_chance_has_no_advantage_and_an_interval_that_holds_it() {
        let mut held = 0;
        for seed in 0..100 {
            let mut rng = rng(seed);
            let games: Vec<Vec<Verdict>> = (0..8)
                .map(|_| (0..400).map(|_| (uniform(&mut rng), uniform(&mut rng) < 0.5)).collect())
                .collect();
            let found = Figures::of(&games).unwrap();
            assert!(found.advantage.mean.abs() < 0.05, "{found:?}");
            held += u32::from(found.auc.low <= 0.5 && found.auc.high >= 0.5);
        }
        assert!((88..=100).contains(&held), "{held}");
    }

    #[test]
    fn a_game_whose_verdicts_are_all_higher_raises_no_more_alarms() {
        let mut rng = rng(3);
        let mut game = |shift: f64| -> Vec<Verdict> {
            (0..2000).map(|_| (uniform(&mut rng) + shift, uniform(&mut rng) < 0.5)).collect()
        };
        let games: Vec<_> = (0..8).map(|number| game(f64::from(number))).collect();
        let found = Figures::of(&games).unwrap();
        assert!((found.found_at_one_percent.mean - 0.01).abs() < 0.006, "{found:?}");
        assert!(found.advantage.mean.abs() < 0.03, "{found:?}");
    }

    #[test]
    fn who_knows_has_all_of_it() {
        let game: Vec<Verdict> =
            (0..100).map(|row| (f64::from(u8::from(row % 2 == 0)), row % 2 == 0)).collect();
        let found = Figures::of(&[game.clone(), game]).unwrap();
        for figure in
            [found.advantage, found.auc, found.found_at_one_percent, found.found_at_one_per_thousand]
        {
            assert_eq!(figure.mean, 1.0);
        }
    }

    #[test]
    fn without_two_games_or_both_kinds_there_is_nothing_to_say() {
        assert_eq!(Figures::of(&[vec![(1.0, true), (0.0, false)]]), None);
        assert_eq!(Figures::of(&[vec![(1.0, true)], vec![(0.0, true)]]), None);
    }
}
