//! The list of certificates that the authority has taken back: an X.509 revocation list (RFC 5280 section 5).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use syndic_round::Timestamp;
use thiserror::Error;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use super::{Authority, AuthorityError, LAST_MILLIS};

/// Every certificate that was taken back, and until when the list may be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Grows by one with each list that the authority signs.
    pub number: u64,
    /// When it was signed.
    pub from: Timestamp,
    /// From when on it says nothing any more.
    pub until: Timestamp,
    revoked: BTreeMap<Serial, Revoked>,
}

/// When and why a certificate was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When (whole seconds).
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Why a certificate is taken back; the names of RFC 5280 section 5.3.1 that an institution can be in need of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody says.
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// The institution has another name, or belongs to another.
    AffiliationChanged,
    /// Another certificate is in use.
    Superseded,
    /// The institution takes part no longer.
    CessationOfOperation,
    /// The federation does not want it any longer.
    PrivilegeWithdrawn,
}

/// Why a list cannot be relied on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RevocationError {
    /// It is no list, or one of a kind that the authority does not write.
    #[error("the revocation list cannot be read: {0}")]
    Unreadable(String),
    /// Somebody else signed it.
    #[error("the revocation list was not signed by this federation's authority")]
    Untrusted,
    /// It is over.
    #[error("the revocation list held until {} (milliseconds since 1970)", .0.0)]
    Expired(Timestamp),
    /// It is of the future.
    #[error("the revocation list holds only from {} (milliseconds since 1970)", .0.0)]
    Early(Timestamp),
    /// An older list came in the place of a newer one.
    #[error("the revocation list is number {found}, and number {known} was in force before")]
    Older {
        /// Its number.
        found: u64,
        /// That of the list before it.
        known: u64,
    },
    /// There was one, and it is gone.
    #[error("the revocation list is gone: {0}")]
    Gone(String),
}

/// A serial number without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Serial(Vec<u8>);

impl RevocationList {
    /// A list of nothing, the number before the first.
    pub fn none() -> Self {
        Self { number: 0, from: Timestamp(0), until: Timestamp(0), revoked: BTreeMap::new() }
    }

    /// The list in `text`, in PEM, as `authority` signed it. Whether it holds now is for [`Self::require_current`] to say.
    ///
    /// # Errors
    /// [`RevocationError::Unreadable`], [`RevocationError::Untrusted`].
    pub fn from_pem(text: &[u8], authority: &CertificateDer<'_>) -> Result<Self, RevocationError> {
        let unreadable = |reason: &str| RevocationError::Unreadable(reason.to_owned());
        let pem = pem::parse(text).ok().filter(|pem| pem.tag() == PEM_TAG);
        let pem = pem.ok_or_else(|| unreadable("it is not an X.509 CRL in PEM"))?;
        let parsed = CertificateRevocationList::from_der(pem.contents());
        let (rest, list) = parsed.map_err(|_| unreadable("it is not an X.509 CRL"))?;
        let (_, issuer) = X509Certificate::from_der(authority).map_err(|_| RevocationError::Untrusted)?;
        // Of the two places that name the algorithm only the inner one is signed (RFC 5280 section 5.1.1.2).
        let is_ours = list.issuer().as_raw() == issuer.subject().as_raw()
            && list.signature_algorithm == list.tbs_cert_list.signature;
        if !is_ours || list.verify_signature(issuer.public_key()).is_err() {
            return Err(RevocationError::Untrusted);
        }
        if !rest.is_empty() {
            return Err(unreadable("something follows it"));
        }
        // A critical extension changes what the list means (RFC 5280 section 5.2); the authority writes none.
        let mut revoked = list.iter_revoked_certificates();
        if list.extensions().iter().any(|extension| extension.critical)
            || revoked.any(|one| one.extensions().iter().any(|extension| extension.critical))
        {
            return Err(unreadable("it has an extension that changes its meaning"));
        }
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let until = list.next_update().ok_or_else(|| unreadable("it says not until when it holds"))?;
        let millis = |time: x509_parser::time::ASN1Time| {
            Timestamp(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1000))
        };
        Ok(Self {
            number: number.ok_or_else(|| unreadable("it has no number"))?,
            from: millis(list.last_update()),
            until: millis(until),
            revoked: list
                .iter_revoked_certificates()
                .map(|one| {
                    let code = one.reason_code().map_or(0, |(_, code)| code.0);
                    let revoked = Revoked { at: millis(one.revocation_date), reason: Reason::of(code) };
                    (Serial::of(one.raw_serial()), revoked)
                })
                .collect(),
        })
    }

    /// Refuses a list that does not hold at `now`.
    ///
    /// # Errors
    /// [`RevocationError::Expired`], [`RevocationError::Early`].
    pub fn require_current(&self, now: Timestamp) -> Result<(), RevocationError> {
        if now >= self.until {
            return Err(RevocationError::Expired(self.until));
        }
        if now < self.from {
            return Err(RevocationError::Early(self.from));
        }
        Ok(())
    }

    /// When and why `certificate` was taken back, if it was. What is no certificate was never given out.
    pub fn revoked(&self, certificate: &CertificateDer<'_>) -> Option<Revoked> {
        self.revoked.get(&Serial::of_certificate(certificate)?).copied()
    }

    /// Every certificate that was taken back, by its serial number in hexadecimal.
    pub fn iter(&self) -> impl Iterator<Item = (String, Revoked)> {
        self.revoked.iter().map(|(serial, revoked)| (serial_number(&serial.0), *revoked))
    }

    /// How many certificates were taken back.
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// Takes `certificate` back, unless it was before; whether it is new on the list.
    pub fn add(&mut self, certificate: &CertificateDer<'_>, revoked: Revoked) -> bool {
        let Some(serial) = Serial::of_certificate(certificate) else { return false };
        let before = self.revoked.len();
        self.revoked.entry(serial).or_insert(revoked);
        self.revoked.len() > before
    }
}

