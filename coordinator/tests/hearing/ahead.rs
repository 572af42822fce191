//! When somebody is asked for keys that are prepared ahead.

use std::collections::BTreeSet;

use syndic_coordinator::news::{News, Told};
use syndic_round::coordinator::Duty;

use crate::house::{House, Look, ends, small};

/// A participant gives up the keys that it holds for those of the next preparation: a round that it has not heard of may want
/// them.
#[tokio::test]
async fn a_member_hears_of_the_round_in_progress_before_it_is_asked_for_keys_ahead() {
    let (mut house, mut ahead) = (House::of(5), House::of(5).members);
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
        let (caller, (_, first)) = (house.members[0].id, running.round().await);
        running.until(async || coordinator.duty_ahead(&small(), caller).await).await;
        let mut told = Told::nothing(BTreeSet::new());
        let put_off = BTreeSet::from([small()]);
        assert!(coordinator.look(|engine| told.news(engine, caller, &put_off)).await.is_none());
        let mut hear = async || {
            let news = coordinator.look(|engine| told.news(engine, caller, &BTreeSet::new())).await?;
            told.note(&news);
            Some(news)
        };

        assert!(matches!(hear().await, Some(News::OfRound { duty: Duty::Submit(_), .. })));
        assert!(matches!(hear().await, Some(News::Ahead(_, Duty::Advertise))));
        assert!(hear().await.is_none(), "nothing is told twice");

        let plan = running.plan(&house.members).await;
        running.play_ahead(&mut ahead, plan).await;
        running.play_out(&mut house.members, first).await;
        let next = running.until(async || coordinator.duty_of(&small(), caller).await).await;
        let over = hear().await;
        assert!(matches!(&over, Some(News::RoundOver(_, id, None)) if *id == first), "{over:?}");
        let opened = hear().await;
        assert!(matches!(&opened, Some(News::OfRound { plan, .. }) if plan.id == next.0.id), "{opened:?}");
    })
    .await;
}
