//! Control of a running coordinator by whoever runs it: a Unix socket in the state folder, for its user alone.
//!
//! Whoever may open the socket may run jobs: the file's permissions are the authentication, and the user's number, which
//! the system vouches for, goes on record with each act.

mod connection;
mod error;

use std::fs::Permissions;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use syndic_proto::control::ModelStatus;
use syndic_proto::status::with_code;
use syndic_proto::v1;
use syndic_proto::v1::control_server::{Control, ControlServer};
use syndic_round::{JobId, StageApproval};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::UdsConnectInfo;
use tonic::{Code, Request, Response, Status};
use tracing::error;

pub use connection::Connection;
pub use error::ControlError;

use crate::driver::{Coordinator, CoordinatorError, Listed};
use crate::fact::{Cause, Priority};
use crate::registry::RegistryError;

/// The socket of a coordinator whose state is in `folder`.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("control.sock")
}

/// The socket, open for this user alone; removed when dropped.
pub struct Listening {
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl Listening {
    /// Opens the socket of the coordinator whose state is in `folder`, which nobody else may enter.
    ///
    /// # Errors
    /// [`ControlError::Occupied`] where another coordinator listens there; [`ControlError::Socket`].
    pub async fn open(folder: &Path) -> Result<Self, ControlError> {
        let path = socket(folder);
        let failed = |source| ControlError::Socket { path: path.display().to_string(), source };
        if UnixStream::connect(&path).await.is_ok() {
            return Err(ControlError::Occupied(path.display().to_string()));
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            // What a coordinator left that was killed, or nothing.
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener: Some(listener), path })
    }

    /// Serves `coordinator` until `stop` resolves.
    ///
    /// # Errors
    /// [`ControlError::Transport`].
    pub async fn serve(
        mut self,
        coordinator: Coordinator,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ControlError> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        let service = ControlServer::new(Service { coordinator });
        let server = Server::builder().add_service(service);
        Ok(server.serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop).await?)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // One that stays is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Service {
    coordinator: Coordinator,
}

#[tonic::async_trait]
impl Control for Service {
    async fn submit_job(
        &self,
        request: Request<v1::SubmitJobRequest>,
    ) -> Result<Response<v1::SubmitJobReply>, Status> {
        let by = caller(&request);
        let v1::SubmitJobRequest { file, priority } = request.into_inner();
        let submitted = self.coordinator.submit(&file, self::priority(priority)?, &by).await;
        let (job, fresh) = submitted.map_err(refused)?;
        let status = self.coordinator.status(&job).await.map_err(refused)?;
        Ok(Response::new(v1::SubmitJobReply { job: Some(status.into()), fresh }))
    }

