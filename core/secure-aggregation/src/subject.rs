//! What is shared: one-time keys and small vectors, kept apart in types and in every hash.

/// What shares are shares of: [`OfKey`] or [`OfVector`], and nothing else.
///
/// Each has hashes of its own, so that what a dealer says of a key is never taken for what it says of a vector.
pub trait Subject: Clone + PartialEq + Eq + sealed::Sealed {
    /// Label of the commitments to shares.
    const COMMITMENT: &'static str;
    /// Label of the challenges that follow from all commitments.
    const CHALLENGE: &'static str;
    /// Label of the combination in which reveals are decoded.
    const REVEALS: &'static str;
}

/// Shares of a [`crate::OneTimeKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfKey {}

/// Shares of a [`crate::SmallVector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfVector {}

impl Subject for OfKey {
    const COMMITMENT: &'static str = "KSA/1 vss";
    const CHALLENGE: &'static str = "KSA/1 vss challenge";
    const REVEALS: &'static str = "KSA/1 reveals";
}

impl Subject for OfVector {
    const COMMITMENT: &'static str = "KSA/1 vector vss";
    const CHALLENGE: &'static str = "KSA/1 vector vss challenge";
    const REVEALS: &'static str = "KSA/1 vector reveals";
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::OfKey {}
    impl Sealed for super::OfVector {}
}
