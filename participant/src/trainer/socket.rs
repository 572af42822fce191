//! The trainer's Unix socket: whose it is, who may use it, and a connection to it.

use std::future::ready;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use hyper_util::rt::TokioIo;
use tokio::fs;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use super::{TrainerConfig, TrainerError};

/// A connection to whoever listens, once nobody but the trainer's user can be that.
pub(super) async fn connect(config: &TrainerConfig) -> Result<Channel, TrainerError> {
    let path = &config.socket;
    let unreachable = |reason: &dyn std::fmt::Display| TrainerError::Unreachable {
        path: path.clone(),
        reason: reason.to_string(),
    };
    let own = rustix::process::geteuid().as_raw();
    let owner = config.uid.unwrap_or(own);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let of_folder = fs::metadata(folder).await.map_err(|error| unreachable(&error))?;
    let of_socket = fs::symlink_metadata(path).await.map_err(|error| unreachable(&error))?;
    let unsafe_of = |path: &Path, problem| TrainerError::Unsafe { path: path.into(), problem };
    if !of_socket.file_type().is_socket() {
        return Err(unsafe_of(path, "is no socket"));
    }
    // Whoever may write the folder can put another socket in the place of this one.
    if ![owner, ROOT].contains(&of_folder.uid()) || of_folder.mode() & GROUP_AND_ALL & WRITE != 0 {
        return Err(unsafe_of(folder, "can be written by others than the trainer's user"));
    }
    // With a user of its own, the trainer shares a group with the agent, which must be able to enter.
    let others = if config.uid.is_some() { ALL } else { GROUP_AND_ALL };
    if of_socket.uid() != owner
        || (of_folder.mode() & others & ENTER != 0 && of_socket.mode() & others & WRITE != 0)
    {
        return Err(unsafe_of(path, "can be used by others than the trainer's user and the agent"));
    }
    let stream = UnixStream::connect(path).await.map_err(|error| unreachable(&error))?;
    let peer = stream.peer_cred().map_err(|error| unreachable(&error))?;
    if peer.uid() != owner {
        return Err(unsafe_of(path, "is listened on by another user than the trainer's"));
    }
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| ready(stream.take().ok_or(std::fmt::Error)));
    let endpoint = Endpoint::from_static("http://trainer");
    endpoint.connect_with_connector(connector).await.map_err(|error| unreachable(&error))
}

const ROOT: u32 = 0;
const ALL: u32 = 0o007;
const GROUP_AND_ALL: u32 = 0o077;
/// What it takes to enter a folder.
const ENTER: u32 = 0o111;
/// What it takes to connect to a socket, or to change what is in a folder.
const WRITE: u32 = 0o222;
