-- Asked before an update is sent: was it begun before?
CREATE INDEX sent_by_place ON sent (job, round, attempt, what);
