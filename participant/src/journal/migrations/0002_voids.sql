-- What the promises that void an attempt are bound to. Empty for openings of before: those are never void.
ALTER TABLE openings ADD COLUMN ctx0 BLOB;
ALTER TABLE openings ADD COLUMN h1 BLOB;
