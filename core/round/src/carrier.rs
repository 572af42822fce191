//! What carries an update to its sum.

use serde::Serialize;

/// What carries an update to its sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The ring: it is encrypted under a one-time key, which is shared, and the sum of the keys is opened.
    #[default]
    Ring,
    /// The shares: it is shared itself, in the place of a key, and its sum is opened from the reveals. For small vectors.
    Shares,
}
