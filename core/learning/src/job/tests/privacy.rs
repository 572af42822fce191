//! The section `[privacy]` where noise is added.

use super::*;
use crate::job::{NoiseSource, Privacy};

const NOISE: &str = "mode = \"record-level\"\nepsilon = 2\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 2";

/// A job with noise: a solver that adds it, and the section.
fn noisy(privacy: &str) -> String {
    let start = FILE.find("solver").unwrap();
    let end = start + FILE[start..].find("[rounds]").unwrap();
    let file = format!("{}solver = \"noisy-gradient\"\n\n{}", &FILE[..start], &FILE[end..]);
    file.replacen("mode = \"none\"", privacy, 1)
}

fn codes(text: &str) -> Vec<&'static str> {
    Job::from_toml(text).unwrap_err().into_iter().map(|told| told.code).collect()
}

#[test]
fn terms_of_noise_are_read_and_written_again() {
    for privacy in [
        NOISE.to_owned(),
        NOISE.replace("honest = 2", "unit = \"row\"\nclip = 3.5\nhonest = 4\ntest_bins = 64"),
    ] {
        let job = Job::from_toml(&noisy(&privacy)).unwrap();
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
    }
    let job = Job::from_toml(&noisy(NOISE)).unwrap();
    let terms = job.privacy.record_level().unwrap();
    assert_eq!((terms.epsilon, terms.noise, terms.contributors()), (2.0, NoiseSource::Distributed, 2));
    assert!(job.calibration().unwrap().unwrap().spent.epsilon <= 2.0);
    let local = NOISE.replace("\"distributed\"\nhonest = 2", "\"local\"");
    let local = Job::from_toml(&noisy(&local)).unwrap();
    assert_eq!(local.privacy.record_level().unwrap().contributors(), 1);
    let exact = Job::from_toml(FILE).unwrap();
    assert_eq!((exact.privacy, exact.calibration().unwrap()), (Privacy::None {}, None));
}

#[test]
fn samples_are_terms_of_noisy_gradients_alone() {
    let logistic = noisy(NOISE);
    let of =
        |terms: &str| logistic.replacen("\"noisy-gradient\"\n", &format!("\"noisy-gradient\"\n{terms}\n"), 1);
    let network = |optimiser: &str| {
        let program = format!("name = \"neural-network\"\noptimiser = \"{optimiser}\"\nsample = 0.1\n");
        let start = logistic.find("name = \"logistic").unwrap();
        format!("{}{program}\n{}", &logistic[..start], &logistic[logistic.find("[rounds]").unwrap()..])
    };
    for text in [of("sample = 0.1"), network("noisy-gradient")] {
        let job = Job::from_toml(&text).unwrap();
        assert_eq!(job.program.sample(), Some(0.1));
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
        let calibration = job.calibration().unwrap().unwrap();
        assert!(calibration.spent.epsilon <= 2.0 && calibration.rate() == 0.1, "{calibration:?}");
    }
    let plain = Job::from_toml(&logistic).unwrap();
    assert_eq!(Job::from_toml(&of("sample = 1")).unwrap(), plain);
    assert!(!serde_json::to_string(&plain).unwrap().contains("sample"));
    for sample in ["0", "0.0009", "1.01", "-0.1"] {
        assert_eq!(codes(&of(&format!("sample = {sample}"))), ["job.out-of-range"], "{sample}");
    }
    assert!(codes(&network("fed-avg")).contains(&"job.other-optimiser"));
    for solver in ["newton", "fed-avg", "scaffold"] {
        let text = FILE.replacen("[rounds]", "sample = 0.1\n[rounds]", 1);
        let at = text.find("solver = ").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let text = format!("{}solver = \"{solver}\"{}", &text[..at], &text[end..]);
        assert!(codes(&text).contains(&"job.other-solver"), "{solver}: {:?}", codes(&text));
    }
}

