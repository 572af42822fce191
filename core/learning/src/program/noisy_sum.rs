//! Sums of clipped gradients in whole steps, with noise: what any model learns from that hides single rows.
//!
//! **Sensitivity.** A row's gradient is cut to whole steps, towards zero, so that its L2 norm stays at most `LONGEST`
//! steps, which is verified in whole numbers. With `ROW` steps for the count, adding or removing one row moves the vector
//! by at most sqrt(`LONGEST`^2 + `ROW`^2), whatever the model is and however many parameters it has.

use syndic_round::Layout;

use super::{ProgramError, noisy_block};
use crate::privacy::calibration::Mechanism;

/// What a training of so many parameters and rounds is, before it has noise.
pub(crate) fn mechanism(parameters: usize, rounds: u32, contributors: u16) -> Mechanism {
    let squared = (LONGEST * LONGEST + ROW * ROW) as f64;
    Mechanism {
        steps: rounds.into(),
        contributors: contributors.into(),
        // Both squares are exact; the root is rounded up.
        l2: libm::sqrt(squared) * (1.0 + f64::EPSILON),
        // A slope for each parameter, and the count.
        dimension: parameters as u64 + 1,
    }
}

/// What an answer about a model of so many parameters looks like: the summed slopes and the count of rows, in steps, both with
/// noise of this variance.
pub(crate) fn layout(parameters: usize, max_rows: u64, variance: u64) -> Result<Layout, ProgramError> {
    let block = |name, len, of_a_row| noisy_block(name, len, of_a_row, max_rows, variance);
    Ok(Layout::new(vec![block(SLOPES, parameters as u32, LONGEST), block(ROWS, 1, ROW)])?)
}

/// The gradient of one row in steps, no longer than `LONGEST`: `slope` times `values`, the entries that are not zero, cut to the
/// length `clip`. One whose length is no finite number is zero.
pub(crate) fn cut(
    (slope, values): (f64, impl Iterator<Item = (usize, f64)> + Clone),
    clip: f64,
    gradient: &mut Vec<(usize, i64)>,
) {
    gradient.clear();
    let length = slope.abs() * libm::sqrt(values.clone().map(|(_, value)| value * value).sum::<f64>());
    if !length.is_finite() {
        return;
    }
    let factor = slope / length.max(clip) * LONGEST as f64;
    // Cut towards zero, which makes nothing longer.
    let steps = |value: f64| ((factor * value) as i64).clamp(-LONGEST, LONGEST);
    gradient.extend(values.map(|(place, value)| (place, steps(value))));
    // Floating numbers may have made it longer by a step or so: then its longest entries are shortened.
    while gradient.iter().map(|(_, steps)| steps * steps).sum::<i64>() > LONGEST * LONGEST {
        let Some((_, longest)) = gradient.iter_mut().max_by_key(|(_, steps)| steps.abs()) else { return };
        *longest -= longest.signum();
    }
}

/// The longest gradient of a row in steps.
pub(crate) const LONGEST: i64 = 1 << 16;
/// What a row adds to the count, in steps: a quarter of the longest gradient, which makes noise 3 % wider.
pub(crate) const ROW: i64 = LONGEST / 4;

const SLOPES: &str = "slopes";
const ROWS: &str = "rows";
