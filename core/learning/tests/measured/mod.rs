//! Jobs on real tables, through the integers of their rounds, without encryption.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_learning::{
    Contract, Job, JobRun, Metrics, Model, Next, Program, Role, Scoring, Table, TableBuilder,
};
use syndic_round::{Coding, Sum};

/// The folder that `SYNDIC_TABLES` names. Without it nothing is measured, and that is said: the tables are not part of the source.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SYNDIC_TABLES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("*** not measured: SYNDIC_TABLES names no folder with the tables ***");
    }
    folder
}

/// The job with this program, as many rounds and this privacy, and nothing that opens more than its rounds.
pub(crate) fn with(text: &str, program: &str, rounds: u32, privacy: &str) -> String {
    let mut text = text.to_owned();
    for (name, body) in [
        ("program", format!("\n[program]\n{program}\n")),
        ("rounds", format!("\n[rounds]\ncount = {rounds}\n")),
        ("privacy", format!("\n[privacy]\n{privacy}\n")),
    ] {
        let from = text.find(&format!("\n[{name}]")).unwrap();
        let end = text[from + 1..].find("\n[").map_or(text.len(), |end| from + 1 + end);
        text.replace_range(from..end, &body);
    }
    text
}

/// The model that the job releases, by one seed for noise and rounding.
pub(crate) fn trained(job: &Job, tables: &[&Table], seed: u64) -> Model {
    let coding = Coding::new(job.protection.parameter_set, tables.len() as u16);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut run = JobRun::new(job);
    let mut next = run.next(None).unwrap();
    loop {
        let question = match next {
            Next::Ask(question) => question,
            Next::Done(ending) => return ending.into_released().unwrap().model,
        };
        question.approved_by(job).unwrap();
        let mut total: Vec<i64> = Vec::new();
        for table in tables {
            let clipped = JobRun::answer(&question, table, &mut rng).unwrap().clip();
            assert_eq!(clipped.clamped(), 0);
            let update = clipped.quantise(&coding, &mut rng);
            total.resize(update.coefficients().len(), 0);
            total.iter_mut().zip(update.coefficients()).for_each(|(sum, value)| *sum += value);
        }
        let sum = Sum::decode(question.layout().unwrap(), &coding, tables.len() as u16, &total).unwrap();
        next = run.next(Some(&sum)).unwrap();
    }
}

/// ROC-AUC and log-loss on the test rows of all institutions.
pub(crate) fn figures(model: &Model, tables: &[&Table]) -> (f64, f64) {
    let Metrics { roc_auc, log_loss, .. } = model.evaluate(tables, Role::Test).unwrap().unwrap();
    (roc_auc.unwrap(), log_loss)
}

/// A table for each site, with the roles that folds have.
pub(crate) fn tables(path: &Path, contract: &Contract, role: impl Fn(&str) -> Role) -> Vec<Table> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (fold, site) = (at("fold"), at("site"));
    let mut builders = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let builder = builders
            .entry(cells[site].to_owned())
            .or_insert_with(|| TableBuilder::new(contract, &header).unwrap());
        builder.push(number as u64, &cells, role(cells[fold]));
    }
    builders.into_values().map(|builder| builder.finish().unwrap()).collect()
}
