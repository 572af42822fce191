//! A man in the middle who holds the coordinator's certificate and every participant's keys: what participants are
//! told, what they say and what they are shown passes through his hands.
//!
//! Towards participants he is a coordinator that lies. Towards the coordinator, he is participants that lie.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use syndic_coordinator::tls::PeerIdentity;
use syndic_learning::Question;
use syndic_participant::enrol::Enrolment;
use syndic_participant::tls::Connector;
use syndic_proto::convert::PlaceRef;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_proto::v1::coordination_server::Coordination;
use syndic_proto::v1::{self, duty::Duty as Wire, submit_part::Part};
use syndic_round::message::{Kind, Payload};
use syndic_round::receipt::{Receipt, Received};
use syndic_round::{Digest, ParticipantId, RoundPlan, Signed, Timestamp};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use crate::known::{Known, round_of};
use crate::losses::Fate;

/// What he does with what passes by. Unless said otherwise, nothing.
#[tonic::async_trait]
pub(crate) trait Meddler: Send + Sync {
    /// What `to` is shown of the ledger when it comes, in the place of `reply`.
    fn greeting(&self, _to: ParticipantId, reply: v1::HelloReply, _known: &Known) -> v1::HelloReply {
        reply
    }

    /// What `to` is told in the place of `duty`.
    async fn telling(&self, _to: ParticipantId, duty: v1::Duty, _known: &Known) -> Vec<v1::Duty> {
        vec![duty]
    }

    /// What `to` is asked in the place of `question`.
    fn asking(&self, _to: ParticipantId, question: Question) -> Question {
        question
    }

    /// What the coordinator hears in the place of what `from` says.
    fn saying(&self, _from: ParticipantId, said: v1::Statement, _known: &Known) -> v1::Statement {
        said
    }

    /// What the coordinator gets in the place of the ciphertext that `from` uploads.
    fn uploading(&self, _from: ParticipantId, _round: &v1::RoundRef, update: Vec<u8>) -> Vec<u8> {
        update
    }

    /// Passes on the upload of `from`, header first.
    async fn passing_on(
        &self,
        _from: ParticipantId,
        _round: &v1::RoundRef,
        parts: Vec<v1::SubmitPart>,
        calls: &mut CoordinationClient<Channel>,
        _known: &Known,
    ) -> Result<Response<v1::Receipt>, Status> {
        calls.submit(tokio_stream::iter(parts)).await
    }

    /// What `to` is told that the coordinator has of its update.
    fn holding(&self, _to: ParticipantId, held: v1::UploadedReply) -> v1::UploadedReply {
        held
    }

    /// What `to` is told that a round came to, and what it is shown that the participants have signed.
    fn closing(
        &self,
        _to: ParticipantId,
        came_to: v1::ClosingReply,
        transcript: Vec<u8>,
        _known: &Known,
    ) -> (v1::ClosingReply, Vec<u8>) {
        (came_to, transcript)
    }

    /// What `to` is shown of one chunk.
    fn showing(&self, _to: ParticipantId, chunks: Vec<v1::ChunkPart>) -> Vec<v1::ChunkPart> {
        chunks
    }

    /// What becomes of a call of `from` with this name.
    fn fate(&self, _from: ParticipantId, _call: &str) -> Fate {
        Fate::Answered
    }

    /// What the coordinator gets in the place of what `from` signs of the ledger.
    fn cosigning(&self, _from: ParticipantId, cosignature: v1::Cosignature) -> v1::Cosignature {
        cosignature
    }
}

/// The man in the middle, as a service.
#[derive(Clone)]
pub(crate) struct Between {
    upstream: Arc<BTreeMap<ParticipantId, Connector>>,
    calls: Arc<Mutex<BTreeMap<ParticipantId, CoordinationClient<Channel>>>>,
    /// Blobs of his own, by digest.
    forged: Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
    meddler: Arc<dyn Meddler>,
    pub(crate) known: Arc<Known>,
}

impl Between {
    /// He reaches the coordinator at its last address in everybody's name.
    pub(crate) fn new(enrolments: &[Enrolment], ledger_key: &SigningKey, meddler: Arc<dyn Meddler>) -> Self {
        let upstream = |of: &Enrolment| (of.id(), of.connectors().unwrap().pop().unwrap());
        let keys: BTreeMap<ParticipantId, SigningKey> =
            enrolments.iter().map(|of| (of.id(), of.keys().signing_key().clone())).collect();
        let roster = enrolments[0].roster().clone();
        Self {
            upstream: Arc::new(enrolments.iter().map(upstream).collect()),
            calls: Arc::default(),
            forged: Arc::default(),
            meddler,
            known: Arc::new(Known::new(roster, keys, ledger_key.clone())),
        }
    }

    async fn connect(&self, as_whom: ParticipantId) -> Result<CoordinationClient<Channel>, Status> {
        let connector = self.upstream[&as_whom].clone();
        let endpoint = Endpoint::from(connector.endpoint_uri());
        let channel = endpoint.connect_with_connector(connector).await;
        let calls = channel.map(CoordinationClient::new).map_err(|_| Status::unavailable("not now"))?;
        self.calls.lock().await.insert(as_whom, calls.clone());
        Ok(calls)
    }

