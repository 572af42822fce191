-- An amount protects single rows or the institution as a whole. Both are never added, so each has what was debited before it.
CREATE TABLE carried_by_unit (
    unit          TEXT PRIMARY KEY CHECK (unit IN ('row', 'institution')),
    micro_epsilon INTEGER NOT NULL CHECK (micro_epsilon >= 0),
    femto_delta   INTEGER NOT NULL CHECK (femto_delta >= 0)
) STRICT;
INSERT INTO carried_by_unit SELECT 'row', micro_epsilon, femto_delta FROM carried;
-- No version before this one knew noise for institutions: a journal that has taken part already has spent nothing of that.
INSERT INTO carried_by_unit SELECT 'institution', 0, 0 WHERE EXISTS (SELECT 1 FROM jobs);
DROP TABLE carried;
ALTER TABLE carried_by_unit RENAME TO carried;
