//! A federation as its operator founds it: authority, coordinator identity, and the roster that grows until
//! its members sign it.
//!
//! Everything works in memory; `store.rs` puts it on disk for operators, the demo never does.

mod error;
mod store;

use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use rustls::pki_types::CertificateDer;
use syndic_round::enrolment::{Address, Bundle, SigningRequest};
use syndic_round::{
    Approver, EndorsedRoster, Endorsement, Member, ParticipantId, Roster, SealedRoster, Timestamp,
};
use zeroize::Zeroizing;

use crate::authority::{Authority, TlsKey, Validity, to_pem, validity_of};
pub use error::FederationError;
pub use store::{Lock, load_revocations, load_sealed_roster, lock, read_endorsement, read_signing_request};
pub(crate) use store::{REVOKED, changing_files, write_revocations};

/// What the coordinator's host needs to serve a federation. Holds private keys: not printable, not copyable.
pub struct CoordinatorIdentity {
    federation: String,
    addresses: Vec<Address>,
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    tls_key: TlsKey,
    ledger_key: SigningKey,
}

/// What the operator's host keeps: the authority besides the coordinator's identity, and the roster.
pub struct Federation {
    authority: Authority,
    identity: CoordinatorIdentity,
    roster: Roster,
    sealed: Option<SealedRoster>,
}

impl CoordinatorIdentity {
    /// The federation's name.
    pub fn federation(&self) -> &str {
        &self.federation
    }

    /// Where participants reach the coordinator.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The certificate that all of the federation trusts.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The coordinator's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// From when until when that certificate holds.
    pub fn certificate_validity(&self) -> Validity {
        // What was issued here or loaded is a certificate; anything else holds at no time.
        validity_of(&self.certificate).unwrap_or(Validity { from: Timestamp(0), until: Timestamp(0) })
    }

    /// The key of that certificate.
    pub fn tls_key(&self) -> &TlsKey {
        &self.tls_key
    }

    /// The key that signs ledger checkpoints; its public half is in the roster.
    pub fn ledger_key(&self) -> &SigningKey {
        &self.ledger_key
    }
}

