//! A store that takes nothing for a while: no new work, reads go on, and everything else by itself once it takes things again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syndic_coordinator::driver::CoordinatorError;
use syndic_round::coordinator::Duty;

use crate::house::{House, Running, ends};
use crate::logs::{Failing, Fate, Filled};

async fn recovers(running: &Running) {
    let mut trouble = running.coordinator.trouble();
    ends(trouble.wait_for(Option::is_none)).await.unwrap();
}

#[tokio::test]
async fn a_coordinator_on_a_full_disk_takes_nothing_serves_reads_and_goes_on_when_there_is_room() {
    let mut house = House::of(4);
    let full = Arc::new(AtomicBool::new(false));
    let running = house.running_on(Filled { log: house.log().await, full: full.clone() }).await;
    let plan = running.plan(&house.members).await;
    let said: Vec<_> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();
    assert!(running.hear(&said[0]).await.unwrap());

    full.store(true, Ordering::SeqCst);
    assert_eq!(running.hear(&said[1]).await.unwrap_err().code(), "store.full");
    assert!(matches!(running.hear(&said[2]).await.unwrap_err(), CoordinatorError::Stopped));
    let trouble = running.coordinator.trouble().borrow().clone().unwrap();
    assert_eq!((trouble.code, &*trouble.message), ("store.full", "no space is left for the log"));
    assert_eq!(running.plan(&house.members[1..]).await, plan, "what is known is told");
    assert!(!running.hear(&said[0]).await.unwrap(), "and what is stored is stored");
    // It looks again, more than once, and there is no room yet.
    let mut looks = running.coordinator.trouble();
    for _ in 0..2 {
        ends(looks.changed()).await.unwrap();
        assert!(looks.borrow().is_some());
    }

    full.store(false, Ordering::SeqCst);
    recovers(&running).await;

    for message in &said[1..] {
        assert!(running.hear(message).await.unwrap(), "nothing of what was refused counts");
    }
    let (_, duty) = running.duty_of(house.members[0].id).await;
    assert!(matches!(duty, Duty::Deal(cohort) if cohort.len() == 4), "the same round goes on");
    assert!(!running.driving.is_finished(), "nobody had to start it again");
}

#[tokio::test]
async fn what_became_of_a_failed_append_is_found_out_without_a_restart() {
    for fate in [Fate::NotStored, Fate::Stored] {
        let mut house = House::of(4);
        let armed = Arc::new(AtomicBool::new(false));
        let running = house.running_on(Failing { log: house.log().await, fate, armed: armed.clone() }).await;
        let plan = running.plan(&house.members).await;
        let said: Vec<_> = house.members.iter_mut().map(|member| member.advertise(&plan, None)).collect();

        armed.store(true, Ordering::SeqCst);
        assert_eq!(running.hear(&said[0]).await.unwrap_err().code(), "store.io");
        recovers(&running).await;

        assert_eq!(running.hear(&said[0]).await.unwrap(), fate == Fate::NotStored, "{fate:?}");
        for message in &said[1..] {
            assert!(running.hear(message).await.unwrap());
        }
        for message in &said {
            assert_eq!(house.count(message).await, 1, "{fate:?}: counted once");
        }
    }
}
