//! Participants by the names that the roster gives them.

use std::collections::BTreeMap;

use super::folder::Folder;
use crate::words::listed;
use crate::{Error, Result};

/// The names of participants, by their ids; none where no roster lies beside the entries.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<u64, String>);

impl Names {
    /// Those of the roster in the folder. They are to be believed once the ledger has verified with it.
    ///
    /// # Errors
    /// Where the file is no roster.
    pub fn of(folder: &Folder) -> Result<Self> {
        let Some(roster) = folder.roster()? else { return Ok(Self::default()) };
        let members = &roster.roster.members;
        Ok(Self(members.iter().map(|member| (u64::from(member.id.get()), member.name.clone())).collect()))
    }

    /// What a participant is called.
    pub fn name(&self, id: u64) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| format!("participant {id}"))
    }

    /// The id of the participant that a person names, by name or id.
    ///
    /// # Errors
    /// Where there is none, with exit code 2.
    pub fn id(&self, wanted: &str) -> Result<u64> {
        if let Some((id, _)) = self.0.iter().find(|(_, name)| *name == wanted) {
            return Ok(*id);
        }
        if let Some(id) = wanted.parse().ok().filter(|id| self.0.is_empty() || self.0.contains_key(id)) {
            return Ok(id);
        }
        let known: Vec<_> = self.0.values().collect();
        let help = match known.is_empty() {
            true => "there is no roster beside the entries: give the participant's id".into(),
            false => format!("the roster has {}", listed(&known)),
        };
        Err(Error::input("ledger.no-participant", format!("the ledger has no participant `{wanted}`"))
            .place("--participant")
            .help(help))
    }
}