impl Federation {
    /// A federation without members whose coordinator is reached at `addresses`. `rng` makes the ledger key;
    /// TLS keys come from the TLS library's own generator. The coordinator's certificate holds
    /// [`Federation::CERTIFICATE_DAYS`] from `now`.
    ///
    /// # Errors
    /// [`FederationError::NoAddress`], and those of [`Authority`].
    pub fn create(
        name: &str,
        addresses: Vec<Address>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, FederationError> {
        if addresses.is_empty() {
            return Err(FederationError::NoAddress);
        }
        let authority = Authority::create(name, now)?;
        let hosts: Vec<&str> = addresses.iter().map(|address| address.host.as_str()).collect();
        let validity = Validity::days(now, Self::CERTIFICATE_DAYS);
        let (tls_key, certificate) = authority.issue_coordinator(&hosts, validity)?;
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        let identity = CoordinatorIdentity {
            federation: name.to_owned(),
            addresses,
            authority: authority.certificate().clone(),
            certificate,
            tls_key,
            ledger_key: SigningKey::from_bytes(&seed),
        };
        let roster = Roster {
            federation: name.to_owned(),
            members: Vec::new(),
            coordinator_key: identity.ledger_key.verifying_key().to_bytes(),
            approvers: Vec::new(),
        };
        Ok(Self { authority, identity, roster, sealed: None })
    }

    /// Admits the institution of `request` under the next id, or, if it is a member with that signing key
    /// already, certifies it anew under its own id.
    ///
    /// # Errors
    /// [`FederationError`]: name or key of another member, roster sealed or full, request not proved.
    pub fn add_participant(
        &mut self,
        request: &SigningRequest,
        validity: Validity,
    ) -> Result<Bundle, FederationError> {
        let known = self.position_of(request)?;
        let id = match known {
            Some(id) => id,
            None if self.sealed.is_some() => {
                return Err(FederationError::Sealed { name: request.name.clone() });
            }
            None => self.next_id()?,
        };
        let certificate = self.authority.certify(request, id, validity)?;
        if known.is_none() {
            let member = Member { id, name: request.name.clone(), signing_key: request.signing_key };
            self.roster.members.push(member);
        }
        Ok(Bundle {
            schema: Bundle::SCHEMA.to_owned(),
            federation: self.roster.federation.clone(),
            participant: id,
            name: request.name.clone(),
            coordinator: self.identity.addresses.clone(),
            coordinator_key: self.roster.coordinator_key,
            authority_pem: to_pem(self.authority.certificate()),
            certificate_pem: to_pem(&certificate),
        })
    }

    /// Names somebody who may approve what becomes of models, with the key that signs its approvals. The same again is fine.
    ///
    /// # Errors
    /// [`FederationError::Sealed`]; [`FederationError::Roster`] where name or key break a rule, or are another's.
    pub fn add_approver(&mut self, approver: Approver) -> Result<(), FederationError> {
        if self.roster.approvers.contains(&approver) {
            return Ok(());
        }
        if self.sealed.is_some() {
            return Err(FederationError::Sealed { name: approver.name });
        }
        let mut next = self.roster.clone();
        let at = next.approvers.partition_point(|known| known.name < approver.name);
        next.approvers.insert(at, approver);
        next.check_approvers()?;
        self.roster = next;
        Ok(())
    }

    /// Certifies the coordinator anew: the key that it has, under the host names that it has.
    ///
    /// # Errors
    /// Those of [`Authority`]; then the former certificate is still the one in use.
    pub fn renew_coordinator(&mut self, validity: Validity) -> Result<(), FederationError> {
        let CoordinatorIdentity { addresses, tls_key, certificate, .. } = &mut self.identity;
        let hosts: Vec<&str> = addresses.iter().map(|address| address.host.as_str()).collect();
        *certificate = self.authority.certify_coordinator(tls_key, &hosts, validity)?;
        Ok(())
    }

    /// The roster as it is now, for its members to sign.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The roster that every member signed, if it has come to that.
    pub fn sealed(&self) -> Option<&SealedRoster> {
        self.sealed.as_ref()
    }

    /// Closes the roster with the signatures of all its members.
    ///
    /// # Errors
    /// [`FederationError::Roster`] where a valid signature is absent or members are too few;
    /// [`FederationError::AlreadySealed`].
    pub fn seal(&mut self, endorsements: Vec<Endorsement>) -> Result<EndorsedRoster, FederationError> {
        if self.sealed.is_some() {
            return Err(FederationError::AlreadySealed);
        }
        let mut endorsements = endorsements;
        endorsements.sort_by_key(|endorsement| endorsement.member);
        let endorsed = EndorsedRoster { roster: self.roster.clone(), endorsements };
        self.sealed = Some(endorsed.clone().verify()?);
        Ok(endorsed)
    }

    /// Who certifies members; for certificates beyond those of [`Federation::add_participant`].
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What the coordinator's host needs of this.
    pub fn identity(&self) -> &CoordinatorIdentity {
        &self.identity
    }

    /// What the coordinator's host needs of this; the authority's key is wiped.
    pub fn into_identity(self) -> CoordinatorIdentity {
        self.identity
    }

    /// How long certificates hold unless another time is asked for.
    pub const CERTIFICATE_DAYS: u32 = 365;

    fn position_of(&self, request: &SigningRequest) -> Result<Option<ParticipantId>, FederationError> {
        let named = self.roster.members.iter().find(|member| member.name == request.name);
        let keyed = self.roster.members.iter().find(|member| member.signing_key == request.signing_key);
        match (named, keyed) {
            (None, None) => Ok(None),
            (Some(member), Some(same)) if member.id == same.id => Ok(Some(member.id)),
            (Some(_), _) => Err(FederationError::NameTaken { name: request.name.clone() }),
            (None, Some(member)) => Err(FederationError::KeyTaken { name: member.name.clone() }),
        }
    }

    fn next_id(&self) -> Result<ParticipantId, FederationError> {
        let highest = self.roster.members.last().map_or(0, |member| member.id.get());
        match self.roster.members.len() < MAX_MEMBERS {
            true => highest.checked_add(1).and_then(ParticipantId::new).ok_or(FederationError::Full),
            false => Err(FederationError::Full),
        }
    }
}

/// As many as a roster takes.
const MAX_MEMBERS: usize = 256;

#[cfg(test)]
mod tests;