    async fn list_jobs(
        &self,
        _request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsReply>, Status> {
        let jobs = self.coordinator.list().await.into_iter().map(v1::JobStatus::from).collect();
        Ok(Response::new(v1::ListJobsReply { jobs }))
    }

    async fn show_job(
        &self,
        request: Request<v1::ShowJobRequest>,
    ) -> Result<Response<v1::JobStatus>, Status> {
        self.status(&job(&request.into_inner().job)?).await
    }

    async fn pause_job(&self, request: Request<v1::JobAct>) -> Result<Response<v1::JobStatus>, Status> {
        let (job, cause) = act(request)?;
        self.coordinator.pause(&job, cause).await.map_err(refused)?;
        self.status(&job).await
    }

    async fn resume_job(&self, request: Request<v1::JobAct>) -> Result<Response<v1::JobStatus>, Status> {
        let (job, cause) = act(request)?;
        self.coordinator.resume(&job, cause).await.map_err(refused)?;
        self.status(&job).await
    }

    async fn stop_job(&self, request: Request<v1::JobAct>) -> Result<Response<v1::JobStatus>, Status> {
        let (job, cause) = act(request)?;
        self.coordinator.stop(&job, cause).await.map_err(refused)?;
        self.status(&job).await
    }

    async fn erase_job(&self, request: Request<v1::JobAct>) -> Result<Response<v1::JobStatus>, Status> {
        let (job, cause) = act(request)?;
        self.coordinator.erase(&job, cause).await.map_err(refused)?;
        self.status(&job).await
    }

    async fn prioritise_job(
        &self,
        request: Request<v1::PrioritiseJobRequest>,
    ) -> Result<Response<v1::JobStatus>, Status> {
        let by = caller(&request);
        let v1::PrioritiseJobRequest { job: id, priority, reason } = request.into_inner();
        let (job, priority, cause) = (job(&id)?, self::priority(priority)?, cause(by, reason)?);
        self.coordinator.prioritise(&job, priority, cause).await.map_err(refused)?;
        self.status(&job).await
    }

    async fn stage_model(
        &self,
        request: Request<v1::StageModelRequest>,
    ) -> Result<Response<v1::StageModelReply>, Status> {
        let by = caller(&request);
        let v1::StageModelRequest { approval, card } = request.into_inner();
        let approval: StageApproval = serde_json::from_str(&approval).map_err(|_| {
            with_code(
                Code::InvalidArgument,
                "model.approval-malformed",
                "that is no approval of a model's stage",
            )
        })?;
        let card = Some(&*card).filter(|card| !card.is_empty());
        let job = approval.change.job.clone();
        let fresh = self.coordinator.stage(approval, card, &by).await.map_err(refused)?;
        let models = self.coordinator.models().await.map_err(refused)?;
        let model = models.into_iter().find(|listed| listed.job == job).map(|listed| status(listed).into());
        Ok(Response::new(v1::StageModelReply { model, fresh }))
    }

    async fn list_models(
        &self,
        _request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsReply>, Status> {
        let models = self.coordinator.models().await.map_err(refused)?;
        let models = models.into_iter().map(|listed| status(listed).into()).collect();
        Ok(Response::new(v1::ListModelsReply { models }))
    }
}

impl Service {
    async fn status(&self, job: &JobId) -> Result<Response<v1::JobStatus>, Status> {
        let status = self.coordinator.status(job).await.map_err(refused)?;
        Ok(Response::new(status.into()))
    }
}

fn status(Listed { job, model, entry }: Listed) -> ModelStatus {
    let card = model.card.map(|card| card.to_string());
    ModelStatus { name: model.name, job, stage: model.stage, model: model.model.to_string(), card, entry }
}

fn act(request: Request<v1::JobAct>) -> Result<(JobId, Cause), Status> {
    let by = caller(&request);
    let v1::JobAct { job: id, reason } = request.into_inner();
    Ok((job(&id)?, cause(by, reason)?))
}

/// Who calls, as the system says: the number of its user.
fn caller<T>(request: &Request<T>) -> String {
    let peer = request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
    peer.map_or_else(|| "local-user".into(), |peer| format!("local-user/{}", peer.uid()))
}

fn job(id: &str) -> Result<JobId, Status> {
    JobId::new(id).ok_or_else(|| with_code(Code::InvalidArgument, "job.id", "that is no job id"))
}

fn priority(number: u32) -> Result<Priority, Status> {
    let wrong = || with_code(Code::InvalidArgument, "job.priority", "a priority is from 0 to 100");
    Priority::new(number).ok_or_else(wrong)
}

/// Reasons are read in ledgers and on terminals: one plain line.
fn cause(by: String, reason: String) -> Result<Cause, Status> {
    let reason = reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let message = format!("a reason is one line of 1 to {LONGEST_REASON} characters");
        return Err(with_code(Code::InvalidArgument, "job.reason", message));
    }
    Ok(Cause { by, reason })
}

fn refused(error: CoordinatorError) -> Status {
    let kind = match &error {
        CoordinatorError::NoSuchJob(_) => Code::NotFound,
        CoordinatorError::JobOver(_) | CoordinatorError::JobNotOver(_) | CoordinatorError::OtherJob(_) => {
            Code::FailedPrecondition
        }
        CoordinatorError::Registry(RegistryError::NoModel(_)) => Code::NotFound,
        CoordinatorError::Registry(_) | CoordinatorError::Release(_) => Code::FailedPrecondition,
        CoordinatorError::Job(_) => Code::InvalidArgument,
        other => {
            error!(code = other.code(), error = %other, "cannot do what whoever runs jobs asks for");
            Code::Unavailable
        }
    };
    with_code(kind, error.code(), error.to_string())
}

/// Characters of a reason.
const LONGEST_REASON: usize = 500;
