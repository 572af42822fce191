//! `syndic ledger verify`: the offline check of a run's ledger folder.

use std::fmt::Write as _;
use std::path::Path;

use console::style;
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use syndic_coordinator::audit::{Audit, AuditError, Audited, ROSTER};
use syndic_ledger::tiles::CHECKPOINT;
use syndic_ledger::{Accepted, Policy, Summary, VerifierKey, verify_each};
use syndic_round::{Digest, EndorsedRoster};

use super::earlier;
use super::folder::Folder;
use super::trust::{Trust, unaccepted};
use crate::words::{counted, plain, thousands};
use crate::{Error, Exit, Result};

/// A ledger that verifies.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// What it holds.
    #[serde(flatten)]
    pub summary: Summary,
    /// The witnesses that signed its checkpoint, as the policy names them; none where no policy was given.
    pub witnesses: Vec<String>,
    /// How many entries it had at the earlier checkpoint that it continues; none where none was named.
    pub from: Option<u64>,
    /// The digest of the roster beside the entries, whose members' keys its messages were verified with.
    pub roster: Option<Digest>,
    /// What its rounds came to when they were played again; none where no roster lies beside the entries.
    pub audited: Option<Audited>,
}

/// Checks the ledger in the folder `path`. Where the roster lies beside the entries, every round is played again, and every
/// signature of a participant verified.
///
/// # Errors
/// The first thing wrong, with exit code 4; a path that makes no sense, with exit code 2.
pub fn check(path: &Path, trust: &Trust) -> Result<Verified> {
    check_since(path, trust, None)
}

/// The same, and that the ledger continues the checkpoint in the file `earlier`.
///
/// # Errors
/// As [`check`]; a ledger that does not continue it, with exit code 4.
pub fn check_since(path: &Path, trust: &Trust, earlier: Option<&Path>) -> Result<Verified> {
    let folder = Folder::open(path)?;
    let mut growth = earlier.map(|earlier| earlier::read(earlier, &folder, trust)).transpose()?;
    let mut verified = check_each(&folder, trust, &mut |accepted| {
        if let Some(growth) = &mut growth {
            growth.append(accepted.leaf);
        }
    })?;
    if let (Some(growth), Some(earlier)) = (growth, earlier) {
        let continued = growth.check(verified.summary.size);
        continued.map_err(|error| earlier::rewritten(&folder, earlier, &error))?;
        verified.from = Some(growth.earlier().size());
    }
    Ok(verified)
}

/// The same, handing each entry to `reader`. Whether the ledger is good is known only in the end: what was read is not to
/// be told before.
///
/// # Errors
/// As [`check`].
pub fn check_each(folder: &Folder, trust: &Trust, reader: &mut dyn FnMut(&Accepted)) -> Result<Verified> {
    let (key, witnesses) = match trust {
        Trust::Itself => (None, Vec::new()),
        Trust::Key(key) => (Some((**key).clone()), Vec::new()),
        Trust::Policy(policy) => accepted(folder, policy)?,
    };
    let roster = folder.roster()?;
    let expected = roster.map(|roster| ledger_key(folder, roster)).transpose()?;
    let digest = roster.map(|roster| roster.roster.digest());
    let audit = roster.cloned().map(Audit::new).transpose();
    let mut audit = audit.map_err(|error| folder.other_roster(&error.to_string()))?;
    let mut astray = None;
    let summary = verify_each(folder, key.as_ref(), &mut |accepted| {
        if let (Some(audit), None) = (&mut audit, &astray) {
            astray = audit.take(accepted.index, &accepted.entry).err();
        }
        reader(accepted);
    });
    let summary = summary.map_err(|error| folder.wrong(&error))?;
    if expected.is_some_and(|key| key.fingerprint() != summary.fingerprint) {
        return Err(folder.other_roster("it names another key than the one that signed the ledger"));
    }
    if let Some(error) = astray {
        return Err(unlike(folder, &error));
    }
    Ok(Verified { summary, witnesses, from: None, roster: digest, audited: audit.map(|audit| audit.found()) })
}

/// The key of the log whose checkpoint the policy accepts, and the witnesses that signed it.
fn accepted(folder: &Folder, policy: &Policy) -> Result<(Option<VerifierKey>, Vec<String>)> {
    let witnessed = policy.check(&folder.checkpoint()?);
    let place = || folder.path().join(CHECKPOINT).display().to_string();
    let witnessed = witnessed.map_err(|error| unaccepted(place(), &error))?;
    let key = policy.logs().iter().find(|log| log.name() == witnessed.checkpoint.origin());
    Ok((key.cloned(), witnessed.witnesses.into_iter().map(|(name, _)| name).collect()))
}

