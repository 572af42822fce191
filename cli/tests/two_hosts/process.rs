//! A daemon as a child process, and its log as it is written.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that anything here is waited for; a condition that holds is noticed at once.
const PATIENCE: Duration = Duration::from_secs(180);

/// The longest that a health port may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);

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

/// The error in what was told on standard error, where `--json` was asked for.
pub(crate) fn error_in(told: &str) -> Option<Value> {
    let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|mut line| line["error"].take()).find(Value::is_object)
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
    log: Arc<(Mutex<Log>, Condvar)>,
    /// Lines of the log that were waited past already.
    seen: usize,
}

/// What a process has said on standard error.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    /// Nothing more comes: the process has ended.
    ended: bool,
}

/// A line of a daemon's JSON log.
pub(crate) struct Line(Value);

impl Process {
    pub(crate) fn start(name: &str, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(name, folder, arguments, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_with(
        name: &str,
        folder: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> Self {
        let mut command = command(name, folder, arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::<(Mutex<Log>, Condvar)>::default();
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                written.0.lock().unwrap().lines.push(line);
                written.1.notify_all();
            }
            written.0.lock().unwrap().ended = true;
            written.1.notify_all();
        });
        let name = format!("{name} in {}", folder.file_name().unwrap().display());
        Self { name, child, log, seen: 0 }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line of the log that `wanted` accepts.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        let mut seen = self.seen;
        let next = |log: &Log| {
            while let Some(line) = log.lines.get(seen) {
                seen += 1;
                if let Some(line) = serde_json::from_str(line).map(Line).ok().filter(&wanted) {
                    return Some((line, seen));
                }
            }
            assert!(!log.ended, "{} ended before it logged {what}:\n{}", self.name, log.lines.join("\n"));
            None
        };
        let (line, seen) = self.wait(next, what);
        self.seen = seen;
        line
    }

    /// Waits until the log has a line that `wanted` accepts, or the process has ended; whether it has the line.
    pub(crate) fn shows(&self, what: &str, wanted: impl Fn(&Line) -> bool) -> bool {
        let shown = |log: &Log| {
            let mut lines = log.lines.iter().filter_map(|line| serde_json::from_str(line).map(Line).ok());
            lines.any(|line| wanted(&line)).then_some(true).or(log.ended.then_some(false))
        };
        self.wait(shown, what)
    }

    /// How many lines of its log so far `wanted` accepts.
    pub(crate) fn count(&self, wanted: impl Fn(&Line) -> bool) -> usize {
        let log = self.log.0.lock().unwrap();
        let lines = log.lines.iter().filter_map(|line| serde_json::from_str(line).map(Line).ok());
        lines.filter(wanted).count()
    }

    /// Waits until the log grows, for a moment at most: for whoever watches several processes.
    pub(crate) fn grows(&self) {
        let (log, grown) = &*self.log;
        drop(grown.wait_timeout(log.lock().unwrap(), Duration::from_millis(100)).unwrap());
    }

    /// SIGKILL: nothing is tidied up.
    pub(crate) fn kill(mut self) {
        self.stop_at_once();
    }

    /// The same of a process whose words are still wanted.
    pub(crate) fn stop_at_once(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end, and for the last that it says; its exit code.
    pub(crate) fn ended(&mut self) -> i32 {
        self.wait(|log| log.ended.then_some(()), "its end");
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| panic!("{} was killed", self.name))
    }

    /// Waits for the process to end; whether a signal has ended it.
    pub(crate) fn was_killed(&mut self) -> bool {
        self.wait(|log| log.ended.then_some(()), "its end");
        self.child.wait().unwrap().code().is_none()
    }

    /// Whether nothing more comes of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.log.0.lock().unwrap().ended
    }

    /// All that it has said on standard error so far.
    pub(crate) fn told(&self) -> String {
        self.log.0.lock().unwrap().lines.join("\n")
    }

    /// The code of the error that it ended with, `net.port-busy` for instance. Every error says what to do.
    pub(crate) fn error_code(&self) -> String {
        let told = self.told();
        if let Some(error) = error_in(&told) {
            assert!(error["help"].as_str().is_some_and(|help| !help.is_empty()), "no help: {error}");
            return error["code"].as_str().unwrap().to_owned();
        }
        let code = told.lines().find_map(|line| line.strip_prefix("error[")?.split(']').next());
        assert!(told.lines().any(|line| line.starts_with("  help: ")), "{} told no help:\n{told}", self.name);
        code.unwrap_or_else(|| panic!("{} told no error:\n{told}", self.name)).to_owned()
    }

    /// Waits until the log shows something, looking whenever it grows or ends.
    fn wait<T>(&self, mut shown: impl FnMut(&Log) -> Option<T>, what: &str) -> T {
        let until = Instant::now() + PATIENCE;
        let (log, grown) = &*self.log;
        let mut log = log.lock().unwrap();
        loop {
            if let Some(found) = shown(&log) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} never showed {what}:\n{}", self.name, log.lines.join("\n"));
            log = grown.wait_timeout(log, left).unwrap().0;
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

/// Whether the coordinator whose health port this is says that it takes work.
pub(crate) fn is_ready(health: u16) -> bool {
    let asked = || -> std::io::Result<[u8; 12]> {
        let mut connection =
            TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, health).into(), ANSWERS_WITHIN)?;
        connection.set_read_timeout(Some(ANSWERS_WITHIN))?;
        connection.write_all(b"GET /ready HTTP/1.1\r\nHost: coordinator\r\n\r\n")?;
        let mut status = [0; 12];
        connection.read_exact(&mut status).map(|()| status)
    };
    asked().is_ok_and(|status| status == *b"HTTP/1.1 200")
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
