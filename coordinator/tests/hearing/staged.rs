//! A coordinator that dies at the append of a model's stage: either it is on record and counts, or it never was, and can be handed
//! in again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syndic_coordinator::driver::Coordinator;
use syndic_coordinator::engine::Over;
use syndic_coordinator::fact::Fact;
use syndic_coordinator::fsck::check_files;
use syndic_round::{Digest, Stage, StageApproval};

use crate::audit::audited;
use crate::house::{House, Look as _, ends, small};
use crate::logs::{Failing, Fate};
use crate::members::{APPROVER, approver_key};

const BY: &str = "local-user/7";

/// A house whose job has released a model, and the model's card.
async fn after_a_model() -> (House, Vec<u8>) {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    while !running.driving.is_finished() {
        for member in &mut house.members {
            running.decline_ahead(member).await;
            if let Some((plan, duty)) = running.coordinator.duty_of(&small(), member.id).await {
                let input = member.play(&running.coordinator, &plan, duty).await;
                // Who reveals when the sum is open already is late.
                let _ = running.coordinator.hear(&small(), plan.id, input).await;
            }
        }
        tokio::task::yield_now().await;
    }
    assert!(matches!(running.driving.await.unwrap().unwrap(), Over::Completed(_)));
    let outcome = running.coordinator.outcome(&small()).await.unwrap();
    let weights = outcome.model.to_safetensors().unwrap();
    let provenance = running.coordinator.provenance(&small(), &(0, String::new())).await;
    let card = serde_json::to_vec(&outcome.card(&weights, provenance)).unwrap();
    (house, card)
}

async fn approval(house: &House, coordinator: &Coordinator, to: Stage, card: &[u8]) -> StageApproval {
    let card = (to == Stage::Shadow).then(|| Digest::of(card));
    let proposed = coordinator.look(|engine| engine.registry().propose(&small(), to, card, "a reason")).await;
    proposed.unwrap().0.approve(house.roster().digest(), APPROVER, &approver_key())
}

/// What the model is, and how many changes of stage are on record.
async fn found(house: &House, coordinator: &Coordinator) -> (Stage, usize) {
    let models = coordinator.models().await.unwrap();
    let entries = house.entries().await;
    let facts = entries.iter().zip(0..).map(|(entry, index)| Fact::from_entry(index, entry).unwrap());
    (models[0].model.stage, facts.filter(|fact| matches!(fact, Fact::ModelStaged(_))).count())
}

#[tokio::test]
async fn a_stage_at_whose_append_the_coordinator_dies_counts_once_or_was_never_given() {
    for fate in [Fate::NotStored, Fate::Stored] {
        let (house, card) = ends(after_a_model()).await;
        let mut is = Stage::Candidate;
        for (changes, to) in [(0, Stage::Shadow), (1, Stage::Withdrawn)] {
            let armed = Arc::new(AtomicBool::new(false));
            let dying = Failing { log: house.log().await, fate, armed: armed.clone() };
            let coordinator = house.coordinator(dying).await;
            let approved = approval(&house, &coordinator, to, &card).await;
            armed.store(true, Ordering::SeqCst);
            let died = coordinator.stage(approved.clone(), Some(&card), BY).await;
            assert_eq!(died.unwrap_err().code(), "store.io");
            drop(coordinator);

            let coordinator = house.coordinator(house.log().await).await;
            let is_stored = fate == Fate::Stored;
            let expected = if is_stored { (to, changes + 1) } else { (is, changes) };
            assert_eq!(found(&house, &coordinator).await, expected, "{fate:?}, to {to}");
            let named = coordinator.approved_card(&small()).await.unwrap();
            assert_eq!(named.is_some(), is_stored || changes > 0, "{fate:?}, to {to}");

            let is_new = coordinator.stage(approved, Some(&card), BY).await.unwrap();
            assert_eq!(is_new, !is_stored, "whoever got no answer hands it in again");
            assert_eq!(found(&house, &coordinator).await, (to, changes + 1), "{fate:?}, to {to}");
            assert_eq!(coordinator.approved_card(&small()).await.unwrap().as_ref(), Some(&card));
            is = to;
        }
        let whole = check_files(Arc::new(house.roster().clone()), &house.state(), None).await.unwrap();
        assert!(whole.is_whole(), "{whole}");
        audited(&house, &house.entries().await).unwrap();
    }
}
