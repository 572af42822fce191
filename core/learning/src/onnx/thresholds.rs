//! Raw numbers that part rows exactly where something computed from them does.

/// The largest finite number for which `holds`, which holds of all smaller ones too; the least of all where it holds of none.
pub(super) fn largest(holds: impl Fn(f64) -> bool) -> f64 {
    // Positions of floats in their order, so that halving them takes 64 steps wherever the threshold lies.
    let (mut low, mut high) = (place_of(-f64::MAX), place_of(f64::MAX));
    if holds(f64::MAX) {
        return f64::MAX;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(float_at(middle)) { low = middle } else { high = middle }
    }
    float_at(low)
}

/// The position of a finite float in the order of all.
fn place_of(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn float_at(place: u64) -> f64 {
    f64::from_bits(if place >> 63 == 1 { place & !(1 << 63) } else { !place })
}