#[test]
fn a_job_never_counts_on_more_honest_noise_than_there_is() {
    let job = Job::from_toml(&noisy(NOISE)).unwrap();
    // Of five institutions four answer and two may collude.
    for institutions in [4, 5, 6, 7] {
        job.check_honest(&job.protection_of(institutions).unwrap()).unwrap();
    }
    let four = Job::from_toml(&noisy(&NOISE.replace("honest = 2", "honest = 4"))).unwrap();
    let refused = four.check_honest(&four.protection_of(5).unwrap()).unwrap_err();
    assert_eq!(refused.code(), "privacy.honest");
    assert!(refused.to_string().contains("4 honest institutions"), "{refused}");
}

#[test]
fn terms_that_make_no_sense_are_refused() {
    for (from, to, code) in [
        ("epsilon = 2\n", "", "job.missing-key"),
        ("delta = 1e-5\n", "", "job.missing-key"),
        ("noise = \"distributed\"\n", "", "job.missing-key"),
        ("epsilon = 2", "epsilon = 0", "job.out-of-range"),
        ("delta = 1e-5", "delta = 0.5", "job.out-of-range"),
        ("\"distributed\"", "\"central\"", "privacy.unknown-noise"),
        ("\nhonest = 2", "", "privacy.honest"),
        ("\"distributed\"", "\"local\"", "privacy.honest"),
        ("honest = 2", "honest = 2\nunit = \"household\"", "privacy.unknown-unit"),
        ("honest = 2", "honest = 2\nsigma = 3", "job.unknown-key"),
        ("honest = 2", "honest = 2\ntest_bins = 7", "job.out-of-range"),
        ("epsilon = 2", "epsilon = 0.01", "privacy.unreachable"),
    ] {
        assert_eq!(codes(&noisy(&NOISE.replace(from, to))), [code], "{to}");
    }
}

#[test]
fn what_would_open_an_exact_sum_is_refused() {
    assert_eq!(codes(&FILE.replacen("mode = \"none\"", NOISE, 1)), ["privacy.solver"]);
    assert_eq!(codes(&noisy("mode = \"none\"")), ["privacy.solver"]);
    let compared = format!("{}\n[fairness]\ngroups = [{{ column = \"job\" }}]\n", noisy(NOISE));
    assert_eq!(codes(&compared), ["privacy.fairness"]);
    // Counted with noise they are compared.
    let counted = compared.replacen("honest = 2", "honest = 2\ntest_bins = 32", 1);
    assert!(Job::from_toml(&counted).unwrap().fairness.is_some());
    assert_eq!(codes(&format!("{}\n[drift]\n", noisy(NOISE))), ["privacy.drift"]);
    let start = FILE.find("name = \"logistic-regression\"").unwrap();
    let end = start + FILE[start..].find("[rounds]").unwrap();
    let trees = format!("{}name = \"boosted-trees\"\n\n{}", &FILE[..start], &FILE[end..]);
    assert_eq!(codes(&trees.replacen("mode = \"none\"", NOISE, 1)), ["privacy.solver"]);
}

/// A job of trees with random splits, these further terms, and this mode.
fn random_trees(terms: &str, mode: &str) -> String {
    let start = FILE.find("name = \"logistic-regression\"").unwrap();
    let end = start + FILE[start..].find("[rounds]").unwrap();
    let program = format!("name = \"boosted-trees\"\nsplits = \"random\"\n{terms}\n\n");
    format!("{}{program}{}", &FILE[..start], &FILE[end..]).replacen("mode = \"none\"", mode, 1)
}

