//! Who is restarted while its old connection is still believed to live.

use syndic_round::coordinator::Duty;
use syndic_round::{Place, RoundPlan};

use crate::house::{House, ends, small};

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
        let asked = async |id| coordinator.duty_ahead(&small(), id, Some(first)).await;
        let (terms, _) = running.until(async || asked(ahead[0].id).await).await;
        let plan_ahead = RoundPlan { terms: terms.clone(), ..plan };
        for _ in 0..3 {
            for member in &mut ahead {
                let (_, duty) = asked(member.id).await.unwrap();
                let input = member.play(coordinator, &plan_ahead, duty).await;
                coordinator.hear(&terms.job, Place::Ahead(terms.number), input).await.unwrap();
            }
        }
        // Its host lost power: the coordinator has not noticed that the old connection is dead.
        let _restarted = coordinator.attach(house.members[4].id, "bank-5".into(), &[]);

        while coordinator.current_round(&small()).await == Some(first) {
            for member in &mut house.members {
                if let Some((plan, duty, _)) = coordinator.duty_of(&small(), member.id).await
                    && plan.id == first
                {
                    let input = member.play(coordinator, &plan, duty).await;
                    running.hear(&input).await.unwrap();
                }
            }
            tokio::task::yield_now().await;
        }
        let second = running.until(async || coordinator.duty_of(&small(), ahead[0].id).await).await.0;
        assert_ne!(second.terms.number, terms.number, "member 5 has no keys of it");
    })
    .await;
}
