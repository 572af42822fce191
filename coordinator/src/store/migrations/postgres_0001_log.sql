-- One federation's schema. The log is the only truth: these tables, and what is needed to know how to read them.
CREATE TABLE meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);

INSERT INTO meta (key, value) VALUES ('format', 'syndic-log');

CREATE TABLE entries (
    position bigint PRIMARY KEY CHECK (position >= 0),
    bytes    bytea NOT NULL,
    -- Shows a byte that a disk or a hand has changed.
    digest   bytea NOT NULL CHECK (length(digest) = 32)
);

-- Who may append. A row stays when its lease is over: epochs only ever grow.
CREATE TABLE leases (
    name    text PRIMARY KEY,
    holder  text,
    epoch   bigint NOT NULL CHECK (epoch > 0),
    expires timestamptz NOT NULL
);

-- Nothing in this software changes an entry; these also stop a hand at a prompt.
CREATE FUNCTION refuse_to_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only';
END
$$;

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE OR DELETE ON entries
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change();

CREATE TRIGGER entries_are_never_emptied BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change();