#[test]
fn trees_take_noise_by_random_splits() {
    for terms in [
        "",
        "depth = 6\ntrees_per_round = 3\nlearning_rate = 0.5\nbins = 16\nl2 = 0\nseed = 7\nincreasing = [\"age\"]",
    ] {
        let job =
            Job::from_toml(&random_trees(terms, NOISE)).unwrap_or_else(|told| panic!("{terms}: {told:?}"));
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
        assert!(job.program.is_noisy() && job.random_trees().is_some() && job.trees().is_none());
        assert!(!job.measures_every_round() && job.rows_drowned(5).is_some_and(|rows| rows > 10));
    }
    // Terms that none are.
    for (terms, code) in [
        ("min_rows = 5", "job.other-splits"),
        ("increasing = [\"job\"]", "job.trees"),
        ("class_weights = \"balanced\"", "job.other-splits"),
        ("hidden = [8]", "job.other-program"),
        ("trees = 4", "job.unknown-key"),
        ("depth = 9", "job.out-of-range"),
        ("learning_rate = 2.5", "job.out-of-range"),
        ("trees_per_round = 0", "job.out-of-range"),
        ("trees_per_round = 200", "job.trees"),
    ] {
        assert_eq!(codes(&random_trees(terms, NOISE)), [code], "{terms}");
    }
    assert_eq!(codes(&random_trees("", NOISE).replacen("count = 20", "count = 1", 1)), ["job.trees"]);
    let unknown = codes(&random_trees("", NOISE).replacen("\"random\"", "\"worst\"", 1));
    assert!(unknown.contains(&"job.unknown-splits"), "{unknown:?}");
    assert_eq!(codes(&random_trees("", &format!("{NOISE}\nclip = 1.0"))), ["privacy.clip"]);
    assert_eq!(codes(&random_trees("", "mode = \"none\"")), ["privacy.solver"]);
    let best = random_trees("trees_per_round = 3", "mode = \"none\"").replacen("\"random\"", "\"best\"", 1);
    assert_eq!(codes(&best), ["job.other-splits"]);
}

#[test]
fn a_scorecard_has_noise_of_its_own_terms() {
    let scorecard = |terms: &str, mode: &str| {
        let start = FILE.find("name = \"logistic-regression\"").unwrap();
        let end = start + FILE[start..].find("[rounds]").unwrap();
        let text = format!("{}name = \"scorecard\"\n{terms}\n\n{}", &FILE[..start], &FILE[end..]);
        text.replacen("mode = \"none\"", mode, 1)
    };
    let job = Job::from_toml(&scorecard("", NOISE)).unwrap();
    let found = job.calibration().unwrap().unwrap();
    assert!(found.before.is_some() && found.spent.epsilon <= 2.0 && found.spent.epsilon > 1.99);
    let told = Job::from_toml(&scorecard("cells = 32\nbins_share = 0.4", NOISE)).unwrap();
    assert_eq!(told.program.scorecard().map(|terms| (terms.cells(), terms.bins_share())), Some((32, 0.4)));
    assert_eq!(Job::from_toml(&told.to_toml().unwrap()).unwrap(), told);
    for (terms, mode) in [
        ("cells = 32", "mode = \"none\""),
        ("bins_share = 0.4", "mode = \"none\""),
        ("coarse_bins = 20", NOISE),
        ("cells = 20", NOISE),
    ] {
        assert_eq!(codes(&scorecard(terms, mode)), ["job.scorecard"], "{terms}");
    }
    assert_eq!(codes(&scorecard("bins_share = 1.0", NOISE)), ["job.out-of-range"]);
}

#[test]
fn no_job_with_noise_draws_lots() {
    // All who collude could be in one draw: how many honest ones noise may count on would have to hold in every draw.
    let drawn = format!("{}\n[cohort]\neach_round = 4\n", noisy(NOISE));
    assert_eq!(codes(&drawn), ["cohort.not-by-lot"]);
}

#[test]
fn one_class_is_enough_for_a_job_with_noise_and_for_no_other() {
    assert!(Job::from_toml(FILE).unwrap().needs_both_classes());
    let job = Job::from_toml(&noisy(NOISE)).unwrap();
    assert!(!job.needs_both_classes() && job.adds_noise());
}

#[test]
fn terms_of_other_solvers_are_none_of_noisy_gradients() {
    for term in ["local_epochs = 2", "batch_size = 5", "encoding = \"all-levels\""] {
        let text = noisy(NOISE).replacen("\"noisy-gradient\"", &format!("\"noisy-gradient\"\n{term}"), 1);
        assert_eq!(codes(&text), ["job.other-solver"], "{term}");
    }
}

