//! The calls of a round, answered by this crate's [`Coordinator`].

use std::pin::{Pin, pin};

use syndic_coordinator::service::{Wanted, receive_body};
use syndic_coordinator::store::{Blobs, UploadName};
use syndic_coordinator::tls::{Incoming, PeerIdentity};
use syndic_proto::convert::{self, Owed, RoundRef};
use syndic_proto::status::rejected;
use syndic_proto::v1::coordination_server::{Coordination, CoordinationServer};
use syndic_proto::v1::submit_part::Part;
use syndic_proto::v1::{self, Kind};
use syndic_round::coordinator::{Bundle, Dealt, Duty, Input, Phase, Round};
use syndic_round::participant::Received;
use syndic_round::receipt::{self, Receipt};
use syndic_round::{Digest, ParticipantId, Rejection, Signed, message};
use syndic_secure_aggregation::chunk_bytes;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::coordinator::Coordinator;
use crate::federation::now;

/// Serves until it is aborted.
pub(crate) async fn serve(coordinator: Coordinator, incoming: Incoming) -> Result<(), Failure> {
    let service = CoordinationServer::new(Service(coordinator)).max_decoding_message_size(LARGEST_MESSAGE);
    Server::builder().tcp_nodelay(true).add_service(service).serve_with_incoming(incoming).await?;
    Ok(())
}

struct Service(Coordinator);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Coordination for Service {
    type DutiesStream = Answers<v1::Duty>;
    type FetchStream = Answers<v1::FetchPart>;
    type ChunkStream = Answers<v1::ChunkPart>;
    type ModelsStream = Answers<v1::RecordedModel>;

