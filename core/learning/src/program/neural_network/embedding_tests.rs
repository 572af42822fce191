//! Vectors of levels in the place of 0/1 inputs.

use super::tests::{SGD, all_of, answer, averaging, first_question, network_job, on_test_rows};
use super::*;
use crate::contract::ColumnKind;
use crate::fixture;
use crate::job::{FedAvgTerms, Job, ProgramTerms};
use crate::network::NetworkModel;
use crate::optimiser::Steps;
use crate::optimiser::fed_adam::Adaptive;
use crate::program::run::tests::tables;
use crate::{Model, Question, Scoring as _, TableBuilder};

/// The job with vectors of so many numbers.
fn embedded(mut job: Job, numbers: u32) -> Job {
    let ProgramTerms::NeuralNetwork(terms) = &mut job.program else { panic!("another program") };
    let NetworkTerms::Averaged(terms) = &mut **terms else { panic!("with noise") };
    terms.embedding = Some(numbers);
    job
}

fn network_of(model: &Model) -> &NetworkModel {
    match model {
        Model::Network(model) => model,
        _ => panic!("another model"),
    }
}

#[test]
fn every_optimiser_trains_vectors_about_as_well_as_inputs_of_their_own() {
    let tables = tables(false);
    let adam = FedAvgTerms { learning_rate: 0.01, ..SGD };
    // From zero vectors plain steps are slow at first.
    let plain_steps = FedAvgTerms { learning_rate: 0.3, learning_rate_decay: 0.98, ..SGD };
    let adaptive = Adaptive { learning_rate: 0.1, ..Default::default() };
    for (optimiser, steps, local) in [
        (Optimiser::FedAvg, Steps::Adam, adam),
        (Optimiser::FedProx { proximal: 0.1 }, Steps::Sgd, plain_steps),
        (Optimiser::FedAdam(adaptive), Steps::Sgd, plain_steps),
        (Optimiser::FedYogi(adaptive), Steps::Adam, adam),
        (Optimiser::Scaffold, Steps::Sgd, plain_steps),
    ] {
        let job = network_job(20, AveragingTerms { steps, ..averaging(optimiser, local) });
        let plain = on_test_rows(&all_of(&job, &tables).model, &tables);
        let outcome = all_of(&embedded(job, 2), &tables);
        let network = &network_of(&outcome.model).network;
        assert_eq!((network.embedding, network.parameters.len()), (Some(2), 3 * 2 + 4 * 6 + 6 + 6 + 1));
        assert!(network.parameters[..6].iter().all(|number| *number != 0.0));
        let reached = on_test_rows(&outcome.model, &tables);
        assert!(
            reached.roc_auc.unwrap() > plain.roc_auc.unwrap() - 0.02,
            "{optimiser:?} {reached:?} {plain:?}"
        );
        assert!(reached.log_loss < plain.log_loss + 0.03, "{optimiser:?} {reached:?} {plain:?}");
    }
}

#[test]
fn a_level_that_no_training_row_has_keeps_the_zero_vector_and_moves_no_unit() {
    let mut contract = fixture::contract();
    contract.columns[1].nullable = true;
    let ColumnKind::Categorical { levels } = &mut contract.columns[1].kind else { unreachable!() };
    levels.push("abroad".into());
    let tables: Vec<Table> = (0..3)
        .map(|seed| {
            let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
            let mut rng = fixture::rng(seed);
            for row in 0..200_u64 {
                let age = (18.0 + 80.0 * fixture::uniform(&mut rng)).to_string();
                let job = ["office", "field", "none"][row as usize % 3];
                let label = if (row % 3 == 0) == (fixture::uniform(&mut rng) < 0.8) { "1" } else { "0" };
                builder.push(row, &[&age, job, "100", label], crate::Role::Train);
            }
            builder.finish().unwrap()
        })
        .collect();
    for optimiser in [Optimiser::FedAvg, Optimiser::Scaffold] {
        let local = FedAvgTerms { learning_rate: 0.05, ..SGD };
        let job = network_job(3, AveragingTerms { steps: Steps::Adam, ..averaging(optimiser, local) });
        let job = embedded(Job { contract: contract.clone(), ..job }, 2);
        let outcome = all_of(&job, &tables);
        // Office, field and none; then abroad, and a level that is missing.
        let vectors = &network_of(&outcome.model).network.parameters[..10];
        assert!(vectors[..6].iter().all(|number| *number != 0.0), "{vectors:?}");
        assert_eq!(vectors[6..], [0.0; 4]);
        let mut builder = TableBuilder::new(&contract, &["age", "job", "balance", "label"]).unwrap();
        builder.push(1, &["40", "abroad", "100", "1"], crate::Role::Train);
        builder.push(2, &["40", "", "100", "1"], crate::Role::Train);
        builder.push(3, &["40", "office", "100", "1"], crate::Role::Train);
        builder.push(4, &["50", "field", "100", "0"], crate::Role::Train);
        let scores = outcome.model.score(&builder.finish().unwrap()).unwrap();
        assert!(scores[0] == scores[1] && (scores[0] - scores[2]).abs() > 0.05, "{scores:?}");
    }
}

#[test]
fn a_question_with_other_vectors_than_agreed_is_not_approved_or_answered() {
    let tables = tables(false);
    let plain = network_job(3, averaging(Optimiser::Scaffold, SGD));
    let job = embedded(plain.clone(), 2);
    let question = first_question(&job, &tables);
    question.approved_by(&job).unwrap();
    assert_eq!(question.approved_by(&plain).unwrap_err().code(), "program.not-approved");
    let other = first_question(&embedded(plain.clone(), 1), &tables);
    assert_eq!(other.approved_by(&job).unwrap_err().code(), "program.not-approved");
    let bytes = Question::Network(question.clone()).to_bytes().unwrap();
    assert_eq!(Question::from_bytes(&bytes).unwrap(), Question::Network(question.clone()));
    assert!(String::from_utf8(bytes).unwrap().contains("\"embedding\":2,\"hidden\""));
    // A question without vectors is spelled as ever.
    let bytes = Question::Network(first_question(&plain, &tables)).to_bytes().unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("\"network\":{\"hidden\":[6],\"parameters\":["));
    for numbers in [0, 1, 65, u32::MAX] {
        let mut bent = question.clone();
        bent.network.embedding = Some(numbers);
        let told = NeuralNetwork::answer(&bent, &tables[0], &mut fixture::rng(1)).map(|_| ());
        assert_eq!(told.unwrap_err().code(), "program.bad-question", "{numbers}");
    }
    // Rows, and as many changes and variates as there are parameters.
    let count = question.network.parameters.len();
    assert_eq!(answer(&question, &tables[0], 1).len(), 1 + 2 * count);
}

#[test]
fn pooled_training_has_vectors_too_and_its_model_is_the_same_after_writing_and_reading() {
    let tables = tables(false);
    let job = embedded(network_job(4, averaging(Optimiser::FedAvg, SGD)), 2);
    let all: Vec<&Table> = tables.iter().collect();
    let model = crate::reference::fit(&job, &all).unwrap();
    assert_eq!(network_of(&model).network.embedding, Some(2));
    let bytes = model.to_safetensors().unwrap();
    let read = NetworkModel::from_safetensors(&job.contract, &bytes).unwrap();
    assert_eq!(read, *network_of(&model));
    assert_eq!(read.score(&tables[0]).unwrap(), model.score(&tables[0]).unwrap());
}
