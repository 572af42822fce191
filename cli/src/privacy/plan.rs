//! What `syndic privacy plan` works out.

use serde::Serialize;
use syndic_learning::Job;
use syndic_learning::privacy::PrivacyError;
use syndic_learning::privacy::calibration::Calibration as Account;
use syndic_learning::privacy::plan::{
    Accountant, LEAST_NOISE, MOST_NOISE, Training, honest_contributors, noise_of_each,
};
use syndic_round::Protection;

use super::accuracy::Accuracy;
use super::args::{By, PlanArgs};
use crate::job_check::{JobFile, check, institutions};
use crate::{Error, Result};

/// What a training would spend. Also its JSON.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Plan {
    pub(super) rate: f64,
    pub(super) steps: u64,
    pub(super) delta: f64,
    /// What was asked for; none where the noise was.
    pub(super) target_epsilon: Option<f64>,
    /// Which accountant chose the noise, where an epsilon was asked for.
    pub(super) accountant: &'static str,
    /// Standard deviation of the noise in the sum, in clipping norms.
    pub(super) noise: f64,
    /// Of a job that opens another sum before these, once: the same of that one, in what a row moves it by. Its cost is in all that is
    /// spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) noise_before: Option<f64>,
    /// After all steps.
    pub(super) spent: Spent,
    /// After some of them, in order; the last of these is the whole.
    pub(super) by_steps: Vec<Spent>,
    /// Who adds how much.
    pub(super) institutions: Option<Institutions>,
    /// What a job's noise costs on a table, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accuracy: Option<Accuracy>,
    /// What the noise leaves to be heard of so many institutions; none but of a job whose noise is for whole institutions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) heard: Option<HeardOf>,
    /// What a job protects, in the words of its claim; none without a job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
}

/// What noise for whole institutions leaves to be heard.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HeardOf {
    /// How long it is in the mean change of a round, in the longest change of one institution; none where their number is not named.
    pub(super) in_a_round: Option<f64>,
    /// The same in the mean of all rounds.
    pub(super) over_all: Option<f64>,
    /// The fewest institutions that are heard; none where no number that the parameter set serves is.
    pub(super) institutions: Option<u16>,
    /// On the noise of how many of them the job then counts.
    pub(super) honest: Option<u16>,
    /// The same for people, a sentence each.
    #[serde(skip)]
    pub(super) told: Vec<String>,
}

/// What so many steps spend.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spent {
    pub(super) steps: u64,
    /// Epsilon by Renyi divergences.
    pub(super) rdp: f64,
    /// Epsilon by the distribution of the privacy loss; none where delta is too small for it.
    pub(super) pld: Option<f64>,
}

/// How the noise is divided.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Institutions {
    pub(super) admitted: u16,
    pub(super) threshold: u16,
    pub(super) colluding: u16,
    /// For the honest ones among those that answer, and for all.
    pub(super) calibrations: [Calibration; 2],
}

/// One way to divide it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Calibration {
    /// h: institutions whose noise has to suffice.
    pub(super) counted_on: u32,
    /// Standard deviation of what each adds, in clipping norms.
    pub(super) noise_of_each: f64,
    /// Epsilon by the chosen accountant when t answer and c of them collude; none where next to no noise is left.
    pub(super) epsilon_at_worst: Option<f64>,
    /// Epsilon by the chosen accountant when all answer and nobody colludes.
    pub(super) epsilon_at_best: Option<f64>,
}

impl Plan {
    /// Works everything out.
    pub(super) fn of(args: &PlanArgs) -> Result<Self> {
        if let Some(path) = &args.job {
            return Self::of_job(&check(&JobFile::read(path)?)?, args);
        }
        Self::beside(args, None)
    }

