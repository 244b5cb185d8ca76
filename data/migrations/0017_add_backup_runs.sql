-- What became of backups and of the drills that restore one for a try. The backups themselves are files,
-- and say by themselves what they hold; this is for whoever asks whether all is well.

CREATE TABLE backup_runs (
  id          INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('backup', 'drill')),
  cause       TEXT NOT NULL CHECK (cause IN ('schedule', 'admin', 'command')),
  -- The backup that was made or tried; NULL when it came to none.
  name        TEXT,
  started_at  INTEGER NOT NULL,
  ended_at    INTEGER NOT NULL,
  took_ms     INTEGER NOT NULL CHECK (took_ms >= 0),
  plain_bytes INTEGER NOT NULL CHECK (plain_bytes >= 0),
  bytes       INTEGER NOT NULL CHECK (bytes >= 0),
  -- NULL: it was not to be.
  uploaded    INTEGER CHECK (uploaded IN (0, 1)),
  -- What went wrong; NULL: nothing.
  problem     TEXT,
  CHECK (name IS NOT NULL OR problem IS NOT NULL)
) STRICT;

CREATE INDEX backup_runs_kind_idx ON backup_runs (kind, id);
