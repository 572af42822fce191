//! The parameter sets of KSA/1.

use serde::{Deserialize, Serialize};

/// Ring dimension N of every set: coefficients of a chunk (RLWE over `Z[X]/(X^N + 1)`, q = 2^64).
pub const RING_DIMENSION: usize = 2048;

/// Largest absolute value of a one-time key's coefficient.
pub const KEY_BOUND: i64 = 63;

/// One of the three parameter sets (docs/protocol.md, "Parameters"): how many bits of a coefficient travel,
/// and how many of them guard against noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ParameterSet {
    /// 3 bytes a parameter, signed sums of 18 bits, at most 64 participants.
    #[serde(rename = "KSA-S24")]
    S24,
    /// 4 bytes a parameter, signed sums of 25 bits, at most 256 participants. The default.
    #[serde(rename = "KSA-S32")]
    S32,
    /// 5 bytes a parameter, signed sums of 32 bits, at most 256 participants.
    #[serde(rename = "KSA-S40")]
    S40,
}

impl ParameterSet {
    /// All sets.
    pub const ALL: [Self; 3] = [Self::S24, Self::S32, Self::S40];

    /// The name as it is signed and shown, `KSA-S32` for instance.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S24 => "KSA-S24",
            Self::S32 => "KSA-S32",
            Self::S40 => "KSA-S40",
        }
    }

    /// The set of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// p: top bits of each coefficient that travel.
    pub const fn sent_bits(self) -> u32 {
        match self {
            Self::S24 => 24,
            Self::S32 => 32,
            Self::S40 => 40,
        }
    }

    /// g: guard bits below the message, against noise.
    pub const fn guard_bits(self) -> u32 {
        match self {
            Self::S24 => 6,
            Self::S32 => 7,
            Self::S40 => 8,
        }
    }

    /// mu = p - g: bits of the signed sum.
    pub const fn sum_bits(self) -> u32 {
        self.sent_bits() - self.guard_bits()
    }

    /// Bytes of one coefficient on the wire.
    pub const fn bytes_per_coefficient(self) -> usize {
        self.sent_bits() as usize / 8
    }

    /// The largest cohort for which noise stays within the guard bits except with probability 2^-78.
    pub const fn largest_cohort(self) -> u16 {
        match self {
            Self::S24 => 64,
            Self::S32 | Self::S40 => 256,
        }
    }

    /// Bits of one limb of a value when `cohort` participants add up, so that the sum of the limbs cannot
    /// leave the signed sum: mu - 1 - ceil(log2 n).
    pub const fn limb_bits(self, cohort: u16) -> u32 {
        self.sum_bits() - 1 - (cohort.next_power_of_two().trailing_zeros())
    }

    /// Security estimate in bits: (core-SVP, MATZOV), at half the widths in use (docs/protocol.md).
    pub const fn security_estimate(self) -> (u32, u32) {
        match self {
            Self::S24 => (252, 272),
            Self::S32 => (181, 204),
            Self::S40 => (137, 163),
        }
    }
}
