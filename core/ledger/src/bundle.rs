//! One entry's proof in a file: that it is in the log, under a checkpoint that log and witnesses signed.
//!
//! C2SP tlog-proof, extension `.tlog-proof`. Whoever has the entry, the file and a policy needs nothing else.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::hash::{Hash, leaf_hash};
use crate::policy::{Policy, PolicyError, Witnessed};
use crate::proof::{ProofError, verify_inclusion};

/// The proof of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes for the reader, which nothing vouches for; none where there is no such line.
    pub extra: Option<Vec<u8>>,
    /// The entry's place in the log, from 0.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub inclusion: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// Why a proof file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not laid out as the format demands.
    #[error("this is not a proof of the form {HEADER}")]
    Malformed,
    /// The checkpoint is not what the policy demands.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The entry is not at this place of the log.
    #[error("the entry is not in the log: {0}")]
    NotIncluded(#[from] ProofError),
}

impl BundleError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "ledger.bundle-malformed",
            Self::Policy(error) => error.code(),
            Self::NotIncluded(error) => error.code(),
        }
    }
}

impl TlogProof {
    /// Checks that the bytes `entry` are in the log at [`Self::index`], by `policy`.
    ///
    /// # Errors
    /// [`BundleError::Policy`], [`BundleError::NotIncluded`].
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<Witnessed, BundleError> {
        let witnessed = policy.check(&self.checkpoint)?;
        let (size, root) = (witnessed.checkpoint.size(), witnessed.checkpoint.root());
        verify_inclusion(&leaf_hash(entry), self.index, size, &self.inclusion, root)?;
        Ok(witnessed)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "{EXTRA}{}", BASE64.encode(extra))?;
        }
        writeln!(f, "{INDEX}{}", self.index)?;
        self.inclusion.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.as_bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = BundleError;

    fn from_str(text: &str) -> Result<Self, BundleError> {
        parse(text).ok_or(BundleError::Malformed)
    }
}

fn parse(text: &str) -> Option<TlogProof> {
    let (head, checkpoint) = text.split_once("\n\n")?;
    let mut lines = head.strip_prefix(HEADER)?.strip_prefix('\n')?.split('\n').peekable();
    let extra = match lines.next_if(|line| line.starts_with(EXTRA)) {
        Some(line) => Some(BASE64.decode(&line[EXTRA.len()..]).ok()?),
        None => None,
    };
    let digits = lines.next()?.strip_prefix(INDEX)?;
    let index = digits.parse::<u64>().ok().filter(|index| format!("{index}") == digits)?;
    let hash = |line: &str| Some(Hash::from_bytes(BASE64.decode(line).ok()?.try_into().ok()?));
    let inclusion = lines.map(hash).collect::<Option<Vec<_>>>()?;
    // No tree of 64-bit size is higher.
    (inclusion.len() <= 64).then(|| TlogProof { extra, index, inclusion, checkpoint: checkpoint.to_string() })
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";
