//! A bucket of an S3 store as a source.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use syndic_data::{Format, Objects, Origin, Source};

use super::servers::s3::S3;
use super::{read, secret, told};

/// A server with objects, and a folder with the same as files.
struct Scene {
    server: Arc<S3>,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Self> {
        let scene = Self { server: Arc::new(S3::with_bucket("lake")?), folder: tempfile::tempdir().unwrap() };
        secret(scene.folder.path(), "keys", KEYS, 0o600);
        Some(scene)
    }

    fn put(&self, key: &str, content: &[u8]) {
        self.server.put(&format!("lake/{key}"), content);
        let path = self.folder.path().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn objects(&self, url: &str, format: Format) -> Objects {
        Objects {
            url: url.into(),
            format,
            endpoint: Some(self.server.endpoint().into()),
            region: "us-east-1".into(),
            credentials_file: Some(self.folder.path().join("keys")),
            authorities_file: None,
            max_mb: 100,
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

fn of(objects: Objects) -> [Source; 1] {
    [Source { name: "calls".into(), origin: Origin::Objects(objects) }]
}

fn parquet(path: &Path, numbers: &[i64], towns: &[&str]) -> Vec<u8> {
    let (numbers, towns) = (Int64Array::from(numbers.to_vec()), StringArray::from(towns.to_vec()));
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(numbers)), ("town", Arc::new(towns))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::read(path).unwrap()
}

const KEYS: &str = "aws_access_key_id = AKIASESAME\naws_secret_access_key = sesame\n";
const ALL: &str = "SELECT id, town FROM calls";
/// printf 'id,town\n3,faro\n' | gzip -n -9
const PACKED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x4c, 0xd1, 0x29, 0xc9, 0x2f, 0xcf,
    0xe3, 0x32, 0xd6, 0x49, 0x4b, 0x2c, 0xca, 0xe7, 0x02, 0x00, 0x7c, 0xe9, 0x76, 0x83, 0x0f, 0x00, 0x00,
    0x00,
];

#[test]
fn objects_are_read_and_named_as_files_of_the_same_content_are() {
    let Some(scene) = Scene::new() else { return };
    scene.put("csv/a.csv", b"id,town\n1,porto\n2,\n");
    scene.put("csv/b.csv.gz", PACKED);
    scene.put("csv/_SUCCESS", b"");
    scene.put("parquet/1.parquet", &parquet(&scene.path("one"), &[1, 2], &["porto", "lisbon"]));
    scene.put("parquet/2.parquet", &parquet(&scene.path("two"), &[3], &["faro"]));
    for (place, format, rows) in
        [("csv/", Format::Csv, 3), ("parquet/", Format::Parquet, 3), ("csv/a.csv", Format::Csv, 2)]
    {
        let copied = read(&of(scene.objects(&format!("s3://lake/{place}"), format)), ALL).unwrap();
        let here = read(&[Source::of_files("calls", scene.path(place), format)], ALL).unwrap();
        assert_eq!(copied, here, "{place}");
        assert_eq!(copied.0.len(), rows, "{place}");
    }
    let matched = read(&of(scene.objects("s3://lake/csv/a*", Format::Csv)), ALL).unwrap();
    assert_eq!(matched.0, ["Text(\"1\")|Text(\"porto\")", "Text(\"2\")|Empty"]);
}

#[test]
fn what_cannot_be_read_is_told_by_its_address_and_without_keys_or_values() {
    let Some(scene) = Scene::new() else { return };
    scene.put("torn.csv", b"id,town\n1,porto\n4711\n");
    scene.put("large.csv", &vec![b'1'; 2 << 20]);
    let csv = |url: &str| scene.objects(url, Format::Csv);
    let open = secret(scene.folder.path(), "open", KEYS, 0o644);
    let nobody = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for (objects, code, said) in [
        (csv("s3://lake/nowhere/"), "data.source-empty", "s3://lake/nowhere/"),
        (csv("s3://lake/nowhere.csv"), "data.source-empty", "s3://lake/nowhere.csv"),
        (csv("s3://no-such-bucket/"), "data.source-denied", "no such bucket"),
        (csv("s3://lake/torn.csv"), "data.row-width", "line 3 of s3://lake/torn.csv of source"),
        (
            scene.objects("s3://lake/torn.csv", Format::Parquet),
            "data.source-malformed",
            "s3://lake/torn.csv of source",
        ),
        (Objects { max_mb: 1, ..csv("s3://lake/large.csv") }, "data.source-too-large", "1 MB"),
        (Objects { credentials_file: Some(open), ..csv("s3://lake/") }, "data.source-credentials", "644"),
        (
            Objects { authorities_file: Some(scene.path("keys")), ..csv("s3://lake/") },
            "data.source-credentials",
            "PEM",
        ),
        (
            Objects { endpoint: Some(format!("http://{nobody}")), ..csv("s3://lake/") },
            "data.source-unreachable",
            "no connection",
        ),
    ] {
        let refused = read(&of(objects), ALL).unwrap_err();
        let told = told(&refused);
        assert_eq!(refused.code(), code, "{told}");
        assert!(told.contains(said), "{told}");
        assert!(!["SESAME", "sesame", "4711"].iter().any(|secret| told.contains(secret)), "{told}");
    }
}

#[test]
fn an_object_that_is_replaced_while_others_are_read_is_noticed() {
    let Some(scene) = Scene::new() else { return };
    for (mark, replaced) in [("GET /lake/day/b.csv", "day/b.csv"), ("GET /lake/day/b.csv", "day/a.csv")] {
        scene.put("day/a.csv", b"id,town\n1,porto\n");
        scene.put("day/b.csv", b"id,town\n2,lisbon\n");
        let objects = scene.objects("s3://lake/day/", Format::Csv);
        // It stands between, and has the object replaced when the second one is asked for.
        let endpoint = through(&scene.server, mark, replaced);
        let refused = read(&of(Objects { endpoint: Some(endpoint), ..objects.clone() }), ALL).unwrap_err();
        assert_eq!(refused.code(), "data.source-changed", "{replaced}: {refused}");
        assert_eq!(read(&of(objects), ALL).unwrap().0.len(), 2, "and read the next time");
    }
}

/// Leads to `server`; before a request with `mark` passes, `key` is replaced, once.
fn through(server: &Arc<S3>, mark: &'static str, key: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (here, server) = (listener.local_addr().unwrap(), Arc::downgrade(server));
    std::thread::spawn(move || {
        let replaced = Arc::new(Once::new());
        for client in listener.incoming().map_while(Result::ok) {
            let Some(to) = server.upgrade() else { return };
            let there = TcpStream::connect(to.endpoint().strip_prefix("http://").unwrap()).unwrap();
            let (mut answers, mut back) = (there.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
            let (server, replaced) = (server.clone(), Arc::clone(&replaced));
            let act = move || {
                let replace = |to: Arc<S3>| to.put(&format!("lake/{key}"), b"id,town\n9,braga\n");
                replaced.call_once(|| server.upgrade().into_iter().for_each(replace));
            };
            std::thread::spawn(move || pass(client, there, mark, act));
        }
    });
    format!("http://{here}")
}

fn pass(mut client: TcpStream, mut server: TcpStream, mark: &str, act: impl Fn()) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        if bytes[..read].windows(mark.len()).any(|window| window == mark.as_bytes()) {
            act();
        }
        if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
}
