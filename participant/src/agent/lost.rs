//! Why a connection to the coordinator ends, and whether trying again helps.

use std::error::Error as _;

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
    // A status that was sent has no source. One that has was made here, of what became of the connection, and its code says
    // little: a coordinator that takes a connection for dead and ends it makes "internal" of every call that is under way.
    status.source().is_some()
        || matches!(
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
    use hyper_util::rt::TokioIo;
    use syndic_proto::status::with_code;
    use syndic_proto::v1;
    use syndic_proto::v1::coordination_client::CoordinationClient;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tonic::transport::Endpoint;

    use super::*;

    /// What a call comes to during which nothing comes from the other end but `last`, a frame of HTTP/2.
    async fn cut_off(last: Vec<u8>) -> Status {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let mut near = Some(TokioIo::new(near));
        let connector = tower::service_fn(move |_| std::future::ready(near.take().ok_or(std::fmt::Error)));
        let channel = Endpoint::from_static("http://coordinator").connect_with_connector(connector).await;
        let mut calls = CoordinationClient::new(channel.expect("the other end is there"));
        let coordinator = async {
            far.read_exact(&mut [0; PREFACE]).await?;
            far.write_all(&frame(SETTINGS, 0, &[])).await?;
            loop {
                let mut head = [0; 9];
                far.read_exact(&mut head).await?;
                let [_, high, low, kind, ..] = head;
                far.read_exact(&mut vec![0; u16::from_be_bytes([high, low]).into()]).await?;
                if kind == HEADERS {
                    break far.write_all(&last).await;
                }
            }
        };
        let (status, told) = tokio::join!(calls.say(v1::Statement::default()), coordinator);
        told.expect("the connection is there");
        status.expect_err("nobody answers")
    }

    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("a short frame");
        [&[0, 0, length, kind, 0], &stream.to_be_bytes()[..], payload].concat()
    }

    #[tokio::test]
    async fn a_connection_that_the_coordinator_gives_up_is_lost_whatever_it_says_of_the_calls_on_it() {
        for reason in 0..=HTTP_1_1_REQUIRED {
            let reason = reason.to_be_bytes();
            // Of a connection that it takes for dead it has not heard the last calls: none, says the first number.
            let gone = frame(GOAWAY, 0, &[[0; 4], reason].concat());
            for last in [gone, frame(RST_STREAM, 1, &reason)] {
                let status = cut_off(last.clone()).await;
                assert!(is_lost(&status), "{last:?}: {status:?}");
            }
        }
    }

    #[test]
    fn what_the_coordinator_says_is_no_loss_of_the_connection() {
        let said = Status::internal("h2 protocol error: so it says").into_http::<()>();
        let received = Status::from_header_map(said.headers()).expect("it is a status");
        assert!(!is_lost(&received), "{received:?}");
    }

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

    /// Bytes with which a client begins a connection of HTTP/2.
    const PREFACE: usize = 24;
    /// Kinds of frames.
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    /// The last of the reasons that HTTP/2 knows, from 0 on.
    const HTTP_1_1_REQUIRED: u32 = 13;
}
