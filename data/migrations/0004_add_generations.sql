-- Image jobs: what was asked for, how far it is, what it cost, what came of it; and how many pictures
-- a user has had made in a day.
--
-- `seq` is the order of submission. `request` is what the image API is told, as JSON; it may hold a
-- picture of megabytes, so it stands last, where reading the other columns does not pass it, and goes
-- when nobody can ask for it again. `late_until` is set while a failed job may still be delivered.
CREATE TABLE generations (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id          TEXT NOT NULL UNIQUE
                  CHECK (length(job_id) = 32 AND job_id NOT GLOB '*[^0-9a-f]*'),
  user_id         INTEGER NOT NULL REFERENCES users (id),
  status          TEXT NOT NULL DEFAULT 'QUEUED'
                  CHECK (status IN ('QUEUED', 'RUNNING', 'RETRYING', 'SUCCEEDED', 'FAILED',
                                    'CANCELED')),
  prompt          TEXT NOT NULL CHECK (prompt <> ''),
  mode            TEXT NOT NULL CHECK (mode IN ('draft', 'final')),
  resolution      TEXT NOT NULL CHECK (resolution IN ('1K', '2K', '4K')),
  aspect_ratio    TEXT NOT NULL,
  sample_count    INTEGER NOT NULL CHECK (sample_count BETWEEN 1 AND 10),
  template_id     TEXT,
  template_title  TEXT,
  quota_day       TEXT NOT NULL CHECK (quota_day GLOB '????-??-??'),
  quota_used      INTEGER NOT NULL CHECK (quota_used >= 0),
  points_charged  INTEGER NOT NULL CHECK (points_charged >= 0),
  points_refunded INTEGER NOT NULL DEFAULT 0 CHECK (points_refunded >= 0),
  upstream        TEXT,
  upstream_job_id TEXT,
  attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  next_attempt_at INTEGER,
  deadline_at     INTEGER NOT NULL,
  late_until      INTEGER,
  error_code      TEXT,
  error_message   TEXT,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  started_at      INTEGER,
  completed_at    INTEGER,
  request         TEXT,
  CHECK (points_refunded <= points_charged),
  CHECK (quota_used <= sample_count),
  CHECK ((status IN ('SUCCEEDED', 'FAILED', 'CANCELED')) = (completed_at IS NOT NULL)),
  CHECK ((status = 'FAILED') = (error_code IS NOT NULL)),
  CHECK (late_until IS NULL OR status = 'FAILED'),
  CHECK (upstream_job_id IS NULL OR upstream IS NOT NULL)
) STRICT;

CREATE INDEX generations_user_idx ON generations (user_id, created_at DESC, seq DESC);
CREATE INDEX generations_user_status_idx
  ON generations (user_id, status, created_at DESC, seq DESC);
-- What a start has to take up again, and what the deadline ends.
CREATE INDEX generations_open_idx ON generations (deadline_at, seq)
  WHERE status IN ('QUEUED', 'RUNNING', 'RETRYING');
CREATE INDEX generations_late_idx ON generations (late_until) WHERE late_until IS NOT NULL;
CREATE INDEX generations_upstream_idx ON generations (upstream_job_id)
  WHERE upstream_job_id IS NOT NULL;

-- The pictures of a job, as the media feature keeps them.
CREATE TABLE generation_images (
  job_id        TEXT NOT NULL REFERENCES generations (job_id),
  idx           INTEGER NOT NULL CHECK (idx >= 0),
  key           TEXT NOT NULL CHECK (key <> ''),
  thumbnail_key TEXT NOT NULL CHECK (thumbnail_key <> ''),
  width         INTEGER NOT NULL CHECK (width > 0),
  height        INTEGER NOT NULL CHECK (height > 0),
  PRIMARY KEY (job_id, idx)
) STRICT, WITHOUT ROWID;

-- Pictures of a user by day of submission (`YYYY-MM-DD` in Asia/Shanghai): free ones, and all others.
-- Given back ones are not in it. The CHECKs fail a give-back of what was never taken.
CREATE TABLE quota_usage (
  user_id INTEGER NOT NULL REFERENCES users (id),
  day     TEXT NOT NULL CHECK (day GLOB '????-??-??'),
  free    INTEGER NOT NULL DEFAULT 0 CHECK (free >= 0),
  paid    INTEGER NOT NULL DEFAULT 0 CHECK (paid >= 0),
  PRIMARY KEY (user_id, day)
) STRICT, WITHOUT ROWID;

-- How many jobs of each status a user has: lists and statistics ask for it often. Triggers, not the
-- code: nothing that changes a status can forget it.
CREATE TABLE generation_counts (
  user_id INTEGER NOT NULL REFERENCES users (id),
  status  TEXT NOT NULL,
  jobs    INTEGER NOT NULL CHECK (jobs >= 0),
  PRIMARY KEY (user_id, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER generations_count_insert AFTER INSERT ON generations
BEGIN
  INSERT INTO generation_counts (user_id, status, jobs) VALUES (NEW.user_id, NEW.status, 1)
  ON CONFLICT (user_id, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER generations_count_update AFTER UPDATE OF status ON generations
WHEN OLD.status <> NEW.status
BEGIN
  UPDATE generation_counts SET jobs = jobs - 1
   WHERE user_id = OLD.user_id AND status = OLD.status;
  INSERT INTO generation_counts (user_id, status, jobs) VALUES (NEW.user_id, NEW.status, 1)
  ON CONFLICT (user_id, status) DO UPDATE SET jobs = jobs + 1;
END;

CREATE TRIGGER generations_count_delete AFTER DELETE ON generations
BEGIN
  UPDATE generation_counts SET jobs = jobs - 1
   WHERE user_id = OLD.user_id AND status = OLD.status;
END;
