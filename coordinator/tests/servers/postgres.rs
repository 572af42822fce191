//! A PostgreSQL server with a cluster of its own in a temporary folder.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{end, is_root, wait_for_line, with_us};

/// A server that listens on a port of the loopback interface. Dropped, it is killed and its folder removed.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
    running: Option<Child>,
}

impl Postgres {
    /// A new, empty cluster, running; none, said loudly, where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with these settings, as in `synchronous_commit=off`.
    pub fn start_with(settings: &[&str]) -> Option<Self> {
        Self::founded(settings, None)
    }

    /// The same where the user of [`Postgres::url`] has to show this password.
    pub fn with_password(password: &str) -> Option<Self> {
        Self::founded(&[], Some(password))
    }

    fn founded(settings: &[&str], password: Option<&str>) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("*** SKIPPED: PostgreSQL is not installed; `apt-get install postgresql` ***");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if let Some(user) = user() {
            let id = |of: &str| {
                let output = Command::new("id").args([of, user]).output().unwrap();
                String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
            };
            chown(folder.path(), Some(id("-u")), Some(id("-g"))).unwrap();
        }
        let mut initdb = with_us(&programs.join("initdb"), user());
        initdb.arg(folder.path().join("data")).current_dir(folder.path());
        initdb.args(["--username=syndic", "--no-sync", "--locale=C", "--encoding=UTF8"]);
        match password {
            None => initdb.arg("--auth=trust"),
            Some(password) => {
                let file = folder.path().join("password");
                std::fs::write(&file, password).unwrap();
                initdb.args(["--auth=scram-sha-256", "--pwfile"]).arg(file)
            }
        };
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { folder, programs, settings, port: free_port(), running: None };
        server.restart();
        Some(server)
    }

    /// The address of its database for the user that owns it.
    pub fn url(&self) -> String {
        Self::url_at(self.port)
    }

    /// The same through another port, which leads here.
    pub fn url_at(port: u16) -> String {
        Self::url_of(port, "postgres")
    }

    fn url_of(port: u16, database: &str) -> String {
        format!("postgres://syndic@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Another database, empty, beside the first; its address.
    pub fn create_database(&self, name: &str) -> String {
        let mut createdb = Command::new(self.programs.join("createdb"));
        createdb.args(["--host=127.0.0.1", &format!("--port={}", self.port), "--username=syndic", name]);
        let made = createdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::url_of(self.port, name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL: the server has no time to tidy up.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            end(&mut running);
        }
    }

    /// Starts it, on the same cluster and port; what was killed is ended first.
    pub fn restart(&mut self) {
        self.kill();
        // Processes of a server that was killed may hold its memory for a moment longer; then it says so and ends.
        let mut told = String::new();
        for _ in 0..ATTEMPTS {
            match self.try_start() {
                Ok(running) => {
                    self.running = Some(running);
                    return;
                }
                Err(reason) => told = reason,
            }
        }
        panic!("PostgreSQL does not start: {told}");
    }

    fn try_start(&self) -> Result<Child, String> {
        let mut command = with_us(&self.programs.join("postgres"), user());
        command.arg("-D").arg(self.folder.path().join("data"));
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.port)]);
        command.args(["-c", &format!("unix_socket_directories={}", self.folder.path().display())]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut child = command
            .current_dir(self.folder.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        match wait_for_line(child.stderr.take().unwrap(), "ready to accept connections") {
            Ok(_) => Ok(child),
            Err(told) => {
                end(&mut child);
                Err(told)
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// PostgreSQL refuses to run as root.
fn user() -> Option<&'static str> {
    is_root().then_some("postgres")
}

/// The folder of the newest version that is installed; Debian keeps several side by side.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let installed = versions.map(|version| version.path().join("bin"));
    installed.filter(|folder| Path::new(&folder.join("initdb")).exists()).max()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

const ATTEMPTS: usize = 100;
