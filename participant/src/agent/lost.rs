//! Why a connection to the coordinator ends, and whether trying again helps.

use syndic_proto::status::code_of;
use tonic::{Code, Status};

use super::AgentError;
use crate::shown::{is_code, printable};
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
                code: told_code(&status).unwrap_or("federation.refused").into(),
                message: told(&status),
            }),
            _ => Self::of_call(status),
        }
    }

    pub(super) fn of_call(status: Status) -> Self {
        Self::ForNow(told(&status))
    }

    pub(super) fn closed() -> Self {
        Self::ForNow("the coordinator closed the connection".into())
    }
}

/// What the coordinator says, fit to be shown.
pub(super) fn told(status: &Status) -> String {
    printable(status.message())
}

/// The code that the coordinator gives, where it can be one.
pub(super) fn told_code(status: &Status) -> Option<&str> {
    code_of(status).filter(|code| is_code(code))
}

/// The round went on without this message; nothing is wrong with it.
pub(super) fn is_past(status: &Status) -> bool {
    matches!(code_of(status), Some("round.late" | "round.over"))
}

/// The connection, or the coordinator behind it, is gone for now.
pub(super) fn is_lost(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use syndic_proto::status::with_code;

    use super::*;

    #[test]
    fn what_a_coordinator_says_cannot_fake_what_the_terminal_shows() {
        let text = "no\u{1b}[2J\nerror[none]: all is \u{202e}well";
        let refused = with_code(Code::PermissionDenied, "none]: all is well", text);

        let Lost::Forever(error) = Lost::of_hello(refused) else { panic!("a refusal is for ever") };

        assert_eq!(error.code(), "federation.refused");
        let shown = error.to_string();
        assert!(shown.contains("no\\u{1b}[2J\\nerror[none]: all is \\u{202e}well"), "{shown}");
        assert!(!shown.contains(['\u{1b}', '\n', '\u{202e}']), "{shown:?}");
        let Lost::ForNow(reason) = Lost::of_call(Status::unavailable(text)) else {
            panic!("it may come back")
        };
        assert!(!reason.contains(['\u{1b}', '\n', '\u{202e}']), "{reason:?}");
    }

    #[test]
    fn the_code_of_a_refusal_is_passed_on() {
        let refused = with_code(Code::FailedPrecondition, "federation.other-roster", "another roster");
        let Lost::Forever(error) = Lost::of_hello(refused) else { panic!("a refusal is for ever") };
        assert_eq!((error.code(), error.exit_code()), ("federation.other-roster", 2));
        assert!(error.to_string().contains("another roster"));
    }
}
