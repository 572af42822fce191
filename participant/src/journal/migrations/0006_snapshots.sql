-- What the rows of the job were read from the first time.
ALTER TABLE jobs ADD COLUMN snapshot BLOB;
