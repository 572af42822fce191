//! Class weights as programs carry them that sum derivatives: in relation to the larger one, so that no row counts more than
//! once in a sum, whose bounds then are those of a job in which all rows count alike.

use super::neural_network::ClassWeights;
use super::statistics::Count;

/// How much a negative and a positive count among training rows of both classes, the larger of them one, and what sums are to be
/// multiplied by; none and one where all rows count alike.
pub(super) fn relative(weights: Option<ClassWeights>, training: Count) -> (Option<[f64; 2]>, f64) {
    let [negative, positive] = ClassWeights::of(weights, training);
    let scale = negative.max(positive);
    (weights.map(|_| [negative / scale, positive / scale]), scale)
}

/// The share of positives among weighted rows.
pub(super) fn base_rate(weights: Option<ClassWeights>, training: Count) -> f64 {
    let [negative, positive] = ClassWeights::of(weights, training);
    let positives = positive * training.positives as f64;
    positives / (positives + negative * (training.rows - training.positives) as f64)
}

/// Whether they are above zero, and the larger one is one.
pub(super) fn are_relative([negative, positive]: [f64; 2]) -> bool {
    negative > 0.0 && positive > 0.0 && negative.max(positive) == 1.0
}

/// Whether a question's weights are some that the job's lead to. Balanced ones depend on sums.
pub(super) fn are_agreed(agreed: Option<ClassWeights>, asked: Option<[f64; 2]>) -> bool {
    match (agreed, asked) {
        (None, None) => true,
        (Some(ClassWeights::Positive(weight)), Some(asked)) => {
            let scale = weight.max(1.0);
            asked == [1.0 / scale, weight / scale]
        }
        (Some(ClassWeights::Named(_)), Some(asked)) => are_relative(asked),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_in_relation_to_the_larger_and_agreed_to_as_such() {
        let training = Count { rows: 40, positives: 10 };
        let (four, balanced) = (ClassWeights::Positive(4.0), ClassWeights::BALANCED);
        assert_eq!(relative(None, training), (None, 1.0));
        assert_eq!(relative(Some(four), training), (Some([0.25, 1.0]), 4.0));
        assert_eq!(relative(Some(ClassWeights::Positive(0.5)), training), (Some([1.0, 0.5]), 1.0));
        // As many of either class count alike: thirty rows a third each.
        assert_eq!(relative(Some(balanced), training), (Some([1.0 / 3.0, 1.0]), 2.0));
        assert_eq!(base_rate(None, training), 0.25);
        assert!((base_rate(Some(balanced), training) - 0.5).abs() < 1e-15);
        for (agreed, asked, is_so) in [
            (None, None, true),
            (Some(four), Some([0.25, 1.0]), true),
            (Some(balanced), Some([0.7, 1.0]), true),
            (None, Some([0.25, 1.0]), false),
            (Some(four), None, false),
            (Some(four), Some([0.5, 1.0]), false),
            (Some(balanced), Some([0.5, 2.0]), false),
            (Some(balanced), Some([0.0, 1.0]), false),
            (Some(balanced), Some([f64::NAN, 1.0]), false),
        ] {
            assert_eq!(are_agreed(agreed, asked), is_so, "{agreed:?} {asked:?}");
        }
    }
}
