//! The file of `allow_fingerprints`: the only certificates that are let in.

use std::collections::BTreeSet;

use syndic_round::Digest;

/// Reads one SHA-256 fingerprint of a certificate a line, in hexadecimal, with colons or without; what follows a `#` is for
/// people.
///
/// # Errors
/// The line that is none, by its number.
pub fn read_fingerprints(text: &str) -> Result<BTreeSet<Digest>, String> {
    let mut allowed = BTreeSet::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let digits: String = line.chars().filter(|letter| *letter != ':').collect();
        let no_fingerprint = || format!("line {number} is not a SHA-256 fingerprint in hexadecimal");
        allowed.insert(Digest::from_hex(&digits.to_lowercase()).ok_or_else(no_fingerprint)?);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_logs_and_as_openssl_print_them() {
        let digest = Digest::of(b"a certificate");
        let plain = digest.to_string();
        let pairs: Vec<_> = plain.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect();
        let colons = pairs.join(":").to_uppercase();
        for line in [plain.clone(), colons, format!("  {plain}  # bank_a")] {
            let read = read_fingerprints(&format!("# those of today\n\n{line}\n")).unwrap();
            assert_eq!(read.into_iter().collect::<Vec<_>>(), [digest]);
        }
        assert!(read_fingerprints("").unwrap().is_empty(), "an empty list admits nobody");
    }

    #[test]
    fn a_line_that_is_no_fingerprint_is_named_without_its_text() {
        let told = read_fingerprints(&format!("{}\nJane Doe\n", Digest::of(b""))).unwrap_err();
        assert!(told.contains("line 2") && !told.contains("Jane"), "{told}");
        assert!(read_fingerprints(&Digest::of(b"").to_string()[1..]).is_err());
    }
}
