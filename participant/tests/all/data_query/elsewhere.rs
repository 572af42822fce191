//! `data check` on sources that are on real servers, and what it leaves where it is killed.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::servers::postgres::Postgres;
use super::servers::s3::S3;

/// A job of two columns and a label, and a folder for a configuration.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        let job = include_str!("../../../../examples/bank-marketing/job.toml");
        let (from, to) = (job.find("[contract]").unwrap(), job.find("[program]").unwrap());
        scene.write("job.toml", &[&job[..from], CONTRACT, &job[to..]].concat());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The command over a configuration with these sources.
    fn command(&self, name: &str, sources: &str, query: &str) -> Command {
        let head = "enrolment = \"e\"\nstate = \"s\"\npolicy = \"p\"\n";
        self.write(name, &format!("{head}{sources}[data.contracts.\"small.v1\"]\nquery = \"{query}\"\n"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_syndic-participant"));
        command.args(["data", "check", "--config", name, "--job", "job.toml"]).current_dir(self.0.path());
        command
    }

    fn check(&self, sources: &str, query: &str) -> Output {
        self.command("participant.toml", sources, query).output().unwrap()
    }

    /// Folders of queries in the state folder.
    fn scratch(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path("s/scratch")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

const CONTRACT: &str = "[contract]\nname = \"small\"\nversion = 1\nmax_rows = 100\n\
    [contract.label]\ncolumn = \"label\"\npositive = \"1\"\nnegative = \"0\"\n\
    [[contract.columns]]\nname = \"age\"\ntype = \"numeric\"\ntransform = \"identity\"\nmin = 18\nmax = 100\n\
    [[contract.columns]]\nname = \"job\"\ntype = \"categorical\"\nlevels = [\"office\", \"field\"]\n\n";

fn run(url: &str, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn texts(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].concat().try_into().unwrap()
}

#[test]
fn data_check_joins_a_database_to_a_bucket_and_says_what_it_read() {
    let (Some(database), Some(bucket)) = (Postgres::with_password("sesame"), S3::with_bucket("lake")) else {
        return;
    };
    let with_password = database.url().replace("syndic@", "syndic:sesame@");
    run(
        &with_password,
        "CREATE TABLE people (id int PRIMARY KEY, born date NOT NULL, gone bool NOT NULL);
         INSERT INTO people VALUES (1, '1990-05-01', true), (2, '1980-05-01', false), (3, '1970-05-01', false)",
    );
    bucket.put("lake/hr/2026.csv", b"person,work\n1,O\n2,F\n3,O\n");
    let scene = Scene::new();
    scene.write("password", "sesame\n");
    scene.write("keys", "aws_access_key_id = AKIASESAME\naws_secret_access_key = sesame\n");
    let sources = format!(
        "[data.sources.people]\nurl = \"{}\"\npassword_file = \"password\"\n\
         query = \"SELECT id, extract(year FROM born)::int AS born, gone FROM people ORDER BY id\"\n\
         [data.sources.works]\nurl = \"s3://lake/hr/\"\nformat = \"csv\"\nendpoint = \"{}\"\ncredentials_file = \"keys\"\n",
        database.url(),
        bucket.endpoint()
    );
    let query = "SELECT 2020 - born AS age, CASE work WHEN 'O' THEN 'office' ELSE 'field' END AS job, \
                 CASE WHEN gone THEN 1 ELSE 0 END AS label FROM people JOIN works ON CAST(person AS INT) = id";
    let checked = scene.check(&sources, query);
    let told = texts(&checked);
    assert_eq!(checked.status.code(), Some(0), "{told}");
    for said in
        ["the rows fit contract small.v1: 3 rows", "  people: rows, ", "  works: 2026.csv, 24 bytes, sha256 "]
    {
        assert!(told.contains(said), "{told}");
    }
    assert!(scene.scratch().is_empty(), "what was copied is removed");

    scene.write("password", "sesam");
    let refused = scene.check(&sources, query);
    let told = texts(&refused);
    assert_eq!(refused.status.code(), Some(3), "{told}");
    assert!(told.contains("error[data.source-denied]") && told.contains("28P01"), "{told}");
    assert!(!told.to_lowercase().contains("sesam"), "{told}");
    let open = scene.check(&sources.replace("syndic@", "syndic:sesame@"), query);
    let told = texts(&open);
    assert_eq!(open.status.code(), Some(2), "{told}");
    assert!(told.contains("`password_file`") && !told.contains("sesame"), "{told}");
}

#[test]
fn what_a_check_that_was_killed_has_left_is_removed_by_the_next_and_not_that_of_one_that_runs() {
    let scene = Scene::new();
    scene.write("keys", "aws_access_key_id = a\naws_secret_access_key = b\n");
    scene.write("people.csv", "age,label\n30,0\n30,1\n");
    // A store that takes connections and never says a word: whoever asks it is in the middle of a query.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let waits = format!(
        "[data.sources.people]\nurl = \"s3://lake/people/\"\nformat = \"csv\"\nendpoint = \"http://{}\"\n\
         credentials_file = \"keys\"\n",
        silent.local_addr().unwrap()
    );
    let query = "SELECT age, 'office' AS job, label FROM people";
    let begin = |name: &str| {
        let mut command = scene.command(name, &waits, query);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        (Ended(child), silent.accept().unwrap())
    };
    let killed = begin("killed.toml");
    let [left] = &scene.scratch()[..] else { panic!("one folder") };
    for folder in [left.as_path(), left.parent().unwrap()] {
        assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    let runs = begin("runs.toml");
    drop(killed);
    assert_eq!(scene.scratch().len(), 2, "nobody had time to tidy up");

    let checked = scene.check("[data.sources.people]\npath = \"people.csv\"\nformat = \"csv\"\n", query);
    assert_eq!(checked.status.code(), Some(0), "{}", texts(&checked));
    assert!(!left.exists() && scene.scratch().len() == 1, "{:?}", scene.scratch());
    drop(runs);
}

/// Killed where the test ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
