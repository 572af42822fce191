//! What a job with noise claims, for a person who checks it.

use syndic_learning::Job;
use syndic_learning::job::Protected;
use syndic_learning::privacy::claim::Claim;

use super::vectors::{fitting, ranges, spoken};
use super::{Warning, institutions};
use crate::words::{counted, thousands};

/// A line for each thing that is claimed; none where no noise is added.
pub(super) fn facts(job: &Job, among: Option<u16>) -> Vec<String> {
    // A job that no noise keeps the terms of passes no check.
    let Ok(Some(claim)) = job.claim(None) else { return Vec::new() };
    if let Some(terms) = job.description() {
        return described(job, among, claim, terms.cells(true));
    }
    let measured = match &claim.evaluation {
        Some(evaluation) => format!("evaluation: {evaluation}"),
        None if job.privacy.institution_level().is_some() => {
            "no evaluation: each institution may score its own test rows for itself".into()
        }
        None => "no evaluation: `test_bins` of [privacy] measures the model on test rows with noise, and spends nothing more".into(),
    };
    vec![
        format!("epsilon {} at delta {} for the whole job", claim.epsilon, claim.delta),
        format!("unit: {}", claim.unit),
        format!("trust: {}", claim.trust),
        format!("mechanism: {}", claim.mechanism),
        format!("accountant: {}", claim.accountant),
        measured,
        institutions::fact(job, among).unwrap_or_else(|| {
            format!(
                "its noise is louder than what some {} training rows of all {}institutions say",
                thousands(rows_drowned(job, among)),
                among.map_or_else(String::new, |admitted| format!("{admitted} "))
            )
        }),
        match &job.fairness {
            Some(_) => {
                "no statistics: they would open exact sums; groups are compared by the counts of test rows"
                    .into()
            }
            None => "no statistics: they would open exact sums; with `test_bins` in [privacy], [fairness] would compare groups by noisy counts".into(),
        },
    ]
}

/// The same of a job that describes rows.
fn described(job: &Job, among: Option<u16>, claim: Claim, cells: u32) -> Vec<String> {
    let admitted = among.or_else(|| fitting(job, None).next().map(|(fewest, _)| fewest)).unwrap_or(3);
    let noise = job.noise_of_counts(admitted).unwrap_or_default();
    vec![
        format!("epsilon {} at delta {} for the whole job", claim.epsilon, claim.delta),
        format!("unit: {}", claim.unit),
        format!("trust: {}", claim.trust),
        format!("mechanism: {}", claim.mechanism),
        format!("accountant: {}", claim.accountant),
        format!(
            "of {admitted} institutions that answer, the rows of one class in one of {cells} cells or at one level are off by {noise:.1} (one \
             standard deviation)"
        ),
    ]
}

/// What a job with noise will hardly get, or tells more by than it seems.
pub(super) fn warnings(job: &Job, among: Option<u16>) -> impl Iterator<Item = Warning> {
    let drowned = [drowned(job, among), institutions::drowned(job, among)];
    let told =
        [too_little_noise(job, among), large_delta(job)].into_iter().chain(drowned).chain([few_rounds(job)]);
    told.flatten()
}

/// A delta with which an epsilon promises little: so large a share of customers may be told of in full.
fn large_delta(job: &Job) -> Option<Warning> {
    let terms = job.privacy.noise().filter(|terms| terms.delta > LARGEST_USUAL_DELTA)?;
    let (whom, key, help) = match terms.protected {
        Protected::Row => {
            ("customer", "max_delta_per_job", "choose delta well below 1 / customers: `delta = 1e-5`")
        }
        Protected::Institution => (
            "institution",
            "max_delta_per_job` of `[privacy.institution]",
            "choose delta well below 1 / institutions: `delta = 1e-5`",
        ),
    };
    Some(Warning {
        code: "job.large-delta",
        message: format!(
            "delta {:e} lets a job that keeps its epsilon tell everything of one {whom} in {:.0}; a participant that limits epsilon \
             declines more than 1e-5, with `policy.delta`, unless its site policy sets `{key}`",
            terms.delta,
            1.0 / terms.delta
        ),
        help,
    })
}

/// Rows that the noise drowns, of as many institutions as there are, or of the fewest that there can be.
fn rows_drowned(job: &Job, among: Option<u16>) -> u64 {
    let admitted = among.or_else(|| fitting(job, None).next().map(|(fewest, _)| fewest)).unwrap_or(3);
    job.rows_drowned(admitted).unwrap_or(0)
}

