//! The file in which an approver's word travels to the coordinator's host.

use serde::{Deserialize, Serialize};
use syndic_round::StageApproval;

/// An approval, and the card that it names where a candidate is promoted. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFile {
    /// [`ApprovalFile::SCHEMA`].
    pub schema: String,
    /// What is approved, by whom.
    pub approval: StageApproval,
    /// The text of the model's card; none where the coordinator has it, or needs none.
    pub card: Option<String>,
}

impl ApprovalFile {
    /// The schema of this version.
    pub const SCHEMA: &str = "syndic-model-approval/1";

    /// The file with this approval.
    pub fn of(approval: StageApproval, card: Option<String>) -> Self {
        Self { schema: Self::SCHEMA.into(), approval, card }
    }

    /// The approval in `text`; none where it is no such file, or of another version.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|file: &Self| file.schema == Self::SCHEMA)
    }

    /// As it is written.
    pub fn to_json(&self) -> String {
        // Strings, numbers and digests always have a form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}