    /// The duty with the question that `to` is to be asked.
    async fn asked(
        &self,
        to: ParticipantId,
        calls: &mut CoordinationClient<Channel>,
        duty: v1::Duty,
    ) -> v1::Duty {
        let Some(Wire::Advertise(_) | Wire::Submit(_)) = duty.duty else { return duty };
        // A preparation made ahead asks nothing yet.
        let Ok(mut plan) = RoundPlan::from_bytes(&duty.plan) else { return duty };
        // A coordinator that dies in between asks again when it is back.
        let Ok(bytes) = fetched(calls, plan.question.0.to_vec()).await else { return duty };
        let question = self.meddler.asking(to, Question::from_bytes(&bytes).unwrap()).to_bytes().unwrap();
        if question == bytes {
            return duty;
        }
        plan.question = Digest::of(&question);
        self.forged.lock().await.insert(plan.question.0.to_vec(), question);
        v1::Duty { plan: plan.to_bytes().into(), ..duty }
    }

    /// The receipt that the coordinator would give for what a participant has said.
    fn receipt_of(&self, said: &v1::Statement) -> Response<v1::Receipt> {
        let PlaceRef { job, place } = said.round.clone().try_into().unwrap();
        let kind = Kind::ALL.into_iter().find(|kind| v1::Kind::of(*kind) == Some(said.kind())).unwrap();
        let message = Signed::from_bytes(&said.signed).unwrap();
        let federation = &self.known.roster.roster().federation;
        let received = Received { federation, job: &job, round: place.round(), kind, message: &message };
        let Receipt { at, signature } = Receipt::sign(&received, Timestamp(1), &self.known.ledger_key);
        Response::new(v1::Receipt { fresh: true, at_ms: at.0, signature: signature.to_vec().into() })
    }

    async fn calls<T>(&self, request: &Request<T>) -> (ParticipantId, CoordinationClient<Channel>) {
        let caller = caller(request);
        (caller, self.calls.lock().await[&caller].clone())
    }
}

fn caller<T>(request: &Request<T>) -> ParticipantId {
    request.extensions().get::<PeerIdentity>().expect("every caller has a certificate").id
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn answers<T: Send + 'static>(parts: Vec<T>) -> Response<Answers<T>> {
    Response::new(Box::pin(tokio_stream::iter(parts.into_iter().map(Ok))))
}

#[tonic::async_trait]
impl Coordination for Between {
    type DutiesStream = Answers<v1::Duty>;
    type FetchStream = Answers<v1::FetchPart>;
    type ChunkStream = Answers<v1::ChunkPart>;
    type ModelsStream = Answers<v1::RecordedModel>;

    async fn models(
        &self,
        request: Request<v1::ModelsRequest>,
    ) -> Result<Response<Self::ModelsStream>, Status> {
        let (_, mut calls) = self.calls(&request).await;
        let models = calls.models(request.into_inner()).await?.into_inner();
        Ok(answers(collected(models).await?))
    }

    async fn hello(&self, request: Request<v1::HelloRequest>) -> Result<Response<v1::HelloReply>, Status> {
        let to = caller(&request);
        let reply = self.connect(to).await?.hello(request.into_inner()).await?.into_inner();
        Ok(Response::new(self.meddler.greeting(to, reply, &self.known)))
    }

