//! A participant that dies while its update is on its way, and is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syndic_proto::v1;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_round::ParticipantId;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::between::Meddler;
use crate::known::Known;
use crate::scene::{Fares, Meanwhile, Ran, Scene};

/// Keeps the first update of participant 2 to himself, and never answers.
#[derive(Default)]
struct Withholding(AtomicBool);

#[tonic::async_trait]
impl Meddler for Withholding {
    async fn passing_on(
        &self,
        from: ParticipantId,
        _round: &v1::RoundRef,
        parts: Vec<v1::SubmitPart>,
        calls: &mut CoordinationClient<Channel>,
        _known: &Known,
    ) -> Result<Response<v1::Receipt>, Status> {
        if from.get() == 2 && !self.0.swap(true, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        calls.submit(tokio_stream::iter(parts)).await
    }
}

/// One run in which participant 2 dies while it uploads.
fn after(meanwhile: Meanwhile) -> Ran {
    let fares = move |id: ParticipantId| match id.get() {
        2 => Fares::RestartedWhileItUploads(meanwhile),
        _ => Fares::Well,
    };
    let ran = Scene::set(5, 0, Arc::new(Withholding::default()), fares).run();
    ran.completed();
    let restarted = (2, "participant.restarted".to_owned());
    assert!(ran.declined(1, 1).iter().all(|declined| *declined == restarted), "its keys are gone");
    assert_eq!(ran.updates_left(), 0, "updates are kept no longer than their rounds");
    ran
}

#[test]
fn an_update_whose_header_was_written_down_is_sent_again_after_a_restart_and_counts() {
    let ran = after(Meanwhile::Nothing);
    // The sums are compared with the one answer that each institution gave in a round.
    let survivors = ran.exact_sums();
    assert_eq!(survivors[&(1, 1)], [1, 2, 3, 4, 5]);
    assert!(!ran.who_said(1, 1, v1::Kind::Certify).contains(&2), "it has no shares to help with");
}

#[test]
fn an_update_that_is_not_whole_after_a_restart_is_not_sent() {
    for meanwhile in [Meanwhile::AByteChanges, Meanwhile::ItIsCutShort, Meanwhile::ItGoes] {
        let ran = after(meanwhile);
        assert_eq!(ran.exact_sums()[&(1, 1)], [1, 3, 4, 5]);
    }
}
