-- The first content of each contract that was accepted here: whoever writes a job file can write another under its name.
CREATE TABLE contracts (
    id     TEXT PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT;
