//! The wire: generated messages and services, and the only conversions between them and the core's types.

pub mod convert;
pub mod status;

/// Generated from `proto/syndic/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("syndic.v1");
}

/// Bytes of ciphertext in one message of a stream: well under the default message limit.
pub const PART_BYTES: usize = 1 << 20;
