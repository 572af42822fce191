//! A26 over the wire: an upload that is not the one that its header was signed over does not count, and one that does
//! not come to an end holds nobody up.

use std::sync::{Arc, Mutex};

use syndic_proto::status::code_of;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_proto::v1::{self, submit_part::Part};
use syndic_round::participant::Invited;
use syndic_round::{ParticipantId, Place, RoundId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::between::Meddler;
use crate::known::Known;
use crate::scene::{Fares, Scene};

/// Alters what participant 2 uploads in round 1.
struct Altered(fn(&mut Vec<u8>));

impl Meddler for Altered {
    fn uploading(&self, from: ParticipantId, round: &v1::RoundRef, mut update: Vec<u8>) -> Vec<u8> {
        if from.get() == 2 && round.round == 1 {
            (self.0)(&mut update);
        }
        update
    }
}

fn is_refused(alter: fn(&mut Vec<u8>)) {
    let ran = Scene::set(5, 0, Arc::new(Altered(alter)), |_| Fares::Well).run();
    ran.completed();
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], [1, 3, 4, 5]);
    assert_eq!(survivors[&(2, 1)], [1, 2, 3, 4, 5]);
    assert_eq!(ran.declined(1, 1), [(2, "participant.refused".to_owned())], "its own agent is told");
}

#[test]
fn a26_a_ciphertext_with_an_altered_byte_does_not_count() {
    is_refused(|update| update[100] ^= 1);
}

#[test]
fn a26_a_ciphertext_that_is_cut_short_does_not_count() {
    is_refused(|update| update.truncate(update.len() - 1));
    is_refused(|update| update.truncate(1));
}

#[test]
fn a26_a_ciphertext_with_more_behind_it_does_not_count() {
    is_refused(|update| update.push(0));
    is_refused(|update| update.extend(vec![0; 8_192]));
}

/// Opens many uploads in the name of participant 2 in round 1, of each of which it sends what `sent` says and no more,
/// and then says no.
struct SlowLoris {
    sent: fn(Vec<v1::SubmitPart>) -> Vec<v1::SubmitPart>,
    /// What became of each.
    answers: Mutex<Vec<Option<String>>>,
}

#[tonic::async_trait]
impl Meddler for SlowLoris {
    async fn passing_on(
        &self,
        from: ParticipantId,
        round: &v1::RoundRef,
        parts: Vec<v1::SubmitPart>,
        calls: &mut CoordinationClient<Channel>,
        known: &Known,
    ) -> Result<Response<v1::Receipt>, Status> {
        if (from.get(), round.round) != (2, 1) {
            return calls.submit(tokio_stream::iter(parts)).await;
        }
        let parts = (self.sent)(parts);
        let (mut uploads, mut open) = (JoinSet::new(), Vec::new());
        for _ in 0..UPLOADS {
            let (sender, receiver) = mpsc::channel(parts.len().max(1));
            for part in &parts {
                sender.send(part.clone()).await.unwrap();
            }
            open.push(sender);
            let mut calls = calls.clone();
            uploads.spawn(async move { calls.submit(ReceiverStream::new(receiver)).await });
        }
        // All but one are refused at once. That one stays, whichever it is, until the round goes on: it has all the
        // updates that it still awaits once participant 2 has said no.
        for _ in 1..UPLOADS {
            self.note(&uploads.join_next().await.unwrap().unwrap());
        }
        let terms = &known.attempt(round).plan.terms;
        let id = RoundId { round: round.round, attempt: round.attempt };
        let no = Invited::decline(terms, Place::Round(id), from, "participant.busy", known.key(from));
        let statement = v1::Statement {
            round: Some(round.clone()),
            kind: v1::Kind::Decline.into(),
            signed: no.to_bytes().into(),
            bundle: Vec::new().into(),
        };
        calls.say(statement).await?;
        let last = uploads.join_next().await.unwrap().unwrap();
        self.note(&last);
        drop(open);
        last
    }
}

impl SlowLoris {
    fn note(&self, answer: &Result<Response<v1::Receipt>, Status>) {
        let code = answer.as_ref().err().and_then(code_of).map(String::from);
        self.answers.lock().unwrap().push(code);
    }
}

fn holds_nobody_up(sent: fn(Vec<v1::SubmitPart>) -> Vec<v1::SubmitPart>) {
    let loris = Arc::new(SlowLoris { sent, answers: Mutex::default() });
    let ran = Scene::set(5, 0, loris.clone(), |_| Fares::Well).run();
    ran.completed();
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], [1, 3, 4, 5]);
    assert_eq!(survivors[&(2, 1)], [1, 2, 3, 4, 5], "what it had open is over");
    let answers = loris.answers.lock().unwrap();
    let (last, others) = answers.split_last().unwrap();
    assert_eq!(last.as_deref(), Some("round.late"));
    assert!(others.iter().all(|code| code.as_deref() == Some("upload.busy")), "{others:?}");
    let partial = std::fs::read_dir(ran.store().join("blobs/partial")).unwrap();
    assert_eq!(partial.count(), 0, "nothing of it is kept");
}

#[test]
fn a26_an_upload_that_drips_is_cut_off_when_the_phase_ends_and_holds_nobody_up() {
    holds_nobody_up(|mut parts| {
        parts.truncate(2);
        let Some(Part::Chunk(chunk)) = parts[1].part.take() else { panic!("no chunk") };
        let byte = |byte: &u8| v1::SubmitPart { part: Some(Part::Chunk(vec![*byte].into())) };
        parts.truncate(1);
        parts.extend(chunk[..3].iter().map(byte));
        parts
    });
}

#[test]
fn a26_uploads_that_are_opened_and_never_begun_are_cut_off_when_the_phase_ends_and_hold_nobody_up() {
    holds_nobody_up(|_| Vec::new());
    holds_nobody_up(|mut parts| {
        parts.truncate(1);
        parts
    });
}

/// As many as one connection may have open beside what the agent needs.
const UPLOADS: usize = 12;
