//! `mode = "institution-level"`.

use super::*;
use crate::job::{NoiseSource, Protected};

const NOISE: &str =
    "mode = \"institution-level\"\nepsilon = 8\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 2";

fn hidden(privacy: &str) -> String {
    FILE.replacen("mode = \"none\"", privacy, 1)
}

/// The job with other lines from `name` in `[program]` on.
fn of_program(program: &str) -> String {
    let start = FILE.find("name = \"logistic-regression\"").unwrap();
    let end = start + FILE[start..].find("[rounds]").unwrap();
    format!("{}{program}\n\n{}", &FILE[..start], &FILE[end..]).replacen("mode = \"none\"", NOISE, 1)
}

fn codes(text: &str) -> Vec<&'static str> {
    Job::from_toml(text).unwrap_err().into_iter().map(|told| told.code).collect()
}

#[test]
fn terms_of_noise_for_institutions_are_read_and_written_again() {
    for privacy in [NOISE.to_owned(), NOISE.replace("honest = 2", "clip = 0.25\nhonest = 4")] {
        let job = Job::from_toml(&hidden(&privacy)).unwrap();
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
    }
    let job = Job::from_toml(&hidden(NOISE)).unwrap();
    let (terms, found) = (*job.privacy.institution_level().unwrap(), job.privacy.noise().unwrap());
    assert_eq!((terms.clip, terms.noise, job.privacy.record_level()), (0.3, NoiseSource::Distributed, None));
    assert_eq!((found.protected, found.contributors), (Protected::Institution, 2));
    assert!(job.adds_noise() && !job.needs_both_classes() && !job.measures_every_round());
    let spent = job.calibration().unwrap().unwrap().spent;
    assert!(spent.epsilon <= 8.0 && spent.epsilon > 7.9, "{spent:?}");
    let claim = job.claim(None).unwrap().unwrap();
    assert!(claim.unit.starts_with("the whole contribution of one institution"), "{claim:?}");
    assert!(claim.mechanism.contains("in each of 20 sums of clipped changes of the model"), "{claim:?}");
    assert!(claim.evaluation.is_none() && claim.trust.contains("at least 2 institutions"), "{claim:?}");
    let local = NOISE.replace("\"distributed\"\nhonest = 2", "\"local\"");
    assert_eq!(Job::from_toml(&hidden(&local)).unwrap().privacy.noise().unwrap().contributors, 1);
}

#[test]
fn terms_for_institutions_that_make_no_sense_are_refused() {
    for (from, to, code) in [
        ("epsilon = 8\n", "", "job.missing-key"),
        ("delta = 1e-5\n", "", "job.missing-key"),
        ("noise = \"distributed\"\n", "", "job.missing-key"),
        ("epsilon = 8", "epsilon = 0", "job.out-of-range"),
        ("\nhonest = 2", "", "privacy.honest"),
        ("\"distributed\"", "\"local\"", "privacy.honest"),
        ("honest = 2", "honest = 2\nclip = 0", "job.out-of-range"),
        ("honest = 2", "honest = 2\ntest_bins = 32", "privacy.test-bins"),
        ("honest = 2", "honest = 2\nunit = \"row\"", "privacy.unknown-unit"),
        ("honest = 2", "honest = 2\nsigma = 3", "job.unknown-key"),
        ("epsilon = 8", "epsilon = 0.01", "privacy.unreachable"),
    ] {
        assert_eq!(codes(&hidden(&NOISE.replace(from, to))), [code], "{to}");
    }
}

#[test]
fn programs_that_average_are_taken_and_others_refused_with_the_remedy() {
    let linear = "name = \"logistic-regression\"\nsolver = ";
    for fine in [
        format!("{linear}\"fed-prox\""),
        format!("{linear}\"fed-adam\""),
        format!("{linear}\"fed-yogi\"\nlocal_steps = \"adam\""),
        format!("{linear}\"fed-avg\"\nclass_weights = 3.0"),
        "name = \"neural-network\"\nhidden = [4]\noptimiser = \"fed-avg\"".into(),
    ] {
        let job = Job::from_toml(&of_program(&fine)).unwrap_or_else(|told| panic!("{fine}: {told:?}"));
        assert!(job.loudness(5).unwrap().in_a_round > 0.0, "{fine}");
    }
    for (program, code, remedy) in [
        (format!("{linear}\"newton\""), "privacy.solver", "`solver = \"fed-avg\"`"),
        (format!("{linear}\"noisy-gradient\""), "privacy.solver", "`solver = \"fed-avg\"`"),
        (format!("{linear}\"scaffold\""), "privacy.solver", "`solver = \"fed-avg\"`"),
        (
            "name = \"neural-network\"\nhidden = [4]\noptimiser = \"scaffold\"".into(),
            "privacy.solver",
            "`optimiser = \"fed-avg\"`",
        ),
        (
            format!("{linear}\"fed-avg\"\nclass_weights = \"balanced\""),
            "privacy.class-weights",
            "`class_weights = 3.0`",
        ),
        ("name = \"boosted-trees\"".into(), "privacy.program", "logistic-regression"),
        ("name = \"scorecard\"".into(), "privacy.program", "logistic-regression"),
    ] {
        let told = Job::from_toml(&of_program(&program)).unwrap_err();
        let found: Vec<_> = told.iter().map(|told| told.code).collect();
        assert_eq!(found, [code], "{program}");
        assert!(told[0].help.contains(remedy), "{program}: {told:?}");
    }
}

#[test]
fn what_would_open_more_than_noisy_changes_is_refused() {
    let job = hidden(NOISE);
    let compared = format!("{job}\n[fairness]\ngroups = [{{ column = \"job\" }}]\n");
    assert_eq!(codes(&compared), ["privacy.fairness"]);
    assert_eq!(codes(&format!("{job}\n[drift]\n")), ["privacy.drift"]);
    assert_eq!(codes(&format!("{job}\n[cohort]\neach_round = 4\n")), ["cohort.not-by-lot"]);
    let gated = codes(&format!("{job}\n[promotion]\nmin_roc_auc = 0.7\n"));
    assert_eq!(gated, ["promotion.not-measured"]);
}

#[test]
fn a_job_counts_on_no_more_honest_institutions_than_there_are() {
    let job = Job::from_toml(&hidden(NOISE)).unwrap();
    job.check_honest(&job.protection_of(5).unwrap()).unwrap();
    let four = Job::from_toml(&hidden(&NOISE.replace("honest = 2", "honest = 4"))).unwrap();
    let refused = four.check_honest(&four.protection_of(5).unwrap()).unwrap_err();
    assert_eq!(refused.code(), "privacy.honest");
}
