-- What the holder of a lease lets the others know. Gone with the lease.
ALTER TABLE leases ADD COLUMN note text;

-- The newest word of each witness about the head of the log.
CREATE TABLE cosignatures (
    witness integer PRIMARY KEY CHECK (witness > 0),
    size    bigint NOT NULL CHECK (size >= 0),
    line    text NOT NULL
);

-- Those who listen are told of what others must know, when it is committed and not before. The channel is the schema's
-- name. A lease that is renewed is nothing new, nor one that was asked for in vain.
CREATE FUNCTION tell_the_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_TABLE_SCHEMA, '');
    RETURN NULL;
END
$$;

CREATE TRIGGER entries_are_told AFTER INSERT ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION tell_the_others();

CREATE TRIGGER leases_are_told AFTER INSERT OR UPDATE OF holder, note ON leases
    FOR EACH ROW EXECUTE FUNCTION tell_the_others();

CREATE TRIGGER cosignatures_are_told AFTER INSERT OR UPDATE ON cosignatures
    FOR EACH ROW EXECUTE FUNCTION tell_the_others();