    /// The same of steps before which another sum is opened, with this noise.
    fn beside(args: &PlanArgs, noise_before: Option<f64>) -> Result<Self> {
        // Without a job neither can be missing.
        let (steps, delta) = (args.steps.unwrap_or_default(), args.delta.unwrap_or_default());
        let training = Training::new(args.rate, steps, delta).map_err(told)?;
        let accountant = args.accountant.accountant();
        let noise = match (args.noise, args.epsilon) {
            (Some(noise), _) => noise,
            (None, Some(epsilon)) => training.noise_for(epsilon, accountant).map_err(told)?,
            (None, None) => {
                return Err(Error::input("options.missing", "neither an epsilon nor a noise is given")
                    .help("give --epsilon, or --noise"));
            }
        };
        let by_steps: Result<Vec<Spent>> = marks(steps)
            .into_iter()
            .map(|steps| Spent::after(training, steps, (noise, noise_before)))
            .collect();
        let by_steps = by_steps?;
        Ok(Self {
            rate: args.rate,
            steps,
            delta,
            target_epsilon: args.epsilon,
            accountant: args.accountant.name(),
            noise,
            noise_before,
            spent: Spent::after(training, steps, (noise, noise_before))?,
            by_steps,
            institutions: Institutions::of(args, training, (noise, noise_before))?,
            accuracy: None,
            heard: None,
            unit: None,
        })
    }

    /// What a job spends, with the noise that its file leads to.
    fn of_job(job: &Job, args: &PlanArgs) -> Result<Self> {
        let (Some(terms), Some(calibration)) = (job.privacy.noise(), job.calibration().map_err(told)?) else {
            return Err(Error::input("privacy.no-noise", "the job adds no noise: its privacy mode is `none`")
                .help("`mode = \"record-level\"` or `\"institution-level\"` in [privacy] adds noise; or plan with --steps, --delta and --epsilon"));
        };
        if args.table.is_some() && !job.program.trains() {
            let message = "the job trains no model whose accuracy could be measured";
            return Err(Error::input("privacy.no-training", message).place("--table").help(
                "leave out --table; `syndic sandbox` shows the figures of such a job with their deviations",
            ));
        }
        let protection = args.institutions.map(|admitted| {
            let protection = job.protection_of(usize::from(admitted)).map_err(|error| {
                Error::input(error.code(), error.to_string()).help("change [protection], or --institutions")
            })?;
            job.check_honest(&protection).map_err(told)?;
            Ok::<_, Error>(protection)
        });
        let protection = protection.transpose()?;
        let terms_of_steps = PlanArgs {
            job: None,
            rate: calibration.rate(),
            steps: Some(job.rounds.count.into()),
            delta: Some(terms.delta),
            epsilon: None,
            noise: Some(calibration.noise()),
            threshold: protection.as_ref().map(Protection::threshold),
            colluding: protection.as_ref().map(Protection::colluding),
            ..args.clone()
        };
        let planned = Self::beside(&terms_of_steps, calibration.before.map(|before| before.noise()))?;
        let planned = match calibration.rate() {
            1.0 => planned,
            _ => planned.by_the_account_of(&calibration)?,
        };
        let accuracy = args.table.as_ref().map(|table| Accuracy::measured(job, table, args)).transpose()?;
        let heard = HeardOf::of(job, args.institutions);
        let unit = job.claim(None).map_err(told)?.map(|claim| claim.unit);
        Ok(Self { target_epsilon: Some(terms.epsilon), heard, accuracy, unit, ..planned })
    }

    /// The same by Renyi divergences as a job on samples is accounted for, a little above those of continuous noise.
    fn by_the_account_of(mut self, account: &Account) -> Result<Self> {
        for spent in self.by_steps.iter_mut().chain([&mut self.spent]) {
            spent.rdp = account.after(spent.steps).map_err(told)?.epsilon;
        }
        let Some(Institutions { admitted, threshold, colluding, calibrations }) = &mut self.institutions
        else {
            return Ok(self);
        };
        if self.accountant == By::Rdp.name() {
            for Calibration { noise_of_each, epsilon_at_worst, epsilon_at_best, .. } in calibrations {
                let epsilon = |contributors: u16| {
                    let left = *noise_of_each * f64::from(contributors).sqrt();
                    account.with_noise(left).map(|spent| spent.epsilon).map_err(told)
                };
                if epsilon_at_worst.is_some() {
                    *epsilon_at_worst = Some(epsilon(*threshold - *colluding)?);
                }
                if epsilon_at_best.is_some() {
                    *epsilon_at_best = Some(epsilon(*admitted)?);
                }
            }
        }
        Ok(self)
    }

    /// One JSON object on one line.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }
}

