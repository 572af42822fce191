//! The section `[privacy]`: what it may say, and beside which program.

use std::ops::Range;

use toml::Spanned;

use super::institution;
use super::parse::narrow;
use super::parse_institution::institution_level;
use super::privacy::{NONE, NoiseSource, Privacy, RECORD_LEVEL, RecordLevelTerms, Unit, calibrated};
use super::reader::{Reader, Section};
use super::{FairnessTerms, ProgramTerms, Rounds};
use crate::contract::Contract;
use crate::program::boosted_trees::noisy as noisy_trees;
use crate::program::logistic_regression::noisy;
use crate::program::{boosted_trees, logistic_regression, neural_network, noisy_evaluation, scorecard};

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
        let (message, help) = match program.sample() {
            Some(_) => (
                "the noise of samples is for one row of each customer".to_owned(),
                "remove `sample`, or write `max_rows_per_customer = 1` in [contract]",
            ),
            None => (
                format!("the noise of `{}` is for one row of each customer", program.name()),
                "write `max_rows_per_customer = 1` in [contract], or take another program",
            ),
        };
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
                "take `name = \"{}\"`, `\"{}\"`, `\"{}\"` or `\"{}\"`, or `mode = \"none\"` if exact sums are acceptable",
                logistic_regression::NAME,
                neural_network::NAME,
                boosted_trees::NAME,
                scorecard::NAME
            );
            reader.add("privacy.program", at.cloned(), message, help);
        }
    }
}
/// Terms that only a mode with noise has.
const OF_NOISE: [&str; 7] = ["epsilon", "delta", "noise", "honest", "clip", "unit", "test_bins"];
