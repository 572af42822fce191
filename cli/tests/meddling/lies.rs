//! What a lying coordinator shows a participant about voids, and what the participant makes of it.

use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use syndic_proto::v1::{self, Kind};
use syndic_round::message::{Context, Payload, Void};
use syndic_round::{ParticipantId, RoundId};

use crate::between::{Meddler, is_reveal};
use crate::known::{Attempt, Known, What, round_of};
use crate::scene::{Fares, Scene, id};
use crate::voids::{Slow, fares};

/// Shows participant 1, which has revealed in the void attempt, something else than its void; the others, the truth.
struct Forger {
    forged: fn(&Known, &Attempt, &Attempt, v1::VoidedAttempt) -> Vec<v1::VoidedAttempt>,
}

#[tonic::async_trait]
impl Meddler for Forger {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        let told = match (is_reveal(&duty, 1, 2), to.get()) {
            (true, 1) => {
                let [shown] = &duty.voided[..] else { panic!("the coordinator shows one void") };
                let round = duty.round.clone().unwrap();
                let (first, now) =
                    (known.attempt(&v1::RoundRef { attempt: 1, ..round.clone() }), known.attempt(&round));
                let voided = (self.forged)(known, &first, &now, shown.clone());
                v1::Duty { voided, ..duty }
            }
            (true, 5) => {
                let declined = What::Declined("journal.already-opened".into());
                known.until_by(id(1), (1, 2), declined).await;
                duty
            }
            _ => return Slow.telling(to, duty, known).await,
        };
        vec![told]
    }
}

/// The void as it is, with other promises.
fn with(void: v1::VoidedAttempt, promises: impl IntoIterator<Item = Vec<u8>>) -> Vec<v1::VoidedAttempt> {
    vec![v1::VoidedAttempt { signed: promises.into_iter().map(Into::into).collect(), ..void }]
}

/// Promises of participants 2 to 5, as `of` makes them with their keys.
fn promises(known: &Known, of: impl Fn(ParticipantId, &SigningKey) -> Vec<u8>) -> Vec<Vec<u8>> {
    [2, 3, 4, 5].map(|number| of(id(number), known.key(id(number)))).into()
}

fn promise(who: ParticipantId, round: RoundId, context: Context, key: &SigningKey) -> Vec<u8> {
    Void { id: who, round }.sign(context, key).to_bytes()
}

const FIRST: RoundId = RoundId { round: 1, attempt: 1 };
const SECOND: RoundId = RoundId { round: 1, attempt: 2 };

/// Participant 1 declines the second attempt, says nothing else in it that opens a sum, and the others go on.
fn is_not_taken_for_a_void(
    forged: fn(&Known, &Attempt, &Attempt, v1::VoidedAttempt) -> Vec<v1::VoidedAttempt>,
) {
    let ran = Scene::set(5, 0, Arc::new(Forger { forged }), fares).run();
    ran.completed();
    let declined: Vec<_> = ran.declined(1, 2).into_iter().filter(|(who, _)| *who == 1).collect();
    assert_eq!(declined, [(1, "journal.already-opened".to_owned())]);
    let revealed = ran.who_said(1, 2, Kind::Reveal);
    assert_eq!(revealed.len(), 4, "{revealed:?}");
    assert!(!revealed.contains(&1), "{revealed:?}");
    assert_eq!(ran.exact_sums()[&(1, 2)], [1, 2, 3, 4, 5], "the others need no proof, and open the sum");
}

#[test]
fn a31_no_void_at_all_is_not_taken_for_one() {
    is_not_taken_for_a_void(|_, _, _, _| Vec::new());
}

#[test]
fn a31_a_void_with_one_promise_too_few_is_not_taken_for_one() {
    is_not_taken_for_a_void(|_, _, _, void| {
        with(void.clone(), void.signed[..3].iter().map(|one| one.to_vec()))
    });
}

#[test]
fn a31_a_void_with_a_repeated_promise_is_not_taken_for_one() {
    is_not_taken_for_a_void(|_, _, _, void| {
        let repeated = [0, 1, 2, 2].map(|place| void.signed[place].to_vec());
        with(void, repeated)
    });
}