    async fn duties(
        &self,
        request: Request<v1::DutiesRequest>,
    ) -> Result<Response<Answers<v1::Duty>>, Status> {
        let (to, mut calls) = self.calls(&request).await;
        let mut duties = calls.duties(request.into_inner()).await?.into_inner();
        let (sender, receiver) = mpsc::channel(16);
        let between = self.clone();
        tokio::spawn(async move {
            loop {
                let duty = tokio::select! {
                    duty = duties.next() => duty,
                    () = sender.closed() => return,
                };
                let Some(duty) = duty else { return };
                let told = match duty {
                    Ok(duty) => {
                        between.known.notice(&duty);
                        let duty = between.asked(to, &mut calls, duty).await;
                        tokio::select! {
                            told = between.meddler.telling(to, duty, &between.known) => Ok(told),
                            () = sender.closed() => return,
                        }
                    }
                    Err(status) => Err(status),
                };
                match told {
                    Ok(told) => {
                        for duty in told {
                            let _ = sender.send(Ok(duty)).await;
                        }
                    }
                    Err(status) => drop(sender.send(Err(status)).await),
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn say(&self, request: Request<v1::Statement>) -> Result<Response<v1::Receipt>, Status> {
        let (from, mut calls) = self.calls(&request).await;
        let own = request.into_inner();
        let said = self.meddler.saying(from, own.clone(), &self.known);
        let heard = calls.say(said.clone()).await;
        // A reveal that the round does not take yet is said again: others who wait for it wait for that.
        if heard.is_ok() || said.kind() != v1::Kind::Reveal {
            self.known.heard(from, &said);
        }
        // Where the liar is the participant, its agent is to notice nothing: with the receipt of another message it would
        // connect again, and find one of its own in the ledger that it has not said.
        if heard.is_ok() && said != own { Ok(self.receipt_of(&own)) } else { heard }
    }

    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitPart>>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let (from, mut calls) = self.calls(&request).await;
        let mut parts = collected(request.into_inner()).await?.into_iter();
        let header = parts.next();
        let Some(Part::Header(v1::SubmitHeader { round: Some(round), .. })) =
            header.as_ref().and_then(|header| header.part.as_ref())
        else {
            return Err(Status::invalid_argument("no header"));
        };
        let update = parts.flat_map(|part| match part.part {
            Some(Part::Chunk(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        });
        let round = round.clone();
        self.known.uploaded(from, &round);
        let update = self.meddler.uploading(from, &round, update.collect());
        let chunks: Vec<_> = update.chunks(syndic_proto::PART_BYTES).map(<[u8]>::to_vec).collect();
        let chunks = chunks.into_iter().map(|chunk| v1::SubmitPart { part: Some(Part::Chunk(chunk.into())) });
        let parts = header.into_iter().chain(chunks).collect();
        self.meddler.passing_on(from, &round, parts, &mut calls, &self.known).await
    }

    async fn uploaded(
        &self,
        request: Request<v1::SubmitHeader>,
    ) -> Result<Response<v1::UploadedReply>, Status> {
        let (from, mut calls) = self.calls(&request).await;
        let held = calls.uploaded(request.into_inner()).await?.into_inner();
        Ok(Response::new(self.meddler.holding(from, held)))
    }

    async fn fetch(&self, request: Request<v1::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let (_, mut calls) = self.calls(&request).await;
        let wanted = request.into_inner();
        let forged = self.forged.lock().await.get(&wanted.digest.to_vec()).cloned();
        let blob = match forged {
            Some(blob) => blob,
            None => fetched(&mut calls, wanted.digest.to_vec()).await?,
        };
        Ok(answers(vec![v1::FetchPart { bytes: blob.into() }]))
    }

    async fn closing(&self, request: Request<v1::RoundRef>) -> Result<Response<v1::ClosingReply>, Status> {
        let (to, mut calls) = self.calls(&request).await;
        let came_to = calls.closing(request.into_inner()).await?.into_inner();
        let transcript = fetched(&mut calls, came_to.transcript.to_vec()).await?;
        let (mut came_to, shown) = self.meddler.closing(to, came_to, transcript.clone(), &self.known);
        if shown != transcript {
            let digest = Digest::of(&shown).0.to_vec();
            came_to.transcript = digest.clone().into();
            self.forged.lock().await.insert(digest, shown);
        }
        Ok(Response::new(came_to))
    }

    async fn chunk(&self, request: Request<v1::ChunkRequest>) -> Result<Response<Self::ChunkStream>, Status> {
        let (to, mut calls) = self.calls(&request).await;
        let chunks = collected(calls.chunk(request.into_inner()).await?.into_inner()).await?;
        self.known.showed(to);
        Ok(answers(self.meddler.showing(to, chunks)))
    }

    async fn cosign(&self, request: Request<v1::Cosignature>) -> Result<Response<v1::CosignReply>, Status> {
        let (from, mut calls) = self.calls(&request).await;
        calls.cosign(self.meddler.cosigning(from, request.into_inner())).await
    }
}

async fn fetched(calls: &mut CoordinationClient<Channel>, digest: Vec<u8>) -> Result<Vec<u8>, Status> {
    let request = v1::FetchRequest { digest: digest.into() };
    let parts = collected(calls.fetch(request).await?.into_inner()).await?;
    Ok(parts.iter().flat_map(|part| part.bytes.to_vec()).collect())
}

async fn collected<T>(mut stream: Streaming<T>) -> Result<Vec<T>, Status> {
    let mut parts = Vec::new();
    while let Some(part) = stream.message().await? {
        parts.push(part);
    }
    Ok(parts)
}

/// Whether it is the duty to reveal in this round and attempt.
pub(crate) fn is_reveal(duty: &v1::Duty, round: u32, attempt: u32) -> bool {
    let id = round_of(duty);
    matches!(duty.duty, Some(Wire::Reveal(_))) && (id.round, id.attempt) == (round, attempt)
}

/// The same statement with another payload, signed as its sender would sign it.
pub(crate) fn instead<P: Payload>(
    said: v1::Statement,
    known: &Known,
    change: impl FnOnce(P) -> P,
) -> v1::Statement {
    let signed = Signed::from_bytes(&said.signed).unwrap();
    let attempt = known.attempt(said.round.as_ref().unwrap());
    let payload = change(P::decode(&signed.payload).unwrap());
    let signed = payload.sign(attempt.cohort.context(), known.key(signed.from));
    v1::Statement { signed: signed.to_bytes().into(), ..said }
}
