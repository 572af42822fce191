//! What can go wrong while a federation is founded.

use syndic_round::RosterError;
use thiserror::Error;

use crate::authority::{AuthorityError, FileError, RevocationError};

/// Why a step of founding a federation is refused.
#[derive(Debug, Error)]
pub enum FederationError {
    /// A coordinator that nobody could reach.
    #[error("a federation needs at least one address of its coordinator")]
    NoAddress,
    /// Another member has the name.
    #[error("the name `{name}` belongs to a member with another signing key")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Another member has the key.
    #[error("the signing key belongs to the member `{name}` already")]
    KeyTaken {
        /// That member's name.
        name: String,
    },
    /// A newcomer after the members signed.
    #[error("the roster is sealed: `{name}` cannot be added")]
    Sealed {
        /// Who came too late.
        name: String,
    },
    /// Sealing twice.
    #[error("the roster is sealed already")]
    AlreadySealed,
    /// As many members as a roster takes.
    #[error("the federation has 256 members, as many as a roster takes")]
    Full,
    /// Nobody of this name.
    #[error("the roster has no member `{name}`")]
    NoSuchMember {
        /// The name.
        name: String,
    },
    /// A list of revoked certificates that cannot be relied on.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// A roster that its members did not all sign, or that no federation can have.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A certificate that is not issued.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl FederationError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoAddress => "federation.no-address",
            Self::NameTaken { .. } => "federation.name-taken",
            Self::KeyTaken { .. } => "federation.key-taken",
            Self::Sealed { .. } => "federation.sealed",
            Self::AlreadySealed => "federation.already-sealed",
            Self::Full => "federation.full",
            Self::NoSuchMember { .. } => "federation.no-such-member",
            Self::Revocation(error) => error.code(),
            Self::Roster(error) => error.code(),
            Self::Authority(error) => error.code(),
            Self::File(error) => error.code(),
        }
    }

    /// Whether the host is at fault, its disk for instance, and no file or argument.
    pub fn is_of_the_world(&self) -> bool {
        matches!(self, Self::File(FileError::Io { .. }) | Self::Authority(AuthorityError::Library { .. }))
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoAddress => "give `--host HOST[:PORT]` as participants will reach it",
            Self::NameTaken { .. } => {
                "ask the institution to make keys under another name; if its keys were lost, it cannot take its \
                 old place in this roster"
            }
            Self::KeyTaken { .. } => "every institution makes its own keys with `syndic-participant keygen`",
            Self::Sealed { .. } => {
                "the members signed exactly this list; a later release changes sealed rosters, until then a new \
                 federation takes the new member in"
            }
            Self::AlreadySealed => "give every member the `roster.sealed.json` that is there",
            Self::Full => "found a second federation",
            Self::NoSuchMember { .. } => "name a member as `syndic federation roster` shows it",
            Self::Revocation(error) => error.help(),
            Self::Roster(RosterError::Unsigned(_)) => {
                "give that member the current `roster.json`, let it run `syndic-participant endorse`, and pass \
                 its endorsement file; a roster that changed after it signed needs a new signature"
            }
            Self::Roster(RosterError::Approvers | RosterError::Key(_) | RosterError::Name(_)) => {
                "give each approver a name of its own and a key that `syndic model new-key` made for it alone"
            }
            Self::Roster(RosterError::Size(_)) => "add participants with `syndic federation add-participant`",
            Self::Roster(_) => {
                "restore `roster.json` from a backup: it is not as `syndic federation` writes it"
            }
            Self::Authority(error) => error.help(),
            Self::File(error) => error.help(),
        }
    }
}
