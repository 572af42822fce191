//! The operator's federation directory.
//!
//! ```text
//! DIR/federation.json          name, addresses, public ledger key
//!     authority.pem, authority.key.pem        the key may be kept offline
//!     coordinator.pem, coordinator.key.pem, ledger.key.pem
//!     roster.json              the draft that members sign
//!     roster.sealed.json       with all their signatures
//!     members/NAME.bundle.json what each institution gets
//!     members/NAME.certificates.pem  every certificate that it ever got, for `revoke`
//!     revoked.crl.pem          certificates that were taken back, if any were
//! ```

use std::fs::File;
use std::path::Path;

use ed25519_dalek::SigningKey;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use syndic_round::enrolment::{Address, Bundle, SigningRequest};
use syndic_round::{EndorsedRoster, Endorsement, Roster, SealedRoster};
use zeroize::Zeroizing;

use super::{CoordinatorIdentity, Federation, FederationError};
use crate::authority::{
    Authority, FileError, RevocationList, TlsKey, create_directory, federation_of, read_certificate,
    read_public, read_secret, to_pem, write_public, write_secret,
};

/// Held while a federation directory is changed, so that two commands do not undo each other.
pub struct Lock {
    _file: File,
}

/// Waits until nobody else changes the federation in `dir`.
///
/// # Errors
/// [`FileError::Missing`] where there is none.
pub fn lock(dir: &Path) -> Result<Lock, FederationError> {
    let path = dir.join(FEDERATION);
    let file = File::open(&path).and_then(|file| file.lock().map(|()| file));
    Ok(Lock { _file: file.map_err(|source| FileError::of(&path, source))? })
}

impl Federation {
    /// Writes a new federation to `dir`: private keys of mode 0600, the directory of mode 0700 where it is made.
    ///
    /// # Errors
    /// [`FileError::Exists`] where `dir` holds a federation already, [`FileError::Io`].
    pub fn write(&self, dir: &Path) -> Result<(), FederationError> {
        create_directory(dir)?;
        let record = dir.join(FEDERATION);
        if record.exists() {
            return Err(FileError::Exists(record).into());
        }
        let identity = &self.identity;
        write_secret(&dir.join(AUTHORITY_KEY), self.authority.key().pkcs8())?;
        write_secret(&dir.join(TLS_KEY), identity.tls_key.pkcs8())?;
        write_secret(&dir.join(LEDGER_KEY), &ed25519_to_pkcs8(&identity.ledger_key))?;
        write_public(&dir.join(AUTHORITY), to_pem(&identity.authority).as_bytes())?;
        write_public(&dir.join(CERTIFICATE), to_pem(&identity.certificate).as_bytes())?;
        write_public(&dir.join(ROSTER), &json(&self.roster))?;
        // If we crash here there are keys without a federation: loading says what is missing, writing again
        // refuses to overwrite them, and nobody has been certified yet.
        let content = Record {
            schema: SCHEMA.to_owned(),
            federation: identity.federation.clone(),
            coordinator: identity.addresses.clone(),
            coordinator_key: hex::encode(self.roster.coordinator_key),
        };
        Ok(write_public(&record, &json(&content))?)
    }

    /// Reads what [`Federation::write`] and later steps left in `dir`.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong with it.
    pub fn load(dir: &Path) -> Result<Self, FederationError> {
        let identity = CoordinatorIdentity::load(dir)?;
        let key = read_tls_key(&dir.join(AUTHORITY_KEY), &identity.authority, AUTHORITY)?;
        let authority = Authority::from_parts(&identity.federation, key, identity.authority.clone());
        let path = dir.join(ROSTER);
        let roster: Roster = read_public(&path)?;
        if roster.federation != identity.federation {
            return Err(FileError::malformed(&path, "belongs to another federation").into());
        }
        let sealed = load_sealed_roster(dir)?;
        if sealed.as_ref().is_some_and(|sealed| *sealed.roster() != roster) {
            return Err(FileError::malformed(&path, "is not the roster that its members signed").into());
        }
        Ok(Self { authority, identity, roster, sealed })
    }

