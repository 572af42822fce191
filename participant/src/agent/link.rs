//! The agent's one connection to its coordinator, and the calls on it.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use syndic_ledger::{Hash, ShownEntry};
use syndic_proto::LARGEST_DUTY;
use syndic_proto::convert::{Asked, PlaceRef, RecordedModel, RoundRef, digest};
use syndic_proto::status::retry_after;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_proto::v1::{self, submit_part::Part};
use syndic_round::message::Kind;
use syndic_round::receipt::Receipt;
use syndic_round::{Digest, JobId, Rejection, Signed, Timestamp};
use syndic_secure_aggregation::ChunkProof;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status, Streaming};

use super::error::Declined;
use super::error::Undone;
use crate::program;
use crate::shown::printable;
use crate::tls::{ConnectError, Connector};

/// A connection.
#[derive(Clone)]
pub(super) struct Link {
    calls: CoordinationClient<Channel>,
}

impl Link {
    /// Connects to the first coordinator address that answers.
    pub(super) async fn connect(connectors: &[Connector]) -> Result<Self, ConnectError> {
        let mut last = None;
        for connector in connectors {
            let endpoint = Endpoint::from(connector.endpoint_uri())
                .http2_keep_alive_interval(KEEPALIVE)
                .keep_alive_timeout(KEEPALIVE)
                .keep_alive_while_idle(true);
            match endpoint.connect_with_connector(connector.clone()).await {
                Ok(channel) => {
                    let calls = CoordinationClient::new(channel).max_decoding_message_size(LARGEST_DUTY);
                    return Ok(Self { calls });
                }
                Err(error) => {
                    let address = connector.address().clone();
                    let unknown =
                        || ConnectError::Unreachable { address, reason: printable(&error.to_string()) };
                    let error = ConnectError::behind(&error).cloned().unwrap_or_else(unknown);
                    // Who is not ours will not become so; who does not answer may have another address.
                    if !error.is_unreachable() {
                        return Err(error);
                    }
                    last = Some(error);
                }
            }
        }
        let nowhere = || ConnectError::OwnCertificate { reason: "the bundle names no coordinator".into() };
        Err(last.unwrap_or_else(nowhere))
    }

    /// The ledger as the coordinator shows it to a participant that kept the checkpoint of this size, with the newest
    /// message of the participant that is in it.
    pub(super) async fn hello(
        &mut self,
        federation: &str,
        roster: Digest,
        ledger_size: u64,
    ) -> Result<ShownEntry, Status> {
        let binary = tokio::task::spawn_blocking(program::digest).await.unwrap_or_default();
        let hello = v1::HelloRequest {
            protocol: syndic_round::PROTOCOL.into(),
            federation: federation.into(),
            roster: roster.as_bytes().to_vec().into(),
            software: env!("CARGO_PKG_VERSION").into(),
            ledger_size,
            binary: binary.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec()).into(),
        };
        let shown = self.calls.hello(hello).await?.into_inner().ledger;
        let shown = shown.ok_or_else(|| Status::data_loss("the coordinator does not show its ledger"))?;
        shown.try_into().map_err(|error: Rejection| Status::data_loss(error.to_string()))
    }

    /// What is owed from now on, for a participant that kept the ledger's checkpoint of this size, and has something of these
    /// jobs: the keys of the preparation with that number, 0 for none.
    pub(super) async fn duties(
        &mut self,
        ledger_size: u64,
        held: BTreeMap<JobId, u64>,
        models: bool,
    ) -> Result<Streaming<v1::Duty>, Status> {
        let asked = Asked { ledger_size, held, models };
        Ok(self.calls.duties(v1::DutiesRequest::from(asked)).await?.into_inner())
    }

    pub(super) async fn say(
        &mut self,
        at: &PlaceRef,
        kind: Kind,
        signed: &Signed,
        bundle: &[u8],
    ) -> Result<Receipt, Status> {
        let kind =
            v1::Kind::of(kind).ok_or_else(|| Status::internal("an upload header is not said alone"))?;
        let statement = v1::Statement {
            round: Some(at.into()),
            kind: kind.into(),
            signed: signed.to_bytes().into(),
            bundle: bundle.to_vec().into(),
        };
        let calls = &self.calls;
        in_time(|| async { calls.clone().say(statement.clone()).await }).await.and_then(receipt)
    }

    /// Submits the update whose bytes come in `parts`, without its first `offset` ones.
    pub(super) async fn submit(
        &mut self,
        round: &RoundRef,
        header: &Signed,
        offset: u64,
        parts: mpsc::Receiver<Vec<u8>>,
    ) -> Result<Receipt, Status> {
        let header = v1::SubmitHeader { offset, ..submit_header(round, header) };
        let header = tokio_stream::once(Part::Header(header));
        let chunks = ReceiverStream::new(parts).map(|part| Part::Chunk(part.into()));
        let parts = header.chain(chunks).map(|part| v1::SubmitPart { part: Some(part) });
        self.calls.submit(parts).await.and_then(receipt)
    }

    /// How much the coordinator says that it has of the update with this header.
    pub(super) async fn uploaded(&mut self, round: &RoundRef, header: &Signed) -> Result<Uploaded, Status> {
        let calls = &self.calls;
        match in_time(|| async { calls.clone().uploaded(submit_header(round, header)).await }).await {
            Ok(reply) => Ok(Uploaded::of(&reply.into_inner())),
            // A coordinator of an older version: an upload that is cut begins anew.
            Err(status) if status.code() == Code::Unimplemented => Ok(Uploaded::Nothing),
            Err(status) => Err(status),
        }
    }

    /// This participant's word for the ledger's checkpoint of this size.
    pub(super) async fn cosign(&mut self, size: u64, line: String) -> Result<(), Status> {
        self.calls.cosign(v1::Cosignature { size, line }).await.map(drop)
    }

    /// What a closed round came to.
    pub(super) async fn closing(&mut self, round: &RoundRef) -> Result<Closing, Status> {
        let calls = &self.calls;
        let reply =
            in_time(|| async { calls.clone().closing(v1::RoundRef::from(round)).await }).await?.into_inner();
        let read = |bytes: &[u8]| digest(bytes).map_err(|error| Status::data_loss(error.to_string()));
        Ok(Closing { transcript: read(&reply.transcript)?, aggregate_root: read(&reply.aggregate_root)? })
    }

    /// One chunk of everything that was added up in a closed round, of `count` ciphertexts at most.
    pub(super) async fn chunk(
        &mut self,
        round: &RoundRef,
        index: u32,
        count: usize,
    ) -> Result<Vec<ChunkProof>, Status> {
        let request = v1::ChunkRequest { round: Some(round.into()), index };
        let calls = &self.calls;
        let mut parts = in_time(|| async { calls.clone().chunk(request.clone()).await }).await?.into_inner();
        let mut proofs = Vec::with_capacity(count);
        while proofs.len() < count
            && let Some(v1::ChunkPart { chunk, path }) = parts.message().await?
        {
            let path = path.iter().map(|bytes| digest(bytes)).collect::<Result<_, _>>();
            let path = path.map_err(|error| Status::data_loss(error.to_string()))?;
            proofs.push(ChunkProof { chunk: chunk.into(), path });
        }
        Ok(proofs)
    }

    /// What the ledger of so many entries has of released models.
    pub(super) async fn models(&mut self, ledger_size: u64) -> Result<Vec<RecordedModel>, Status> {
        let calls = &self.calls;
        let request = v1::ModelsRequest { ledger_size };
        let mut shown = in_time(|| async { calls.clone().models(request).await }).await?.into_inner();
        let (mut models, mut bytes) = (Vec::new(), 0);
        while models.len() < MOST_MODELS
            && let Some(model) = shown.message().await?
        {
            let model = RecordedModel::try_from(model);
            let model = model.map_err(|error| Status::data_loss(error.to_string()))?;
            bytes += length(&model);
            if bytes > MOST_SHOWN {
                return Err(Status::resource_exhausted("the records of models are longer than any can be"));
            }
            models.push(model);
        }
        Ok(models)
    }

    /// A blob, checked against its digest.
    pub(super) async fn fetch(&mut self, digest: Digest) -> Result<Vec<u8>, Undone> {
        let request = v1::FetchRequest { digest: digest.as_bytes().to_vec().into() };
        let calls = &self.calls;
        let mut parts = in_time(|| async { calls.clone().fetch(request.clone()).await }).await?.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await? {
            bytes.extend_from_slice(&part.bytes);
            if bytes.len() > LARGEST_BLOB {
                return Err(Declined::OtherBytes.into());
            }
        }
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(Declined::OtherBytes.into()) }
    }
}