/// The key that signs the ledger of the federation with this roster.
fn ledger_key(folder: &Folder, roster: &EndorsedRoster) -> Result<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.roster.coordinator_key);
    let key = key.map_err(|_| folder.other_roster("the coordinator's key in it is none"))?;
    VerifierKey::new(&roster.roster.ledger_origin(), key)
        .map_err(|error| folder.other_roster(&error.to_string()))
}

/// The summary for people.
pub fn render(Verified { summary, witnesses, from, roster, audited }: &Verified) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        let _ = writeln!(text, "  {}{}", style(format!("{label:<13}")).cyan(), plain(&value));
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
    if let Some(erased) = summary.types.get(UPDATES_ERASED) {
        line("erased", format!("the updates of {}", counted(*erased as usize, "job", "jobs")));
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
    if !witnesses.is_empty() {
        line("witnesses", witnesses.join(", "));
    }
    if let Some(from) = from {
        line(
            "continues",
            format!("the checkpoint of {} that you named", counted(*from as usize, "entry", "entries")),
        );
    }
    if summary.shared_unchecked > 0 {
        let label = style("warning[ledger.unchecked-sums]").yellow().bold();
        let sums = counted(summary.shared_unchecked as usize, "sum", "sums");
        let _ = writeln!(
            text,
            "\n{label}: {sums} of shared vectors opened with exactly as many reveals as are needed:\n\
             a single wrong one could have shifted such a sum unnoticed. `checked` is false in their entries."
        );
    }
    let _ = writeln!(text, "\n{}", verdict(summary));
    if !summary.pinned {
        text += "Whoever can write this folder could have made all of it anew. Get the coordinator's key by another\n\
                 way and name it with --key.\n";
    }
    text
}

/// By whose word all of it holds, in a line.
pub fn verdict(summary: &Summary) -> String {
    let verdict = match summary.pinned {
        true => style("verified: every entry, hash and signature, against the key you named").green(),
        false => style("self-consistent only: the key came with the ledger").yellow(),
    };
    verdict.bold().to_string()
}

/// The summary for programs: one JSON object on one line.
pub fn to_json(verified: &Verified) -> String {
    serde_json::to_string(verified).expect("strings and numbers serialise")
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

fn unlike(folder: &Folder, error: &AuditError) -> Error {
    Error::new(Exit::Unverified, error.code(), error.to_string()).place(folder.entry(error.entry())).help(
        "nothing from this entry on is to be believed; keep the folder, and ask the coordinator's operator",
    )
}

/// By an entry of this type the updates of a job are erased.
const UPDATES_ERASED: &str = "syndic.job.updates-erased";

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use syndic_ledger::{Checkpoint, Entry, History, Timestamp, tiles};
    use syndic_round::Roster;

    const ORIGIN: &str = "coordinator.example/federation";

    fn trust(key: Option<&str>) -> Trust {
        Trust::of(key, None).unwrap()
    }

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
        let verified = check(folder.path(), &trust(Some(&vkey))).unwrap();
        assert!(verified.summary.pinned);
        assert!(render(&verified).contains("verified: every entry"));
        let json: serde_json::Value = serde_json::from_str(&to_json(&verified)).unwrap();
        assert_eq!(json["size"], 1);
    }

    #[test]
    fn without_a_key_it_is_self_consistent_only() {
        let (folder, _) = ledger();
        let verified = check(folder.path(), &trust(None)).unwrap();
        assert!(render(&verified).contains("self-consistent only"));
        assert!(render(&verified).contains("there is no roster.json beside the entries"));
    }

    #[test]
    fn sums_that_were_not_checked_are_counted_and_warned_of() {
        let (folder, _) = ledger();
        let mut verified = check(folder.path(), &trust(None)).unwrap();
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
            let error = check(folder.path(), &trust(Some(&vkey))).unwrap_err();
            assert_eq!((error.code(), error.exit()), ("audit.roster", 4), "{text}");
        };
        with("{}");
        with("not JSON");
        let roster = Roster {
            federation: "another".into(),
            coordinator_key: SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes(),
            approvers: Vec::new(),
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
        let error = check(folder.path(), &trust(Some(&vkey))).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("ledger.entry-altered", 4));
        assert!(error.render().contains("entry 0"));
    }

    #[test]
    fn a_foreign_key_a_bad_key_and_a_missing_folder_are_told_apart() {
        let (folder, _) = ledger();
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        let other = VerifierKey::new(ORIGIN, other).unwrap().to_string();
        assert_eq!(check(folder.path(), &trust(Some(&other))).unwrap_err().exit(), 4);
        assert_eq!(Trust::of(Some("nonsense"), None).unwrap_err().exit(), 2);
        let nowhere = folder.path().join("nowhere");
        assert_eq!(check(&nowhere, &trust(None)).unwrap_err().code(), "ledger.not-a-folder");
    }
}