    async fn duties(
        &self,
        request: Request<v1::DutiesRequest>,
    ) -> Result<Response<Self::DutiesStream>, Status> {
        let caller = caller(&request)?;
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(tell(self.0.clone(), caller, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn say(&self, request: Request<v1::Statement>) -> Result<Response<v1::Receipt>, Status> {
        let caller = caller(&request)?;
        let statement = request.into_inner();
        let signed = own_message(caller, &statement.signed)?;
        let input = match statement.kind() {
            Kind::Advertise => Input::Advertise(signed),
            Kind::Dealing => {
                let bundle = Bundle::measure(&statement.bundle).map_err(|error| rejected(&error.into()))?;
                self.0.blobs.put(&statement.bundle).await.map_err(|error| ours(&error))?;
                Input::Deal(signed, bundle)
            }
            Kind::Ack => Input::Acknowledge(signed),
            Kind::Certify => Input::Certify(signed),
            Kind::Reveal => Input::Reveal(signed),
            Kind::Decline => return Err(Status::aborted("nobody declines here")),
            Kind::Void | Kind::Unspecified => return Err(rejected(&Rejection::Malformed)),
        };
        self.hear(input).await
    }

    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitPart>>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let caller = caller(&request)?;
        let mut parts = request.into_inner();
        let Some(v1::SubmitPart { part: Some(Part::Header(header)) }) = parts.message().await? else {
            return Err(rejected(&Rejection::Malformed));
        };
        let signed = own_message(caller, &header.signed)?;
        let wanted = self.wanted(&signed).await?;
        // Phases end when all were heard, so nobody is late.
        let never = pin!(std::future::pending());
        let upload = receive_body(&self.0.blobs, &mut parts, wanted, never).await?;
        self.hear(Input::Submit(signed, upload)).await
    }

    async fn hello(&self, _: Request<v1::HelloRequest>) -> Result<Response<v1::HelloReply>, Status> {
        Err(left_out())
    }

    async fn fetch(&self, _: Request<v1::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        Err(left_out())
    }

    async fn closing(&self, _: Request<v1::RoundRef>) -> Result<Response<v1::ClosingReply>, Status> {
        Err(left_out())
    }

    async fn chunk(&self, _: Request<v1::ChunkRequest>) -> Result<Response<Self::ChunkStream>, Status> {
        Err(left_out())
    }

    async fn uploaded(&self, _: Request<v1::SubmitHeader>) -> Result<Response<v1::UploadedReply>, Status> {
        Err(left_out())
    }

    async fn models(&self, _: Request<v1::ModelsRequest>) -> Result<Response<Self::ModelsStream>, Status> {
        Err(left_out())
    }

    async fn cosign(&self, _: Request<v1::Cosignature>) -> Result<Response<v1::CosignReply>, Status> {
        Err(left_out())
    }
}

impl Service {
    /// Judges the header of an upload, and says what has to follow it.
    async fn wanted(&self, signed: &Signed) -> Result<Wanted, Status> {
        let state = self.0.state.lock().await;
        let round = state.round.as_ref().ok_or_else(|| rejected(&Rejection::Over))?;
        let judged = round.judge_header(now(), signed).map_err(|error| rejected(&error))?;
        let header = judged.ok_or_else(|| Status::already_exists("nobody submits twice here"))?;
        let plan = round.plan();
        let chunk_bytes = chunk_bytes(plan.terms.protection.parameter_set());
        let bytes = (plan.chunks() * chunk_bytes) as u64;
        let name = UploadName {
            job: plan.terms.job.clone(),
            round: plan.id,
            from: signed.from,
            header: Digest::of(&signed.to_bytes()),
        };
        Ok(Wanted { name, offset: 0, root: header.root, bytes, chunk_bytes })
    }

    async fn hear(&self, input: Input) -> Result<Response<v1::Receipt>, Status> {
        let fresh = self.0.hear(input.clone()).await?;
        let (kind, message) = input.message().ok_or_else(|| rejected(&Rejection::Malformed))?;
        Ok(Response::new(self.receipt(kind, message, fresh).await?))
    }

    async fn receipt(
        &self,
        kind: message::Kind,
        message: &Signed,
        fresh: bool,
    ) -> Result<v1::Receipt, Status> {
        let state = self.0.state.lock().await;
        let plan = state.round.as_ref().map(Round::plan).ok_or_else(|| rejected(&Rejection::Over))?;
        let (federation, job, round) = (plan.terms.federation.as_str(), &plan.terms.job, plan.id);
        let what = receipt::Received { federation, job, round, kind, message };
        let Receipt { at, signature } = Receipt::sign(&what, now(), &self.0.ledger_key);
        Ok(v1::Receipt { fresh, at_ms: at.0, signature: signature.to_vec().into() })
    }
}

/// Tells `caller` what it owes, until the round is closed.
async fn tell(
    coordinator: Coordinator,
    caller: ParticipantId,
    sender: mpsc::Sender<Result<v1::Duty, Status>>,
) {
    let mut changed = coordinator.changed.subscribe();
    let mut told = None;
    loop {
        changed.borrow_and_update();
        let next = next(&coordinator, caller, &mut told).await;
        let over = matches!(&next, Ok(Some(v1::Duty { duty: Some(v1::duty::Duty::Over(_)), .. })));
        let duty = next.transpose().map(|duty| duty.map_err(|error| Status::internal(error.to_string())));
        if let Some(duty) = duty
            && (sender.send(duty).await.is_err() || over)
        {
            return;
        }
        tokio::select! {
            () = sender.closed() => return,
            gone = changed.changed() => if gone.is_err() { return },
        }
    }
}

/// What to tell next, if it differs from what was told.
async fn next(
    coordinator: &Coordinator,
    caller: ParticipantId,
    told: &mut Option<std::mem::Discriminant<Duty>>,
) -> Result<Option<v1::Duty>, Failure> {
    let (plan, duty, ledger) = {
        let state = coordinator.state.lock().await;
        let Some(round) = state.round.as_ref() else { return Ok(None) };
        let plan = round.plan().clone();
        if let Phase::Closed(_) = round.phase() {
            return Ok(Some(wire(&plan, Owed::Over(None), None)));
        }
        let Some(duty) = round.duty_of(caller) else { return Ok(None) };
        if told.replace(std::mem::discriminant(&duty)) == Some(std::mem::discriminant(&duty)) {
            return Ok(None);
        }
        let ledger =
            matches!(duty, Duty::Certify(_)).then(|| coordinator.shown_frozen(&state)).transpose()?;
        (plan, duty, ledger)
    };
    let owed = match duty {
        Duty::Advertise => Owed::Advertise,
        Duty::Deal(cohort) => Owed::Deal(cohort.adverts().to_vec()),
        Duty::Acknowledge(_, dealt) => Owed::Acknowledge(shares_for(coordinator, caller, &dealt).await?),
        Duty::Submit(acks) => Owed::Submit(acks),
        Duty::Certify(survivors) => Owed::Certify(survivors.signed().to_vec()),
        Duty::Reveal(certificate) => Owed::Reveal(certificate.signatures().to_vec()),
        Duty::Void(_) => return Err("nobody gives up here".into()),
    };
    Ok(Some(wire(&plan, owed, ledger)))
}

fn wire(plan: &syndic_round::RoundPlan, owed: Owed, ledger: Option<syndic_ledger::ShownEntry>) -> v1::Duty {
    let at = RoundRef { job: plan.terms.job.clone(), id: plan.id }.into();
    convert::Duty { voided: Vec::new(), ledger, at, plan: plan.to_bytes().into(), owed }.into()
}

async fn shares_for(
    coordinator: &Coordinator,
    caller: ParticipantId,
    dealt: &[Dealt],
) -> Result<Vec<Received>, Failure> {
    let mut shares = Vec::with_capacity(dealt.len());
    for Dealt { public, blob } in dealt {
        let bundle = Bundle::open(&coordinator.blobs.read(*blob).await?)?;
        let mine = bundle.into_iter().find(|(to, _)| *to == caller);
        let (_, sealed) = mine.ok_or("no share for a member of the cohort")?;
        shares.push(Received { public: public.clone(), sealed });
    }
    Ok(shares)
}

fn caller<T>(request: &Request<T>) -> Result<ParticipantId, Status> {
    let peer = request.extensions().get::<PeerIdentity>();
    peer.map(|peer| peer.id).ok_or_else(|| Status::permission_denied("the certificate is no member's"))
}

fn own_message(caller: ParticipantId, bytes: &[u8]) -> Result<Signed, Status> {
    let signed = Signed::from_bytes(bytes).map_err(|error| rejected(&error.into()))?;
    if signed.from == caller { Ok(signed) } else { Err(rejected(&Rejection::Mismatch("sender"))) }
}

fn ours(error: &dyn std::error::Error) -> Status {
    Status::unavailable(error.to_string())
}

fn left_out() -> Status {
    Status::unimplemented("a measured round does without")
}

/// That of the shipped service.
const LARGEST_MESSAGE: usize = 4 << 20;