#[test]
fn less_epsilon_drowns_more_rows_and_more_rounds_do_not() {
    let of = |epsilon: f64, rounds: u32, institutions| {
        let text = noisy(&NOISE.replace("epsilon = 2", &format!("epsilon = {epsilon}")));
        let text = text.replacen("count = 20", &format!("count = {rounds}"), 1);
        Job::from_toml(&text).unwrap().rows_drowned(institutions).unwrap() as f64
    };
    let (much, little) = (of(1.0, 50, 5), of(0.1, 50, 5));
    assert!(much > 10.0 && (8.0..12.0).contains(&(little / much)), "{much} {little}");
    // Noise grows with the root of the rounds that share an epsilon, and averages out with the same root.
    assert!((0.8..1.25).contains(&(of(1.0, 200, 5) / much)), "{much}");
    // Four times the institutions, each with the same noise, are twice as loud.
    assert!((1.95..2.05).contains(&(of(1.0, 50, 20) / much)), "{much}");
    assert_eq!(Job::from_toml(FILE).unwrap().rows_drowned(5), None);
}

/// A job of a network with noise, and these further terms.
fn noisy_network(terms: &str) -> String {
    let start = FILE.find("name = \"logistic-regression\"").unwrap();
    let end = start + FILE[start..].find("[rounds]").unwrap();
    let program = format!("name = \"neural-network\"\noptimiser = \"noisy-gradient\"\n{terms}\n\n");
    format!("{}{program}{}", &FILE[..start], &FILE[end..]).replacen("mode = \"none\"", NOISE, 1)
}

#[test]
fn a_network_takes_noise_by_an_optimiser_of_its_own() {
    for terms in ["", "hidden = [8, 4]\nseed = 9\nlearning_rate = 0.25\nl2 = 0.01"] {
        let job = Job::from_toml(&noisy_network(terms)).unwrap_or_else(|told| panic!("{terms}: {told:?}"));
        assert_eq!(Job::from_toml(&job.to_toml().unwrap()).unwrap(), job);
        assert_eq!(serde_json::from_slice::<Job>(&serde_json::to_vec(&job).unwrap()).unwrap(), job);
        assert!(job.program.is_noisy() && job.network().is_none() && !job.program.averages());
        assert!(!job.program.measures_every_round());
        assert!(job.calibration().unwrap().unwrap().spent.epsilon <= 2.0);
        let written = job.to_toml().unwrap();
        assert!(!written.contains("local_epochs") && written.contains("optimiser = \"noisy-gradient\""));
    }
    let exact = noisy_network("").replacen(NOISE, "mode = \"none\"", 1);
    assert_eq!(codes(&exact), ["privacy.solver"]);
    for optimiser in ["", "optimiser = \"fed-avg\""] {
        let text = noisy_network("").replacen("optimiser = \"noisy-gradient\"", optimiser, 1);
        let told = Job::from_toml(&text).unwrap_err();
        assert_eq!((told[0].code, told.len()), ("privacy.solver", 1));
        assert!(told[0].help.contains("optimiser = \"noisy-gradient\""), "{told:?}");
    }
    for (term, code) in [
        ("local_epochs = 2", "job.other-optimiser"),
        ("batch_size = 5", "job.other-optimiser"),
        ("learning_rate_decay = 0.5", "job.other-optimiser"),
        ("class_weights = \"balanced\"", "job.other-optimiser"),
        ("packed = true", "job.other-optimiser"),
        ("local_steps = \"adam\"", "job.other-optimiser"),
        ("proximal = 0.1", "job.other-optimiser"),
        ("server_tau = 0.1", "job.other-optimiser"),
        ("solver = \"newton\"", "job.other-program"),
        ("hidden = [0]", "job.out-of-range"),
        ("hidden = [1024, 1024]", "job.network"),
        ("learning_rate = 0", "job.out-of-range"),
    ] {
        assert_eq!(codes(&noisy_network(term)), [code], "{term}");
    }
}
