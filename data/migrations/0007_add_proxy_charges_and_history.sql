-- What calls that are passed through to the image API cost, and when a user's old jobs are looked for.

-- What a call has cost. Written by the proxy feature.
--
-- OPEN while the call is under way: paid, and no answer noted. KEPT when it was answered well; the job
-- in the answer, if there is one, may still fail. RETURNED when it was given back, which is final.
CREATE TABLE proxy_charges (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  call_id    TEXT NOT NULL UNIQUE
             CHECK (length(call_id) = 32 AND call_id NOT GLOB '*[^0-9a-f]*'),
  user_id    INTEGER NOT NULL REFERENCES users (id),
  state      TEXT NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'KEPT', 'RETURNED')),
  job_id     TEXT CHECK (job_id <> ''),
  quota_day  TEXT NOT NULL CHECK (quota_day GLOB '????-??-??'),
  pictures   INTEGER NOT NULL CHECK (pictures > 0),
  quota_used INTEGER NOT NULL CHECK (quota_used IN (0, pictures)),
  points     INTEGER NOT NULL CHECK (points >= 0),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK (quota_used = 0 OR points = 0),
  CHECK (job_id IS NULL OR state <> 'OPEN')
) STRICT;

-- What a crash left.
CREATE INDEX proxy_charges_open_idx ON proxy_charges (id) WHERE state = 'OPEN';
-- A job is paid for once.
CREATE UNIQUE INDEX proxy_charges_job_idx ON proxy_charges (job_id)
  WHERE state = 'KEPT' AND job_id IS NOT NULL;

-- When the history of a user is looked at next; a row for everybody who has one. Written by the
-- generations feature, which removes jobs that are older than the level of their owner keeps.
CREATE TABLE generation_histories (
  user_id   INTEGER PRIMARY KEY REFERENCES users (id),
  review_at INTEGER NOT NULL
) STRICT;

CREATE INDEX generation_histories_review_idx ON generation_histories (review_at, user_id);

INSERT INTO generation_histories (user_id, review_at)
SELECT user_id, MIN(created_at) FROM generations GROUP BY user_id;

-- A trigger, not the code: nothing that makes a job can forget it.
CREATE TRIGGER generations_history_insert AFTER INSERT ON generations
BEGIN
  INSERT INTO generation_histories (user_id, review_at) VALUES (NEW.user_id, NEW.created_at)
  ON CONFLICT (user_id) DO NOTHING;
END;

-- Jobs that were removed with the history: they are in no list, and still count for what a user ever
-- had.
ALTER TABLE generation_counts ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;

DROP TRIGGER generations_count_delete;
CREATE TRIGGER generations_count_delete AFTER DELETE ON generations
BEGIN
  UPDATE generation_counts SET jobs = jobs - 1, removed = removed + 1
   WHERE user_id = OLD.user_id AND status = OLD.status;
END;
