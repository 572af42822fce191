//! What of the ledger is shown to a participant that comes: that it has only grown, and the newest thing that it said
//! itself in a job that is not over.

use syndic_coordinator::driver::Coordinator;
use syndic_coordinator::fact::{Cause, Fact};
use syndic_ledger::{Checkpoint, Entry, ShownError};
use syndic_round::ParticipantId;
use syndic_round::coordinator::Input;

use crate::house::{House, small};

/// What `who` is shown, once it has verified it as a participant does that kept `kept`; and the checkpoint to keep.
async fn shown(
    coordinator: &Coordinator,
    who: ParticipantId,
    kept: Option<&Checkpoint>,
) -> (Checkpoint, Entry) {
    let shown = coordinator.shown_to(who, kept.map_or(0, Checkpoint::size)).await.unwrap();
    // It says what it was, as evidence against it.
    assert!(kept.is_none_or(|kept| shown.older_root == *kept.root()));
    shown.verify(&coordinator.verifier_key().unwrap(), kept).unwrap()
}

/// Whether the entry is the one with this message.
fn has(entry: &Entry, message: &Input) -> bool {
    matches!(Fact::from_entry(0, entry).unwrap(), Fact::Heard { input, .. } if input == *message)
}

#[tokio::test]
async fn whoever_comes_is_shown_the_newest_of_its_own_messages_also_after_a_restart() {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let (one, other) = (house.members[0].id, house.members[1].id);
    let (before, first) = shown(&running.coordinator, one, None).await;
    assert_eq!(first.kind, "syndic.roster.sealed", "it has said nothing");

    let plan = running.plan(&house.members).await;
    let said = house.members[0].advertise(&plan, None);
    running.hear(&said).await.unwrap();
    // Who says two things where one may exist is shown the one that counts.
    let second = house.members[0].advertise(&plan, None);
    running.hear(&second).await.unwrap_err();

    let (after, newest) = shown(&running.coordinator, one, Some(&before)).await;
    assert!(has(&newest, &said), "{newest:?}");
    assert!(after.size() > before.size());
    assert_eq!(shown(&running.coordinator, other, Some(&before)).await.1.kind, "syndic.roster.sealed");
    running.driving.abort();
    drop(running.coordinator);

    let reopened = house.coordinator(house.log().await).await;
    let (_, newest) = shown(&reopened, one, Some(&after)).await;
    assert!(has(&newest, &said), "{newest:?}");
    let no = house.members[0].decline(&plan, "participant.restarted");
    reopened.hear(&small(), plan.id, no.clone()).await.unwrap();
    assert!(has(&shown(&reopened, one, None).await.1, &no), "a no is said too");
}

#[tokio::test]
async fn what_was_said_in_a_job_that_is_over_is_nobodys_to_remember() {
    let mut house = House::of(4);
    let running = house.running(house.log().await).await;
    let plan = running.plan(&house.members).await;
    let said = house.members[0].advertise(&plan, None);
    running.hear(&said).await.unwrap();
    let who = house.members[0].id;
    assert!(has(&shown(&running.coordinator, who, None).await.1, &said));

    let cause = Cause { by: "local-user/7".into(), reason: "enough".into() };
    running.coordinator.stop(&small(), cause).await.unwrap();

    assert_eq!(shown(&running.coordinator, who, None).await.1.kind, "syndic.roster.sealed");
}

#[tokio::test]
async fn whoever_has_seen_a_longer_ledger_is_shown_this_one_as_it_is() {
    let house = House::of(4);
    let running = house.running(house.log().await).await;
    let who = house.members[0].id;
    let (kept, _) = shown(&running.coordinator, who, None).await;
    let longer = Checkpoint::new(kept.origin(), kept.size() + 9, *kept.root()).unwrap();

    let shown = running.coordinator.shown_to(who, longer.size()).await.unwrap();

    let refused = shown.verify(&running.coordinator.verifier_key().unwrap(), Some(&longer));
    assert_eq!(refused.unwrap_err(), ShownError::Shrunk { kept: longer.size(), shown: kept.size() });
}
