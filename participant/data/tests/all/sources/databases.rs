//! PostgreSQL as a source.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Connection as _, Executor as _, PgConnection};
use syndic_data::{Database, Origin, Source};

use super::servers::postgres::Postgres;
use super::{read, secret, told};

fn database(url: &str, query: &str) -> Database {
    Database {
        url: url.into(),
        query: query.into(),
        password_file: None,
        authorities_file: None,
        max_mb: 100,
    }
}

fn source(url: &str, query: &str) -> [Source; 1] {
    of(database(url, query))
}

fn of(database: Database) -> [Source; 1] {
    [Source { name: "crm".into(), origin: Origin::Database(database) }]
}

/// Has the server do something, as its owner.
fn run(url: &str, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
    });
}

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, name text, born date, bill numeric(12, 2));
    INSERT INTO people VALUES (1, 'Jane Doe', '1990-02-28', 12.10), (2, NULL, NULL, NULL), (3, 'tab\there', '1980-12-01', -7)";

#[test]
fn cells_of_every_type_arrive_as_what_they_are() {
    let Some(server) = Postgres::start() else { return };
    run(
        &server.url(),
        "CREATE TYPE level AS ENUM ('low', 'high');
         CREATE DOMAIN euros AS numeric(8, 2);
         CREATE TABLE kinds (small int2, whole int8, single float4, double float8, exact numeric(10, 2), price euros,
             yes bool, word text, short varchar(9), filled char(5), grade level, mark uuid, day date, hour time,
             at timestamp, moment timestamptz);
         INSERT INTO kinds VALUES (-1, 9223372036854775807, 0.1, 1e-300, 12.50, 0.99, true, E'tab\\there, \"quoted\"\\nand \\\\N',
             '', 'ab', 'high', '00000000-0000-0000-0000-00000000000a', '1990-02-28', '23:59:01', '2026-01-02 03:04:05',
             '2026-01-02 03:04:05+02');
         INSERT INTO kinds DEFAULT VALUES",
    );
    let (rows, _) = read(&source(&server.url(), "TABLE kinds;"), "SELECT * FROM crm").unwrap();
    let first = "Integer(-1)|Integer(9223372036854775807)|Number(0.1)|Number(1e-300)|Number(12.5)|Number(0.99)|Truth(true)\
                 |Text(\"tab\\there, \\\"quoted\\\"\\nand \\\\N\")|Text(\"\")|Text(\"ab\")|Text(\"high\")\
                 |Text(\"00000000-0000-0000-0000-00000000000a\")|Text(\"1990-02-28\")|Text(\"23:59:01\")\
                 |Text(\"2026-01-02 03:04:05\")|Text(\"2026-01-02 01:04:05+00\")";
    assert_eq!(rows, [first, &["Empty"; 16].join("|")]);

    let computed = "SELECT whole % 10, exact * 2, date_part('year', CAST(day AS DATE)), \
                    date_part('hour', CAST(moment AS TIMESTAMP)), yes AND grade = 'high' FROM crm WHERE exact > 9";
    let (rows, _) = read(&source(&server.url(), "TABLE kinds"), computed).unwrap();
    assert_eq!(rows, ["Integer(7)|Number(25.0)|Integer(1990)|Integer(1)|Truth(true)"]);
}

#[test]
fn the_same_rows_have_the_same_digest_and_others_another() {
    let Some(server) = Postgres::start() else { return };
    run(&server.url(), PEOPLE);
    let digest = |query: &str| {
        let (_, sources) = read(&source(&server.url(), query), "SELECT count(*) FROM crm").unwrap();
        assert_eq!((&*sources[0].name, &*sources[0].files[0].name), ("crm", "rows"));
        sources[0].files[0].sha256.clone()
    };
    let sorted = "SELECT id, name FROM people ORDER BY id";
    let first = digest(sorted);
    assert_eq!(digest(&format!("{sorted} -- as before")), first);
    assert_ne!(digest("SELECT id, name AS called FROM people ORDER BY id"), first);
    assert_ne!(digest("SELECT id::text AS id, name FROM people ORDER BY id"), first);
    // Elsewhere on the disk, and the same.
    run(&server.url(), "UPDATE people SET name = name WHERE id = 1");
    assert_eq!(digest(sorted), first);
    run(&server.url(), "UPDATE people SET name = 'Jane Roe' WHERE id = 1");
    assert_ne!(digest(sorted), first);
}

#[test]
fn many_rows_arrive_and_no_more_than_may_be_copied() {
    let Some(server) = Postgres::start() else { return };
    let query = "SELECT n, repeat('x', 20) AS filling FROM generate_series(1, 100000) AS n";
    let (rows, files) = read(&source(&server.url(), query), "SELECT count(*), sum(n) FROM crm").unwrap();
    assert_eq!(rows, ["Integer(100000)|Integer(5000050000)"]);
    assert!(files[0].files[0].bytes > 2_600_000, "{files:?}");
    let refused =
        read(&of(Database { max_mb: 1, ..database(&server.url(), query) }), "SELECT n FROM crm").unwrap_err();
    assert_eq!(refused.code(), "data.source-too-large");
}

