//! What a model must reach to become champion: the section `[promotion]`.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::parse::{MACHINE_WORD, is_machine_word};
use super::privacy::Privacy;
use super::reader::{Reader, Section};
use super::{DriftTerms, FairnessTerms, Job};

/// Under which name the model of a job stands in the registry, and what it must reach to become champion there.
///
/// Figures are those of all test rows together, as the entry of the job's end has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionTerms {
    /// The name; without it that of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The least area under the ROC curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_roc_auc: Option<f64>,
    /// The most log-loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_log_loss: Option<f64>,
    /// The largest difference between two groups of one column that is allowed: of the shares that are acted upon, of recall, or
    /// of false positives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fairness_gap: Option<f64>,
    /// The largest population stability index that is allowed between the rows that it was trained on and test rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_psi: Option<f64>,
    /// By how much its area under the ROC curve may be below that of the champion that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_worse_than_champion: Option<f64>,
}

impl Job {
    /// The name under which its model stands in the registry.
    pub fn model_name(&self) -> &str {
        let named = self.promotion.as_ref().and_then(|promotion| promotion.name.as_deref());
        named.unwrap_or(&self.contract.name)
    }
}

/// None where nothing is said of it; and where it is said.
pub(super) fn promotion(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
) -> Option<(PromotionTerms, Option<Range<usize>>)> {
    let mut section = reader.section(root, "promotion", "[promotion]");
    if !section.is_present() {
        return None;
    }
    let at = section.span.clone();
    let name = reader.text(&mut section, "name").filter(|name| {
        let fine = is_machine_word(name.get_ref());
        if !fine {
            let message = format!("`{}` is no name of a model", name.get_ref());
            reader.add("job.bad-name", Some(name.span()), message, MACHINE_WORD);
        }
        fine
    });
    let share = |reader: &mut Reader<'_>, section: &mut Section<'_>, key| {
        reader.number_in(section, key, 0.0..=1.0).map(Spanned::into_inner)
    };
    let terms = PromotionTerms {
        name: name.map(Spanned::into_inner),
        min_roc_auc: share(reader, &mut section, "min_roc_auc"),
        max_log_loss: reader.number_in(&mut section, "max_log_loss", 0.0..=100.0).map(Spanned::into_inner),
        max_fairness_gap: share(reader, &mut section, "max_fairness_gap"),
        max_psi: reader.number_in(&mut section, "max_psi", 0.0..=100.0).map(Spanned::into_inner),
        not_worse_than_champion: share(reader, &mut section, "not_worse_than_champion"),
    };
    reader.close(section);
    Some((terms, at))
}

/// A gate on what the job does not measure would never open.
pub(super) fn check(
    reader: &mut Reader<'_>,
    (terms, at): &(PromotionTerms, Option<Range<usize>>),
    privacy: Option<&Privacy>,
    fairness: Option<&FairnessTerms>,
    drift: Option<&DriftTerms>,
) {
    if terms.max_fairness_gap.is_some() && fairness.is_none() {
        let message = "[promotion] has `max_fairness_gap`, and the job compares no groups";
        let help = "say in [fairness] between which groups the model is compared, or remove the key";
        reader.add("promotion.not-measured", at.clone(), message, help);
    }
    if terms.max_psi.is_some() && drift.is_none() {
        let message = "[promotion] has `max_psi`, and the job does not compare test rows with training rows";
        let help = "add a section [drift], which may be empty, or remove the key";
        reader.add("promotion.not-measured", at.clone(), message, help);
    }
    let measured = [terms.min_roc_auc, terms.max_log_loss, terms.not_worse_than_champion];
    let noise = privacy.and_then(Privacy::record_level);
    let is_hidden = privacy.is_some_and(|privacy| privacy.institution_level().is_some());
    if is_hidden && measured.iter().any(Option::is_some) {
        let message = "[promotion] asks for figures on test rows, which a job with noise for institutions does not measure";
        let help = "remove `min_roc_auc`, `max_log_loss` and `not_worse_than_champion`";
        reader.add("promotion.not-measured", at.clone(), message, help);
    }
    if noise.is_some_and(|noise| noise.test_bins.is_none()) && measured.iter().any(Option::is_some) {
        let message = "[promotion] asks for figures on test rows, which a job with noise measures with `test_bins` only";
        let help = "write `test_bins = 32` in [privacy], or remove `min_roc_auc`, `max_log_loss` and `not_worse_than_champion`";
        reader.add("promotion.not-measured", at.clone(), message, help);
    }
}
