//! The files that set up a host: policy and configurations. A refusal never shows the file's text.

use std::cell::RefCell;
use std::path::Path;

use syndic_participant::policy::Policy;
use tempfile::TempDir;

use crate::script::{choosing, chosen};

/// The first byte chooses the file; a secret in it must not come back.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    FOLDER.with_borrow(|folder| {
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, bytes).expect("a file of the temporary folder");
        let told = match choice % 5 {
            0 => Policy::load(&path).err().map(|error| error.to_string()),
            1 => participant(&path).err(),
            2 => coordinator(&path).err(),
            3 => syndic_participant::enrol::read_endorsed_roster(&path).err().map(|error| error.to_string()),
            _ => syndic_participant::enrol::read_bundle(&path).err().map(|error| error.to_string()),
        };
        // Digits of the file's values stand in no message of ours.
        assert!(!told.is_some_and(|told| told.contains(SECRET)), "a refusal shows the file's text");
    });
}

fn participant(path: &Path) -> Result<(), String> {
    let config = syndic_participant::config::Config::load(path).map_err(|error| error.to_string())?;
    let folder = path.parent().expect("a file in a folder");
    let sources = config.data.sources.values().filter_map(|source| source.path.as_ref());
    let mut paths = [&config.enrolment, &config.state, &config.policy]
        .into_iter()
        .chain(&config.data.file)
        .chain(sources);
    // An absolute path stays as it is written.
    assert!(paths.all(|path| path.starts_with(folder) || path.is_absolute()));
    Ok(())
}

fn coordinator(path: &Path) -> Result<(), String> {
    let config = syndic_coordinator::config::Config::load(path).map_err(|error| error.to_string())?;
    assert!(config.gather_seconds <= 86_400);
    Ok(())
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let with_secret = |text: &str| text.replace("marketing", SECRET).replace("customers", SECRET);
    let policy = with_secret(include_str!("../../../deploy/policy.toml"));
    let participant = with_secret(include_str!("../../../deploy/participant.toml"));
    let coordinator = include_str!("../../../deploy/coordinator.toml").replace("\"state\"", "\"87318731\"");
    let roster = serde_json::to_string(&crate::federation::FEDERATION.roster.endorsed()).expect("a roster");
    vec![
        choosing(0, policy),
        choosing(1, participant),
        choosing(2, coordinator),
        choosing(3, roster),
        choosing(1, format!("enrolment = \"{SECRET}\"\nstate = {SECRET}\n")),
        choosing(2, format!("{SECRET},{SECRET}\n")),
        choosing(4, format!("{{\"schema\": \"{SECRET}\", \"participant\": {SECRET}}}")),
    ]
}

/// Stands for a customer's value in a file given by mistake.
const SECRET: &str = "87318731";

thread_local! {
    static FOLDER: RefCell<TempDir> =
        RefCell::new(tempfile::tempdir().expect("a temporary folder can be made"));
}