#[test]
fn a_password_comes_from_a_file_and_is_in_no_message() {
    let Some(server) = Postgres::with_password("sesame") else { return };
    let folder = tempfile::tempdir().unwrap();
    let asked = |password: &str, mode| {
        let password_file = Some(secret(folder.path(), "password", password, mode));
        read(&of(Database { password_file, ..database(&server.url(), "SELECT 7 AS n") }), "SELECT n FROM crm")
    };
    assert_eq!(asked("sesame\n", 0o600).unwrap().0, ["Integer(7)"]);
    for (password, mode, code) in
        [("sesam", 0o600, "data.source-denied"), ("sesame", 0o604, "data.source-credentials")]
    {
        let refused = asked(password, mode).unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(!told(&refused).contains("sesam"), "{}", told(&refused));
    }
}

#[test]
fn a_source_reads_and_does_nothing_else() {
    let Some(server) = Postgres::start() else { return };
    run(&server.url(), PEOPLE);
    for (query, code) in [
        ("INSERT INTO people VALUES (4) RETURNING id", "25006"),
        ("DELETE FROM people RETURNING id", "25006"),
        ("SELECT setval('pg_catalog.nothing', 1) AS n", "42P01"),
        ("SELECT id FROM people; COMMIT; DROP TABLE people", "42601"),
        ("SELECT 1) TO STDOUT; COMMIT; DROP TABLE people; SELECT (1", "42601"),
        ("DROP TABLE people", "it gives no columns"),
        ("SELECT borne FROM people", "42703), at character 8"),
        ("SELECT id FROM persons", "42P01"),
        ("SELECT id, id FROM people", "two columns `id`"),
        ("SELECT id FROM people WHERE id = $1", "42P02"),
    ] {
        let refused = read(&source(&server.url(), query), "SELECT * FROM crm").unwrap_err();
        assert_eq!(refused.code(), "data.source-query", "{query}: {refused}");
        assert!(refused.to_string().contains(code), "{query}: {refused}");
    }
    let (rows, _) =
        read(&source(&server.url(), "SELECT id FROM people"), "SELECT count(*) FROM crm").unwrap();
    assert_eq!(rows, ["Integer(3)"]);
}

#[test]
fn no_message_has_a_value_of_a_row() {
    let Some(server) = Postgres::start() else { return };
    run(&server.url(), PEOPLE);
    for (query, code, said) in [
        ("SELECT name::int AS n FROM people ORDER BY id", "data.source-query", "22P02"),
        ("SELECT 4711 / (id - 2) AS n FROM people ORDER BY id", "data.source-query", "division by zero"),
        ("SELECT id, 1234567890.1234567 AS n FROM people", "data.source-digits", "row 1 "),
        ("SELECT ARRAY[name] AS names FROM people", "data.source-column-type", "`names`"),
        ("SELECT now() - born AS age FROM people", "data.source-column-type", "interval"),
    ] {
        let refused = read(&source(&server.url(), query), "SELECT * FROM crm").unwrap_err();
        assert_eq!(refused.code(), code, "{query}: {refused}");
        let told = told(&refused);
        assert!(told.contains(said), "{told}");
        assert!(!["Jane", "4711", "1234"].iter().any(|value| told.contains(value)), "{told}");
    }
}

#[test]
fn who_may_not_read_or_finds_nobody_is_told_so() {
    let Some(mut server) = Postgres::start() else { return };
    run(&server.url(), PEOPLE);
    run(&server.url(), "CREATE USER reader");
    let reader = server.url().replace("syndic@", "reader@");
    let refused = |url: &str| read(&source(url, "TABLE people"), "SELECT * FROM crm").unwrap_err();
    assert_eq!(refused(&reader).code(), "data.source-denied");
    assert_eq!(refused(&server.url().replace("/postgres", "/nowhere")).code(), "data.source-denied");
    server.kill();
    let gone = refused(&server.url());
    assert_eq!(gone.code(), "data.source-unreachable");
    assert!(gone.to_string().contains(&server.port().to_string()), "{gone}");
}

#[test]
fn a_server_under_tls_has_to_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
    let (pem, key) = (secret(folder.path(), "pem", &pem, 0o644), key_file(folder.path(), &key));
    let files = [format!("ssl_cert_file={}", pem.display()), format!("ssl_key_file={}", key.display())];
    let Some(server) = Postgres::start_with(&["ssl=on", &files[0], &files[1]]) else { return };
    let url = |host: &str| format!("postgres://syndic@{host}:{}/postgres?sslmode=verify-full", server.port());
    let asked = |host: &str, authorities: Option<&PathBuf>| {
        let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let authorities_file = authorities.cloned();
        read(&of(Database { authorities_file, ..database(&url(host), query) }), "SELECT ssl FROM crm")
    };
    assert_eq!(asked("localhost", Some(&pem)).unwrap().0, ["Truth(true)"]);
    for (host, authorities) in [("127.0.0.1", Some(&pem)), ("localhost", None)] {
        let refused = asked(host, authorities).unwrap_err();
        assert_eq!(refused.code(), "data.source-unreachable", "{host}: {refused}");
        assert!(refused.to_string().contains("certificate"), "{host}: {refused}");
    }
}

/// A file that only the server may read, which runs as a user of its own where we are root.
fn key_file(folder: &Path, key: &str) -> PathBuf {
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = secret(folder, "key", key, 0o600);
    let id = |of: &[&str]| Command::new("id").args(of).output().unwrap().stdout;
    if id(&["-u"]).trim_ascii() == b"0"
        && let Ok(owner) = String::from_utf8(id(&["-u", "postgres"])).unwrap().trim().parse()
    {
        std::os::unix::fs::chown(&path, Some(owner), None).unwrap();
    }
    path
}
