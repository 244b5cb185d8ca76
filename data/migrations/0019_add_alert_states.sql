-- How the rules of the alerts stand, so that a restart neither repeats what the operator was told nor loses
-- what he has still to be told. A row for each rule that ever saw a problem.

CREATE TABLE alert_states (
  rule       TEXT NOT NULL PRIMARY KEY,
  -- Since when there is the problem; NULL: there is none.
  since      INTEGER,
  firing     INTEGER NOT NULL CHECK (firing IN (0, 1)),
  problem    TEXT,
  -- When somebody last took a message about it.
  told_at    INTEGER,
  -- When it last began to fire, and when it last ended.
  fired_at   INTEGER,
  ended_at   INTEGER,
  -- What was wrong, where its end has still to be told.
  end_owed   TEXT,
  updated_at INTEGER NOT NULL,
  CHECK (firing = 0 OR since IS NOT NULL)
) STRICT;
