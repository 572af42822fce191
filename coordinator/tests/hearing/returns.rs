//! Who is restarted while its old connection is still believed to live.

use syndic_round::coordinator::Duty;

use crate::house::{House, Look, ends, small};

#[tokio::test]
async fn a_preparation_is_passed_over_for_who_came_back_without_its_keys_before_the_old_connection_ended() {
    let (mut house, mut ahead) = (House::of(5), House::of(5).members);
    let running = house.running(house.log().await).await;
    let coordinator = &running.coordinator;
    let in_round = |duty: &Duty| matches!(duty, Duty::Submit(_));
    ends(async {
        for _ in 0..3 {
            for member in &mut house.members {
                let (plan, duty) = running.duty_of(member.id).await;
                let input = member.play(coordinator, &plan, duty).await;
                running.hear(&input).await.unwrap();
            }
        }
        let plan = running.plan(&house.members).await;
        assert!(in_round(&running.duty_of(house.members[0].id).await.1));
        let (_, first) = running.round().await;
        let terms = running.play_ahead(&mut ahead, plan).await;
        // Its host lost power: the coordinator has not noticed that the old connection is dead.
        let _restarted = coordinator.attach(house.members[4].id, "bank-5".into(), &[]);

        running.play_out(&mut house.members, first).await;
        let second = running.until(async || coordinator.duty_of(&small(), ahead[0].id).await).await.0;
        assert_ne!(second.terms.number, terms.number, "member 5 has no keys of it");
    })
    .await;
}
