//! One institution of the sandbox: an agent with its own folder, keys, journal and rows.

use std::path::PathBuf;
use std::sync::Arc;

use syndic_learning::Table;
use syndic_participant::agent::{Agent, AgentError, Encryption, Ended, Parts};
use syndic_participant::data::Source;
use syndic_participant::enrol::Enrolment;
use syndic_participant::journal::Journal;
use syndic_participant::policy::Policy;
use syndic_participant::trainer::Trainer;
use syndic_proto::convert::Owed;

use super::Outfit;
use crate::Exit;

/// Everything that outlives an agent.
#[derive(Clone)]
pub(super) struct Institution {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) policy: Policy,
    pub(super) table: Arc<Table>,
    pub(super) seed: u64,
    pub(super) trainer: Option<Trainer>,
    pub(super) outfit: Outfit,
}

/// One run of an agent, from start to end.
pub(super) struct Life {
    pub(super) institution: Institution,
    pub(super) end: Result<Ended, Failure>,
    pub(super) encryption: Encryption,
    /// Values of its answers that were clipped.
    pub(super) clipped: u64,
}

/// Why an agent could not go on.
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) help: String,
}

impl Institution {
    /// Starts an agent from what lies on disk and lets it take part until the job is over, or, if it is to
    /// die, until it is about to submit its update in that encrypted round.
    pub(super) async fn live(self, dies_in: Option<u32>) -> Life {
        match self.agent().await {
            Err(failure) => {
                Life { institution: self, end: Err(failure), encryption: Encryption::default(), clipped: 0 }
            }
            Ok(agent) => {
                let ended = agent
                    .run_until(|round, owed| {
                        matches!(owed, Owed::Submit(_)) && Some(round.id.round) == dies_in
                    })
                    .await;
                let (encryption, clipped) = (agent.encryption(), agent.clipped());
                Life { institution: self, end: ended.or_else(forgiving), encryption, clipped }
            }
        }
    }

    async fn agent(&self) -> Result<Agent, Failure> {
        let enrolment = Enrolment::load(&self.folder)
            .map_err(|error| Failure::world(error.code(), &error, error.help()))?;
        let journal = Journal::open(&self.folder.join("journal.sqlite"))
            .await
            .map_err(|error| Failure::world(error.code(), &error, error.help().unwrap_or_default()))?;
        let source = Source::Loaded(self.table.clone());
        let policy = self.policy.clone();
        let agent = Agent::new(Parts { enrolment, policy, source, journal, training_seed: Some(self.seed) })?;
        Ok((self.outfit)(&self.name, agent.beside(self.trainer.clone())))
    }
}

/// A job that was abandoned is the coordinator's to report, with its reason.
fn forgiving(error: AgentError) -> Result<Ended, Failure> {
    match error {
        AgentError::JobAbandoned(_) => Ok(Ended::JobOver),
        other => Err(other.into()),
    }
}

impl Failure {
    fn world(code: &str, error: &dyn std::fmt::Display, help: &str) -> Self {
        Self { exit: Exit::World, code: code.into(), message: error.to_string(), help: help.into() }
    }
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::world(error.code(), &error, error.help())
    }
}
