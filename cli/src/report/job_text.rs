//! What a job file says, for people.

use syndic_learning::job::{Encoding, Processing, ProgramTerms, Solver, agreement};
use syndic_learning::optimiser::fed_adam::Adaptive;
use syndic_learning::optimiser::{Optimiser, Steps};
use syndic_learning::program::boosted_trees::{BoostedTreesTerms, RandomTreesTerms, TreesTerms};
use syndic_learning::program::comparison::{ComparisonTerms, RowsCompared};
use syndic_learning::program::description::DescriptionTerms;
use syndic_learning::program::drift::released::ReleasedDriftTerms;
use syndic_learning::program::logistic_regression::noisy::NoisyGradientTerms;
use syndic_learning::program::neural_network::{AveragingTerms, Balanced, ClassWeights, NetworkTerms};
use syndic_learning::program::scorecard::ScorecardTerms;
use syndic_learning::{ExternalTerms, Job};

use crate::job_check::admitted;
use crate::words::{counted, listed};

/// What the job file says, for people.
#[derive(Clone, Debug, Default)]
pub struct JobText {
    /// What the model is for.
    pub purpose: String,
    /// Further facts in order, label and text: program, data contract, privacy and so on.
    pub facts: Vec<(String, String)>,
    /// How the data set is to be cited, where the job names it.
    pub citation: Option<String>,
    /// The sensitive columns that the model may use.
    pub sensitive: Vec<String>,
}

impl JobText {
    /// What `job` says, which is read from `file`.
    pub fn of(job: &Job, file: &str, citation: Option<String>) -> Self {
        let mut facts = vec![("Description".to_owned(), job.identity.description.clone())];
        let basis = job.identity.lawful_basis.clone();
        facts.extend(basis.map(|basis| ("Lawful basis".to_owned(), basis)));
        facts.extend(processing(&job.processing));
        let mut fact = |label: &str, text: String| facts.push((label.into(), text));
        fact("Program", program(&job.program));
        fact(
            "Data contract",
            format!("{}; predicts `{}`", columns(job, " of the model"), job.contract.label.column),
        );
        fact("Institutions", admitted(job));
        let kept = job.retention.map(|retention| {
            let days = counted(retention.updates_days as usize, "day", "days");
            format!("encrypted updates, sealed shares and questions are erased {days} after the job's end")
        });
        fact(
            "Retention",
            kept.unwrap_or_else(|| {
                "not agreed: encrypted updates are kept until somebody erases them".into()
            }),
        );
        match job.claim(None) {
            Ok(Some(claim)) => fact(
                "Privacy mode",
                format!(
                    "{}: epsilon {} at delta {} for the whole job. Unit: {}. Trust: {}. Mechanism: {}. {}Accountant: {}",
                    job.privacy.name(),
                    claim.epsilon,
                    claim.delta,
                    claim.unit,
                    claim.trust,
                    claim.mechanism,
                    claim.evaluation.map(|told| format!("Evaluation: {told}. ")).unwrap_or_default(),
                    claim.accountant
                ),
            ),
            _ => fact("Privacy mode", "none: only sums are opened, and no noise is added to them".into()),
        }
        fact("Digest of the job file", agreement(file).to_string());
        let sensitive = job.contract.columns.iter().filter(|column| column.sensitive);
        Self {
            purpose: job.identity.purpose.clone(),
            sensitive: sensitive.map(|column| column.name.clone()).collect(),
            facts,
            citation,
        }
    }
}

/// The contract, how many columns it has, and how many inputs they are where the model has a weight for each.
pub(crate) fn columns(job: &Job, of: &str) -> String {
    let contract = &job.contract;
    let columns = counted(contract.columns.len(), "column", "columns");
    match job.program {
        ProgramTerms::LogisticRegression(_) | ProgramTerms::NeuralNetwork(_) => {
            let inputs = counted(contract.inputs(), "input", "inputs");
            format!("{}: {columns}, {inputs}{of}", contract.id())
        }
        ProgramTerms::BoostedTrees(_)
        | ProgramTerms::Scorecard(_)
        | ProgramTerms::External(_)
        | ProgramTerms::Evaluation(_)
        | ProgramTerms::Statistics(_)
        | ProgramTerms::Drift(_) => format!("{}: {columns}", contract.id()),
    }
}

