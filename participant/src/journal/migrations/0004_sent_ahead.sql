-- The preparation of what was sent ahead of any round, where round and attempt are zero.
ALTER TABLE sent ADD COLUMN preparation INTEGER;
