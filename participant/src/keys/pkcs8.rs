//! Ed25519 private keys in the form that other tools read: RFC 8410 section 7.

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// The PKCS #8 encoding of `key`, version 0, without the public key.
pub(super) fn encode(key: &SigningKey) -> Zeroizing<Vec<u8>> {
    let seed = Zeroizing::new(key.to_bytes());
    let mut der = Zeroizing::new(Vec::with_capacity(PREFIX.len() + seed.len()));
    der.extend_from_slice(&PREFIX);
    der.extend_from_slice(seed.as_ref());
    der
}

/// The key in `der`, if it is what [`encode`] writes.
pub(super) fn decode(der: &[u8]) -> Option<SigningKey> {
    let seed = <&[u8; 32]>::try_from(der.strip_prefix(&PREFIX)?).ok()?;
    Some(SigningKey::from_bytes(seed))
}

/// SEQUENCE { INTEGER 0, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes } }.
const PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_8410_is_read_and_written_back() {
        let text = "-----BEGIN PRIVATE KEY-----\n\
                    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                    -----END PRIVATE KEY-----\n";
        let der = pem::parse(text).unwrap().into_contents();
        let key = decode(&der).unwrap();
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        assert_eq!(hex::encode(key.verifying_key().to_bytes()), public);
        assert_eq!(*encode(&key), der);
    }

    #[test]
    fn other_encodings_are_refused() {
        let der = encode(&SigningKey::from_bytes(&[3; 32]));
        assert!(decode(&der[..47]).is_none());
        assert!(decode(&[&der[..], &[0]].concat()).is_none());
        let mut other = der.to_vec();
        other[11] = 0x6e; // X25519
        assert!(decode(&other).is_none());
    }
}
