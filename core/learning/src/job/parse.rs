//! Reads a job file, section by section, and finds all its errors in one pass.

use std::ops::Range;

use syndic_round::{JobId, ParameterSet};
use toml::de::DeTable;

use super::cohort::cohort;
use super::drift::drift;
use super::fairness::fairness;
use super::parse_comparison;
use super::parse_contract;
use super::parse_description;
use super::parse_drift;
use super::parse_privacy::{self, privacy};
use super::parse_program::{check_patience, check_rounds, program};
use super::processing::processing;
use super::promotion::{self, promotion};
use super::reader::{Reader, Section};
use super::{
    Deadlines, Diagnostic, EvaluationTerms, Identity, Job, ProgramTerms, ProtectionTerms, Retention, Rounds,
    SmallVectors,
};

pub(super) fn job(text: &str) -> Result<Job, Vec<Diagnostic>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::of(text);
    if !errors.is_empty() {
        // What follows the first few is as a rule their consequence.
        for error in errors.into_iter().take(MOST_SYNTAX_ERRORS) {
            let help = "correct the TOML (https://toml.io); the rest is checked once it can be read";
            reader.add("job.syntax", error.span(), format!("not TOML: {}", error.message()), help);
        }
        return Err(reader.into_diagnostics());
    }
    let mut root = Section::root(&document);
    let identity = identity(&mut reader, &mut root);
    let contract = parse_contract::contract(&mut reader, &mut root);
    let processing = processing(&mut reader, &mut root, contract.as_ref());
    let program = program(&mut reader, &mut root, contract.as_ref());
    let compares = matches!(program, Some((ProgramTerms::Evaluation(_), _)));
    let describes = matches!(program, Some((ProgramTerms::Statistics(_), _)));
    let drifts = matches!(program, Some((ProgramTerms::Drift(_), _)));
    let asks_once = compares
        .then_some("evaluation.rounds")
        .or(describes.then_some("statistics.rounds"))
        .or(drifts.then_some("drift.rounds"));
    let rounds = rounds(&mut reader, &mut root, asks_once);
    let privacy = privacy(&mut reader, &mut root);
    let cohort = cohort(&mut reader, &mut root, program.as_ref().map(|(program, _)| program));
    let of_many_sizes = match &program {
        Some((ProgramTerms::BoostedTrees(_), _)) => Some("trees ask"),
        Some((ProgramTerms::Scorecard(_), _)) => Some("a scorecard asks"),
        _ => None,
    };
    let protection = protection(&mut reader, &mut root, of_many_sizes);
    let evaluation = evaluation(&mut reader, &mut root);
    let fairness = fairness(&mut reader, &mut root, contract.as_ref());
    let drift = drift(&mut reader, &mut root, contract.as_ref());
    let retention = retention(&mut reader, &mut root);
    let promotion = promotion(&mut reader, &mut root);
    if compares {
        parse_comparison::check(&mut reader, &root);
    }
    if describes {
        parse_description::check(&mut reader, &root);
    }
    if drifts {
        parse_drift::check(&mut reader, &root, evaluation);
    }
    reader.close(root);
    if let Some(promotion) = &promotion {
        let privacy = privacy.as_ref().map(|(privacy, _)| privacy);
        promotion::check(&mut reader, promotion, privacy, fairness.as_ref(), drift.as_ref());
    }
    if let (Some((program, _)), Some((rounds, _)), Some((privacy, at))) = (&program, &rounds, &privacy) {
        let (contract, at) = (contract.as_ref(), at.clone());
        if describes {
            parse_description::check_privacy(&mut reader, (privacy, at.clone()));
        }
        parse_privacy::check(
            &mut reader,
            (privacy, at),
            program,
            rounds,
            contract,
            (fairness.as_ref(), drift.is_some(), cohort.terms.each_round.is_some()),
        );
    }
    if let (Some((program, _)), Some((rounds, at)), Some((privacy, _))) = (&program, &rounds, &privacy) {
        check_patience(&mut reader, program, rounds, privacy, at.clone());
    }
    if let (Some((program, decay)), Some((rounds, count))) = (&program, &rounds) {
        check_rounds(
            &mut reader,
            program,
            rounds,
            contract.as_ref(),
            decay.clone().unwrap_or_else(|| count.clone()),
        );
    }
    if let Some(protection) = &protection {
        cohort.check_protection(&mut reader, protection);
    }
    match (identity, contract, program, rounds, privacy, protection) {
        (
            Some(identity),
            Some(contract),
            Some((program, _)),
            Some((rounds, _)),
            Some((privacy, _)),
            Some(protection),
        ) if reader.is_clean() => Ok(Job {
            identity,
            processing,
            contract,
            program,
            rounds,
            privacy,
            cohort: cohort.terms,
            protection,
            evaluation,
            fairness,
            drift,
            retention,
            promotion: promotion.map(|(promotion, _)| promotion),
        }),
        _ => Err(reader.into_diagnostics()),
    }
}

