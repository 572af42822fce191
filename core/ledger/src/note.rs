//! Signed notes: text that anyone can read, with lines of signatures below it.
//!
//! C2SP signed-note, Ed25519 only (type byte 0x01). Signatures by other keys are ignored, as the specification
//! demands, so that witnesses can sign below the log. Verification is strict: no small-order keys, no second
//! encoding of a signature.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::Hash;

/// The public key of a log, or of whoever else signs notes of its own.
pub type VerifierKey = NoteKey<ED25519>;

/// A public key with the name of its holder; enough to check what the holder signs below notes. `TYPE` is the
/// signature type of C2SP signed-note, so that a key for the one is never taken for a key for the other.
///
/// Printed and read in the vkey form `name+c74f20a3+ARpc2QcU...`: name, key id, type byte and key in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey<const TYPE: u8> {
    name: String,
    key: VerifyingKey,
}

/// Why a key or a note is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A key name is empty or holds a space, a plus sign or a control character.
    #[error("`{0}` cannot name a key: it is empty, or has a space, a plus sign or a control character")]
    Name(String),
    /// The text is no vkey, or its key id does not belong to its key.
    #[error("this is not an Ed25519 verifier key of the form name+id+key, or it is one for another use")]
    Key,
    /// Not laid out as text, blank line and signature lines.
    #[error("this is not a signed note")]
    Malformed,
    /// None of the signatures is by this key.
    #[error("the note bears no signature by `{0}` with this key")]
    Unsigned(String),
    /// A signature that names this key was not made by it over this text.
    #[error("the signature by `{0}` is wrong")]
    Signature(String),
}

impl NoteError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "ledger.key-name",
            Self::Key => "ledger.key-malformed",
            Self::Malformed => "ledger.note-malformed",
            Self::Unsigned(_) => "ledger.note-unsigned",
            Self::Signature(_) => "ledger.note-signature",
        }
    }
}

impl<const TYPE: u8> NoteKey<TYPE> {
    /// Names a public key.
    ///
    /// # Errors
    /// [`NoteError::Name`] for a name that a note cannot carry; [`NoteError::Key`] for a key of small order,
    /// under which anything could be forged.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        check_name(name)?;
        if key.is_weak() {
            return Err(NoteError::Key);
        }
        Ok(Self { name: String::from(name), key })
    }

    /// The holder's name; for a log, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key itself.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// For people who compare keys by eye or by telephone: SHA-256 over name and key in groups of four
    /// hexadecimal digits. The first two groups are the key id that a note's signature carries.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = hex::encode(self.digest().as_bytes());
        let mut text = String::with_capacity(79);
        for (place, digit) in digest.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push(' ');
            }
            text.push(digit);
        }
        text
    }

    fn digest(&self) -> Hash {
        Hash::of(&[self.name.as_bytes(), b"\n", &[TYPE], self.key.as_bytes()])
    }

    pub(crate) fn id(&self) -> [u8; ID_LENGTH] {
        let [a, b, c, d, ..] = *self.digest().as_bytes();
        [a, b, c, d]
    }
}

impl<const TYPE: u8> fmt::Display for NoteKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[TYPE], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64.encode(key))
    }
}

impl<const TYPE: u8> FromStr for NoteKey<TYPE> {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let key = BASE64.decode(key).map_err(|_| NoteError::Key)?;
        let (kind, key) = key.split_first().ok_or(NoteError::Key)?;
        let key = <&[u8; 32]>::try_from(key).map_err(|_| NoteError::Key)?;
        if *kind != TYPE {
            return Err(NoteError::Key);
        }
        let key = Self::new(name, VerifyingKey::from_bytes(key).map_err(|_| NoteError::Key)?)?;
        if hex::encode(key.id()) == id { Ok(key) } else { Err(NoteError::Key) }
    }
}

