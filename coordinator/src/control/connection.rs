//! Asking a running coordinator.

use std::path::Path;

use syndic_proto::control::{JobStatus, ModelStatus};
use syndic_proto::v1;
use syndic_proto::v1::control_client::ControlClient;
use syndic_round::{JobId, Rejection};
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use super::{ControlError, socket};
use crate::fact::Priority;
use crate::registry::ApprovalFile;

/// A connection to a running coordinator's socket.
pub struct Connection {
    calls: ControlClient<Channel>,
}

impl Connection {
    /// Connects to the coordinator whose state is in `folder`.
    ///
    /// # Errors
    /// [`ControlError::Unreachable`].
    pub async fn connect(folder: &Path) -> Result<Self, ControlError> {
        let path = socket(folder).display().to_string();
        let endpoint = Endpoint::from_shared(format!("unix://{path}"));
        let unreachable = |_| ControlError::Unreachable(path.clone());
        let channel = endpoint.map_err(unreachable)?.connect().await.map_err(unreachable)?;
        Ok(Self { calls: ControlClient::new(channel) })
    }

    /// Hands in a job. Answers whether it is new.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn submit(
        &mut self,
        file: String,
        priority: Priority,
    ) -> Result<(JobStatus, bool), ControlError> {
        let request = v1::SubmitJobRequest { file, priority: priority.get() };
        let reply = self.calls.submit_job(request).await.map_err(|status| ControlError::of(&status))?;
        let v1::SubmitJobReply { job, fresh } = reply.into_inner();
        Ok((read(job.unwrap_or_default())?, fresh))
    }

    /// All jobs, in the order of agreement.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn list(&mut self) -> Result<Vec<JobStatus>, ControlError> {
        let reply = self.calls.list_jobs(v1::ListJobsRequest {}).await;
        let jobs = reply.map_err(|status| ControlError::of(&status))?.into_inner().jobs;
        jobs.into_iter().map(read).collect()
    }

    /// One job.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn show(&mut self, job: &JobId) -> Result<JobStatus, ControlError> {
        answer(self.calls.show_job(v1::ShowJobRequest { job: job.to_string() }).await)
    }

    /// Opens no further round of a job.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn pause(&mut self, job: &JobId, reason: &str) -> Result<JobStatus, ControlError> {
        answer(self.calls.pause_job(act(job, reason)).await)
    }

    /// Lets a paused job go on.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn resume(&mut self, job: &JobId, reason: &str) -> Result<JobStatus, ControlError> {
        answer(self.calls.resume_job(act(job, reason)).await)
    }

    /// Ends a job for good.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn stop(&mut self, job: &JobId, reason: &str) -> Result<JobStatus, ControlError> {
        answer(self.calls.stop_job(act(job, reason)).await)
    }

    /// Erases what the rounds of a job that is over were made of.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn erase(&mut self, job: &JobId, reason: &str) -> Result<JobStatus, ControlError> {
        answer(self.calls.erase_job(act(job, reason)).await)
    }

    /// Puts on record that a model has another stage. Answers whether that is new.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn stage_model(&mut self, file: &ApprovalFile) -> Result<(ModelStatus, bool), ControlError> {
        let approval = serde_json::to_string(&file.approval).unwrap_or_default();
        let card = file.card.clone().unwrap_or_default().into_bytes().into();
        let reply = self.calls.stage_model(v1::StageModelRequest { approval, card }).await;
        let v1::StageModelReply { model, fresh } =
            reply.map_err(|status| ControlError::of(&status))?.into_inner();
        Ok((read_model(model.unwrap_or_default())?, fresh))
    }

    /// All models that jobs have released.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn list_models(&mut self) -> Result<Vec<ModelStatus>, ControlError> {
        let reply = self.calls.list_models(v1::ListModelsRequest {}).await;
        let models = reply.map_err(|status| ControlError::of(&status))?.into_inner().models;
        models.into_iter().map(read_model).collect()
    }

    /// Makes a job more urgent, or less.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn prioritise(
        &mut self,
        job: &JobId,
        priority: Priority,
        reason: &str,
    ) -> Result<JobStatus, ControlError> {
        let (job, reason) = (job.to_string(), reason.into());
        let request = v1::PrioritiseJobRequest { job, priority: priority.get(), reason };
        answer(self.calls.prioritise_job(request).await)
    }
}

fn act(job: &JobId, reason: &str) -> v1::JobAct {
    v1::JobAct { job: job.to_string(), reason: reason.into() }
}

fn answer(answer: Result<Response<v1::JobStatus>, Status>) -> Result<JobStatus, ControlError> {
    read(answer.map_err(|status| ControlError::of(&status))?.into_inner())
}

fn read(status: v1::JobStatus) -> Result<JobStatus, ControlError> {
    JobStatus::try_from(status).map_err(malformed)
}

fn read_model(status: v1::ModelStatus) -> Result<ModelStatus, ControlError> {
    ModelStatus::try_from(status).map_err(malformed)
}

fn malformed(error: Rejection) -> ControlError {
    ControlError::Refused {
        code: error.code().into(),
        message: format!("the coordinator's answer makes no sense: {error}"),
        is_of_the_world: true,
    }
}
