//! A change of the stage of a model as a ledger has it: what was approved, by whom, and by which gates.

use serde_json::{Map, Value, json};
use syndic_round::{Approver, StageApproval, StageChange};

use crate::promotion::Gate;

/// A change of the stage of a model, with the approver's word and the gates that it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// What was approved, and by whom.
    pub approval: StageApproval,
    /// The approver, with the key that the roster has.
    pub approver: Approver,
    /// The gates that the model passed, with its figures; none but on the way to champion.
    pub gates: Vec<Gate>,
    /// Who handed the approval in; never a person's name.
    pub by: String,
}

impl Staged {
    /// The data of the entry that records it.
    pub fn to_data(&self) -> Value {
        let Self { approval, approver, gates, by } = self;
        let (mut data, approval) = (json!(approval.change), json!(approval));
        data["approver"] = approval["approver"].clone();
        data["signature"] = approval["signature"].clone();
        data["key"] = json!(approver)["key"].clone();
        data["gates"] = json!(gates);
        data["by"] = json!(by);
        data
    }

    /// What the data of an entry of this type says; none where no version can have written it.
    pub fn from_data(data: &Value) -> Option<Self> {
        let change = CHANGE.iter().map(|key| Some(((*key).into(), data.get(key)?.clone())));
        let mut change: Map<String, Value> = change.collect::<Option<_>>()?;
        change.extend(data.get(UNGATED).map(|gates| (UNGATED.into(), gates.clone())));
        let change: StageChange = serde_json::from_value(change.into()).ok()?;
        let approval = json!({ "change": change, "approver": data.get("approver")?, "signature": data.get("signature")? });
        let approval: StageApproval = serde_json::from_value(approval).ok()?;
        let approver = json!({ "name": approval.approver, "key": data.get("key")? });
        Some(Self {
            approval,
            approver: serde_json::from_value(approver).ok()?,
            gates: serde_json::from_value(data.get("gates")?.clone()).ok()?,
            by: data.get("by")?.as_str()?.into(),
        })
    }
}

/// The type of the entry.
pub const STAGED: &str = "syndic.model.stage";
/// A part of a change that is there where it is not empty.
const UNGATED: &str = "ungated";
/// The parts of a change.
const CHANGE: [&str; 9] = ["name", "number", "job", "model", "card", "from", "to", "replaces", "reason"];
