//! Refusals on the wire: a gRPC status with the stable code of the error in its metadata.

use std::time::Duration;

use tonic::codegen::http::HeaderMap;
use tonic::{Code, Status};

/// Metadata key of the stable code.
const CODE_KEY: &str = "syndic-code";

/// A status that carries `code` beside its message.
pub fn with_code(kind: Code, code: &'static str, message: impl Into<String>) -> Status {
    let mut status = Status::new(kind, message);
    status.metadata_mut().insert(CODE_KEY, tonic::metadata::MetadataValue::from_static(code));
    status
}

/// The stable code of a status, if its sender put one there.
pub fn code_of(status: &Status) -> Option<&str> {
    status.metadata().get(CODE_KEY)?.to_str().ok()
}

/// The kind and the stable code of a refusal, in the headers of an answer that has nothing else.
pub fn refusal(headers: &HeaderMap) -> Option<(Code, &str)> {
    let kind = headers.get("grpc-status")?;
    Some((Code::from_bytes(kind.as_bytes()), headers.get(CODE_KEY)?.to_str().ok()?))
}

/// The status of a refused message.
pub fn rejected(rejection: &syndic_round::Rejection) -> Status {
    use syndic_round::Rejection;
    let kind = match rejection {
        Rejection::UnknownSender | Rejection::NotInCohort(_) => Code::PermissionDenied,
        Rejection::BadSignature { .. } => Code::Unauthenticated,
        Rejection::Equivocated { .. } => Code::AlreadyExists,
        Rejection::Late | Rejection::Early | Rejection::Over => Code::FailedPrecondition,
        _ => Code::InvalidArgument,
    };
    with_code(kind, rejection.code(), rejection.to_string())
}

/// The status of a call that comes too often: to be made again after `wait`.
pub fn limited(wait: Duration) -> Status {
    let mut status =
        with_code(Code::ResourceExhausted, "rate.limited", "this participant calls more often than it may");
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    status.metadata_mut().insert(RETRY_AFTER_KEY, millis.into());
    status
}

/// How long the sender of a status wants its caller to wait before it calls again, if it says so.
pub fn retry_after(status: &Status) -> Option<Duration> {
    let millis = status.metadata().get(RETRY_AFTER_KEY)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

/// The status of an answer that would go on, where the coordinator is about to stop: the caller connects again.
pub fn come_again() -> Status {
    with_code(Code::Unavailable, "coordinator.draining", "the coordinator is about to stop; connect again")
}

/// The status where a coordinator is cut off from what it shares with others: the caller connects again, to one of these.
pub fn elsewhere() -> Status {
    let told = "the coordinator is cut off from its database; connect again, to another where there is one";
    with_code(Code::Unavailable, "store.cut-off", told)
}

/// Metadata key of the milliseconds to wait.
const RETRY_AFTER_KEY: &str = "syndic-retry-after-ms";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_calls_too_often_is_told_when_to_come_again() {
        let status = limited(Duration::from_millis(250));
        assert_eq!((code_of(&status), status.code()), (Some("rate.limited"), Code::ResourceExhausted));
        assert_eq!(retry_after(&status), Some(Duration::from_millis(251)));
        assert_eq!(retry_after(&come_again()), None);
        let answer = status.into_http::<String>();
        assert_eq!(refusal(answer.headers()), Some((Code::ResourceExhausted, "rate.limited")));
    }
}
