//! The federation's certificate authority: private to one federation, trusted by nobody else.
//!
//! It certifies the coordinator (server authentication) and each participant (client authentication). Who a
//! participant is stands in a URI that only this authority writes; nothing that an applicant asks for in its
//! request is copied but the public key.

mod error;
mod files;
mod revocation;
mod tls_key;

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use syndic_round::enrolment::{MemberIdentity, SigningRequest};
use syndic_round::roster::is_name;
use syndic_round::{Digest, ParticipantId, Timestamp};

pub use error::{AuthorityError, FileError};
pub(crate) use files::{
    create_directory, read_certificate, read_public, read_secret, read_secret_text, write_public,
    write_secret,
};
pub(crate) use revocation::serial_number;
pub use revocation::{Reason, RevocationError, RevocationList, Revoked};
pub use tls_key::TlsKey;

/// From when until when a certificate holds, in milliseconds since the Unix epoch (certificates round down to
/// seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub until: Timestamp,
}

/// A private certificate authority with its key. Not printable, not copyable.
pub struct Authority {
    federation: String,
    key: TlsKey,
    certificate: CertificateDer<'static>,
}

impl Validity {
    /// `days` from `now`, and [`Validity::SKEW_MILLIS`] before it.
    pub fn days(now: Timestamp, days: u32) -> Self {
        let from = Timestamp(now.0.saturating_sub(Self::SKEW_MILLIS));
        Self { from, until: now.plus_millis(u64::from(days) * 86_400_000) }
    }

    /// How much earlier a certificate begins, for hosts whose clocks are behind.
    pub const SKEW_MILLIS: u64 = 5 * 60 * 1000;
}

impl Authority {
    /// A fresh authority for `federation`, self-signed for ten years from `now`.
    ///
    /// # Errors
    /// [`AuthorityError::Name`], [`AuthorityError::Library`].
    pub fn create(federation: &str, now: Timestamp) -> Result<Self, AuthorityError> {
        if !is_name(federation) {
            return Err(AuthorityError::Name(federation.to_owned()));
        }
        let key = TlsKey::generate()?;
        let mut params = params(Validity::days(now, 3653), key.public_key_info(), federation)?;
        params.distinguished_name.push(DnType::OrganizationName, federation);
        params.distinguished_name.push(DnType::CommonName, format!("{federation} authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate =
            key.with_key_pair(|pair| params.self_signed(pair))?.map_err(AuthorityError::library)?;
        Ok(Self { federation: federation.to_owned(), key, certificate: certificate.into() })
    }

    /// The authority of `federation` that these parts were taken from: the caller has checked that they belong
    /// together.
    pub(crate) fn from_parts(federation: &str, key: TlsKey, certificate: CertificateDer<'static>) -> Self {
        Self { federation: federation.to_owned(), key, certificate }
    }

    /// The federation that it certifies for.
    pub fn federation(&self) -> &str {
        &self.federation
    }

    /// Its own certificate, which everybody in the federation trusts.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn key(&self) -> &TlsKey {
        &self.key
    }

    /// A fresh key with a certificate for a coordinator that is reached at `hosts` (DNS names or IP addresses).
    ///
    /// # Errors
    /// [`AuthorityError::Host`] for a host that no certificate can name; [`AuthorityError::Library`].
    pub fn issue_coordinator(
        &self,
        hosts: &[&str],
        validity: Validity,
    ) -> Result<(TlsKey, CertificateDer<'static>), AuthorityError> {
        let key = TlsKey::generate()?;
        let certificate = self.certify_coordinator(&key, hosts, validity)?;
        Ok((key, certificate))
    }

    /// A certificate for the key of a coordinator that is reached at `hosts`.
    ///
    /// # Errors
    /// As those of [`Authority::issue_coordinator`].
    pub(crate) fn certify_coordinator(
        &self,
        key: &TlsKey,
        hosts: &[&str],
        validity: Validity,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let mut params = params(validity, key.public_key_info(), "coordinator")?;
        params.distinguished_name.push(DnType::CommonName, "coordinator");
        params.subject_alt_names = hosts.iter().map(|host| subject_name(host)).collect::<Result<_, _>>()?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = key.with_key_pair(|pair| self.sign(&params, pair))??;
        Ok(certificate.into())
    }

    /// A certificate for the TLS key of `request`, as participant `id` of this federation under the request's
    /// name.
    ///
    /// # Errors
    /// [`AuthorityError::Request`] where the request does not prove its signing key, [`AuthorityError::Csr`]
    /// where it does not prove its TLS key or asks for another kind of key than ECDSA P-256.
    pub fn certify(
        &self,
        request: &SigningRequest,
        id: ParticipantId,
        validity: Validity,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        request.verify()?;
        let csr = CertificateSigningRequestParams::from_pem(&request.csr_pem)
            .map_err(|error| AuthorityError::Csr { name: request.name.clone(), reason: error.to_string() })?;
        let is_p256 = csr.public_key.der_bytes().len() == 65 && csr.public_key.der_bytes()[0] == 4;
        if !is_p256 || csr.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            let reason = "its key is not an ECDSA P-256 key".to_owned();
            return Err(AuthorityError::Csr { name: request.name.clone(), reason });
        }
        let identity = MemberIdentity { federation: self.federation.clone(), id, name: request.name.clone() };
        let uri = identity.to_uri();
        let mut params = params(validity, &csr.public_key.subject_public_key_info(), &uri)?;
        params.distinguished_name.push(DnType::CommonName, request.name.as_str());
        params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(AuthorityError::library)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(self.sign(&params, &csr.public_key)?.into())
    }

