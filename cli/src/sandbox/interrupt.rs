//! A sandbox that SIGINT, SIGTERM and SIGHUP end at any moment, with nothing left behind.
//!
//! The run has a thread of its own, since reading a table and training in the open do not yield; the calling
//! thread waits for signals. The tasks of the federation are stopped before the folder that they write to goes.

use std::fs;
use std::future::pending;
use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::claim::{Claim, Revoked, interrupted};
use super::{SandboxOptions, describe, execute_in, run};
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
        let mut hangup = listen_for_hangup()?;
        let mut started = start(options, observer, claim.clone(), federation.handle().clone())?;
        tokio::select! {
            ended = &mut started.ended => return started.result(ended),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hung_up(&mut hangup) => {}
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

/// SIGHUP, unless whoever started the process asked to ignore it, as `nohup` does: listening would undo that.
fn listen_for_hangup() -> Result<Option<Signal>> {
    // Where the system does not tell, SIGHUP keeps whatever effect it has.
    let ignored = fs::read_to_string(STATUS).ok().and_then(|status| ignores_hangup(&status));
    match ignored {
        Some(false) => Ok(Some(signal(SignalKind::hangup()).map_err(|cause| unstarted(&cause))?)),
        Some(true) | None => Ok(None),
    }
}

/// Whether the process ignores signal 1, as its status file says; none where it does not say.
fn ignores_hangup(status: &str) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    Some(u128::from_str_radix(mask.trim(), 16).ok()? & 1 == 1)
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => pending().await,
    }
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
        let whole = async {
            match describe::describes(&options.job) {
                true => describe::execute_in(&claim, &options, &mut observer, run::describe).await.map(drop),
                false => execute_in(&claim, &options, &mut observer, run::run).await.map(drop),
            }
        };
        let result = federation.block_on(async {
            tokio::select! {
                biased;
                _ = &mut cancelled => Err(interrupted()),
                finished = whole => finished,
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

/// Where Linux says what a process does about signals: proc_pid_status(5).
const STATUS: &str = "/proc/self/status";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_read_from_the_mask_of_signals() {
        let status = |mask: &str| format!("Name:\tsyndic\nSigBlk:\tffff\nSigIgn:\t{mask}\nSigCgt:\t0001\n");
        assert_eq!(ignores_hangup(&status("0000000000001001")), Some(true));
        assert_eq!(ignores_hangup(&status("0000000000001002")), Some(false));
        assert_eq!(ignores_hangup("Name:\tsyndic\n"), None);
    }
}
