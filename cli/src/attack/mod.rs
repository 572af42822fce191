//! `syndic attack`: what an adversary gets out of a job on a table, with and without protection.

pub mod args;
mod ciphertext;
mod picture;
mod play;
mod report;
mod text;

use indicatif::{ProgressBar, ProgressStyle};
use syndic_learning::attack::figures::{Figures, Verdict};
use syndic_learning::attack::game::Game;
use syndic_learning::attack::lira::{self, Variant};
use syndic_learning::attack::{AttackError, bound, inversion, threshold};
use syndic_learning::job::{NoiseSource, Protected};
use syndic_learning::{Job, Table};

use crate::commands::print;
use crate::job_check::{JobFile, check};
use crate::sandbox::{Columns, Site, Source, load};
use crate::{Error, Result, new_file, view};
use args::AttackArgs;
use ciphertext::Sender;
use play::{Games, Rules};
use report::{Attack, Bound, Inversion, Membership, Report, Run, SCHEMA, Sees, Watched};

/// Plays the attacks and says what they found.
///
/// # Errors
/// A job or table that is wrong, a job that cannot be trained on half of the rows, a picture that cannot be written.
pub fn run(args: &AttackArgs) -> Result<()> {
    let job = check(&JobFile::read(&args.job)?)?;
    let jobs = with_and_without(&job, args.compare_noise)?;
    let columns = Columns {
        site: args.site_column.clone(),
        fold: args.fold_column.clone(),
        test_fold: args.test_fold.clone(),
        validation_fold: args.validation_fold.clone(),
        participants: args.participants,
    };
    let source = Source::File(args.table.clone());
    let sites = load::load(&source, &columns, &job.contract)?;
    if let Some(path) = args.plot.as_ref().filter(|path| path.exists()) {
        // Said before anything long is begun.
        return Err(Error::input("file.exists", "there is already a file of this name")
            .place(format!("--plot {}", path.display()))
            .help("name another file, or remove this one first: nothing of yours is replaced"));
    }
    let report = attacked(&jobs, &sites, args, source.name())?;
    if let Some(path) = &args.plot {
        new_file::write(path, &picture::render(&report))?;
    }
    if args.json {
        return print(
            &(serde_json::to_string(&report).expect("finite numbers and strings serialise") + "\n"),
        );
    }
    print(&text::render(&report, args.plot.as_deref(), view::width()))
}

/// The jobs to attack: a job with noise after the same model without, where that is asked for.
fn with_and_without(job: &Job, compare: bool) -> Result<Vec<Job>> {
    if !compare {
        return Ok(vec![job.clone()]);
    }
    let Some(without) = job.without_noise() else {
        return Err(Error::input("attack.no-noise", "the job adds no noise to compare with")
            .place("--compare-noise")
            .help("leave the option out, or name a job with `mode = \"record-level\"` or `\"institution-level\"`"));
    };
    Ok(vec![without, job.clone()])
}

fn attacked(jobs: &[Job], sites: &[Site], args: &AttackArgs, table: String) -> Result<Report> {
    let game = Game::new(sites.iter().map(|site| site.table.clone()).collect());
    let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
    let watched = game.smallest();
    let rules = Rules { games: args.games, rows: args.rows, seed: args.seed, watched };
    let progress = progress(args, jobs.len());
    let mut runs = Vec::new();
    for job in jobs {
        let run =
            rules.play(job, &game, &tables, &progress).and_then(|games| told(job, &game, &rules, &games));
        runs.push(run.map_err(refused)?);
    }
    progress.finish_and_clear();
    Ok(Report {
        schema: SCHEMA,
        job: jobs.first().map(|job| job.identity.id.to_string()).unwrap_or_default(),
        table,
        institutions: sites.len() as u32,
        rows: game.rows() as u64,
        games: args.games,
        seed: args.seed,
        watched: Watched { name: sites[watched].name.clone(), rows: game.of(watched).len() as u64 },
        runs,
    })
}

fn progress(args: &AttackArgs, jobs: usize) -> ProgressBar {
    if args.quiet || args.json {
        return ProgressBar::hidden();
    }
    let progress = ProgressBar::new(u64::from(args.games) * jobs as u64);
    if let Ok(style) = ProgressStyle::with_template("  {bar:30} {pos} of {len} games, {elapsed}, {eta} left")
    {
        progress.set_style(style);
    }
    progress.tick();
    progress
}

/// What the attacks on all games of a job found.
fn told(job: &Job, game: &Game, rules: &Rules, games: &Games) -> std::result::Result<Run, AttackError> {
    let calibration = job.calibration().ok().flatten();
    let of_a_row = calibration.zip(job.privacy.noise()).map(|(found, terms)| match terms.protected {
        Protected::Row => found.spent,
        Protected::Institution => found.spent.through_none(),
    });
    let bound = of_a_row.map(|guarantee| Bound {
        epsilon: guarantee.epsilon,
        delta: guarantee.delta,
        advantage: bound::advantage(guarantee),
        found_at_one_percent: bound::found(guarantee, 0.01),
        found_at_one_per_thousand: bound::found(guarantee, 0.001),
    });
    // Shared noise protects the sum, and only the institution's own what it sends.
    let own = job.privacy.noise().is_some_and(|terms| terms.noise == NoiseSource::Local);
    let verdicts: [(Sees, Attack, bool, Vec<Vec<Verdict>>); 5] = [
        (Sees::Model, Attack::LossThreshold, true, threshold::verdicts(&games.played)),
        (Sees::Model, Attack::LiraOffline, true, lira::verdicts(&games.played, Variant::Offline)),
        (Sees::Model, Attack::LiraOnline, true, lira::verdicts(&games.played, Variant::Online)),
        (Sees::Sums, Attack::Tracing, true, games.from_sums.clone()),
        (Sees::Update, Attack::Tracing, own, games.from_update.clone()),
    ];
    let membership = verdicts.into_iter().filter_map(|(sees, attack, holds, verdicts)| {
        let bounded = holds && bound.is_some();
        Some(Membership { sees, attack, bounded, figures: Figures::of(&verdicts)? })
    });
    let victims = play::some(game.of(rules.watched).collect(), VICTIMS, &mut rules.rng(play::VICTIMS));
    let mut rng = rules.rng(play::VICTIMS);
    let mut inversions = Vec::new();
    for round in inversion::readable(&games.opened) {
        let mut read = Vec::new();
        let mut sender =
            Sender::new(job, round.question.layout()?, game.institutions(), rules.rng(play::KEYS));
        let mut send = |answer| sender.send(answer);
        for rows in ROWS.into_iter().filter(|&rows| rows as usize <= game.of(rules.watched).len()) {
            read.push(inversion::inverted(
                game,
                round,
                (rules.watched, &victims),
                rows,
                &mut send,
                &mut rng,
            )?);
        }
        inversions.push(Inversion { kind: round.question.kind(), read });
    }
    Ok(Run {
        program: job.program.name(),
        privacy: job.privacy.name(),
        bound,
        roc_auc: games.roc_auc,
        sums_opened: games.sums,
        sums_attacked: games.opened.len() as u32,
        membership: membership.collect(),
        inversion: inversions,
        guessed: inversion::guessed(game, &victims)?,
    })
}

/// For the person who named the job and the table.
pub(crate) fn refused(error: AttackError) -> Error {
    Error::input(error.code(), error.to_string()).help(error.help())
}

/// Rows that are to be read.
const VICTIMS: usize = 100;
/// How many rows the institution has out of whose update one is to be read.
const ROWS: [u32; 4] = [1, 2, 8, 32];
