//! The gRPC service: decode, authenticate, store, ask, answer. Decides nothing.

mod duties;
mod uploads;

use std::pin::Pin;

use syndic_proto::convert::{self, PlaceRef, RoundRef, digest};
use syndic_proto::status::{elsewhere, rejected, with_code};
use syndic_proto::v1::coordination_server::{Coordination, CoordinationServer};
use syndic_proto::v1::{self, Kind};
use syndic_round::coordinator::{Bundle, Input};
use syndic_round::receipt::Receipt;
use syndic_round::{Digest, PROTOCOL, Rejection, Signed, message};
use syndic_secure_aggregation::ChunkProof;
use tokio::task::JoinSet;
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use crate::driver::{Coordinator, CoordinatorError, Holding, Recorded};
use crate::fact::Connected;
use crate::limits::LARGEST_MESSAGE;
use crate::news::Told;
use crate::tls::{Channel, PeerIdentity};
use uploads::{Heard, Uploading};
pub use uploads::{Wanted, receive_body};

/// Serves one coordinator to its participants.
pub struct Service {
    coordinator: Coordinator,
    uploading: Uploading,
    /// Ends with the service.
    _forgetting: JoinSet<()>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    /// The service of `coordinator`. Belongs into an asynchronous runtime.
    pub fn new(coordinator: Coordinator) -> CoordinationServer<Self> {
        let uploading = Uploading::at_most(coordinator.most_jobs_at_once());
        let mut forgetting = JoinSet::new();
        forgetting.spawn(uploads::forget_ended(coordinator.clone()));
        let service = Self { coordinator, uploading, _forgetting: forgetting };
        CoordinationServer::new(service).max_decoding_message_size(LARGEST_MESSAGE)
    }

    /// Who is calling: a member of this federation by certificate and by roster.
    fn caller<T>(&self, request: &Request<T>) -> Result<PeerIdentity, Status> {
        let stranger =
            || with_code(Code::PermissionDenied, "tls.not-a-member", "the certificate is no member's");
        let peer = request.extensions().get::<PeerIdentity>().ok_or_else(stranger)?;
        let roster = self.coordinator.roster();
        let member = roster.member(peer.id).filter(|member| member.name == peer.name);
        match member {
            Some(_) if peer.federation == roster.roster().federation => Ok(peer.clone()),
            _ => Err(stranger()),
        }
    }
}

#[tonic::async_trait]
impl Coordination for Service {
    type DutiesStream = Answers<v1::Duty>;
    type FetchStream = Answers<v1::FetchPart>;
    type ChunkStream = Answers<v1::ChunkPart>;
    type ModelsStream = Answers<v1::RecordedModel>;

    async fn hello(&self, request: Request<v1::HelloRequest>) -> Result<Response<v1::HelloReply>, Status> {
        let caller = self.caller(&request)?;
        let hello = request.into_inner();
        let roster = self.coordinator.roster();
        let expected = [
            ("protocol.version", "protocol", hello.protocol == PROTOCOL),
            ("federation.other", "federation", hello.federation == roster.roster().federation),
            ("federation.roster", "roster", hello.roster == roster.digest().as_bytes()[..]),
        ];
        if let Some((code, what, _)) = expected.into_iter().find(|(_, _, equal)| !equal) {
            warn!(participant = %caller.name, what, "a participant of another federation, roster or protocol");
            let message = format!("the participant speaks of another {what} than this coordinator");
            return Err(with_code(Code::FailedPrecondition, code, message));
        }
        // Another replica may have shown this participant more of the ledger.
        self.catch_up().await?;
        let (software, certificate) = (version(&hello.software), caller.certificate_fingerprint);
        info!(participant = %caller.name, software, %certificate, "hello");
        if let Some(Channel { version: tls, group }) = caller.channel {
            let (participant, version) = (caller.id, software.to_owned());
            let (serial, binary) = (caller.serial, digest(&hello.binary).ok());
            let connected = Connected { participant, certificate, serial, tls, group, version, binary };
            self.coordinator.note_connected(connected).await;
        }
        let shown = self.coordinator.shown_to(caller.id, hello.ledger_size).await;
        let ledger = Some(shown.map_err(|error| refused(&error))?.into());
        Ok(Response::new(v1::HelloReply { software: env!("CARGO_PKG_VERSION").into(), ledger }))
    }

    async fn duties(
        &self,
        request: Request<v1::DutiesRequest>,
    ) -> Result<Response<Self::DutiesStream>, Status> {
        let caller = self.caller(&request)?;
        let asked = convert::Asked::try_from(request.into_inner()).map_err(|error| rejected(&error))?;
        self.catch_up().await?;
        let holding: Vec<Holding> =
            asked.held.into_iter().map(|(job, preparation)| Holding { job, preparation }).collect();
        let attached = self.coordinator.attach(caller.id, caller.name.clone(), &holding);
        let held = holding.into_iter().map(|it| it.job).collect();
        let told = Told::nothing(held).with_models(asked.models);
        Ok(Response::new(duties::stream(self.coordinator.clone(), caller, asked.ledger_size, told, attached)))
    }

