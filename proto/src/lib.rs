//! The wire: generated messages and services, and the only conversions between them and the core's types.

pub mod control;
pub mod convert;
mod recorded;
pub mod status;

/// Generated from `proto/syndic/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod v1 {
    tonic::include_proto!("syndic.v1");
}

/// Generated from `proto/syndic/trainer/v1`: what an agent asks of an external trainer on its own host.
pub mod trainer {
    /// The first version.
    #[allow(missing_docs, unreachable_pub, clippy::all)]
    pub mod v1 {
        tonic::include_proto!("syndic.trainer.v1");
    }
}

/// Bytes that a participant takes in one message: in the largest cohort everybody's public part and a share from each are
/// 6.4 MB.
pub const LARGEST_DUTY: usize = 8 << 20;

/// Bytes of ciphertext in one message of a stream: well under the default message limit.
pub const PART_BYTES: usize = 1 << 20;

/// Bytes of an update in one message: a message that a cut strikes is lost whole, so they are smaller.
pub const UPLOAD_PART_BYTES: usize = 1 << 18;
