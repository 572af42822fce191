-- The coordinator's signed word that it accepted an update.
CREATE TABLE receipts (
    job     TEXT NOT NULL,
    round   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    receipt BLOB NOT NULL,
    PRIMARY KEY (job, round, attempt)
) STRICT;