impl Authority {
    /// `list` signed, in PEM.
    ///
    /// # Errors
    /// [`AuthorityError::Validity`] for a list that is over before it begins; [`AuthorityError::Library`].
    pub fn sign_revocations(&self, list: &RevocationList) -> Result<String, AuthorityError> {
        let RevocationList { number, from, until, ref revoked } = *list;
        if from >= until || until.0 > LAST_MILLIS {
            return Err(AuthorityError::Validity { from, until });
        }
        let epoch = date_time_ymd(1970, 1, 1);
        let time = |at: Timestamp| epoch + Duration::from_secs(at.0.min(LAST_MILLIS) / 1000);
        let revoked_certs = revoked.iter().map(|(serial, revoked)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&serial.0),
            revocation_time: time(revoked.at),
            reason_code: Some(revoked.reason.of_library()),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: time(from),
            next_update: time(until),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let signed = self.key.with_key_pair(|pair| {
            let issuer = Issuer::from_ca_cert_der(&self.certificate, pair)?;
            params.signed_by(&issuer)
        })?;
        let signed = signed.map_err(AuthorityError::library)?;
        Ok(pem::encode_config(
            &pem::Pem::new(PEM_TAG, signed.der().as_ref()),
            pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
        ))
    }
}

impl RevocationError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "revocation.unreadable",
            Self::Untrusted => "revocation.untrusted",
            Self::Expired(_) => "revocation.expired",
            Self::Early(_) => "revocation.early",
            Self::Older { .. } => "revocation.older",
            Self::Gone(_) => "revocation.gone",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Expired(_) => {
                "check this host's clock; where the authority's key is, `syndic-coordinator revoke --federation DIR` \
                 signs the list anew: put `revoked.crl.pem` in the coordinator's federation folder"
            }
            Self::Early(_) => "check this host's clock, and that of the host where the list was signed",
            _ => {
                "put the `revoked.crl.pem` that `syndic-coordinator revoke` wrote last in the coordinator's federation \
                 folder; without knowing who was revoked nobody is let in"
            }
        }
    }
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// As it is written on command lines and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
        }
    }

    /// Whatever else a list says is no reason to let anybody in.
    fn of(code: u8) -> Self {
        Self::ALL.into_iter().find(|reason| reason.of_library() as u8 == code).unwrap_or(Self::Unspecified)
    }

    fn of_library(self) -> rcgen::RevocationReason {
        match self {
            Self::Unspecified => rcgen::RevocationReason::Unspecified,
            Self::KeyCompromise => rcgen::RevocationReason::KeyCompromise,
            Self::AffiliationChanged => rcgen::RevocationReason::AffiliationChanged,
            Self::Superseded => rcgen::RevocationReason::Superseded,
            Self::CessationOfOperation => rcgen::RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => rcgen::RevocationReason::PrivilegeWithdrawn,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|reason| reason.name() == text);
        found.ok_or_else(|| format!("a reason is one of {known}"))
    }
}

