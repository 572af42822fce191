//! A daemon as a child process, and its log as it is written.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that anything here is waited for; a condition that holds is noticed at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program of the workspace. All three are brought up to date together first: building the tests alone
/// would leave the daemons as they were. With `SYNDIC_TEST_PROGRAMS` those in that folder are tested, as installed.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    if let Some(folder) = std::env::var_os("SYNDIC_TEST_PROGRAMS") {
        return PathBuf::from(folder).join(name);
    }
    let syndic = Path::new(env!("CARGO_BIN_EXE_syndic"));
    let folder = syndic.parent().unwrap();
    BUILT.get_or_init(|| {
        let mut build = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        build.args(["build", "--quiet", "--workspace", "--bins"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).status().unwrap();
        assert!(built.success(), "the programs do not build");
    });
    let extension = syndic.extension().map_or_else(String::new, |it| format!(".{}", it.to_str().unwrap()));
    folder.join(format!("{name}{extension}"))
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    command(name, folder, arguments).output().unwrap()
}

/// The same where it must succeed; what it printed.
pub(crate) fn succeed(name: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = run(name, folder, arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program that must refuse; its exit code and the code of its error.
pub(crate) fn refusal(name: &str, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let mut process = Process::start(name, folder, arguments);
    let exit = process.ended();
    (exit, process.error_code())
}

fn command(name: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program(name));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env("RUST_LOG", "info,syndic_coordinator::driver=debug");
    command
}

/// A process that was started here. Dropping it ends it.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Arc<(Mutex<Vec<String>>, Condvar)>,
    /// Lines of the log that were waited past already.
    seen: usize,
}

/// A line of a daemon's JSON log.
pub(crate) struct Line(Value);

impl Process {
    pub(crate) fn start(name: &str, folder: &Path, arguments: &[&str]) -> Self {
        let mut child =
            command(name, folder, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.0.lock().unwrap().push(line);
                written.1.notify_all();
            }
        });
        let name = format!("{name} in {}", folder.file_name().unwrap().display());
        Self { name, child, log, seen: 0 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line of the log that `wanted` accepts.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        let until = Instant::now() + PATIENCE;
        let (lines, written) = &*self.log;
        let mut lines = lines.lock().unwrap();
        loop {
            while self.seen < lines.len() {
                self.seen += 1;
                let line = serde_json::from_str(&lines[self.seen - 1]).map(Line);
                if let Some(line) = line.ok().filter(&wanted) {
                    return line;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} never logged {what}:\n{}", self.name, lines.join("\n"));
            lines = written.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// SIGKILL: nothing is tidied up. What was logged until then.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end; its exit code.
    pub(crate) fn ended(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| panic!("{} was killed", self.name));
            }
            assert!(Instant::now() < until, "{} does not end:\n{}", self.name, self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that it has said on standard error so far.
    pub(crate) fn told(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }

    /// The code of the error that it ended with, `net.port-busy` for instance.
    pub(crate) fn error_code(&self) -> String {
        let until = Instant::now() + PATIENCE;
        let (lines, written) = &*self.log;
        let mut lines = lines.lock().unwrap();
        loop {
            // The help is the last line, so the error above it is whole.
            let code = lines.iter().find_map(|line| line.strip_prefix("error[")?.split(']').next());
            if let Some(code) = code.filter(|_| lines.iter().any(|line| line.starts_with("  help: "))) {
                return code.to_owned();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} told no error with a help:\n{}", self.name, lines.join("\n"));
            lines = written.wait_timeout(lines, left).unwrap().0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Line {
    pub(crate) fn is(&self, message: &str) -> bool {
        self.text("message") == message
    }

    /// A field as text; empty where it is absent.
    pub(crate) fn text(&self, field: &str) -> String {
        match &self.0["fields"][field] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The number of the round that the line is about; 0 where it is about none.
    pub(crate) fn round(&self) -> u32 {
        self.text("round").split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// Whether a process listens for connections of any kind, by its own file descriptors.
#[cfg(target_os = "linux")]
pub(crate) fn is_listening(process: &Process) -> bool {
    let own = PathBuf::from(format!("/proc/{}", process.id()));
    let sockets: Vec<String> = std::fs::read_dir(own.join("fd"))
        .unwrap()
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?.to_str()?.to_owned();
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let holds = |table: &str, listens: fn(&str) -> bool| {
        let table = std::fs::read_to_string(own.join("net").join(table)).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            listens(columns[3]) && sockets.iter().any(|inode| inode == columns[9])
        })
    };
    // State 0A is LISTEN; a UDP socket hears whatever comes as soon as it is there.
    ["tcp", "tcp6"].iter().any(|table| holds(table, |state| state == "0A"))
        || ["udp", "udp6"].iter().any(|table| holds(table, |_| true))
}