    fn sign(
        &self,
        params: &CertificateParams,
        subject: &impl PublicKeyData,
    ) -> Result<Certificate, AuthorityError> {
        self.key
            .with_key_pair(|pair| {
                let issuer = Issuer::from_ca_cert_der(&self.certificate, pair)?;
                params.signed_by(subject, &issuer)
            })?
            .map_err(AuthorityError::library)
    }
}

/// From when until when `certificate` holds (whole seconds), if it is one.
pub(crate) fn validity_of(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let millis = |seconds: i64| Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let validity = parsed.validity();
    Some(Validity {
        from: millis(validity.not_before.timestamp()),
        until: millis(validity.not_after.timestamp()),
    })
}

/// `certificate` in PEM.
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    pem::encode_config(
        &pem::Pem::new("CERTIFICATE", certificate.as_ref()),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

/// What every certificate has: validity, leaf defaults, and a serial number that differs between two
/// certificates that differ in key, time or `subject` (RFC 5280 section 4.1.2.2 wants it unique).
fn params(
    validity: Validity,
    public_key_info: &[u8],
    subject: &str,
) -> Result<CertificateParams, AuthorityError> {
    let Validity { from, until } = validity;
    if from >= until || until.0 > LAST_MILLIS {
        return Err(AuthorityError::Validity { from, until });
    }
    let epoch = date_time_ymd(1970, 1, 1);
    let times = [from.0.to_be_bytes(), until.0.to_be_bytes()].concat();
    let serial = Digest::of_parts("syndic certificate", &[public_key_info, &times, subject.as_bytes()]);

    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(from.0 / 1000);
    params.not_after = epoch + Duration::from_secs(until.0 / 1000);
    params.serial_number = Some(SerialNumber::from_slice(&serial.as_bytes()[..16]));
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The last second of 9999, beyond which certificates have no dates.
const LAST_MILLIS: u64 = 253_402_300_799_000;

fn subject_name(host: &str) -> Result<SanType, AuthorityError> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => host.try_into().map(SanType::DnsName).map_err(|_| AuthorityError::Host(host.to_owned())),
    }
}

/// The federation that an authority's certificate names, if it is one.
pub(crate) fn federation_of(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = parsed.subject().iter_organization().next()?.as_str().ok()?;
    is_name(name).then(|| name.to_owned())
}
