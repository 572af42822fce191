//! The two databases, damaged as a disk can damage them: what is read is refused or read, and nothing is taken for what it is
//! not without a word.

use std::path::Path;
use std::sync::LazyLock;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use syndic_coordinator::store::{Log, SqliteLog, StoreError};
use syndic_participant::journal::{
    Journal, JournalError, MessageKind, Opening, Sent, read_message, read_receipts, read_sent,
};
use syndic_round::message::Context;
use syndic_round::receipt::Receipt;
use syndic_round::{Digest, Place, RoundId, Timestamp};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::history;
use crate::script::{Script, fields};

/// A participant's journal: all that can be asked of it is asked.
pub(super) fn journal(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (path, honest) = (folder.path().join("journal.sqlite"), JOURNAL.as_slice());
    RUNTIME.block_on(async {
        damage(&path, honest, JOURNAL_COLUMNS, input).await;
        // While no agent has it open, and beside one that has.
        let _ = read_sent(&path).await;
        if let Err(error) = ask(&path).await {
            assert!(error.code().starts_with("journal."), "{error}");
        }
        let _ = read_receipts(&path).await;
        let _ = read_message(&path, JOB, 1, MessageKind::Header).await;
    });
}

async fn ask(path: &Path) -> Result<(), JournalError> {
    let journal = Journal::open(path).await?;
    let boot = journal.boot();
    let asked = [
        journal.accept_job(JOB, Digest::of(b"job")).await.map(drop),
        journal.checkpoint(FEDERATION).await.map(drop),
        journal.keep_checkpoint(FEDERATION, b"note\n8\nroot\n", 8).await,
        journal.claim_preparation(JOB, 9).await,
        journal.bind(JOB, 1, ROUND, Digest::of(b"question")).await.map(drop),
        journal.open_question(Digest::of(b"question"), JOB, &opening(), |_| false).await.map(drop),
        journal.record_message(JOB, 1, MessageKind::Certify, b"another").await.map(drop),
    ];
    for error in asked.into_iter().filter_map(Result::err) {
        assert!(!error.code().is_empty(), "{error}");
    }
    for kind in [MessageKind::Header, MessageKind::Certify] {
        if let Ok(Some(bytes)) = journal.message(JOB, 1, kind).await
            && kind == MessageKind::Header
        {
            // Its digest lies in another column; both would have to be damaged alike.
            assert_eq!(bytes, b"header", "the journal gives out a message that was never said");
        }
    }
    if let Some(mut update) = journal.spool().find(JOB, 1)? {
        let _ = update.measure(b"header", 2);
    }
    assert!(boot > 0);
    Ok(())
}

/// A coordinator's log: what it gives out is what was appended, or it names what is missing.
pub(super) fn log(input: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (path, honest) = (folder.path().join("ledger.sqlite"), LOG.as_slice());
    RUNTIME.block_on(async {
        damage(&path, honest, LOG_COLUMNS, input).await;
        if let Err(error) = read_log(&path).await {
            assert!(error.code().starts_with("store."), "{error}");
        }
    });
}

async fn read_log(path: &Path) -> Result<(), StoreError> {
    let log = SqliteLog::open(path).await?;
    let size = log.size().await?;
    let entries = log.read(0, u64::MAX).await?;
    // Whoever starts on them plays them again; a fault is named there.
    let mut history = syndic_ledger::History::new();
    let _ = entries.iter().try_for_each(|entry| history.accept(entry).map(drop));
    let _ = log.append(size, &[b"{}".to_vec()]).await;
    Ok(())
}

/// Puts the honest file at `path`, damaged: bytes of it are others, or values of a row, past the rules of its schema.
async fn damage(path: &Path, honest: &[u8], columns: &[(&str, &str)], input: &[u8]) {
    let mut script = Script::new(input);
    let mut file = honest.to_vec();
    let rows = script.u8() & 1 == 1;
    if rows {
        std::fs::write(path, &file).expect("a file of the temporary folder");
        while !script.is_over() {
            let (table, column) = columns[usize::from(script.u8()) % columns.len()];
            // A file that does not let itself be damaged is as it was.
            let _ = change(path, table, column, &mut script).await;
        }
        return;
    }
    while !script.is_over() {
        // Most of what is in so small a file is at the beginning and the end of its pages.
        let at = usize::from(script.u16()) % file.len();
        let bytes = script.field();
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
    }
    std::fs::write(path, &file).expect("a file of the temporary folder");
}

async fn change(path: &Path, table: &str, column: &str, script: &mut Script<'_>) -> sqlx::Result<()> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    sqlx::raw_sql(NO_RULES).execute(&mut connection).await?;
    let kind = script.u8();
    let sql = sqlx::AssertSqlSafe(match kind % 5 {
        4 => format!("DELETE FROM {table}"),
        _ => format!("UPDATE OR REPLACE {table} SET {column} = ?"),
    });
    let query = sqlx::query(sql);
    match kind % 5 {
        0 => query.bind(script.u64() as i64),
        1 => query.bind(String::from_utf8_lossy(script.field()).into_owned()),
        2 => query.bind(script.field().to_vec()),
        3 => query.bind(None::<i64>),
        _ => query,
    }
    .execute(&mut connection)
    .await?;
    connection.close().await
}

