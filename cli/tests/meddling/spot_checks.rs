//! A27 over the wire: agents check closed rounds by themselves, and give up a coordinator that altered something.

use std::sync::Arc;

use syndic_participant::agent::AgentError;
use syndic_proto::v1;
use syndic_round::message::{Certify, Payload};
use syndic_round::{Certificate, ParticipantId, SurvivorSet, Transcript};

use crate::between::Meddler;
use crate::known::{Known, What};
use crate::scene::{Fares, Scene, id};

/// As coordinators are: nothing is altered.
struct Honest;

impl Meddler for Honest {}

#[test]
fn every_closed_round_is_checked_where_the_policy_says_so_and_none_where_it_says_never() {
    let checks = |every| {
        let ran = Scene::set(4, every, Arc::new(Honest), |_| Fares::Well).run();
        ran.completed();
        ran.known.said().iter().filter(|said| said.what == What::SpotCheck).count()
    };
    assert!(checks(1) >= 4 * 2, "four institutions, of three rounds two that another follows");
    assert_eq!(checks(0), 0);
}

/// Shows participant 1 something else than was published.
#[derive(Default)]
struct Altered {
    chunks: Option<fn(&mut Vec<v1::ChunkPart>)>,
    root: Option<fn(&mut Vec<u8>)>,
    transcript: Option<fn(Transcript, &Known) -> Vec<u8>>,
}

impl Meddler for Altered {
    fn showing(&self, to: ParticipantId, mut chunks: Vec<v1::ChunkPart>) -> Vec<v1::ChunkPart> {
        if let (Some(alter), 1) = (self.chunks, to.get()) {
            alter(&mut chunks);
        }
        chunks
    }

    fn closing(
        &self,
        to: ParticipantId,
        mut came_to: v1::ClosingReply,
        mut transcript: Vec<u8>,
        known: &Known,
    ) -> (v1::ClosingReply, Vec<u8>) {
        if to.get() == 1 {
            if let Some(alter) = self.root {
                let mut root = came_to.aggregate_root.to_vec();
                alter(&mut root);
                came_to.aggregate_root = root.into();
            }
            if let Some(alter) = self.transcript {
                transcript = alter(Transcript::from_bytes(&transcript, &known.roster).unwrap(), known);
            }
        }
        (came_to, transcript)
    }
}

/// What participant 1 finds, in a federation of five.
fn finding(altered: Altered) -> String {
    let gave_up = Scene::set(5, 1, Arc::new(altered), |_| Fares::Well).until_gives_up(id(1));
    assert!(matches!(gave_up, AgentError::SpotCheck { .. }), "{gave_up}");
    assert_eq!(gave_up.exit_code(), 4);
    gave_up.code().to_owned()
}

fn flipped(part: &mut v1::ChunkPart) {
    let mut chunk = part.chunk.to_vec();
    chunk[100] ^= 1;
    part.chunk = chunk.into();
}

#[test]
fn a27_an_altered_chunk_is_found() {
    let aggregate = Altered { chunks: Some(|all| flipped(all.last_mut().unwrap())), ..Altered::default() };
    assert_eq!(finding(aggregate), "spot-check.aggregate");
    let upload = Altered { chunks: Some(|all| flipped(&mut all[2])), ..Altered::default() };
    assert_eq!(finding(upload), "spot-check.upload");
}

#[test]
fn a27_uploads_that_are_exchanged_or_missing_are_found() {
    let exchanged = Altered { chunks: Some(|all| all.swap(0, 1)), ..Altered::default() };
    assert_eq!(finding(exchanged), "spot-check.upload");
    let missing = Altered { chunks: Some(|all| drop(all.remove(0))), ..Altered::default() };
    assert_eq!(finding(missing), "spot-check.count");
}

#[test]
fn a27_another_root_than_that_of_the_aggregate_is_found() {
    assert_eq!(
        finding(Altered { root: Some(|root| root[0] ^= 1), ..Altered::default() }),
        "spot-check.aggregate"
    );
}

#[test]
fn a27_a_survivor_set_that_this_participant_did_not_sign_is_found() {
    // Everybody else signs a set without participant 5, and participant 1 is shown that one.
    let without_the_last = |shown: Transcript, known: &Known| {
        let Transcript { plan, cohort, certificate } = shown;
        let headers = certificate.survivors().signed()[..4].to_vec();
        let survivors = SurvivorSet::from_headers(&plan, &cohort, &known.roster, headers).unwrap();
        let certify = |number| {
            let certify = Certify { id: id(number), survivors: survivors.digest() };
            certify.sign(cohort.context(), known.key(id(number)))
        };
        let signatures = [2, 3, 4, 5].map(certify).into();
        let certificate =
            Certificate::verify(&plan, &cohort, &known.roster, survivors.clone(), signatures).unwrap();
        Transcript { plan, cohort, certificate: Arc::new(certificate) }.to_bytes()
    };
    let other_set = Altered { transcript: Some(without_the_last), ..Altered::default() };
    assert_eq!(finding(other_set), "spot-check.other-survivors");
}

#[test]
fn a27_what_nobody_signed_is_found() {
    let unsigned = Altered {
        transcript: Some(|shown, _| {
            let mut bytes = shown.to_bytes();
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
        ..Altered::default()
    };
    assert_eq!(finding(unsigned), "round.bad-signature");
}
