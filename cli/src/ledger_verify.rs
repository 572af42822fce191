//! `syndic ledger verify`: the offline check of a run's ledger folder.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use console::style;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use syndic_coordinator::audit::{Audit, AuditError, Audited, ROSTER};
use syndic_ledger::tiles::CHECKPOINT;
use syndic_ledger::{SourceError, Summary, TileSource, VerifierKey, VerifyError, verify_each};
use syndic_round::{Digest, EndorsedRoster};

use crate::words::{counted, thousands};
use crate::{Error, Exit, Result};

/// A folder with the files of a ledger.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`.
    ///
    /// # Errors
    /// When there is no such folder.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join("ledger").join(CHECKPOINT).is_file() && !path.join(CHECKPOINT).exists() {
            return Err(Error::input(
                "ledger.not-a-folder",
                "this is the folder of a run, and its ledger lies in it",
            )
            .place(path.display().to_string())
            .help(format!("name {}", path.join("ledger").display())));
        }
        if path.is_dir() {
            return Ok(Self(path.into()));
        }
        Err(Error::input("ledger.not-a-folder", "there is no ledger folder here")
            .place(path.display().to_string())
            .help("name the `ledger` folder of a run, for instance syndic-demo/ledger"))
    }
}

impl TileSource for Folder {
    fn read(&self, path: &str) -> std::result::Result<Vec<u8>, SourceError> {
        std::fs::read(self.0.join(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing,
            _ => SourceError::Unreadable(error.to_string()),
        })
    }
}

/// A ledger that verifies.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What it holds.
    #[serde(flatten)]
    pub summary: Summary,
    /// The digest of the roster beside the entries, whose members' keys its messages were verified with.
    pub roster: Option<Digest>,
    /// What its rounds came to when they were played again; none where no roster lies beside the entries.
    pub audited: Option<Audited>,
}

/// Checks the ledger in the folder `path`; with `key`, a verifier key in vkey form, against that key. Where the roster lies
/// beside the entries, every round is played again, and every signature of a participant verified.
///
/// # Errors
/// The first thing wrong, with exit code 4; a key or path that makes no sense, with exit code 2.
pub fn check(path: &Path, key: Option<&str>) -> Result<Verified> {
    let key = key.map(parse_key).transpose()?;
    let folder = Folder::open(path)?;
    let roster = roster(path)?;
    let expected = roster.as_ref().map(|roster| ledger_key(path, roster)).transpose()?;
    let digest = roster.as_ref().map(|roster| roster.roster.digest());
    let audit = roster.map(Audit::new).transpose();
    let mut audit = audit.map_err(|error| other_roster(path, &error.to_string()))?;
    let mut astray = None;
    let summary = verify_each(&folder, key.as_ref(), &mut |index, entry| {
        if let (Some(audit), None) = (&mut audit, &astray) {
            astray = audit.take(index, entry).err();
        }
    });
    let summary = summary.map_err(|error| wrong(path, &error))?;
    if expected.is_some_and(|key| key.fingerprint() != summary.fingerprint) {
        return Err(other_roster(path, "it names another key than the one that signed the ledger"));
    }
    match astray {
        Some(error) => Err(unlike(path, &error)),
        None => Ok(Verified { summary, roster: digest, audited: audit.map(|audit| audit.found()) }),
    }
}

/// The roster beside the entries, if there is one.
fn roster(path: &Path) -> Result<Option<EndorsedRoster>> {
    let file = path.join(ROSTER);
    let bytes = match std::fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| Error::unreadable(&file, &error))?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| other_roster(path, &error.to_string()))
}

/// The key that signs the ledger of the federation with this roster.
fn ledger_key(path: &Path, roster: &EndorsedRoster) -> Result<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.roster.coordinator_key);
    let key = key.map_err(|_| other_roster(path, "the coordinator's key in it is none"))?;
    VerifierKey::new(&roster.roster.ledger_origin(), key)
        .map_err(|error| other_roster(path, &error.to_string()))
}