/// Noise that nothing can be learnt through: not by as many rows as the contract lets institutions bring.
fn drowned(job: &Job, among: Option<u16>) -> Option<Warning> {
    let rows = rows_drowned(job, among);
    let admitted = among.unwrap_or_else(|| job.protection.parameter_set.largest_cohort());
    let most = job.contract.max_rows.saturating_mul(admitted.into());
    (rows > most).then(|| Warning {
        code: "job.noise-drowns",
        message: format!(
            "nothing can be learnt through this noise: it is louder than what {} training rows say, and no more than {} can be \
             brought",
            thousands(rows),
            thousands(most)
        ),
        help: "allow a larger `epsilon`, or count on the noise of more institutions with `honest`",
    })
}

/// What is said of so few rounds beside the figures of a run.
pub(crate) fn hardly_begun(job: &Job) -> Option<String> {
    few_rounds(job).map(|Warning { message, help, .. }| format!("{message}: {help}"))
}

/// Fewer rounds than steps with momentum need to be under way: twice the time in which momentum comes to its full length.
fn few_rounds(job: &Job) -> Option<Warning> {
    if job.random_trees().is_some() {
        return has_few_rounds(job).then(|| Warning {
            code: "job.few-rounds",
            message: format!(
                "with {} few trees are grown: the first counts rows, and the trees of each other one are a single step",
                counted(job.rounds.count as usize, "round", "rounds")
            ),
            help: "allow more in `count` of [rounds], at the same epsilon; 40 suit most tables",
        });
    }
    has_few_rounds(job).then(|| Warning {
        code: "job.few-rounds",
        message: format!(
            "with {} noisy gradients are hardly under way: they begin with a model that knows nothing, take a step a round, and the \
             momentum of 0.9 needs ten rounds to its full length",
            counted(job.rounds.count as usize, "round", "rounds")
        ),
        help: "allow more in `count` of [rounds], at the same epsilon; 100 suit most tables",
    })
}

/// Whether a job with noise ends before its steps have come to their length.
pub(crate) fn has_few_rounds(job: &Job) -> bool {
    let is_noisy = job.program.is_noisy() || job.noisy_scorecard().is_some();
    is_noisy && job.rounds.count < FEWEST_ROUNDS
}

/// Numbers of institutions of which too few are honest for the noise to suffice: they cannot run the job.
fn too_little_noise(job: &Job, among: Option<u16>) -> Option<Warning> {
    let too_few = fitting(job, among).filter(|(_, protection)| job.check_honest(protection).is_err());
    let too_few = ranges(too_few.map(|(admitted, _)| admitted));
    (!too_few.is_empty()).then(|| Warning {
        code: "job.too-little-noise",
        message: format!(
            "with {} institutions this job cannot run: it counts on the noise of more than t - c of them (`privacy.honest`)",
            spoken(&too_few)
        ),
        help: "lower `honest` of [privacy], or take `noise = \"local\"`",
    })
}

const LARGEST_USUAL_DELTA: f64 = 1e-4;
const FEWEST_ROUNDS: u32 = 20;

#[cfg(test)]
mod tests {
    use syndic_learning::contract::{Column, ColumnKind};

    use super::super::{JobFile, check, render, render_among, to_json};
    use crate::sandbox::fixture::JOB;

    fn file(privacy: &str) -> JobFile {
        let start = JOB.find("[program]").unwrap();
        let end = start + JOB[start..].find("[rounds]").unwrap();
        let program = "[program]\nname = \"logistic-regression\"\nsolver = \"noisy-gradient\"\n\n";
        let text = format!("{}{program}{}", &JOB[..start], &JOB[end..]);
        let mode = text.lines().find(|line| line.starts_with("mode = ")).unwrap().to_owned();
        JobFile { name: "job.toml".into(), text: text.replacen(&mode, privacy, 1) }
    }