    /// Stores the draft roster, once an approver is in it.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write_roster(&self, dir: &Path) -> Result<(), FederationError> {
        Ok(write_public(&dir.join(ROSTER), &json(&self.roster))?)
    }

    /// Stores a member that [`Federation::add_participant`] took in: the roster, then its bundle.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write_member(&self, dir: &Path, bundle: &Bundle) -> Result<(), FederationError> {
        write_public(&dir.join(ROSTER), &json(&self.roster))?;
        // If we crash here the member is in the roster without its bundle; adding the same request again
        // certifies it under the same id.
        let members = dir.join(MEMBERS);
        create_directory(&members)?;
        let mut certificates = certificates_in(&members, &bundle.name)?;
        let path = members.join(format!("{}.certificates.pem", bundle.name));
        let issued = read_certificates(bundle.certificate_pem.as_bytes());
        let issued = issued.ok_or_else(|| FileError::malformed(&path, "would not hold a certificate"))?;
        certificates.extend(issued);
        certificates.dedup();
        write_public(&path, certificates.iter().map(to_pem).collect::<String>().as_bytes())?;
        // If we crash here a certificate is listed that nobody has; had it been given out before it was listed, nobody
        // could take it back.
        Ok(write_public(&members.join(format!("{}.bundle.json", bundle.name)), &json(bundle))?)
    }

    /// Every certificate that the member of this name got, as the files in `dir` have it.
    ///
    /// # Errors
    /// [`FederationError::NoSuchMember`], [`FileError`].
    pub(crate) fn certificates_of(
        &self,
        dir: &Path,
        name: &str,
    ) -> Result<Vec<CertificateDer<'static>>, FederationError> {
        if !self.roster.members.iter().any(|member| member.name == name) {
            return Err(FederationError::NoSuchMember { name: name.to_owned() });
        }
        let members = dir.join(MEMBERS);
        let certificates = certificates_in(&members, name)?;
        if certificates.is_empty() {
            return Err(FileError::Missing(members.join(format!("{name}.bundle.json"))).into());
        }
        Ok(certificates)
    }

    /// Stores the certificate that [`Federation::renew_coordinator`] issued, whole or not at all; the key beside it
    /// stays.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write_coordinator_certificate(&self, dir: &Path) -> Result<(), FederationError> {
        Ok(write_public(&dir.join(CERTIFICATE), to_pem(&self.identity.certificate).as_bytes())?)
    }

    /// Stores a roster that [`Federation::seal`] closed.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write_sealed(&self, dir: &Path, endorsed: &EndorsedRoster) -> Result<(), FederationError> {
        Ok(write_public(&dir.join(SEALED), &json(endorsed))?)
    }
}

impl CoordinatorIdentity {
    /// Reads the coordinator's part of a federation directory; the authority's key need not be there.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong with it.
    pub fn load(dir: &Path) -> Result<Self, FederationError> {
        let path = dir.join(FEDERATION);
        let record: Record = read_public(&path)?;
        if record.schema != SCHEMA {
            return Err(FileError::malformed(&path, format!("is of another schema than `{SCHEMA}`")).into());
        }
        let path = dir.join(LEDGER_KEY);
        let ledger_key = ed25519_from_pkcs8(&read_secret(&path)?)
            .ok_or_else(|| FileError::malformed(&path, "does not hold an Ed25519 key"))?;
        if hex::encode(ledger_key.verifying_key().to_bytes()) != record.coordinator_key {
            let reason = "holds another key than the one that federation.json names";
            return Err(FileError::malformed(&path, reason).into());
        }
        let certificate = read_certificate(&dir.join(CERTIFICATE))?;
        let tls_key = read_tls_key(&dir.join(TLS_KEY), &certificate, CERTIFICATE)?;
        let path = dir.join(AUTHORITY);
        let authority = read_certificate(&path)?;
        if federation_of(&authority).as_ref() != Some(&record.federation) {
            let reason = "is not the authority of the federation that federation.json names";
            return Err(FileError::malformed(&path, reason).into());
        }
        Ok(Self {
            federation: record.federation,
            addresses: record.coordinator,
            authority,
            certificate,
            tls_key,
            ledger_key,
        })
    }
}

/// The list of revoked certificates in `dir`, if there is one, as the authority signed it.
///
/// # Errors
/// [`FileError`], [`FederationError::Revocation`].
pub fn load_revocations(
    dir: &Path,
    authority: &CertificateDer<'_>,
) -> Result<Option<RevocationList>, FederationError> {
    let path = dir.join(REVOKED);
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(RevocationList::from_pem(&text, authority)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::of(&path, error).into()),
    }
}

/// Puts a signed list in place, whole or not at all.
pub(crate) fn write_revocations(dir: &Path, text: &str) -> Result<(), FederationError> {
    Ok(write_public(&dir.join(REVOKED), text.as_bytes())?)
}

/// The files of `dir` that may change while a coordinator runs.
pub(crate) fn changing_files(dir: &Path) -> [std::path::PathBuf; 3] {
    [CERTIFICATE, TLS_KEY, REVOKED].map(|file| dir.join(file))
}

