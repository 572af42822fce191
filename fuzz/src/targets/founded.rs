//! The folders of a federation and of a member of it, with one file that is another: keys, certificates, records, rosters.
//!
//! Keys of TLS are made anew at every run, so the seeds are not the same bytes each time.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;
use syndic_coordinator::authority::{Reason, Validity};
use syndic_coordinator::federation::Federation;
use syndic_coordinator::revocation::revoke;
use syndic_coordinator::tls::Door;
use syndic_participant::enrol::{Enrolment, RosterReview, endorse, pin};
use syndic_participant::keys::Keys;
use syndic_round::Timestamp;
use syndic_round::enrolment::Address;
use tempfile::TempDir;

use crate::script::{choosing, chosen};

/// The first byte chooses the file that the others are put in the place of.
pub(super) fn run(input: &[u8]) {
    let (choice, bytes) = chosen(input);
    HOUSE.with_borrow(|house| {
        let (path, honest) = &house.files[usize::from(choice) % house.files.len()];
        fs::write(path, bytes).expect("a file of the temporary folder");
        house.open();
        fs::write(path, honest).expect("a file of the temporary folder");
    });
}

/// A federation's folder, and that of its first member.
struct House {
    root: TempDir,
    /// Every file, and what it holds.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl House {
    fn found() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = root.path().join(FEDERATION);
        let rng = &mut StdRng::seed_from_u64(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let here = Address::new("127.0.0.1").expect("an address");
        let mut federation =
            Federation::create("credit", vec![here], Timestamp(now), rng).expect("a federation");
        federation.write(&folder).expect("it can be written");
        let mut enrolled = Vec::new();
        for number in 1..=5 {
            let dir = root.path().join(format!("bank_{number}"));
            let keys = Keys::generate(&format!("bank_{number}"), rng).expect("keys");
            keys.write(&dir).expect("they can be written");
            let request = keys.signing_request().expect("a request");
            let bundle = federation.add_participant(&request, Validity::days(Timestamp(now), 30));
            let bundle = bundle.expect("a member");
            federation.write_member(&folder, &bundle).expect("it can be written");
            enrolled.push((dir, keys, bundle));
        }
        let endorsements = enrolled.iter().map(|(dir, keys, bundle)| {
            let review = RosterReview::new(keys, bundle, federation.roster()).expect("an honest roster");
            endorse(dir, review).expect("it can be written")
        });
        let endorsements = endorsements.collect();
        let sealed = federation.seal(endorsements).expect("all have signed");
        federation.write_sealed(&folder, &sealed).expect("it can be written");
        pin(&enrolled[0].0, sealed).expect("it can be pinned");
        revoke(&folder, Some(("bank_2", Reason::Superseded)), 30).expect("a list can be signed");
        let mut files = Vec::new();
        collect(&folder, &mut files);
        collect(&enrolled[0].0, &mut files);
        files.sort();
        let house = Self { root, files };
        assert!(house.open(), "the honest folders are refused");
        house
    }

    /// Reads both folders in each way in which they are read; whether nothing was refused.
    fn open(&self) -> bool {
        let folder = self.root.path().join(FEDERATION);
        let mut is_whole = true;
        let mut told = |code: &str, help: &str| {
            assert!(code.contains('.') && !help.is_empty(), "a refusal says neither what nor what to do");
            is_whole = false;
        };
        if let Err(error) = Federation::load(&folder) {
            told(error.code(), error.help());
        }
        // As the coordinator does, for which the authority's key and the draft of the roster need not be there.
        if let Err(error) = Door::open(&folder, None) {
            told(error.code(), &error.help());
        }
        if let Err(error) = syndic_coordinator::federation::load_sealed_roster(&folder) {
            told(error.code(), error.help());
        }
        match Enrolment::load(&self.root.path().join("bank_1")) {
            Ok(enrolment) => {
                if let Err(error) = enrolment.connectors() {
                    told(error.code(), error.help());
                }
            }
            Err(error) => told(error.code(), error.help()),
        }
        is_whole
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let bytes = fs::read(&path).expect("the file can be read");
            files.push((path, bytes));
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    HOUSE.with_borrow(|house| {
        let seed = |(number, (_, bytes)): (u8, &(PathBuf, Vec<u8>))| choosing(number, bytes);
        (0..).zip(&house.files).map(seed).collect()
    })
}

const FEDERATION: &str = "federation";

thread_local! {
    static HOUSE: RefCell<House> = RefCell::new(House::found());
}
