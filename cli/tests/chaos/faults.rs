//! Faults at a daemon's own writes, by a library of 200 lines of C that is put before the system's (`faults.c`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::house::made;

/// What becomes of the process, or of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// SIGKILL before the call.
    KilledBefore,
    /// SIGKILL after it, before the program hears that it was done.
    KilledAfter,
    /// The call fails: an I/O error.
    InputOutput,
    /// The call fails: no space is left.
    NoSpace,
}

/// Which calls of a process are struck, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) fate: Fate,
    /// The first call, counted from 1, and the last.
    pub(crate) at: (u64, u64),
    /// Whether only those calls count that make something durable or give it its name.
    pub(crate) durable: bool,
}

/// A call that changes something in a store: its name and the file's path there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) call: String,
    pub(crate) path: String,
}

impl Fault {
    /// The environment that brings it about in whoever keeps its state in `folder`.
    pub(crate) fn environment(self, folder: &Path) -> Option<Vec<(String, String)>> {
        let mut environment = counting(folder, self.durable)?;
        let name = match self.fate {
            Fate::KilledBefore => "kill-before",
            Fate::KilledAfter => "kill-after",
            Fate::InputOutput => "eio",
            Fate::NoSpace => "enospc",
        };
        environment.push(("FAULTS_DO".into(), name.into()));
        environment.push(("FAULTS_AT".into(), self.at.0.to_string()));
        environment.push(("FAULTS_UNTIL".into(), self.at.1.to_string()));
        Some(environment)
    }
}

/// The environment that only notes down what is called, in the file [`sites`] reads; none without a C compiler.
pub(crate) fn counting(folder: &Path, durable: bool) -> Option<Vec<(String, String)>> {
    let library = library()?.to_str().unwrap().to_owned();
    let mut environment = vec![
        ("LD_PRELOAD".into(), library),
        ("FAULTS_BELOW".into(), made(folder).to_str().unwrap().to_owned()),
        ("FAULTS_LOG".into(), log_of(folder).to_str().unwrap().to_owned()),
    ];
    if durable {
        environment.push(("FAULTS_SYNCS".into(), "1".into()));
    }
    Some(environment)
}

/// What goes into such an environment so that calls count, too, by which servers at these ports are to make something durable.
pub(crate) fn on_servers(ports: &[u16]) -> (String, String) {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ("FAULTS_SERVERS".into(), ports.join(","))
}

/// The calls of all processes that kept their state in `folder`, in order.
pub(crate) fn sites(folder: &Path) -> Vec<Site> {
    let log = std::fs::read_to_string(log_of(folder)).unwrap_or_default();
    let site = |line: &str| {
        let mut words = line.splitn(3, ' ').skip(1).map(str::to_owned);
        Some(Site { call: words.next()?, path: words.next()? })
    };
    log.lines().filter_map(site).collect()
}

fn log_of(folder: &Path) -> PathBuf {
    folder.with_extension("calls")
}

/// The library, built once; none where there is no C compiler, which is said loudly.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<(tempfile::TempDir, PathBuf)>> = OnceLock::new();
    let built = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("faults.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chaos/faults.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
        let arguments = ["-shared", "-fPIC", "-O1", "-o", library.to_str().unwrap(), source, "-ldl"];
        match Command::new(compiler).args(arguments).status() {
            Ok(status) if status.success() => Some((folder, library)),
            _ => {
                eprintln!(
                    "*** SKIPPED: no C compiler builds tests/chaos/faults.c, so no write is struck ***"
                );
                None
            }
        }
    });
    built.as_ref().map(|(_, library)| library.as_path())
}
