//! What is added against inference from the results: the section `[privacy]`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use syndic_round::Protection;
use toml::Spanned;

use super::institution::{self, InstitutionLevelTerms};
use super::parse::narrow;
use super::parse_institution::institution_level;
use super::reader::{Reader, Section};
use super::{FairnessTerms, Job, ProgramTerms, Rounds};
use crate::contract::Contract;
use crate::privacy::PrivacyError;
use crate::privacy::calibration::Calibration;
use crate::program::boosted_trees::noisy as noisy_trees;
use crate::program::logistic_regression::noisy;
use crate::program::noisy_model::NoisyModel;
use crate::program::{
    description, logistic_regression, neural_network, noisy_evaluation, noisy_sum, scorecard,
};

/// What is added against inference from the results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Privacy {
    /// Nothing beyond showing sums only.
    None {},
    /// Noise in every sum, so that it hardly matters whether one row is there.
    RecordLevel(RecordLevelTerms),
    /// Noise in every sum, so that it hardly matters what one institution contributes.
    InstitutionLevel(InstitutionLevelTerms),
}

/// What noise promises, whatever it protects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseTerms {
    /// What neighbours differ by.
    pub protected: Protected,
    /// Epsilon of the whole job.
    pub epsilon: f64,
    /// Delta of the whole job.
    pub delta: f64,
    /// Whose noise has to suffice.
    pub noise: NoiseSource,
    /// h: institutions whose noise has to suffice.
    pub contributors: u16,
}

/// What neighbours differ by. Amounts for one say nothing of the other, and are never added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protected {
    /// One row, added or removed.
    Row,
    /// All that one institution contributes, or nothing in its place.
    Institution,
}

/// The guarantee for each row, for the whole job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLevelTerms {
    /// Epsilon of the whole job.
    pub epsilon: f64,
    /// Delta of the whole job.
    pub delta: f64,
    /// Whose noise has to suffice.
    pub noise: NoiseSource,
    /// h: of distributed noise, institutions whose noise has to suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honest: Option<u16>,
    /// The longest gradient of one row; without it what suits the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// What one customer is.
    pub unit: Unit,
    /// Bins of the noisy score histogram of test rows; without it nothing is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_bins: Option<u16>,
}

/// Whose noise has to suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseSource {
    /// That of several honest institutions together.
    Distributed,
    /// Each institution's own.
    Local,
}

/// What neighbours differ by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// One row of one institution.
    #[default]
    Row,
    /// All rows of one customer of one institution, by the contract's column of customers.
    Customer,
}

impl Privacy {
    /// The terms of noise for rows; none where nothing is added, or for something else.
    pub fn record_level(&self) -> Option<&RecordLevelTerms> {
        match self {
            Self::None {} | Self::InstitutionLevel(_) => None,
            Self::RecordLevel(terms) => Some(terms),
        }
    }

    /// The terms of noise for whole institutions; none where nothing is added, or for something else.
    pub fn institution_level(&self) -> Option<&InstitutionLevelTerms> {
        match self {
            Self::None {} | Self::RecordLevel(_) => None,
            Self::InstitutionLevel(terms) => Some(terms),
        }
    }

    /// What noise promises; none where nothing is added.
    pub fn noise(&self) -> Option<NoiseTerms> {
        let (protected, epsilon, delta, noise, honest) = match *self {
            Self::None {} => return None,
            Self::RecordLevel(RecordLevelTerms { epsilon, delta, noise, honest, .. }) => {
                (Protected::Row, epsilon, delta, noise, honest)
            }
            Self::InstitutionLevel(InstitutionLevelTerms { epsilon, delta, noise, honest, .. }) => {
                (Protected::Institution, epsilon, delta, noise, honest)
            }
        };
        let contributors = noise.contributors(honest);
        Some(NoiseTerms { protected, epsilon, delta, noise, contributors })
    }

    /// The name in job files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None {} => NONE,
            Self::RecordLevel(_) => RECORD_LEVEL,
            Self::InstitutionLevel(_) => institution::MODE,
        }
    }
}

impl Protected {
    /// The word for it, in accounts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Institution => "institution",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Row => Self::Institution,
            Self::Institution => Self::Row,
        }
    }

    /// What the word is for; none where it is no such word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == word)
    }

    /// Every one.
    pub const ALL: [Self; 2] = [Self::Row, Self::Institution];
}

impl NoiseSource {
    /// The name in job files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Distributed => "distributed",
            Self::Local => "local",
        }
    }

    /// h: institutions whose noise has to suffice, where the job says `honest`.
    pub(super) fn contributors(self, honest: Option<u16>) -> u16 {
        match self {
            Self::Local => 1,
            Self::Distributed => honest.unwrap_or(1),
        }
    }
}

impl Unit {
    /// The name in job files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Customer => "customer",
        }
    }
}

