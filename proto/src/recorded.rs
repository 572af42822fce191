//! What a ledger has of a released model, between wire messages and entries.

use prost::bytes::Bytes;
use syndic_ledger::Hash;
use syndic_round::Rejection;

use crate::convert::digest;
use crate::v1;

/// An entry of the ledger with the way from it to a root that the receiver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its place.
    pub index: u64,
    /// Its bytes.
    pub entry: Vec<u8>,
    /// The hashes beside its way to the root, lowest first.
    pub inclusion: Vec<Hash>,
}

/// What a ledger has of a released model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedModel {
    /// That its job was agreed, with the job file.
    pub agreed: RecordedEntry,
    /// That its job released it.
    pub completed: RecordedEntry,
    /// The last that approved it itself, and names its card.
    pub approved: RecordedEntry,
    /// The last that changed its stage: the same, or that by which another took its place.
    pub staged: RecordedEntry,
}

impl TryFrom<Option<v1::RecordedEntry>> for RecordedEntry {
    type Error = Rejection;

    fn try_from(wire: Option<v1::RecordedEntry>) -> Result<Self, Rejection> {
        let v1::RecordedEntry { index, entry, inclusion } = wire.ok_or(Rejection::Malformed)?;
        let hash = |bytes: &Bytes| Ok(Hash::from_bytes(digest(bytes)?.0));
        let inclusion = inclusion.iter().map(hash).collect::<Result<_, Rejection>>()?;
        Ok(Self { index, entry: entry.into(), inclusion })
    }
}

impl From<RecordedEntry> for v1::RecordedEntry {
    fn from(RecordedEntry { index, entry, inclusion }: RecordedEntry) -> Self {
        let bytes = |hash: &Hash| Bytes::copy_from_slice(hash.as_bytes());
        Self { index, entry: entry.into(), inclusion: inclusion.iter().map(bytes).collect() }
    }
}

impl TryFrom<v1::RecordedModel> for RecordedModel {
    type Error = Rejection;

    fn try_from(wire: v1::RecordedModel) -> Result<Self, Rejection> {
        Ok(Self {
            agreed: wire.agreed.try_into()?,
            completed: wire.completed.try_into()?,
            approved: wire.approved.try_into()?,
            staged: wire.staged.try_into()?,
        })
    }
}

impl From<RecordedModel> for v1::RecordedModel {
    fn from(model: RecordedModel) -> Self {
        Self {
            agreed: Some(model.agreed.into()),
            completed: Some(model.completed.into()),
            approved: Some(model.approved.into()),
            staged: Some(model.staged.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_record_of_a_model_arrives_whole_or_not_at_all() {
        let entry = |index: u8| RecordedEntry {
            index: index.into(),
            entry: vec![index; 3],
            inclusion: vec![Hash::from_bytes([index; 32]); 2],
        };
        let model =
            RecordedModel { agreed: entry(1), completed: entry(2), approved: entry(3), staged: entry(4) };
        let wire = v1::RecordedModel::from(model.clone());
        assert_eq!(RecordedModel::try_from(wire.clone()), Ok(model));
        let torn = wire
            .staged
            .clone()
            .map(|entry| v1::RecordedEntry { inclusion: vec![Bytes::from_static(b"short")], ..entry });
        for staged in [None, torn] {
            let wire = v1::RecordedModel { staged, ..wire.clone() };
            assert_eq!(RecordedModel::try_from(wire), Err(Rejection::Malformed));
        }
    }
}
