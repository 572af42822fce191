-- What was debited on accounts of before, in other journals, as the site policy said last. Without it nobody knows whether there were any.
CREATE TABLE carried (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    micro_epsilon INTEGER NOT NULL CHECK (micro_epsilon >= 0),
    femto_delta   INTEGER NOT NULL CHECK (femto_delta >= 0)
) STRICT;
-- A journal that has taken part already goes on as the account that it was.
INSERT INTO carried SELECT 1, 0, 0 WHERE EXISTS (SELECT 1 FROM jobs);
-- Whose noise has to suffice, and that of how many. Empty for debits of before.
ALTER TABLE debits ADD COLUMN noise TEXT;
ALTER TABLE debits ADD COLUMN honest INTEGER;
