//! The external trainer of a run: one process on this host that does the local half for every institution in turn. It is asked
//! as an institution's agent asks its own, over a socket that nobody else may use.

use std::path::PathBuf;

use syndic_learning::Job;
use syndic_participant::trainer::{Trainer, TrainerConfig, TrainerError};

use super::SandboxOptions;
use crate::{Error, Exit, Result};

/// The socket that `--trainer` names: a path, with `unix:` before it or without.
///
/// # Errors
/// What is wrong with it, in words.
pub fn socket(text: &str) -> std::result::Result<PathBuf, String> {
    match text.strip_prefix("unix:").unwrap_or(text) {
        "" => Err("name the Unix socket that the trainer listens on: unix:trainer/socket".into()),
        path => Ok(path.into()),
    }
}

/// The trainer that the job needs, which was found to be there; none where institutions train by themselves.
///
/// # Errors
/// Where the job needs one and none is named, or the other way round; whatever is wrong with the one that is named.
pub(super) async fn found(options: &SandboxOptions, job: &Job) -> Result<Option<Trainer>> {
    let Some(config) = needed(options, job)? else { return Ok(None) };
    let trainer = Trainer::new(config);
    trainer.present(job).await.map_err(failed)?;
    Ok(Some(trainer))
}

/// The trainer that the job needs and the options name; none where institutions train by themselves.
///
/// # Errors
/// Where the job needs one and none is named, or the other way round.
fn needed(options: &SandboxOptions, job: &Job) -> Result<Option<TrainerConfig>> {
    match (job.external(), &options.trainer) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(not_needed(&options.job.name)),
        (Some(terms), None) => Err(Error::input(
            "sandbox.external-trainer",
            format!("the job is trained by `{}`, and nothing says where that listens", terms.trainer),
        )
        .place(options.job.name.clone())
        .help("start the trainer and name its socket, `--trainer unix:trainer/socket`: docs/programs/external.md")),
        // The job's own `collect_seconds` hold, and no other limit beside them.
        (Some(terms), Some(socket)) => Ok(Some(TrainerConfig {
            socket: socket.clone(),
            name: terms.trainer.clone(),
            timeout_seconds: u32::MAX,
            uid: None,
        })),
    }
}

/// Keeps the trainer that several runs were given to those that need one.
///
/// # Errors
/// Where none does, or one does and was given none, or two need different ones: one socket has one trainer.
pub(super) fn keep_where_needed(jobs: &mut [SandboxOptions], read: &[Job]) -> Result<()> {
    let mut named = read.iter().filter_map(Job::external).map(|terms| &terms.trainer);
    if let Some(first) = named.next() {
        if let Some(other) = named.find(|other| *other != first) {
            return Err(Error::input(
                "options.trainer",
                format!("the jobs are trained by `{first}` and by `{other}`, and one socket has one trainer"),
            )
            .place("--trainer")
            .help("run each by itself, with the socket of its trainer"));
        }
        let without = jobs.iter_mut().zip(read).filter(|(_, job)| job.external().is_none());
        without.for_each(|(options, _)| options.trainer = None);
    }
    jobs.iter().zip(read).try_for_each(|(options, job)| needed(options, job).map(drop))
}

/// What a trainer's failure is to whoever runs the sandbox.
pub(super) fn failed(error: TrainerError) -> Error {
    let (exit, help) = match &error {
        TrainerError::Unreachable { .. } => (
            Exit::World,
            "start the trainer, and name the socket that it listens on: `--trainer unix:trainer/socket`",
        ),
        TrainerError::Unsafe { .. } => (
            Exit::Input,
            "run the trainer as the user that you are, with its socket in a folder that nobody else may enter (mode 0700)",
        ),
        TrainerError::Other { .. } => {
            (Exit::Input, "start the trainer that the job names, or name its socket")
        }
        TrainerError::TimedOut { .. } => {
            (Exit::World, "raise `collect_seconds` under [rounds.deadlines] of the job, or let it train less")
        }
        TrainerError::NotMeant { .. } => (Exit::Input, "name the trainer's socket with --trainer"),
        TrainerError::Unable(_) => (Exit::Input, "start a trainer that does what the job needs"),
        TrainerError::Refused { .. } | TrainerError::Died(_) => {
            (Exit::World, "see what the trainer itself has printed")
        }
        TrainerError::TooLarge | TrainerError::BadUpdate(_) | TrainerError::BadScores(_) => {
            (Exit::World, error.help())
        }
    };
    Error::new(exit, error.code(), error.to_string()).place("--trainer").help(help)
}

/// The same error of a federation that asked a trainer: where it failed, no words of it have come this far.
pub(super) fn asked(error: Error) -> Error {
    if error.exit() != Exit::Abandoned as u8 {
        return error;
    }
    error.help(
        "the ledger in the folder of the run says what happened in each round. Where the trainer failed, see what it has printed \
         itself, or run again with SYNDIC_LOG=warn",
    )
}

fn not_needed(job: &str) -> Error {
    Error::input(
        "options.trainer",
        "institutions train this job by themselves, and the option names a trainer",
    )
    .place(job)
    .help("leave out --trainer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_a_path_with_or_without_the_word_before_it() {
        for (text, path) in [("unix:a/b", "a/b"), ("unix:///run/x", "///run/x"), ("a/unix:b", "a/unix:b")] {
            assert_eq!(socket(text), Ok(PathBuf::from(path)));
        }
        assert!(socket("unix:").is_err() && socket("").is_err());
    }
}
