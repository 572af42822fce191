//! What comes in X.509: the list of what was revoked, a request for a certificate, a member's certificate. And the list of
//! fingerprints that are allowed.
//!
//! Keys of TLS are made anew at every run, so the seeds are not the same bytes each time.

use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType, SerialNumber, SigningKey as _,
    date_time_ymd,
};
use syndic_coordinator::authority::{Authority, RevocationError, RevocationList, Validity};
use syndic_coordinator::tls::{Admission, PeerIdentity, read_fingerprints};
use syndic_participant::keys::Keys;
use syndic_round::enrolment::{MemberIdentity, SigningRequest};
use syndic_round::{Digest, Timestamp};

use crate::bounded::within;
use crate::federation::{FEDERATION, id};
use crate::script::{choosing, chosen};

/// The first byte chooses what it is.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    match choice % 5 {
        0 => {
            let read = read(bytes);
            assert!(read.is_err() || *bytes == *LIST || read == read_honest(), "nobody signed this list");
        }
        1 => drop(read(&in_pem(&signed(bytes)))),
        2 => request(bytes),
        3 => certificate(bytes),
        _ => fingerprints(bytes),
    }
}

fn read(list: &[u8]) -> Result<RevocationList, RevocationError> {
    let read = within(list.len(), MULTIPLE, || RevocationList::from_pem(list, AUTHORITY.certificate.der()));
    match &read {
        Ok(list) => assert!(list.require_current(Timestamp(u64::MAX)).is_err(), "a list holds for ever"),
        Err(error) => assert!(error.code().starts_with("revocation.")),
    }
    read
}

fn read_honest() -> Result<RevocationList, RevocationError> {
    RevocationList::from_pem(&LIST, AUTHORITY.certificate.der())
}

/// A request whose signing key is proved, so that its other part is reached.
fn request(csr: &[u8]) {
    let Ok(csr) = std::str::from_utf8(csr) else { return };
    let request = SigningRequest::new("bank-1", csr.to_owned(), FEDERATION.key(id(1)));
    let Ok(certificate) = CERTIFIER.certify(&request, id(1), Validity::days(NOW, 1)) else { return };
    let peer = PeerIdentity::of(&certificate).expect("the authority says whose it is");
    assert_eq!((peer.id, peer.name.as_str()), (id(1), "bank-1"), "a request chose its own name");
}

/// A certificate as a peer shows it, before anything of it was verified.
fn certificate(der: &[u8]) {
    let certificate = der.to_vec().into();
    if let Some(peer) = within(der.len(), MULTIPLE, || PeerIdentity::of(&certificate)) {
        let PeerIdentity { id, name, federation, .. } = peer;
        let identity = MemberIdentity { federation, id, name };
        assert_eq!(MemberIdentity::from_uri(&identity.to_uri()), Some(identity));
    }
    let admission = Admission { revocations: read_honest().ok(), allowed: None };
    let _ = within(der.len() + LIST.len(), MULTIPLE, || admission.check(&certificate));
}

fn fingerprints(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(allowed) = within(text.len(), MULTIPLE, || read_fingerprints(text)) else { return };
    let written: Vec<_> = allowed.iter().map(Digest::to_string).collect();
    assert_eq!(read_fingerprints(&written.join("\n")), Ok(allowed));
}

/// An authority whose key is at hand, which the real one's is not.
struct TestAuthority {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

static AUTHORITY: LazyLock<TestAuthority> = LazyLock::new(|| {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    TestAuthority { certificate: params.self_signed(&key).expect("a certificate"), key }
});

static CERTIFIER: LazyLock<Authority> =
    LazyLock::new(|| Authority::create("federation", NOW).expect("an authority"));

/// The honest list, in PEM.
static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| in_pem(&list()));

fn list() -> Vec<u8> {
    let reasons = [None, Some(RevocationReason::KeyCompromise), Some(RevocationReason::CessationOfOperation)];
    let revoked = (1..).zip(reasons).map(|(number, reason_code)| RevokedCertParams {
        serial_number: SerialNumber::from(number * 1_000),
        revocation_time: date_time_ymd(2026, 8, 1),
        reason_code,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 8, 1),
        next_update: date_time_ymd(2027, 8, 1),
        crl_number: SerialNumber::from(7_u64),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let issuer = Issuer::from_ca_cert_der(AUTHORITY.certificate.der(), &AUTHORITY.key).expect("an issuer");
    params.signed_by(&issuer).expect("a list").der().to_vec()
}

fn in_pem(list: &[u8]) -> Vec<u8> {
    pem::encode(&pem::Pem::new("X509 CRL", list)).into_bytes()
}

/// What is signed of a list, an algorithm and a signature, as one list (RFC 5280 section 5.1).
fn signed(content: &[u8]) -> Vec<u8> {
    let signature = AUTHORITY.key.sign(content).expect("a signature");
    let signature = element(0x03, &[&[0], signature.as_slice()].concat());
    element(0x30, &[content, ECDSA_WITH_SHA256, &signature].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("inputs are short").to_be_bytes();
    [&[tag, 0x82], length.as_slice(), content].concat()
}

/// The first element in `list`, which is one.
fn content_of(list: &[u8]) -> &[u8] {
    let length = |der: &[u8]| match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
    };
    let content = &list[length(list).0..];
    let (header, rest) = length(content);
    &content[..header + rest]
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let keys = Keys::generate("bank-1", &mut rand::make_rng::<rand::rngs::StdRng>()).expect("keys");
    let csr = keys.signing_request().expect("a request").csr_pem;
    let mut params = CertificateParams::default();
    let uri = "syndic://federation/participant/1/bank-1".try_into().expect("ASCII");
    params.subject_alt_names = vec![SanType::URI(uri)];
    let issuer = Issuer::from_ca_cert_der(AUTHORITY.certificate.der(), &AUTHORITY.key).expect("an issuer");
    let member = params.signed_by(&KeyPair::generate().expect("a key"), &issuer).expect("a certificate");
    let fingerprint = Digest::of(b"a certificate");
    vec![
        choosing(0, &*LIST),
        choosing(1, content_of(&list())),
        choosing(2, csr),
        choosing(3, member.der()),
        choosing(3, AUTHORITY.certificate.der()),
        choosing(4, format!("# of today\n{fingerprint}\n\n{} # bank_b\n", "AB:".repeat(31) + "ab")),
    ]
}

/// A parser of nested structures keeps more of each byte than ours do.
const MULTIPLE: u64 = 256;
/// AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758 section 3.2).
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const NOW: Timestamp = Timestamp(1_785_585_600_000);
