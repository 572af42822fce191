-- The digest of each entry shows a byte that the disk has changed. Entries of the first schema have none.
ALTER TABLE entries ADD COLUMN digest BLOB CHECK (digest IS NULL OR length(digest) = 32);

-- Who may append. A row stays when its lease is over: epochs only ever grow.
CREATE TABLE leases (
    name    TEXT PRIMARY KEY,
    holder  TEXT,
    epoch   INTEGER NOT NULL CHECK (epoch > 0),
    expires INTEGER NOT NULL
) STRICT;