impl HeardOf {
    fn of(job: &Job, admitted: Option<u16>) -> Option<Self> {
        job.privacy.institution_level()?;
        let (loudness, heard) = (admitted.and_then(|admitted| job.loudness(admitted)), job.heard());
        let loud = admitted.zip(loudness).map(|(admitted, loudness)| institutions::told(admitted, loudness));
        Some(Self {
            in_a_round: loudness.map(|loudness| loudness.in_a_round),
            over_all: loudness.map(|loudness| loudness.over_all),
            institutions: heard.map(|heard| heard.institutions),
            honest: heard.map(|heard| heard.honest),
            told: loud.into_iter().chain([institutions::needed(job)]).collect(),
        })
    }
}

impl Spent {
    fn after(training: Training, steps: u64, noise: (f64, Option<f64>)) -> Result<Self> {
        let (training, noise) = together(training.with_steps(steps).map_err(told)?, noise)?;
        let rdp = training.spent(noise, Accountant::Renyi).map_err(told)?.epsilon;
        let pld = match training.spent(noise, Accountant::PrivacyLoss) {
            Ok(guarantee) => Some(guarantee.epsilon),
            Err(PrivacyError::Precision { .. }) => None,
            Err(error) => return Err(told(error)),
        };
        Ok(Self { steps, rdp, pld })
    }
}

impl Institutions {
    fn of(args: &PlanArgs, training: Training, (noise, before): (f64, Option<f64>)) -> Result<Option<Self>> {
        let Some(admitted) = args.institutions else { return Ok(None) };
        let threshold = args.threshold.unwrap_or_else(|| Protection::default_threshold(admitted));
        let colluding = args.colluding.unwrap_or_else(|| Protection::largest_colluding(admitted, threshold));
        let honest =
            honest_contributors(admitted.into(), threshold.into(), colluding.into()).map_err(told)?;
        let calibrated = |counted_on: u32| {
            let each = noise_of_each(noise, counted_on);
            let epsilon = |contributors: u32| {
                let left = each * f64::from(contributors).sqrt();
                // More noise than the accountants are made for spends no more than the most that they are.
                let left = left.min(MOST_NOISE);
                if left < LEAST_NOISE {
                    return Ok(None);
                }
                // All noise is divided alike.
                let (training, left) =
                    together(training, (left, before.map(|before| before * left / noise)))?;
                training
                    .spent(left, args.accountant.accountant())
                    .map(|spent| Some(spent.epsilon))
                    .map_err(told)
            };
            Ok::<_, Error>(Calibration {
                counted_on,
                noise_of_each: each,
                epsilon_at_worst: epsilon(honest)?,
                epsilon_at_best: epsilon(admitted.into())?,
            })
        };
        let calibrations = [calibrated(honest)?, calibrated(admitted.into())?];
        Ok(Some(Self { admitted, threshold, colluding, calibrations }))
    }
}

/// Steps before which another sum is opened with noise, as one step: Gaussian noise of z sensitivities in each of T sums, and of z' in
/// another, tells as much as noise of 1 / sqrt(T / z^2 + 1 / z'^2) in one. Without another sum the steps as they are.
fn together(training: Training, (noise, before): (f64, Option<f64>)) -> Result<(Training, f64)> {
    let Some(before) = before else { return Ok((training, noise)) };
    let steps = training.steps() as f64;
    let noise = 1.0 / (steps / (noise * noise) + 1.0 / (before * before)).sqrt();
    Ok((training.with_steps(1).map_err(told)?, noise.clamp(LEAST_NOISE, MOST_NOISE)))
}

/// The numbers of steps in the table: the first, then tenths of all.
fn marks(steps: u64) -> Vec<u64> {
    let mut marks: Vec<u64> =
        std::iter::once(1).chain((1..=10).map(|tenth| (steps * tenth).div_ceil(10))).collect();
    marks.dedup();
    marks
}

