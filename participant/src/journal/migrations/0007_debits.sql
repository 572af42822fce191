-- What each job with noise may spend of the privacy of rows, debited as a whole before anything of it leaves.
CREATE TABLE debits (
    job           TEXT PRIMARY KEY,
    contract      TEXT NOT NULL,
    unit          TEXT NOT NULL,
    micro_epsilon INTEGER NOT NULL,
    femto_delta   INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL
) STRICT;