/// The certificates that the files of the member of this name hold, the oldest first: those that were listed, and the one
/// in its bundle, which may have been made before there were lists.
fn certificates_in(members: &Path, name: &str) -> Result<Vec<CertificateDer<'static>>, FederationError> {
    let path = members.join(format!("{name}.certificates.pem"));
    let mut certificates = match std::fs::read(&path) {
        Ok(text) => {
            let no_list = || FileError::malformed(&path, "is not a list of certificates in PEM");
            read_certificates(&text).ok_or_else(no_list)?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(FileError::of(&path, error).into()),
    };
    let path = members.join(format!("{name}.bundle.json"));
    match read_public::<Bundle>(&path) {
        Ok(bundle) => {
            let no_certificate = || FileError::malformed(&path, "holds no certificate in PEM");
            let last = read_certificates(bundle.certificate_pem.as_bytes()).ok_or_else(no_certificate)?;
            certificates.extend(last);
        }
        Err(FileError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    certificates.dedup();
    Ok(certificates)
}

fn read_certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all = pem::parse_many(text).ok()?;
    all.into_iter()
        .map(|pem| (pem.tag() == "CERTIFICATE").then(|| CertificateDer::from(pem.into_contents())))
        .collect()
}

/// The sealed roster in `dir`, verified; none where it is not sealed yet.
///
/// # Errors
/// [`FileError`], and [`FederationError::Roster`] where a signature is not valid.
pub fn load_sealed_roster(dir: &Path) -> Result<Option<SealedRoster>, FederationError> {
    let path = dir.join(SEALED);
    match read_public::<EndorsedRoster>(&path) {
        Ok(endorsed) => Ok(Some(endorsed.verify()?)),
        Err(FileError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads the file that `syndic-participant keygen` wrote.
///
/// # Errors
/// [`FileError`]. What it says is not verified here but by [`Federation::add_participant`].
pub fn read_signing_request(path: &Path) -> Result<SigningRequest, FederationError> {
    Ok(read_public(path)?)
}

/// Reads the file that `syndic-participant endorse` wrote.
///
/// # Errors
/// [`FileError`]. What it says is not verified here but by [`Federation::seal`].
pub fn read_endorsement(path: &Path) -> Result<Endorsement, FederationError> {
    Ok(read_public(path)?)
}

/// The key in the file `path`, which must be the one of `certificate`, from the file `beside` it.
fn read_tls_key(
    path: &Path,
    certificate: &CertificateDer<'static>,
    beside: &str,
) -> Result<TlsKey, FederationError> {
    let key = TlsKey::from_pkcs8(read_secret(path)?)
        .map_err(|_| FileError::malformed(path, "does not hold an ECDSA P-256 key"))?;
    key.certified(certificate.clone())
        .map_err(|_| FileError::malformed(path, format!("is not the key of {beside}")))?;
    Ok(key)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    schema: String,
    federation: String,
    coordinator: Vec<Address>,
    coordinator_key: String,
}

const SCHEMA: &str = "syndic.federation/1";
const FEDERATION: &str = "federation.json";
const AUTHORITY: &str = "authority.pem";
const AUTHORITY_KEY: &str = "authority.key.pem";
const CERTIFICATE: &str = "coordinator.pem";
const TLS_KEY: &str = "coordinator.key.pem";
const LEDGER_KEY: &str = "ledger.key.pem";
const ROSTER: &str = "roster.json";
const SEALED: &str = "roster.sealed.json";
const MEMBERS: &str = "members";
/// The list of revoked certificates.
pub(crate) const REVOKED: &str = "revoked.crl.pem";

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("strings and bytes have a JSON form");
    text.push(b'\n');
    text
}

/// RFC 8410 section 7, version 0.
fn ed25519_to_pkcs8(key: &SigningKey) -> Zeroizing<Vec<u8>> {
    let seed = Zeroizing::new(key.to_bytes());
    let mut der = Zeroizing::new(Vec::with_capacity(ED25519_PKCS8.len() + seed.len()));
    der.extend_from_slice(&ED25519_PKCS8);
    der.extend_from_slice(seed.as_ref());
    der
}

fn ed25519_from_pkcs8(der: &[u8]) -> Option<SigningKey> {
    let seed = <&[u8; 32]>::try_from(der.strip_prefix(&ED25519_PKCS8)?).ok()?;
    Some(SigningKey::from_bytes(seed))
}

/// SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes } }.
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
