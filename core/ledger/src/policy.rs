//! Policies: which logs are trusted, and which witnesses have to have seen a checkpoint before it is.
//!
//! C2SP tlog-policy. A policy is a text of lines that people write and review:
//!
//! ```text
//! log <vkey>
//! witness bank-a <vkey>
//! witness bank-b <vkey>
//! group members 2 bank-a bank-b
//! quorum members
//! ```

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature::{CosignerKey, cosigned_at};
use crate::note::{NoteError, VerifierKey};

/// Trusted logs, known witnesses, and the quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, CosignerKey)>,
    /// In an order in which each names earlier ones only.
    groups: Vec<Group>,
    /// A witness or a group; none where the log's own signature is enough.
    quorum: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<String>,
}

/// A checkpoint that satisfies a policy, and by whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The witnesses that signed it, as the policy names them, with the time of each in seconds since the Unix epoch.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a policy, or a checkpoint under a policy, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line that is none of a policy's.
    #[error("line {line}: {problem}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// No line says what the quorum is.
    #[error("the policy has no quorum line")]
    NoQuorum,
    /// No trusted log signed the checkpoint.
    #[error("no log of the policy signed the checkpoint")]
    NoLog,
    /// The log's signature or the checkpoint is wrong.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A line in the name of a witness is not its own.
    #[error(transparent)]
    Witness(NoteError),
    /// Too few witnesses signed.
    #[error("the checkpoint lacks the quorum `{quorum}`: it is signed by {signed}")]
    Quorum {
        /// What the policy demands.
        quorum: String,
        /// Who signed, for people.
        signed: String,
    },
}

impl PolicyError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Line { .. } => "ledger.policy-line",
            Self::NoQuorum => "ledger.policy-no-quorum",
            Self::NoLog => "ledger.policy-no-log",
            Self::Checkpoint(error) => error.code(),
            Self::Witness(error) => error.code(),
            Self::Quorum { .. } => "ledger.policy-quorum",
        }
    }
}

impl Policy {
    /// Trusts `log` alone, on its own signature.
    #[must_use]
    pub fn of_log(log: VerifierKey) -> Self {
        Self { logs: Vec::from([log]), witnesses: Vec::new(), groups: Vec::new(), quorum: None }
    }