/// The program with all its terms.
pub(crate) fn program(program: &ProgramTerms) -> String {
    let terms = match program {
        ProgramTerms::LogisticRegression(terms) => terms,
        ProgramTerms::BoostedTrees(terms) => {
            return match &**terms {
                TreesTerms::Best(terms) => of_trees(terms),
                TreesTerms::Random(terms) => of_random_trees(terms),
            };
        }
        ProgramTerms::NeuralNetwork(terms) => {
            let units: Vec<String> = terms.hidden().iter().map(ToString::to_string).collect();
            let (name, units) = (program.name(), units.join(", "));
            let (trained, l2) = match &**terms {
                NetworkTerms::Averaged(terms) => (averaging(&terms.averaging), terms.l2),
                NetworkTerms::Noisy(terms) => (noisy(&terms.gradient), terms.l2),
            };
            let embedding = terms.embedding().map_or_else(String::new, |numbers| {
                format!(" and vectors of {} for levels", counted(numbers as usize, "number", "numbers"))
            });
            let packed = if terms.packed() { ", packed in questions" } else { "" };
            return format!(
                "{name} of hidden units {units}{embedding} by {trained}, L2 penalty {l2}{packed}"
            );
        }
        ProgramTerms::Scorecard(terms) => return of_scorecard(terms),
        ProgramTerms::External(terms) => return of_trainer(terms),
        ProgramTerms::Evaluation(terms) => return of_comparison(terms),
        ProgramTerms::Statistics(terms) => return of_description(terms),
        ProgramTerms::Drift(terms) => return of_drift(terms),
    };
    let solver = match terms.solver {
        Solver::Newton { encoding, class_weights } => format!(
            "Newton's method, which gives the model of pooled training; {}{}",
            match encoding {
                Encoding::AllLevels => "a weight for each level",
                Encoding::DropFirst => "a weight for each level but the first of a column",
            },
            weighted(class_weights)
        ),
        Solver::NoisyGradient(terms) => noisy(&terms),
        Solver::FedAvg(local) => format!(
            "federated averaging: {} in batches of {}, learning rate {} times {} after each round",
            counted(local.local_epochs as usize, "local epoch", "local epochs"),
            local.batch_size,
            local.learning_rate,
            local.learning_rate_decay
        ),
        Solver::Averaging(terms) => averaging(&terms),
    };
    format!("{} by {solver}, L2 penalty {}", program.name(), terms.l2)
}

fn noisy(terms: &NoisyGradientTerms) -> String {
    let sample = match terms.sample {
        None => String::new(),
        Some(sample) => format!(" over samples of {sample} of the rows"),
    };
    format!("noisy gradients{sample}, with momentum, learning rate {}", terms.learning_rate)
}

fn weighted(class_weights: Option<ClassWeights>) -> String {
    match class_weights {
        None => String::new(),
        Some(ClassWeights::Positive(weight)) => format!(", a positive counts {weight} times"),
        Some(ClassWeights::Named(Balanced::Balanced)) => ", both classes count alike".into(),
    }
}

/// Local training, and what becomes of its average.
fn averaging(AveragingTerms { optimiser, local, steps, class_weights }: &AveragingTerms) -> String {
    let adaptive = |terms: &Adaptive| {
        let Adaptive { learning_rate, beta1, beta2, tau } = terms;
        format!(" (learning rate {learning_rate}, decays {beta1} and {beta2}, tau {tau})")
    };
    let of_optimiser = match optimiser {
        Optimiser::FedAvg | Optimiser::Scaffold => String::new(),
        Optimiser::FedProx { proximal } => format!(" (pull {proximal})"),
        Optimiser::FedAdam(terms) | Optimiser::FedYogi(terms) => adaptive(terms),
    };
    let weighted = weighted(*class_weights);
    format!(
        "{}{of_optimiser}: {} in batches of {}, {} steps, learning rate {} times {} after each round{weighted}",
        optimiser.name(),
        counted(local.local_epochs as usize, "local epoch", "local epochs"),
        local.batch_size,
        match steps {
            Steps::Sgd => "plain",
            Steps::Adam => "Adam's",
        },
        local.learning_rate,
        local.learning_rate_decay
    )
}

fn of_trainer(terms: &ExternalTerms) -> String {
    format!(
        "federated averaging of what the external trainer {} learns: {} in {}, none changed by more than {} in a round; \
         its settings are {}",
        terms.trainer,
        counted(terms.elements(), "number", "numbers"),
        counted(terms.tensors.len(), "tensor", "tensors"),
        terms.clip,
        terms.settings_json()
    )
}

