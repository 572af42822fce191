//! Who signs the survivors too late is asked again where its reveal is wanted after all.

use std::collections::BTreeSet;

use syndic_coordinator::news::{News, Told};
use syndic_round::coordinator::{Duty, Input};
use syndic_round::message::{Payload, Reveal};

use crate::house::{House, ends};

/// Its signature came while the sum was being opened and was refused; then the reveals opened nothing.
#[tokio::test]
async fn who_signed_too_late_is_asked_again_once_one_more_reveal_is_wanted() {
    let mut house = House::of(5);
    let running = house.running(house.log().await).await;
    let coordinator = &running.coordinator;
    ends(async {
        running.play_until(&mut house.members, |duty| matches!(duty, Duty::Certify(_))).await;
        let (plan, _) = running.duty_of(house.members[0].id).await;
        let threshold = usize::from(plan.terms.protection.threshold());
        let (prompt, slow) = house.members.split_at_mut(threshold);
        let mut told = Told::nothing(BTreeSet::new());
        // What it is asked in the round; what is prepared ahead is left to others.
        let mut asked = async || loop {
            let news = coordinator.look(|engine| told.news(engine, slow[0].id, &BTreeSet::new())).await?;
            told.note(&news);
            if let News::OfRound { duty, .. } = news {
                return Some(duty);
            }
        };
        assert!(matches!(asked().await, Some(Duty::Certify(_))));
        running.play_until(prompt, |duty| matches!(duty, Duty::Reveal(_))).await;
        assert!(asked().await.is_none(), "it owes what it was asked before");

        let mut length = 0;
        for (position, member) in prompt.iter_mut().enumerate() {
            let (plan, duty) = running.duty_of(member.id).await;
            let input = match position + 1 == threshold {
                false => member.play(coordinator, &plan, duty).await,
                true => member.reveal_instead(&duty, &plan, vec![0; length]),
            };
            if let Input::Reveal(signed) = &input {
                length = Reveal::decode(&signed.payload).unwrap().share_sum.len();
            }
            running.hear(&input).await.unwrap();
        }

        let mut changes = coordinator.changes();
        let again = loop {
            changes.borrow_and_update();
            if let Some(duty) = asked().await {
                break duty;
            }
            changes.changed().await.unwrap();
        };
        assert!(matches!(again, Duty::Certify(_)), "{again:?}");
        assert!(asked().await.is_none(), "nobody is asked twice");
    })
    .await;
}
