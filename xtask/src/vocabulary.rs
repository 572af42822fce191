//! One word, one meaning: words that public names and documents must not use (CONTRIBUTING.md).
//!
//! Only unambiguous ones: a tree has nodes, and a TLS library has clients and servers. Text between the two
//! marks of [`QUOTED`] is not read, so that a document may say which words it means.

use crate::gate::Failure;
use crate::sources::{self, Source};

/// Checks public names in Rust, all names in proto files, and the prose of both and of the documents.
pub(crate) fn check() -> Result<String, Failure> {
    let sources = sources::with_extensions(&["rs", "proto", "md", "toml", "svg", "html"])?;
    // This file has to name what it forbids.
    let read = sources.iter().filter(|source| source.path != "xtask/src/vocabulary.rs");
    let findings = read.flat_map(findings_in).collect();
    let passed = format!("{} files use the words of CONTRIBUTING.md", sources.len());
    Failure::unless_empty(
        findings,
        passed,
        "use the word of the table \"One word, one meaning\" in CONTRIBUTING.md",
    )
}

fn findings_in(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let mut quoted = false;
    for (number, line) in source.text.lines().enumerate() {
        if line.contains(QUOTED[0]) || line.contains(QUOTED[1]) {
            quoted = line.contains(QUOTED[0]);
        }
        if quoted {
            continue;
        }
        let mut found = |word: &str, instead: &str| {
            findings.push(format!("{}:{}: `{word}`: say {instead}", source.path, number + 1));
        };
        let lower = line.to_lowercase();
        for (phrase, instead) in PHRASES {
            if lower.contains(phrase) {
                found(phrase, instead);
            }
        }
        let (names, words): (Vec<&str>, &[(&str, &str)]) = match source.path.rsplit('.').next() {
            Some("rs") => (public_name(line).into_iter().collect(), &[]),
            Some("proto") => (proto_name(line).into_iter().collect(), &ROLE_WORDS),
            _ => continue,
        };
        for name in names {
            for &(word, instead) in &ROLE_NAMES {
                if name == word {
                    found(name, instead);
                }
            }
            for (word, instead) in NAME_WORDS.iter().chain(words) {
                if words_of(name).iter().any(|part| part == word) {
                    found(name, instead);
                }
            }
        }
    }
    findings
}

/// The name that a line of Rust makes public, if it does.
fn public_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start().strip_prefix("pub ")?;
    while let Some((_, after)) =
        KEYWORDS.iter().find_map(|keyword| rest.strip_prefix(keyword).map(|r| (keyword, r)))
    {
        rest = after;
    }
    identifier(rest)
}

/// The name that a line of a proto file declares, if it does.
fn proto_name(line: &str) -> Option<&str> {
    let line = line.split("//").next().unwrap_or_default().trim();
    for keyword in ["message ", "service ", "rpc ", "enum ", "oneof "] {
        if let Some(rest) = line.strip_prefix(keyword) {
            return identifier(rest);
        }
    }
    // A field or an enum value: `type name = 1;`
    let declared = line.split_once('=')?.0.trim();
    declared.split_whitespace().next_back().and_then(identifier)
}

fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// `WorkerCount` and `worker_count` are both `worker`, `count`.
fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before_was_lower = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && before_was_lower) {
            words.push(String::new());
        }
        before_was_lower = letter.is_lowercase() || letter.is_numeric();
        if let (true, Some(word)) = (letter != '_', words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

/// Marks around text that quotes forbidden words.
const QUOTED: [&str; 2] = ["<!-- vocabulary: quoted -->", "<!-- vocabulary: end -->"];

const KEYWORDS: [&str; 12] = [
    "async ", "const ", "enum ", "fn ", "mod ", "static ", "struct ", "trait ", "type ", "union ", "unsafe ",
    "mut ",
];

/// Names that stand for a role when they stand alone.
const ROLE_NAMES: [(&str, &str); 6] = [
    ("Server", "`Coordinator`"),
    ("Client", "`Participant`, or what it connects to"),
    ("Node", "`Participant`, or what the node is of: `TreeNode`"),
    ("Aggregator", "`Coordinator`, or `Aggregate` for the running sum"),
    ("server_id", "`coordinator`"),
    ("client_id", "`participant`"),
];

/// Words that no public name carries.
const NAME_WORDS: [(&str, &str); 5] = [
    ("worker", "`participant`"),
    ("workers", "`participants`"),
    ("blockchain", "`ledger`"),
    ("decrypt", "`unmask` for a sum, `open` for a sealed share: nobody decrypts an update"),
    ("decrypted", "`unmasked`, or `opened`"),
];

/// Words that no proto name carries, since the wire knows only the two roles.
const ROLE_WORDS: [(&str, &str); 5] = [
    ("server", "`coordinator`"),
    ("client", "`participant`"),
    ("clients", "`participants`"),
    ("node", "`participant`"),
    ("aggregator", "`coordinator`"),
];

/// Phrases that no file carries, whatever their case.
const PHRASES: [(&str, &str); 14] = [
    ("blockchain", "ledger"),
    ("block chain", "ledger"),
    ("worker node", "participant"),
    ("client node", "participant"),
    ("federated server", "coordinator"),
    ("federated client", "participant"),
    ("fl server", "coordinator"),
    ("fl client", "participant"),
    ("aggregation server", "coordinator"),
    ("client update", "update"),
    ("online clients", "survivor set"),
    ("decrypt the update", "unmask the sum: nobody decrypts an update"),
    ("decrypts the update", "unmask the sum: nobody decrypts an update"),
    ("decrypt_update", "unmask: nobody decrypts an update"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        findings_in(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_role_under_another_name_is_found() {
        assert_eq!(findings("a/b.rs", "pub struct Server {").len(), 1);
        assert_eq!(findings("a/b.rs", "    pub client_id: u16,").len(), 1);
        assert_eq!(findings("a/b.rs", "pub async fn start_worker() {").len(), 1);
        assert_eq!(findings("a/b.proto", "message ClientHello {").len(), 1);
        assert_eq!(findings("a/b.proto", "  repeated bytes node_ids = 3; // whose").len(), 1);
    }

    #[test]
    fn other_trades_keep_their_words() {
        for line in [
            "use tonic::transport::Server;",
            "pub mod round_server;",
            "pub struct TreeNode {",
            "let client = RoundClient::new(channel);",
            "// The TLS client certificate names the participant.",
        ] {
            assert_eq!(findings("a/b.rs", line), Vec::<String>::new(), "{line}");
        }
        assert!(findings("README.md", "It needs no server and no client library.").is_empty());
        assert!(findings("a/b.proto", "// The server side of a stream.").is_empty());
    }

    #[test]
    fn nobody_decrypts_an_update() {
        assert_eq!(findings("a/b.rs", "pub fn decrypt(self) -> Sum {").len(), 1);
        assert_eq!(findings("docs/x.md", "The coordinator decrypts the update.").len(), 1);
    }

    #[test]
    fn prose_is_read_whatever_its_case_and_quotations_are_not() {
        assert_eq!(findings("docs/x.md", "It is no Blockchain.").len(), 1);
        let text = "<!-- vocabulary: quoted -->\nnot blockchain\n<!-- vocabulary: end -->\nblockchain\n";
        assert_eq!(findings("CONTRIBUTING.md", text), ["CONTRIBUTING.md:4: `blockchain`: say ledger"]);
    }

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words_of("WorkerCount"), ["worker", "count"]);
        assert_eq!(words_of("worker_count2"), ["worker", "count2"]);
        assert_eq!(public_name("pub const fn decrypt<T>(x: T)"), Some("decrypt"));
        assert_eq!(public_name("fn private() {}"), None);
    }
}