fn identity(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<Identity> {
    let mut section = reader.section(root, "job", "[job]");
    reader.require(&mut section, "id", "name the job: `id = \"marketing-response-2026\"`");
    reader.require(
        &mut section,
        "purpose",
        "say what the data is used for, in one word: `purpose = \"marketing-response\"`",
    );
    reader.require(
        &mut section,
        "description",
        "describe the job in a sentence for the people who approve it",
    );
    let id = reader.text(&mut section, "id").and_then(|id| {
        let parsed = JobId::new(id.get_ref());
        if parsed.is_none() {
            let message = format!("`{}` is no job id", id.get_ref());
            reader.add(
                "job.bad-name",
                Some(id.span()),
                message,
                "use 1 to 64 characters of a-z, 0-9, `-`, `_` and `.`",
            );
        }
        parsed
    });
    let purpose = reader.text(&mut section, "purpose").filter(|purpose| {
        let fine = is_machine_word(purpose.get_ref());
        if !fine {
            let message = format!("`{}` is no purpose", purpose.get_ref());
            reader.add("job.bad-name", Some(purpose.span()), message, MACHINE_WORD);
        }
        fine
    });
    let description = reader.text(&mut section, "description");
    let lawful_basis = reader.text(&mut section, "lawful_basis").map(toml::Spanned::into_inner);
    reader.close(section);
    Some(Identity {
        id: id?,
        purpose: purpose?.into_inner(),
        description: description?.into_inner(),
        lawful_basis,
    })
}

/// The rounds, and where their number stands. A job that compares released models, or describes rows, has one, and need not say so.
/// `asks_once` is the code of an error in a job that asks for one sum.
fn rounds(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    asks_once: Option<&'static str>,
) -> Option<(Rounds, Range<usize>)> {
    let mut section = reader.section(root, "rounds", "[rounds]");
    if asks_once.is_none() {
        reader.require(&mut section, "count", "say how many training rounds the job may take: `count = 20`");
    }
    let count = reader.integer(&mut section, "count", 1..=10_000);
    let patience = reader.integer(&mut section, "patience", 1..=10_000);
    let mut inner = reader.section(&mut section, "deadlines", "[rounds.deadlines]");
    let start_seconds = reader.integer(&mut inner, "start_seconds", 1..=YEAR).map(narrow);
    let mut seconds = |key, default| reader.integer(&mut inner, key, 1..=WEEK).map_or(default, narrow);
    let default = Deadlines::default();
    let deadlines = Deadlines {
        advertise_seconds: seconds("advertise_seconds", default.advertise_seconds),
        share_seconds: seconds("share_seconds", default.share_seconds),
        collect_seconds: seconds("collect_seconds", default.collect_seconds),
        certify_seconds: seconds("certify_seconds", default.certify_seconds),
        reveal_seconds: seconds("reveal_seconds", default.reveal_seconds),
        start_seconds,
    };
    reader.close(inner);
    reader.close(section);
    if let Some(code) = asks_once {
        let count = parse_comparison::one_round(reader, count, code);
        return Some((Rounds { count, patience: patience.map(narrow), deadlines }, 0..0));
    }
    let count = count?;
    let at = count.span();
    Some((Rounds { count: narrow(count), patience: patience.map(narrow), deadlines }, at))
}

fn protection(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    of_many_sizes: Option<&str>,
) -> Option<ProtectionTerms> {
    let mut section = reader.section(root, "protection", "[protection]");
    let sets = ParameterSet::ALL.map(|set| (set.name(), set));
    reader.require(&mut section, "parameter_set", "`parameter_set = \"KSA-S32\"` suits nearly every job");
    let parameter_set = reader.choice(&mut section, "parameter_set", "job.unknown-parameter-set", &sets);
    let most = parameter_set.as_ref().map_or(u16::MAX, |set| set.get_ref().largest_cohort()).into();
    let threshold = reader.integer(&mut section, "threshold", 2..=most);
    let colluding = reader.integer(&mut section, "colluding", 0..=most);
    let min_survivors = reader.integer(&mut section, "min_survivors", 2..=most);
    let ways = [("encrypted", SmallVectors::Encrypted), ("shared", SmallVectors::Shared)];
    let small_vectors = reader.choice(&mut section, "small_vectors", "job.unknown-small-vectors", &ways);
    if let Some(ways) = &small_vectors
        && *ways.get_ref() == SmallVectors::Shared
        && let Some(asks) = of_many_sizes
    {
        let message = format!("{asks} for vectors of many sizes, of which few are small");
        let help = "remove `small_vectors`: all vectors are then encrypted";
        reader.add("protection.small-vectors", Some(ways.span()), message, help);
    }
    if let (Some(t), Some(c)) = (&threshold, &colluding)
        && *t.get_ref() < c.get_ref() + 2
    {
        let message =
            format!("threshold {} does not withstand {} colluding institutions", t.get_ref(), c.get_ref());
        let help =
            format!("t >= c + 2 is needed: raise `threshold` to {}, or lower `colluding`", c.get_ref() + 2);
        reader.add("protection.threshold", Some(t.span()), message, help);
    }
    if let (Some(t), Some(u)) = (&threshold, &min_survivors)
        && u.get_ref() < t.get_ref()
    {
        let message =
            format!("{} survivors cannot open a sum whose threshold is {}", u.get_ref(), t.get_ref());
        let help = format!("raise `min_survivors` to {} or more", t.get_ref());
        reader.add("protection.min-survivors", Some(u.span()), message, help);
    }
    reader.close(section);
    Some(ProtectionTerms {
        parameter_set: parameter_set?.into_inner(),
        threshold: threshold.map(narrow_16),
        colluding: colluding.map(narrow_16),
        min_survivors: min_survivors.map(narrow_16),
        small_vectors: small_vectors.map(toml::Spanned::into_inner).unwrap_or_default(),
    })
}

fn evaluation(reader: &mut Reader<'_>, root: &mut Section<'_>) -> EvaluationTerms {
    let mut section = reader.section(root, "evaluation", "[evaluation]");
    let bins = reader.integer(&mut section, "bins", 4096..=65_536);
    reader.close(section);
    EvaluationTerms { bins: bins.map_or(EvaluationTerms::default().bins, narrow) }
}

/// None where nothing is said of it; a section without its key would be a rule that says nothing.
fn retention(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Option<Retention> {
    let mut section = reader.section(root, "retention", "[retention]");
    if section.is_present() {
        let help = "say for how many days after its end the job's updates are kept: `updates_days = 30`";
        reader.require(&mut section, "updates_days", help);
    }
    let days = reader.integer(&mut section, "updates_days", 1..=CENTURY);
    reader.close(section);
    days.map(|days| Retention { updates_days: narrow(days) })
}

pub(super) fn is_machine_word(word: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=64).contains(&word.len()) && word.bytes().all(allowed)
}

/// A number that was read within a range that fits.
pub(super) fn narrow(value: toml::Spanned<u64>) -> u32 {
    u32::try_from(value.into_inner()).unwrap_or(u32::MAX)
}

fn narrow_16(value: toml::Spanned<u64>) -> u16 {
    u16::try_from(value.into_inner()).unwrap_or(u16::MAX)
}

pub(super) const MACHINE_WORD: &str = "use 1 to 64 characters of a-z, 0-9, `-` and `_`";

const MOST_SYNTAX_ERRORS: usize = 3;

const WEEK: u64 = 7 * 24 * 3600;
const YEAR: u64 = 365 * 24 * 3600;
/// In days.
const CENTURY: u64 = 36_500;
