-- The log is the only truth: this table, and what is needed to know how to read it.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

INSERT INTO meta (key, value) VALUES ('format', 'syndic-log');

CREATE TABLE entries (
    position INTEGER PRIMARY KEY CHECK (position >= 0),
    bytes    BLOB NOT NULL
) STRICT;

-- Nothing in this software changes an entry; these also stop a hand that has opened the file.
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;

CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;