/// Signs `text`, whose last character is a newline, under `name` and returns the whole note.
///
/// # Errors
/// [`NoteError::Name`]; [`NoteError::Malformed`] for a text without its newline or with control characters other
/// than newlines.
pub fn sign(text: &str, name: &str, key: &SigningKey) -> Result<String, NoteError> {
    if !text.ends_with('\n') || has_control(text) {
        return Err(NoteError::Malformed);
    }
    let verifier = VerifierKey::new(name, key.verifying_key())?;
    Ok(format!("{text}\n{}", signature_line(&verifier, &key.sign(text.as_bytes()).to_bytes())))
}

/// A line of signature, newline included, as it stands below a note.
pub(crate) fn signature_line<const TYPE: u8>(key: &NoteKey<TYPE>, signature: &[u8]) -> String {
    let signature = [key.id().as_slice(), signature].concat();
    format!("{SIGNED_BY}{} {}\n", key.name, BASE64.encode(signature))
}

/// The text of a note, and what stands below it by a key of this name and id: still to be verified.
pub(crate) fn signatures_by<'note, const TYPE: u8>(
    note: &'note str,
    key: &NoteKey<TYPE>,
) -> Result<(&'note str, Vec<Vec<u8>>), NoteError> {
    let (text, signatures) = parse(note)?;
    let theirs = signatures.into_iter().filter(|(name, id, _)| *name == key.name && *id == key.id());
    Ok((text, theirs.map(|(_, _, signature)| signature).collect()))
}

/// A note with one more line below it.
pub(crate) fn with_line(note: &str, line: &str) -> Result<String, NoteError> {
    let longer = format!("{note}{line}");
    // Also that it stands where signatures do, and not in the text.
    match parse(note)?.1.len() + 1 == parse(&longer)?.1.len() {
        true => Ok(longer),
        false => Err(NoteError::Malformed),
    }
}

/// Checks a note against one key and returns its text, newline included.
///
/// # Errors
/// A note that is malformed, is not signed by this key, or bears a wrong signature in its name.
pub fn open<'note>(note: &'note str, key: &VerifierKey) -> Result<&'note str, NoteError> {
    let (text, signatures) = signatures_by(note, key)?;
    let mut verified = false;
    for signature in signatures {
        let wrong = || NoteError::Signature(key.name.clone());
        let signature = Signature::from_slice(&signature).map_err(|_| wrong())?;
        key.key.verify_strict(text.as_bytes(), &signature).map_err(|_| wrong())?;
        verified = true;
    }
    if verified { Ok(text) } else { Err(NoteError::Unsigned(key.name.clone())) }
}

type SignatureLine<'note> = (&'note str, [u8; ID_LENGTH], Vec<u8>);

fn parse(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    if note.len() > MAX_NOTE_BYTES || has_control(note) {
        return Err(NoteError::Malformed);
    }
    let blank = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let lines = signatures.split('\n').map(parse_signature).collect::<Option<Vec<_>>>();
    Ok((text, lines.ok_or(NoteError::Malformed)?))
}

fn parse_signature(line: &str) -> Option<SignatureLine<'_>> {
    let (name, signature) = line.strip_prefix(SIGNED_BY)?.split_once(' ')?;
    check_name(name).ok()?;
    let signature = BASE64.decode(signature).ok()?;
    let (id, signature) = signature.split_first_chunk::<ID_LENGTH>()?;
    Some((name, *id, signature.to_vec()))
}

/// Refuses a name that a signature line could not carry.
pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if !name.is_empty() && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(NoteError::Name(String::from(name)))
    }
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}

/// Ed25519 over the text of a note.
pub const ED25519: u8 = 0x01;
/// Ed25519 over a checkpoint and the time at which it was seen; see [`mod@crate::cosignature`].
pub const COSIGNATURE: u8 = 0x04;
const ID_LENGTH: usize = 4;
const SIGNED_BY: &str = "\u{2014} ";

/// Room for a hundred signatures of ML-DSA and more; a note is read whole before anything in it is trusted.
const MAX_NOTE_BYTES: usize = 1 << 20;
