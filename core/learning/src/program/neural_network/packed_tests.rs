//! Questions that spell their parameters packed.

use super::tests::{SGD, all_of, averaging, first_question, network_job};
use super::*;
use crate::job::{Job, ProgramTerms};
use crate::optimiser::Optimiser;
use crate::program::run::tests::tables;
use crate::program::scorer::Scorer;
use crate::{Model, Question};

/// The same job, but for the spelling.
fn packed(job: &Job) -> Job {
    let terms = NeuralNetworkTerms { packed: true, ..job.network().unwrap() };
    Job { program: ProgramTerms::NeuralNetwork(Box::new(terms.into())), ..job.clone() }
}

#[test]
fn a_packed_question_says_the_same_in_half_the_bytes_and_decimals_are_what_they_were() {
    let network = |packed| Network { hidden: vec![1], embedding: None, packed, parameters: vec![1.0, -0.5] };
    let text = |network: &Network| serde_json_canonicalizer::to_string(network).unwrap();
    assert_eq!(text(&network(false)), r#"{"hidden":[1],"parameters":[1,-0.5]}"#);
    // struct.pack("<2d", 1.0, -0.5), in base64
    assert_eq!(text(&network(true)), r#"{"hidden":[1],"parameters":"AAAAAAAA8D8AAAAAAADgvw=="}"#);

    let tables = tables(false);
    let job = network_job(3, averaging(Optimiser::Scaffold, SGD));
    let [mut decimals, mut short] = [&job, &packed(&job)].map(|job| first_question(job, &tables));
    let length = |question: &NetworkQuestion| {
        let asked = Question::Network(question.clone());
        let bytes = asked.to_bytes().unwrap();
        assert_eq!(Question::from_bytes(&bytes).unwrap(), asked);
        bytes.len()
    };
    let few = (length(&decimals), length(&short));
    for question in [&mut decimals, &mut short] {
        question.network.parameters = (0..10_000).map(|k| 1.0 / f64::from(k + 3)).collect();
    }
    let many = (length(&decimals), length(&short));
    assert!(many.0 - few.0 > 18 * 9_900 && many.1 - few.1 < 11 * 10_000, "{few:?} {many:?}");
}

#[test]
fn what_is_learnt_does_not_depend_on_the_spelling() {
    let tables = tables(true);
    for optimiser in [Optimiser::FedAvg, Optimiser::Scaffold] {
        let job = network_job(2, averaging(optimiser, SGD));
        let learnt = [&job, &packed(&job)].map(|job| match all_of(job, &tables).model {
            Model::Network(model) => model.network,
            other => panic!("{}", other.program()),
        });
        assert!(!learnt[0].packed && learnt[1].packed);
        assert_eq!(learnt[0].parameters, learnt[1].parameters);
    }
}

#[test]
fn a_question_in_another_spelling_than_the_jobs_is_not_approved() {
    let tables = tables(false);
    let jobs = [Optimiser::FedAvg, Optimiser::Scaffold].map(|optimiser| {
        let job = network_job(3, averaging(optimiser, SGD));
        (packed(&job), job)
    });
    for (short, decimals) in &jobs {
        for (asked, approved) in [(short, short), (decimals, decimals), (short, decimals), (decimals, short)]
        {
            let question = first_question(asked, &tables);
            let network = question.network.clone();
            let scorer = Scorer::Network { network, standardisation: question.standardisation.clone() };
            let codes = [
                Question::Network(question).approved_by(approved).map_err(|error| error.to_string()),
                scorer.approved_by(approved).map_err(|error| error.to_string()),
            ];
            let same = asked.network() == approved.network();
            let told = |answer: &Result<(), String>| match answer {
                Ok(()) => same,
                Err(text) => !same && text.ends_with("how parameters are spelled"),
            };
            assert!(codes.iter().all(told), "{codes:?}");
        }
    }
    let short = &jobs[1].0;
    let mut mixed = first_question(short, &tables);
    mixed.control = Some(Control { packed: false, ..Control::default() });
    assert_eq!(Question::Network(mixed).approved_by(short).unwrap_err().code(), "program.not-approved");
    let vectors = |at: &str, common: &str| {
        serde_json::from_str::<Control>(&format!(r#"{{"at":{at},"common":{common}}}"#)).is_ok()
    };
    assert!(vectors("[1]", "[2]") && vectors(r#""AAAAAAAA8D8=""#, r#""AAAAAAAA8D8=""#));
    assert!(!vectors("[1]", r#""AAAAAAAA8D8=""#), "one spelling for both");
}