    /// Trusts `log` on the word of more than half of `witnesses`, each named as its key is; on its own where there are none.
    #[must_use]
    pub fn of_majority(log: VerifierKey, witnesses: impl IntoIterator<Item = CosignerKey>) -> Self {
        let witnesses: Vec<_> = witnesses.into_iter().map(|key| (key.name().to_string(), key)).collect();
        if witnesses.is_empty() {
            return Self::of_log(log);
        }
        let members: Vec<_> = witnesses.iter().map(|(name, _)| name.clone()).collect();
        let group = Group { name: MAJORITY.into(), threshold: members.len() / 2 + 1, members };
        Self { logs: Vec::from([log]), witnesses, groups: Vec::from([group]), quorum: Some(MAJORITY.into()) }
    }

    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError::Line`] for the first line that is wrong; [`PolicyError::NoQuorum`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut draft = Draft::default();
        for (number, line) in (1..).zip(text.split('\n')) {
            draft.take(line).map_err(|problem| PolicyError::Line { line: number, problem })?;
        }
        let Draft { logs, witnesses, groups, quorum, .. } = draft;
        Ok(Self { logs, witnesses, groups, quorum: quorum.ok_or(PolicyError::NoQuorum)? })
    }

    /// The policy file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut lines: Vec<String> = self.logs.iter().map(|log| format!("log {log}")).collect();
        lines.extend(self.witnesses.iter().map(|(name, key)| format!("witness {name} {key}")));
        let group = |Group { name, threshold, members }: &Group| {
            format!("group {name} {threshold} {}", members.join(" "))
        };
        lines.extend(self.groups.iter().map(group));
        lines.push(format!("quorum {}", self.quorum.as_deref().unwrap_or(NONE)));
        lines.join("\n") + "\n"
    }

    /// The trusted logs.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Whether any witness has to sign.
    #[must_use]
    pub const fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Checks the checkpoint in `note`: signed by a log of the policy, and witnessed by its quorum.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn check(&self, note: &str) -> Result<Witnessed, PolicyError> {
        let checkpoint = self.signed(note)?;
        let (mut witnesses, mut have) = (Vec::new(), BTreeSet::new());
        for (name, key) in &self.witnesses {
            if let Some(seconds) = cosigned_at(note, key).map_err(PolicyError::Witness)? {
                witnesses.push((name.clone(), seconds));
                have.insert(name.as_str());
            }
        }
        for Group { name, threshold, members } in &self.groups {
            if members.iter().filter(|member| have.contains(member.as_str())).count() >= *threshold {
                have.insert(name);
            }
        }
        match &self.quorum {
            Some(quorum) if !have.contains(quorum.as_str()) => {
                let names: Vec<_> = witnesses.iter().map(|(name, _)| name.as_str()).collect();
                let signed = if names.is_empty() { "no witness".into() } else { names.join(", ") };
                Err(PolicyError::Quorum { quorum: quorum.clone(), signed })
            }
            _ => Ok(Witnessed { checkpoint, witnesses }),
        }
    }

    fn signed(&self, note: &str) -> Result<Checkpoint, PolicyError> {
        for log in &self.logs {
            match Checkpoint::verify(note, log) {
                Err(CheckpointError::Note(NoteError::Unsigned(_))) => {}
                checkpoint => return Ok(checkpoint?),
            }
        }
        Err(PolicyError::NoLog)
    }
}

/// A policy as far as it was read.
#[derive(Default)]
struct Draft {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, CosignerKey)>,
    groups: Vec<Group>,
    quorum: Option<Option<String>>,
    /// Witnesses and groups, and whether a group has each already.
    names: BTreeMap<String, bool>,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), String> {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err("a control character".into());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            [first, ..] => {
                Err(format!("`{first}` begins no line of a policy, or has too few or too many words"))
            }
        }
    }

    fn log(&mut self, key: &str) -> Result<(), String> {
        let key: VerifierKey = key.parse().map_err(|error: NoteError| error.to_string())?;
        if self.logs.iter().any(|log| log.key() == key.key()) {
            return Err("this log is named twice".into());
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key: CosignerKey = key.parse().map_err(|error: NoteError| error.to_string())?;
        if self.witnesses.iter().any(|(_, witness)| witness.key() == key.key()) {
            return Err("this witness is named twice".into());
        }
        self.name(name)?;
        self.witnesses.push((name.into(), key));
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), String> {
        for member in members {
            match self.names.get_mut(*member) {
                None => return Err(format!("no line above defines `{member}`")),
                Some(true) => return Err(format!("`{member}` is in a group already")),
                Some(taken) => *taken = true,
            }
        }
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            count => {
                count.parse().map_err(|_| format!("`{count}` is no number of members, nor `all` or `any`"))?
            }
        };
        if threshold == 0 || threshold > members.len() {
            return Err(format!("{threshold} of {} members", members.len()));
        }
        self.name(name)?;
        let members = members.iter().map(|member| String::from(*member)).collect();
        self.groups.push(Group { name: name.into(), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("there is a quorum line already".into());
        }
        if name != NONE && !self.names.contains_key(name) {
            return Err(format!("no line above defines `{name}`"));
        }
        self.quorum = Some((name != NONE).then(|| name.into()));
        Ok(())
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        if name == NONE || self.names.insert(name.into(), false).is_some() {
            return Err(format!("the name `{name}` is taken"));
        }
        Ok(())
    }
}

/// The quorum that asks for no witness.
const NONE: &str = "none";
/// The group of [`Policy::of_majority`].
const MAJORITY: &str = "majority";
