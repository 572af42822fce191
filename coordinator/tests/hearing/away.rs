//! A member that is away: the others wait for it once, and it may come at any time.

use syndic_coordinator::fact::Fact;
use syndic_round::coordinator::Duty;
use syndic_round::{Place, RoundPlan};

use crate::audit::audited;
use crate::house::{House, Look, ends};

#[tokio::test]
async fn a_round_without_who_is_away_takes_no_deadline_and_says_whom_it_did_not_wait_for() {
    let mut house = House::of(5);
    let running = house.running_without_the_last(house.log().await).await;
    let plan = running.plan(&house.members).await;
    let (job, round) = running.round().await;
    let away = house.members[4].id;

    ends(running.play_out(&mut house.members[..4], round)).await;

    let entries = house.entries().await;
    let facts = (0..).zip(&entries).map(|(index, entry)| Fact::from_entry(index, entry).unwrap());
    let facts: Vec<Fact> = facts.collect();
    let excused = facts.iter().filter_map(|fact| match fact {
        Fact::RoundOpened { excused, .. } | Fact::PreparationOpened { excused, .. } => Some(excused.clone()),
        _ => None,
    });
    let excused: Vec<_> = excused.collect();
    assert!(excused.len() > 1 && excused.iter().all(|those| *those == [away]), "{excused:?}");
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert!(kinds.contains(&"syndic.round.closed"), "{kinds:?}");
    assert!(!kinds.iter().any(|kind| kind.ends_with(".woke")), "{kinds:?}");
    audited(&house, &entries).unwrap();

    // The keys that are being made meanwhile it may still share.
    let (terms, duty) = running.coordinator.duty_ahead(&job, away).await.unwrap();
    assert!(matches!(duty, Duty::Advertise));
    let plan = RoundPlan { terms: terms.clone(), ..plan };
    let advert = house.members[4].advertise(&plan, None);
    assert!(running.coordinator.hear(&job, Place::Ahead(terms.number), advert).await.unwrap());
}