/// A serial number as it is written: in hexadecimal, without leading zeros.
pub(crate) fn serial_number(bytes: &[u8]) -> String {
    hex::encode(Serial::of(bytes).0)
}

impl Serial {
    fn of(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Self(bytes[zeros..].to_vec())
    }

    fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(Self::of(parsed.raw_serial()))
    }
}

/// RFC 7468 section 6.
const PEM_TAG: &str = "X509 CRL";

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use syndic_round::enrolment::Address;

    use super::*;
    use crate::federation::Federation;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const LATER: Timestamp = Timestamp(NOW.0 + 86_400_000);

    fn federation(seed: u64) -> Federation {
        let here = Address::new("127.0.0.1").unwrap();
        Federation::create("credit", vec![here], NOW, &mut StdRng::seed_from_u64(seed)).unwrap()
    }

    /// A list of the coordinator's certificate, which serves as well as another.
    fn list(federation: &Federation, reason: Reason) -> RevocationList {
        let mut list = RevocationList { number: 7, from: NOW, until: LATER, ..RevocationList::none() };
        assert!(list.add(federation.identity().certificate(), Revoked { at: NOW, reason }));
        assert!(!list.add(federation.identity().certificate(), Revoked { at: LATER, reason }));
        list
    }

    #[test]
    fn a_list_is_read_as_it_was_signed() {
        let ours = federation(1);
        for reason in Reason::ALL {
            let list = list(&ours, reason);
            let text = ours.authority().sign_revocations(&list).unwrap();
            let read = RevocationList::from_pem(text.as_bytes(), ours.authority().certificate()).unwrap();
            assert_eq!(read, list);
            let revoked = read.revoked(ours.identity().certificate());
            assert_eq!(revoked, Some(Revoked { at: NOW, reason }));
            assert_eq!(read.revoked(ours.authority().certificate()), None);
            assert_eq!(reason.name().parse(), Ok(reason));
        }
    }

    #[test]
    fn a_list_of_another_authority_of_that_name_is_not_believed() {
        let (ours, theirs) = (federation(1), federation(2));
        let text = theirs.authority().sign_revocations(&list(&theirs, Reason::Unspecified)).unwrap();
        let read = RevocationList::from_pem(text.as_bytes(), ours.authority().certificate());
        assert_eq!(read, Err(RevocationError::Untrusted));
    }

    #[test]
    fn a_list_that_was_touched_is_not_believed() {
        let ours = federation(1);
        let list = list(&ours, Reason::KeyCompromise);
        let text = ours.authority().sign_revocations(&list).unwrap();
        let der = pem::parse(&text).unwrap().into_contents();
        for at in 0..der.len() {
            let mut touched = der.clone();
            touched[at] ^= 1;
            let text = pem::encode(&pem::Pem::new(PEM_TAG, touched));
            let read = RevocationList::from_pem(text.as_bytes(), ours.authority().certificate());
            // The signature's own form leaves a bit or two open; what is signed does not.
            assert!(read.is_err() || read == Ok(list.clone()), "byte {at}");
        }
        for text in ["", "-----BEGIN X509 CRL-----\n", &text.replace("X509 CRL", "CERTIFICATE")] {
            let read = RevocationList::from_pem(text.as_bytes(), ours.authority().certificate());
            assert_eq!(read.unwrap_err().code(), "revocation.unreadable");
        }
    }

    #[test]
    fn a_list_holds_from_its_first_instant_to_before_its_last() {
        let list = list(&federation(1), Reason::Unspecified);
        assert_eq!(list.require_current(NOW), Ok(()));
        assert_eq!(list.require_current(Timestamp(LATER.0 - 1)), Ok(()));
        assert_eq!(list.require_current(LATER), Err(RevocationError::Expired(LATER)));
        assert_eq!(list.require_current(Timestamp(NOW.0 - 1)), Err(RevocationError::Early(NOW)));
    }
}
