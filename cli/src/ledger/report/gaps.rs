//! What a report cannot say, because the entries do not say or show it.

use syndic_learning::job::Processing;

use super::{CoordinatorFacts, JobFacts, Member, Outcome, Proof, RoundFacts};
use crate::words::counted;

/// What is missing here: of this ledger first, then what this version writes into none.
pub(super) fn of(
    job: &JobFacts,
    rounds: &[RoundFacts],
    coordinators: &[CoordinatorFacts],
    members: &[Member],
    proof: &Proof,
) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut gap = |text: String| gaps.push(text);
    if !proof.pinned {
        gap("The key came with the ledger: whoever can write the folder could have made all of it anew. Name the \
             coordinator's key, from another source, with --key."
            .into());
    }
    if proof.roster.is_none() {
        gap("There is no roster beside the entries: no signature of a participant was verified, no round played again, and \
             participants are numbers."
            .into());
    }
    if proof.witnesses.is_empty() {
        gap("No witness's signature was demanded: the operator of the coordinator could show somebody else another ledger. \
             Name those that must have signed in a --policy."
            .into());
    }
    if job.purpose.is_none() {
        gap("The job file cannot be read by this version: purpose, program and privacy are not shown.".into());
    }
    if let Some(unsaid) = job.processing.as_ref().and_then(|said| unsaid(job, said)) {
        gap(unsaid);
    }
    if job.outcome != Outcome::Open && job.erased.is_none() {
        gap("Whether the stored updates were erased: up to here no entry says so.".into());
    }
    if job.outcome == Outcome::Open {
        gap("The job has not ended in this ledger.".into());
    }
    let open = rounds.iter().filter(|round| round.outcome == Outcome::Open).count();
    if open > 0 {
        gap(format!("{} not ended in this ledger.", counted(open, "round has", "rounds have")));
    }
    let unchecked = rounds.iter().filter(|round| round.checked == Some(false)).count();
    if unchecked > 0 {
        let sums = counted(unchecked, "sum was opened", "sums were opened");
        gap(format!(
            "{sums} with exactly as many reveals as are needed: a single wrong one could have shifted it unnoticed."
        ));
    }
    if coordinators.is_empty() {
        gap("Which version of the coordinator ran, and with which configuration: the entries are of a version that did not say so."
            .into());
    } else if coordinators.iter().any(|it| it.commit.is_none()) {
        gap("Which commit the coordinator was built from: whoever built it did not say so.".into());
    }
    if members.iter().any(|member| member.connections.is_empty()) {
        gap("How each connection was protected, and which software ran at each institution: the entries do not say it of all."
            .into());
    }
    gaps.extend(NOT_WRITTEN.map(String::from));
    gaps
}

/// What the job file could say of the law and does not.
fn unsaid(job: &JobFacts, said: &Processing) -> Option<String> {
    let unsaid = [
        (job.lawful_basis.is_none(), "the lawful basis"),
        (said.controllers.is_empty(), "controllers"),
        (said.processors.is_empty(), "processors"),
        (said.data_subjects.is_empty(), "categories of persons"),
        (said.data_categories.is_empty(), "categories of data"),
        (said.special_categories.is_none(), "special categories"),
        (said.highest_level.is_none(), "the highest level of the data"),
        (said.impact_assessment.is_none(), "an impact assessment"),
        (said.agreement.is_none(), "the agreement of the parties"),
        (said.cross_border.is_none(), "whether anything crosses a border"),
    ];
    let unsaid: Vec<_> =
        unsaid.into_iter().filter_map(|(is_unsaid, what)| is_unsaid.then_some(what)).collect();
    (!unsaid.is_empty())
        .then(|| format!("The law, as far as the job file does not say it: {}.", unsaid.join(", ")))
}

/// What a reviewer may ask for and this version records nowhere.
const NOT_WRITTEN: [&str; 4] = [
    "People: who proposed and approved the job, and who seconded it. Whoever handed it in, changed or stopped it is known as the \
     account of the coordinator's host only.",
    "Each institution's statement of its data: snapshot, number of rows, time window, quality checks, consent, and the policy \
     by which it decided.",
    "Which program really ran at each institution, and with which configuration: what it says of itself is its own word.",
    "What became of the model at each institution, and of a consent that was withdrawn. Who approved what becomes of it in the \
     registry is on record (`syndic model show`); how it treats groups, where the job compares them, is in the model's card.",
];
