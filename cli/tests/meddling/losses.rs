//! Calls that are lost in the middle of a connection, before the coordinator hears them or with its answer: what the other
//! end of a connection that is given up for dead sees of it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use syndic_coordinator::tls::PeerIdentity;
use syndic_round::ParticipantId;
use tonic::codegen::http::Request;
use tower::{BoxError, Service};

use crate::between::Meddler;
use crate::scene::{Fares, Scene, id};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// Its stream is reset before the coordinator hears of it.
    Unheard,
    /// Its stream is reset once the coordinator has answered.
    Unanswered,
}

/// Lets a meddler lose calls of the service within.
#[derive(Clone)]
pub(crate) struct Losing<S> {
    pub(crate) within: S,
    pub(crate) meddler: Arc<dyn Meddler>,
}

impl<S, B> Service<Request<B>> for Losing<S>
where
    S: Service<Request<B>, Future: Send + 'static, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.within.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let from = request.extensions().get::<PeerIdentity>().expect("every caller has a certificate").id;
        let (_, call) = request.uri().path().rsplit_once('/').unwrap();
        let fate = self.meddler.fate(from, call);
        if fate == Fate::Unheard {
            return Box::pin(async { Err("lost".into()) });
        }
        let answer = self.within.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into)?;
            if fate == Fate::Unanswered { Err("its answer is lost".into()) } else { Ok(answer) }
        })
    }
}

/// Of everybody's calls of each kind loses the first, and the answer to the third.
#[derive(Default)]
struct Lossy(Mutex<BTreeMap<(ParticipantId, String), usize>>);

impl Meddler for Lossy {
    fn fate(&self, from: ParticipantId, call: &str) -> Fate {
        let mut calls = self.0.lock().unwrap();
        let number = calls.entry((from, call.to_owned())).or_default();
        *number += 1;
        match *number {
            1 => Fate::Unheard,
            3 => Fate::Unanswered,
            _ => Fate::Answered,
        }
    }
}

#[test]
fn a_call_that_is_lost_with_its_connection_is_no_refusal_and_is_made_again() {
    let meddler = Arc::new(Lossy::default());
    let ran = Scene::set(5, 0, meddler.clone(), |_| Fares::Well).run();
    ran.completed();
    let calls = meddler.0.lock().unwrap();
    for kind in ["Say", "Fetch", "Submit"] {
        for number in 1..=5 {
            let made = calls[&(id(number), kind.to_owned())];
            assert!(made > 3, "{kind} of participant {number}: {made}");
        }
    }
    for ((round, attempt), survivors) in ran.exact_sums() {
        let declined = ran.declined(round, attempt);
        assert_eq!((survivors, declined), (vec![1, 2, 3, 4, 5], vec![]), "round {round}.{attempt}");
    }
}
