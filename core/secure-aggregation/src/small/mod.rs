//! Small vectors, shared themselves: where a vector needs no more elements of F_p than a one-time key, nothing is
//! encrypted. Each participant shares its encoded vector as it would share a key, and what t members reveal of the shares
//! of the survivors restores the sum of the vectors at once.
//!
//! Hiding needs no assumption but the sealed channels. What the ring gives and this does not: there a wrong S turns every
//! coefficient into noise, while here a single wrong reveal among exactly t shifts one chosen sum and nothing else
//! ([`OpenedVector::is_checked`]).
//!
//! The order of things: [`VectorShape::of`] a plan; [`SmallVector::encode`], [`SmallVector::share`], once the question is
//! known and never ahead; each holder verifies its [`VectorShare`]s; for a certified survivor set it reveals one
//! [`VectorShareSum`], never again; [`open_vector`].

mod opening;
mod shape;
mod steps;
#[cfg(test)]
mod tests;

use rand_core::{CryptoRng, Rng};
use syndic_round::vector::Clipped;
use zeroize::Zeroizing;

pub use opening::{OpenedVector, VectorError, open_vector};
pub use shape::VectorShape;

use crate::reveal::ShareSum;
use crate::sharing::{self, MalformedShare, Share, ShareError, Sharing, SharingContext};
use crate::subject::OfVector;

/// A share of a small vector.
pub type VectorShare = Share<OfVector>;

/// A sum of shares of small vectors.
pub type VectorShareSum = ShareSum<OfVector>;

/// A participant's vector, encoded to be shared.
///
/// It is consumed by sharing, so it is shared once. It has no `Debug` and no `Clone`, and is wiped on drop.
pub struct SmallVector {
    pub(crate) elements: Zeroizing<Vec<u64>>,
    /// More holders than there are institutions would overflow the sums of digits.
    admitted: u16,
}

impl SmallVector {
    /// Rounds each value of a contribution to the plan of `shape` to a whole number of steps, as `Clipped::quantiser`
    /// does, and packs canaries and values.
    pub fn encode(shape: &VectorShape, clipped: Clipped, rng: &mut impl Rng) -> Self {
        let quantised = clipped.quantise(shape.coding(), rng);
        let steps = steps::joined(shape, quantised.coefficients());
        Self { elements: shape.pack(&steps), admitted: shape.admitted() }
    }

    /// Shares the vector among the cohort, so that `threshold` shares restore it.
    ///
    /// # Errors
    /// [`ShareError`] when the threshold or the cohort is out of range.
    pub fn share(
        self,
        context: &SharingContext<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<Sharing<OfVector>, ShareError> {
        if context.cohort.len() > self.admitted.into() {
            return Err(ShareError::Cohort);
        }
        sharing::share(&self.elements, context, rng)
    }
}

impl VectorShare {
    /// The share of a vector of `shape` written as `bytes`.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], shape: &VectorShape) -> Result<Self, MalformedShare> {
        Self::read(bytes, shape.elements())
    }
}

impl VectorShareSum {
    /// The sum of shares of vectors of `shape` written as `bytes`.
    ///
    /// # Errors
    /// [`MalformedShare`] when the length is wrong or an element is not canonical.
    pub fn from_bytes(bytes: &[u8], shape: &VectorShape) -> Result<Self, MalformedShare> {
        Self::read(bytes, shape.elements())
    }
}
