//! When somebody is asked for keys that are prepared ahead.

use syndic_round::RoundId;

use crate::house::{House, ends, small};

/// A participant gives up the keys that it holds for those of the next preparation, and between two looks a round may open
/// that wants them.
#[tokio::test]
async fn nobody_is_asked_for_keys_ahead_that_has_looked_at_another_round_than_the_one_in_progress() {
    let mut house = House::of(5);
    let running = house.running(house.log().await).await;
    let coordinator = &running.coordinator;
    ends(async {
        for _ in 0..3 {
            for member in &mut house.members {
                let (plan, duty) = running.duty_of(member.id).await;
                let input = member.play(coordinator, &plan, duty).await;
                running.hear(&input).await.unwrap();
            }
        }
        let (_, first) = running.round().await;
        let asked = async |round| coordinator.duty_ahead(&small(), house.members[0].id, round).await;
        running.until(async || asked(Some(first)).await).await;

        assert!(asked(None).await.is_none());
        assert!(asked(Some(RoundId { round: first.round + 1, attempt: 1 })).await.is_none());
    })
    .await;
}