/// For the person who gave the options.
pub(super) fn told(error: PrivacyError) -> Error {
    let told = Error::input(error.code(), error.to_string()).help(error.help());
    match error {
        PrivacyError::Rate { .. } => told.place("--rate"),
        PrivacyError::Noise { .. } => told.place("--noise"),
        PrivacyError::Steps { .. } => told.place("--steps"),
        PrivacyError::Delta { .. } | PrivacyError::Precision { .. } => told.place("--delta"),
        PrivacyError::Epsilon { .. } | PrivacyError::Unreachable { .. } | PrivacyError::Wide { .. } => {
            told.place("--epsilon")
        }
        PrivacyError::Honest { .. } => told.place("--institutions, --threshold, --colluding"),
        PrivacyError::Sum(_) | PrivacyError::Ratio { .. } | PrivacyError::Counted { .. } => told,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::privacy::args::PrivacyCommand;
    use clap::Parser;

    pub(in super::super) fn plan(line: &str) -> Result<Plan> {
        let words = ["syndic", "privacy", "plan"].into_iter().chain(line.split_whitespace());
        let Command::Privacy(PrivacyCommand::Plan(args)) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command");
        };
        Plan::of(&args)
    }

    #[test]
    fn epsilon_of_a_noise_is_that_of_the_accountants() {
        // Google dp-accounting 0.6.0.
        let plan = plan("--rate 0.01 --steps 1000 --delta 1e-5 --noise 1").unwrap();
        assert!((plan.spent.rdp - 2.1014).abs() < 1e-4, "{plan:?}");
        assert!((plan.spent.pld.unwrap() - 1.8282).abs() < 1e-3, "{plan:?}");
        assert!(plan.institutions.is_none() && plan.target_epsilon.is_none());
    }

    #[test]
    fn the_table_rises_to_the_whole() {
        let plan = plan("--steps 25 --delta 1e-6 --noise 10").unwrap();
        let steps: Vec<u64> = plan.by_steps.iter().map(|spent| spent.steps).collect();
        assert_eq!(steps, [1, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25]);
        assert!(plan.by_steps.is_sorted_by(|a, b| a.rdp < b.rdp && a.pld < b.pld));
        assert_eq!(plan.by_steps[10].rdp, plan.spent.rdp);
        assert_eq!(marks(1), [1]);
        assert_eq!(marks(3), [1, 2, 3]);
    }

    #[test]
    fn noise_for_an_epsilon_keeps_it_even_when_some_collude() {
        for accountant in ["rdp", "pld"] {
            let line =
                format!("--steps 20 --delta 1e-6 --epsilon 4 --institutions 5 --accountant {accountant}");
            let plan = plan(&line).unwrap();
            let chosen = if accountant == "rdp" { Some(plan.spent.rdp) } else { plan.spent.pld };
            assert!(chosen.unwrap() <= 4.0 && chosen.unwrap() > 3.99, "{plan:?}");
            let institutions = plan.institutions.unwrap();
            assert_eq!((institutions.admitted, institutions.threshold, institutions.colluding), (5, 4, 2));
            let [honest, all] = institutions.calibrations;
            assert_eq!((honest.counted_on, all.counted_on), (2, 5));
            assert!(honest.noise_of_each > all.noise_of_each);
            // The first keeps the target whatever happens, the second only when nobody lies or is missing.
            assert!(honest.epsilon_at_worst.unwrap() <= 4.0 + 1e-9);
            assert!(honest.epsilon_at_best < honest.epsilon_at_worst);
            assert!(all.epsilon_at_best.unwrap() <= 4.0 + 1e-9);
            assert!(all.epsilon_at_worst.unwrap() > 4.0);
        }
    }

    #[test]
    fn wrong_options_are_named_with_a_remedy() {
        let wrong = [
            ("--steps 5 --delta 1e-5 --noise 1 --rate 2", "privacy.rate", "--rate"),
            ("--steps 0 --delta 1e-5 --noise 1", "privacy.steps", "--steps"),
            ("--steps 5 --delta 1 --noise 1", "privacy.delta", "--delta"),
            ("--steps 5 --delta 1e-5 --noise 0", "privacy.noise", "--noise"),
            ("--steps 5 --delta 1e-5 --epsilon 0", "privacy.epsilon", "--epsilon"),
            ("--steps 10000000 --delta 1e-12 --epsilon 1e-9", "privacy.unreachable", "--epsilon"),
            (
                "--steps 5 --delta 1e-5 --noise 1 --institutions 5 --threshold 6",
                "privacy.honest",
                "--institutions, --threshold, --colluding",
            ),
            (
                "--steps 5 --delta 1e-5 --noise 1 --institutions 5 --colluding 4",
                "privacy.honest",
                "--institutions, --threshold, --colluding",
            ),
        ];
        for (line, code, place) in wrong {
            let error = plan(line).unwrap_err();
            let rendered = error.render();
            assert_eq!((error.code(), error.exit()), (code, 2), "{line}: {rendered}");
            assert!(rendered.contains(&format!("in: {place}")) && rendered.contains("help: "), "{rendered}");
        }
    }

    #[test]
    fn one_target_is_needed_and_no_more() {
        for line in ["--epsilon 1 --noise 1", ""] {
            let line = format!("syndic privacy plan --steps 5 --delta 1e-5 {line}");
            assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_job_is_planned_by_its_file() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples/jobs/credit-default-noise.toml");
        let planned = plan(&format!("--job {} --institutions 5", path.display())).unwrap();
        assert_eq!((planned.steps, planned.delta, planned.target_epsilon), (100, 1e-5, Some(3.0)));
        assert!(planned.spent.rdp <= 3.0 && planned.spent.rdp > 2.99, "{planned:?}");
        assert_eq!(planned.institutions.unwrap().colluding, 2);
        let exact = path.with_file_name("credit-default.toml");
        assert_eq!(plan(&format!("--job {}", exact.display())).unwrap_err().code(), "privacy.no-noise");
    }

    #[test]
    fn a_job_on_samples_is_planned_by_its_own_account() {
        let folder = tempfile::tempdir().unwrap();
        let text = include_str!("../../../examples/jobs/credit-default-noise.toml");
        let path = folder.path().join("job.toml");
        let solver = "solver = \"noisy-gradient\"";
        assert!(text.contains(solver));
        std::fs::write(&path, text.replacen(solver, &format!("{solver}\nsample = 0.1"), 1)).unwrap();
        let planned = plan(&format!("--job {} --institutions 5", path.display())).unwrap();
        assert_eq!((planned.rate, planned.steps), (0.1, 100));
        assert!(planned.spent.rdp <= 3.0 && planned.spent.rdp > 2.99, "{planned:?}");
        assert!(planned.spent.pld.unwrap() < planned.spent.rdp);
        assert!(planned.by_steps.is_sorted_by(|a, b| a.rdp < b.rdp));
        assert_eq!(planned.by_steps.last().unwrap().rdp, planned.spent.rdp);
        let [honest, all] = planned.institutions.unwrap().calibrations;
        assert!((honest.epsilon_at_worst.unwrap() / planned.spent.rdp - 1.0).abs() < 1e-6);
        assert!(honest.epsilon_at_best < honest.epsilon_at_worst && all.epsilon_at_worst.unwrap() > 3.0);
    }

    #[test]
    fn what_a_scorecard_counts_before_its_steps_is_in_all_that_is_spent() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples/jobs/credit-default-scorecard-noise.toml");
        let plan = plan(&format!("--job {} --institutions 5", path.display())).unwrap();
        let (first, last) = (plan.by_steps[0], plan.by_steps[plan.by_steps.len() - 1]);
        // 60 % of the divergence is spent on the counts: most of epsilon is spent with the first step.
        assert!(first.rdp > 2.0 && first.rdp < last.rdp, "{first:?} {last:?}");
        assert!((2.98..=3.0).contains(&last.rdp), "{last:?}");
        assert!(plan.noise_before.unwrap() < plan.noise);
        let [honest, all] = plan.institutions.unwrap().calibrations;
        assert!((honest.epsilon_at_worst.unwrap() - last.rdp).abs() < 0.01, "{honest:?}");
        assert!(all.epsilon_at_worst.unwrap() > last.rdp);
    }

    #[test]
    fn the_json_has_every_figure() {
        let plan = plan("--steps 2 --delta 1e-6 --noise 3 --institutions 4").unwrap();
        let json: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
        assert_eq!(json["steps"], 2);
        assert!(json["target_epsilon"].is_null());
        assert_eq!(json["by_steps"].as_array().unwrap().len(), 2);
        assert_eq!(json["institutions"]["calibrations"][1]["counted_on"], 4);
        assert!(json["spent"]["pld"].as_f64().unwrap() < json["spent"]["rdp"].as_f64().unwrap());
    }
}