    async fn say(&self, request: Request<v1::Statement>) -> Result<Response<v1::Receipt>, Status> {
        let caller = self.caller(&request)?;
        let statement = request.into_inner();
        let at = PlaceRef::try_from(statement.round.clone()).map_err(|error| rejected(&error))?;
        let signed = own_message(&caller, &statement.signed)?;
        let input = match statement.kind() {
            Kind::Advertise => Input::Advertise(signed),
            Kind::Dealing => {
                let bundle = Bundle::measure(&statement.bundle).map_err(|error| rejected(&error.into()))?;
                let input = Input::Deal(signed, bundle);
                // Nothing is stored for a message that would be refused, or was heard before.
                if self.would_hear(&at, input.clone()).await? {
                    // If we crash here the sealed shares are stored but nothing claims them.
                    let stored = self.coordinator.blobs().put(&statement.bundle).await;
                    stored.map_err(|error| refused(&error.into()))?;
                }
                input
            }
            Kind::Ack => Input::Acknowledge(signed),
            Kind::Certify => Input::Certify(signed),
            Kind::Reveal => Input::Reveal(signed),
            Kind::Void => Input::Void(signed),
            Kind::Decline => Input::Decline(signed),
            Kind::Unspecified => return Err(rejected(&Rejection::Malformed)),
        };
        self.hear(&caller, &at, input).await
    }

    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitPart>>,
    ) -> Result<Response<v1::Receipt>, Status> {
        let caller = self.caller(&request)?;
        let _under_way = self.uploading.begin(caller.id)?;
        match uploads::receive(&self.coordinator, &caller, request.into_inner()).await? {
            Heard::Complete(round, signed, upload) => {
                self.hear(&caller, &round.into(), Input::Submit(signed, upload)).await
            }
            Heard::Before(round, signed) => {
                Ok(Response::new(self.receipt(&round.into(), message::Kind::Header, &signed, false)))
            }
        }
    }

    async fn uploaded(
        &self,
        request: Request<v1::SubmitHeader>,
    ) -> Result<Response<v1::UploadedReply>, Status> {
        let caller = self.caller(&request)?;
        // What is still under way is held by nobody yet, and may be more at every moment.
        let _under_way = self.uploading.begin(caller.id)?;
        uploads::uploaded(&self.coordinator, &caller, request.into_inner()).await.map(Response::new)
    }

    async fn fetch(&self, request: Request<v1::FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        self.caller(&request)?;
        let wanted = digest(&request.into_inner().digest).map_err(|error| rejected(&error))?;
        // Ciphertexts and sealed shares are blobs too, and nobody's to fetch.
        let offered = self.coordinator.offered(wanted).await.map_err(|error| refused(&error))?;
        let not_offered = || with_code(Code::NotFound, "blob.not-offered", "no such blob is offered now");
        let bytes = offered.ok_or_else(not_offered)?;
        let parts: Vec<_> = bytes
            .chunks(syndic_proto::PART_BYTES)
            .map(|part| Ok(v1::FetchPart { bytes: part.to_vec().into() }))
            .collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn models(
        &self,
        request: Request<v1::ModelsRequest>,
    ) -> Result<Response<Self::ModelsStream>, Status> {
        self.caller(&request)?;
        let models = self.coordinator.recorded_models(request.into_inner().ledger_size).await;
        let models =
            models.map_err(|error| refused(&error))?.into_iter().map(|model| Ok(recorded(model).into()));
        Ok(Response::new(Box::pin(tokio_stream::iter(models.collect::<Vec<_>>()))))
    }

    async fn closing(&self, request: Request<v1::RoundRef>) -> Result<Response<v1::ClosingReply>, Status> {
        self.caller(&request)?;
        let round = RoundRef::try_from(Some(request.into_inner())).map_err(|error| rejected(&error))?;
        let closed = self.coordinator.closed_round(&round.job, round.id).await;
        let closed = closed.map_err(|error| refused(&error))?.ok_or_else(not_closed)?;
        let Some(ring) = closed.opened.ring else {
            let message = "the vectors of this round were shared themselves; there is no aggregate to check";
            return Err(with_code(Code::FailedPrecondition, "round.no-aggregate", message));
        };
        let bytes = |digest: Digest| digest.as_bytes().to_vec().into();
        Ok(Response::new(v1::ClosingReply {
            transcript: bytes(closed.opened.transcript),
            key_sum: bytes(ring.key_sum),
            aggregate_root: bytes(ring.aggregate_root),
        }))
    }

    async fn chunk(&self, request: Request<v1::ChunkRequest>) -> Result<Response<Self::ChunkStream>, Status> {
        self.caller(&request)?;
        let v1::ChunkRequest { round, index } = request.into_inner();
        let round = RoundRef::try_from(round).map_err(|error| rejected(&error))?;
        let proofs = self.coordinator.chunk_proofs(&round.job, round.id, index).await;
        let proofs = proofs.map_err(|error| refused(&error))?.ok_or_else(not_closed)?;
        let part = |proof: ChunkProof| {
            let path = proof.path.iter().map(|digest| digest.as_bytes().to_vec().into()).collect();
            Ok(v1::ChunkPart { chunk: proof.chunk.into(), path })
        };
        Ok(Response::new(Box::pin(tokio_stream::iter(proofs.into_iter().map(part)))))
    }

    async fn cosign(&self, request: Request<v1::Cosignature>) -> Result<Response<v1::CosignReply>, Status> {
        let caller = self.caller(&request)?;
        let v1::Cosignature { size, line } = request.into_inner();
        let taken = self.coordinator.take_cosignature(caller.id, size, &line).await;
        taken.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::CosignReply {}))
    }
}