    #[test]
    fn a_check_shows_what_a_job_with_noise_claims() {
        let file =
            file("mode = \"record-level\"\nepsilon = 2.0\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 2");
        let job = check(&file).unwrap();
        let summary = render(&file, &job);
        for told in
            ["all of them with noise", "at delta 0.00001 for the whole job", "trust: at least 2 institutions"]
        {
            assert!(summary.contains(told), "{told}: {summary}");
        }
        assert!(summary.contains("no evaluation: `test_bins`"), "{summary}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&file, &job)).unwrap();
        let epsilon: f64 = json["privacy"]["epsilon"].as_str().unwrap().parse().unwrap();
        assert!((1.99..=2.0).contains(&epsilon), "{json}");
        assert!(json["vectors"].as_array().unwrap().iter().all(|vector| vector["kind"] == "train"), "{json}");
    }

    #[test]
    fn a_check_shows_how_test_rows_are_measured() {
        let terms = "epsilon = 2.0\ndelta = 1e-5\nnoise = \"local\"\ntest_bins = 64";
        let file = file(&format!("mode = \"record-level\"\n{terms}"));
        let job = check(&file).unwrap();
        let summary = render(&file, &job);
        let flat = summary.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("in each of 128 counts of test rows by score and label"), "{summary}");
        assert!(flat.contains("one row of one institution, for training or testing"), "{summary}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&file, &job)).unwrap();
        let kinds: Vec<_> =
            json["vectors"].as_array().unwrap().iter().map(|vector| vector["kind"].clone()).collect();
        assert_eq!(kinds, ["train", "evaluate"]);
    }

    #[test]
    fn a_check_shows_that_groups_are_counted_with_noise() {
        let terms = "epsilon = 2.0\ndelta = 1e-5\nnoise = \"local\"\ntest_bins = 64";
        let file = file(&format!("mode = \"record-level\"\n{terms}"));
        let job = check(&file).unwrap();
        let of_levels = |column: &Column| match &column.kind {
            ColumnKind::Categorical { levels } => Some((column.name.clone(), levels.len())),
            ColumnKind::Numeric { .. } => None,
        };
        let (column, levels) = job.contract.columns.iter().find_map(of_levels).unwrap();
        let groups = format!("\n[fairness]\ngroups = [{{ column = \"{column}\" }}]\n");
        let file = JobFile { text: file.text + &groups, ..file };
        let job = check(&file).unwrap();
        let summary = render(&file, &job);
        let flat = summary.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = format!("in each of {} counts of test rows by score, label and group", 128 * levels);
        assert!(flat.contains(&told), "{summary}");
        assert!(flat.contains("groups are compared by the counts of test rows"), "{summary}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&file, &job)).unwrap();
        let kinds: Vec<_> =
            json["vectors"].as_array().unwrap().iter().map(|vector| vector["kind"].clone()).collect();
        assert_eq!(kinds, ["train", "evaluate"], "one sum serves both");
    }

    #[test]
    fn noise_that_drowns_all_rows_there_can_be_is_warned_of() {
        let text = |epsilon: &str| {
            let file = file(&format!(
                "mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\nnoise = \"local\""
            ));
            let text = file.text.replacen("version = 1", "version = 1\nmax_rows = 200", 1);
            JobFile { text, ..file }
        };
        let told = |epsilon: &str| render_among(&text(epsilon), &check(&text(epsilon)).unwrap(), Some(5));
        let (much, little) = (told("8.0"), told("0.05"));
        assert!(
            little.contains("warning[job.noise-drowns]") && little.contains("no more than 1,000"),
            "{little}"
        );
        assert!(much.contains("warning[job.few-rounds]: with 4 rounds"), "{much}");
        assert!(
            !much.contains("job.noise-drowns") && much.contains("rows of all 5 institutions say"),
            "{much}"
        );
    }

    #[test]
    fn samples_are_told_and_warned_of_by_what_their_sums_say() {
        let of = |epsilon: &str, sample: &str| {
            let file = file(&format!(
                "mode = \"record-level\"\nepsilon = {epsilon}\ndelta = 1e-5\nnoise = \"local\""
            ));
            let solver = "solver = \"noisy-gradient\"\n";
            let text = file.text.replacen("version = 1", "version = 1\nmax_rows = 200", 1);
            let text = text.replacen(solver, &format!("{solver}{sample}\n"), 1);
            let file = JobFile { text, ..file };
            render_among(&file, &check(&file).unwrap(), Some(5))
        };
        let told = of("8.0", "sample = 0.2");
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("each row is in a sum with probability 0.2"), "{told}");
        assert!(flat.contains("noisy gradients, each over a sample of 0.2 of the rows"), "{told}");
        assert!(flat.contains("over Poisson samples (rdp)") && !told.contains("job.noise-drowns"), "{told}");
        assert!(of("0.05", "sample = 0.2").contains("warning[job.noise-drowns]"));
        assert!(!of("8.0", "").contains("sample of"));
    }

    #[test]
    fn numbers_of_institutions_without_enough_honest_noise_are_warned_of() {
        let file =
            file("mode = \"record-level\"\nepsilon = 2.0\ndelta = 1e-5\nnoise = \"distributed\"\nhonest = 4");
        let summary = render(&file, &check(&file).unwrap());
        assert!(summary.contains("warning[job.too-little-noise]: with 3"), "{summary}");
    }
    #[test]
    fn a_delta_that_is_no_small_probability_is_warned_of() {
        let of = |delta: &str| {
            let noise = "noise = \"distributed\"\nhonest = 2";
            let file = file(&format!("mode = \"record-level\"\nepsilon = 2.0\ndelta = {delta}\n{noise}"));
            render(&file, &check(&file).unwrap())
        };
        let told = of("1e-3");
        assert!(
            told.contains("warning[job.large-delta]: delta 1e-3") && told.contains("one customer in 1000"),
            "{told}"
        );
        assert!(!of("1e-4").contains("job.large-delta"));
    }
}
