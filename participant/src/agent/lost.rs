//! Why a connection to the coordinator ends, and whether trying again helps.

use syndic_proto::status::code_of;
use tonic::{Code, Status};

use super::AgentError;
use crate::tls::ConnectError;

/// Why a connection ended.
pub(super) enum Lost {
    ForNow(String),
    Forever(AgentError),
}

impl Lost {
    /// A coordinator that cannot be reached may come back; one that is not ours will not become so.
    pub(super) fn of_connect(error: ConnectError) -> Self {
        if error.is_unreachable() { Self::ForNow(error.to_string()) } else { Self::Forever(error.into()) }
    }

    pub(super) fn of_hello(status: Status) -> Self {
        match status.code() {
            Code::FailedPrecondition | Code::PermissionDenied => Self::Forever(AgentError::Refused {
                code: code_of(&status).unwrap_or("federation.refused").into(),
                message: status.message().into(),
            }),
            _ => Self::of_call(status),
        }
    }

    pub(super) fn of_call(status: Status) -> Self {
        Self::ForNow(status.message().into())
    }

    pub(super) fn closed() -> Self {
        Self::ForNow("the coordinator closed the connection".into())
    }
}

/// The round went on without this message; nothing is wrong with it.
pub(super) fn is_past(status: &Status) -> bool {
    matches!(code_of(status), Some("round.late" | "round.over"))
}

/// The connection, or the coordinator behind it, is gone for now.
pub(super) fn is_lost(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown | Code::DeadlineExceeded)
}