/// Makes a call, and makes it again when the coordinator says that it came too often, for as long as is reasonable.
async fn in_time<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    for _ in 0..MOST_WAITS {
        match call().await {
            Err(status) if let Some(wait) = retry_after(&status) => {
                tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
            }
            other => return other,
        }
    }
    call().await
}

fn receipt(answer: Response<v1::Receipt>) -> Result<Receipt, Status> {
    let v1::Receipt { at_ms, signature, .. } = answer.into_inner();
    let signature = signature.as_ref().try_into();
    let signature = signature.map_err(|_| Status::data_loss("the coordinator sent no receipt"))?;
    Ok(Receipt { at: Timestamp(at_ms), signature })
}

fn submit_header(round: &RoundRef, signed: &Signed) -> v1::SubmitHeader {
    v1::SubmitHeader { round: Some(round.into()), signed: signed.to_bytes().into(), offset: 0 }
}

/// How much a coordinator says that it has of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    Nothing,
    /// So many of its first bytes, with that digest.
    Part(u64, Digest),
    /// It is on record.
    All,
}

impl Uploaded {
    /// A reply that makes no sense says nothing of the update.
    fn of(reply: &v1::UploadedReply) -> Self {
        match digest(&reply.digest) {
            _ if reply.accepted => Self::All,
            Ok(digest) if reply.bytes > 0 => Self::Part(reply.bytes, digest),
            _ => Self::Nothing,
        }
    }
}

/// What a closed round came to.
pub(super) struct Closing {
    pub(super) transcript: Digest,
    pub(super) aggregate_root: Digest,
}

/// How often, and how long at a time, one waits for a coordinator to whom one speaks too often.
const MOST_WAITS: u32 = 30;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A coordinator that does not answer for twice this long is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// Questions, job files and models are far below this.
const LARGEST_BLOB: usize = 16 << 20;
/// Models of one federation that are looked at.
const MOST_MODELS: usize = 1024;
/// Bytes of all of them. One is four entries, of which one has a job file, and their proofs.
const MOST_SHOWN: usize = 64 << 20;

fn length(model: &RecordedModel) -> usize {
    let RecordedModel { agreed, completed, approved, staged } = model;
    let entries = [agreed, completed, approved, staged].into_iter();
    entries.map(|entry| entry.entry.len() + size_of::<Hash>() * entry.inclusion.len()).sum()
}
