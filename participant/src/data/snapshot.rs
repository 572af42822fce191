//! What a job's rows were read from: the same snapshot, the same rows.

use serde::Serialize;
use syndic_data::SourceFiles;
use syndic_round::Digest;

use super::Rules;

/// The manifest of what was read: content of files, query, and which rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The contract's id.
    pub contract: String,
    /// The query, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Which rows were read, and for what.
    pub rules: Rules,
    /// The files of each source.
    pub sources: Vec<SourceFiles>,
}

impl Snapshot {
    /// Its id: SHA-256 of the manifest as JSON, in the order of the fields above.
    pub fn id(&self) -> Digest {
        // Text, numbers and lists: nothing that JSON cannot say.
        Digest::of(serde_json::to_string(self).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use syndic_data::FileDigest;

    use super::*;
    use crate::data::Consent;

    #[test]
    fn whatever_decides_which_rows_are_read_changes_the_id() {
        let file = FileDigest { name: "a.csv".into(), bytes: 3, sha256: "00".into() };
        let sources = vec![SourceFiles { name: "customers".into(), files: vec![file] }];
        let (query, rules) = (Some("SELECT 1".to_owned()), Rules::default());
        let snapshot = Snapshot { contract: "small.v1".into(), query, rules, sources };
        assert_eq!(snapshot.id(), snapshot.clone().id());

        let changed = |change: &dyn Fn(&mut Snapshot)| {
            let mut other = snapshot.clone();
            change(&mut other);
            assert_ne!(other.id(), snapshot.id(), "{other:?}");
        };
        changed(&|other| other.contract = "small.v2".into());
        changed(&|other| other.query = Some("SELECT 2".into()));
        changed(&|other| other.query = None);
        changed(&|other| other.rules.consent = Some(Consent { column: "c".into(), value: "1".into() }));
        changed(&|other| other.sources[0].files[0].sha256 = "01".into());
        changed(&|other| other.sources[0].files[0].name = "b.csv".into());
        changed(&|other| other.sources[0].name = "clients".into());
    }
}
