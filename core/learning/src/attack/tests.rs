//! Attacks that find what is there, and nothing where there is nothing.

use std::sync::Arc;

use syndic_round::Contribution;

use super::figures::{Figures, Verdict};
use super::game::{Game, Played};
use super::lira::Variant;
use super::run::{Keep, Trained, run};
use super::tracing::Sight;
use super::{bound, inversion, lira, threshold, tracing};
use crate::fixture::{self, uniform};
use crate::job::Job;
use crate::program::question::Question;
use crate::table::Table;
use crate::table_builder::TableBuilder;

/// A job on the contract of the fixtures.
fn job(program: &str, rounds: u32, privacy: &str) -> Job {
    let text = format!(
        r#"
[job]
id = "small"
purpose = "test"
description = "A small job"

[contract]
name = "small"
version = 1

[contract.label]
column = "label"
positive = "1"
negative = "0"

[[contract.columns]]
name = "age"
type = "numeric"
min = 18
max = 100

[[contract.columns]]
name = "job"
type = "categorical"
levels = ["office", "field", "none"]

[[contract.columns]]
name = "balance"
type = "numeric"
transform = "slog1p"
min = -1e4
max = 2e5

[program]
{program}

[rounds]
count = {rounds}

[privacy]
{privacy}

[protection]
parameter_set = "KSA-S32"

[evaluation]
bins = 4096
"#
    );
    Job::from_toml(&text).unwrap_or_else(|error| panic!("{error:?}"))
}

const NEWTON: &str = "name = \"logistic-regression\"\nsolver = \"newton\"\nl2 = 1e-3";
const FED_AVG: &str =
    "name = \"logistic-regression\"\nsolver = \"fed-avg\"\nl2 = 0.0\nlearning_rate = 0.05\nbatch_size = 8";
const NETWORK: &str = "name = \"neural-network\"\nhidden = [64, 32]\noptimiser = \"fed-avg\"\nl2 = 0.0\nlocal_epochs = 10\n\
                       local_steps = \"adam\"\nlearning_rate = 0.02\nbatch_size = 8";
const NOISY: &str = "name = \"logistic-regression\"\nsolver = \"noisy-gradient\"";
const NOISY_NETWORK: &str = "name = \"neural-network\"\noptimiser = \"noisy-gradient\"\nhidden = [4]";
const NONE: &str = "mode = \"none\"";

fn noise(epsilon: f64) -> String {
    format!("mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\nnoise = \"local\"")
}

/// Three institutions with so many rows each, whose labels say something of the rows or are tossed.
fn tables(rows: u64, tossed: bool) -> Vec<Arc<Table>> {
    let table = |seed: u64| {
        let mut rng = fixture::rng(seed);
        let contract = fixture::contract();
        let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        for row in 0..rows {
            let age = 18.0 + 82.0 * uniform(&mut rng);
            let job = (3.0 * uniform(&mut rng)) as usize;
            let balance = 15_000.0 * uniform(&mut rng);
            let chance = if tossed { 0.5 } else { 0.2 + 0.6 * (age - 18.0) / 82.0 };
            let label = if uniform(&mut rng) < chance { "1" } else { "0" };
            let cells =
                [age.to_string(), ["office", "field", "none"][job].into(), balance.to_string(), label.into()];
            builder.push(row, &cells.each_ref().map(String::as_str), crate::Role::Train);
        }
        Arc::new(builder.finish().unwrap())
    };
    (1..=3).map(table).collect()
}

/// Sets of coins that nobody trained by.
const SETS: u64 = 30;

/// All games, and what was opened in them of which `keep` says how much.
fn play(game: &Game, job: &Job, games: u64, entries: usize) -> (Played, Vec<Trained>) {
    let mut played = Played { probabilities: Vec::new(), members: Vec::new(), labels: game.labels() };
    let mut trained = Vec::new();
    for seed in 0..games {
        let mut rng = fixture::rng(100 + seed);
        let members = game.toss(&mut rng);
        let one = run(job, &game.tables(&members), Keep { watched: 0, entries }, &mut rng).unwrap();
        played.probabilities.push(game.probabilities(&one.model).unwrap());
        played.members.push(members);
        trained.push(one);
    }
    (played, trained)
}