impl Service {
    /// Reads the ledger to its end; whoever asks is sent away where that cannot be had here.
    async fn catch_up(&self) -> Result<(), Status> {
        tokio::select! {
            biased;
            () = self.coordinator.cut_off() => Err(elsewhere()),
            read = self.coordinator.catch_up() => read.map_err(|error| refused(&error)),
        }
    }

    /// The receipt of a message that is on record.
    fn receipt(&self, at: &PlaceRef, kind: message::Kind, signed: &Signed, fresh: bool) -> v1::Receipt {
        let Receipt { at, signature } = self.coordinator.receipt(&at.job, at.place, kind, signed);
        v1::Receipt { fresh, at_ms: at.0, signature: signature.to_vec().into() }
    }

    async fn would_hear(&self, at: &PlaceRef, input: Input) -> Result<bool, Status> {
        let would = self.coordinator.would_hear(&at.job, at.place, input).await;
        would.map_err(|error| refused(&error))
    }

    async fn hear(
        &self,
        caller: &PeerIdentity,
        at: &PlaceRef,
        input: Input,
    ) -> Result<Response<v1::Receipt>, Status> {
        match self.coordinator.hear(&at.job, at.place, input.clone()).await {
            Ok(fresh) => {
                let (kind, signed) = input.message().ok_or_else(|| rejected(&Rejection::Malformed))?;
                Ok(Response::new(self.receipt(at, kind, signed, fresh)))
            }
            Err(error) => {
                let (participant, code) = (&caller.name, error.code());
                // Phases end as soon as enough have answered: who comes after that has done nothing wrong.
                if matches!(error, CoordinatorError::Rejected(Rejection::Late | Rejection::Over)) {
                    debug!(participant, place = %at.place, code, "too late to count");
                } else {
                    info!(participant, place = %at.place, code, %error, "refused");
                }
                Err(refused(&error))
            }
        }
    }
}

fn recorded(model: [Recorded; 4]) -> convert::RecordedModel {
    let entry = |Recorded { index, entry, inclusion }| convert::RecordedEntry { index, entry, inclusion };
    let [agreed, completed, approved, staged] = model.map(entry);
    convert::RecordedModel { agreed, completed, approved, staged }
}

fn not_closed() -> Status {
    with_code(Code::NotFound, "round.not-closed", "no such round has a result, or it has no such chunk")
}

/// A message that its caller signed itself: nobody speaks for another.
fn own_message(caller: &PeerIdentity, bytes: &[u8]) -> Result<Signed, Status> {
    let signed = Signed::from_bytes(bytes).map_err(|error| rejected(&error.into()))?;
    if signed.from == caller.id { Ok(signed) } else { Err(rejected(&Rejection::Mismatch("sender"))) }
}

/// A version as a peer tells it, if it can be one: the log holds no text of a peer's own making.
fn version(software: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    if software.len() <= 64 && software.bytes().all(plain) { software } else { "not a version" }
}

/// The peer learns its own fault precisely, and of ours only that it is ours.
fn refused(error: &CoordinatorError) -> Status {
    match error {
        CoordinatorError::Rejected(rejection) => rejected(rejection),
        CoordinatorError::Cosignature(fault) => {
            with_code(Code::InvalidArgument, fault.code(), fault.to_string())
        }
        erased @ CoordinatorError::Erased { .. } => {
            with_code(Code::FailedPrecondition, erased.code(), erased.to_string())
        }
        other => {
            // Why it decides nothing was logged when that began; callers come again and again.
            if !matches!(other, CoordinatorError::Stopped) {
                tracing::error!(code = other.code(), error = %other, "cannot answer");
            }
            with_code(Code::Unavailable, other.code(), "the coordinator cannot store or answer this now")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_what_was_erased_is_told_so_and_by_which_entry() {
        let erased = CoordinatorError::Erased { job: syndic_round::JobId::new("churn").unwrap(), entry: 812 };
        let status = refused(&erased);
        assert_eq!(syndic_proto::status::code_of(&status), Some("job.updates-erased"));
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("by entry 812 of the ledger"), "{}", status.message());
    }

    #[test]
    fn a_peer_writes_no_text_of_its_own_into_the_log() {
        assert_eq!(version("0.1.0-rc.1+build"), "0.1.0-rc.1+build");
        for software in ["0.1.0\n2026-01-01 INFO all is well", "\u{1b}[2J", &"1".repeat(65), "a b"] {
            assert_eq!(version(software), "not a version");
        }
    }
}
