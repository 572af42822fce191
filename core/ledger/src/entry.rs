//! One fact of the ledger: a CloudEvents-named envelope around typed data, in one canonical byte string.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::canonical::{self, CanonicalError};
use crate::{Hash, TimeError, Timestamp};

/// One entry of the ledger.
///
/// Its bytes are one JSON object in RFC 8785 form with exactly the keys below (optional ones left out when
/// absent), at most [`Entry::MAX_BYTES`]; anything larger belongs in a blob that the entry names by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Unique in the ledger; by convention a UUID of version 7.
    pub id: String,
    /// Who wrote it, such as `coordinator/` and the federation's name.
    pub source: String,
    /// What happened, such as `syndic.round.opened`; key `type`. See [`crate::schema`].
    pub kind: String,
    /// When it happened, by the writer's clock.
    pub time: Timestamp,
    /// What it is about, such as `job/7f/round/3/attempt/1`; entries of one subject form a chain.
    pub subject: Option<String>,
    /// The version of the type's schema.
    pub schema: String,
    /// The leaf hash of the previous entry with the same subject; `None` for the first, and without a subject.
    pub round_prev: Option<Hash>,
    /// What the type requires: a JSON object without floating-point numbers.
    pub data: Value,
}

/// Why a value or a byte string is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The bytes are not UTF-8, not JSON, or JSON that readers do not take: over a hundred levels deep, or with a
    /// number beyond the range of a double.
    #[error("the entry is not a JSON text that can be read")]
    NotJson,
    /// JSON, but not an object.
    #[error("the entry is not a JSON object")]
    NotObject,
    /// JSON, but spelled otherwise than RFC 8785 demands; a key given twice shows here too.
    #[error("the entry is not in canonical form")]
    NotCanonical,
    /// Longer than an entry may be.
    #[error("the entry has {bytes} bytes, more than {max}", max = Entry::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The envelope has a key that is none of ours.
    #[error("the envelope has an unknown key `{0}`")]
    UnknownKey(String),
    /// The envelope lacks a required key.
    #[error("the envelope lacks the key `{0}`")]
    MissingKey(&'static str),
    /// The value of an envelope key is of the wrong type, empty, or no digest.
    #[error("the envelope key `{0}` has a value of the wrong form")]
    WrongForm(&'static str),
    /// `time` is not a moment in the one accepted form.
    #[error("the envelope key `time` is wrong: {0}")]
    Time(#[from] TimeError),
    /// A value that has no canonical form.
    #[error("the entry holds {0}")]
    Value(#[from] CanonicalError),
}

impl EntryError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson => "ledger.entry-not-json",
            Self::NotObject => "ledger.entry-not-object",
            Self::NotCanonical => "ledger.entry-not-canonical",
            Self::TooLong { .. } => "ledger.entry-too-long",
            Self::UnknownKey(_) => "ledger.entry-unknown-key",
            Self::MissingKey(_) => "ledger.entry-missing-key",
            Self::WrongForm(_) => "ledger.entry-wrong-form",
            Self::Time(error) => error.code(),
            Self::Value(error) => error.code(),
        }
    }
}

impl Entry {
    /// The most bytes an entry may have: a bundle gives its length in 16 bits.
    pub const MAX_BYTES: usize = 65_535;

    /// The bytes that enter the ledger.
    ///
    /// # Errors
    /// An empty `id`, `source`, `kind`, `schema` or `subject`; `data` that is no object or has no canonical
    /// form; more than [`Entry::MAX_BYTES`].
    pub fn to_canonical(&self) -> Result<Vec<u8>, EntryError> {
        if !self.data.is_object() {
            return Err(EntryError::WrongForm(DATA));
        }
        let mut out = String::from("{\"data\":");
        canonical::write_value(&mut out, &self.data, 1).map_err(|error| error.under(DATA))?;
        let round_prev = self.round_prev.map(|digest| digest.to_string());
        let time = self.time.to_string();
        // In canonical order.
        for (key, text) in [
            (ID, Some(&self.id)),
            (ROUND_PREV, round_prev.as_ref()),
            (SCHEMA, Some(&self.schema)),
            (SOURCE, Some(&self.source)),
            (SUBJECT, self.subject.as_ref()),
            (TIME, Some(&time)),
            (TYPE, Some(&self.kind)),
        ] {
            let Some(text) = text else { continue };
            if text.is_empty() {
                return Err(EntryError::WrongForm(key));
            }
            out.push(',');
            canonical::write_string(&mut out, key);
            out.push(':');
            canonical::write_string(&mut out, text);
        }
        out.push('}');
        check_length(out.len())?;
        Ok(out.into_bytes())
    }

    /// Reads an entry from its bytes.
    ///
    /// # Errors
    /// Anything that [`Entry::to_canonical`] would not have written: every valid byte string is the canonical
    /// form of exactly one entry.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        check_length(bytes.len())?;
        let value: Value = serde_json::from_slice(bytes).map_err(|_| EntryError::NotJson)?;
        if !canonical::is_form_of(bytes, &value)? {
            return Err(EntryError::NotCanonical);
        }
        Self::of(value)
    }

    /// The same, of bytes that were found to be canonical before.
    pub(crate) fn parse_again(bytes: &[u8]) -> Result<Self, EntryError> {
        Self::of(serde_json::from_slice(bytes).map_err(|_| EntryError::NotJson)?)
    }

    fn of(value: Value) -> Result<Self, EntryError> {
        let Value::Object(mut members) = value else {
            return Err(EntryError::NotObject);
        };
        let entry = Self {
            id: required_text(&mut members, ID)?,
            source: required_text(&mut members, SOURCE)?,
            kind: required_text(&mut members, TYPE)?,
            time: required_text(&mut members, TIME)?.parse()?,
            subject: text(&mut members, SUBJECT)?,
            schema: required_text(&mut members, SCHEMA)?,
            round_prev: digest(&mut members, ROUND_PREV)?,
            data: members.remove(DATA).ok_or(EntryError::MissingKey(DATA))?,
        };
        if !entry.data.is_object() {
            return Err(EntryError::WrongForm(DATA));
        }
        match members.into_iter().next() {
            Some((key, _)) => Err(EntryError::UnknownKey(key)),
            None => Ok(entry),
        }
    }
}

fn check_length(bytes: usize) -> Result<(), EntryError> {
    if bytes > Entry::MAX_BYTES { Err(EntryError::TooLong { bytes }) } else { Ok(()) }
}

fn text(members: &mut Map<String, Value>, key: &'static str) -> Result<Option<String>, EntryError> {
    match members.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(EntryError::WrongForm(key)),
    }
}

fn required_text(members: &mut Map<String, Value>, key: &'static str) -> Result<String, EntryError> {
    text(members, key)?.ok_or(EntryError::MissingKey(key))
}

fn digest(members: &mut Map<String, Value>, key: &'static str) -> Result<Option<Hash>, EntryError> {
    let Some(text) = text(members, key)? else { return Ok(None) };
    Hash::from_hex(&text).map(Some).ok_or(EntryError::WrongForm(key))
}

const DATA: &str = "data";
const ID: &str = "id";
const ROUND_PREV: &str = "round_prev";
const SCHEMA: &str = "schema";
const SOURCE: &str = "source";
const SUBJECT: &str = "subject";
const TIME: &str = "time";
const TYPE: &str = "type";