fn on_models(played: &Played) -> [Figures; 3] {
    [
        Figures::of(&threshold::verdicts(played)).unwrap(),
        Figures::of(&lira::verdicts(played, Variant::Offline)).unwrap(),
        Figures::of(&lira::verdicts(played, Variant::Online)).unwrap(),
    ]
}

fn traced(game: &Game, (played, trained): &(Played, Vec<Trained>), sight: Sight) -> Figures {
    let rows: Vec<usize> = match sight {
        Sight::Sums => (0..game.rows()).collect(),
        Sight::UpdateOf(institution) => game.of(institution).collect(),
    };
    let verdicts = |(position, one): (usize, &Trained)| -> Vec<Verdict> {
        let members = &played.members[position];
        let mut rng = fixture::rng(900 + position as u64);
        tracing::verdicts(game, &one.opened, (&rows, members), sight, &mut rng).unwrap()
    };
    Figures::of(&trained.iter().enumerate().map(verdicts).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_network_that_knows_its_few_rows_by_heart_gives_its_members_away() {
    let game = Game::new(tables(30, true));
    let (played, _) = play(&game, &job(NETWORK, 60, NONE), 12, 0);
    let [threshold, offline, online] = on_models(&played);
    for figures in [&threshold, &offline, &online] {
        assert!(figures.advantage.low > 0.15 && figures.auc.low > 0.58, "{figures:?}");
    }
    // What one model's surprise says of a row, others' surprise at the same row makes clearer.
    assert!(online.auc.mean > threshold.auc.mean, "{online:?} {threshold:?}");
    assert!(online.found_at_one_percent.mean > threshold.found_at_one_percent.mean);
}

#[test]
fn the_same_verdicts_say_nothing_of_who_was_in_other_games() {
    let game = Game::new(tables(30, true));
    let (mut played, _) = play(&game, &job(NETWORK, 60, NONE), 12, 0);
    // The games share few rows, so that one set of coins says little: the mean over many has to be chance.
    let (mut advantages, mut areas) = ([0.0; 3], [0.0; 3]);
    for set in 0..SETS {
        played.members = (0..12).map(|seed| game.toss(&mut fixture::rng(5_000 + 12 * set + seed))).collect();
        for (place, figures) in on_models(&played).into_iter().enumerate() {
            advantages[place] += figures.advantage.mean / SETS as f64;
            areas[place] += figures.auc.mean / SETS as f64;
        }
    }
    assert!(advantages.iter().all(|advantage| advantage.abs() < 0.03), "{advantages:?}");
    assert!(areas.iter().all(|area| (area - 0.5).abs() < 0.02), "{areas:?}");
}

#[test]
fn a_small_model_of_many_rows_gives_hardly_anybody_away() {
    let game = Game::new(tables(2_000, false));
    let (played, _) = play(&game, &job(NEWTON, 10, NONE), 8, 0);
    for figures in on_models(&played) {
        assert!(figures.advantage.mean.abs() < 0.03 && (figures.auc.mean - 0.5).abs() < 0.02, "{figures:?}");
    }
}

#[test]
fn exact_sums_tell_who_is_in_and_one_update_tells_more() {
    for program in [NEWTON, FED_AVG] {
        let game = Game::new(tables(80, false));
        let played = play(&game, &job(program, 6, NONE), 8, 10_000);
        let sums = traced(&game, &played, Sight::Sums);
        let update = traced(&game, &played, Sight::UpdateOf(0));
        assert!(sums.auc.low > 0.52, "{program}: {sums:?}");
        assert!(update.auc.mean > sums.auc.mean + 0.03, "{program}: {update:?} {sums:?}");
    }
}

#[test]
fn noise_takes_from_sums_and_updates_what_they_tell() {
    let game = Game::new(tables(80, false));
    let exact = play(&game, &job(NEWTON, 20, NONE), 6, 10_000);
    let job = job(NOISY, 20, &noise(1.0));
    let noisy = play(&game, &job, 6, 10_000);
    let limit = bound::advantage(job.calibration().unwrap().unwrap().spent);
    for sight in [Sight::Sums, Sight::UpdateOf(0)] {
        let (exact, noisy) = (traced(&game, &exact, sight), traced(&game, &noisy, sight));
        assert!(noisy.auc.mean < exact.auc.mean - 0.03, "{noisy:?} {exact:?}");
        assert!(noisy.advantage.low < limit, "{noisy:?} {limit}");
    }
}

/// As somebody reads it who has no key: any number is as likely as any other.
fn sent() -> impl FnMut(Contribution) -> Vec<f64> {
    let mut rng = fixture::rng(77);
    move |answer| answer.values().iter().map(|_| uniform(&mut rng) - 0.5).collect()
}

#[test]
fn an_update_over_one_row_is_the_row_and_the_sum_of_many_is_not() {
    let game = Game::new(tables(120, false));
    let victims: Vec<usize> = game.of(0).take(40).collect();
    let guess = inversion::guessed(&game, &victims).unwrap();
    for program in [NEWTON, FED_AVG] {
        let (_, trained) = play(&game, &job(program, 3, NONE), 1, 10_000);
        let readable = inversion::readable(&trained[0].opened);
        assert_eq!(readable.len(), 2, "{program}");
        for round in readable {
            let mut rng = fixture::rng(3);
            let one = inversion::inverted(&game, round, (0, &victims), 1, &mut sent(), &mut rng).unwrap();
            let many = inversion::inverted(&game, round, (0, &victims), 32, &mut sent(), &mut rng).unwrap();
            assert!(one.update.numbers.unwrap() > 0.99, "{program}: {one:?}");
            assert!(one.update.levels.is_none_or(|right| right > 0.99), "{program}: {one:?}");
            for read in [one.sent, one.sum, many.update, many.sum] {
                assert!(
                    read.numbers.unwrap() < guess.numbers.unwrap() + 0.2,
                    "{program}: {read:?} {guess:?}"
                );
                assert!(read.levels.is_none_or(|right| right < 0.75), "{program}: {read:?}");
            }
        }
    }
}

#[test]
fn the_first_layer_of_a_network_gives_one_row_away_too() {
    let game = Game::new(tables(60, false));
    let sgd = NETWORK.replace("\"adam\"", "\"sgd\"").replace("local_epochs = 10", "local_epochs = 1");
    let (_, trained) = play(&game, &job(&sgd, 1, NONE), 1, 10_000);
    let victims: Vec<usize> = game.of(1).take(30).collect();
    let round = inversion::readable(&trained[0].opened)[1];
    let one = inversion::inverted(&game, round, (1, &victims), 1, &mut sent(), &mut fixture::rng(1)).unwrap();
    assert!(one.update.numbers.unwrap() > 0.9 && one.update.levels.unwrap() > 0.9, "{one:?}");
}

#[test]
fn noise_of_an_institution_hides_even_an_only_row() {
    let game = Game::new(tables(60, false));
    let (_, trained) = play(&game, &job(NOISY, 5, &noise(1.0)), 1, 10_000);
    let victims: Vec<usize> = game.of(0).take(40).collect();
    let guess = inversion::guessed(&game, &victims).unwrap();
    let round = inversion::readable(&trained[0].opened)[0];
    let one = inversion::inverted(&game, round, (0, &victims), 1, &mut sent(), &mut fixture::rng(1)).unwrap();
    assert!(one.update.numbers.unwrap() < guess.numbers.unwrap() + 0.1, "{one:?} {guess:?}");
    assert!(one.update.levels.unwrap() < 0.6, "{one:?}");
}

#[test]
fn the_same_seed_plays_the_same_game() {
    let game = Game::new(tables(40, false));
    let job = job(NETWORK, 2, NONE);
    let [a, b] = [0, 1].map(|_| play(&game, &job, 2, 100).0);
    assert_eq!(a.members, b.members);
    assert_eq!(a.probabilities, b.probabilities);
}

#[test]
fn an_external_trainer_is_not_attacked() {
    let game = Game::new(tables(20, false));
    let mut job = job(NEWTON, 2, NONE);
    let text = include_str!("../../../../examples/external-trainer/job.toml");
    job.program = Job::from_toml(text).unwrap().program;
    let members = game.toss(&mut fixture::rng(1));
    let told = run(&job, &game.tables(&members), Keep::NOTHING, &mut fixture::rng(1)).err().unwrap();
    assert_eq!(told.code(), "attack.external-trainer");
}

/// Three institutions in whose rows ages and jobs are missing, and a job on their contract.
fn with_gaps(program: &str, rounds: u32, privacy: &str) -> (Game, Job) {
    let tables: Vec<_> = (1..=3).map(|seed| Arc::new(fixture::table_with_gaps(200, seed))).collect();
    let contract = tables[0].contract().clone();
    (Game::new(tables), Job { contract, ..job(program, rounds, privacy) })
}

#[test]
fn an_update_over_one_row_says_what_it_has_and_what_is_missing() {
    let sgd = NETWORK.replace("\"adam\"", "\"sgd\"").replace("local_epochs = 10", "local_epochs = 1");
    let embedded = format!("{sgd}\nembedding = 2");
    for program in [NEWTON, FED_AVG, &sgd, &embedded] {
        let (game, job) = with_gaps(program, 1, NONE);
        let (_, trained) = play(&game, &job, 1, 10_000);
        let victims: Vec<usize> = game.of(0).take(40).collect();
        let guess = inversion::guessed(&game, &victims).unwrap();
        let readable = inversion::readable(&trained[0].opened);
        assert_eq!(readable.len(), 2, "{program}");
        for round in readable {
            let mut rng = fixture::rng(3);
            let one = inversion::inverted(&game, round, (0, &victims), 1, &mut sent(), &mut rng).unwrap();
            assert!(one.update.numbers.unwrap() > 0.9, "{program}: {one:?}");
            assert!(one.update.levels.is_none_or(|right| right > 0.9), "{program}: {one:?}");
            // The mean is no guess at a number that is missing.
            assert!(guess.numbers.unwrap() < 0.3, "{program}: {guess:?}");
        }
    }
}

#[test]
fn a_comparison_of_rows_is_a_sum_over_training_rows_that_is_attacked_too() {
    let (game, job) = with_gaps(NEWTON, 2, NONE);
    let job = Job { drift: Some(Default::default()), ..job };
    let played = play(&game, &job, 2, 100_000);
    let last = played.1[0].opened.last().unwrap();
    assert!(matches!(last.question, Question::Drift(_)));
    assert!(traced(&game, &played, Sight::Sums).auc.mean > 0.5);
}

#[test]
fn noisy_figures_of_test_rows_are_no_sum_over_training_rows() {
    for program in [NOISY, NOISY_NETWORK] {
        let (game, job) = with_gaps(program, 4, &(noise(1.0) + "\ntest_bins = 64"));
        let (_, trained) = play(&game, &job, 1, 100_000);
        assert_eq!(trained[0].sums, 4);
        assert!(trained[0].opened.iter().all(|round| matches!(round.question, Question::Noisy(_))));
        // What is sent of one row has noise that drowns it.
        let round = inversion::readable(&trained[0].opened)[0];
        let victims: Vec<usize> = game.of(0).take(40).collect();
        let mut rng = fixture::rng(5);
        let read = inversion::inverted(&game, round, (0, &victims), 1, &mut sent(), &mut rng).unwrap();
        assert!(read.update.levels.unwrap() < 0.9, "{program}");
    }
}

#[test]
fn noisy_sums_of_trees_tell_of_rows_what_their_epsilon_lets_them() {
    let trees = "name = \"boosted-trees\"\nsplits = \"random\"";
    let [little, much] = [100.0, 0.5].map(|epsilon| {
        let (game, job) = with_gaps(trees, 4, &noise(epsilon));
        let played = play(&game, &job, 2, 100_000);
        let opened = &played.1[0].opened;
        assert_eq!(played.1[0].sums, 4);
        assert!(opened.iter().all(|round| matches!(round.question, Question::NoisyTrees(_))));
        // Nothing of a row can be divided out of its bins.
        assert!(inversion::readable(opened).is_empty());
        traced(&game, &played, Sight::Sums).auc.mean
    });
    assert!(little > 0.65 && much < 0.6, "{little} {much}");
}