fn of_comparison(ComparisonTerms { models, rows }: &ComparisonTerms) -> String {
    let models: Vec<String> = models.iter().map(ToString::to_string).collect();
    let rows = match rows {
        RowsCompared::Test => "test rows",
        RowsCompared::All => "all rows",
    };
    format!(
        "released models on {rows}, each institution by those that were delivered to it: {}",
        models.join(", ")
    )
}

fn of_description(terms: &DescriptionTerms) -> String {
    let columns = match terms.columns.as_slice() {
        [] => "all columns".into(),
        columns => listed(columns),
    };
    let cells = terms.cells.map_or_else(String::new, |cells| format!(" in {cells} cells"));
    let pairs = match terms.correlations {
        Some(true) => ", with correlations",
        Some(false) => ", without correlations",
        None => "",
    };
    format!(
        "rows by {columns}{cells}{pairs}; at most {} bins, and without noise no count below {} rows is told",
        terms.bins, terms.min_rows
    )
}

fn of_drift(
    ReleasedDriftTerms { model, rows, max_psi, max_ks, reference, .. }: &ReleasedDriftTerms,
) -> String {
    let rows = match rows {
        RowsCompared::Test => "test rows",
        RowsCompared::All => "all rows",
    };
    let ks = max_ks.map_or_else(String::new, |ks| format!(" or a KS of {ks}"));
    format!(
        "{rows} compared with those that a released model was trained on, in the bins of its card: the scores and {}; drift \
         above a PSI of {max_psi}{ks}; each institution by the model that was delivered to it: {model}",
        counted(reference.columns.len(), "column", "columns")
    )
}

fn of_trees(terms: &BoostedTreesTerms) -> String {
    let BoostedTreesTerms { depth, learning_rate, bins, l2, min_rows, increasing, decreasing, .. } = terms;
    let weighted = weighted(terms.class_weights);
    format!(
        "boosted trees of depth {depth}: learning rate {learning_rate}, at most {bins} bins of a numeric column, at \
         least {min_rows} rows in a leaf, L2 penalty {l2}{weighted}{}{}",
        trends(increasing, "increasing"),
        trends(decreasing, "decreasing")
    )
}

/// The columns with a trend, if there are any.
fn trends(columns: &[String], way: &str) -> String {
    match columns {
        [] => String::new(),
        _ => format!(", {way} in {}", columns.join(", ")),
    }
}

fn of_random_trees(terms: &RandomTreesTerms) -> String {
    let RandomTreesTerms { depth, trees_per_round, learning_rate, bins, l2, increasing, decreasing, .. } =
        terms;
    format!(
        "boosted trees of depth {depth} with random splits, {} a round after the first: learning rate {learning_rate}, {bins} even \
         bins of a numeric column, L2 penalty {l2}{}{}",
        counted(*trees_per_round as usize, "tree", "trees"),
        trends(increasing, "increasing"),
        trends(decreasing, "decreasing")
    )
}

fn of_scorecard(terms: &ScorecardTerms) -> String {
    format!(
        "scorecard: at most {} bins of a column, each of at least {} % of the rows, {} rows and {} of each class; columns of \
         an information value of at least {}; {} points at {} goods for a bad, {} more for twice the odds",
        terms.max_bins,
        100.0 * terms.min_share,
        terms.min_count,
        terms.min_class,
        terms.min_iv,
        terms.points.base,
        terms.points.odds,
        terms.points.to_double
    )
}

/// What is on record of the processing, as far as something is.
fn processing(said: &Processing) -> Vec<(String, String)> {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    let special = |items: &Vec<String>| list(items).unwrap_or_else(|| "none".into());
    let facts = [
        ("Controllers", list(&said.controllers)),
        ("Processors", list(&said.processors)),
        ("Persons that the data is about", list(&said.data_subjects)),
        ("Categories of data", list(&said.data_categories)),
        ("Special categories", said.special_categories.as_ref().map(special)),
        ("Highest level of the data", said.highest_level.map(|level| format!("{level} of 5"))),
        ("Impact assessment", said.impact_assessment.clone()),
        ("Agreement of the parties", said.agreement.clone()),
        ("Crosses a border", said.cross_border.map(|it| if it { "yes" } else { "no" }.into())),
    ];
    facts.into_iter().filter_map(|(label, text)| Some((label.to_owned(), text?))).collect()
}