/// The summary for people.
pub fn render(Verified { summary, roster, audited }: &Verified) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {}{value}", style(format!("{label:<13}")).cyan());
    };
    line("ledger", summary.origin.clone());
    line("entries", thousands(summary.size));
    line("root", summary.root.to_string());
    if let (Some(first), Some(last)) = (summary.first_time, summary.last_time) {
        line("from", first.to_string());
        line("to", last.to_string());
    }
    line(
        "rounds",
        format!(
            "{} closed, {} abandoned, {} open",
            summary.rounds_closed, summary.rounds_abandoned, summary.rounds_open
        ),
    );
    let shared = summary.shared_checked + summary.shared_unchecked;
    if shared > 0 {
        line(
            "shared",
            format!("{shared} of the closed from shares alone, {} unchecked", summary.shared_unchecked),
        );
    }
    line(
        "replayed",
        audited.map_or_else(|| format!("no: there is no {ROSTER} beside the entries"), replayed),
    );
    if let Some(roster) = roster {
        line("by roster", roster.to_string());
    }
    for (kind, count) in &summary.types {
        line("", format!("{:>7}  {kind}", thousands(*count)));
    }
    line("signed by", summary.fingerprint.clone());
    if summary.shared_unchecked > 0 {
        let label = style("warning[ledger.unchecked-sums]").yellow().bold();
        let sums = counted(summary.shared_unchecked as usize, "sum", "sums");
        let _ = writeln!(
            text,
            "\n{label}: {sums} of shared vectors opened with exactly as many reveals as are needed:\n\
             a single wrong one could have shifted such a sum unnoticed. `checked` is false in their entries."
        );
    }
    let verdict = if summary.pinned {
        style("verified: every entry, hash and signature, against the key you named").green().bold()
    } else {
        style("self-consistent only: the key came with the ledger").yellow().bold()
    };
    let _ = writeln!(text, "\n{verdict}");
    if !summary.pinned {
        text += "Whoever can write this folder could have made all of it anew. Get the coordinator's key by another\n\
                 way and name it with --key.\n";
    }
    text
}

/// The summary for programs: one JSON object on one line.
pub fn to_json(verified: &Verified) -> String {
    serde_json::to_string(verified).expect("strings and numbers serialise")
}

fn parse_key(text: &str) -> Result<VerifierKey> {
    text.trim().parse().map_err(|error: syndic_ledger::NoteError| {
        Error::input(error.code(), error.to_string())
            .place("--key")
            .help("give the key as NAME+HASH+BASE64, in quotes, as `result.json` has it under ledger.key")
    })
}

/// What playing the rounds again came to.
fn replayed(audited: Audited) -> String {
    let Audited { rounds, messages, key_sums, vector_sums } = audited;
    let mut sums = Vec::new();
    if key_sums > 0 {
        sums.push(counted(key_sums as usize, "sum of keys restored again", "sums of keys restored again"));
    }
    if vector_sums > 0 {
        sums.push(counted(
            vector_sums as usize,
            "sum of vectors opened again",
            "sums of vectors opened again",
        ));
    }
    let rounds = counted(rounds as usize, "round", "rounds");
    let signed = counted(messages as usize, "signature of participants", "signatures of participants");
    [vec![rounds, signed], sums].concat().join(", ")
}

fn other_roster(folder: &Path, why: &str) -> Error {
    Error::new(
        Exit::Unverified,
        "audit.roster",
        format!("the roster beside the ledger is not its own: {why}"),
    )
    .place(folder.join(ROSTER).display().to_string())
    .help("take the file from where the ledger came from; without it rounds are not played again")
}

fn unlike(folder: &Path, error: &AuditError) -> Error {
    Error::new(Exit::Unverified, error.code(), error.to_string())
        .place(format!("{}, entry {}", folder.display(), error.entry()))
        .help("nothing from this entry on is to be believed; keep the folder, and ask the coordinator's operator")
}

