-- What calls that are passed through to the image API cost. Written by the proxy feature.
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
