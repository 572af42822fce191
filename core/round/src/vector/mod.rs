//! From a participant's values to integers that cannot overflow the sum, and from the sum back to values.
//!
//! `Contribution -> Clipped -> Quantiser` (or [`Quantised`], the same at once), each by value, on the participant;
//! [`Sum::decode`], or a [`Decoder`] fed piece by piece, on the coordinator. The only rounding is in [`Quantiser`];
//! everything after it is exact.

mod coding;
mod contribution;
mod decoder;
mod digits;
mod dither;
mod quantiser;
mod sum;

pub use coding::{CANARIES, Coding};
pub use contribution::{Clipped, Contribution, ContributionError};
pub use decoder::Decoder;
pub use digits::{Digit, MOST_ELEMENTS, small_vector_elements};
pub use quantiser::{Coefficients, Quantised, Quantiser};
pub use sum::{Sum, SumError};
