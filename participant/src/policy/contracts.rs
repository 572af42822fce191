//! The data contracts that a policy names: by name and version, or by the digest of their content as well.

use serde::Deserialize;
use syndic_learning::Contract;
use syndic_round::Digest;

use super::Denied;

/// A contract as the policy names it: `bank_marketing.v1`, or `bank_marketing.v1@sha256:` with 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedContract {
    id: String,
    content: Option<Digest>,
}

/// Who says which content a contract has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The policy: it names the content's digest.
    ByContent,
    /// Whatever is accepted first under the name and version.
    ById,
}

impl AllowedContract {
    /// The contract with this very content.
    pub fn of(contract: &Contract) -> Self {
        Self { id: contract.id(), content: Some(contract.digest()) }
    }
}

/// How `allowed` names `contract`. A digest counts for more than a name alone.
pub(super) fn named(allowed: &[AllowedContract], contract: &Contract) -> Result<Named, Denied> {
    let (id, found) = (contract.id(), contract.digest());
    let of_id = || allowed.iter().filter(|allowed| allowed.id == id);
    if of_id().any(|allowed| allowed.content == Some(found)) {
        return Ok(Named::ByContent);
    }
    if of_id().any(|allowed| allowed.content.is_none()) {
        return Ok(Named::ById);
    }
    match of_id().find_map(|allowed| allowed.content) {
        Some(agreed) => Err(Denied::ContractChanged { contract: id, found, agreed }),
        None => Err(Denied::Contract(id)),
    }
}

impl TryFrom<String> for AllowedContract {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let Some((id, content)) = text.split_once('@') else { return Ok(Self { id: text, content: None }) };
        let mut digest = [0; 32];
        match content.strip_prefix("sha256:").map(|digits| hex::decode_to_slice(digits, &mut digest)) {
            Some(Ok(())) => Ok(Self { id: id.into(), content: Some(Digest(digest)) }),
            _ => Err(
                "a contract with another text behind the at sign, expected NAME.vVERSION, or NAME.vVERSION@sha256: with 64 \
                 hexadecimal digits",
            ),
        }
    }
}