/// The honest journal: everything was said once.
static JOURNAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    file(|path| async move {
        let journal = Journal::open(&path).await?;
        journal.accept_job(JOB, Digest::of(b"job")).await?;
        journal.claim_preparation(JOB, 1).await?;
        journal.bind(JOB, 1, ROUND, Digest::of(b"question")).await?;
        let sent = Sent {
            job: JOB.into(),
            place: Place::Ahead(1),
            what: "header".into(),
            bytes: 6,
            digest: Digest::of(b"header"),
            at_ms: 1_785_585_600_000,
        };
        journal.record_leaving(JOB, 1, MessageKind::Header, b"header", &sent).await?;
        journal.record_message(JOB, 1, MessageKind::Certify, b"certify").await?;
        journal.open_question(Digest::of(b"question"), JOB, &opening(), |_| false).await?;
        journal.keep_checkpoint(FEDERATION, b"note\n7\nroot\n", 7).await?;
        journal.keep_receipt(JOB, ROUND, &Receipt { at: Timestamp(7), signature: [7; 64] }).await
    })
});

static LOG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    file(|path| async move {
        let log = SqliteLog::open(&path).await?;
        log.append(0, &history::log()).await.map(drop)
    })
});

/// The bytes of the file that `write` makes, once it is closed.
fn file<E: std::fmt::Debug, F: Future<Output = Result<(), E>>>(
    write: impl FnOnce(std::path::PathBuf) -> F,
) -> Vec<u8> {
    let folder: TempDir = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("honest.sqlite");
    RUNTIME.block_on(async {
        write(path.clone()).await.expect("an honest file can be written");
        // What stands in the log beside it moves into the file.
        let mut connection: SqliteConnection =
            SqliteConnectOptions::new().filename(&path).connect().await.expect("an honest file opens");
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.expect("it is whole");
        connection.close().await.expect("it closes");
    });
    std::fs::read(&path).expect("the file is there")
}

fn opening() -> Opening {
    Opening { round: ROUND, context: Context { ctx0: Digest::of(b"ctx0"), h1: Some(Digest::of(b"h1")) } }
}

pub(super) fn journal_seeds() -> Vec<Vec<u8>> {
    seeds(&JOURNAL, JOURNAL_COLUMNS.len())
}

pub(super) fn log_seeds() -> Vec<Vec<u8>> {
    seeds(&LOG, LOG_COLUMNS.len())
}

/// The file as it is, bytes here and there, and a value of each column.
fn seeds(file: &[u8], columns: usize) -> Vec<Vec<u8>> {
    // Two bytes say where: what lies beyond them is reached by changing rows.
    let reached = file.len().min(usize::from(u16::MAX));
    let bytes = (0..reached).step_by(reached / 16).map(|at| {
        let at = u16::try_from(at).expect("within what is reached").to_be_bytes();
        [&[0], at.as_slice(), &fields([[0xff, 0x00, 0x80, 0x7f]])].concat()
    });
    let row = |column: usize| [1, u8::try_from(column).expect("there are few"), 2, 0, 2, 0xff, 0xfe].to_vec();
    std::iter::once(vec![0]).chain(bytes).chain((0..columns).map(row)).collect()
}

const JOURNAL_COLUMNS: &[(&str, &str)] = &[
    ("meta", "value"),
    ("jobs", "agreement"),
    ("preparations", "number"),
    ("preparations", "round"),
    ("preparations", "attempt"),
    ("preparations", "question"),
    ("messages", "kind"),
    ("messages", "preparation"),
    ("messages", "bytes"),
    ("openings", "job"),
    ("openings", "round"),
    ("openings", "ctx0"),
    ("openings", "h1"),
    ("checkpoints", "size"),
    ("checkpoints", "note"),
    ("sent", "round"),
    ("sent", "preparation"),
    ("sent", "bytes"),
    ("sent", "digest"),
    ("sent", "at_ms"),
    ("receipts", "attempt"),
    ("receipts", "receipt"),
];
const LOG_COLUMNS: &[(&str, &str)] = &[("meta", "value"), ("entries", "position"), ("entries", "bytes")];
/// A damaged page does not keep to what statements must keep to.
const NO_RULES: &str = "PRAGMA ignore_check_constraints = ON; DROP TRIGGER IF EXISTS entries_are_never_changed; \
                        DROP TRIGGER IF EXISTS entries_are_never_removed";
const JOB: &str = "job";
const FEDERATION: &str = "federation";
const ROUND: RoundId = RoundId { round: 1, attempt: 1 };

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});