impl RecordLevelTerms {
    /// h: institutions whose noise has to suffice.
    pub fn contributors(&self) -> u16 {
        self.noise.contributors(self.honest)
    }

    /// k: the most rows that neighbours differ by under `contract`. Sums to which a row adds a vector of a bounded length differ by
    /// k such lengths at most, so that noise is k times as wide.
    pub fn rows_of_unit(&self, contract: &Contract) -> u32 {
        match self.unit {
            Unit::Row => 1,
            Unit::Customer => contract.rows_per_customer(),
        }
    }
}

impl Job {
    /// Whether the training rows of every institution have to be of both classes. With noise they need not be, since who declines
    /// for that tells something exact of its rows.
    pub fn needs_both_classes(&self) -> bool {
        !self.adds_noise() && self.program.trains()
    }

    /// Whether all that is opened has noise.
    pub fn adds_noise(&self) -> bool {
        self.privacy.noise().is_some()
    }

    /// How much noise is added, and what the whole job spends; none where nothing is added.
    ///
    /// # Errors
    /// [`PrivacyError`] where no noise keeps the terms, which no job file passes with.
    pub fn calibration(&self) -> Result<Option<Calibration>, PrivacyError> {
        calibrated(&self.privacy, &self.program, &self.contract, self.rounds.count)
    }

    /// Checks that the noise of those suffices who are honest under this protection.
    ///
    /// # Errors
    /// [`PrivacyError::Counted`] where the job counts on more of them.
    pub fn check_honest(&self, protection: &Protection) -> Result<(), PrivacyError> {
        let Some(terms) = self.privacy.noise() else { return Ok(()) };
        let (threshold, colluding) = (protection.threshold(), protection.colluding());
        if terms.contributors <= threshold - colluding {
            return Ok(());
        }
        Err(PrivacyError::Counted { honest: terms.contributors, threshold, colluding })
    }
}

fn calibrated(
    privacy: &Privacy,
    program: &ProgramTerms,
    contract: &Contract,
    rounds: u32,
) -> Result<Option<Calibration>, PrivacyError> {
    match privacy {
        Privacy::None {} => Ok(None),
        Privacy::RecordLevel(terms) => {
            if let ProgramTerms::BoostedTrees(trees) = program
                && let Some(trees) = trees.random()
            {
                let mechanism = noisy_trees::mechanism(trees, contract, rounds, terms.contributors());
                return mechanism.calibrated(terms.epsilon, terms.delta).map(Some);
            }
            if let ProgramTerms::Statistics(described) = program {
                let mechanism = description::mechanism(described, contract, terms.contributors());
                return mechanism.calibrated(terms.epsilon, terms.delta).map(Some);
            }
            if let Some(of_scorecard) = program.scorecard() {
                return scorecard::calibrated(terms, of_scorecard, contract, rounds).map(Some);
            }
            // A program that adds no noise is refused with noise, whatever the noise would be.
            let parameters = NoisyModel::parameters_of(program, contract).unwrap_or(contract.inputs() + 1);
            let mechanism = noisy_sum::mechanism(parameters, rounds, terms.contributors());
            let mechanism = mechanism.for_rows(terms.rows_of_unit(contract));
            let rate = program.sample().unwrap_or(1.0);
            mechanism.calibrated_on_samples(rate, terms.epsilon, terms.delta).map(Some)
        }
        Privacy::InstitutionLevel(terms) => {
            institution::calibrated(terms, program, contract, rounds).map(Some)
        }
    }
}

/// The mode, and where it stands.
pub(super) fn privacy(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
) -> Option<(Privacy, Option<Range<usize>>)> {
    let mut section = reader.section(root, "privacy", "[privacy]");
    reader.require(
        &mut section,
        "mode",
        "say it outright: `mode = \"none\"` shows sums, without added noise",
    );
    let mode = reader.text(&mut section, "mode")?;
    let at = Some(mode.span());
    match mode.get_ref().as_str() {
        NONE => {
            for (key, at) in section.foreign(&OF_NOISE) {
                let message = format!("`{key}` is a term of noise, and `mode = \"{NONE}\"` adds none");
                let help = format!("remove it, or write `mode = \"{RECORD_LEVEL}\"`");
                reader.add("job.unknown-key", Some(at), message, help);
            }
            reader.close(section);
            return Some((Privacy::None {}, at));
        }
        RECORD_LEVEL => {
            let terms = record_level(reader, &mut section);
            reader.close(section);
            return terms.map(|terms| (Privacy::RecordLevel(terms), at));
        }
        institution::MODE => {
            let terms = institution_level(reader, &mut section);
            reader.close(section);
            return terms.map(|terms| (Privacy::InstitutionLevel(terms), at));
        }
        other => reader.add(
            "job.unknown-privacy",
            at,
            format!("no privacy mode is `{other}`"),
            "write `mode = \"record-level\"` to protect each row, `mode = \"institution-level\"` to protect each institution as a \
             whole, or `mode = \"none\"` if sums without added noise are acceptable",
        ),
    }
    None
}