#[test]
fn a31_promises_of_another_attempt_are_not_taken_for_a_void() {
    // Promises for the attempt in progress, shown under the name of the earlier one, and under their own.
    is_not_taken_for_a_void(|known, _, now, void| {
        let context = now.cohort.context();
        with(void, promises(known, |who, key| promise(who, SECOND, context, key)))
    });
    is_not_taken_for_a_void(|known, _, now, void| {
        let context = now.cohort.context();
        let other = v1::VoidedAttempt { attempt: 2, ..void };
        with(other, promises(known, |who, key| promise(who, SECOND, context, key)))
    });
    // In the context of the earlier attempt, but for another.
    is_not_taken_for_a_void(|known, first, _, void| {
        let context = first.cohort.context();
        with(void, promises(known, |who, key| promise(who, SECOND, context, key)))
    });
}

#[test]
fn a31_promises_of_strangers_are_not_taken_for_a_void() {
    is_not_taken_for_a_void(|known, first, _, void| {
        let (context, stranger) = (first.cohort.context(), SigningKey::from_bytes(&[7; 32]));
        with(void, promises(known, |who, _| promise(who, FIRST, context, &stranger)))
    });
    is_not_taken_for_a_void(|_, first, _, void| {
        let (context, stranger) = (first.cohort.context(), SigningKey::from_bytes(&[7; 32]));
        let theirs = [6, 7, 8, 9].map(|number| promise(id(number), FIRST, context, &stranger));
        with(void, theirs)
    });
}

/// Asks participant 1 to promise never to reveal where it has just revealed, and participant 2 to reveal where it
/// has just promised not to.
#[derive(Default)]
struct Contradictory(Mutex<Option<v1::Duty>>);

#[tonic::async_trait]
impl Meddler for Contradictory {
    async fn telling(&self, to: ParticipantId, duty: v1::Duty, known: &Known) -> Vec<v1::Duty> {
        use v1::duty::Duty as Wire;
        let withheld = || &self.0;
        match (to.get(), &duty.duty) {
            (1, Some(Wire::Reveal(_))) if is_reveal(&duty, 1, 1) => {
                let attempt = known.attempt(duty.round.as_ref().unwrap());
                let signed = attempt.cohort.adverts().iter().map(|advert| advert.to_bytes().into()).collect();
                let void = Wire::Void(v1::SignedList { signed });
                vec![duty.clone(), v1::Duty { duty: Some(void), ..duty }]
            }
            (2, Some(Wire::Reveal(_))) if is_reveal(&duty, 1, 1) => {
                *withheld().lock().unwrap() = Some(duty);
                Vec::new()
            }
            (2, Some(Wire::Void(_))) if round_of(&duty) == FIRST => {
                let reveal = withheld().lock().unwrap().take();
                std::iter::once(duty).chain(reveal).collect()
            }
            // The first attempt ends only when participant 2 has been asked both.
            (3, Some(Wire::Void(_))) if round_of(&duty) == FIRST => {
                let lost = What::Declined("participant.restarted".into());
                known.until_by(id(2), (1, 1), lost).await;
                known.until_by(id(1), (1, 1), What::Declined("journal.excluded".into())).await;
                vec![duty]
            }
            _ => Slow.telling(to, duty, known).await,
        }
    }
}

#[test]
fn a32_whoever_revealed_promises_nothing_and_whoever_promised_reveals_nothing() {
    let ran = Scene::set(5, 0, Arc::new(Contradictory::default()), fares).run();
    ran.completed();
    assert_eq!(ran.who_said(1, 1, Kind::Reveal), [1]);
    let mut promised = ran.who_said(1, 1, Kind::Void);
    promised.sort_unstable();
    assert_eq!(promised, [2, 3, 4, 5]);
    ran.exact_sums();
}

#[test]
fn no_lie_no_harm() {
    struct Honest;
    impl Meddler for Honest {}
    let ran = Scene::set(3, 1, Arc::new(Honest), |_| Fares::Well).run();
    ran.completed();
    assert_eq!(ran.exact_sums().len(), 3);
    assert!(ran.known.said().iter().all(|said| !matches!(said.what, What::Declined(_))));
}
