//! A sandbox that SIGINT and SIGTERM end at any moment, with nothing left behind.
//!
//! The run has a thread of its own, since reading a table and training in the open do not yield; the calling
//! thread waits for signals. The tasks of the federation are stopped before the folder that they write to goes.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::claim::{Claim, Revoked, interrupted};
use super::{SandboxOptions, execute_in, run};
use crate::view::Observer;
use crate::{Error, Result};

/// Runs a sandbox to its end, or until the process is told to stop.
///
/// # Errors
/// As [`super::execute`]; `run.interrupted` after a signal.
pub fn execute(options: SandboxOptions, observer: Observer) -> Result<()> {
    let waiting = Builder::new_current_thread().enable_all().build().map_err(|cause| unstarted(&cause))?;
    let federation = Runtime::new().map_err(|cause| unstarted(&cause))?;
    let claim = Claim::default();
    let mut taken = None;
    let ended = waiting.block_on(async {
        // Listened to before anything is made: there is no moment in which a signal just kills.
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|cause| unstarted(&cause))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(|cause| unstarted(&cause))?;
        let mut started = start(options, observer, claim.clone(), federation.handle().clone())?;
        tokio::select! {
            ended = &mut started.ended => return started.result(ended),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        match claim.revoke() {
            // Only the closing words are missing, perhaps for a reader that reads no more.
            Revoked::Finished => match tokio::time::timeout(GRACE, &mut started.ended).await {
                Ok(ended) => started.result(ended),
                Err(_) => Ok(()),
            },
            Revoked::Unfinished(folder) => {
                taken = folder;
                drop(started.cancel);
                // A run that waits for its table does not hear of this; it has no tasks that could write.
                let _ = tokio::time::timeout(GRACE, started.ended).await;
                Err(interrupted())
            }
        }
    });
    // The tasks of the federation go first, so that none of them writes to a folder that is being removed.
    federation.shutdown_timeout(GRACE);
    drop(taken);
    drop(claim.revoke());
    ended
}

/// A run on its thread.
struct Started {
    /// Dropped, it ends the run at its next pause.
    cancel: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<()>>,
    thread: thread::JoinHandle<()>,
}

fn start(
    options: SandboxOptions,
    mut observer: Observer,
    claim: Claim,
    federation: Handle,
) -> Result<Started> {
    let (cancel, mut cancelled) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let work = move || {
        let result = federation.block_on(async {
            tokio::select! {
                biased;
                _ = &mut cancelled => Err(interrupted()),
                finished = execute_in(&claim, &options, &mut observer, run::run) => finished.map(drop),
            }
        });
        // Whoever was interrupted may have stopped waiting for this.
        let _ = end.send(result);
    };
    let thread = thread::Builder::new().name("run".into()).stack_size(STACK).spawn(work);
    Ok(Started { cancel, ended, thread: thread.map_err(|cause| unstarted(&cause))? })
}

impl Started {
    fn result(self, ended: std::result::Result<Result<()>, oneshot::error::RecvError>) -> Result<()> {
        ended.unwrap_or_else(|_| match self.thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(interrupted()),
        })
    }
}

fn unstarted(cause: &std::io::Error) -> Error {
    Error::world("process.runtime", format!("no threads could be started: {cause}"))
        .help("close other programs, or raise the limit on processes and open files")
}

/// How long each part of a run has to stop. Only work that does not yield takes longer, and it keeps no files.
const GRACE: Duration = Duration::from_secs(2);

/// As much as a main thread has, in bytes.
const STACK: usize = 8 << 20;
