//! Enrolment in a participant's directory, beside its keys.
//!
//! ```text
//! DIR/bundle.json              from the operator
//!     endorsed.json            digest of the roster that was signed here
//!     NAME.endorsement.json    the signature, for the operator
//!     roster.sealed.json       the roster with everybody's signatures: pinned
//! ```

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use syndic_round::enrolment::Bundle;
use syndic_round::{Digest, EndorsedRoster, Endorsement, Roster, SealedRoster, Timestamp};

use super::review::check_names;
use super::{EnrolError, Enrolment, RosterReview};
use crate::keys::{Keys, KeysError, write_public};
use crate::malformed;

/// Signs the reviewed roster and remembers it: bundle and digest are durable in `dir` before the endorsement
/// exists. A later draft may be endorsed in its place until one is pinned.
///
/// # Errors
/// [`EnrolError::AlreadyPinned`] where another roster is pinned; [`KeysError::Io`].
pub fn endorse(dir: &Path, review: RosterReview<'_>) -> Result<Endorsement, EnrolError> {
    let digest = review.digest();
    if let Some(sealed) = pinned(dir)?
        && sealed.digest() != digest
    {
        return Err(EnrolError::AlreadyPinned { pinned: sealed.digest() });
    }
    let name = review.bundle().name.clone();
    write_json(dir, BUNDLE, review.bundle())?;
    write_json(dir, ENDORSED, &Endorsed { schema: SCHEMA.to_owned(), roster_digest: digest })?;
    // If we crash here the roster counts as endorsed though nobody has the signature; endorsing again makes it.
    let endorsement = review.endorse();
    write_json(dir, &format!("{name}.endorsement.json"), &endorsement)?;
    Ok(endorsement)
}

/// Pins the roster that everybody signed, if it is the one that was endorsed in `dir`.
///
/// # Errors
/// [`EnrolError::RosterName`] and [`EnrolError::Roster`] for a roster that breaks a rule or lacks a signature;
/// [`EnrolError::NotEndorsed`], [`EnrolError::ChangedRoster`], [`KeysError::Io`].
pub fn pin(dir: &Path, endorsed: EndorsedRoster) -> Result<SealedRoster, EnrolError> {
    let sealed = verify(endorsed.clone())?;
    refuse_if_not_endorsed(dir, &sealed)?;
    // If we crash here nothing is pinned, and pinning again does it; afterwards the roster is there whole.
    write_json(dir, SEALED, &endorsed)?;
    Ok(sealed)
}

/// Takes over a bundle with a renewed certificate or a new coordinator address; what `dir` held is untouched where
/// this fails. When the certificate in the bundle is over.
///
/// # Errors
/// [`EnrolError`] where it does not fit the keys and the pinned roster; [`KeysError::Io`].
pub fn renew(dir: &Path, bundle: &Bundle) -> Result<Timestamp, EnrolError> {
    let sealed = pinned(dir)?.ok_or_else(|| EnrolError::Missing { path: dir.join(SEALED) })?;
    refuse_if_not_endorsed(dir, &sealed)?;
    let enrolment = Enrolment::new(Keys::load(dir)?, bundle.clone(), sealed)?;
    // If we crash here the old bundle is in use, and renewing again replaces it.
    write_json(dir, BUNDLE, bundle)?;
    Ok(enrolment.certificate_expires_at())
}

impl Enrolment {
    /// Reads an enrolled participant's directory.
    ///
    /// # Errors
    /// [`EnrolError`] names the file that is missing or does not agree with the others.
    pub fn load(dir: &Path) -> Result<Self, EnrolError> {
        let keys = Keys::load(dir)?;
        let bundle = read_bundle(&dir.join(BUNDLE))?;
        let sealed = pinned(dir)?.ok_or_else(|| EnrolError::Missing { path: dir.join(SEALED) })?;
        refuse_if_not_endorsed(dir, &sealed)?;
        Self::new(keys, bundle, sealed)
    }
}

/// Reads the bundle that `syndic federation add-participant` wrote.
///
/// # Errors
/// [`EnrolError::Missing`], [`EnrolError::Malformed`].
pub fn read_bundle(path: &Path) -> Result<Bundle, EnrolError> {
    read_json(path)
}

/// The bundle that is in use in `dir`.
pub(crate) fn read_installed_bundle(dir: &Path) -> Result<Bundle, EnrolError> {
    read_bundle(&dir.join(BUNDLE))
}

/// Reads the draft that `syndic federation roster` wrote.
///
/// # Errors
/// [`EnrolError::Missing`], [`EnrolError::Malformed`].
pub fn read_roster(path: &Path) -> Result<Roster, EnrolError> {
    read_json(path)
}

/// Reads the roster that `syndic federation seal` wrote.
///
/// # Errors
/// [`EnrolError::Missing`], [`EnrolError::Malformed`].
pub fn read_endorsed_roster(path: &Path) -> Result<EndorsedRoster, EnrolError> {
    read_json(path)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endorsed {
    schema: String,
    roster_digest: Digest,
}

const SCHEMA: &str = "syndic.endorsed/1";
const BUNDLE: &str = "bundle.json";
const ENDORSED: &str = "endorsed.json";
const SEALED: &str = "roster.sealed.json";

fn pinned(dir: &Path) -> Result<Option<SealedRoster>, EnrolError> {
    match read_endorsed_roster(&dir.join(SEALED)) {
        Ok(endorsed) => verify(endorsed).map(Some),
        Err(EnrolError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The roster, if it keeps every rule and all its members signed it.
fn verify(endorsed: EndorsedRoster) -> Result<SealedRoster, EnrolError> {
    check_names(&endorsed.roster)?;
    Ok(endorsed.verify()?)
}

fn refuse_if_not_endorsed(dir: &Path, sealed: &SealedRoster) -> Result<(), EnrolError> {
    let endorsed: Endorsed = match read_json(&dir.join(ENDORSED)) {
        Err(EnrolError::Missing { .. }) => return Err(EnrolError::NotEndorsed { dir: dir.to_owned() }),
        other => other?,
    };
    match endorsed.roster_digest == sealed.digest() {
        true => Ok(()),
        false => Err(EnrolError::ChangedRoster { found: sealed.digest(), endorsed: endorsed.roster_digest }),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, EnrolError> {
    let text = fs::read(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => EnrolError::Missing { path: path.to_owned() },
        _ => KeysError::io(path, source).into(),
    })?;
    malformed::read_json(&text).map_err(|reason| EnrolError::Malformed { path: path.to_owned(), reason })
}

fn write_json(dir: &Path, name: &str, value: &impl Serialize) -> Result<(), EnrolError> {
    let mut text = serde_json::to_vec_pretty(value).expect("strings and bytes have a JSON form");
    text.push(b'\n');
    Ok(write_public(&dir.join(name), &text)?)
}
