//! Refusals on the wire: a gRPC status with the stable code of the error in its metadata.

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
