//! How an institution joins: it reviews the roster, signs it, and pins it once everybody has signed.
//!
//! The roster decides whose signatures count in a round, so it is checked here, on the institution's own host,
//! against the institution's own keys; the operator's word is not enough.

mod error;
mod review;
mod store;

use ed25519_dalek::VerifyingKey;
use rustls::pki_types::CertificateDer;
use syndic_round::enrolment::{Address, Bundle, MemberIdentity};
use syndic_round::{ParticipantId, Roster, SealedRoster, Timestamp};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

use crate::keys::Keys;
use crate::tls::{ConnectError, Connector};
pub use error::EnrolError;
pub use review::RosterReview;
pub(crate) use store::read_installed_bundle;
pub use store::{endorse, pin, read_bundle, read_endorsed_roster, read_roster, renew};

/// An institution that has joined: keys, bundle and pinned roster, which agree with each other. Holds private
/// keys: not printable, not copyable.
pub struct Enrolment {
    keys: Keys,
    bundle: Bundle,
    roster: SealedRoster,
    coordinator_key: VerifyingKey,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
}

impl Enrolment {
    /// The enrolment of the holder of `keys`, as `bundle` says, in the federation of `roster`.
    ///
    /// # Errors
    /// [`EnrolError`] says which two of the three do not agree.
    pub fn new(keys: Keys, bundle: Bundle, roster: SealedRoster) -> Result<Self, EnrolError> {
        let Credentials { coordinator_key, authority, certificate } = check(&keys, &bundle, roster.roster())?;
        Ok(Self { keys, bundle, roster, coordinator_key, authority, certificate })
    }

    /// This institution's private keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Its id in the roster.
    pub fn id(&self) -> ParticipantId {
        self.bundle.participant
    }

    /// Its name in the roster.
    pub fn name(&self) -> &str {
        &self.bundle.name
    }

    /// The federation's name.
    pub fn federation(&self) -> &str {
        &self.bundle.federation
    }

    /// The pinned roster.
    pub fn roster(&self) -> &SealedRoster {
        &self.roster
    }

    /// The key that the coordinator signs ledger checkpoints and receipts with.
    pub fn coordinator_key(&self) -> &VerifyingKey {
        &self.coordinator_key
    }

    /// Where the coordinator listens.
    pub fn addresses(&self) -> &[Address] {
        &self.bundle.coordinator
    }

    /// When this institution's certificate is over (whole seconds).
    pub fn certificate_expires_at(&self) -> Timestamp {
        // `check` parsed this certificate already; a date before 1970 is over in any case.
        let seconds = parse(&self.certificate).map_or(0, |parsed| parsed.validity().not_after.timestamp());
        Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
    }

    /// One connector for each address of the coordinator, in the order in which to try them.
    ///
    /// # Errors
    /// [`ConnectError::OwnCertificate`].
    pub fn connectors(&self) -> Result<Vec<Connector>, ConnectError> {
        self.bundle
            .coordinator
            .iter()
            .map(|address| Connector::new(address, &self.authority, &self.certificate, self.keys.tls_key()))
            .collect()
    }

    /// The bundle that it was made with.
    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The connectors that a later bundle for the same keys and roster gives.
    ///
    /// # Errors
    /// [`EnrolError`] where it does not fit them.
    pub(crate) fn connectors_of(&self, bundle: &Bundle) -> Result<Vec<Connector>, EnrolError> {
        let Credentials { authority, certificate, .. } = check(&self.keys, bundle, self.roster.roster())?;
        let unusable = |_| EnrolError::mismatch(bundle, "the TLS library cannot use it");
        let key = self.keys.tls_key();
        let connector = |address| Connector::new(address, &authority, &certificate, key).map_err(unusable);
        bundle.coordinator.iter().map(connector).collect()
    }
}

/// What a bundle holds beside names, parsed.
struct Credentials {
    coordinator_key: VerifyingKey,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
}

/// Checks that `bundle` is for `keys`, that `roster` lists them as the bundle says, and that the bundle can be used.
fn check(keys: &Keys, bundle: &Bundle, roster: &Roster) -> Result<Credentials, EnrolError> {
    if bundle.schema != Bundle::SCHEMA {
        return Err(EnrolError::Schema { found: bundle.schema.clone() });
    }
    if bundle.name != keys.name() {
        return Err(EnrolError::WrongName { bundle: bundle.name.clone(), keys: keys.name().to_owned() });
    }
    if roster.federation != bundle.federation || roster.coordinator_key != bundle.coordinator_key {
        let (roster, bundle) = (roster.federation.clone(), bundle.federation.clone());
        return Err(EnrolError::WrongFederation { roster, bundle });
    }
    let own_key = keys.signing_key().verifying_key().to_bytes();
    let listed = roster.members.iter().any(|member| {
        member.id == bundle.participant && member.name == bundle.name && member.signing_key == own_key
    });
    if !listed {
        return Err(EnrolError::NotInRoster { name: bundle.name.clone(), id: bundle.participant });
    }
    let certificate = check_certificate(keys, bundle)?;
    let authority = read_pem(&bundle.authority_pem)
        .filter(|authority| parse(authority).is_some())
        .ok_or_else(|| EnrolError::mismatch(bundle, "its authority is not a certificate in PEM"))?;
    let coordinator_key = VerifyingKey::from_bytes(&bundle.coordinator_key)
        .ok()
        .filter(|key| !key.is_weak())
        .ok_or_else(|| EnrolError::mismatch(bundle, "the coordinator's key is not a valid Ed25519 key"))?;
    Ok(Credentials { coordinator_key, authority, certificate })
}

fn check_certificate(keys: &Keys, bundle: &Bundle) -> Result<CertificateDer<'static>, EnrolError> {
    let mismatch = |reason| EnrolError::mismatch(bundle, reason);
    let certificate =
        read_pem(&bundle.certificate_pem).ok_or_else(|| mismatch("it is not a certificate in PEM"))?;
    let parsed = parse(&certificate).ok_or_else(|| mismatch("it is not a certificate"))?;
    if parsed.public_key().raw != keys.tls_key().public_key_info() {
        return Err(mismatch("it is for another TLS key than this directory's"));
    }
    let expected = MemberIdentity {
        federation: bundle.federation.clone(),
        id: bundle.participant,
        name: bundle.name.clone(),
    };
    let names = parsed.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.as_slice());
    match names {
        Some([GeneralName::URI(uri)]) if *uri == expected.to_uri() => Ok(certificate),
        _ => Err(mismatch("it names another participant than the bundle")),
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    x509_parser::parse_x509_certificate(certificate).ok().map(|(_, parsed)| parsed)
}

fn read_pem(text: &str) -> Option<CertificateDer<'static>> {
    let pem = pem::parse(text).ok().filter(|pem| pem.tag() == "CERTIFICATE")?;
    Some(CertificateDer::from(pem.into_contents()))
}