fn record_level(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<RecordLevelTerms> {
    let guarantee = guarantee(reader, section, "customers");
    let clip = reader.number_in(section, "clip", 0.001..=1000.0).map(Spanned::into_inner);
    let test_bins = reader.integer(section, "test_bins", 8..=4096);
    let units = [Unit::Row, Unit::Customer].map(|unit| (unit.name(), unit));
    let unit = reader.choice(section, "unit", "privacy.unknown-unit", &units);
    let (epsilon, delta, noise, honest) = guarantee?;
    Some(RecordLevelTerms {
        epsilon,
        delta,
        noise,
        honest,
        clip,
        unit: unit.map(Spanned::into_inner).unwrap_or_default(),
        test_bins: test_bins.map(|bins| narrow(bins) as u16),
    })
}

/// What all noise has: epsilon, delta, whose it is, and that of how many has to suffice.
pub(super) fn guarantee(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    protected: &str,
) -> Option<(f64, f64, NoiseSource, Option<u16>)> {
    reader.require(section, "epsilon", "say what the whole job may spend: `epsilon = 1.0`");
    reader.require(section, "delta", &format!("well below 1 / {protected}: `delta = 1e-5`"));
    let help = "`noise = \"distributed\"` counts on that of several institutions, `noise = \"local\"` on each one's own";
    reader.require(section, "noise", help);
    let epsilon = reader.number_in(section, "epsilon", 0.01..=100.0);
    let delta = reader.number_in(section, "delta", 1e-12..=0.01);
    let sources = [NoiseSource::Distributed, NoiseSource::Local].map(|source| (source.name(), source));
    let noise = reader.choice(section, "noise", "privacy.unknown-noise", &sources);
    let honest = reader.integer(section, "honest", 1..=256);
    match (noise.as_ref().map(Spanned::get_ref), &honest) {
        (Some(NoiseSource::Distributed), None) if section.entry("honest").is_none() => {
            let message = "distributed noise has to suffice without that of those who collude or are missing";
            let help = "say on how many institutions' noise to count: `honest = 2`, at most t - c";
            reader.add("privacy.honest", noise.as_ref().map(Spanned::span), message, help);
        }
        (Some(NoiseSource::Local), Some(honest)) => {
            let message = "local noise counts on one institution's own";
            reader.add("privacy.honest", Some(honest.span()), message, "remove `honest`");
        }
        _ => {}
    }
    let honest = honest.map(|honest| narrow(honest) as u16);
    Some((epsilon?.into_inner(), delta?.into_inner(), noise?.into_inner(), honest))
}

/// Refuses what would open an exact sum in a job with noise, and noise that nobody can add.
pub(super) fn check(
    reader: &mut Reader<'_>,
    (privacy, at): (&Privacy, Option<Range<usize>>),
    program: &ProgramTerms,
    rounds: &Rounds,
    contract: Option<&Contract>,
    (fairness, drift, by_lot): (Option<&FairnessTerms>, bool, bool),
) {
    match privacy {
        Privacy::None {} => {
            if program.is_noisy() {
                let what = match program {
                    ProgramTerms::BoostedTrees(_) => format!("splits = \"{}\"", noisy_trees::SPLITS),
                    _ => noisy::SOLVER.to_owned(),
                };
                let message = format!("`{what}` adds noise, and the job's privacy mode is `{NONE}`");
                let help = "write `mode = \"record-level\"` in [privacy], or take another solver or optimiser, or the best splits";
                reader.add("privacy.solver", at.clone(), message, help);
            }
            if program.scorecard().is_some_and(|terms| terms.noise_terms().0) {
                let message =
                    format!("`cells` and `bins_share` are terms of noise, and `mode = \"{NONE}\"` adds none");
                let help = format!("remove them, or write `mode = \"{RECORD_LEVEL}\"` in [privacy]");
                reader.add("job.scorecard", at, message, help);
            }
            return;
        }
        Privacy::RecordLevel(terms) => {
            check_program(reader, at.as_ref(), program);
            check_unit(reader, (terms, at.as_ref()), program, contract);
        }
        Privacy::InstitutionLevel(_) => institution::check_program(reader, at.as_ref(), program),
    }
    let clips = privacy.record_level().is_some_and(|terms| terms.clip.is_some());
    if clips && program.is_noisy() && matches!(program, ProgramTerms::BoostedTrees(_)) {
        let message = "`clip` cuts gradients of models, and trees have none: a row adds no more than a gradient of one to a leaf";
        reader.add("privacy.clip", at.clone(), message, "remove `clip`");
    }
    // What has been refused once is not refused for its noise as well.
    let is_refused = matches!(privacy, Privacy::InstitutionLevel(_)) && !program.averages_alike();
    match privacy.record_level().map(|terms| terms.test_bins) {
        _ if fairness.is_none() => {}
        Some(Some(_)) => {}
        Some(None) => {
            let message = "the comparison of groups counts test rows, which a job with noise does with `test_bins` only";
            let help = "write `test_bins = 32` in [privacy], or remove [fairness]";
            reader.add("privacy.fairness", at.clone(), message, help);
        }
        None => {
            let message = "the comparison of groups opens exact counts";
            let help = "remove [fairness], or write `mode = \"none\"` if exact sums are acceptable";
            reader.add("privacy.fairness", at.clone(), message, help);
        }
    }
    if drift {
        let message = "the comparison of test rows with training rows opens exact counts";
        let help = "remove [drift], or write `mode = \"none\"` if exact sums are acceptable";
        reader.add("privacy.drift", at.clone(), message, help);
    }
    if by_lot && privacy.institution_level().is_some() {
        let message =
            "noise counts on honest institutions in every sum, and a lot could draw all that collude at once";
        let help = "remove `each_round` of [cohort]";
        reader.add("cohort.not-by-lot", at.clone(), message, help);
    }
    // Without a contract its errors come first.
    let Some(contract) = contract.filter(|_| !is_refused) else { return };
    let counts = privacy.record_level().map(|terms| noisy_evaluation::calibrated(terms, fairness, contract));
    let of_counts = || counts.transpose().map(Option::flatten);
    if let Err(error) = calibrated(privacy, program, contract, rounds.count).and_then(|_| of_counts()) {
        reader.add(error.code(), at, error.to_string(), error.help());
    }
}

/// Refuses customers as the unit where nobody knows whose a row is, and several rows of one where a program's noise is for one.
fn check_unit(
    reader: &mut Reader<'_>,
    (terms, at): (&RecordLevelTerms, Option<&Range<usize>>),
    program: &ProgramTerms,
    contract: Option<&Contract>,
) {
    let Some(contract) = contract.filter(|_| terms.unit == Unit::Customer) else { return };
    if contract.customer.is_none() {
        let message = "the unit is one customer, and the contract does not say whose a row is";
        let help = "name the column in [contract], `customer = \"customer_id\"`, or write `unit = \"row\"`";
        reader.add("privacy.no-customer", at.cloned(), message, help);
    }
    if terms.rows_of_unit(contract) > 1 && !program.is_noisy_for_several_rows() {
        let message = format!("the noise of `{}` is for one row of each customer", program.name());
        let help = "write `max_rows_per_customer = 1` in [contract], or take another program";
        reader.add("privacy.rows-per-customer", at.cloned(), message, help);
    }
}

/// Refuses programs that do not add noise to all that they sum over rows.
fn check_program(reader: &mut Reader<'_>, at: Option<&Range<usize>>, program: &ProgramTerms) {
    match program {
        program if program.is_noisy() => {}
        ProgramTerms::Statistics(_) => {}
        ProgramTerms::Scorecard(terms) => {
            if terms.noise_terms().1 {
                let message = "`coarse_bins` has no meaning with noise: classes are counted in even cells";
                let help = "remove it, and say how many with `cells`";
                reader.add("job.scorecard", at.cloned(), message, help);
            }
        }
        ProgramTerms::LogisticRegression(_) | ProgramTerms::NeuralNetwork(_) => {
            let (what, key) = match program.is_linear() {
                true => ("a solver", "solver"),
                false => ("an optimiser", "optimiser"),
            };
            let message = format!("`{RECORD_LEVEL}` needs {what} that adds noise to all it asks for");
            let help = format!("write `{key} = \"{}\"` in [program]", noisy::SOLVER);
            reader.add("privacy.solver", at.cloned(), message, help);
        }
        ProgramTerms::BoostedTrees(_) => {
            let message = format!("`{RECORD_LEVEL}` needs splits that take no exact sums");
            let help = format!("write `splits = \"{}\"` in [program]", noisy_trees::SPLITS);
            reader.add("privacy.solver", at.cloned(), message, help);
        }
        other => {
            let message = format!("`{}` cannot add noise to what it asks for", other.name());
            let help = format!(
                "take `name = \"{}\"`, `\"{}\"` or `\"{}\"`, or `mode = \"none\"` if exact sums are acceptable",
                logistic_regression::NAME,
                neural_network::NAME,
                scorecard::NAME
            );
            reader.add("privacy.program", at.cloned(), message, help);
        }
    }
}

/// Terms that only a mode with noise has.
const OF_NOISE: [&str; 7] = ["epsilon", "delta", "noise", "honest", "clip", "unit", "test_bins"];
const NONE: &str = "none";
const RECORD_LEVEL: &str = "record-level";
