//! `syndic-coordinator model`: the registry of models of a coordinator that runs on this host, through its control socket.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use syndic_coordinator::control::ControlError;
use syndic_coordinator::daemon::{APPROVAL, DaemonError};
use syndic_coordinator::registry::ApprovalFile;
use syndic_proto::control::ModelStatus;

use crate::jobs::{Common, print};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put on record that a model has another stage, by an approval that `syndic model promote` or `withdraw` wrote. The same file
    /// again is fine.
    #[command(
        after_help = "Example:\n  syndic-coordinator model stage churn.approval.json --config coordinator.toml"
    )]
    Stage {
        /// The approval.
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Show all models that jobs have released.
    #[command(after_help = "Example:\n  syndic-coordinator model list --config coordinator.toml --json")]
    List {
        #[command(flatten)]
        common: Common,
    },
}

pub(crate) async fn perform(command: Command) -> Result<(), DaemonError> {
    match command {
        Command::Stage { file, common } => stage(&file, &common).await,
        Command::List { common } => {
            let models = common.connected().await?.list_models().await?;
            match common.json {
                true => print(&json!({ "models": models }).to_string()),
                false if models.is_empty() => {
                    print("no job has released a model yet: it is a candidate as soon as its job is complete")
                }
                false => models.iter().try_for_each(|model| print(&line(model))),
            }
        }
    }
}

async fn stage(path: &Path, common: &Common) -> Result<(), DaemonError> {
    let text = DaemonError::reading(APPROVAL, path)?;
    let Some(file) = ApprovalFile::parse(&text) else {
        let message = format!("{} is no approval of a model's stage", path.display());
        let code = "model.approval-malformed".into();
        return Err(ControlError::Refused { code, message, is_of_the_world: false }.into());
    };
    let (model, fresh) = common.connected().await?.stage_model(&file).await?;
    if common.json {
        return print(&json!({ "model": model, "fresh": fresh }).to_string());
    }
    if !fresh {
        print("this very approval was handed in before; nothing has changed")?;
    }
    print(&line(&model))
}

/// One model in one line.
fn line(model: &ModelStatus) -> String {
    let ModelStatus { name, job, stage, model, entry, .. } = model;
    let entry = entry.map_or_else(String::new, |entry| format!("  by entry {entry}"));
    format!("{name:<24} {stage:<10} job {job}  sha256 {model}{entry}", stage = stage.name())
}

pub(crate) const EXAMPLES: &str = "A stage changes by the word of an approver whom the roster names, and is an entry of the ledger.\n\nExample:\n  \
                                   syndic-coordinator model list --config coordinator.toml";
