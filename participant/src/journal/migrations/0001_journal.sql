CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

INSERT INTO meta (key, value) VALUES ('format', 'syndic-journal'), ('boots', '0');

-- The one file that each job was accepted with.
CREATE TABLE jobs (
    job       TEXT PRIMARY KEY,
    agreement BLOB NOT NULL
) STRICT;

-- Every preparation ever begun. Round, attempt and question stay empty until it is bound.
CREATE TABLE preparations (
    job      TEXT NOT NULL,
    number   INTEGER NOT NULL CHECK (number >= 0),
    round    INTEGER,
    attempt  INTEGER,
    question BLOB,
    PRIMARY KEY (job, number),
    UNIQUE (job, round, attempt),
    CHECK ((round IS NULL) = (question IS NULL) AND (attempt IS NULL) = (question IS NULL))
) STRICT;

-- Every signed message ever said. The digest stays when the bytes are wiped.
CREATE TABLE messages (
    job         TEXT NOT NULL,
    preparation INTEGER NOT NULL CHECK (preparation >= 0),
    kind        TEXT NOT NULL,
    digest      BLOB NOT NULL,
    bytes       BLOB,
    PRIMARY KEY (job, preparation, kind)
) STRICT;

-- For every question whose sum this participant helped to open: in which attempt.
CREATE TABLE openings (
    question BLOB PRIMARY KEY,
    job      TEXT NOT NULL,
    round    INTEGER NOT NULL,
    attempt  INTEGER NOT NULL
) STRICT;

-- The last checkpoint seen of each federation's ledger.
CREATE TABLE checkpoints (
    federation TEXT PRIMARY KEY,
    size       INTEGER NOT NULL CHECK (size >= 0),
    note       BLOB NOT NULL
) STRICT;

-- What left the building, in order.
CREATE TABLE sent (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    job     TEXT NOT NULL,
    round   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    what    TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;
