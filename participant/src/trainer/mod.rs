//! The external trainer of this institution: a program on this host that does the local half of the program `external`.
//!
//! It is asked over a Unix socket that nobody but its own user and the agent may use (`proto/syndic/trainer/v1`). It is given
//! rows, numbers and settings, and everything that it says is checked here before anything is made of it: shapes, finite
//! numbers, probabilities, sizes, and the time that it takes. What it says in words goes to this institution's log alone.

mod error;
mod handing;
mod received;
mod socket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use syndic_learning::program::external::{ExternalQuestion, ExternalState};
use syndic_learning::{ExternalTerms, Job, Role, RowScores, Table};
use syndic_proto::trainer::v1::trainer_client::TrainerClient;
use syndic_proto::trainer::v1::{DescribeRequest, Description};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tonic::transport::Channel;

pub use error::TrainerError;
pub use received::Trained;

/// `[trainer]` of `participant.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerConfig {
    /// The Unix socket that it listens on.
    pub socket: PathBuf,
    /// Its name and version, as jobs name it.
    pub name: String,
    /// How long one answer may take. The job's own limit for an update holds beside it.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u32,
    /// The user that it runs as, where that is another than the agent's.
    pub uid: Option<u32>,
}

/// The trainer that the configuration names.
#[derive(Clone, Debug)]
pub struct Trainer {
    config: Arc<TrainerConfig>,
    /// Held by the call that is under way: it is asked one thing at a time.
    turn: Arc<Mutex<()>>,
}

/// What a call needs the trainer to be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ability {
    Train,
    Score,
    TakeMissing,
}

impl Trainer {
    /// The trainer that `config` names. Nobody is called yet.
    pub fn new(config: TrainerConfig) -> Self {
        Self { config: Arc::new(config), turn: Arc::default() }
    }

    /// Whether it is the one that a job asks for.
    pub fn is_meant(&self, terms: &ExternalTerms) -> bool {
        self.config.name == terms.trainer
    }

    /// Finds out whether it is there, is the one that a job asks for, and can do what that takes. Nothing is handed over.
    ///
    /// # Errors
    /// [`TrainerError`].
    pub async fn present(&self, job: &Job) -> Result<(), TrainerError> {
        self.terms(job)?;
        let limit = self.limit(job);
        let _turn = self.turn.lock().await;
        let asked = async {
            let (_, said) = self.described().await?;
            Ability::Train.of(&said)?;
            Ability::Score.of(&said)?;
            missing_taken(job, &said)
        };
        timeout(limit, asked).await.unwrap_or(Err(TrainerError::TimedOut { limit }))
    }

    /// Has it train on the training rows of `table`, which keeps the job's contract. `seed` is for whatever it draws at random.
    ///
    /// # Errors
    /// [`TrainerError`]. Nothing is changed then, and it can be asked again.
    pub async fn train(
        &self,
        job: &Job,
        table: &Arc<Table>,
        question: &ExternalQuestion,
        seed: u64,
    ) -> Result<Trained, TrainerError> {
        let (terms, limit) = (self.terms(job)?, self.limit(job));
        let _turn = self.turn.lock().await;
        let asked = async {
            let mut calls = self.connected(job, Ability::Train).await?;
            let parts = handing::training(job, terms, table, question, (seed, limit));
            let answer = calls.train(tokio_stream::iter(parts)).await.map_err(TrainerError::of_call)?;
            received::update(answer.into_inner(), terms).await
        };
        timeout(limit, asked).await.unwrap_or(Err(TrainerError::TimedOut { limit }))
    }

    /// Has it score the rows of `table` with these roles.
    ///
    /// # Errors
    /// As [`Self::train`].
    pub async fn score(
        &self,
        job: &Job,
        table: &Arc<Table>,
        state: &ExternalState,
        roles: &[Role],
    ) -> Result<RowScores, TrainerError> {
        let (terms, limit) = (self.terms(job)?, self.limit(job));
        let _turn = self.turn.lock().await;
        let rows: Vec<usize> = roles.iter().flat_map(|&role| table.rows_for(role)).collect();
        let asked = async {
            let mut calls = self.connected(job, Ability::Score).await?;
            let parts = handing::scoring(job, terms, table, state, (rows.clone(), limit));
            let answer = calls.score(tokio_stream::iter(parts)).await.map_err(TrainerError::of_call)?;
            received::scores(answer.into_inner(), table.rows(), &rows).await
        };
        timeout(limit, asked).await.unwrap_or(Err(TrainerError::TimedOut { limit }))
    }

    /// A connection to the trainer, which says that it is the one and can do what is asked with the job's rows.
    async fn connected(&self, job: &Job, ability: Ability) -> Result<TrainerClient<Channel>, TrainerError> {
        let (calls, said) = self.described().await?;
        ability.of(&said)?;
        missing_taken(job, &said)?;
        Ok(calls)
    }

    /// A connection to the trainer, which says that it is the one, and what else it says.
    async fn described(&self) -> Result<(TrainerClient<Channel>, Description), TrainerError> {
        let mut calls = TrainerClient::new(socket::connect(&self.config).await?);
        let said = calls.describe(DescribeRequest {}).await.map_err(TrainerError::of_call)?.into_inner();
        let found = format!("{}/{}", said.name, said.version);
        if found != self.config.name {
            return Err(TrainerError::Other { expected: self.config.name.clone(), found });
        }
        Ok((calls, said))
    }

    fn terms<'a>(&self, job: &'a Job) -> Result<&'a ExternalTerms, TrainerError> {
        let meant = job.external().filter(|terms| self.is_meant(terms));
        meant.ok_or_else(|| TrainerError::NotMeant { offered: self.config.name.clone() })
    }

    /// An answer that comes when updates are collected no more is of no use.
    fn limit(&self, job: &Job) -> Duration {
        let seconds = self.config.timeout_seconds.min(job.rounds.deadlines.collect_seconds);
        Duration::from_secs(seconds.into())
    }
}

impl Ability {
    /// Whether a trainer that says this of itself has it.
    fn of(self, said: &Description) -> Result<(), TrainerError> {
        match self {
            Self::Train if !said.trains => Err(TrainerError::Unable("train")),
            Self::Score if !said.scores => Err(TrainerError::Unable("score")),
            Self::TakeMissing if !said.takes_missing => Err(TrainerError::Unable("take missing values")),
            Self::Train | Self::Score | Self::TakeMissing => Ok(()),
        }
    }
}

/// Whether a trainer that says this of itself takes the columns of the job: one that was written before there were missing values
/// says nothing of them.
fn missing_taken(job: &Job, said: &Description) -> Result<(), TrainerError> {
    match job.contract.nullable().next() {
        Some(_) => Ability::TakeMissing.of(said),
        None => Ok(()),
    }
}

fn default_timeout() -> u32 {
    600
}