fn wrong(folder: &Path, error: &VerifyError) -> Error {
    let place = match (error.entry(), error.file()) {
        (Some(entry), _) => format!("{}, entry {entry}", folder.display()),
        (None, Some(file)) => folder.join(file).display().to_string(),
        (None, None) => folder.display().to_string(),
    };
    Error::new(Exit::Unverified, error.code(), error.to_string()).place(place).help(error.help())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use syndic_ledger::{Checkpoint, Entry, History, Timestamp, tiles};
    use syndic_round::Roster;

    const ORIGIN: &str = "coordinator.example/federation";

    /// A folder with a ledger of one entry, and the key that signed it.
    fn ledger() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut history = History::new();
        let entry = history.link(Entry {
            id: "01917f3c-0000-7000-8000-000000000001".into(),
            source: "coordinator/1".into(),
            kind: "syndic.job.agreed".into(),
            time: Timestamp::from_unix_ms(1_785_585_600_123).unwrap(),
            subject: Some("job/7f".into()),
            schema: "1".into(),
            round_prev: None,
            data: serde_json::json!({"job": "7f"}),
        });
        let bytes = entry.to_canonical().unwrap();
        history.accept(&bytes).unwrap();
        let vkey = VerifierKey::new(ORIGIN, key.verifying_key()).unwrap().to_string();
        let write = |path: &str, bytes: &[u8]| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        for file in tiles::files([bytes.as_slice()]).unwrap() {
            write(&file.path, &file.bytes);
        }
        let checkpoint = Checkpoint::of(ORIGIN, history.tree()).unwrap();
        write(tiles::CHECKPOINT, checkpoint.sign(&key).unwrap().as_bytes());
        write(tiles::VERIFIER_KEY, format!("{vkey}\n").as_bytes());
        (folder, vkey)
    }

    #[test]
    fn a_whole_ledger_verifies_against_its_key() {
        let (folder, vkey) = ledger();
        let verified = check(folder.path(), Some(&vkey)).unwrap();
        assert!(verified.summary.pinned);
        assert!(render(&verified).contains("verified: every entry"));
        let json: serde_json::Value = serde_json::from_str(&to_json(&verified)).unwrap();
        assert_eq!(json["size"], 1);
    }

    #[test]
    fn without_a_key_it_is_self_consistent_only() {
        let (folder, _) = ledger();
        let verified = check(folder.path(), None).unwrap();
        assert!(render(&verified).contains("self-consistent only"));
        assert!(render(&verified).contains("there is no roster.json beside the entries"));
    }

    #[test]
    fn sums_that_were_not_checked_are_counted_and_warned_of() {
        let (folder, _) = ledger();
        let mut verified = check(folder.path(), None).unwrap();
        let quiet = render(&verified);
        assert!(!quiet.contains("shared") && !quiet.contains("warning"), "{quiet}");
        (verified.summary.rounds_closed, verified.summary.shared_checked) = (7, 4);
        assert!(render(&verified).contains("4 of the closed from shares alone, 0 unchecked"));
        assert!(!render(&verified).contains("warning"));
        verified.summary.shared_unchecked = 2;
        let text = render(&verified);
        assert!(text.contains("6 of the closed from shares alone, 2 unchecked"), "{text}");
        assert!(text.contains("warning[ledger.unchecked-sums]: 2 sums of shared vectors"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&to_json(&verified)).unwrap();
        assert_eq!((&json["shared_checked"], &json["shared_unchecked"]), (&4.into(), &2.into()));
    }

    #[test]
    fn a_roster_that_is_none_or_of_another_federation_is_refused() {
        let (folder, vkey) = ledger();
        let with = |text: &str| {
            std::fs::write(folder.path().join(ROSTER), text).unwrap();
            let error = check(folder.path(), Some(&vkey)).unwrap_err();
            assert_eq!((error.code(), error.exit()), ("audit.roster", 4), "{text}");
        };
        with("{}");
        with("not JSON");
        let roster = Roster {
            federation: "another".into(),
            coordinator_key: SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes(),
            members: Vec::new(),
        };
        // Nobody has signed it.
        with(&serde_json::to_string(&EndorsedRoster { roster, endorsements: Vec::new() }).unwrap());
    }

    #[test]
    fn an_altered_entry_is_named_and_exits_with_4() {
        let (folder, vkey) = ledger();
        let bundle = folder.path().join("tile/entries/000.p/1");
        let mut bytes = std::fs::read(&bundle).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&bundle, bytes).unwrap();
        let error = check(folder.path(), Some(&vkey)).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("ledger.entry-altered", 4));
        assert!(error.render().contains("entry 0"));
    }

    #[test]
    fn a_foreign_key_a_bad_key_and_a_missing_folder_are_told_apart() {
        let (folder, _) = ledger();
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let other = VerifierKey::new(ORIGIN, other).unwrap().to_string();
        assert_eq!(check(folder.path(), Some(&other)).unwrap_err().exit(), 4);
        assert_eq!(check(folder.path(), Some("nonsense")).unwrap_err().exit(), 2);
        let nowhere = folder.path().join("nowhere");
        assert_eq!(check(&nowhere, None).unwrap_err().code(), "ledger.not-a-folder");
    }
}
