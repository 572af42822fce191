-- What the holder of a lease lets the others know. Gone with the lease.
ALTER TABLE leases ADD COLUMN note TEXT;
